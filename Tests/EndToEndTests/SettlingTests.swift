// InfluxDB has no order of effects: a request that was given up, or answered too early, lands on top of newer data. Each
// test provokes one of the measured ways (M1 to M6, M10, M11) through the gateway, many times, and looks at the nodes
// when nothing can land any more.

import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Settling {
        static let runs = isLong ? 20 : 2

        /// Writes are acknowledged once durable, so that nothing but the lanes decides when a node gets what.
        static let durableOnly = GatewayProcess.Settings(["ack": "any"])

        @Test(
            "S10 M1 a request that broke off in front of a hung node lands when the node wakes, yet the newer value stands",
            arguments: [FaultyLink.Ending.fin, .rst])
        func abandonedInFrontOfHungNode(ending: FaultyLink.Ending) async throws {
            try await TestCluster.run(Self.durableOnly, linked: ["b"]) { cluster in
                try await repeated(Self.runs) { run in
                    let contest = Overwrite("m\(run)", lines: 20)
                    try await breakOff(contest, in: cluster, attempts: 1, by: ending)
                    try await requireNewest(contest, in: cluster)
                }
            }
        }

        @Test("S10 S7 M2 large batches that broke off several times land late, yet the newer values stand")
        func abandonedBatches() async throws {
            try await TestCluster.run(Self.durableOnly, linked: ["b"]) { cluster in
                try await repeated(Self.runs) { run in
                    let contest = Overwrite("m\(run)")
                    try await breakOff(contest, in: cluster, attempts: 5)
                    try await requireNewest(contest, in: cluster)
                }
            }
        }

        @Test("S10 M2 kill -9 of the gateway leaves requests behind in a hung node, yet the newer values stand")
        func abandonedByDeadGateway() async throws {
            try await TestCluster.run(Self.durableOnly, linked: ["b"]) { cluster in
                try await repeated(Self.runs) { run in
                    let contest = Overwrite("m\(run)")
                    cluster.b.hang()
                    defer { cluster.b.wakeUp() }
                    try await write(contest.older, to: cluster)
                    for _ in 0..<(isLong ? 4 : 2) {
                        // A gateway that asks the node first sends nothing to one that hangs.
                        await moment(.seconds(1)) { try cluster.link(to: "b").requestsPassedOn(of: "m\(run),") > 0 }
                        try await cluster.gateway.kill()
                        try await cluster.gateway.start()
                    }
                    try await write(contest.newer, to: cluster)
                    try await requireNewest(contest, in: cluster)
                }
            }
        }

        @Test("S10 M3 after a 500 timeout the request goes on inside the node, yet the newer values stand")
        func coordinatorTimeout() async throws {
            var hasty = InfluxNode.Settings()
            hasty.extra = ["coordinator": "write-timeout = \"30ms\""]
            try await TestCluster.run(Self.durableOnly, node: hasty) { cluster in
                try await repeated(Self.runs) { run in
                    let contest = Overwrite("m\(run)")
                    try await write(contest.older, to: cluster)
                    try await write(contest.newer, to: cluster)
                    try await requireNewest(contest, in: cluster)
                }
                let timeouts = try await cluster.b.counter("write", "writeTimeout")
                #expect(timeouts > 0, "the situation came up")
                #expect(try await cluster.gateway.status().deadLetters == 0, "a time-out is no fault of the data")
            }
        }

        @Test(
            "S10 M4 a 400 for one shard group comes while another is still being written, yet the newer values stand",
            arguments: isLong ? ["inmem", "tsi1"] : ["inmem"])
        func earlyRefusal(index: String) async throws {
            var node = InfluxNode.Settings()
            node.index = index
            try await TestCluster.run(Self.durableOnly, node: node) { cluster in
                try await repeated(Self.runs) { run in
                    var contest = Overwrite("m\(run)")
                    // Weeks earlier, so in another shard group, where v has another type.
                    contest.before = "m\(run),s=typed v=1i 1600000000000000000\n"
                    try await write(contest.before, to: cluster)
                    contest.before = "m\(run),s=typed v=\"text\" 1600000000000000001\n"
                    try await write(contest.older, to: cluster)
                    try await write(contest.newer, to: cluster)
                    try await requireNewest(contest, in: cluster)
                }
                let letters = try await cluster.gateway.deadLetters(db: "t").deadLetters
                #expect(Set(letters.map(\.line)).count == Self.runs, "exactly the line of the other type is refused")
            }
        }

        @Test("S10 M5 a node is not in-sync before what broke off on the way to it has taken effect")
        func fence() async throws {
            try await TestCluster.run(Self.durableOnly, linked: ["b"]) { cluster in
                try await repeated(Self.runs) { run in
                    let contest = Overwrite("m\(run)", lines: 20_000)
                    let link = try cluster.link(to: "b")
                    link.cut(.init(.passedOn, of: contest.measurement), times: 3)
                    defer { link.disarm() }
                    try await write(contest.older, to: cluster)
                    try await eventually("a request broke off") { link.triggersLeft < 3 }
                    try await write(contest.newer, to: cluster)
                    try await cluster.gateway.waitUntilDrained()
                    // Nothing is written now, so what still runs is older than what the node was declared good for.
                    let unfinished = try await cluster.b.unfinishedWrites(db: "t")
                    if unfinished.shards != 0 {
                        throw TestFailure("b is in-sync with \(unfinished.shards) unfinished writes")
                    }
                    try await contest.requireNewest(on: cluster.b, db: "t")
                    try await requireNewest(contest, in: cluster)
                }
            }
        }

        @Test("L22 L7 M6 a 400 that hides a full cache loses none of the innocent points")
        func hiddenFailure() async throws {
            var small = InfluxNode.Settings()
            small.extra = [
                "data": """
                cache-max-memory-size = 1000000
                cache-snapshot-memory-size = 100000000
                cache-snapshot-write-cold-duration = "1s"
                """
            ]
            try await TestCluster.run(Self.durableOnly, node: small) { cluster in
                try await repeated(Self.runs) { run in
                    // The first fills most of the cache of its shard group, so that the second finds no room.
                    let filler = Overwrite("f\(run)", lines: 9000)
                    var contest = Overwrite("m\(run)", lines: 9000)
                    contest.before = "m\(run),s=typed v=1i 1600000000000000000\n"
                    try await write(filler.older, to: cluster)
                    try await write(contest.before, to: cluster)
                    contest.before = "m\(run),s=typed v=\"text\" 1600000000000000001\n"
                    try await write(contest.older, to: cluster)
                    try await write(contest.newer + filler.newer, to: cluster)
                    try await requireNewest(contest, in: cluster)
                    try await requireNewest(filler, in: cluster)
                }
                let full = try await cluster.a.counter("tsm1_cache", "writeErr")
                #expect(full > 0, "the situation came up")
                let letters = try await cluster.gateway.deadLetters(db: "t").deadLetters
                #expect(Set(letters.map(\.line)).count == Self.runs, "a full cache is no fault of the data")
            }
        }

        @Test("S10 M10 a DROP whose answer broke off after its head runs on, yet what was written after it stands")
        func answeredBeforeExecution() async throws {
            try await TestCluster.run(linked: ["b"]) { cluster in
                try await repeated(Self.runs) { run in
                    let contest = Overwrite("m\(run)", lines: 20_000)
                    try await write(contest.older, to: cluster)
                    let link = try cluster.link(to: "b")
                    link.cut(.init(.answering, of: "DROP%20MEASUREMENT"), times: 1)
                    defer { link.disarm() }
                    try await cluster.client.execute("DROP MEASUREMENT m\(run)", db: "t")
                    try await write(contest.newer, to: cluster)
                    try await requireOnlyNewer(contest, in: cluster)
                    if link.triggersLeft == 1 { throw TestFailure("no DROP broke off") }
                }
            }
        }

        @Test("S10 M11 a DROP that broke off in front of a hung node runs late, yet what was written after it stands")
        func abandonedDrop() async throws {
            try await TestCluster.run(linked: ["b"]) { cluster in
                try await repeated(Self.runs) { run in
                    let contest = Overwrite("m\(run)")
                    try await write(contest.older, to: cluster)
                    try await leaveBehind(.init(.passedOn, of: "DROP%20MEASUREMENT"), 5, in: cluster) {
                        try await cluster.client.execute("DROP MEASUREMENT m\(run)", db: "t")
                    }
                    try await write(contest.newer, to: cluster)
                    try await requireOnlyNewer(contest, in: cluster)
                }
            }
        }

        // MARK: Steps

        private func write(_ lines: String, to cluster: TestCluster) async throws {
            let reply = try await cluster.client.write(lines, db: "t")
            if reply.status != 204 { throw TestFailure("a write was answered \(reply)") }
        }

        /// The older write is sent up to `attempts` times to the hung node b, and each time its connection breaks; the
        /// newer one is in the log when the node wakes. The next attempt meets the node at work on those before.
        private func breakOff(
            _ contest: Overwrite, in cluster: TestCluster, attempts: Int, by ending: FaultyLink.Ending = .fin
        ) async throws {
            try await leaveBehind(.init(.passedOn, of: contest.measurement + ",", by: ending), attempts, in: cluster) {
                try await write(contest.older, to: cluster)
            }
            try await write(contest.newer, to: cluster)
        }

        /// Has the requests that `body` causes end in front of the hung node b, and wakes it.
        private func leaveBehind(
            _ trigger: FaultyLink.Trigger, _ attempts: Int, in cluster: TestCluster, _ body: () async throws -> Void
        ) async throws {
            let link = try cluster.link(to: "b")
            cluster.b.hang()
            link.cut(trigger, times: attempts, thenSilence: true)
            defer {
                link.disarm()
                link.restore()
                cluster.b.wakeUp()
            }
            try await body()
            try await eventually("a request broke off") { link.triggersLeft < attempts }
            // A gateway that settles first sends nothing a second time to a node that hangs.
            await moment(.seconds(2)) { link.triggersLeft == 0 }
            cluster.b.wakeUp()
            // The next attempt comes at another point of the node's work each time.
            await moment(.milliseconds(.random(in: 1...100)))
        }

        private func requireOnlyNewer(_ contest: Overwrite, in cluster: TestCluster) async throws {
            try await rest(cluster)
            for node in cluster.nodes {
                let left = try await node.client.count("v", of: contest.measurement, db: "t")
                if left != 3 { throw TestFailure("\(node.name) holds \(left) of the 3 points written after the DROP") }
            }
        }

        /// Waits until nothing can take effect any more on any node.
        private func rest(_ cluster: TestCluster) async throws {
            try await cluster.heal()
            for node in cluster.nodes { try await node.waitUntilQuiet(db: "t") }
        }

        private func requireNewest(_ contest: Overwrite, in cluster: TestCluster) async throws {
            try await rest(cluster)
            for node in cluster.nodes { try await contest.requireNewest(on: node, db: "t") }
        }
    }
}
