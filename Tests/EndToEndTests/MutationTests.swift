// Statements that change data or schema reach every node, in order with the writes around them, however they are asked.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Mutations {
        /// What is done to the cluster and to a single InfluxDB alike.
        private enum Step {
            case statement(String, db: String?)
            case write(String, db: String, rp: String?)

            static func on(_ text: String, db: String? = nil) -> Step { .statement(text, db: db) }
            static func lines(_ text: String, _ db: String, _ rp: String? = nil) -> Step {
                .write(text, db: db, rp: rp)
            }

            func run(_ client: InfluxClient) async throws {
                switch self {
                case .statement(let text, let db):
                    let reply = try await client.query(text, db: db, [:], method: .post)
                    guard reply.status == 200, reply.error == nil else { throw TestFailure("\(text): \(reply)") }
                case .write(let lines, let db, let rp):
                    let reply = try await client.write(lines, db: db, rp.map { ["rp": $0] } ?? [:])
                    guard reply.status == 204 else { throw TestFailure("\(lines): \(reply)") }
                }
            }
        }

        @Test("D6 S6 statements issued while a node is down reach it later, in order with the writes around them")
        func whileDown() async throws {
            let steps: [Step] = [
                .on("CREATE DATABASE zeta"), .on("CREATE DATABASE alpha WITH DURATION 30d NAME month"),
                .lines("m v=1 1\nm v=2 2\ngone v=1 1", "t"), .on("DROP MEASUREMENT gone", db: "t"),
                // A dropped measurement may come back with another type of field.
                .lines("gone v=\"now text\" 3", "t"), .on("DELETE FROM m WHERE time < 2", db: "t"),
                .lines("m v=3 1", "t"),
                .on("CREATE RETENTION POLICY long ON t DURATION 520w REPLICATION 1"),
                .on("CREATE RETENTION POLICY short ON t DURATION 2h REPLICATION 1 SHARD DURATION 1h"),
                .lines("m v=4 1700000000000000000", "t", "long"),
                .on("ALTER RETENTION POLICY long ON t DURATION INF DEFAULT"),
                .lines("m v=5 1700000001000000000", "t"), .on("DROP RETENTION POLICY short ON t"),
                .on("CREATE USER \"ann\" WITH PASSWORD 'secret; DROP DATABASE t'"),
                .on("CREATE USER bob WITH PASSWORD 'bob' WITH ALL PRIVILEGES"), .on("GRANT READ ON t TO ann"),
                .on("SET PASSWORD FOR ann = 'other'"), .on("REVOKE ALL PRIVILEGES FROM bob"),
                .lines("in v=1 1", "zeta"), .on("DROP DATABASE zeta"), .on("CREATE DATABASE zeta"),
                .lines("in v=2 2", "zeta"), .on("CREATE DATABASE beta"), .on("DROP DATABASE alpha"),
                .on("DROP USER bob"), .on("DROP SERIES FROM m WHERE host='none'", db: "t"),
                .on("CREATE CONTINUOUS QUERY cq ON t BEGIN SELECT mean(v) INTO avg FROM m GROUP BY time(1h) END"),
                .on("SELECT v INTO copied FROM t.\"long\".m", db: "t"), .lines("m v=6 1700000002000000000", "t"),
            ]
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                for client in [oracle.client, cluster.client] { try await Step.lines("m v=0 0", "t").run(client) }
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                for step in steps {
                    try await step.run(oracle.client)
                    try await step.run(cluster.client)
                }
                let meanwhile = try await cluster.client.names("SHOW DATABASES")
                #expect(meanwhile == ["t", "beta", "zeta"] || Set(meanwhile) == ["t", "beta", "zeta"])
                try await cluster.heal()
                let all = [oracle] + cluster.nodes
                try await requireSameSchema(all)
                for db in ["t", "zeta", "beta"] { try await requireSameData(all, db: db) }
                for node in cluster.nodes {
                    let rows = try await node.client.rows("SELECT v FROM t.autogen.m", db: "t")
                    #expect(rows.map { $0[1] } == ["3", "2"], "\(node.name): \(rows)")
                }
            }
        }

        @Test("D1 D2 a mutation is recognised in whatever form it comes, and reaches all nodes")
        func forms() async throws {
            try await TestCluster.run { cluster in
                let client = cluster.client
                var asked = 0
                func database() -> String {
                    asked += 1
                    return "d\(asked)"
                }
                let forms: [(String, (String) async throws -> Reply)] = [
                    ("GET", { try await client.query($0) }),
                    ("POST", { try await client.query($0, method: .post) }),
                    ("form", { try await client.queryForm(["q": $0]) }),
                    ("form wins over the URL", { try await client.queryForm(["q": $0], ["q": "SHOW DATABASES"]) }),
                    ("comment", { try await client.query("-- a comment\n/* and */ \($0)", method: .post) }),
                    ("white space", { try await client.query("\n\t  \($0)\n ;", method: .post) }),
                    (
                        "lower case",
                        { try await client.query($0.replacing("CREATE DATABASE", with: "create\tdatabase")) }
                    ),
                    ("after a read", { try await client.query("SHOW DATABASES; \($0)", method: .post) }),
                    ("before a read", { try await client.query("\($0); SHOW DATABASES", method: .post) }),
                    ("empty statements", { try await client.query(";;\($0);;", method: .post) }),
                ]
                for (name, send) in forms {
                    let db = database()
                    let reply = try await send("CREATE DATABASE \(db)")
                    #expect(reply.status == 200 && reply.error == nil, "\(name): \(reply)")
                    for node in cluster.nodes {
                        #expect(
                            try await node.client.names("SHOW DATABASES").contains(db), "\(name): \(node.name) lacks it"
                        )
                    }
                }
                try await requireSameSchema(cluster.nodes)
            }
        }

        @Test("mixed requests of reads and mutations are answered as InfluxDB answers them")
        func mixed() async throws {
            let requests: [(q: String, parameters: [String: String])] = [
                ("CREATE DATABASE x; CREATE DATABASE y; SHOW DATABASES", [:]),
                ("SELECT * FROM m; DROP MEASUREMENT m; SELECT * FROM m", ["db": "t"]),
                ("DROP USER nobody", [:]), ("CREATE RETENTION POLICY r ON nowhere DURATION 1h REPLICATION 1", [:]),
                ("CREATE RETENTION POLICY r ON t DURATION 1m REPLICATION 1", [:]), ("DROP MEASUREMENT m", [:]),
                ("DROP DATABASE never_was", [:]), ("DROP SERIES FROM m WHERE time > 0", ["db": "t"]),
                ("CREATE DATABASE", [:]), ("CREATE USER u WITH PASSWORD 'p'", [:]),
                ("CREATE USER u WITH PASSWORD 'other'", [:]), ("SHOW USERS; DROP USER u", [:]),
                ("CREATE DATABASE z", ["pretty": "true"]), ("SELECT v INTO copy FROM n", ["db": "t"]),
                ("DELETE FROM n WHERE time = 1", ["db": "t"]), ("SELECT * FROM n", ["db": "t", "epoch": "ns"]),
            ]
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                var complaints = Complaints()
                for client in [cluster.client, oracle.client] {
                    try #require(try await client.write("m v=1 1\nn v=1 1\nn v=2 2", db: "t").status == 204)
                }
                for request in requests {
                    await complaints.check {
                        let mine = try await cluster.client.query(request.q, request.parameters, method: .post)
                        let theirs = try await oracle.client.query(request.q, request.parameters, method: .post)
                        try requireSameAnswer(mine, theirs, request.q)
                    }
                }
                try complaints.requireNone()
                try await requireSameSchema([oracle] + cluster.nodes)
                try await requireSameData([oracle] + cluster.nodes, db: "t")
            }
        }

        @Test("D3 D7 with no node to carry it out, a mutation is refused before logging; nothing pretends success")
        func noNode() async throws {
            try await TestCluster.run { cluster in
                for node in cluster.nodes { try await node.kill() }
                try await cluster.gateway.waitUntilOutOfSync("a")
                try await cluster.gateway.waitUntilOutOfSync("b")
                let end = try await cluster.gateway.status().log.durableEnd
                let reply = try await cluster.client.query("CREATE DATABASE late", method: .post)
                #expect(reply.status == 503, "\(reply)")
                #expect(try await cluster.gateway.status().log.durableEnd == end)
                try await cluster.heal()
                for node in cluster.nodes {
                    #expect(try await !node.client.names("SHOW DATABASES").contains("late"))
                }
            }
        }

        @Test(
            "D4 what is deleted is gone from every node when the answer comes, and from one that was down when it is back"
        )
        func deleted() async throws {
            let points = ["m", "n1", "n2", "gone"].map { measurement in
                (0..<40).map { "\(measurement),k=\(["x", "y", "z"][$0 % 3]) v=\($0) \($0)\n" }.joined()
            }.joined()
            // Points come back where some were deleted: a node that heard of both must have them in this order.
            let steps: [Step] = [
                .on("DELETE FROM m WHERE k = 'x'", db: "t"), .lines("m,k=x v=100 3", "t"),
                .on("DELETE FROM m WHERE time < 10", db: "t"), .on("DELETE FROM /n.*/ WHERE time >= 20", db: "t"),
                .lines("n1,k=y v=101 22", "t"), .on("DROP SERIES FROM n2 WHERE k = 'z'", db: "t"),
                .on("DELETE WHERE k = 'y' AND time > 12", db: "t"), .on("DROP MEASUREMENT gone", db: "t"),
                .lines("gone,k=x v=102 5", "t"),
            ]
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                for outage in [false, true] {
                    try await Step.lines(points, "t").run(cluster.client)
                    try await Step.lines(points, "t").run(oracle.client)
                    if outage {
                        try await cluster.b.kill()
                        try await cluster.gateway.waitUntilOutOfSync("b")
                    }
                    for step in steps {
                        try await step.run(cluster.client)
                        try await step.run(oracle.client)
                        try await requireSameData(outage ? [oracle, cluster.a] : [oracle] + cluster.nodes, db: "t")
                    }
                    try await cluster.heal()
                    try await requireSameData([oracle] + cluster.nodes, db: "t")
                }
            }
        }

        @Test("now() in a DELETE means the same moment on every node, also on one that hears of it later")
        func nowIsOneMoment() async throws {
            try await TestCluster.run { cluster in
                let now = Int(Date().timeIntervalSince1970 * 1e9)
                let old = (0..<20).map { "d v=\($0) \(now - 3_600_000_000_000 + $0 * 1_000_000_000)" }
                try #require(try await cluster.client.write(old.joined(separator: "\n"), db: "t").status == 204)
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                try await cluster.client.execute("DELETE FROM d WHERE time < now() - 3590s", db: "t")
                let left = try await cluster.a.client.count("v", of: "d", db: "t")
                #expect(left > 0 && left < 20, "\(left) points are left on a")
                // By the time b hears of it, its own clock would delete one or two seconds' worth more.
                try await Task.sleep(for: .seconds(2))
                try await cluster.heal()
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("I5 a password is neither in the log's dump, nor in the data folder, nor in what the gateway prints")
        func passwords() async throws {
            try await TestCluster.run { cluster in
                try await cluster.client.execute("CREATE USER eve WITH PASSWORD 'correct-horse-battery'")
                let dump = try await GatewayProcess.run(
                    ["log", "dump", "--data-dir", cluster.gateway.dataFolder.path])
                #expect(dump.status == .exited(0), "\(dump.errors)")
                #expect(dump.output.contains("eve"), "\(dump.output)")
                #expect(!dump.output.contains("correct-horse"))
                #expect(!cluster.gateway.log.contains("correct-horse"))
                let data = cluster.gateway.dataFolder.path
                for name in try FileManager.default.subpathsOfDirectory(atPath: data) {
                    let bytes = FileManager.default.contents(atPath: data + "/" + name) ?? Data()
                    #expect(bytes.range(of: Data("correct-horse".utf8)) == nil, "\(name)")
                }
                // Both nodes got the real one.
                for node in cluster.nodes {
                    #expect(try await node.client.names("SHOW USERS").contains("eve"))
                }
                for path in ["/metrics", "/api/v1/status"] {
                    #expect(try await !cluster.gateway.admin.send(.get, path).text.contains("correct-horse"))
                }
            }
        }
    }
}
