// What becomes of lines that nodes refuse: tables of single cases, and random orders of events against the rules as
// DESIGN tells them.

import Cluster
import CommitLog
import TestThreads
import Testing

private let offset = Offset(7)

private func node(_ index: Int) -> NodeIndex { NodeIndex(index) }
private func nodes(_ indices: Int...) -> NodeSet { NodeSet(indices.map { NodeIndex($0) }) }

/// Lines that a node refused, in words of its own.
private func lines(_ numbers: some Sequence<Int>, by node: Int) -> RefusedLines {
    let words = Refusal(status: 400, message: "no from \(node)")
    return RefusedLines(lines: numbers.sorted().map { .init(line: $0, refusal: words) }, words: words)
}

private func lines(_ numbers: Int..., by node: Int) -> RefusedLines { lines(numbers, by: node) }

private func decided(
    final: RefusedLines? = nil, parties: [Int], diverged: [Int: RefusedLines] = [:]
) -> RefusalCourt.Action {
    let diverged = Dictionary(uniqueKeysWithValues: diverged.map { (node($0.key), $0.value) })
    return .decided(offset, .init(final: final, parties: parties.map(node), diverged: diverged))
}

@Suite("What becomes of refused lines", .blocking)
struct RefusalCourtTests {
    @Test("lines that all in-sync nodes refuse are final, in the words of the first node in configuration order")
    func final() {
        var court = RefusalCourt(ackSet: nodes(0, 1, 2))
        #expect(court.reported(node(1), offset, lines(3, 5, by: 1), passed: nodes()) == [.ask(nodes(0, 2), offset)])
        #expect(court.reported(node(2), offset, lines(3, 5, by: 2), passed: nodes()).isEmpty, "asked once")
        #expect(
            court.reported(node(0), offset, lines(3, 5, by: 0), passed: nodes())
                == [decided(final: lines(3, 5, by: 0), parties: [0, 1, 2])])
        #expect(court.openCases == 0)
    }

    @Test("only nodes of the record's replica set have a say, and only they are waited for")
    func replicaSets() {
        var court = RefusalCourt(ackSet: nodes(0, 1, 2))
        #expect(
            court.reported(node(1), offset, lines(3, by: 1), of: nodes(1, 2), passed: nodes(0))
                == [.ask(nodes(2), offset)])
        #expect(court.overdue(now: 10, after: 5) == nodes(2))
        #expect(court.setAckSet(nodes(1, 2)).isEmpty)
        #expect(court.setAckSet(nodes(0, 1, 2)).isEmpty, "0 is not asked")
        #expect(
            court.reported(node(2), offset, lines(3, by: 2), of: nodes(1, 2), passed: nodes(0))
                == [decided(final: lines(3, by: 1), parties: [1, 2])])
    }

    @Test("what only some refuse of lines that others took differs on them, what all refuse is final nevertheless")
    func common() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, 2, 3, by: 0), passed: nodes())
        #expect(
            court.reported(node(1), offset, lines(2, 4, by: 1), passed: nodes())
                == [
                    decided(
                        final: lines(2, by: 0), parties: [0, 1],
                        diverged: [0: lines(1, 3, by: 0), 1: lines(4, by: 1)])
                ])
    }

    @Test("nothing is final when no line is refused by all")
    func nothingInCommon() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
        #expect(
            court.reported(node(1), offset, lines(2, by: 1), passed: nodes())
                == [decided(parties: [0, 1], diverged: [0: lines(1, by: 0), 1: lines(2, by: 1)])])
    }

    @Test("the first accept wins: where one node took the record whole, those that refused have diverged")
    func accepted() {
        var court = RefusalCourt(ackSet: nodes(0, 1, 2))
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
        #expect(court.took(node(2), offset).isEmpty, "node 1 has not spoken")
        #expect(
            court.reported(node(1), offset, lines(1, by: 1), passed: nodes())
                == [decided(parties: [0, 1], diverged: [0: lines(1, by: 0), 1: lines(1, by: 1)])])
    }

    @Test("a node that has the record behind it took it, also one that is not in sync, and is not asked")
    func passed() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        #expect(
            court.reported(node(0), offset, lines(1, by: 0), passed: nodes(0, 1))
                == [decided(parties: [0], diverged: [0: lines(1, by: 0)])])
        court = RefusalCourt(ackSet: nodes(0))
        #expect(
            court.reported(node(0), offset, lines(1, by: 0), passed: nodes(3))
                == [decided(parties: [0], diverged: [0: lines(1, by: 0)])])
    }

    @Test("a case ends when the node that has not spoken leaves; with nobody in sync it ends at once")
    func leaves() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
        #expect(court.setAckSet(nodes(0)) == [decided(final: lines(1, by: 0), parties: [0])])

        court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
        #expect(court.setAckSet(nodes()) == [decided(final: lines(1, by: 0), parties: [0])])

        court = RefusalCourt()
        #expect(
            court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
                == [decided(final: lines(1, by: 0), parties: [0])])
    }

    @Test("a node that enters while a case is open is asked, and waited for")
    func enters() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
        #expect(court.setAckSet(nodes(0, 1, 2)) == [.ask(nodes(2), offset)])
        #expect(court.reported(node(1), offset, lines(1, by: 1), passed: nodes()).isEmpty)
        #expect(
            court.took(node(2), offset)
                == [decided(parties: [0, 1], diverged: [0: lines(1, by: 0), 1: lines(1, by: 1)])])
    }

    @Test("S11 what a node said that goes back in time does not count")
    func forgotten() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
        _ = court.reported(node(2), offset, lines(1, 2, by: 2), passed: nodes())
        #expect(court.setAckSet(nodes(1)).isEmpty)
        #expect(court.forget(node(0)).isEmpty)
        #expect(
            court.reported(node(1), offset, lines(1, 2, by: 1), passed: nodes())
                == [decided(final: lines(1, 2, by: 1), parties: [1, 2])])

        court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
        #expect(court.forget(node(0)).isEmpty)
        #expect(court.openCases == 0, "nobody refuses anything any more")
        #expect(court.took(node(1), offset).isEmpty)
    }

    @Test("what a node says last of a record counts: it is not against itself")
    func twice() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes())
        #expect(court.took(node(0), offset).isEmpty, "a node that refused lines did not take the record whole")
        #expect(
            court.reported(node(1), offset, lines(1, by: 1), passed: nodes())
                == [decided(final: lines(1, by: 0), parties: [0, 1])])
    }

    @Test("a node that reports when the decision is made, and not yet known to it, waits for nobody")
    func late() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        _ = court.reported(node(0), offset, lines(1, 2, by: 0), passed: nodes())
        _ = court.reported(node(1), offset, lines(1, 2, by: 1), passed: nodes())
        #expect(
            court.reported(node(2), offset, lines(1, 2, by: 2), passed: nodes()) == [decided(parties: [2])],
            "it is not made twice")
        #expect(
            court.reported(node(3), offset, lines(1, 5, by: 3), passed: nodes(0, 1, 2))
                == [decided(parties: [3], diverged: [3: lines(5, by: 3)])],
            "those that have it behind them refused line 1 as well, and took line 5")
        #expect(court.openCases == 0)
    }

    @Test("a decision from before counts as one of now, until no node comes to its record any more")
    func recalled() {
        var court = RefusalCourt(ackSet: nodes(0))
        court.knows(offset, refused: [1..<3])
        court.knows(offset, refused: [7..<8])
        #expect(
            court.reported(node(1), offset, lines(1, 2, 7, 8, by: 1), passed: nodes())
                == [decided(parties: [1], diverged: [1: lines(8, by: 1)])])
        court.forgetVerdicts(below: offset)
        #expect(
            court.reported(node(1), offset, lines(1, by: 1), passed: nodes()) == [decided(parties: [1])],
            "the record itself is still to come for somebody")
        court.forgetVerdicts(below: offset.advanced(by: 1))
        #expect(court.reported(node(1), offset, lines(1, by: 1), passed: nodes()) == [.ask(nodes(0), offset)])
    }

    @Test("A1 an in-sync node that does not speak is overdue, but only when another in-sync node waits for it")
    func overdue() {
        var court = RefusalCourt(ackSet: nodes(0, 1, 2))
        _ = court.reported(node(3), offset, lines(1, by: 3), passed: nodes(), now: 100)
        #expect(court.overdue(now: 1_000, after: 50).isEmpty, "only a node that is behind waits")
        _ = court.reported(node(0), offset, lines(1, by: 0), passed: nodes(), now: 200)
        #expect(court.overdue(now: 150, after: 50).isEmpty)
        #expect(court.overdue(now: 151, after: 50) == nodes(1, 2), "since the case was opened")
        _ = court.took(node(1), offset)
        #expect(court.overdue(now: 1_000, after: 50) == nodes(2))
        _ = court.setAckSet(nodes(0, 1))
        #expect(court.overdue(now: 1_000, after: 50).isEmpty)
    }

    @Test(
        "any order of events: each case ends when the in-sync nodes have spoken, once, by the rules", arguments: 0..<100
    )
    func random(group: UInt64) {
        for seed in group * 20..<(group + 1) * 20 {
            var model = CourtModel(seed: seed)
            for _ in 0..<60 { model.step() }
            model.end()
            #expect(model.problems == [], "seed \(seed)")
        }
    }
}

/// Nodes that take or refuse a few records in any order, while they come and go; and what the court should say.
private struct CourtModel {
    private struct Open {
        var reports: [NodeIndex: Set<Int>] = [:]
        var took: Set<NodeIndex> = []
        var asked: Set<NodeIndex> = []
        var spoken: Set<NodeIndex> { took.union(reports.keys) }
    }

    private static let all = (0..<4).map { NodeIndex($0) }
    private static let offsets = (0..<3).map { Offset(UInt64($0)) }

    private var random: SplitMix
    private var court = RefusalCourt()
    private var ackSet: Set<NodeIndex> = []
    private var open: [Offset: Open] = [:]
    private var finals: [Offset: Set<Int>] = [:]
    private var waiting: [Offset: Set<NodeIndex>] = [:]
    /// Records that a node is done with, or has reported.
    private var done: [NodeIndex: Set<Offset>] = [:]
    private(set) var problems: [String] = []

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
        changeAckSet()
    }

    mutating func step() {
        let node = Self.all.randomElement(using: &random)!
        let offset = Self.offsets.randomElement(using: &random)!
        switch random.next() % 8 {
        case 0: changeAckSet()
        case 1 where random.next() % 2 == 0: restart(node)
        default: reach(node, offset)
        }
    }

    /// All leave: nobody waits any more.
    mutating func end() {
        changeAckSet(to: [])
        expect(court.openCases == 0, "an open case")
        expect(waiting.values.allSatisfy(\.isEmpty), "a node waits for ever")
    }

    private mutating func expect(_ isTrue: Bool, _ problem: String) {
        if !isTrue { problems.append(problem) }
    }

    private mutating func changeAckSet(to set: Set<NodeIndex>? = nil) {
        ackSet = set ?? Set(Self.all.filter { _ in random.next() % 2 == 0 })
        let actions = court.setAckSet(NodeSet(ackSet))
        check(actions)
    }

    private mutating func restart(_ node: NodeIndex) {
        changeAckSet(to: ackSet.subtracting([node]))
        for offset in Self.offsets {
            waiting[offset]?.remove(node)
            open[offset]?.reports[node] = nil
            open[offset]?.took.remove(node)
            open[offset]?.asked.remove(node)
            if open[offset]?.reports.isEmpty == true { open[offset] = nil }
        }
        done[node] = []
        let actions = court.forget(node)
        check(actions)
    }

    /// A node comes to a record, refuses some lines of it or none.
    private mutating func reach(_ node: NodeIndex, _ offset: Offset) {
        guard done[node, default: []].insert(offset).inserted else { return }
        let refused = Set((0..<3).filter { _ in random.next() % 3 != 0 })
        guard !refused.isEmpty else {
            open[offset]?.took.insert(node)
            let actions = court.took(node, offset)
            return check(actions)
        }
        let passed = Self.all.filter {
            $0 != node && done[$0, default: []].contains(offset) && waiting[offset]?.contains($0) != true
        }
        waiting[offset, default: []].insert(node)
        let report = lines(refused, by: Int(node.value))
        let actions = court.reported(node, offset, report, passed: NodeSet(passed))
        if let final = finals[offset] {
            let rest = refused.subtracting(final)
            guard actions.count == 1, case .decided(offset, let decision)? = actions.first else {
                return problems.append("no answer to a late report")
            }
            expect(decision.parties == [node] && decision.final == nil, "decided twice")
            expect(Set(decision.diverged[node]?.lines.map(\.line) ?? []) == rest, "a late report")
            waiting[offset]?.remove(node)
            return
        }
        var entry = open[offset] ?? Open()
        entry.reports[node] = refused
        entry.took.formUnion(passed.filter { entry.reports[$0] == nil })
        open[offset] = entry
        check(actions)
    }

    private mutating func check(_ actions: [RefusalCourt.Action]) {
        for case .ask(let nodes, let offset) in actions { open[offset]?.asked.formUnion(nodes) }
        var decisions: [Offset: RefusalCourt.Decision] = [:]
        for case .decided(let offset, let decision) in actions {
            expect(decisions.updateValue(decision, forKey: offset) == nil, "decided twice")
        }
        let ended = open.filter { ackSet.isSubset(of: $0.value.spoken) }
        expect(Set(decisions.keys) == Set(ended.keys), "decided \(decisions.keys), not \(ended.keys)")
        for (offset, entry) in ended {
            open[offset] = nil
            guard let decision = decisions[offset] else { continue }
            let final =
                entry.took.isEmpty ? entry.reports.values.reduce(Set(0..<3)) { $0.intersection($1) } : []
            expect(Set(decision.final?.lines.map(\.line) ?? []) == final, "final")
            expect((decision.final == nil) == final.isEmpty, "an empty decision")
            expect(decision.parties == entry.reports.keys.sorted(), "parties")
            for (node, refused) in entry.reports {
                let rest = refused.subtracting(final)
                expect(Set(decision.diverged[node]?.lines.map(\.line) ?? []) == rest, "diverged")
            }
            expect(waiting[offset, default: []] == Set(decision.parties), "who waits")
            waiting[offset] = []
            finals[offset] = final
        }
        for entry in open.values {
            expect(ackSet.subtracting(entry.spoken).isSubset(of: entry.asked), "a node is waited for and not asked")
        }
    }
}

@Suite("Lines refused by a node that may have taken them before")
struct VoidRefusalTests {
    private func void(_ numbers: Int..., by node: Int) -> RefusedLines {
        var refused = lines(numbers, by: node)
        refused.isVoid = true
        return refused
    }

    @Test("a node that may have taken a record before decides nothing by refusing it again, and goes on")
    func alone() {
        var court = RefusalCourt(ackSet: nodes())
        #expect(court.reported(node(0), offset, void(1, by: 0), passed: nodes()) == [decided(parties: [0])])
    }

    @Test("it has not diverged from nodes that took the record")
    func othersTook() {
        var court = RefusalCourt(ackSet: nodes(1))
        #expect(court.reported(node(0), offset, void(1, by: 0), passed: nodes(1)) == [decided(parties: [0])])
    }

    @Test("it does not count as one that took the record: what a later node refuses is final")
    func laterNodeRefuses() {
        var court = RefusalCourt(ackSet: nodes(0))
        _ = court.reported(node(0), offset, void(1, by: 0), passed: nodes())
        #expect(
            court.reported(node(1), offset, lines(1, 2, by: 1), passed: nodes(0))
                == [decided(final: lines(1, 2, by: 1), parties: [1])])
    }

    @Test("it is heard beside others, whose words count")
    func together() {
        var court = RefusalCourt(ackSet: nodes(0, 1))
        #expect(court.reported(node(0), offset, void(1, by: 0), passed: nodes()) == [.ask(nodes(1), offset)])
        #expect(
            court.reported(node(1), offset, lines(1, by: 1), passed: nodes())
                == [decided(final: lines(1, by: 1), parties: [0, 1])])
    }
}
