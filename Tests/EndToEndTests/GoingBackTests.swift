// Nodes that are not what they were, or not who they seem: put back to an older copy, wiped, another's twin, a foreign
// log's node, or full of data that nobody has compared. None of them may be read before it is known to be equal.

import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct GoingBack {
        // MARK: Older data

        @Test("S11 a node put back to an older copy of its data is noticed, never read, and equal afterwards by itself")
        func restored() async throws {
            try await TestCluster.run { cluster in
                try await fill(cluster, "early")
                let copy = try await copyOfB(cluster)
                try await age(cluster)
                let journal = try await WriteLoad.during(cluster.client, load("during")) { load in
                    try await load.more(50)
                    try await cluster.b.stop()
                    try cluster.b.restore(copy)
                    try await load.more(50)
                    try await cluster.b.start()
                    try await requireUnreadUntilEqual(cluster)
                }
                try await requireEqual(cluster, journal)
            }
        }

        @Test("S11 a node put back while no client is there, and back before its pings fail, is noticed within seconds")
        func restoredUnseen() async throws {
            try await TestCluster.run { cluster in
                try await fill(cluster, "early")
                let copy = try await copyOfB(cluster)
                try await age(cluster)
                try await requireNoticed(cluster, putBackTo: copy)
            }
        }

        @Test(
            "S11 a node that hung, and was put back before it counted as down, is noticed though nothing else was under way"
        )
        func hungAndRestored() async throws {
            // So that it never counts as down: contact is not lost that way.
            try await TestCluster.run(.init(["ping_interval": "500ms", "ping_misses": "100"])) { cluster in
                try await fill(cluster, "early")
                let copy = try await copyOfB(cluster)
                try await age(cluster)
                for node in cluster.nodes { try await cluster.waitForMarker(on: node) }
                // Then the gateway has no connection to b but those of its own questions and pings.
                try #require(try await cluster.gateway.stop() == .exited(0))
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilDrained()
                var usual = Int.max
                await moment(.seconds(1)) {
                    usual = min(usual, try connections(of: cluster.gateway, to: cluster.b))
                    return false
                }
                cluster.b.hang()
                // Were pings given up, there would now be moments with a connection less, which nobody could see break.
                await moment(.seconds(3)) { try connections(of: cluster.gateway, to: cluster.b) < usual }
                try await requireNoticed(cluster, putBackTo: copy)
            }
        }

        @Test(
            "S11 a node put back when the gateway had only asked it who it is, and had no other connection, is noticed")
        func restoredAfterQuestions() async throws {
            try await TestCluster.run(.init(["ping_interval": "6s"]), linked: ["b"]) { cluster in
                try await fill(cluster, "early")
                let copy = try await copyOfB(cluster)
                try await age(cluster)
                let link = try cluster.link(to: "b")
                // So that no ping comes before b is back.
                let pings = link.requestsPassedOn(of: "GET /ping")
                try await eventually("b is pinged", within: .seconds(20)) {
                    link.requestsPassedOn(of: "GET /ping") > pings
                }
                let questions = link.requestsPassedOn(of: "SHOW%20DIAGNOSTICS")
                link.cut(.rst)
                try await eventually("b is asked, and in sync again") {
                    guard link.requestsPassedOn(of: "SHOW%20DIAGNOSTICS") > questions else { return false }
                    return try await cluster.gateway.status().node("b").isInSync
                }
                try await requireNoticed(cluster, putBackTo: copy, within: .seconds(15))
            }
        }

        @Test("S11 a node put back while the gateway was down is noticed at the start")
        func restoredBehindItsBack() async throws {
            try await TestCluster.run { cluster in
                try await fill(cluster, "early")
                let copy = try await copyOfB(cluster)
                try await age(cluster)
                try #require(try await cluster.gateway.stop() == .exited(0))
                try await cluster.b.stop()
                try cluster.b.restore(copy)
                try await cluster.b.start()
                try await cluster.gateway.start()
                try await requireUnreadUntilEqual(cluster)
                try await requireEqual(cluster)
            }
        }

        @Test("S11 a wiped node is filled again from a log that still holds everything")
        func wipedWithWholeLog() async throws {
            try await TestCluster.run { cluster in
                try await fill(cluster, "early")
                try await age(cluster)
                try await cluster.b.stop()
                try cluster.b.wipe()
                try await cluster.b.start()
                try await eventually("b is out of sync, or equal already", within: .seconds(5)) {
                    if try await !cluster.gateway.status().node("b").isInSync { return true }
                    return try await holdsAll(cluster.b)
                }
                try await requireUnreadUntilEqual(cluster)
                try await requireEqual(cluster)
            }
        }

        @Test("S11 a wiped node whose data the log no longer holds needs a copy, is not read, and says what to do")
        func wiped() async throws {
            let small = GatewayProcess.Settings(log: ["max_bytes": "2MiB", "segment": "256KiB", "min_free": "0B"])
            try await TestCluster.run(small) { cluster in
                try await fill(cluster, "early")
                try await eventually("the log no longer holds everything") {
                    let text = String(repeating: "x", count: 1000)
                    let lines = (0..<100).map { "filler s=\"\(text)\(Int.random(in: 0...9))\" \($0)\n" }.joined()
                    _ = try await cluster.client.write(lines, db: "t")
                    return try await cluster.gateway.status().log.start > 20
                }
                try await age(cluster)
                try await cluster.b.stop()
                try cluster.b.wipe()
                try await cluster.b.start()
                let b = try await state("b", becomes: "needs-copy", at: cluster.gateway)
                #expect(b.reason?.contains("copy") == true, "what to do: \(b.reason ?? "nothing")")
                let journal = try await WriteLoad.during(cluster.client, load("during")) { load in
                    try await load.more(100)
                    try await requireUnread(cluster.b, for: .seconds(2), cluster)
                }
                #expect(journal.failures.isEmpty, "writes go on: \(journal.failures.prefix(3))")
                try await requireSaid(b, by: cluster.gateway)
            }
        }

        @Test(
            "S11 a log put back to an older copy is noticed: nodes that are ahead of it are not fed from it in silence")
        func olderLog() async throws {
            try await TestCluster.run { cluster in
                try await fill(cluster, "early")
                try #require(try await cluster.gateway.stop() == .exited(0))
                let folder = try TemporaryFolder("sluice-older-log")
                let copy = folder.url.appendingPathComponent("data")
                try FileManager.default.copyItem(at: cluster.gateway.dataFolder, to: copy)
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilInSync()
                try await age(cluster)
                try #require(try await cluster.gateway.stop() == .exited(0))
                try FileManager.default.removeItem(at: cluster.gateway.dataFolder)
                try FileManager.default.copyItem(at: copy, to: cluster.gateway.dataFolder)
                try cluster.gateway.launch()
                try await cluster.gateway.waitUntilHealthy()
                try await eventually("each node is held back, with a reason") {
                    try await cluster.gateway.status().nodes.allSatisfy { !$0.isInSync && $0.reason?.isEmpty == false }
                }
                for node in cluster.nodes { try await requireUnread(node, for: .seconds(1), cluster) }
            }
        }

        // MARK: Other nodes

        @Test("S11 two names for one server: only one of them counts, and the other says so")
        func twin() async throws {
            let node = try await InfluxNode.started("a")
            defer { withExtendedLifetime(node) {} }
            let other = try await FaultyLink(to: node.port)
            let gateway = try GatewayProcess(nodes: [("a", node.url), ("b", other.url)])
            try await gateway.start()
            let held = try await oneIsHeld(at: gateway)
            try await requireSaid(held, by: gateway)
            try await gateway.client.execute("CREATE DATABASE t")
            #expect(try await gateway.client.write("m v=1 1", db: "t", ["consistency": "one"]).status == 204)
            let all = try await gateway.client.write("m v=1 2", db: "t", ["consistency": "all"])
            #expect(all.status >= 500, "one server never counts as two: \(all)")
        }

        @Test("S11 a node that belongs to another gateway's log is not read, and the reason says whose it is")
        func foreign() async throws {
            let a = try await InfluxNode.started("a")
            defer { withExtendedLifetime(a) {} }
            let b = try await InfluxNode.started("b")
            defer { withExtendedLifetime(b) {} }
            let first = try GatewayProcess(nodes: [("b", b.url)])
            try await first.start()
            try await first.waitUntilInSync()
            try await first.client.execute("CREATE DATABASE t")
            try #require(try await first.client.write("m v=1 1", db: "t").status == 204)
            try await first.waitUntilDrained()
            let log = try await first.status().log.id
            try #require(try await first.stop() == .exited(0))

            let second = try GatewayProcess(nodes: [("a", a.url), ("b", b.url)])
            try await second.start()
            let held = try await state("b", becomes: "unattached", saying: log, at: second)
            try await second.waitUntilInSync(["a"])
            try await requireSaid(held, by: second)
        }

        @Test("S11 of two nodes that come with different data only the more complete serves", arguments: ["a", "b"])
        func different(complete: String) async throws {
            let nodes = [try await InfluxNode.started("a"), try await InfluxNode.started("b")]
            defer { withExtendedLifetime(nodes) {} }
            for node in nodes {
                try await node.client.execute("CREATE DATABASE t")
                let lines = (0..<(node.name == complete ? 100 : 60)).map { "m v=1 \($0)\n" }.joined()
                try #require(try await node.client.write(lines, db: "t").status == 204)
            }
            let gateway = try GatewayProcess(nodes: nodes.map { ($0.name, $0.url) })
            try gateway.launch()
            try await gateway.waitUntilHealthy()
            try await gateway.waitUntilInSync([complete], within: .seconds(30))
            let held = try await state(complete == "a" ? "b" : "a", becomes: "unattached", at: gateway)
            try await requireSaid(held, by: gateway)
            for _ in 0..<20 { #expect(try await gateway.client.count("v", of: "m", db: "t") == 100) }
            #expect(try await gateway.client.write("m v=1 1000", db: "t").status == 204)
            for node in nodes where node.name != complete {
                #expect(try await node.client.count("v", of: "m", db: "t") == 60, "nothing was repaired or added")
            }
        }

        @Test("S11 two nodes that come with the same data both serve")
        func same() async throws {
            let nodes = [try await InfluxNode.started("a"), try await InfluxNode.started("b")]
            defer { withExtendedLifetime(nodes) {} }
            for node in nodes {
                try await node.client.execute("CREATE DATABASE t")
                let lines = (0..<100).map { "m,k=\($0 % 7) v=\($0) \($0)\n" }.joined()
                try #require(try await node.client.write(lines, db: "t").status == 204)
            }
            let gateway = try GatewayProcess(nodes: nodes.map { ($0.name, $0.url) })
            try await gateway.start()
            try await gateway.waitUntilInSync(within: .seconds(30))
            try #require(try await gateway.client.write("m v=1 1000", db: "t").status == 204)
            try await requireSameData(nodes, db: "t")
        }

        // MARK: Steps

        private func load(_ measurement: String) -> WriteLoad.Settings {
            var settings = WriteLoad.Settings(db: "t")
            settings.measurement = measurement
            settings.writers = 2
            settings.pause = .milliseconds(5)
            return settings
        }

        /// Points in a measurement of their own, on every node.
        private func fill(_ cluster: TestCluster, _ measurement: String) async throws {
            let lines = (0..<500).map { "\(measurement),s=\($0 % 9) v=\($0)i \($0)\n" }.joined()
            try #require(try await cluster.client.write(lines, db: "t").status == 204)
            try await cluster.gateway.waitUntilDrained()
        }

        /// A copy of b's data as it is now; b is in-sync again afterwards.
        private func copyOfB(_ cluster: TestCluster) async throws -> InfluxNode.Snapshot {
            try await checkpoints(cluster)
            try await cluster.b.stop()
            let copy = try cluster.b.snapshot()
            // With something to deliver the gateway notices at once that b is gone.
            try #require(try await cluster.client.write("tick v=1 9", db: "t").status == 204)
            try await cluster.gateway.waitUntilOutOfSync("b")
            try await cluster.b.start()
            try await cluster.gateway.waitUntilDrained()
            return copy
        }

        /// What the copy must lack: new points, overwritten ones, a deletion, a new database, a dropped measurement.
        private func age(_ cluster: TestCluster) async throws {
            for statement in [
                "CREATE DATABASE later", "DELETE FROM early WHERE s = '3'", "CREATE USER u WITH PASSWORD 'p'",
            ] {
                try await cluster.client.execute(statement, db: "t")
            }
            try #require(try await cluster.client.write("early,s=0 v=77i 0\nearly,s=1 v=78i 1", db: "t").status == 204)
            try await fill(cluster, "late")
            try await checkpoints(cluster)
        }

        /// Waits until cursors that moved before now are durable: they are saved about once a second.
        private func checkpoints(_ cluster: TestCluster) async throws {
            for number in 0..<3 {
                try #require(try await cluster.client.write("tick v=1 \(number)", db: "t").status == 204)
                await moment(.milliseconds(600))
            }
        }

        /// Puts b back. With nothing to deliver only a ping or the next look at the node can tell; then no read may reach it.
        private func requireNoticed(
            _ cluster: TestCluster, putBackTo copy: InfluxNode.Snapshot, within limit: Duration = .seconds(5)
        ) async throws {
            try await cluster.b.kill()
            try cluster.b.restore(copy)
            try await cluster.b.start()
            try await eventually("b is out of sync, or equal already", within: limit) {
                if try await !cluster.gateway.status().node("b").isInSync { return true }
                return try await holdsAll(cluster.b)
            }
            try await requireUnreadUntilEqual(cluster)
            try await requireEqual(cluster)
        }

        /// How many established connections the gateway's process has to the node.
        private func connections(of gateway: GatewayProcess, to node: InfluxNode) throws -> Int {
            let process = try #require(gateway.process)
            let files = "/proc/\(process.pid)/fd"
            let sockets = try FileManager.default.contentsOfDirectory(atPath: files).compactMap {
                try? FileManager.default.destinationOfSymbolicLink(atPath: "\(files)/\($0)")
            }
            let port = String(node.port, radix: 16, uppercase: true)
            // sl, local address, remote address, state (01: established), ..., inode as the tenth.
            return try String(contentsOfFile: "/proc/net/tcp", encoding: .utf8).split(separator: "\n").filter { line in
                let words = line.split(separator: " ")
                return words.count > 9 && words[2].hasSuffix(":\(port)") && words[3] == "01"
                    && sockets.contains("socket:[\(words[9])]")
            }.count
        }

        /// `late` is what only a node holds that has caught up; a deletion shows that the order was kept.
        private func holdsAll(_ node: InfluxNode) async throws -> Bool {
            let late = try await node.client.count("v", of: "late", db: "t")
            let overwritten = try await node.client.firstRow("SELECT v FROM early WHERE time = 0", db: "t")
            let deleted = try await node.client.firstRow("SELECT v FROM early WHERE s = '3'", db: "t")
            return late == 500 && overwritten == ["77"] && deleted == nil
        }

        /// Until b holds all, status does not call it in-sync and reads through the gateway are complete.
        private func requireUnreadUntilEqual(_ cluster: TestCluster) async throws {
            try await eventually("b is in-sync again, and equal", within: .seconds(60), every: .milliseconds(2)) {
                try await requireCompleteReads(cluster)
                guard try await cluster.gateway.status().node("b").isInSync else { return false }
                if try await !holdsAll(cluster.b) { throw Violation("b is in-sync and lacks acknowledged points") }
                return true
            }
        }

        private func requireUnread(_ node: InfluxNode, for time: Duration, _ cluster: TestCluster) async throws {
            let end = ContinuousClock.now + time
            while ContinuousClock.now < end {
                let state = try await cluster.gateway.status().node(node.name)
                if state.isInSync { throw TestFailure("\(node.name) is in-sync: \(state)") }
                if try await cluster.gateway.status().nodes.contains(where: \.isInSync) {
                    try await requireCompleteReads(cluster)
                }
                try await Task.sleep(for: .milliseconds(20))
            }
        }

        private func requireCompleteReads(_ cluster: TestCluster) async throws {
            let reply = try await cluster.client.query("SELECT count(v) FROM late", db: "t")
            if reply.status == 200, reply.error == nil, !reply.text.contains(",500]") {
                throw Violation("a read through the gateway lacks acknowledged points: \(reply)")
            }
        }

        private func requireEqual(_ cluster: TestCluster, _ journal: Journal? = nil) async throws {
            try await cluster.gateway.waitUntilDrained(within: .seconds(30))
            if let journal { for node in cluster.nodes { try await journal.requireAllStored(on: node) } }
            try await requireSameData(cluster.nodes, db: "t")
            try await requireSameSchema(cluster.nodes)
        }

        private func state(
            _ name: String, becomes word: String, saying text: String = "", at gateway: GatewayProcess
        ) async throws -> GatewayStatus.Node {
            var last = "nothing"
            do {
                return try await eventually("\(name) is \(word)", within: .seconds(10)) { () -> GatewayStatus.Node? in
                    let node = try await gateway.status().node(name)
                    last = "\(node)"
                    guard node.sync == word, let reason = node.reason else { return nil }
                    return text.isEmpty || reason.contains(text) ? node : nil
                }
            } catch { throw TestFailure("\(name) is not \(word): \(last)") }
        }

        private func oneIsHeld(at gateway: GatewayProcess) async throws -> GatewayStatus.Node {
            try await eventually("one of two nodes is in-sync and the other unattached") {
                let nodes = try await gateway.status().nodes
                guard let good = nodes.first(where: \.isInSync) else { return nil }
                return nodes.first { $0.sync == "unattached" && $0.reason?.contains(" \(good.name)") == true }
            }
        }

        /// `sluice status` shows the reason, and the reason says what to do.
        private func requireSaid(_ node: GatewayStatus.Node, by gateway: GatewayProcess) async throws {
            let reason = try #require(node.reason)
            let command = try await GatewayProcess.run(["status", "--admin", gateway.admin.base])
            #expect(command.output.contains(reason), "\(command.output)")
            let advice = ["sluice nodes trust", "copy", "configuration", "remove"]
            #expect(advice.contains { reason.contains($0) }, "what is to be done: \(reason)")
        }
    }
}
