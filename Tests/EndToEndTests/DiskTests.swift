// The disk under the log is full, or fails: nothing that was acknowledged is lost, nothing is acknowledged that would
// be, and what can go on by itself does.

import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Disks {
        static let needsMount: Comment = "needs the right to mount a tmpfs"

        @Test(
            "L10 L20 A9 a disk that others filled: 503 with Retry-After, no crash, no loss, and it goes on by itself",
            .enabled(if: SmallDisk.isPossible, needsMount), arguments: ["auto", "0B"])
        func filledByOthers(minimumFree: String) async throws {
            let disk = try SmallDisk(bytes: 64 << 20)
            try await run(on: disk, ["segment": "1MiB", "min_free": minimumFree]) { cluster in
                var written = 0
                for _ in 0..<20 { try #require(try await write(cluster, &written).status == 204) }
                try disk.fill()
                let refusal = try await writeUntilRefused(cluster, &written)
                try requireNotNow(refusal)
                let read = try await cluster.client.query("SELECT count(s) FROM full", db: "t")
                #expect(read.text.contains(",\(written)]"), "reads go on: \(read)")
                for _ in 0..<20 { try requireNotNow(try await write(cluster, &written)) }
                try disk.makeRoom()
                try await requireGoesOn(cluster, &written)
            }
        }

        @Test(
            "L10 L20 a disk filled by what no node has: 503 with Retry-After, nothing is dropped, and it goes on by itself",
            .enabled(if: SmallDisk.isPossible, needsMount))
        func filledByBacklog() async throws {
            let disk = try SmallDisk(bytes: 32 << 20)
            try await run(on: disk, ["segment": "1MiB", "min_free": "0B"]) { cluster in
                var written = 0
                for node in cluster.nodes { try await node.kill() }
                for node in cluster.nodes { try await cluster.gateway.waitUntilOutOfSync(node.name) }
                let refusal = try await writeUntilRefused(cluster, &written)
                try requireNotNow(refusal)
                #expect(written > 40 * Self.lines, "only \(written) lines fit")
                try await cluster.heal()
                try await requireGoesOn(cluster, &written)
            }
        }

        @Test(
            "L20 one dead node does not fill the disk for ever: writes go on, it needs a copy and says so",
            .enabled(if: SmallDisk.isPossible, needsMount))
        func filledForOneNode() async throws {
            let disk = try SmallDisk(bytes: 32 << 20)
            try await run(on: disk, ["segment": "1MiB", "min_free": "0B"]) { cluster in
                var written = 0
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                // More than the disk holds, and all of it is on a. Making room may take a moment.
                for _ in 0..<240 {
                    let reply = try await write(cluster, &written)
                    if reply.status != 204 {
                        try requireNotNow(reply)
                        try await requireAccepted(cluster, &written)
                    }
                }
                let b = try await cluster.gateway.status().node("b")
                #expect(b.sync == "needs-copy", "\(b)")
                #expect(b.reason?.isEmpty == false)
                #expect(try await cluster.a.count("s", of: "full") == written)
                // It is made durable before the records go.
                try await cluster.gateway.kill()
                try await cluster.gateway.start()
                #expect(try await cluster.gateway.status().node("b").sync == "needs-copy")
                try await cluster.b.start()
                await moment(.seconds(2)) { try await cluster.gateway.status().node("b").isInSync }
                #expect(try await cluster.gateway.status().node("b").sync == "needs-copy")
                #expect(try await write(cluster, &written).status == 204)
            }
        }

        @Test(
            "L21 an fsync that fails ends the gateway with one clear line; the next start is whole",
            .enabled(if: FailingSync.compiler != nil, "needs a C compiler"), arguments: ["insync", "any"])
        func failingSync(level: String) async throws {
            let sync = try await FailingSync()
            try await TestCluster.run(.init(["ack": level])) { cluster in
                try #require(try await cluster.gateway.stop() == .exited(0))
                try await cluster.gateway.start(environment: sync.environment)
                try await cluster.gateway.waitUntilInSync()
                var settings = WriteLoad.Settings(db: "t")
                settings.retries = false
                var status: TestSupport.ExitStatus?
                let journal = try await WriteLoad.during(cluster.client, settings) { load in
                    try await load.more(100)
                    try sync.fail()
                    status = try await cluster.gateway.process?.waitForExit(within: .seconds(15))
                }
                let end = try #require(status)
                if case .exited(let code) = end {
                    #expect(code != 0)
                } else {
                    Issue.record("the gateway ended: \(end)")
                }
                #expect(journal.failures.contains { $0.what.hasPrefix("500") }, "those who wait are told")
                let said = try cluster.gateway.errorLines().filter { $0.contains("sync") && $0.contains("nput/output") }
                #expect(said.count == 1, "one clear line:\n\(cluster.gateway.log)")
                #expect(said.allSatisfy { $0.contains(cluster.gateway.dataFolder.path) }, "which disk: \(said)")

                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilDrained()
                for node in cluster.nodes { try await journal.requireAllStored(on: node) }
                try await requireSameData(cluster.nodes, db: "t")
                #expect(try await cluster.client.write("m v=1 1", db: "t").status == 204)
            }
        }

        @Test(
            "L20 what rots in the log is never left out in silence: the node that lacks it needs a copy, the others serve"
        )
        func rot() async throws {
            try await TestCluster.run { cluster in
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                for number in 0..<100 {
                    let line = "rot text=\"this is point number \(number) of them\" \(number)"
                    try #require(try await cluster.client.write(line, db: "t").status == 204)
                }
                try await cluster.waitForMarker(on: cluster.a)
                try #require(try await cluster.gateway.stop() == .exited(0))
                try flip("this is point number 50 of them", in: cluster.gateway.dataFolder)
                try await requireCopyNeeded(cluster)
                try await cluster.gateway.waitUntilInSync(["a"])
                #expect(try await cluster.client.write("rot text=\"later\" 1000", db: "t").status == 204)
                for _ in 0..<10 { #expect(try await cluster.client.count("text", of: "rot", db: "t") == 101) }
                let metrics = try await cluster.gateway.metrics()
                #expect(metrics["sluice_log_damaged_ranges_total"] == 1)
                let dump = try await GatewayProcess.run(["log", "dump", "--data-dir", cluster.gateway.dataFolder.path])
                #expect(dump.output.contains("DAMAGE"), "\(dump.output)\n\(cluster.gateway.log)")
            }
        }

        @Test("L20 A5 rot behind lines that a node refuses: it says that it needs a copy, and the others serve")
        func rotBehindRefusedLines() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("rot v=1 1", db: "t").status == 204)
                try await cluster.gateway.waitUntilDrained()
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                let refused = try await cluster.client.write("rot v=2i 2\nrot v=3 3", db: "t")
                #expect(refused.status == 400, "\(refused)")
                for number in 4..<20 {
                    try #require(try await cluster.client.write("rot v=\(number) \(number)", db: "t").status == 204)
                }
                try await cluster.waitForMarker(on: cluster.a)
                try #require(try await cluster.gateway.stop() == .exited(0))
                // What the set decided of the lines stands behind them; so b gets these lines, and refuses them.
                try flip("field type conflict", in: cluster.gateway.dataFolder)
                try await requireCopyNeeded(cluster)
                #expect(try await cluster.b.client.count("v", of: "rot", db: "t") == 2, "b has what came before")
                try await cluster.gateway.waitUntilInSync(["a"])
                #expect(try await cluster.client.write("rot v=20 20", db: "t").status == 204)
                for _ in 0..<10 { #expect(try await cluster.client.count("v", of: "rot", db: "t") == 19) }
                #expect(try await cluster.gateway.status().node("a").diverged == nil)
            }
        }

        /// Starts the gateway and b again: what b lacks has rotted.
        private func requireCopyNeeded(_ cluster: TestCluster) async throws {
            try await cluster.gateway.start()
            try await cluster.b.start()
            let b = try await eventually("b needs a copy") {
                let b = try await cluster.gateway.status().node("b")
                return b.sync == "needs-copy" ? b : nil
            }
            #expect(b.reason?.contains("lost") == true, "\(b)")
        }

        @Test("L20 when what no node has rots, the rest of it is kept, and an operator's word brings it to the nodes")
        func rotOfTheLastCopy() async throws {
            let small = GatewayProcess.Settings(log: ["segment": "64KiB", "kept": "0B", "min_free": "0B"])
            try await TestCluster.run(small) { cluster in
                try await cluster.waitUntilKnown("t")
                for node in cluster.nodes { try await node.kill() }
                for node in cluster.nodes { try await cluster.gateway.waitUntilOutOfSync(node.name) }
                let filler = String(repeating: "x", count: 1000)
                func write(_ numbers: Range<Int>) async throws {
                    for number in numbers {
                        let line = "rot text=\"this is point number \(number) of them \(filler)\" \(number)"
                        let reply = try await cluster.client.write(line, db: "t")
                        try #require(reply.status == 204, "\(reply)")
                    }
                }
                try await write(0..<200)
                try #require(try await cluster.gateway.stop() == .exited(0))
                // Three neighbours and one by itself: one word for each node is enough.
                for number in [50, 51, 52, 120] {
                    try flip("this is point number \(number) of them", in: cluster.gateway.dataFolder)
                }
                try await cluster.gateway.start()
                for node in cluster.nodes { try await node.start() }
                try await eventually("both need a copy, and there is none") {
                    try await cluster.gateway.status().nodes.allSatisfy { $0.sync == "needs-copy" }
                }
                // Segments enough to let go of those that nothing keeps.
                try await write(200..<400)
                await moment(.seconds(3)) { try await cluster.gateway.status().log.start > 0 }
                for node in cluster.nodes {
                    let said = try await GatewayProcess.run([
                        "nodes", "trust", node.name, "--yes", "--admin", cluster.gateway.admin.base,
                        "--data-dir", cluster.gateway.dataFolder.path,
                    ])
                    #expect(said.status == .exited(0), "\(said.output)\(said.errors)")
                }
                try await cluster.gateway.waitUntilDrained()
                for node in cluster.nodes {
                    let left = try await node.client.count("text", of: "rot", db: "t")
                    #expect(left == 396, "\(node.name) holds \(left) of the 396 points that did not rot")
                }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        // MARK: Steps

        /// One bit of the only place in the log that holds this text.
        private func flip(_ text: String, in dataFolder: URL) throws {
            let log = dataFolder.appendingPathComponent("log")
            for name in try FileManager.default.contentsOfDirectory(atPath: log.path) where name.hasSuffix(".segment") {
                let file = log.appendingPathComponent(name)
                var bytes = try Data(contentsOf: file)
                guard let place = bytes.range(of: Data(text.utf8)) else { continue }
                bytes[place.lowerBound] ^= 1
                return try bytes.write(to: file)
            }
            throw TestFailure("the log does not hold: \(text)")
        }

        /// Lines in a write, of about 1 KB each.
        private static let lines = 150

        private func run(
            on disk: SmallDisk, _ log: [String: String], _ body: (TestCluster) async throws -> Void
        ) async throws {
            var settings = GatewayProcess.Settings(log: log)
            settings.dataFolder = disk.url.appendingPathComponent("data")
            defer { withExtendedLifetime(disk) {} }
            try await TestCluster.run(settings, body: body)
        }

        /// About 150 KB of new points.
        private func write(_ cluster: TestCluster, _ written: inout Int) async throws -> Reply {
            let text = String(repeating: "x", count: 1000)
            let times = written..<(written + Self.lines)
            let reply = try await cluster.client.write(times.map { "full s=\"\(text)\" \($0)\n" }.joined(), db: "t")
            if reply.status == 204 { written += Self.lines }
            return reply
        }

        private func writeUntilRefused(_ cluster: TestCluster, _ written: inout Int) async throws -> Reply {
            for _ in 0..<1000 {
                let reply = try await write(cluster, &written)
                if reply.status != 204 { return reply }
            }
            throw TestFailure("150 MB fit on the disk")
        }

        private func requireNotNow(_ reply: Reply) throws {
            #expect(reply.status == 503, "\(reply)")
            #expect(reply.header("Retry-After") != nil)
        }

        private func requireAccepted(_ cluster: TestCluster, _ written: inout Int) async throws {
            let deadline = ContinuousClock.now + .seconds(15)
            while true {
                let reply = try await write(cluster, &written)
                if reply.status == 204 { return }
                guard ContinuousClock.now < deadline else {
                    throw TestFailure("after \(written) lines writes are still refused: \(reply)")
                }
                await moment(.milliseconds(100))
            }
        }

        /// Writes are accepted again, by the same process, and both nodes hold everything that ever was.
        private func requireGoesOn(_ cluster: TestCluster, _ written: inout Int) async throws {
            try #require(cluster.gateway.process?.isRunning == true, "\(cluster.gateway.log)")
            try await requireAccepted(cluster, &written)
            try await cluster.gateway.waitUntilDrained()
            for node in cluster.nodes { #expect(try await node.count("s", of: "full") == written, "\(node.name)") }
            try await requireSameData(cluster.nodes, db: "t")
        }
    }
}

extension InfluxNode {
    fileprivate func count(_ field: String, of measurement: String) async throws -> Int {
        try await client.count(field, of: measurement, db: "t")
    }
}
