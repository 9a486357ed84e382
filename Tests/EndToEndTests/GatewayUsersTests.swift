// The gateway's own users: what nodes need not know. What they may is compared with InfluxDB's users in `Access`.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct GatewayUsers {
        private static let password = "svc-Pa55word-9d1"

        /// Two nodes that only the gateway can speak to.
        private func run(
            _ users: [SluiceCommand.User], _ tokens: [String: String] = [:],
            _ body: (TestCluster, InfluxClient) async throws -> Void
        ) async throws {
            var node = InfluxNode.Settings()
            node.authentication = true
            var gateway = GatewayProcess.Settings()
            gateway.node = "username: sluice, password: \(Self.password)"
            gateway.keys["users"] = try await SluiceCommand.users([.init("root", "root", "admin: true")] + users)
            try await TestCluster.run(
                gateway, node: node, db: nil,
                prepare: {
                    try await $0.client.execute(
                        "CREATE USER sluice WITH PASSWORD '\(Self.password)' WITH ALL PRIVILEGES")
                }
            ) { cluster in
                let root = cluster.client.signedIn("root", "root")
                for database in ["d", "e", "f"] { try await root.execute("CREATE DATABASE \(database)") }
                try await body(cluster, root)
            }
        }

        @Test("I7 a token is as good as its user's password, in every form that a client may know")
        func tokens() async throws {
            let (token, hash) = try await SluiceCommand.token()
            try await run([.init("agent", nil, "grants: {d: write}, token_hash: '\(hash)'")]) { cluster, root in
                func basic(_ text: String) -> String { "Basic " + Data(text.utf8).base64EncodedString() }
                let line = InfluxClient.Body.bytes(Array("m v=1 1".utf8))
                let rows: [(path: String, header: String?, status: Int)] = [
                    ("/write?db=d", "Token \(token)", 204), ("/write?db=d", "Bearer \(token)", 204),
                    ("/write?db=d", "Token agent:\(token)", 204), ("/write?db=d", basic("agent:\(token)"), 204),
                    ("/write?db=d&u=agent&p=\(token)", nil, 204),
                    ("/api/v2/write?bucket=d/autogen", "Token \(token)", 204),
                    ("/write?db=e", "Token \(token)", 403), ("/write?db=nope", "Token \(token)", 404),
                    ("/write?db=d", "Token \(token)x", 401), ("/write?db=d", "token \(token)", 401),
                    ("/write?db=d", basic("root:\(token)"), 401), ("/write?db=d", basic("agent:agent"), 401),
                    ("/write?db=d", nil, 401),
                ]
                for row in rows {
                    let headers = row.header.map { [("Authorization", $0)] } ?? []
                    let reply = try await cluster.client.send(.post, row.path, headers: headers, body: line)
                    #expect(reply.status == row.status, "\(row.path) \(row.header ?? "-"): \(reply)")
                }
                let read = try await root.query("SELECT count(v) FROM m", db: "d")
                #expect(read.text.contains(",1]"), "\(read)")
            }
        }

        @Test("I6 a database's administrator may make and drop it and what is in it, and nothing beside it")
        func administratorOfOne() async throws {
            try await run([
                .init("owner", "owner", "grants: {d: admin, new: admin}"),
                .init("viewer", "viewer", "grants: {d: read, \"*\": read}"), .init("one", "one", "grants: {e: read}"),
            ]) { cluster, root in
                let owner = cluster.client.signedIn("owner", "owner")
                let rows: [(String, String?, Bool)] = [
                    ("CREATE DATABASE new", nil, true), ("CREATE DATABASE other", nil, false),
                    ("CREATE RETENTION POLICY r ON d DURATION 1d REPLICATION 1", nil, true),
                    ("ALTER RETENTION POLICY r ON d DURATION 2d", nil, true),
                    ("DROP RETENTION POLICY r ON d", nil, true), ("DROP MEASUREMENT m", "d", true),
                    ("DROP MEASUREMENT m", "e", false), ("ALTER RETENTION POLICY autogen ON e DURATION 2d", nil, false),
                    ("SELECT * FROM e..m", "d", false), ("SELECT * INTO e..m FROM m", "d", false),
                    ("SHOW USERS", nil, false), ("CREATE USER x WITH PASSWORD 'x'", nil, false),
                    ("DROP DATABASE new", nil, true), ("DROP DATABASE e", nil, false),
                ]
                for (statement, database, may) in rows {
                    let reply = try await owner.query(statement, db: database, method: .post)
                    #expect(reply.status == (may ? 200 : 403) && may == (reply.error == nil), "\(statement): \(reply)")
                }
                func shown(_ name: String) async throws -> [String] {
                    let client = cluster.client.signedIn(name, name)
                    return try await client.rows("SHOW DATABASES", db: "").map { String($0[0]) }.sorted()
                }
                #expect(try await shown("root") == ["d", "e", "f"])
                #expect(try await shown("viewer") == ["d", "e", "f"])
                #expect(try await shown("owner") == ["d"])
                #expect(try await shown("one") == ["e"])
                let one = cluster.client.signedIn("one", "one")
                for format in ["application/csv", "application/x-msgpack", "application/json"] {
                    let reply = try await one.send(
                        .get, "/query?q=SHOW+DATABASES%3B+SHOW+DATABASES", headers: [("Accept", format)])
                    let names = ["d", "f"].filter { reply.text.contains("databases,,\($0)\n") }
                    #expect(reply.status == 200 && names.isEmpty, "\(format): \(reply)")
                }
            }
        }

        @Test("A10 with every node down the gateway still knows its users")
        func allDown() async throws {
            try await run([.init("writer", "writer", "grants: {d: write}")]) { cluster, root in
                for node in cluster.nodes { try await node.kill() }
                for node in cluster.nodes { try await cluster.gateway.waitUntilOutOfSync(node.name) }
                let writer = cluster.client.signedIn("writer", "writer")
                #expect(try await writer.write("m v=1 1", db: "d").status == 204)
                #expect(try await writer.write("m v=1 1", db: "e").status == 403)
                #expect(try await cluster.client.signedIn("writer", "x").write("m v=1 1", db: "d").status == 401)
                try await cluster.heal()
                #expect(try await root.query("SELECT count(v) FROM m", db: "d").text.contains(",1]"))
            }
        }

        @Test("I8 a flood of wrong passwords costs one thread, and who is known does not notice it")
        func flood() async throws {
            try await run([.init("writer", "writer", "grants: {d: write}")]) { cluster, _ in
                let writer = cluster.client.signedIn("writer", "writer")
                #expect(try await writer.write("m v=1 1", db: "d").status == 204)
                let end = try await cluster.gateway.status().log.durableEnd
                let stop = Flag()
                let statuses = try await withThrowingTaskGroup(of: Set<Int>.self) { group in
                    for guesser in 0..<40 {
                        group.addTask {
                            var statuses: Set<Int> = []
                            var number = 0
                            while !stop.isSet {
                                number += 1
                                let client = cluster.client.signedIn("writer", "guess-\(guesser)-\(number)")
                                if let reply = try? await client.write("m v=2 1", db: "d") {
                                    statuses.insert(reply.status)
                                }
                            }
                            return statuses
                        }
                    }
                    var slowest = Duration.zero
                    for number in 0..<50 {
                        let (reply, took) = try await timed { try await writer.write("m v=1 \(number)", db: "d") }
                        #expect(reply.status == 204, "\(reply)")
                        slowest = max(slowest, took)
                    }
                    stop.set()
                    #expect(slowest < .seconds(2) + slack, "\(slowest)")
                    return try await group.reduce(into: Set<Int>()) { $0.formUnion($1) }
                }
                #expect(statuses.isSubset(of: [401, 503]) && statuses.contains(401), "\(statuses)")
                #expect(try await cluster.gateway.status().log.durableEnd == end + 50)
                let output = cluster.gateway.log
                #expect(!output.contains("guess-") && !output.contains("scrypt"))
            }
        }
    }
}
