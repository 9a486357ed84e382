// Policies over real HTTP, with a real InfluxDB behind them: what they refuse does nothing, in whatever disguise it
// comes, and what they let through does no harm.

import Foundation
import InfluxQL
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Policies {
        /// A gateway whose main listener is open, with two others.
        private static func run(
            node: InfluxNode.Settings = .init(), more: String = "",
            body: (TestCluster, _ strict: Int, _ readOnly: Int) async throws -> Void
        ) async throws {
            let (strict, readOnly) = (try FreePort.next(), try FreePort.next())
            let listeners = """
                [{listen: 127.0.0.1:\(strict), policy: strict}, {listen: 127.0.0.1:\(readOnly), policy: read-only}\(more)]
                """
            try await TestCluster.run(.init(["listeners": listeners]), nodes: ["a"], node: node) { cluster in
                for statement in [
                    "CREATE DATABASE x", "CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES",
                    "CREATE USER ann WITH PASSWORD 'a'", "GRANT READ ON t TO ann",
                    "CREATE RETENTION POLICY short ON t DURATION 2d REPLICATION 1",
                    "CREATE CONTINUOUS QUERY cq ON t BEGIN SELECT mean(v) INTO m FROM cpu GROUP BY time(1h) END",
                    "CREATE SUBSCRIPTION s ON t.autogen DESTINATIONS ALL 'udp://127.0.0.1:9'",
                ] { try await cluster.client.execute(statement) }
                let lines = "cpu,host=a v=1,w=2 1700000000000000000\nmem,host=a v=2 1700000000000000000"
                for (db, text) in [("t", lines), ("x", "secret v=3 1700000000000000000\nm v=4 1")] {
                    let reply = try await cluster.client.write(text, db: db)
                    guard reply.status == 204 else { throw TestFailure("\(reply)") }
                }
                try await body(cluster, strict, readOnly)
            }
        }

        /// Data, schema, users and grants of the node, as text.
        private static func contents(of node: InfluxNode) async throws -> [String] {
            var contents: [String] = []
            for question in [
                "SHOW DATABASES", "SHOW USERS", "SHOW GRANTS FOR ann", "SHOW CONTINUOUS QUERIES", "SHOW SUBSCRIPTIONS",
                "SHOW RETENTION POLICIES ON t", "SHOW RETENTION POLICIES ON x", "SHOW SERIES ON t", "SHOW SERIES ON x",
            ] { contents.append("\(question): \(try await node.client.query(question).text)") }
            for db in ["t", "x"] {
                for (title, bytes) in try await Dump(of: node, db: db).parts {
                    contents.append("\(db) \(title): \(String(decoding: bytes, as: UTF8.self))")
                }
            }
            // Passwords do not show; the hash is in a file, which changes with any statement on users.
            return contents
        }

        @Test("I1 I6 D1 no disguise gets a statement past strict or read-only, and none does anything")
        func evasions() async throws {
            var disguises = Evasions.requests + Evasions.writes
            for (text, params) in Evasions.mutations {
                disguises += [.form(text, params: params), .get(text, params: params)]
            }
            for (text, params) in Evasions.deletions {
                disguises += [.form(text, params: params, .readOnly), .get(text, params: params, .readOnly)]
            }
            for (text, params) in Evasions.reads {
                disguises += [.form(text, params: params, .strict), .get(text, params: params, .strict)]
            }
            #expect(disguises.count >= 300)
            try await Self.run { cluster, strict, readOnly in
                let before = try await Self.contents(of: cluster.a)
                let end = try await cluster.gateway.status().log.durableEnd
                var complaints = Complaints()
                for disguise in disguises {
                    var ports: [(String, Int)] = []
                    if disguise.listeners != .readOnly { ports.append(("strict", strict)) }
                    if disguise.listeners != .strict { ports.append(("read-only", readOnly)) }
                    for (name, port) in ports {
                        await complaints.check {
                            guard let reply = try await disguise.send(to: port) else { return }
                            guard [400, 403, 404, 405, 417, 501].contains(reply.status) else {
                                throw TestFailure("\(name) lets through \(disguise.name): \(reply)")
                            }
                            if reply.status == 403,
                                reply.header("X-Influxdb-Error")?.contains("policy \(name): ") != true
                            {
                                throw TestFailure("\(name): \(disguise.name): \(reply)")
                            }
                        }
                    }
                }
                try complaints.requireNone()
                let after = try await Self.contents(of: cluster.a)
                for (before, after) in zip(before, after) { #expect(before == after) }
                #expect(before.count == after.count)
                #expect(try await cluster.gateway.status().log.durableEnd == end, "something was logged")
                try await Self.checkFigures(cluster)
            }
        }

        private static func checkFigures(_ cluster: TestCluster) async throws {
            let metrics = try await cluster.gateway.admin.send(.get, "/metrics").text.split(separator: "\n")
            for rule in ["strict", "read-only"] {
                let name = "sluice_queries_refused_by_policy_total{rule=\"\(rule)\"} "
                let count = metrics.first { $0.hasPrefix(name) }?.dropFirst(name.count)
                #expect(count.flatMap { Int($0) } ?? 0 > 100, "\(rule)")
            }
            #expect(metrics.contains { $0.hasPrefix("sluice_writes_refused_by_policy_total ") && !$0.hasSuffix(" 0") })
        }

        @Test("I6 who is nobody to the nodes is told so, and nothing of the policy; users are told the rule")
        func withAuthentication() async throws {
            var node = InfluxNode.Settings()
            node.authentication = true
            let port = try FreePort.next()
            var settings = GatewayProcess.Settings([
                "listeners": "[{listen: 127.0.0.1:\(port), policy: read-only}]"
            ])
            settings.node = "username: sluice, password: secret"
            let makeUser = { (node: InfluxNode) in
                _ = try await node.client.execute("CREATE USER sluice WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
            }
            try await TestCluster.run(settings, nodes: ["a"], node: node, db: nil, prepare: makeUser) { cluster in
                let root = cluster.client.signedIn("sluice", "secret")
                for text in ["CREATE DATABASE t", "CREATE USER ann WITH PASSWORD 'ann'"] {
                    try await root.execute(text)
                }
                let end = try await cluster.gateway.status().log.durableEnd
                let nobody = InfluxClient(port: port)
                let expected: [(InfluxClient, Int)] = [
                    (nobody, 401), (nobody.signedIn("ann", "wrong"), 401), (nobody.signedIn("ann", "ann"), 403),
                    (nobody.signedIn("sluice", "secret"), 403),
                ]
                for (client, status) in expected {
                    let drop = try await client.query("DROP DATABASE t", method: .post)
                    let write = try await client.write("m v=1 1", db: "t")
                    for reply in [drop, write] {
                        #expect(reply.status == status, "\(reply)")
                        #expect(reply.text.contains("policy read-only") == (status == 403), "\(reply)")
                    }
                }
                #expect(try await cluster.gateway.status().log.durableEnd == end)
                #expect(try await root.names("SHOW DATABASES").contains("t"))
            }
        }

        @Test("a bare InfluxDB runs most of these disguises")
        func disguisesAreReal() async throws {
            let node = try await InfluxNode.started("bare")
            var accepted = 0
            for (text, params) in Evasions.mutations {
                for db in ["t", "x"] { try await node.client.execute("CREATE DATABASE \(db)") }
                let reply = try await Disguise.form(text, params: params).send(to: node.port)
                if reply?.status == 200 { accepted += 1 }
            }
            #expect(accepted * 3 > Evasions.mutations.count * 2, "\(accepted) of \(Evasions.mutations.count)")
            try await node.kill()
        }

        @Test("strict and read-only let through what they are for, and listeners do not share their rules")
        func allowed() async throws {
            try await Self.run(more: ", {listen: 127.0.0.1:0, policy: dashboards}") { cluster, strict, readOnly in
                let (strict, readOnly) = (InfluxClient(port: strict), InfluxClient(port: readOnly))
                for text in ["SELECT v FROM cpu", "SHOW TAG KEYS FROM cpu", "DELETE FROM mem WHERE host = 'none'"] {
                    try await strict.execute(text, db: "t")
                }
                #expect(try await strict.write("new v=1 1", db: "t").status == 204)
                for text in [
                    "SELECT v FROM cpu, mem; SHOW DATABASES", "SHOW USERS", "EXPLAIN ANALYZE SELECT v FROM cpu",
                ] {
                    try await readOnly.execute(text, db: "t")
                }
                let write = try await readOnly.write("new v=2 2", db: "t")
                #expect(write.status == 403)
                #expect(write.error == "policy read-only: writing points is not allowed here")
                let drop = try await strict.query("DROP DATABASE t", method: .post)
                #expect(drop.error == "error authorizing query: policy strict: DROP DATABASE is not allowed here")
                #expect(drop.status == 403 && drop.header("X-Influxdb-Error") == drop.error)
                let status = try await cluster.gateway.admin.send(.get, "/api/v1/status")
                let json = try JSONSerialization.jsonObject(with: Data(status.body)) as? [String: Any]
                #expect((json?["listen"] as? [String])?.count == 4)
                try await cluster.client.execute("DROP DATABASE t")
            }
        }

        @Test(
            "D1 whatever read-only lets through changes nothing, among texts of every production and changes to them",
            .timeLimit(.minutes(10)))
        func harmless() async throws {
            var node = InfluxNode.Settings()
            // Mutated queries may ask for any number of windows.
            node.extra["coordinator"] = "max-select-buckets = 10000\nquery-timeout = \"5s\""
            try await Self.run(node: node) { cluster, _, readOnly in
                let client = InfluxClient(port: readOnly)
                let before = try await Self.contents(of: cluster.a)
                var generator = StatementGenerator(seed: 5)
                let count = EndToEnd.isLong ? 20_000 : 2_000
                let texts =
                    StatementGenerator.base + StatementGenerator.odd + (0..<count).map { _ in generator.mutated() }
                    + StatementGenerator.base.map { "SHOW DATABASES; \($0)" }
                var (ran, refused) = (0, 0)
                for text in texts {
                    let reply = try await client.queryForm(["q": text, "db": "t"])
                    guard [200, 400, 403].contains(reply.status) else { throw TestFailure("\(text): \(reply)") }
                    if reply.status == 200 { ran += 1 }
                    if reply.status == 403 { refused += 1 }
                }
                #expect(ran > 100 && refused > 50, "\(ran) ran, \(refused) were refused")
                let after = try await Self.contents(of: cluster.a)
                for (before, after) in zip(before, after) { #expect(before == after) }
                #expect(before.count == after.count)
            }
        }

        // MARK: Rows

        /// A gateway that lets 50 rows pass, with 40 of `small` and 60 of `large` behind it.
        private static func limited(_ body: (InfluxClient, TestCluster) async throws -> Void) async throws {
            let port = try FreePort.next()
            let listeners = "[{listen: 127.0.0.1:\(port), policy: {max_rows: 50}}]"
            try await TestCluster.run(.init(["listeners": listeners]), nodes: ["a"]) { cluster in
                for (name, count) in [("small", 40), ("large", 60)] {
                    let lines = (1...count).map { "\(name) v=\($0),s=\"a,\"\"[\\\"\" \($0)" }.joined(separator: "\n")
                    let reply = try await cluster.client.write(lines, db: "t")
                    guard reply.status == 204 else { throw TestFailure("\(reply)") }
                }
                try await body(InfluxClient(port: port), cluster)
            }
        }

        private static let tooMany = "error authorizing query: policy max_rows: the answer has more than 50 rows"

        @Test(
            "an answer with more rows than a policy allows is refused as a whole, in every format; others are untouched"
        )
        func rows() async throws {
            try await Self.limited { client, cluster in
                for accept in ["application/json", "text/csv", "application/x-msgpack"] {
                    let headers = [("Accept", accept)]
                    for parameters in [["epoch": "ns"], ["pretty": "true"], ["chunked": "true"]] {
                        let small = try await client.query("SELECT * FROM small", db: "t", parameters, headers: headers)
                        let direct = try await cluster.a.client.query(
                            "SELECT * FROM small", db: "t", parameters, headers: [("Accept", accept)])
                        #expect(small.status == 200 && small.body == direct.body, "\(accept) \(parameters)")
                        #expect(small.header("Content-Type") == direct.header("Content-Type"))
                        let large = try await client.query("SELECT * FROM large", db: "t", parameters, headers: headers)
                        let words = large.header("X-Influxdb-Error") ?? ""
                        #expect(large.status == 403 && words.hasPrefix(Self.tooMany), "\(large)")
                        #expect(large.header("Content-Type") == direct.header("Content-Type"))
                        #expect(large.text.contains(words) || large.error == words)
                    }
                }
                let both = try await client.query("SELECT v FROM small; SELECT v FROM small", db: "t")
                #expect(both.status == 403)
                let wrong = try await client.query("SELECT nothing(v) FROM large", db: "t")
                #expect(wrong.status == 200 && wrong.error?.contains("undefined function") == true)
                try await cluster.client.execute("SELECT * FROM large", db: "t")
            }
        }

        @Test("a chunked answer ends with an error in the place of the chunk that has too many rows")
        func chunks() async throws {
            try await Self.limited { client, cluster in
                let parameters = ["chunked": "true", "chunk_size": "20", "epoch": "ns"]
                let direct = try await cluster.a.client.query("SELECT v FROM large", db: "t", parameters)
                let reply = try await client.query("SELECT v FROM large", db: "t", parameters)
                #expect(reply.status == 200)
                let (theirs, mine) = (direct.text.split(separator: "\n"), reply.text.split(separator: "\n"))
                #expect(theirs.count == 3 && mine.count == 3 && mine[..<2] == theirs[..<2])
                #expect(mine[2].hasPrefix("{\"results\":[{\"statement_id\":0,\"error\":\"\(Self.tooMany)"))
                let second = try await client.query("SELECT v FROM small; SELECT v FROM small", db: "t", parameters)
                #expect(second.text.split(separator: "\n").last?.contains("\"statement_id\":1,\"error\"") == true)
                let packed = try await client.query(
                    "SELECT v FROM large", db: "t", parameters, headers: [("Accept", "application/x-msgpack")])
                #expect(packed.status == 200 && packed.text.contains(Self.tooMany))
                let whole = try await client.query("SELECT v FROM small", db: "t", parameters)
                #expect(try await whole.body == cluster.a.client.query("SELECT v FROM small", db: "t", parameters).body)
            }
        }

        @Test("in a request that also changes something, the statement that reads too many rows has the error")
        func rowsOfMixedRequests() async throws {
            try await Self.limited { client, cluster in
                let reply = try await client.query(
                    "CREATE DATABASE made; SELECT v FROM large; CREATE DATABASE never", db: "t", method: .post)
                #expect(reply.status == 200 && reply.error?.hasPrefix(Self.tooMany) == true, "\(reply)")
                #expect(reply.text.hasSuffix("{\"statement_id\":2,\"error\":\"not executed\"}]}\n"))
                let names = try await cluster.client.names("SHOW DATABASES")
                #expect(names.contains("made") && !names.contains("never"))
                let small = try await client.query("CREATE DATABASE made; SELECT v FROM small", db: "t", method: .post)
                #expect(small.status == 200 && small.error == nil)
            }
        }
    }
}
