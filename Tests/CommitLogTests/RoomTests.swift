// Who may still append when room runs out, and which segments are rewritten: the rules alone, as tables.

import CommitLog
import SimulatedDisk
import Testing

@Suite struct RoomTests {
    /// A log of 1000 in segments of 50: the margin is 100.
    private static func shares(_ held: [UInt16: UInt64], sets: [UInt16]) -> RoomShares {
        var shares = RoomShares()
        shares.update(held: held, sets: sets, capacity: 1000, segmentBytes: 50)
        return shares
    }

    @Test(
        "each replica set has its part, and above it leaves the others theirs",
        arguments: [
            // Held, sets, room, set, what it may still append.
            ([:], [], 700, 1, 700), ([1: 300], [1], 700, 1, 700),
            // Two sets: parts of 250.
            ([:], [1, 2], 1000, 1, 650), ([1: 500], [1, 2], 500, 1, 150), ([1: 650], [1, 2], 350, 1, 0),
            ([1: 650], [1, 2], 350, 2, 250), ([1: 650, 2: 200], [1, 2], 150, 2, 50),
            ([1: 650, 2: 250], [1, 2], 100, 2, 0), ([1: 400, 2: 400], [1, 2], 200, 1, 100),
            // There is no more than there is.
            ([1: 650], [1, 2], 90, 2, 90), ([1: 650], [1, 2], 0, 2, 0),
            // Sets that nobody named have a part when they hold something, and are let in when not.
            ([1: 400, 9: 10], [1, 2], 590, 1, 168), ([1: 500], [1, 2], 500, 7, 250),
        ] as [([UInt16: UInt64], [UInt16], UInt64, UInt16, UInt64)])
    func rooms(held: [UInt16: UInt64], sets: [UInt16], room: UInt64, set: UInt16, expected: UInt64) {
        #expect(Self.shares(held, sets: sets).room(of: set, room: room) == expected)
    }

    @Test func `what waits for the disk counts, and what is dropped does not`() {
        var shares = Self.shares([1: 300], sets: [1, 2])
        shares.staged(1, bytes: 200)
        #expect(shares.backlogs == [1: 500, 2: 0])
        #expect(shares.room(of: 1, room: 500) == 150)
        shares.dropped(1, bytes: 150)
        shares.durable(1, bytes: 50)
        #expect(shares.backlogs == [1: 350, 2: 0])
        shares.staged(2, bytes: 100)
        #expect(shares.room(of: 1, room: 550) == 550 - 150 - 100)
        // An update replaces what is durable, not what is on its way.
        shares.update(held: [1: 10], sets: [1, 2], capacity: 1000, segmentBytes: 50)
        #expect(shares.backlogs == [1: 10, 2: 100])
        #expect(shares.tightest(room: 400) == 400)
    }

    @Test("L20 whatever others do, a set whose backlog stays below its part is never refused", arguments: 0..<50)
    func neverRefused(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let capacity: UInt64 = 100_000
        let sets = (0..<UInt16.random(in: 2...8, using: &random)).map { $0 }
        var held: [UInt16: UInt64] = [:]
        var shares = RoomShares()
        func update() { shares.update(held: held, sets: sets, capacity: capacity, segmentBytes: 500) }
        update()
        for _ in 0..<5000 {
            let room = capacity - held.values.reduce(0, +)
            let set = random.pick(sets)
            let bytes = UInt64.random(in: 1...400, using: &random)
            let isTaken = bytes <= shares.room(of: set, room: room)
            if held[set, default: 0] + bytes <= shares.part { #expect(isTaken) }
            if isTaken {
                held[set, default: 0] += bytes
                shares.staged(set, bytes: Int(bytes))
                shares.durable(set, bytes: bytes)
            }
            // All but the first keep up, more or less.
            if random.chance(20) {
                for set in sets.dropFirst() where random.chance(50) { held[set] = 0 }
                update()
            }
        }
        #expect(held[0] ?? 0 > shares.part)
    }

    private struct Case: CustomTestStringConvertible {
        let testDescription: String
        /// Of segments of 800: bytes, of which so much stays.
        let choices: [RewritePlan.Choice]
        var isShort = false
        let expected: Range<Int>?
    }

    private static func choice(
        _ bytes: UInt64, keeps kept: UInt64, isHistory: Bool = false, isAble: Bool = true
    ) -> RewritePlan.Choice {
        RewritePlan.Choice(
            bytes: bytes, kept: kept, finished: bytes - min(bytes, kept), isHistory: isHistory, isAble: isAble)
    }

    @Test func `the segments that are worth it, and neighbours that go along`() {
        let cases = [
            Case(testDescription: "none", choices: [], expected: nil),
            Case(testDescription: "nothing is finished", choices: [Self.choice(800, keeps: 800)], expected: nil),
            Case(testDescription: "less than three quarters", choices: [Self.choice(800, keeps: 300)], expected: nil),
            Case(testDescription: "most of it", choices: [Self.choice(800, keeps: 200)], expected: 0..<1),
            Case(
                testDescription: "any of it when room is short", choices: [Self.choice(800, keeps: 600)], isShort: true,
                expected: 0..<1),
            Case(
                testDescription: "an eighth at least", choices: [Self.choice(800, keeps: 701)], isShort: true,
                expected: nil),
            Case(
                testDescription: "history stays", choices: [Self.choice(800, keeps: 0, isHistory: true)], expected: nil),
            Case(
                testDescription: "history goes when room is short",
                choices: [Self.choice(800, keeps: 0, isHistory: true)], isShort: true, expected: 0..<1),
            Case(
                testDescription: "what is no history goes first",
                choices: [Self.choice(800, keeps: 0, isHistory: true), Self.choice(800, keeps: 500)], isShort: true,
                expected: 1..<2),
            Case(
                testDescription: "where most is won, then the oldest",
                choices: [700, 500, 100, 600, 100].map { Self.choice(800, keeps: $0) }, isShort: true, expected: 1..<3),
            Case(
                testDescription: "small ones before and after go along",
                choices: [800, 50, 90, 800, 90, 700].map { Self.choice($0, keeps: $0 == 800 ? 100 : $0) }.enumerated()
                    .map { $0 == 0 ? Self.choice(800, keeps: 800) : $1 },
                expected: 1..<5),
            Case(testDescription: "small ones alone stay", choices: [Self.choice(90, keeps: 80)], expected: nil),
            Case(
                testDescription: "a damaged one stays, and is no neighbour",
                choices: [Self.choice(90, keeps: 90, isAble: false), Self.choice(800, keeps: 0)], expected: 1..<2),
            Case(
                testDescription: "four segments at a time",
                choices: (0..<9).map { _ in Self.choice(800, keeps: 100) }, expected: 0..<4),
            Case(
                testDescription: "into one segment at the most",
                choices: (0..<9).map { _ in Self.choice(800, keeps: 390) }, isShort: true, expected: 0..<2),
        ]
        for this in cases {
            #expect(
                RewritePlan.next(this.choices, segmentBytes: 800, isShort: this.isShort) == this.expected,
                "\(this.testDescription)")
        }
    }
}
