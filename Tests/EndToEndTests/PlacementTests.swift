// Measurements on nodes of their own: real nodes behind a real gateway, each asked what it holds.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct PlacedWrites {
        private static let nodes = ["a", "b", "c", "d"]
        /// Two sets without a node in common, one over both, and what is hashed.
        private static let rules = """
            {measurements: {cpu: [a, b], mem: [c, d], net: [b, c]}, patterns: [{match: "disk.*", on: [a]}], \
            default: {hash: {replicas: 2}}}
            """

        private static func run(
            _ keys: [String: String] = [:], rules: String = rules, body: (TestCluster) async throws -> Void
        ) async throws {
            try await TestCluster.run(
                .init(keys.merging(["placement": rules]) { $1 }), nodes: nodes, body: body)
        }

        /// By node, how many points of a measurement it holds.
        private static func points(_ measurement: String, _ cluster: TestCluster) async throws -> [String: Int] {
            var counts: [String: Int] = [:]
            for node in cluster.nodes {
                let count = try await node.client.count("v", of: measurement, db: "t")
                if count > 0 { counts[node.name] = count }
            }
            return counts
        }

        @Test("L14 each node gets what is placed on it, and nothing else; one request may be for many")
        func split() async throws {
            try await Self.run { cluster in
                var lines = ""
                for value in 0..<50 {
                    for name in ["cpu", "mem", "net", "disk.sda", "cpu.load", "other", "more"] {
                        lines += "\(name),h=x v=\(value) \(value)\n"
                    }
                }
                #expect(try await cluster.client.write(lines, db: "t").status == 204)
                // No wait: everybody who is in sync has applied it.
                #expect(try await Self.points("cpu", cluster) == ["a": 50, "b": 50])
                #expect(try await Self.points("mem", cluster) == ["c": 50, "d": 50])
                #expect(try await Self.points("net", cluster) == ["b": 50, "c": 50])
                #expect(try await Self.points("disk.sda", cluster) == ["a": 50])
                for hashed in ["cpu.load", "other", "more"] {
                    let held = try await Self.points(hashed, cluster)
                    #expect(held.count == 2 && held.values.allSatisfy { $0 == 50 }, "\(hashed): \(held)")
                }
                // Schema is everywhere.
                try await cluster.client.execute("CREATE DATABASE u WITH DURATION 2d NAME short")
                _ = try await cluster.sameAnswer("SHOW RETENTION POLICIES ON u")
            }
        }

        @Test("L11 a point that no rule places is an error to its client, is counted, and the others are stored")
        func unplaced() async throws {
            try await Self.run(rules: "{measurements: {cpu: [a, b]}, databases: {t: {measurements: {mem: [c]}}}}") {
                cluster in
                let mixed = try await cluster.client.write(
                    "cpu v=1 1\ncpu.load v=1 1\nmem v=1 1\nswap v=1 1\n", db: "t")
                #expect(mixed.status == 400)
                #expect(mixed.error == "partial write: no placement rule for measurement \"cpu.load\" dropped=2")
                #expect(try await Self.points("cpu", cluster) == ["a": 1, "b": 1])
                #expect(try await Self.points("mem", cluster) == ["c": 1])
                let end = try await cluster.gateway.status().log.durableEnd
                let none = try await cluster.client.write("swap v=1 1", db: "t")
                #expect(
                    none.status == 400 && none.error?.hasSuffix("measurement \"swap\" dropped=1") == true, "\(none)")
                #expect(try await cluster.gateway.status().log.durableEnd == end)
                let counted = try await cluster.gateway.metrics()["sluice_write_unplaced_lines_total"]
                #expect(counted == 3)
            }
        }

        @Test("A1 a replica set whose nodes are gone holds up no other, and gets everything when they are back")
        func deadSet() async throws {
            try await Self.run(["no_insync": "refuse"]) { cluster in
                for name in ["cpu", "mem"] {
                    #expect(try await cluster.client.write("\(name) v=1 1", db: "t").status == 204)
                }
                for node in cluster.nodes.suffix(2) { try await node.kill() }
                for name in ["c", "d"] { try await cluster.gateway.waitUntilOutOfSync(name) }
                let refused = try await cluster.client.write("mem v=2 2", db: "t")
                #expect(refused.status == 503 && refused.error == "no node of {c, d} is in sync", "\(refused)")
                // One request, one answer: nothing of it is logged.
                #expect(try await cluster.client.write("cpu v=9 9\nmem v=9 9", db: "t").status == 503)
                for value in 2..<30 {
                    #expect(try await cluster.client.write("cpu v=\(value) \(value)", db: "t").status == 204)
                }
                #expect(try await Self.only(["a", "b"], "cpu", cluster) == [29, 29])
                // Those for which somebody is there still wait for that one alone.
                #expect(try await cluster.client.write("net v=1 1", db: "t").status == 204)
                let dropped = try await cluster.client.query("DROP MEASUREMENT mem", db: "t", method: .post)
                #expect(dropped.status == 503 && dropped.error?.contains("{c, d}") == true, "\(dropped)")
                #expect(
                    try await cluster.client.query("DELETE FROM cpu WHERE time = 29", db: "t", method: .post).status
                        == 200)
                try await cluster.heal()
                #expect(try await Self.points("net", cluster) == ["b": 1, "c": 1])
                #expect(try await Self.points("mem", cluster) == ["c": 1, "d": 1])
                #expect(try await Self.points("cpu", cluster) == ["a": 28, "b": 28])
            }
        }

        @Test(
            "L20 a dead node with a set of its own fills its own part of the log: others go on, and it gets everything later"
        )
        func deadSetAndFullLog() async throws {
            let settings = GatewayProcess.Settings(
                ["placement": "{measurements: {cpu: [a], mem: [b]}, default: all}"],
                log: ["segment": "256KiB", "max_bytes": "32MiB", "kept": "256KiB", "min_free": "0B"])
            try await TestCluster.run(settings) { cluster in
                let text = String(repeating: "x", count: 1000)
                func write(_ name: String, _ batch: Int) async throws -> Reply {
                    let lines = (0..<100).map { "\(name) v=1,s=\"\(text)\" \(batch * 100 + $0)\n" }
                    return try await cluster.client.write(lines.joined(), db: "t")
                }
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                var batches = 0
                var refusal = Reply?.none
                while refusal == nil, batches < 400 {
                    let reply = try await write("mem", batches)
                    if reply.status == 204 { batches += 1 } else { refusal = reply }
                }
                #expect(refusal?.status == 503 && refusal?.header("Retry-After") != nil, "\(refusal as Any)")
                #expect(refusal?.error?.hasSuffix("bytes for {b}") == true, "\(refusal as Any)")
                #expect(batches > 15, "only \(batches) batches fit")
                for batch in 0..<400 {
                    // What it writes within a second must fit into its part, and here that is five megabytes.
                    try await eventually("batch \(batch) is taken", within: .seconds(10)) {
                        try await write("cpu", batch).status == 204
                    }
                }
                #expect(try await write("mem", batches).status == 503)
                let metrics = try await cluster.gateway.metrics()
                #expect(metrics["sluice_log_bytes"] ?? .infinity <= 33_554_432)
                #expect(metrics["sluice_log_rewritten_segments_total"] ?? 0 > 10)
                // What is left of old segments is as durable as they were.
                try await cluster.gateway.kill()
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilInSync(["a"])
                #expect(try await write("cpu", 400).status == 204)
                try await cluster.heal()
                #expect(try await Self.points("mem", cluster) == ["b": batches * 100])
                #expect(try await Self.points("cpu", cluster) == ["a": 40_100])
                try await eventually("there is room for all again") { try await write("mem", batches).status == 204 }
            }
        }

        private static func only(_ names: [String], _ measurement: String, _ cluster: TestCluster) async throws -> [Int]
        {
            var counts: [Int] = []
            for node in cluster.nodes where names.contains(node.name) {
                counts.append(try await node.client.count("v", of: measurement, db: "t"))
            }
            return counts
        }

        @Test("a level counts the nodes of the replica set")
        func levels() async throws {
            try await Self.run { cluster in
                try await cluster.nodes[3].kill()
                try await eventually("d is down") { try await cluster.gateway.status().node("d").health == "down" }
                for (line, level, status) in [
                    ("cpu v=1 1", "all", 204), ("mem v=1 1", "one", 204), ("mem v=1 1", "quorum", 503),
                    ("mem v=1 1", "all", 503), ("cpu v=1 1\nmem v=1 1", "all", 503), ("disk.a v=1 1", "quorum", 204),
                ] {
                    let reply = try await cluster.client.write(line, db: "t", ["consistency": level])
                    #expect(reply.status == status, "\(line) \(level): \(reply)")
                }
                let reply = try await cluster.client.write("mem v=1 1", db: "t", ["consistency": "all"])
                #expect(reply.error == "consistency all needs 2 nodes of {c, d}, 1 answer")
            }
        }

        @Test("L15 what several replica sets refuse is one answer, as one InfluxDB gives it")
        func refusals() async throws {
            try await Self.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                for client in [cluster.client, oracle.client] {
                    #expect(try await client.write("cpu v=1i 1\nmem v=1i 1\nnet v=1i 1", db: "t").status == 204)
                }
                for lines in [
                    "cpu v=2.5 2\nmem v=2i 2", "mem v=2.5 2\ncpu v=3i 3",
                    "cpu v=2.5 4\nmem v=2.5 4\nmem v=2.5 5\nnet v=4i 4",
                    "bad\ncpu v=5i 5", "net v=2.5 6",
                ] {
                    let mine = try await cluster.client.write(lines, db: "t")
                    let its = try await oracle.client.write(lines, db: "t")
                    #expect(mine.status == its.status && mine.error == its.error, "\(lines): \(mine) instead of \(its)")
                }
                for name in ["cpu", "mem", "net"] {
                    let expected = try await oracle.client.rows("SELECT v FROM \(name)", db: "t")
                    for node in cluster.nodes where try await node.client.count("v", of: name, db: "t") > 0 {
                        #expect(try await node.client.rows("SELECT v FROM \(name)", db: "t") == expected)
                    }
                }
                try await eventually("six dead letters") { try await cluster.gateway.deadLetters(db: "t").total == 6 }
                #expect(try await cluster.gateway.status().nodes.allSatisfy { ($0.diverged ?? []).isEmpty })
                withExtendedLifetime(oracle) {}
            }
        }

        @Test(
            "D4 a change over measurements that lie on different replica sets reaches all of them, and one that was down"
        )
        func changes() async throws {
            try await Self.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                let names = ["cpu", "mem", "net", "disk.sda", "other", "more"]
                let lines = names.flatMap { name in
                    (0..<30).map { "\(name),h=\($0 % 3) v=\($0) \($0)\n" }
                }.joined()
                for client in [cluster.client, oracle.client] {
                    #expect(try await client.write(lines, db: "t").status == 204)
                }
                func requireSame(_ when: String) async throws {
                    for name in names {
                        let expected = try await oracle.client.rows("SELECT * FROM \"\(name)\"", db: "t")
                        var holders = 0
                        for node in cluster.nodes {
                            let found = try await node.client.rows("SELECT * FROM \"\(name)\"", db: "t")
                            if found.isEmpty { continue }
                            holders += 1
                            if found != expected {
                                throw TestFailure("\(when): \(node.name) holds \(found) of \(name)")
                            }
                        }
                        #expect(holders == (expected.isEmpty ? 0 : name == "disk.sda" ? 1 : 2), "\(when): \(name)")
                    }
                }
                try await requireSame("at first")
                let changes = [
                    "DELETE FROM cpu, mem WHERE time < 10", "DELETE WHERE time = 20",
                    "DROP SERIES FROM /e/ WHERE h = '1'",
                    "DELETE FROM /^disk/ WHERE h = '2'", "DROP MEASUREMENT net", "DROP SERIES WHERE h = '0'",
                ]
                for (number, change) in changes.enumerated() {
                    if number == 2 {
                        try await cluster.nodes[2].kill()
                        try await cluster.gateway.waitUntilOutOfSync("c")
                    }
                    let mine = try await cluster.client.execute(change, db: "t")
                    #expect(mine.text == (try await oracle.client.execute(change, db: "t")).text)
                    if number < 2 { try await requireSame(change) }
                }
                try await cluster.heal()
                try await requireSame("after all")
                withExtendedLifetime(oracle) {}
            }
        }

        @Test("L3 a backlog reaches the nodes that it is for, also when they are configured in another order meanwhile")
        func reordered() async throws {
            try await Self.run { cluster in
                for node in cluster.nodes.dropFirst() { try await node.kill() }
                for name in ["b", "c", "d"] { try await cluster.gateway.waitUntilOutOfSync(name) }
                var lines = ""
                for value in 0..<200 {
                    lines += "cpu v=\(value) \(value)\nmem v=\(value) \(value)\nnet v=\(value) \(value)\n"
                }
                #expect(try await cluster.client.write(lines, db: "t", ["consistency": "any"]).status == 204)
                try await cluster.gateway.kill()
                var yaml = try String(contentsOf: cluster.gateway.configurationFile, encoding: .utf8)
                let entries = yaml.split(separator: "\n").filter { $0.hasPrefix("  - {name:") }
                yaml = yaml.replacingOccurrences(
                    of: entries.joined(separator: "\n"), with: entries.reversed().joined(separator: "\n"))
                try yaml.write(to: cluster.gateway.configurationFile, atomically: true, encoding: .utf8)
                for node in cluster.nodes.dropFirst() { try await node.start() }
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilDrained()
                #expect(try await cluster.gateway.status().nodes.map(\.name) == ["d", "c", "b", "a"])
                #expect(try await Self.points("cpu", cluster) == ["a": 200, "b": 200])
                #expect(try await Self.points("mem", cluster) == ["c": 200, "d": 200])
                #expect(try await Self.points("net", cluster) == ["b": 200, "c": 200])
            }
        }

        @Test("A3 a node may have time-outs of its own")
        func timeouts() async throws {
            var settings = GatewayProcess.Settings()
            settings.nodeEntries = ["a": "first_byte_timeout: 300ms"]
            try await TestCluster.run(settings, nodes: ["a"]) { cluster in
                #expect(try await cluster.client.write("cpu v=1 1", db: "t").status == 204)
                cluster.a.hang()
                let (reply, took) = try await timed { try await cluster.client.query("SELECT * FROM cpu", db: "t") }
                cluster.a.wakeUp()
                #expect(reply.status == 503 && took < .seconds(30), "\(reply) after \(took)")
                try await cluster.gateway.waitUntilInSync()
            }
        }

        @Test("/meta says who is there, in what state, and what lies where")
        func meta() async throws {
            var settings = GatewayProcess.Settings([
                "zone": "z1",
                "placement": """
                {measurements: {cpu: [a, b]}, databases: {iot: {patterns: [{match: "t*", on: [b]}]}}, \
                default: {hash: {replicas: 1}}}
                """,
            ])
            settings.nodeEntries = ["b": "zone: z2, weight: 2", "c": "role: async"]
            try await TestCluster.run(settings, nodes: ["a", "b", "c"], waitsFor: ["a", "b"]) { cluster in
                try await cluster.b.kill()
                try await eventually("b is down") { try await cluster.gateway.status().node("b").health == "down" }
                #expect(try await cluster.client.write("cpu v=1 1", db: "t").status == 204)
                try await eventually("the status shows that a has it") {
                    let status = try await cluster.gateway.status()
                    return try status.node("a").backlog == 0 && status.node("b").backlog == 1
                }
                let reply = try await cluster.gateway.admin.send(.get, "/meta")
                let meta = try #require(try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any])
                let gateways = try #require(meta["gateways"] as? [[String: Any]])
                #expect(gateways.count == 1 && gateways[0]["zone"] as? String == "z1")
                #expect(gateways[0]["listen"] as? [String] == ["127.0.0.1:\(cluster.gateway.port)"])
                let nodes = try #require(meta["nodes"] as? [[String: Any]])
                func all(_ key: String) -> [String] { nodes.map { $0[key] as? String ?? "" } }
                #expect(all("name") == ["a", "b", "c"] && all("zone") == ["", "z2", ""])
                #expect(all("role") == ["normal", "normal", "async"] && all("health") == ["up", "down", "up"])
                #expect(all("sync") == ["in-sync", "catching-up", "catching-up"])
                #expect(all("url") == cluster.nodes.map(\.url))
                #expect(nodes.map { $0["weight"] as? Double } == [1, 2, 1])
                #expect(nodes[1]["backlog"] as? Int == 1 && nodes[0]["backlog"] as? Int == 0)
                let rules = try #require(meta["placement"] as? NSArray)
                let expected: [[String: Any]] = [
                    ["database": "iot", "pattern": "t*", "nodes": ["b"]], ["measurement": "cpu", "nodes": ["a", "b"]],
                    ["nodes": ["a", "b"], "replicas": 1],
                ]
                #expect(rules == expected as NSArray, "\(rules)")
            }
        }

        @Test("nodes with roles: a write-only node gets everything and makes nobody wait")
        func roles() async throws {
            var settings = GatewayProcess.Settings(["placement": "{default: all}"])
            settings.nodeEntries = ["b": "role: write-only"]
            try await TestCluster.run(settings, waitsFor: ["a"]) { cluster in
                cluster.b.hang()
                let (reply, took) = try await timed { try await cluster.client.write("cpu v=1 1", db: "t") }
                #expect(reply.status == 204 && took < .seconds(1), "\(reply) after \(took)")
                cluster.b.wakeUp()
                try await eventually("b has it too") { try await Self.points("cpu", cluster) == ["a": 1, "b": 1] }
                for _ in 0..<20 { #expect(try await cluster.client.count("v", of: "cpu", db: "t") == 1) }
                #expect(try await cluster.b.counter("httpd", "queryReq") < 40, "reads go elsewhere")
                let node = try await cluster.gateway.status().node("b")
                #expect(!node.isInSync && node.health == "up" && node.reason?.contains("write-only") == true, "\(node)")
            }
        }
    }
}
