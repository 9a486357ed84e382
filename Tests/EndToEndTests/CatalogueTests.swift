// What the gateway knows of databases and retention policies, and the one that clients do not see. A single InfluxDB is
// the oracle: for a client the answers are the same.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct CatalogueTests {
        @Test(
            "A10 after a start a write to a database that there is not is told so, never acknowledged and refused later"
        )
        func early() async throws {
            try await TestCluster.run(db: nil) { cluster in
                for round in 0..<5 {
                    try await cluster.gateway.kill()
                    try cluster.gateway.launch()
                    var client = cluster.client
                    client.timeout = .seconds(10)
                    let reply = try await eventually("round \(round): the gateway answers", every: .milliseconds(1)) {
                        try? await client.write("m v=1 1", db: "none")
                    }
                    #expect(reply.status == 404, "round \(round): \(reply)")
                    try await cluster.gateway.waitUntilInSync()
                }
            }
        }

        @Test(
            "A10 a gateway that starts with every node down takes what is for databases that it knows, and nothing else"
        )
        func startWithoutNodes() async throws {
            try await TestCluster.run { cluster in
                let (client, gateway) = (cluster.client, cluster.gateway)
                for name in ["kept", "dropped", "bare"] {
                    try await client.execute("CREATE DATABASE \(name)")
                    try await cluster.waitUntilKnown(name)
                }
                try await client.execute("CREATE RETENTION POLICY r ON kept DURATION 1d REPLICATION 1")
                try await client.execute("DROP RETENTION POLICY autogen ON bare")
                try await client.execute("DROP DATABASE dropped")
                try await eventually("all that there is is remembered") {
                    try await gateway.kill()
                    for node in [cluster.a, cluster.b] { try await node.kill() }
                    try gateway.launch()
                    let first = try await eventually("the gateway answers") {
                        try? await client.write("m v=1i", db: "kept", ["rp": "r"])
                    }
                    if first.status == 204 { return true }
                    for node in [cluster.a, cluster.b] { try await node.start() }
                    try await gateway.waitUntilInSync()
                    return nil
                }
                let rows: [(db: String, rp: String?, status: Int)] = [
                    ("kept", nil, 204), ("kept", "r", 204), ("kept", "none", 503), ("dropped", nil, 503),
                    ("never", nil, 503), ("bare", nil, 503), ("t", nil, 204),
                ]
                for row in rows {
                    let parameters = row.rp.map { ["rp": $0] } ?? [:]
                    let reply = try await client.write("m v=2i 2", db: row.db, parameters)
                    #expect(reply.status == row.status, "\(row): \(reply)")
                    guard row.status == 503 else { continue }
                    #expect(reply.header("Retry-After") != nil && reply.error?.contains("in sync") == true, "\(reply)")
                }
                for node in [cluster.a, cluster.b] { try await node.start() }
                try await gateway.waitUntilInSync()
                #expect(try await gateway.deadLetters(db: "kept").deadLetters.isEmpty)
                let gone = try await client.write("m v=3i", db: "dropped")
                #expect(gone.status == 404, "\(gone)")
                try await requireSameData(cluster.nodes, db: "kept")
            }
        }

        @Test("A11 a thousand agents that restart and CREATE DATABASE do not write a thousand records")
        func knownDatabases() async throws {
            try await TestCluster.run { cluster in
                try await cluster.waitUntilKnown("t")
                let end = try await cluster.gateway.status().log.durableEnd
                let client = cluster.client
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<1000 { group.addTask { try await client.execute("CREATE DATABASE t") } }
                    try await group.waitForAll()
                }
                let mixed = try await client.query(
                    "SHOW MEASUREMENTS ON t; CREATE DATABASE t; create database \"t\"", method: .post)
                #expect(mixed.text == #"{"results":[{"statement_id":0},{"statement_id":1},{"statement_id":2}]}"# + "\n")
                #expect(try await cluster.gateway.status().log.durableEnd == end)
                // With options it may be in conflict with what is there: that is for the nodes to say.
                let conflict = try await client.query("CREATE DATABASE t WITH DURATION 1h", method: .post)
                #expect(conflict.error == "retention policy conflicts with an existing policy")
                #expect(try await cluster.gateway.status().log.durableEnd == end + 1)
            }
        }

        @Test("a database is there for writes as soon as its CREATE is answered, and gone with its DROP")
        func noRace() async throws {
            try await TestCluster.run { cluster in
                let client = cluster.client
                for round in 0..<30 {
                    try await client.execute("CREATE DATABASE x")
                    let first = try await client.write("m v=\(round)i 1", db: "x")
                    #expect(first.status == 204, "\(first)")
                    if round % 3 == 0 { try await Task.sleep(for: .milliseconds(round * 5)) }
                    try await client.execute("DROP DATABASE x")
                    let gone = try await client.write("m v=\(round)i 1", db: "x")
                    #expect(gone.status == 404, "\(gone)")
                }
                try await client.execute("CREATE DATABASE x")
                try await client.execute("CREATE RETENTION POLICY r ON x DURATION 1d REPLICATION 1")
                let policy = try await client.write("m v=1i", db: "x", ["rp": "r"])
                #expect(policy.status == 204, "\(policy)")
                try await client.execute("DROP RETENTION POLICY r ON x")
                let gone = try await client.write("m v=1i", db: "x", ["rp": "r"])
                #expect(gone.status == 500 && gone.error == "retention policy not found: r", "\(gone)")
                try await requireSameSchema(cluster.nodes)
            }
        }

        @Test("A11 I8 a write to a database or policy that is not there is refused as InfluxDB refuses it, unlogged")
        func unknown() async throws {
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                for client in [oracle.client, cluster.client] {
                    if client.base == oracle.client.base { try await client.execute("CREATE DATABASE t") }
                    try await client.execute("CREATE DATABASE bare")
                    try await client.execute("DROP RETENTION POLICY autogen ON bare")
                }
                try await cluster.waitUntilKnown("t")
                let end = try await cluster.gateway.status().log.durableEnd
                let gzip = [("Content-Encoding", "gzip")]
                let good = Array("m v=1 1".utf8)
                let rows: [(target: String, headers: [(String, String)], body: InfluxClient.Body)] = [
                    ("/write?db=nope", [], .bytes(good)), ("/write?db=nope", [], .none),
                    ("/write?db=no%22pe", [], .bytes(good)), ("/write?db=nope&rp=r", [], .bytes(good)),
                    ("/write?db=nope", [], .chunked([good, good])), ("/write?db=nope", gzip, .bytes(good)),
                    ("/write?db=nope", [], .bytes(Array("garbage".utf8))),
                    ("/write?db=nope&consistency=bad", [], .bytes(good)), ("/write", [], .bytes(good)),
                    ("/write?db=_sluice", [], .bytes(good)), ("/write?db=_sluice", gzip, .bytes(good)),
                    ("/write?db=t&rp=nope", [], .bytes(good)), ("/write?db=t&rp=nope", [], .none),
                    ("/write?db=t&rp=nope", [], .bytes(Array("# only a comment".utf8))),
                    ("/write?db=t&rp=nope", [], .bytes(Array("garbage".utf8))),
                    ("/write?db=t&rp=nope", [], .bytes(Array("garbage\nm v=1 1".utf8))),
                    ("/write?db=t&rp=nope", gzip, .bytes(good + good)),
                    ("/write?db=t&rp=nope&consistency=bad", [], .bytes(good)),
                    ("/write?db=bare", [], .bytes(good)), ("/write?db=bare", [], .none),
                ]
                var complaints = Complaints()
                for row in rows {
                    await complaints.check {
                        let mine = try await cluster.client.send(
                            .post, row.target, headers: row.headers, body: row.body)
                        let theirs = try await oracle.client.send(
                            .post, row.target, headers: row.headers, body: row.body)
                        try requireSameAnswer(mine, theirs, "\(row.target) \(row.body)")
                    }
                }
                try complaints.requireNone()
                #expect(try await cluster.gateway.status().log.durableEnd == end)

                // The answer comes instead of a 100, as InfluxDB's does.
                for port in [cluster.gateway.port, oracle.port] {
                    let connection = try RawConnection(port: port)
                    await connection.send(
                        "POST /write?db=nope HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n"
                    )
                    let answer = await connection.receiveAnswer()
                    #expect(answer.hasPrefix("HTTP/1.1 404 Not Found\r\n"), "\(answer)")
                }
            }
        }

        @Test("A11 a thousand agents that write to a database that is not there do not become a thousand questions")
        func sharedQuestions() async throws {
            try await TestCluster.run { cluster in
                try await cluster.waitUntilKnown("t")
                let before = try await cluster.a.counter("httpd", "writeReq") + cluster.b.counter("httpd", "writeReq")
                let client = cluster.client
                let (_, took) = try await timed {
                    try await withThrowingTaskGroup(of: Int.self) { group in
                        for _ in 0..<1000 { group.addTask { try await client.write("m v=1 1", db: "nope").status } }
                        for try await status in group { #expect(status == 404) }
                    }
                }
                let after = try await cluster.a.counter("httpd", "writeReq") + cluster.b.counter("httpd", "writeReq")
                // Beside one question a second each node may get a marker a second.
                #expect(after - before <= 3 + 3 * Int(took.seconds), "\(after - before) questions in \(took)")
            }
        }

        @Test("who creates a database on the nodes themselves is not locked out")
        func createdBehindTheGateway() async throws {
            try await TestCluster.run { cluster in
                try await cluster.waitUntilKnown("t")
                #expect(try await cluster.client.write("m v=1 1", db: "own").status == 404)
                for node in cluster.nodes { try await node.client.execute("CREATE DATABASE own") }
                try await eventually("own can be written to", within: .seconds(5)) {
                    try await cluster.client.write("m v=1 1", db: "own").status == 204
                }
                try await requireSameData(cluster.nodes, db: "own")
            }
        }

        @Test("A10 with no node in sync nobody guesses: a write to a database that the catalogue lacks is told to wait")
        func noGuess() async throws {
            try await TestCluster.run { cluster in
                try await cluster.waitUntilKnown("t")
                for node in cluster.nodes { try await node.kill() }
                for node in cluster.nodes { try await cluster.gateway.waitUntilOutOfSync(node.name) }
                #expect(try await cluster.client.write("m v=1 1", db: "t").status == 204)
                let perhaps = try await cluster.client.write("m v=1 1", db: "perhaps")
                #expect(perhaps.status == 503 && perhaps.header("Retry-After") != nil, "\(perhaps)")
                try await cluster.heal()
                #expect(try await cluster.gateway.deadLetters(db: "perhaps").deadLetters.isEmpty)
                #expect(try await cluster.client.write("m v=1 1", db: "perhaps").status == 404)
                #expect(try await cluster.a.client.count("v", of: "m", db: "t") == 1)
            }
        }

        static let hidden = [
            "SHOW DATABASES", "SELECT * FROM _sluice..marker", "SELECT * FROM \"_sluice\".autogen.marker",
            "SELECT * FROM marker", "SELECT * FROM (SELECT * FROM _sluice..marker)",
            "SELECT * FROM t..m, _sluice..marker",
            "SELECT * FROM _sluice../.*/", "SELECT * INTO _sluice..x FROM t..m",
            "SELECT * INTO t..x FROM _sluice..marker",
            "EXPLAIN SELECT * FROM _sluice..marker", "EXPLAIN ANALYZE SELECT * FROM _sluice..marker",
            "SHOW MEASUREMENTS ON _sluice", "SHOW SERIES ON _sluice", "SHOW TAG KEYS ON _sluice", "SHOW MEASUREMENTS",
            "SHOW TAG VALUES ON _sluice WITH KEY = k", "SHOW FIELD KEYS ON _sluice", "SHOW FIELD KEYS",
            "SHOW RETENTION POLICIES ON _sluice", "SHOW RETENTION POLICIES", "SHOW SERIES CARDINALITY ON _sluice",
            "SHOW SERIES EXACT CARDINALITY ON _sluice", "SHOW MEASUREMENT CARDINALITY ON _sluice",
            "SHOW MEASUREMENT EXACT CARDINALITY ON _sluice", "SHOW TAG KEY CARDINALITY ON _sluice",
            "SHOW FIELD KEY EXACT CARDINALITY ON _sluice", "SHOW TAG KEYS ON t FROM _sluice..marker",
            "SHOW FIELD KEYS ON t FROM _sluice..marker", "DELETE FROM marker", "DROP SERIES FROM marker",
            "DROP MEASUREMENT marker", "CREATE RETENTION POLICY r ON _sluice DURATION 1h REPLICATION 1",
            "ALTER RETENTION POLICY autogen ON _sluice DURATION 1h", "DROP RETENTION POLICY autogen ON _sluice",
            "CREATE CONTINUOUS QUERY c ON _sluice BEGIN SELECT mean(v) INTO a FROM m GROUP BY time(1h) END",
            "CREATE CONTINUOUS QUERY c ON t BEGIN SELECT mean(v) INTO _sluice..a FROM m GROUP BY time(1h) END",
            "CREATE CONTINUOUS QUERY c ON t BEGIN SELECT mean(v) INTO a FROM _sluice..m GROUP BY time(1h) END",
            "DROP CONTINUOUS QUERY c ON _sluice",
            "CREATE SUBSCRIPTION s ON _sluice.autogen DESTINATIONS ALL 'udp://h:1'",
            "DROP SUBSCRIPTION s ON _sluice.autogen", "GRANT READ ON _sluice TO u", "REVOKE READ ON _sluice FROM u",
            "DROP DATABASE _sluice", "SHOW CONTINUOUS QUERIES", "SHOW SUBSCRIPTIONS",
            "SHOW DATABASES; SHOW MEASUREMENTS ON _sluice; SHOW DATABASES",
        ]

        @Test("the gateway's own database does not exist for clients, in whatever form they ask")
        func hiddenDatabase() async throws {
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                for client in [oracle.client, cluster.client] {
                    try await client.execute("CREATE USER u WITH PASSWORD 'u'")
                    try #require(try await client.write("m,k=x v=1 1", db: "t").status == 204)
                }
                for node in cluster.nodes {
                    try await node.client.execute("CREATE DATABASE _sluice")
                    try #require(try await node.client.write("marker v=1 1", db: "_sluice").status == 204)
                }
                // Also behind the hidden one, so that rows are taken out of the middle.
                for client in [oracle.client, cluster.client] { try await client.execute("CREATE DATABASE z") }
                let end = try await cluster.gateway.status().log.durableEnd
                var complaints = Complaints()
                func compare(_ q: String, _ parameters: [String: String], _ headers: [(String, String)] = []) async {
                    await complaints.check {
                        let mine = try await cluster.client.query(q, parameters, method: .post, headers: headers)
                        let theirs = try await oracle.client.query(q, parameters, method: .post, headers: headers)
                        try requireSameAnswer(mine, theirs, "\(q) \(parameters) \(headers)")
                    }
                }
                for q in Self.hidden { await compare(q, ["db": "_sluice"]) }
                for q in Self.hidden.prefix(16) { await compare(q, [:]) }
                let formats = ["application/json", "text/csv", "application/csv", "application/x-msgpack"]
                for format in formats {
                    for q in [
                        "SHOW DATABASES", "SHOW DATABASES; SHOW DATABASES", "SHOW MEASUREMENTS ON t; SHOW DATABASES",
                        "SHOW CONTINUOUS QUERIES",
                    ] {
                        for extra in [
                            [:], ["chunked": "true"], ["pretty": "true"], ["chunked": "true", "pretty": "true"],
                        ] {
                            await compare(q, extra, [("Accept", format)])
                        }
                    }
                }
                for format in formats {
                    for q in [
                        "SELECT * FROM _sluice..m", "DROP DATABASE _sluice", "SHOW MEASUREMENTS ON _sluice",
                        "DROP DATABASE _sluice; DROP RETENTION POLICY r ON _sluice",
                    ] {
                        await compare(q, [:], [("Accept", format)])
                    }
                }
                for identifier in ["identifier", "ident"] {
                    await compare("SELECT * FROM $d..marker", ["params": #"{"d":{"\#(identifier)":"_sluice"}}"#])
                }
                await compare("SHOW MEASUREMENTS ON $d", ["params": #"{"d":{"identifier":"\u005fsluice"}}"#])
                await compare("DROP RETENTION POLICY autogen ON $d", ["params": #"{"d":{"identifier":"_sluice"}}"#])
                await compare("SHOW MEASUREMENTS ON $d", ["params": #"{"d":{"identifier":"t"}}"#])
                try complaints.requireNone()
                #expect(try await cluster.gateway.status().log.durableEnd == end)
                let taken = try await cluster.client.query("CREATE DATABASE _sluice", method: .post)
                #expect(taken.error?.contains("is taken") == true, "\(taken)")
                let shards = try await cluster.client.query("SHOW SHARDS; SHOW SHARD GROUPS; SHOW STATS")
                #expect(!shards.text.contains("_sluice"), "\(shards)")
                for node in cluster.nodes {
                    let rows = try await node.client.rows("SELECT v FROM marker", db: "_sluice")
                    #expect(rows.count == 1, "\(node.name)")
                }
            }
        }
    }
}
