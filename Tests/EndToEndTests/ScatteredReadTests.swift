// Reads over several replica sets against one InfluxDB that holds everything: the same bytes, or a refusal that
// docs/statements.md announces.

import Foundation
import Prometheus
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct ScatteredReads {
        private static let nodes = ["a", "b", "c", "d"]

        /// When b and d are down, each set of the map has lost one of two nodes; when b is down, no hashed set has lost all.
        private static let placements: [(name: String, rules: String, down: [String])] = [
            (
                "mapped",
                """
                {measurements: {m0: [a, b], m1: [c, d], m2: [b, c], "m 3": [a, b], "m,4": [c, d], m5: [a, d]}, \
                default: [b, c]}
                """, ["b", "d"]
            ),
            ("hashed", "{default: {hash: {replicas: 2}}}", ["b"]),
            (
                "mixed",
                """
                {measurements: {m0: [a, b]}, patterns: [{match: "m1*", on: [b, c]}], default: {hash: {replicas: 2}}}
                """, ["b"]
            ),
        ]

        /// The sentences of docs/statements.md.
        private static let announced = [
            "a SELECT around other SELECTs is not supported over several replica sets",
            "a wildcard inside of an expression", "in WHERE is a field: a count over several replica sets",
        ]

        private struct Tally {
            var exact = 0
            var withRows = 0
            var refused = 0
            var wrong: [String] = []
        }

        @Test(
            "S4 what lies on several replica sets reads as from one InfluxDB, with one replica of each set down too",
            arguments: placements.indices)
        func differential(number: Int) async throws {
            let (name, rules, down) = Self.placements[number]
            let oracle = try await InfluxNode.started("oracle")
            try await TestCluster.run(.init(["placement": rules]), nodes: Self.nodes) { cluster in
                var generator = ScatteredQueryGenerator(seed: 7 + UInt64(number))
                let lines = generator.lines().joined(separator: "\n")
                try await oracle.client.execute("CREATE DATABASE t")
                for client in [oracle.client, cluster.client] {
                    let reply = try await client.write(lines, db: "t")
                    guard reply.status == 204 else { throw TestFailure("\(reply)") }
                }
                var tally = Tally()
                let count = EndToEnd.isLong ? 2_000 : 300
                for _ in 0..<count { try await Self.compare(&generator, cluster, oracle, &tally) }
                for node in cluster.nodes where down.contains(node.name) { try await node.kill() }
                for node in down { try await cluster.gateway.waitUntilOutOfSync(node) }
                for _ in 0..<count / 3 { try await Self.compare(&generator, cluster, oracle, &tally) }
                print("\(name): \(tally.exact) exact, \(tally.withRows) of them with rows, \(tally.refused) refused")
                if !tally.wrong.isEmpty {
                    throw TestFailure("\(tally.wrong.count) wrong\n" + tally.wrong.prefix(5).joined(separator: "\n"))
                }
                #expect(tally.exact > 8 * tally.refused, "most must be exact")
                #expect(2 * tally.withRows > tally.exact, "most must have something to compare")
            }
            try await oracle.kill()
        }

        private static func compare(
            _ generator: inout ScatteredQueryGenerator, _ cluster: TestCluster, _ oracle: InfluxNode,
            _ tally: inout Tally
        ) async throws {
            let query = generator.query()
            let form = generator.form()
            let mine = try await cluster.client.query(query, db: "t", form.parameters, headers: form.headers)
            // CSV has no place for errors: there they stand alone in the body.
            let error = mine.error ?? (mine.status == 400 ? mine.text : "")
            if announced.contains(where: { error.contains($0) }) {
                tally.refused += 1
                return
            }
            let theirs = try await oracle.client.query(query, db: "t", form.parameters, headers: form.headers)
            // One InfluxDB panics over a function of texts, or names the statement in its error.
            let bothFail = mine.error != nil && theirs.error != nil
            if mine.status == theirs.status, mine.body == theirs.body || bothFail {
                tally.exact += 1
                if theirs.text.contains("columns") || theirs.text.contains("name,tags") { tally.withRows += 1 }
            } else {
                tally.wrong.append("\(query) \(form)\n  gateway:  \(mine)\n  influxdb: \(theirs)")
            }
        }

        @Test(
            "S4 without any live node of a replica set, a query that needs it says what is missing, and is no partial 200"
        )
        func deadSet() async throws {
            let rules = "{measurements: {cpu: [a, b], mem: [c, d]}, default: [a, b]}"
            try await TestCluster.run(.init(["placement": rules]), nodes: Self.nodes) { cluster in
                let written = try await cluster.client.write("cpu v=1 1\nmem v=2 1\nother v=3 1", db: "t")
                #expect(written.status == 204)
                for node in cluster.nodes.suffix(2) { try await node.kill() }
                for name in ["c", "d"] { try await cluster.gateway.waitUntilOutOfSync(name) }
                for query in ["SELECT v FROM cpu, mem", "SELECT v FROM mem", "SELECT * FROM mem, cpu"] {
                    let reply = try await cluster.client.query(query, db: "t")
                    #expect(reply.status == 503, "\(query): \(reply)")
                    #expect(
                        reply.error?.hasPrefix("replica set {c, d}, which holds mem: no node is in sync") == true,
                        "\(query): \(reply)")
                }
                for query in ["SELECT * FROM /.*/", "SHOW MEASUREMENTS", "SHOW SERIES EXACT CARDINALITY"] {
                    let reply = try await cluster.client.query(query, db: "t")
                    #expect(
                        reply.status == 503 && reply.error?.hasPrefix("replica set {c, d}: no node is in sync") == true,
                        "\(query): \(reply)")
                }
                // Nothing of these lies there.
                for query in ["SELECT v FROM cpu, other", "SHOW FIELD KEYS FROM cpu", "SHOW DATABASES"] {
                    #expect(try await cluster.client.query(query, db: "t").status == 200, "\(query)")
                }
                try await cluster.heal()
                let whole = try await cluster.client.query("SELECT * FROM /.*/", db: "t")
                #expect(whole.status == 200 && whole.text.contains("\"mem\""), "\(whole)")
            }
        }

        @Test("a remote read of Prometheus finds what lies on several replica sets as in one InfluxDB")
        func remoteRead() async throws {
            let rules = "{measurements: {up: [a, b], down: [c, d]}, default: {hash: {replicas: 2}}}"
            let oracle = try await InfluxNode.started("oracle")
            try await TestCluster.run(.init(["placement": rules]), nodes: Self.nodes) { cluster in
                try await oracle.client.execute("CREATE DATABASE t")
                var series: [[UInt8]] = []
                for name in ["up", "down", "more", "most", "up_time"] {
                    for job in ["x", "y"] {
                        let samples = (1...3).map { (Double($0) + 0.5, Int64($0) * 1_000) }
                        series.append(PrometheusWire.series([("__name__", name), ("job", job)], samples))
                    }
                    series.append(PrometheusWire.series([("__name__", name), ("zone", name)], [(1, 1_000)]))
                }
                let snappy = [("Content-Encoding", "snappy")]
                let body = Snappy.encoded(PrometheusWire.write(series))
                for client in [oracle.client, cluster.client] {
                    let reply = try await client.send(
                        .post, "/api/v1/prom/write?db=t", headers: snappy, body: .bytes(body))
                    #expect(reply.status == 204, "\(reply)")
                }
                let questions: [[(UInt64, String, String)]] = [
                    [(2, "__name__", "up|down")], [(2, "__name__", ".+")], [(2, "__name__", "m.*"), (0, "job", "x")],
                    [(0, "job", "y")], [(2, "__name__", ".*"), (3, "__name__", "up.*")], [(2, "__name__", "zzz")],
                    [(1, "__name__", "up")], [(0, "__name__", "up")], [(1, "zone", "")],
                ]
                for question in questions {
                    let request = PrometheusWire.read([PrometheusWire.query(question, from: 1, to: 2_500)])
                    var found: [[UInt8]] = []
                    for client in [oracle.client, cluster.client] {
                        let reply = try await client.send(
                            .post, "/api/v1/prom/read?db=t", headers: snappy, body: .bytes(Snappy.encoded(request)))
                        guard reply.status == 200 else { throw TestFailure("\(question): \(reply)") }
                        found.append(try reply.body.withUnsafeBytes { try Snappy.decoded($0, limit: 1 << 20) })
                    }
                    #expect(found[0] == found[1], "\(question)")
                }
            }
            try await oracle.kill()
        }

        @Test("I6 who may not read is refused before any replica set is asked, in the words of a node")
        func access() async throws {
            var node = InfluxNode.Settings()
            node.authentication = true
            var settings = GatewayProcess.Settings(["placement": "{measurements: {cpu: [a, b]}, default: [c, d]}"])
            settings.node = "username: sluice, password: secret"
            @Sendable func makeAdministrator(on node: InfluxNode) async throws {
                try await node.client.execute("CREATE USER sluice WITH PASSWORD 'secret' WITH ALL PRIVILEGES")
            }
            try await TestCluster.run(settings, nodes: Self.nodes, node: node, db: nil, prepare: makeAdministrator) {
                cluster in
                let root = cluster.client.signedIn("sluice", "secret")
                for statement in [
                    "CREATE DATABASE t", "CREATE USER reader WITH PASSWORD 'r'", "CREATE USER nobody WITH PASSWORD 'n'",
                    "GRANT READ ON t TO reader",
                ] {
                    try await root.execute(statement)
                }
                #expect(try await root.write("cpu v=1 1\nmem v=2 1", db: "t").status == 204)
                for query in ["SELECT * FROM cpu, mem", "SELECT v FROM /./", "SHOW MEASUREMENTS"] {
                    let reader = try await cluster.client.signedIn("reader", "r").query(query, db: "t")
                    #expect(
                        reader.status == 200 && reader.text.contains("cpu") && reader.text.contains("mem"), "\(reader)")
                    let wrong = try await cluster.client.signedIn("reader", "x").query(query, db: "t")
                    #expect(wrong.status == 401, "\(wrong)")
                    let refused = try await cluster.client.signedIn("nobody", "n").query(query, db: "t")
                    let words = "error authorizing query: nobody not authorized to execute statement '"
                    #expect(refused.status == 403 && refused.error?.hasPrefix(words) == true, "\(refused)")
                }
            }
        }

        @Test("one request with reads of several places, SELECT INTO, Flux and more than the limit")
        func beside() async throws {
            let rules = "{measurements: {cpu: [a, b], mem: [c, d]}, default: [a, b]}"
            try await TestCluster.run(
                .init(["placement": rules], limits: ["merged_answer": "64KB"]), nodes: Self.nodes
            ) { cluster in
                let lines = (0..<5_000).map { "cpu v=1 \($0)\nmem v=2 \($0)" }.joined(separator: "\n")
                #expect(try await cluster.client.write(lines, db: "t").status == 204)
                let several = try await cluster.client.query(
                    "SELECT count(v) FROM cpu; SELECT count(v) FROM mem; SELECT count(v) FROM mem, cpu; SHOW DATABASES",
                    db: "t")
                let counts = ["cpu", "mem"].map {
                    #"{"name":"\#($0)","columns":["time","count"],"values":[[0,5000]]}"#
                }
                #expect(
                    several.text == """
                        {"results":[{"statement_id":0,"series":[\(counts[0])]},{"statement_id":1,"series":[\(counts[1])]},\
                        {"statement_id":2,"series":[\(counts[0]),\(counts[1])]},{"statement_id":3,"series":[\
                        {"name":"databases","columns":["name"],"values":[["t"]]}]}]}

                        """)
                let large = try await cluster.client.query("SELECT v FROM cpu, mem", db: "t")
                #expect(
                    large.status == 200
                        && large.error?.hasPrefix("the answers of the replica sets take more than 64000 bytes") == true,
                    "\(large.text.prefix(300))")
                let both = try await cluster.client.query("SELECT v INTO x FROM cpu, mem", db: "t", method: .post)
                #expect(both.status == 400 && both.error?.contains("SELECT INTO reads from one replica set") == true)
                let one = try await cluster.client.query("SELECT v INTO x FROM mem LIMIT 3", db: "t", method: .post)
                #expect(one.text.contains(#""values":[[0,3]]"#), "\(one)")
                #expect(try await cluster.a.client.count("v", of: "x", db: "t") == 3)
                let flux = try await cluster.client.send(
                    .post, "/api/v2/query", headers: [("Content-Type", "application/vnd.flux")],
                    body: .bytes(Array("from(bucket:\"t\") |> range(start:0)".utf8)))
                #expect(flux.status == 400 && flux.text.contains("Flux is not supported where"), "\(flux)")
            }
        }
    }
}
