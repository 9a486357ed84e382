// InfluxDB starts also when it cannot open a shard: it answers pings, lists the shard, and leaves its data out of every
// answer without a word. Such a node must not be read; what only looks like it must not cost a copy.

import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct DamagedShard {
        /// What is damaged, and whether the gateway runs meanwhile or knows of the shards from before only.
        @Test(
            "S2 a node that could not open a shard is not read and needs a copy; with one it is in-sync again",
            arguments: [(InfluxNode.ShardDamage.index, true), (.points, false)])
        func damaged(_ damage: InfluxNode.ShardDamage, isGatewayThere: Bool) async throws {
            try await TestCluster.run(node: settings(damage)) { cluster in
                try await fill(cluster)
                try await waitUntilSeen(2, of: "t", cluster)
                let shards = try await shards(of: "t", on: cluster.b)
                if damage == .points { try await cluster.b.waitUntilWrittenOut(shard: shards[0], of: "t") }
                if isGatewayThere {
                    try await kill(cluster)
                } else {
                    try #require(try await cluster.gateway.stop() == .exited(0))
                    try await cluster.b.kill()
                }
                try cluster.b.damage(damage, shard: shards[0], of: "t")
                try await cluster.b.start()
                #expect(try await cluster.b.client.count("v", of: "early", db: "t") == 0, "this is what nobody may see")
                if !isGatewayThere {
                    try cluster.gateway.launch()
                    try await cluster.gateway.waitUntilInSync(["a"])
                }
                let reason = try await reasonForCopy(of: "b", cluster)
                #expect(reason.contains("could not open shard \(shards[0]) of t/autogen"), "\(reason)")
                #expect(reason.contains("data of 1970-01-19 to 1970-01-26"), "\(reason)")
                #expect(reason.contains("sluice nodes trust b"), "\(reason)")
                for value in 0..<40 {
                    try #require(try await cluster.client.write("late v=\(value)i \(value)", db: "t").status == 204)
                    #expect(try await cluster.client.count("v", of: "early", db: "t") == 500)
                    #expect(try await cluster.client.count("v", of: "late", db: "t") == value + 1)
                }

                for node in cluster.nodes { try await node.stop() }
                try cluster.b.restore(cluster.a.snapshot())
                for node in cluster.nodes { try await node.start() }
                try await cluster.gateway.waitUntilDrained()
                #expect(try await cluster.b.client.count("v", of: "early", db: "t") == 500)
                try await requireSameData(cluster.nodes, db: "t")
                // What was known of the shards before the copy is not held against it.
                try await restart(cluster)
            }
        }

        @Test("a node without data whose marker is in a damaged shard gets a new marker")
        func marker() async throws {
            try await TestCluster.run(node: settings(.index)) { cluster in
                try await cluster.waitForMarker(on: cluster.b)
                let shards = try await shards(of: "_sluice", on: cluster.b)
                try await kill(cluster)
                try cluster.b.damage(.index, shard: shards[0], of: "_sluice")
                try await cluster.b.start()
                try await cluster.gateway.waitUntilInSync()
                try #require(try await cluster.client.write("m v=1 1", db: "t").status == 204)
                try await cluster.waitForMarker(on: cluster.b)
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("S2 a shard made just before it broke is found by the writes into it that are refused for ever")
        func unseen() async throws {
            try await TestCluster.run(node: settings(.index)) { cluster in
                try await fill(cluster)
                try await waitUntilSeen(2, of: "t", cluster)
                // Into a period of its own; nobody has seen it open when the node ends.
                try #require(try await cluster.client.write("old v=1 -1", db: "t").status == 204)
                try await kill(cluster)
                let before = try await shards(of: "t", on: cluster.a)
                #expect(before.count == 3)
                // Both nodes got the same writes in the same order.
                try cluster.b.damage(.index, shard: before[2], of: "t")
                try await cluster.b.start()
                let reason = try await reasonForCopy(of: "b", cluster, within: .seconds(90))
                #expect(reason.contains("could not open shard \(before[2]) of t/autogen"), "\(reason)")
                let letters = try await cluster.gateway.deadLetters(db: "t")
                #expect(letters.total == 0, "a node's damage is no fault of the lines: \(letters)")
                #expect(try await cluster.client.count("v", of: "old", db: "t") == 1)
            }
        }

        @Test("S2 a shard that nobody has seen open, and whose data is lost, gets it again")
        func young() async throws {
            try await TestCluster.run(node: settings(.points)) { cluster in
                try await fill(cluster)
                try await waitUntilSeen(2, of: "t", cluster)
                let (week, shard) = try await unseenWeek(cluster)
                try cluster.b.damage(.points, shard: shard, of: "t")
                try await cluster.b.start()
                #expect(try await cluster.b.client.count("v", of: week, db: "t") == 0, "this is what nobody may see")
                try await cluster.gateway.start()
                try await requireBack("b", cluster)
                #expect(try await cluster.b.client.count("v", of: week, db: "t") == 500)
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("S2 shards made ahead of time, and shards that are dropped at any moment, are not taken for damage")
        func notDamaged() async throws {
            var settings = settings(.index)
            settings.extra["shard-precreation"] = "check-interval = \"1s\"\nadvance-period = \"3h\""
            try await TestCluster.run(node: settings) { cluster in
                try await cluster.client.execute("CREATE DATABASE hours WITH DURATION 2d SHARD DURATION 1h NAME h")
                try #require(try await cluster.client.write("m v=1", db: "hours").status == 204)
                try await waitUntilSeen(1, of: "hours", cluster)
                try await eventually("a shard is made ahead of time") {
                    try await shards(of: "hours", on: cluster.b).count > 1
                }
                try await restart(cluster)

                try await cluster.client.execute("CREATE RETENTION POLICY more ON t DURATION INF REPLICATION 1")
                for (db, rp) in [("gone", ""), ("t", "more")] {
                    if db == "gone" { try await cluster.client.execute("CREATE DATABASE gone") }
                    try #require(
                        try await cluster.client.write("m v=1 1", db: db, rp.isEmpty ? [:] : ["rp": rp]).status == 204)
                    try await waitUntilSeen(1, of: db, cluster)
                }
                try await kill(cluster)
                try await cluster.client.execute("DROP DATABASE gone")
                try await cluster.client.execute("DROP RETENTION POLICY more ON t")
                try await cluster.b.start()
                try await requireBack("b", cluster)

                for number in 0..<6 {
                    let db = "round\(number)"
                    try await cluster.client.execute("CREATE DATABASE \(db)")
                    for week in 0..<20 {
                        let line = "m v=1 \(week * Self.week)"
                        try #require(try await cluster.client.write(line, db: db).status == 204)
                    }
                    try await waitUntilSeen(20, of: db, cluster)
                    // The node ends somewhere in the middle of it.
                    async let drop = try? cluster.client.execute("DROP DATABASE \(db)")
                    try await Task.sleep(for: .milliseconds(number * 4))
                    try await restart(cluster)
                    _ = await drop
                }
                try await requireSameSchema(cluster.nodes)
            }
        }

        // MARK: Steps

        private static let week = 604_800_000_000_000

        private func settings(_ damage: InfluxNode.ShardDamage) -> InfluxNode.Settings {
            var settings = InfluxNode.Settings()
            settings.index = damage == .index ? "tsi1" : "inmem"
            settings.writesOutSoon()
            return settings
        }

        /// Points in two shards.
        private func fill(_ cluster: TestCluster) async throws {
            let lines = (0..<500).map { "early,s=\($0 % 9) v=\($0)i \(3 * Self.week + $0)\n" }.joined()
            try #require(try await cluster.client.write(lines, db: "t").status == 204)
            try #require(try await cluster.client.write("next v=1 \(9 * Self.week)", db: "t").status == 204)
            try await waitForMarker(cluster)
        }

        /// Points in a shard that is older than b's marker, so that they are not delivered again in any case, and was not
        /// there yet when the gateway last looked. Gateway and b do not run any more then.
        private func unseenWeek(_ cluster: TestCluster) async throws -> (measurement: String, shard: Int) {
            try await waitUntilLooksAreRare(cluster)
            let lines = (0..<500).map { "young v=\($0)i \(-1 - $0)\n" }.joined()
            try #require(try await cluster.client.write(lines, db: "t").status == 204)
            let shards = try await shards(of: "t", on: cluster.b)
            let young = shards[shards.count - 1]
            try await cluster.b.waitUntilWrittenOut(shard: young, of: "t")
            try await waitForMarker(cluster)
            try await cluster.b.kill()
            try #require(try await cluster.gateway.stop() == .exited(0))
            try #require(seen(of: "t", cluster).allSatisfy { $0 < shards.count }, "looked in between")
            return ("young", young)
        }

        /// The time between two looks doubles: one was just done, and the next is at least ten seconds away.
        private func waitUntilLooksAreRare(_ cluster: TestCluster) async throws {
            var gap = Duration.zero
            for number in 0..<10 where gap < .seconds(5) {
                let known = try await shards(of: "t", on: cluster.b).count
                let line = "probe v=1 \((20 + number) * Self.week)"
                (_, gap) = try await timed {
                    try #require(try await cluster.client.write(line, db: "t").status == 204)
                    try await waitUntilSeen(known + 1, of: "t", cluster)
                }
            }
        }

        /// What lies before it is not delivered again at a start.
        private func waitForMarker(_ cluster: TestCluster) async throws {
            try await cluster.gateway.waitUntilDrained()
            try await eventually("b's marker is where its cursor is") {
                let marker = try await cluster.b.client.firstRow("SELECT cursor FROM marker", db: "_sluice")
                return try await marker == ["\(cluster.gateway.status().node("b").cursor)"]
            }
        }

        private func shards(of db: String, on node: InfluxNode) async throws -> [Int] {
            let reply = try await node.client.query("SHOW SHARDS")
            let json = try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any]
            let results = json?["results"] as? [[String: Any]] ?? []
            let series = results.first?["series"] as? [[String: Any]] ?? []
            let rows = series.first { $0["name"] as? String == db }?["values"] as? [[Any]] ?? []
            return rows.compactMap { $0.first as? Int }.sorted()
        }

        /// Waits until the gateway has noted on its disk that both nodes have so many shards of a database open.
        private func waitUntilSeen(_ count: Int, of db: String, _ cluster: TestCluster) async throws {
            try await eventually("\(count) shards of \(db) are seen", within: .seconds(70)) {
                let seen = seen(of: db, cluster)
                return seen.count == cluster.nodes.count && seen.allSatisfy { $0 >= count }
            }
        }

        /// How many shards of a database the gateway has noted on its disk, for each node.
        private func seen(of db: String, _ cluster: TestCluster) -> [Int] {
            let ledger = cluster.gateway.dataFolder.appendingPathComponent("log/ledger")
            let text = String(decoding: (try? Data(contentsOf: ledger)) ?? Data(), as: UTF8.self)
            return text.components(separatedBy: "shards/").dropFirst().map { note in
                let lines = note.split(separator: "\n").filter { $0.hasPrefix("open \(db) ") }
                return lines.reduce(0) { $0 + $1.split(separator: ",").count }
            }
        }

        private func reasonForCopy(
            of name: String, _ cluster: TestCluster, within limit: Duration = .seconds(20)
        ) async throws -> String {
            var last = ""
            do {
                return try await eventually("\(name) needs a copy", within: limit) { () -> String? in
                    let node = try await cluster.gateway.status().node(name)
                    last = "\(node)"
                    if node.isInSync { throw Violation("\(name) is in-sync, and lacks data") }
                    return node.sync == "needs-copy" ? node.reason : nil
                }
            } catch let failure as TestFailure { throw TestFailure("\(failure): \(last)") }
        }

        private func kill(_ cluster: TestCluster) async throws {
            try await cluster.b.kill()
            try await cluster.gateway.waitUntilOutOfSync("b")
        }

        private func restart(_ cluster: TestCluster) async throws {
            try await kill(cluster)
            try await cluster.b.start()
            try await requireBack("b", cluster)
        }

        /// It was asked what it holds, and is in-sync.
        private func requireBack(_ name: String, _ cluster: TestCluster) async throws {
            var last = ""
            do {
                try await eventually("\(name) is back", within: .seconds(30)) {
                    let status = try await cluster.gateway.status()
                    let node = try status.node(name)
                    last = "\(node)"
                    if node.sync == "needs-copy" { throw Violation("\(name) needs a copy for nothing: \(node)") }
                    return node.isInSync && node.cursor >= status.log.durableEnd
                }
            } catch let failure as TestFailure { throw TestFailure("\(failure): \(last)") }
        }
    }
}
