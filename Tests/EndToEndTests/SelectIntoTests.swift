// SELECT INTO through the gateway: the answer and the points are those of a single InfluxDB, on every node.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite("SELECT INTO", .serialized)
    struct SelectInto {
        /// Two tags, fields of all types, holes, points of one time in two series.
        private static let points: String = {
            var lines: [String] = []
            for index in 0..<60 {
                let time = (index / 2) * 3_500_000_000 + (index % 5 == 0 ? 0 : index)
                var fields = ["v=\(Double((index * 37) % 101) / 4 - 9)"]
                if index % 3 != 0 { fields.append("i=\((index * 53) % 97 - 40)i") }
                if index % 4 == 0 { fields.append("s=\"text \\\"\(index)\\\" \\\\ \n, = ü\"") }
                if index % 7 == 0 { fields.append("b=\(index % 2 == 0)") }
                let tags = ["", ",h=a", ",h=b\\ c", ",h=a,k=x\\,y"][index % 4]
                lines.append("m\(tags) \(fields.joined(separator: ",")) \(time)")
            }
            lines += [
                "n,h=a v=1e300,i=9007199254740993i 1000000000", "n v=-0,i=-9223372036854775808i 2000000000",
                "z v=0 1000000000", "z v=3 2000000000", "we\\ ird\\,name,ta\\ g=va\\=lue fie\\ ld=1,q\\\"r=2 5",
                "bare v=1 1",
            ]
            return lines.joined(separator: "\n")
        }()

        private struct Request {
            var q: String
            var parameters = ["db": "t"]
            var method = Method.post
            var accept = ""

            init(_ q: String, _ more: [String: String?] = [:], _ method: Method = .post, accept: String = "") {
                self.q = q
                self.method = method
                self.accept = accept
                for (key, value) in more { parameters[key] = value }
            }

            func ask(_ client: InfluxClient) async throws -> Reply {
                try await client.query(
                    q, parameters, method: method, headers: accept.isEmpty ? [] : [("Accept", accept)])
            }
        }

        /// One statement of each kind; the targets are of all kinds, too.
        private static let table: [Request] = [
            .init("SELECT v, i INTO o1 FROM m"), .init("SELECT v, nope INTO o2 FROM m"),
            .init("SELECT nope INTO o3 FROM m"), .init("SELECT * INTO o4 FROM m"),
            .init("SELECT * INTO o5 FROM m GROUP BY *"), .init("SELECT * INTO o6 FROM m GROUP BY h"),
            .init("SELECT v, h INTO o7 FROM m"), .init("SELECT h INTO o8 FROM m"),
            .init("SELECT ln(v) AS l INTO o9 FROM z"), .init("SELECT v * v AS a, i AS b INTO o10 FROM n"),
            .init("SELECT * INTO o11 FROM n"), .init("SELECT mean(v) INTO o12 FROM m"),
            .init("SELECT first(v), last(i) INTO o13 FROM m"), .init("SELECT max(v), i, h INTO o14 FROM m"),
            .init("SELECT v AS x, i AS x INTO o15 FROM m"), .init("SELECT v, v INTO o16 FROM m"),
            .init("SELECT time, v INTO o17 FROM m"), .init("SELECT v AS \"a b,c=d\\\"e\" INTO o18 FROM m"),
            .init("SELECT v AS \"a\\\\b\" INTO o19 FROM m"), .init("SELECT v::integer INTO o20 FROM m"),
            .init("SELECT v INTO \"a,b c=d\" FROM m"), .init("SELECT v INTO \"a\\\\,b\" FROM m"),
            .init("SELECT v INTO \" lead\" FROM m"), .init("SELECT v INTO \"\" FROM bare"),
            .init("SELECT v INTO o..:MEASUREMENT FROM /.*/"),
            .init("SELECT * INTO o.r2.:MEASUREMENT FROM /m|n|we.*/ GROUP BY *"),
            .init("SELECT v INTO r2.o21 FROM m"), .init("SELECT v INTO o22 FROM m", ["rp": "r2"]),
            .init("SELECT v INTO o22 FROM autogen.m", ["rp": "r2"]),
            .init("SELECT v INTO o..o23 FROM t.autogen.m", ["rp": "r2"]),
            .init("SELECT v INTO t..o24 FROM t..m", ["db": nil]), .init("SELECT v INTO o25 FROM m, n"),
            .init("SELECT mean INTO o26 FROM (SELECT mean(v) FROM m GROUP BY h)"),
            .init("SELECT mean INTO o27 FROM (SELECT mean(v) FROM m GROUP BY h) GROUP BY h"),
            .init("SELECT v INTO o28 FROM m LIMIT 3 OFFSET 1"), .init("SELECT v INTO o29 FROM m GROUP BY * SLIMIT 2"),
            .init("SELECT count(*) INTO o30 FROM m"), .init("SELECT mean(/v|i/) INTO o31 FROM m GROUP BY h"),
            .init("SELECT v INTO o32 FROM m ORDER BY time DESC"), .init("SELECT distinct(i) INTO o33 FROM m"),
            .init("SELECT h AS hh, v INTO o34 FROM m GROUP BY h"), .init("SELECT v AS h INTO o35 FROM m GROUP BY h"),
            .init("SELECT v INTO o36 FROM m GROUP BY nosuch"), .init("SELECT v INTO o37 FROM nosuch"),
            .init("SELECT v INTO o38 FROM m WHERE time > now() - 1h"),
            .init("SELECT v INTO o39 FROM m WHERE time < now() AND h = $h", ["params": #"{"h":"a"}"#]),
            .init("SELECT v INTO $x FROM m", ["params": #"{"x":{"identifier":"o40"}}"#]),
            .init("SELECT mean(v) INTO o41 FROM m WHERE time >= 0 AND time < 3d GROUP BY time(1d) tz('Europe/Berlin')"),
            .init("SELECT v INTO o42 FROM m", ["chunked": "true", "chunk_size": "7"]),
            .init("SELECT top(v, h, 2) INTO p1 FROM m"), .init("SELECT top(v, h, k, 3), i, h INTO p2 FROM m"),
            .init("SELECT top(v, h, 2) AS h INTO p3 FROM m"), .init("SELECT bottom(v, h, 2) INTO p4 FROM m GROUP BY h"),
            .init("SELECT top(v, h, 2), k AS h INTO p5 FROM m"), .init("SELECT i, top(v, k, 4) INTO p6 FROM m"),
            .init("SELECT top(v, h, 2) INTO p7 FROM m WHERE time >= 0 AND time < 60s GROUP BY time(20s)"),
            .init("SELECT top(v, 5), h INTO p8 FROM m"),
            .init("SELECT top(v, h, 2) INTO p9 FROM (SELECT v FROM m GROUP BY h)"),
            // Errors.
            .init("SELECT v INTO nodb..x FROM m"), .init("SELECT v INTO nodb..x FROM nodb2..m"),
            .init("SELECT bad(v) INTO nodb..x FROM m"), .init("SELECT bad(v) INTO t.norp.x FROM m"),
            .init("SELECT v INTO t.norp.x FROM m"), .init("SELECT v INTO t.norp.x FROM nosuch"),
            .init("SELECT v INTO x FROM nodb..m"), .init("SELECT v INTO x FROM t..m", ["db": nil]),
            .init("SELECT v INTO x FROM m", ["db": "nodb"]), .init("SELECT v INTO x FROM autogen.m", ["rp": "norp"]),
            .init("SELECT v INTO x FROM m", ["rp": "norp"]), .init("SELECT time INTO x FROM m"),
            .init("SELECT v INTO FROM m"), .init("SELECT bad(v) INTO x FROM m"),
            .init("SELECT v INTO nodef..x FROM m"),
            .init("SELECT v AS i INTO conflict FROM m"), .init("SELECT i INTO conflict FROM m"),
            .init("SELECT s AS i INTO conflict FROM m"), .init("SELECT v INTO short.old FROM m"),
            // Forms of the request and of the answer.
            .init("SELECT v INTO q1 FROM m", [:], .get), .init("SELECT nope INTO q1 FROM m", ["rp": "autogen"], .get),
            .init("SELECT v INTO q1 FROM m", ["epoch": "s"]),
            .init("SELECT v INTO q1 FROM m", ["epoch": "ns", "pretty": "true"]),
            .init("SELECT v INTO q1 FROM m", ["pretty": "true"], .get),
            .init("SELECT v INTO q1 FROM m", [:], accept: "text/csv"),
            .init("SELECT v INTO q1 FROM m", ["epoch": "ms"], accept: "application/csv"),
            .init("SELECT v INTO q1 FROM m; SELECT v INTO q2 FROM m", [:], accept: "application/csv"),
            .init("SELECT v INTO nodb..q1 FROM m", [:], accept: "text/csv"),
            .init("SELECT v INTO q1 FROM m", [:], accept: "application/x-msgpack"),
            .init("SELECT v INTO q1 FROM m", ["epoch": "s"], accept: "application/x-msgpack"),
            .init("SELECT v INTO q1 FROM m", [:], .get, accept: "application/x-msgpack"),
            .init("SELECT v INTO nodb..q1 FROM m", [:], accept: "application/x-msgpack"),
            .init("SELECT v INTO q3 FROM m; SELECT v FROM q3; SELECT nope INTO z FROM m"),
            .init("SELECT v FROM m LIMIT 1; SELECT v INTO nodb..x FROM m"),
        ]

        private static let generated: [Request] = {
            let functions = [
                "mean(F)", "sum(F)", "count(F)", "min(F)", "max(F)", "first(F)", "last(F)", "median(F)", "mode(F)",
                "spread(F)", "stddev(F)", "percentile(F, 70)", "distinct(F)", "integral(F)", "top(F, 2)",
                "bottom(F, 2)", "derivative(mean(F), 1s)", "difference(max(F))", "cumulative_sum(F)",
                "moving_average(mean(F), 2)", "non_negative_derivative(last(F))", "elapsed(F)", "F", "F * 2 + 1",
                "mean(F) / 3", "abs(F)",
            ]
            let clauses = [
                "", "GROUP BY h", "GROUP BY *", "T GROUP BY time(10s)", "T GROUP BY time(7s, 2s), h fill(none)",
                "T GROUP BY time(10s), * fill(0)", "T GROUP BY time(6s), h fill(previous)",
                "T GROUP BY time(5s), h fill(linear) LIMIT 9",
            ]
            var requests: [Request] = []
            for (index, function) in functions.enumerated() {
                for (other, clause) in clauses.enumerated() {
                    let field = (index + other) % 2 == 0 ? "v" : "i"
                    let select = function.replacing("F", with: field)
                    let rest = clause.replacing("T ", with: "WHERE time >= 0 AND time < 110s ")
                    requests.append(.init("SELECT \(select) INTO g\(index)_\(other) FROM m \(rest)"))
                }
            }
            return requests
        }()

        private func prepare(_ client: InfluxClient) async throws {
            for statement in [
                "CREATE DATABASE o", "CREATE DATABASE nodef",
                "CREATE RETENTION POLICY r2 ON t DURATION INF REPLICATION 1",
                "CREATE RETENTION POLICY r2 ON o DURATION INF REPLICATION 1",
                "CREATE RETENTION POLICY short ON t DURATION 1h REPLICATION 1",
                "DROP RETENTION POLICY autogen ON nodef",
            ] { try await client.execute(statement) }
            let reply = try await client.write(Self.points, db: "t")
            try #require(reply.status == 204, "\(reply)")
        }

        private func compare(_ requests: [Request]) async throws {
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                try await prepare(oracle.client)
                try await prepare(cluster.client)
                var complaints = Complaints()
                for request in requests {
                    await complaints.check {
                        let theirs = try await request.ask(oracle.client)
                        let mine = try await request.ask(cluster.client)
                        try requireSameAnswer(mine, theirs, "\(request)")
                    }
                }
                await complaints.check { try await requireSameData([oracle] + cluster.nodes, db: "t") }
                await complaints.check { try await requireSameData([oracle] + cluster.nodes, db: "o") }
                try complaints.requireNone()
            }
        }

        @Test("D1 each is answered as InfluxDB answers it, and leaves the same points on every node")
        func sameAsInfluxDB() async throws { try await compare(Self.table) }

        @Test("functions, groupings and fills give the same points as in InfluxDB")
        func sameComputed() async throws { try await compare(Self.generated) }

        @Test("an error in the middle is InfluxDB's, and what was written before it is what InfluxDB had written")
        func errorsInTheMiddle() async throws {
            // Two shard groups; InfluxDB writes 10,000 points at a time.
            let late = "700000000000000000"
            let writes = [
                (0..<25_000).map { "s v=\($0) \($0)000000000" }.joined(separator: "\n"),
                "s v=1 \(late)\ns v=2 700000001000000000", "first v=\"text\" 5", "late v=\"text\" \(late)",
            ]
            let statements = [
                "SELECT v INTO good FROM s", "SELECT v INTO first FROM s", "SELECT v INTO late FROM s",
                "SELECT v INTO late FROM s LIMIT 20000", "SELECT v INTO short.s FROM s",
            ]
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                var complaints = Complaints()
                for client in [oracle.client, cluster.client] {
                    try await client.execute("CREATE RETENTION POLICY short ON t DURATION 1h REPLICATION 1")
                    for lines in writes { try #require(try await client.write(lines, db: "t").status == 204) }
                }
                for statement in statements {
                    await complaints.check {
                        let theirs = try await oracle.client.query(statement, db: "t", [:], method: .post)
                        let mine = try await cluster.client.query(statement, db: "t", [:], method: .post)
                        try requireSameAnswer(mine, theirs, statement)
                    }
                }
                await complaints.check { try await requireSameData([oracle] + cluster.nodes, db: "t") }
                try complaints.requireNone()
            }
        }

        @Test("a node that fails before it has answered is replaced; with none in sync nothing is read or written")
        func nodesFail() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write(Self.points, db: "t").status == 204)
                try await cluster.a.kill()
                for index in 0..<6 {
                    let reply = try await cluster.client.query(
                        "SELECT v INTO copy\(index) FROM m", db: "t", [:], method: .post)
                    #expect(reply.status == 200 && reply.text.contains(",60]]"), "\(reply)")
                }
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                let end = try await cluster.gateway.status().log.durableEnd
                let reply = try await cluster.client.query("SELECT v INTO late FROM m", db: "t", [:], method: .post)
                #expect(reply.status == 503, "\(reply)")
                #expect(try await cluster.gateway.status().log.durableEnd == end)
                try await cluster.heal()
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("D6 a node that was down has the points after catching up")
        func nodeDown() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write(Self.points, db: "t").status == 204)
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                try await cluster.client.execute("SELECT * INTO copy FROM m GROUP BY *", db: "t")
                // Had b run it by itself, it would have read this, too.
                try #require(try await cluster.client.write("m,h=a v=1 999", db: "t").status == 204)
                try await cluster.heal()
                try await requireSameData(cluster.nodes, db: "t")
                #expect(try await cluster.b.client.count("v", of: "copy", db: "t") == 60)
            }
        }

        @Test("an asynchronous one is answered at once and carried out")
        func asynchronous() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write(Self.points, db: "t").status == 204)
                let reply = try await cluster.client.query(
                    "SELECT v INTO copy FROM m", db: "t", ["async": "true"], method: .post)
                #expect(reply.status == 204)
                try await eventually("all nodes have it") {
                    for node in cluster.nodes where try await node.client.count("v", of: "copy", db: "t") == 0 {
                        return false
                    }
                    return true
                }
            }
        }

        private func fill(_ cluster: TestCluster, _ rows: Int) async throws {
            for start in stride(from: 0, to: rows, by: 20_000) {
                let lines = (start..<min(start + 20_000, rows)).map { "big,h=a v=\($0).5,i=\($0)i \($0)000000" }
                let reply = try await cluster.client.write(lines.joined(separator: "\n"), db: "t")
                try #require(reply.status == 204, "\(reply)")
            }
        }

        /// The node that runs the SELECT, once points of it are written.
        private func reader(_ cluster: TestCluster) async throws -> InfluxNode {
            try await eventually("a node reads, and points are written", within: .seconds(60)) {
                () async throws -> InfluxNode? in
                for node in cluster.nodes where try await node.client.query("SHOW QUERIES").text.contains("FROM big") {
                    return try await node.client.count("v", of: "copy", db: "t") > 0 ? node : nil
                }
                return nil
            }
        }

        @Test("a client that leaves stops the SELECT on its node, and nothing more is written")
        func clientLeaves() async throws {
            try await TestCluster.run { cluster in
                let rows = 300_000
                try await fill(cluster, rows)
                let asking = Task {
                    try await cluster.client.query(
                        "SELECT * INTO copy FROM big GROUP BY *", db: "t", [:], method: .post)
                }
                let reader = try await reader(cluster)
                asking.cancel()
                try await eventually("the node's query is gone", within: .seconds(1) + EndToEnd.slack) {
                    try await !reader.client.query("SHOW QUERIES").text.contains("FROM big")
                }
                try await cluster.gateway.waitUntilDrained()
                #expect(try await cluster.a.client.count("v", of: "copy", db: "t") < rows)
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("when the node breaks in the middle, the error says how much was written, and running it again is right")
        func nodeBreaks() async throws {
            try await TestCluster.run { cluster in
                let rows = 300_000
                try await fill(cluster, rows)
                async let answer = cluster.client.query(
                    "SELECT * INTO copy FROM big GROUP BY *", db: "t", [:], method: .post)
                try await reader(cluster).kill()
                let reply = try await answer
                let error = try #require(reply.error, "\(reply)")
                #expect(error.contains("a node failed in the middle of the rows"), "\(reply)")
                #expect(error.contains("points were written before"), "\(reply)")
                try await cluster.heal()
                try await cluster.gateway.waitUntilInSync()
                let again = try await cluster.client.query(
                    "SELECT * INTO copy FROM big GROUP BY *", db: "t", [:], method: .post)
                #expect(again.text.contains(",\(rows)]]"), "\(again)")
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("A6 memory stays bounded however many rows are copied")
        func memory() async throws {
            let rows = EndToEnd.isLong ? 2_000_000 : 150_000
            try await TestCluster.run { cluster in
                try await fill(cluster, rows)
                // What was needed for the writes is given back, what is needed once is there.
                _ = try await cluster.gateway.stop()
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilInSync()
                try await cluster.client.execute("SELECT * INTO warm FROM big LIMIT 20000", db: "t")
                let before = try #require(cluster.gateway.process?.residentBytes)
                var client = cluster.client
                client.timeout = .seconds(900)
                let watch = Task {
                    var most = 0
                    while !Task.isCancelled {
                        most = max(most, cluster.gateway.process?.residentBytes ?? 0)
                        try? await Task.sleep(for: .milliseconds(20))
                    }
                    return most
                }
                let copied = try await client.query(
                    "SELECT * INTO copy FROM big GROUP BY *", db: "t", [:], method: .post)
                watch.cancel()
                let most = await watch.value
                #expect(copied.text.contains(",\(rows)]]"), "\(copied)")
                let grown = most - before
                print("SELECT INTO of \(rows) rows: the gateway grew by \(grown / 1024) KiB from \(before / 1024) KiB")
                #expect(grown < 16 << 20)
            }
        }
    }
}
