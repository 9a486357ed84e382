// What is kept of a node's open shards, and how they are read from what a node shows.

import Cluster
import CommitLog
import Replication
import TestSupport
import Testing

@Suite("What is known of a node's shards")
struct ShardNoteTests {
    private func shard(_ id: Int64, _ database: String, _ policy: String = "autogen") -> ShardIdentity {
        ShardIdentity(id: id, database: database, policy: policy)
    }

    @Test("it is the same after it was kept, whatever names there are")
    func kept() {
        var shards = OpenShards()
        #expect(OpenShards(decoding: shards.encoded) == shards)
        let first: Set = [shard(1, "d"), shard(2, "a b,\n%", "one week"), shard(3, "")]
        shards.saw(first, at: Offset(7))
        #expect(OpenShards(decoding: shards.encoded) == shards)
        shards.saw(first.union([shard(4, "d"), shard(9, "d", "Monat März")]), at: Offset(.max))
        #expect(OpenShards(decoding: shards.encoded) == shards)
    }

    @Test("where there is not room for all, the newest are kept")
    func large() {
        var shards = OpenShards()
        shards.saw(Set((1...50_000).map { shard($0, "d\($0 % 7)") }), at: Offset(1))
        let kept = OpenShards(decoding: shards.encoded)
        #expect(shards.encoded.count <= CommitLog.maximumNoteBytes)
        #expect(kept.known.count > 5000)
        #expect(kept.known.keys.min()?.id == Int64(50_001 - kept.known.count))
    }

    @Test("what no gateway wrote is nothing", arguments: ["", "open", "open d autogen - x,,1y", "looked -3", "\u{0}"])
    func foreign(_ text: String) {
        #expect(OpenShards(decoding: Array(text.utf8)) == OpenShards())
    }
}

@Suite("The shards of a real influxd", .serialized, .timeLimit(.minutes(3)))
struct ShardInterviewTests {
    @Test("S2 a shard that could not be opened is listed, and not among those that are open", arguments: indexes)
    func damaged(_ index: String) async throws {
        let node = try await started("a", index: index) { $0.writesOutSoon() }
        try await node.client.execute("CREATE DATABASE d")
        let week = 604_800_000_000_000
        for time in [0, week] { try #require(try await node.client.write("m v=1 \(time)", db: "d").status == 204) }
        let interviewer = try await Interviewer(node.url)
        let before = try #require(try await interviewer.ask { $0.shards() })
        let (first, second) = (shard(1), shard(2))
        #expect(before.open == [first, second])
        #expect(before.listed.map(\.shard) == [first, second])
        #expect(before.listed.map(\.times) == [-3 * day..<4 * day, 4 * day..<11 * day])
        #expect(before.listed[0].period == "1969-12-29 to 1970-01-05")
        #expect(!before.isDropping)
        #expect(try await interviewer.ask { $0.openShards().map(\.1) } == before.open)

        try await node.waitUntilWrittenOut(shard: 1, of: "d")
        try await node.kill()
        try node.damage(index == "tsi1" ? .index : .points, shard: 1, of: "d")
        try await node.start()
        let after = try #require(try await interviewer.ask { $0.shards() })
        #expect(after.open == [second])
        #expect(after.listed == before.listed)
        #expect(after.process != before.process)
        var known = OpenShards()
        known.saw(before.open, at: .zero)
        #expect(known.missing(in: after, deliveredFrom: nil).map(\.shard) == [first])

        try await node.client.execute("DROP DATABASE d")
        let dropped = try #require(try await interviewer.ask { $0.shards() })
        #expect(dropped.open.isEmpty && dropped.listed.isEmpty)
        try await node.kill()
    }

    private let day: Int64 = 86_400_000_000_000

    private func shard(_ id: Int64) -> ShardIdentity { ShardIdentity(id: id, database: "d", policy: "autogen") }
}
