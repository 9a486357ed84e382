// The gateway dies or is stopped under load: whatever it acknowledged is there afterwards, on all nodes.

import CommitLog
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct GatewayFailures {
        @Test(
            "L3 L8 L6 kill -9 of the gateway under load, 20 times: every acknowledged point is on both nodes",
            arguments: [1, 2])
        func killed(threads: Int) async throws {
            try await TestCluster.run(.init(["threads": "\(threads)"])) { cluster in
                var acknowledged = 0
                var epoch: UInt64 = 0
                for round in 0..<20 {
                    var settings = WriteLoad.Settings(db: "t")
                    settings.measurement = "load\(round)"
                    settings.retries = false
                    // Levels below insync make the most of what only the log knows.
                    settings.parameters = round % 2 == 0 ? [:] : ["consistency": "any"]
                    let journal = try await WriteLoad.during(cluster.client, settings) { load in
                        try await load.more(40)
                        try await cluster.gateway.kill()
                    }
                    let took = try await cluster.gateway.start()
                    #expect(took < .seconds(5), "the gateway took \(took) to start")
                    try await cluster.gateway.waitUntilDrained()
                    for node in cluster.nodes { try await journal.requireAllStored(on: node) }
                    let log = try await cluster.gateway.status().log
                    #expect(log.epoch > epoch, "each open of the log is an epoch of its own")
                    epoch = log.epoch
                    acknowledged += journal.acknowledgedRequests
                }
                #expect(acknowledged >= 20 * 40)
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("L3 a stop under load ends with exit code 0 and loses nothing", arguments: [SIGTERM, SIGINT])
        func stopped(signal: Int32) async throws {
            try await TestCluster.run(.init(["ack": "any"])) { cluster in
                var settings = WriteLoad.Settings(db: "t")
                settings.retries = false
                let journal = try await WriteLoad.during(cluster.client, settings) { load in
                    try await load.more(300)
                    let (status, took) = try await timed { try await cluster.gateway.stop(signal) }
                    #expect(status == .exited(0))
                    #expect(took < .seconds(10), "it took \(took)")
                }
                // Requests that were under way are finished: none is answered by an error of the gateway's own.
                let answered = journal.failures.filter { $0.what.hasPrefix("5") && !$0.what.hasPrefix("503") }
                #expect(answered.isEmpty, "\(answered)")
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilDrained()
                for node in cluster.nodes { try await journal.requireAllStored(on: node) }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test(
            "L22 what the set refuses of a record for several reasons is one entry of the log, whole after a crash or none"
        )
        func oneEntry() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("m v=1 1\nn v=1 1", db: "t").status == 204)
                // Ten weeks later m may have another type; so what is refused is found line by line, each with its words.
                let later = 6_048_000_000_000_000
                let reply = try await cluster.client.write(
                    "m v=1i 2\nm v=1i \(later)\nn v=\"text\" 2", db: "t")
                #expect(reply.status == 400, "\(reply)")
                let refusals = try refusals(in: cluster.gateway.dataFolder)
                #expect(Set(refusals.map(\.reason)).count == 2, "\(refusals)")
                #expect(refusals.map(\.endsEntry) == [false, true])
            }
        }

        /// The records about refused lines, in order.
        private func refusals(in dataFolder: URL) throws -> [(reason: String, endsEntry: Bool)] {
            let log = try LogInspection(directory: dataFolder.appendingPathComponent("log").path)
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
            defer { buffer.deallocate() }
            var refusals: [(reason: String, endsEntry: Bool)] = []
            var position = log.start
            while case .records(let records, _, let next) = try log.read(from: position, into: buffer) {
                position = next
                for record in records where record.kind == .refusal {
                    let refusal = try RefusalRecord(decoding: UnsafeRawBufferPointer(rebasing: buffer[record.body]))
                    refusals.append((refusal.reason, record.endsEntry))
                }
            }
            return refusals
        }

        @Test(
            "L5 L4 S7 after a restart the backlog is delivered by itself, in order, also when the node dies again"
        )
        func backlogAfterRestart() async throws {
            try await TestCluster.run { cluster in
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                let journal = try await WriteLoad.during(cluster.client, .init(db: "t")) { load in
                    try await load.more(1500)
                }
                for value in 0..<30 {
                    try #require(try await cluster.client.write("over v=\(value) 1", db: "t").status == 204)
                }
                try await cluster.gateway.kill()
                try await cluster.gateway.start()
                for _ in 0..<3 {
                    try await cluster.b.start()
                    // Killed again as soon as the first of the backlog arrives; it may all be there by then.
                    try await eventually("the backlog begins to arrive") {
                        if try await cluster.b.counter("httpd", "pointsWrittenOK") > 0 { return true }
                        return try await cluster.gateway.status().node("b").backlog == 0
                    }
                    try await cluster.b.kill()
                }
                try await cluster.heal()
                for node in cluster.nodes {
                    try await journal.requireAllStored(on: node)
                    #expect(try await node.client.firstRow("SELECT v FROM over", db: "t") == ["29"])
                }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("L10 L20 a full log says 503 and drops nothing that no node has; it goes on when a node is back")
        func logFull() async throws {
            let settings = GatewayProcess.Settings(
                log: ["max_bytes": "4MiB", "segment": "256KiB", "min_free": "0B"])
            try await TestCluster.run(settings) { cluster in
                // Were one of them in sync, the other would be given up instead.
                for node in cluster.nodes { try await node.kill() }
                for node in cluster.nodes { try await cluster.gateway.waitUntilOutOfSync(node.name) }
                var acknowledged = 0
                var refusal: Reply?
                while acknowledged < 500, refusal == nil {
                    let text = String(repeating: "x", count: 200)
                    let lines = (0..<200).map { "full s=\"\(text)\" \(acknowledged * 200 + $0)" }.joined(
                        separator: "\n")
                    let reply = try await cluster.client.write(lines, db: "t")
                    if reply.status == 204 { acknowledged += 1 } else { refusal = reply }
                }
                let answer = try #require(refusal, "\(acknowledged) bodies of 44 KB fit into a log of 4 MiB")
                #expect(answer.status == 503, "\(answer)")
                #expect(answer.header("Retry-After") != nil)
                #expect(acknowledged > 20)
                try await cluster.heal()
                for node in cluster.nodes {
                    #expect(try await node.client.count("s", of: "full", db: "t") == acknowledged * 200, "\(node.name)")
                }
                try await eventually("writes are accepted again") {
                    try await cluster.client.write("full s=\"y\" 999999999", db: "t").status == 204
                }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("a gateway with a long backlog is ready within a second, and delivers the backlog")
        func opening() async throws {
            try await TestCluster.run(.init(["ack": "any"])) { cluster in
                for node in cluster.nodes { try await node.kill() }
                let text = String(repeating: "x", count: 180)
                for batch in 0..<40 {
                    let times = (batch * 5000)..<((batch + 1) * 5000)
                    let lines = times.map { "long s=\"\(text)\" \($0)\n" }.joined()
                    try #require(try await cluster.client.write(lines, db: "t").status == 204)
                }
                let bytes = try await cluster.gateway.status().log.bytesUsed
                try await cluster.gateway.kill()
                let took = try await cluster.gateway.start()
                print("a gateway with a log of \(bytes >> 20) MiB was ready after \(took)")
                #expect(took < .seconds(1))
                let peak = try #require(cluster.gateway.process?.peakResidentBytes)
                try await cluster.heal()
                let grown = try #require(cluster.gateway.process?.peakResidentBytes) - peak
                #expect(grown < 96 << 20, "memory does not grow with the backlog, yet it grew by \(grown >> 20) MB")
                for node in cluster.nodes {
                    #expect(try await node.client.count("s", of: "long", db: "t") == 200_000)
                }
            }
        }

        @Test("two gateways never share a data folder")
        func exclusive() async throws {
            try await TestCluster.run { cluster in
                let second = try await GatewayProcess.run(
                    [
                        "serve", "--config", cluster.gateway.configurationFile.path, "--listen",
                        "127.0.0.1:\(FreePort.next())",
                        "--admin", "127.0.0.1:\(FreePort.next())",
                    ])
                #expect(second.status != .exited(0))
                #expect(second.errors.contains(cluster.gateway.dataFolder.path), "\(second.errors)")
                #expect(try await cluster.client.write("m v=1 1", db: "t").status == 204)
            }
        }
    }
}
