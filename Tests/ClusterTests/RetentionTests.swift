// Who is given up when the log runs out of room, and how long it lasts.

import Cluster
import CommitLog
import Testing

/// A log with segments of 100 records, 1000 bytes each.
private func bytesBelow(_ offset: Offset) -> UInt64 { offset.rawValue / 100 * 1000 }

private struct Case: CustomTestStringConvertible {
    let testDescription: String
    let room: UInt64
    let members: [(SyncState, Int?)]
    var others: [Int] = []
    let givenUp: [Int]
    var freed: UInt64 = 0
    var isShort = true
}

private let copy = SyncState.needsCopy(reason: "")
private let gone = SyncState.detached(reason: "")
private let paused = SyncState.paused(reason: "")

private struct Divided: CustomTestStringConvertible {
    let testDescription: String
    /// State, cursor, sets by number.
    let members: [(SyncState, Int?, [Int])]
    var short: Set<Int> = [0, 1, 2, 3]
    let givenUp: [Int]
    var freed: UInt64 = 0
}

@Suite("Who is given up when the log is full")
struct RetentionPolicyTests {
    @Test(
        "L20 only a node that is not in sync is given up, only if it helps, and never the last copy",
        arguments: [
            Case(
                testDescription: "there is room", room: 2000, members: [(.inSync, 900), (.catchingUp, 0)], givenUp: [],
                isShort: false),
            Case(
                testDescription: "one lags", room: 1999, members: [(.inSync, 950), (.catchingUp, 50)], givenUp: [1],
                freed: 9000, isShort: false),
            Case(
                testDescription: "nobody is in sync: what no node has stays", room: 0,
                members: [(.catchingUp, 900), (.catchingUp, 0)], givenUp: []),
            Case(
                testDescription: "joining is not in sync", room: 0,
                members: [(.joining(Offset(950)), 940), (.catchingUp, 0)], givenUp: []),
            Case(
                testDescription: "all are in sync: the log is just too small", room: 0,
                members: [(.inSync, 950), (.inSync, 949)], givenUp: []),
            Case(
                testDescription: "the oldest goes first, and alone if that is enough", room: 500,
                members: [(.inSync, 950), (.catchingUp, 550), (.catchingUp, 50)], givenUp: [2], freed: 5000,
                isShort: false),
            Case(
                testDescription: "both in the same segment: one alone would be given up for nothing", room: 0,
                members: [(.inSync, 950), (.catchingUp, 60), (.catchingUp, 50)], givenUp: [2, 1], freed: 9000,
                isShort: false),
            Case(
                testDescription: "the second only costs a copy and frees nothing more", room: 0,
                members: [(.inSync, 250), (.catchingUp, 220), (.catchingUp, 150)], givenUp: [2], freed: 1000),
            Case(
                testDescription: "in the open segment nothing is to be won", room: 0,
                members: [(.inSync, 950), (.catchingUp, 910)], givenUp: []),
            Case(
                testDescription: "an in-sync node with an older cursor needs it too", room: 0,
                members: [(.inSync, 950), (.inSync, 40), (.catchingUp, 20)], givenUp: []),
            Case(
                testDescription: "nobody in sync is further than the one that lags", room: 0,
                members: [(.inSync, 300), (.catchingUp, 300)], givenUp: []),
            Case(
                testDescription: "paused and unattached nodes hold the log like others", room: 0,
                members: [(.inSync, 950), (paused, 90), (gone, 50)], givenUp: [2, 1], freed: 9000, isShort: false),
            Case(
                testDescription: "who needs a copy already holds nothing", room: 0,
                members: [(.inSync, 950), (copy, nil), (gone, nil)], givenUp: []),
            Case(
                testDescription: "who needs a copy and still has a cursor is only told again", room: 0,
                members: [(.inSync, 950), (copy, 50)], givenUp: [1], freed: 9000, isShort: false),
            Case(
                testDescription: "a reader that is no node is not given up for", room: 0,
                members: [(.inSync, 950), (.catchingUp, 50)], others: [80], givenUp: []),
            Case(
                testDescription: "a reader that is no node limits what is won", room: 0,
                members: [(.inSync, 950), (.catchingUp, 50)], others: [180], givenUp: [1], freed: 1000),
        ])
    fileprivate func decisions(this: Case) {
        let all = NodeSet.first(this.members.count)
        let members = this.members.enumerated().map { index, member in
            RetentionPolicy.Member(
                node: NodeIndex(index), state: member.0, cursor: member.1.map { Offset(UInt64($0)) }, sets: [all])
        }
        let decision = RetentionPolicy(wantedRoom: 2000).decide(
            room: this.room, shortSets: [all], members: members,
            otherCursors: this.others.map { Offset(UInt64($0)) }, bytesFinished: { bytesBelow($0[all] ?? .zero) })
        #expect(decision.givenUp == this.givenUp.map(NodeIndex.init))
        #expect(decision.freed == this.freed)
        #expect(decision.isShort == this.isShort)
    }

    /// Sets of nodes 0 and 1, of 1 and 2, of 2 alone, of 2 and 3.
    private static let sets = [[0, 1], [1, 2], [2], [2, 3]].map { NodeSet($0.map { NodeIndex($0) }) }

    @Test(
        "L20 with several replica sets a node is given up only if each of its sets has another copy",
        arguments: [
            Divided(
                testDescription: "the other of its set has it", members: [(.inSync, 900, [0]), (.catchingUp, 0, [0])],
                givenUp: [1], freed: 9000),
            Divided(
                testDescription: "one of its sets has no other in sync",
                members: [(.inSync, 900, [0]), (.catchingUp, 0, [0, 1]), (.catchingUp, 900, [1])], givenUp: []),
            Divided(
                testDescription: "each of its sets has another",
                members: [(.inSync, 900, [0]), (.catchingUp, 0, [0, 1]), (.inSync, 500, [1])], givenUp: [1],
                freed: 9000 + 5000),
            Divided(
                testDescription: "the only node of a set is never given up",
                members: [(.inSync, 900, [0]), (.inSync, 900, [0]), (.catchingUp, 0, [2])], givenUp: []),
            Divided(
                testDescription: "another in sync that is not further has not applied it",
                members: [(.inSync, 100, [0]), (.catchingUp, 100, [0])], givenUp: []),
            Divided(
                testDescription: "a set in which there is room costs its node nothing",
                members: [(.inSync, 900, [0]), (.catchingUp, 0, [0]), (.catchingUp, 0, [2])], short: [2], givenUp: []),
            Divided(
                testDescription: "a node whose sets have no backlog holds nothing",
                members: [(.inSync, 900, [0]), (.catchingUp, 0, [])], givenUp: []),
            Divided(
                testDescription: "who comes first and frees nothing is spared",
                members: [(.catchingUp, 20, [0]), (.inSync, 90, [0]), (.catchingUp, 60, [3]), (.inSync, 400, [3])],
                givenUp: [2], freed: 4000),
        ])
    fileprivate func divided(this: Divided) {
        let members = this.members.enumerated().map { index, member in
            RetentionPolicy.Member(
                node: NodeIndex(index), state: member.0, cursor: member.1.map { Offset(UInt64($0)) },
                sets: member.2.map { Self.sets[$0] })
        }
        let decision = RetentionPolicy(wantedRoom: 2000).decide(
            room: 0, shortSets: Set(this.short.map { Self.sets[$0] }), members: members,
            bytesFinished: { $0.values.reduce(0) { $0 + bytesBelow($1) } })
        #expect(decision.givenUp == this.givenUp.map(NodeIndex.init))
        #expect(decision.freed == this.freed)
    }

    @Test("the room that is wanted is two segments, or a quarter of a small log")
    func wantedRoom() {
        #expect(RetentionPolicy(segmentBytes: 64, maximumBytes: 10_000).wantedRoom == 128)
        #expect(RetentionPolicy(segmentBytes: 64, maximumBytes: 256).wantedRoom == 64)
    }
}

@Suite("How long a node may stay away")
struct OutageBudgetTests {
    private static let second: Int64 = 1_000_000_000

    /// The budget after some seconds at a rate in bytes per second, sampled 20 times a second.
    private static func run(_ phases: [(seconds: Int, rate: UInt64)]) -> OutageBudget {
        var budget = OutageBudget()
        var bytes: UInt64 = 0
        var tick: Int64 = 0
        for phase in phases {
            for _ in 0..<phase.seconds * 20 {
                bytes += phase.rate / 20
                tick += 1
                budget.note(bytesAppended: bytes, at: tick * second / 20)
            }
        }
        return budget
    }

    @Test(
        "room divided by the rate of the last five minutes",
        arguments: [
            ([], nil), ([(5, 1000)], nil), ([(11, 1000)], 10), ([(3600, 1000)], 10), ([(3600, 0)], nil),
            ([(3600, 1000), (300, 2000)], 5), ([(600, 1000), (150, 3000)], 5), ([(600, 1000), (301, 0)], nil),
        ] as [([(seconds: Int, rate: UInt64)], Double?)])
    func budgets(phases: [(seconds: Int, rate: UInt64)], expected: Double?) {
        let seconds = Self.run(phases).seconds(room: 10_000)
        switch (seconds, expected) {
        case (nil, nil): break
        case (let seconds?, let expected?): #expect(abs(seconds - expected) < 0.05 * expected)
        default: Issue.record("\(String(describing: seconds)) instead of \(String(describing: expected))")
        }
    }

    @Test("a counter that begins anew is no load")
    func counterReset() {
        var budget = Self.run([(60, 1000)])
        budget.note(bytesAppended: 0, at: 61 * Self.second)
        #expect(budget.seconds(room: 10) == nil)
        budget.note(bytesAppended: 20_000, at: 81 * Self.second)
        #expect(budget.rate == 1000)
    }
}
