// Points that come as datagrams: the same as with InfluxDB's own UDP service, and nothing that was taken is lost.

import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct UDP {
        /// A gateway with one UDP listener for database `u`.
        private static func run(
            _ listener: String = "", nodes: [String] = ["a", "b"], log: [String: String] = [:],
            body: (TestCluster, DatagramSender, _ port: Int) async throws -> Void
        ) async throws {
            let port = try FreePort.next()
            let more = listener.isEmpty ? "" : ", \(listener)"
            let udp = "[{listen: 127.0.0.1:\(port), database: u\(more)}]"
            try await TestCluster.run(.init(["udp": udp], log: log), nodes: nodes) { cluster in
                try await body(cluster, try DatagramSender(port: port), port)
            }
        }

        private static func figure(_ name: String, _ cluster: TestCluster, _ port: Int, _ reason: String = "")
            async throws -> Int
        {
            let labels = "listener=\"127.0.0.1:\(port)\"" + (reason.isEmpty ? "" : ",reason=\"\(reason)\"")
            let metrics = try await cluster.gateway.metrics()
            guard let value = metrics["sluice_udp_\(name)_total{\(labels)}"] else {
                throw TestFailure("no metric \(name) \(reason)")
            }
            return Int(value)
        }

        private static func waitFor(
            _ count: Int, _ name: String, _ cluster: TestCluster, _ port: Int, _ reason: String = ""
        ) async throws {
            try await eventually("\(name) \(reason) is \(count)", within: .seconds(60)) {
                let value = try await figure(name, cluster, port, reason)
                if value != count { throw TestFailure("\(name) is \(value)") }
                return true
            }
        }

        /// Datagrams (MEASUREMENT stands for a name of their own), good lines and bad lines in each.
        private static let table: [(text: String, good: Int, bad: Int)] = [
            ("M v=1 1", 1, 0),
            ("M v=1 1\n", 1, 0),
            ("M v=1 1\nM v=2 2\nM v=3 3", 3, 0),
            ("M,b=2,a=1 v=1i,s=\"x y\",t=true -5\n\n", 1, 0),
            ("  M v=1 7  ", 1, 0),
            ("# a comment\nM v=1 8\n# \"another", 1, 0),
            ("M s=\"two\nlines\" 9\nM s=\"one\" 10", 2, 0),
            ("M v=1 11\nM v=2 11", 2, 0),
            ("M,t=\\,\\ \\= v=1 12", 1, 0),
            ("M v=.5,w=5.,x=-1e3 13", 1, 0),
            ("", 0, 0),
            ("\n\n", 0, 0),
            ("# nothing else", 0, 0),
            ("M v=1 14\r\n", 0, 1),
            ("M v=", 0, 1),
            ("M v=\"open", 0, 1),
            ("M", 0, 1),
            ("M v=1 99999999999999999999", 0, 1),
            ("M v=1 15\nbad line here\nM v=2 16", 2, 1),
            ("M v=1 17\nM v=1e400 18", 1, 1),
            ("M v=1 19\nM v=", 1, 1),
        ]

        @Test(
            "L15 L16 L18 datagrams leave the points that InfluxDB's own UDP service leaves, and bad lines cost only themselves"
        )
        func oracle() async throws {
            var settings = InfluxNode.Settings()
            let oraclePort = try FreePort.next()
            settings.extra["shard-precreation"] = """
                [[udp]]
                enabled = true
                bind-address = "127.0.0.1:\(oraclePort)"
                database = "u"
                batch-timeout = "100ms"
                """
            let oracle = try await InfluxNode.started("oracle", settings)
            try await Self.run("batch_timeout: 100ms", nodes: ["a"]) { cluster, sender, port in
                let toOracle = try DatagramSender(port: oraclePort)
                var large = ""
                while large.utf8.count < 55_000 { large += "M v=\(large.utf8.count) \(large.utf8.count)\n" }
                let rows = Self.table + [(large, large.split(separator: "\n").count, 0)]
                for (number, row) in rows.enumerated() {
                    let text = row.text.replacing("M", with: "m\(number)")
                    try sender.send(text)
                    try toOracle.send(text)
                }
                try await Self.waitFor(rows.reduce(0) { $0 + $1.good }, "points", cluster, port)
                try await Self.waitFor(rows.reduce(0) { $0 + $1.bad }, "bad_lines", cluster, port)
                #expect(try await Self.figure("datagrams", cluster, port) == rows.count)
                try await cluster.gateway.waitUntilDrained()
                try await eventually("the other has taken the last datagram") {
                    try await oracle.client.count("v", of: "m\(rows.count - 1)", db: "u") == rows.last?.good
                }
                var complaints = Complaints()
                for (number, row) in rows.enumerated() {
                    await complaints.check {
                        let question = "SELECT * FROM m\(number) GROUP BY *"
                        let mine = try await cluster.a.client.query(question, db: "u").text
                        let other = try await oracle.client.query(question, db: "u").text
                        // [1.6.7] A bad line costs its whole datagram there.
                        let isMixed = row.good > 0 && row.bad > 0
                        if isMixed, other != #"{"results":[{"statement_id":0}]}"# + "\n" || mine == other {
                            throw TestFailure("\(row.text.prefix(80)): \(mine), there \(other)")
                        }
                        if !isMixed, mine != other {
                            throw TestFailure("\(row.text.prefix(80)): \(mine) is not \(other)")
                        }
                    }
                }
                try complaints.requireNone()
            }
        }

        @Test(
            "S5 S8 a point without a time gets that of its datagram's arrival, in the listener's precision, on all nodes"
        )
        func stamped() async throws {
            try await Self.run("precision: s, batch_timeout: 5s, batch_size: 3") { cluster, sender, port in
                let before = Int(Date().timeIntervalSince1970)
                try sender.send("m v=1")
                try await Self.waitFor(1, "datagrams", cluster, port)
                // In the same batch, a second later.
                try await eventually("another second") { Int(Date().timeIntervalSince1970) > before + 1 }
                try sender.send("m v=2\nn v=3 7")
                try await Self.waitFor(3, "points", cluster, port)
                try await cluster.gateway.waitUntilDrained()
                try await requireSameData(cluster.nodes, db: "u")
                let times = try await cluster.a.client.rows("SELECT v FROM m", db: "u").compactMap { Int($0[0]) }
                #expect(times.count == 2)
                #expect(times.allSatisfy { $0 % 1_000_000_000 == 0 && $0 / 1_000_000_000 >= before })
                let other = try await cluster.a.client.rows("SELECT v FROM n", db: "u")
                #expect(other.map { $0[0] } == ["7000000000"])
            }
        }

        @Test("L3 S8 nodes are killed while datagrams come: what the log took is on both of them")
        func nodesKilled() async throws {
            try await Self.run("batch_timeout: 20ms") { cluster, sender, port in
                var sent = 0
                func send(_ count: Int) async throws {
                    for _ in 0..<count {
                        sent += 1
                        try sender.send("m,n=\(sent % 10) v=\(sent)i \(sent)")
                        if sent % 50 == 0 { await moment(.milliseconds(2)) }
                    }
                }
                try await send(1000)
                for round in 0..<2 {
                    for node in [cluster.b, cluster.a] {
                        try await node.kill()
                        try await send(1000)
                        if round == 0 { try await cluster.heal() } else { try await send(500) }
                    }
                    try await cluster.heal()
                }
                try await eventually("all of them are logged or counted as lost") {
                    let points = try await Self.figure("points", cluster, port)
                    let lost = try await Self.figure("lost_datagrams", cluster, port)
                    if points + lost != sent { throw TestFailure("\(points) and \(lost) of \(sent)") }
                    return true
                }
                let points = try await Self.figure("points", cluster, port)
                try await cluster.gateway.waitUntilDrained()
                #expect(try await cluster.a.client.count("v", of: "m", db: "u") == points)
                try await requireSameData(cluster.nodes, db: "u")
            }
        }

        @Test("L3 a stop loses no datagram that was received", arguments: [SIGTERM, SIGINT])
        func stopped(signal: Int32) async throws {
            // Nothing but the stop can end this batch.
            try await Self.run("batch_timeout: 1m, batch_size: 1000000", nodes: ["a"]) { cluster, sender, _ in
                for number in 1...3000 { try sender.send("m v=\(number)i \(number)") }
                let (status, took) = try await timed { try await cluster.gateway.stop(signal) }
                #expect(status == .exited(0))
                #expect(took < .seconds(5), "it took \(took)")
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilDrained()
                #expect(try await cluster.a.client.count("v", of: "m", db: "u") == 3000)
            }
        }

        @Test(
            "a UDP listener's database is made when it is missing, also when its first points come while no node is there"
        )
        func createsDatabase() async throws {
            try await Self.run("batch_timeout: 20ms", nodes: ["a"]) { cluster, sender, port in
                try await eventually("the database is there") {
                    try await cluster.client.names("SHOW DATABASES").contains("u")
                }
                try sender.send("m v=1 1")
                try await Self.waitFor(1, "points", cluster, port)
                try await cluster.gateway.waitUntilDrained()
                // Somebody takes it away behind the gateway's back, and both start again.
                try await cluster.gateway.kill()
                try await cluster.a.client.execute("DROP DATABASE u")
                try await cluster.a.kill()
                try cluster.gateway.launch()
                try await cluster.gateway.waitUntilHealthy()
                try await eventually("a datagram is in the log") {
                    try sender.send("m v=2 2")
                    return try await Self.figure("points", cluster, port) > 0
                }
                try await cluster.heal()
                #expect(try await cluster.client.firstRow("SELECT v FROM m WHERE time = 2", db: "u") == ["2"])
                #expect(try await cluster.gateway.deadLetters(db: "u").total == 0)
            }
        }

        @Test("L11 points for a retention policy that is missing are dropped, counted and told of, until there is one")
        func missingPolicy() async throws {
            try await Self.run("retention_policy: short, batch_timeout: 20ms", nodes: ["a"]) { cluster, sender, port in
                try await eventually("the database is there") {
                    try await cluster.client.names("SHOW DATABASES").contains("u")
                }
                try sender.send("m v=1 1")
                try await Self.waitFor(1, "dropped_points", cluster, port, "schema")
                try await eventually("the log says so") {
                    try cluster.gateway.errorLines().contains { $0.contains("retention policy not found: short") }
                }
                try await cluster.client.execute("CREATE RETENTION POLICY short ON u DURATION 0s REPLICATION 1")
                try sender.send("m v=2 2")
                try await Self.waitFor(1, "points", cluster, port)
                try await cluster.gateway.waitUntilDrained()
                #expect(try await cluster.client.firstRow("SELECT v FROM u.short.m", db: "u") == ["2"])
                #expect(try await cluster.gateway.deadLetters(db: "u").total == 0)
            }
        }

        @Test("L10 L20 with the log full, datagrams are dropped and counted, and what the log took is not lost")
        func fullLog() async throws {
            let log = ["max_bytes": "1MB", "segment": "64KB", "min_free": "0B", "kept": "0B"]
            try await Self.run("batch_timeout: 20ms, batch_size: 100", nodes: ["a"], log: log) {
                cluster, sender, port in
                try sender.send("m v=0i 1")
                try await Self.waitFor(1, "points", cluster, port)
                try await cluster.gateway.waitUntilDrained()
                try await cluster.a.kill()
                let text = String(repeating: "x", count: 1000)
                var number = 1
                try await eventually("the log is full", within: .seconds(60)) {
                    for _ in 0..<200 {
                        number += 1
                        try sender.send("m v=\(number)i,s=\"\(text)\" \(number)")
                    }
                    return try await Self.figure("dropped_points", cluster, port, "log") > 100
                }
                try await eventually("all of them are counted") {
                    let points = try await Self.figure("points", cluster, port)
                    let dropped = try await Self.figure("dropped_points", cluster, port, "log")
                    let lost = try await Self.figure("lost_datagrams", cluster, port)
                    if points + dropped + lost != number {
                        throw TestFailure("\(points) \(dropped) \(lost) of \(number)")
                    }
                    return true
                }
                let points = try await Self.figure("points", cluster, port)
                try await cluster.heal()
                #expect(try await cluster.a.client.count("v", of: "m", db: "u") == points)
            }
        }
    }
}
