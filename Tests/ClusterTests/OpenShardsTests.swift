// Shards that InfluxDB could not open: which are missed, which not, and what is said of them.

import Cluster
import CommitLog
import Testing

private let week: Int64 = 604_800_000_000_000

private func shard(_ id: Int64, _ database: String = "d", _ policy: String = "autogen") -> ShardIdentity {
    ShardIdentity(id: id, database: database, policy: policy)
}

/// Shard n holds the n-th week.
private func listed(_ shard: ShardIdentity) -> ListedShard {
    ListedShard(shard, times: shard.id * week..<(shard.id + 1) * week, period: "week \(shard.id)")
}

private func seen(open: [ShardIdentity], listed all: [ShardIdentity], isDropping: Bool = false) -> ShardsSeen {
    ShardsSeen(
        process: ProcessIdentity(started: "now"), open: Set(open), listed: all.map(listed), isDropping: isDropping)
}

@Suite("Shards that a node was seen to have open")
struct OpenShardsTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var what: String
        /// Looks before the restart: the cursor, and what was open.
        var looks: [(UInt64, [Int64])]
        var open: [Int64]
        var listed: [Int64]
        var isDropping = false
        var deliveredFrom: UInt64? = 1000
        var missing: [Int64]

        var testDescription: String { what }

        init(
            _ what: String, _ looks: [(UInt64, [Int64])], open: [Int64], listed: [Int64], isDropping: Bool = false,
            from: UInt64? = 1000, missing: [Int64]
        ) {
            self.what = what
            self.looks = looks
            self.open = open
            self.listed = listed
            self.isDropping = isDropping
            deliveredFrom = from
            self.missing = missing
        }
    }

    @Test(
        "S2 a shard that was open, is listed and is not open any more is missed",
        arguments: [
            Row("all open", [(10, [1, 2])], open: [1, 2], listed: [1, 2], missing: []),
            Row("one was not opened", [(10, [1, 2])], open: [2], listed: [1, 2], missing: [1]),
            Row("none was opened", [(10, [1, 2])], open: [], listed: [1, 2], missing: [1, 2]),
            Row("never seen open: made ahead of time", [(10, [1])], open: [1], listed: [1, 2], missing: []),
            Row("nothing was ever seen", [], open: [], listed: [1, 2], missing: []),
            Row("dropped since", [(10, [1, 2])], open: [2], listed: [2], missing: []),
            Row("being dropped", [(10, [1, 2])], open: [2], listed: [1, 2], isDropping: true, missing: []),
            Row("not open at the last look", [(10, [1, 2]), (20, [2])], open: [2], listed: [1, 2], missing: []),
            Row(
                "new since the last look but one, and all since then is delivered again",
                [(10, [1]), (20, [1, 2])], open: [1], listed: [1, 2], from: 10, missing: []),
            Row(
                "new since the last look but one, and not all is delivered again",
                [(10, [1]), (20, [1, 2])], open: [1], listed: [1, 2], from: 11, missing: [2]),
            Row(
                "new, seen twice", [(10, [1]), (20, [1, 2]), (30, [1, 2])], open: [1], listed: [1, 2], from: 11,
                missing: [2]),
            Row(
                "there from the beginning: it may hold what the log does not", [(10, [1])], open: [], listed: [1],
                from: 0, missing: [1]),
            Row(
                "nothing is delivered", [(10, [1]), (20, [1, 2])], open: [1], listed: [1, 2], from: nil,
                missing: [2]),
        ])
    func missing(_ row: Row) {
        var shards = OpenShards()
        for (cursor, open) in row.looks { shards.saw(Set(open.map { shard($0) }), at: Offset(cursor)) }
        let seen = seen(
            open: row.open.map { shard($0) }, listed: row.listed.map { shard($0) }, isDropping: row.isDropping)
        let missing = shards.missing(in: seen, deliveredFrom: row.deliveredFrom.map { Offset($0) })
        #expect(missing.map(\.shard.id) == row.missing)
    }

    @Test("the same number in another database or policy is another shard")
    func identity() {
        var shards = OpenShards()
        shards.saw([shard(1)], at: Offset(5))
        let other = seen(open: [], listed: [shard(1, "e"), shard(1, "d", "month")])
        #expect(shards.missing(in: other, deliveredFrom: nil).isEmpty)
    }

    @Test("S11 what a server has after a start that it was not seen to have before may be older than the last look")
    func afterStart() {
        for (isSameRun, missing) in [(true, []), (false, [2])] as [(Bool, [Int64])] {
            var shards = OpenShards()
            shards.saw([shard(1)], at: Offset(10))
            shards.saw([shard(1), shard(2)], at: Offset(20), isSameRun: isSameRun)
            let seen = seen(open: [shard(1)], listed: [shard(1), shard(2)])
            #expect(shards.missing(in: seen, deliveredFrom: Offset(10)).map(\.shard.id) == missing)
        }
    }

    @Test("S11 a shard that is not open and never was gets again what was written since the last look")
    func neverSeenOpen() {
        var shards = OpenShards()
        let unseen = seen(open: [shard(1)], listed: [shard(1), shard(2)])
        #expect(shards.deliveryStart(for: unseen) == nil, "it was never looked")
        shards.saw([shard(1)], at: Offset(10))
        #expect(shards.deliveryStart(for: unseen) == Offset(10))
        shards.saw([shard(1)], at: Offset(20))
        #expect(shards.deliveryStart(for: unseen) == Offset(20))
        #expect(shards.deliveryStart(for: seen(open: [shard(1)], listed: [shard(1)])) == nil)
        shards.saw([shard(1), shard(2)], at: Offset(30))
        #expect(shards.deliveryStart(for: unseen) == nil, "that is for `missing` to say")
    }

    @Test(
        "what a statement drops is forgotten, and nothing else",
        arguments: [
            ("d", nil, [5]), ("d", "month", [1, 5]), ("e", "autogen", [1, 3]), ("f", nil, [1, 3, 5]), (nil, nil, []),
        ] as [(String?, String?, [Int64])])
    func forgetting(_ database: String?, _ policy: String?, _ left: [Int64]) {
        let all = [shard(1), shard(3, "d", "month"), shard(5, "e")]
        var shards = OpenShards()
        shards.saw(Set(all), at: Offset(5))
        #expect(shards.forget(database: database, policy: policy) == (left.count < 3))
        let seen = seen(open: [], listed: all)
        #expect(shards.missing(in: seen, deliveredFrom: nil).map(\.shard.id) == left)
    }

    struct Stubborn: Sendable, CustomTestStringConvertible {
        var words: String
        var database = "d"
        var policy = ""
        var times: ClosedRange<Int64>?
        var known: [ShardIdentity] = []
        var open: [ShardIdentity] = []
        var listed = [shard(1), shard(2), shard(3, "e")]
        var isDropping = false
        var blamed: [Int64]

        var testDescription: String { words }
    }

    @Test(
        "writes that are refused for ever are the fault of a shard only if it is listed and not open",
        arguments: [
            Stubborn(words: "answered 500: [shard 1] unexpected end of JSON input", blamed: [1]),
            Stubborn(words: "answered 500: [shard 1] x, it is open", open: [shard(1)], blamed: []),
            Stubborn(words: "answered 500: [shard 1] x, it is dropped", listed: [shard(2)], blamed: []),
            Stubborn(words: "answered 500: [shard 1] x, being dropped", isDropping: true, blamed: []),
            Stubborn(words: "answered 500: [shard 3] of another database", blamed: []),
            Stubborn(words: "answered 500: [shard 1] of another policy", policy: "month", blamed: []),
            Stubborn(words: "answered 500: [shard 1] of this policy", policy: "autogen", blamed: [1]),
            Stubborn(words: "answered 500: no shard named", times: week...week, blamed: []),
            Stubborn(
                words: "answered 500: no shard named, one known", times: week...week, known: [shard(1)], blamed: [1]),
            Stubborn(
                words: "answered 500: no shard named, times elsewhere", times: 2 * week...2 * week, known: [shard(1)],
                blamed: []),
            Stubborn(
                words: "answered 500: no shard named, two weeks", times: week...2 * week,
                known: [shard(1), shard(2)], blamed: [1, 2]),
            Stubborn(words: "answered 500: no shard named, no times", known: [shard(1)], blamed: []),
            Stubborn(words: "answered 500: [shard ] [shard x] [shard", times: week...week, blamed: []),
        ])
    func refusing(_ row: Stubborn) {
        var shards = OpenShards()
        shards.saw(Set(row.known), at: Offset(5))
        let write = StubbornWrite(database: row.database, policy: row.policy, times: row.times, words: row.words)
        let seen = seen(open: row.open, listed: row.listed, isDropping: row.isDropping)
        #expect(shards.refusing(write, in: seen).map(\.shard.id) == row.blamed)
    }

    @Test("the operator hears which shards, which time, where to look and what to do")
    func advice() {
        let one = OpenShards.advice([listed(shard(7, "telegraf"))], node: "b")
        #expect(
            one == """
                InfluxDB could not open shard 7 of telegraf/autogen (see "Failed to open shard" in its log): data of \
                week 7 is missing there. Copy the data of another node to b, then say sluice nodes trust b; without a \
                copy, that takes it as it is
                """)
        let five = OpenShards.advice((1...5).map { listed(shard($0)) }, node: "b")
        #expect(five.contains("shard 1 of d/autogen, shard 2 of d/autogen, shard 3 of d/autogen and 2 more (see"))
        #expect(five.contains("data of week 1, week 2, week 3 and 2 more is missing"))
    }
}
