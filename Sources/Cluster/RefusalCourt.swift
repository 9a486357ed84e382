// What becomes of lines that a node has refused (DESIGN: "Refusals"): refused by all in-sync nodes they are final for
// the set, and nodes that come later do not get them; refused by one and taken by another, that node has diverged, for
// the first accept wins. A value without I/O; it lives beside the sync set.
//
//   report of the first node --> case open: every other node in the ack set is asked
//                                   |  all have spoken (or left), nobody took the record whole
//                                   |      --> final: lines that all of them refused; a record in the log
//                                   +  a node took lines that another refused
//                                          --> the other has diverged in their measurements

import CommitLog

/// The lines of one record, counted from 0, that a node refused, with its words; ascending.
package struct RefusedLines: Equatable, Sendable {
    package var lines: [BatchDelivery.RefusedLine]
    /// The node's answer to the record as its client would have got it.
    package var words: Refusal
    /// The node did not know the database: if another does, the node has lost its schema.
    package var lacksDatabase: Bool
    /// The node may have taken the record before, and refuse it now for what came after it: it has no say.
    package var isVoid: Bool

    package init(
        lines: [BatchDelivery.RefusedLine], words: Refusal, lacksDatabase: Bool = false, isVoid: Bool = false
    ) {
        self.lines = lines
        self.words = words
        self.lacksDatabase = lacksDatabase
        self.isVoid = isVoid
    }

    var numbers: Set<Int> { Set(lines.map(\.line)) }

    /// The numbers, neighbours in one range.
    package var ranges: [Range<UInt32>] {
        var ranges: [Range<UInt32>] = []
        for number in lines.lazy.map({ UInt32($0.line) }) {
            if let last = ranges.last, last.upperBound == number {
                ranges[ranges.count - 1] = last.lowerBound..<number + 1
            } else {
                ranges.append(number..<number + 1)
            }
        }
        return ranges
    }
}

package struct RefusalCourt: Sendable {
    package enum Action: Equatable, Sendable {
        /// Have these nodes say `took` or `reported` when they are done with the record.
        case ask(NodeSet, Offset)
        case decided(Offset, Decision)
    }

    package struct Decision: Equatable, Sendable {
        /// Refused by all: their lines, with the words of the first node in configuration order.
        package var final: RefusedLines?
        /// The nodes that refused; each may go on now.
        package var parties: [NodeIndex]
        /// Lines that a node refused though another took them.
        package var diverged: [NodeIndex: RefusedLines]

        package init(final: RefusedLines?, parties: [NodeIndex], diverged: [NodeIndex: RefusedLines]) {
            self.final = final
            self.parties = parties
            self.diverged = diverged
        }
    }

    private struct Case {
        let since: Int64
        /// The replica set of the record: nobody else has a say.
        let nodes: NodeSet
        var reports: [NodeIndex: RefusedLines]
        /// Nodes that took every line.
        var took = NodeSet()

        func spoken(_ abstained: NodeSet?) -> NodeSet {
            var spoken = took
            for node in reports.keys { spoken.insert(node) }
            for node in abstained ?? NodeSet() { spoken.insert(node) }
            return spoken
        }
    }

    private var cases: [Offset: Case] = [:]
    /// What was decided about records that some node may still come to: the lines that are final.
    private var verdicts: [Offset: [Range<UInt32>]] = [:]
    /// Nodes that have no say about a record.
    private var abstained: [Offset: NodeSet] = [:]
    /// Beyond this many, decisions on newer records are not remembered.
    private static let mostVerdicts = 1_000_000
    private var ackSet: NodeSet

    package init(ackSet: NodeSet = NodeSet()) { self.ackSet = ackSet }

    package var openCases: Int { cases.count }

    /// A node is done with a record but for these lines, which it refused.
    /// - Parameters:
    ///   - nodes: the replica set of the record.
    ///   - passed: the nodes, whatever their state, that have the record behind them.
    ///   - now: monotonic nanoseconds.
    package mutating func reported(
        _ node: NodeIndex, _ offset: Offset, _ lines: RefusedLines, of nodes: NodeSet = .everybody, passed: NodeSet,
        now: Int64 = 0
    ) -> [Action] {
        if let known = verdicts[offset] {
            // It comes late: what the set refused is refused, what else it refused others have taken.
            var rest = lines
            rest.lines.removeAll { line in known.contains { $0.contains(UInt32(line.line)) } }
            let diverged = rest.lines.isEmpty || rest.isVoid ? [:] : [node: rest]
            return [.decided(offset, Decision(final: nil, parties: [node], diverged: diverged))]
        }
        let isNew = cases[offset] == nil
        var entry = cases[offset] ?? Case(since: now, nodes: nodes, reports: [:])
        entry.reports[node] = lines
        entry.took.remove(node)
        if lines.isVoid { abstained[offset, default: NodeSet()].insert(node) }
        for other in passed.intersection(nodes)
        where other != node && entry.reports[other] == nil && !hasAbstained(other, offset) {
            entry.took.insert(other)
        }
        cases[offset] = entry
        var others = ackSet.intersection(nodes)
        others.remove(node)
        for other in entry.took { others.remove(other) }
        for other in abstained[offset] ?? NodeSet() { others.remove(other) }
        let asked: [Action] = isNew && !others.isEmpty ? [.ask(others, offset)] : []
        return asked + settle([offset])
    }

    /// A decision from before, as it stands in the log.
    package mutating func knows(_ offset: Offset, refused: [Range<UInt32>]) {
        if verdicts.count < Self.mostVerdicts { verdicts[offset, default: []] += refused }
    }

    /// No node comes to records below it any more.
    package mutating func forgetVerdicts(below offset: Offset) {
        if !abstained.isEmpty { abstained = abstained.filter { $0.key >= offset } }
        if !verdicts.isEmpty { verdicts = verdicts.filter { $0.key >= offset } }
    }

    /// The nodes for which others, in the ack set too, have waited for longer than this.
    package func overdue(now: Int64, after limit: Int64) -> NodeSet {
        var silent = NodeSet()
        for (offset, entry) in cases where now - entry.since > limit {
            guard entry.reports.keys.contains(where: ackSet.contains) else { continue }
            let spoken = entry.spoken(abstained[offset])
            silent = silent.union(ackSet.intersection(entry.nodes).subtracting(spoken))
        }
        return silent
    }

    /// A node took every line of a record.
    package mutating func took(_ node: NodeIndex, _ offset: Offset) -> [Action] {
        guard let entry = cases[offset], entry.reports[node] == nil, !hasAbstained(node, offset) else { return [] }
        cases[offset]?.took.insert(node)
        return settle([offset])
    }

    package mutating func setAckSet(_ set: NodeSet) -> [Action] {
        let entered = set.subtracting(ackSet)
        ackSet = set
        let asked: [Action] = cases.sorted { $0.key < $1.key }.compactMap { offset, entry in
            let others = entered.intersection(entry.nodes)
            return others.isEmpty ? nil : .ask(others, offset)
        }
        return asked + settle(cases.keys.sorted())
    }

    /// A node goes back in time or is given up: what it said does not count any more.
    package mutating func forget(_ node: NodeIndex) -> [Action] {
        for offset in cases.keys {
            cases[offset]?.reports[node] = nil
            cases[offset]?.took.remove(node)
            if cases[offset]?.reports.isEmpty == true { cases[offset] = nil }
        }
        return settle(cases.keys.sorted())
    }

    private mutating func settle(_ offsets: [Offset]) -> [Action] {
        var actions: [Action] = []
        for offset in offsets {
            guard let entry = cases[offset], !entry.reports.isEmpty else { continue }
            guard ackSet.intersection(entry.nodes).isSubset(of: entry.spoken(abstained[offset])) else { continue }
            cases[offset] = nil
            let decision = decide(entry)
            // Where nobody has a say nothing is decided.
            if !entry.took.isEmpty || entry.reports.values.contains(where: { !$0.isVoid }) {
                knows(offset, refused: decision.final?.ranges ?? [])
            }
            actions.append(.decided(offset, decision))
        }
        return actions
    }

    private func hasAbstained(_ node: NodeIndex, _ offset: Offset) -> Bool {
        abstained[offset]?.contains(node) == true
    }

    private func decide(_ entry: Case) -> Decision {
        let parties = entry.reports.keys.sorted()
        var common: Set<Int> = []
        if entry.took.isEmpty {
            for (position, node) in parties.enumerated() {
                let numbers = entry.reports[node]?.numbers ?? []
                common = position == 0 ? numbers : common.intersection(numbers)
            }
        }
        var decision = Decision(final: nil, parties: parties, diverged: [:])
        for node in parties {
            guard var report = entry.reports[node] else { continue }
            if report.isVoid { continue }
            if decision.final == nil, !common.isEmpty {
                var final = report
                final.lines = report.lines.filter { common.contains($0.line) }
                decision.final = final
            }
            report.lines = report.lines.filter { !common.contains($0.line) }
            if !report.lines.isEmpty { decision.diverged[node] = report }
        }
        return decision
    }
}
