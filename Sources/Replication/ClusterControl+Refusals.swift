// What nodes refused, brought before the court; its decisions become records of the log, dead letters and, where nodes
// differ, measurements that are not read on a node.

import Cluster
import CommitLog
import Logging
import NIOCore

extension ClusterControl {
    package func reported(_ node: NodeIndex, _ report: RefusalReport) {
        onControl { [self] in
            if state.value.early != nil, report.offset < horizon {
                state.value.early?.append((node, report))
            } else {
                hear(node, report)
            }
        }
    }

    private func hear(_ node: NodeIndex, _ report: RefusalReport) {
        var passed = NodeSet()
        for (index, member) in state.value.sync.members.enumerated() {
            // What a node has behind it counts, unless it is not known what it has.
            if member.cursor > report.offset, member.state.isFed { passed.insert(NodeIndex(index)) }
        }
        state.value.reports[report.offset, default: [:]][node] = report
        perform(
            state.value.court.reported(
                node, report.offset, report.refused, of: report.nodes, passed: passed, now: control.monotonicNanoseconds
            ))
    }

    func forgetReports(of node: NodeIndex) {
        for offset in state.value.reports.keys {
            state.value.reports[offset]?[node] = nil
            if state.value.reports[offset]?.isEmpty == true { state.value.reports[offset] = nil }
        }
        state.value.early?.removeAll { $0.0 == node }
        perform(state.value.court.forget(node))
    }

    /// What was decided before the log was opened, about records that some node still lacks.
    func recallRefusals(from feed: LogFeed) {
        let scout = names.count
        let lowest = names.compactMap { commitLog.cursor($0) }.min() ?? horizon
        guard scout < NodeSet.capacity, lowest < horizon else { return endRecall() }
        feed.subscribe(NodeIndex(scout), from: max(lowest, commitLog.start), room: 1 << 20) { [weak self] event in
            guard let self else { return }
            switch event {
            case .failed:
                control.execute { [self] in endRecall() }
            case .chunk(let chunk):
                let notices = chunk.records.compactMap { record in
                    if case .refusal(_, let notice, _, _) = record, notice.node.isEmpty { notice } else { nil }
                }
                let isOver = chunk.next >= horizon
                feed.grant(NodeIndex(scout), bytes: chunk.bytes)
                guard isOver || !notices.isEmpty else { return }
                control.execute { [self] in
                    for notice in notices { state.value.court.knows(notice.target, refused: notice.ranges) }
                    if isOver {
                        feed.unsubscribe(NodeIndex(scout))
                        endRecall()
                    }
                }
            }
        }
    }

    private func endRecall() {
        let early = state.value.early ?? []
        state.value.early = nil
        for (node, report) in early { hear(node, report) }
    }

    package func took(_ node: NodeIndex, _ offset: Offset) {
        onControl { [self] in perform(state.value.court.took(node, offset)) }
    }

    func perform(_ actions: [RefusalCourt.Action]) {
        for action in actions {
            switch action {
            case .ask(let nodes, let offset):
                for node in nodes { onReplicator(node) { $0.watch(offset) } }
            case .decided(let offset, let decision):
                carryOut(decision, of: offset)
            }
        }
    }

    private func carryOut(_ decision: RefusalCourt.Decision, of offset: Offset) {
        guard let reports = state.value.reports.removeValue(forKey: offset), let any = reports.first?.value else {
            return
        }
        var records: [RefusalRecord] = []
        func note(_ lines: RefusedLines, node: String, by parties: [NodeIndex]) {
            var byReason: [String: RefusedLines] = [:]
            for line in lines.lines {
                byReason[line.refusal.message, default: RefusedLines(lines: [], words: lines.words)].lines.append(line)
            }
            for lines in byReason.values.sorted(by: { $0.lines[0].line < $1.lines[0].line }) {
                records.append(
                    RefusalRecord(
                        of: offset, lines: lines, node: node, refusedBy: parties.map { name($0) },
                        database: any.database, key: any.key, payload: any.payload,
                        textLimit: settings.largestRefusalText))
            }
        }
        if let final = decision.final { note(final, node: "", by: decision.parties) }
        for (node, lines) in decision.diverged.sorted(by: { $0.key < $1.key }) {
            note(lines, node: name(node), by: [node])
            diverged(node, lines, report: any)
        }
        let isDifference = !decision.diverged.isEmpty
        inTurn(offset, records, for: any.nodes) { [self] in
            // What differs must be known after a crash before the node gets on.
            if isDifference { return makeDurable { [self] in tell(decision, of: offset, reports) } }
            tell(decision, of: offset, reports)
        }
    }

    /// Appends them, unless a decision on the same record is not durable yet: this one may build on it, and does so
    /// mostly with nothing to add.
    private func inTurn(
        _ offset: Offset, _ records: [RefusalRecord], for nodes: NodeSet, then done: @escaping @Sendable () -> Void
    ) {
        let appending: @Sendable () -> Void = { [self] in
            append(records, for: nodes) { [self] in
                done()
                guard var later = state.value.undurable[offset] else { return }
                let next = later.isEmpty ? nil : later.removeFirst()
                state.value.undurable[offset] = next == nil ? nil : later
                next?()
            }
        }
        if state.value.undurable[offset] != nil {
            state.value.undurable[offset]?.append(appending)
        } else {
            state.value.undurable[offset] = []
            appending()
        }
    }

    private func tell(
        _ decision: RefusalCourt.Decision, of offset: Offset, _ reports: [NodeIndex: RefusalReport]
    ) {
        let other = reports.first?.value.refused.words
        for node in decision.parties {
            let words = decision.final.flatMap { _ in reports[node]?.refused.words ?? other }
            onReplicator(node) { $0.decided(offset, words: words) }
        }
    }

    /// Until the notes are durable, however long that takes.
    private func makeDurable(then done: @escaping @Sendable () -> Void) {
        commitLog.checkpoint { [self] result in
            control.execute { [self] in
                if case .success = result { return done() }
                control.scheduleTask(in: .seconds(1)) { [weak self] in self?.makeDurable(then: done) }
            }
        }
    }

    /// Until all are durable, however long that takes: no cursor passes a refusal that is not. A decision is known as a
    /// whole after a crash, or not at all: what is known of a record counts as all that the set has refused of it.
    private func append(_ records: [RefusalRecord], for nodes: NodeSet, then done: @escaping @Sendable () -> Void) {
        // A record that was read has one.
        let number = sets.number(of: nodes) ?? ReplicaSetNumbers.all
        loops[0].log.value.append(records, replicaSet: number) { [self] isDurable in
            if isDurable { return done() }
            control.scheduleTask(in: .seconds(1)) { [self] in append(records, for: nodes, then: done) }
        }
    }

    private func diverged(_ node: NodeIndex, _ lines: RefusedLines, report: RefusalReport) {
        if lines.lacksDatabase {
            return giveUp(
                node,
                reason: "it does not know the database \(report.database), which others have: it has lost its schema; "
                    + "copy the data of another node to it, then say: sluice nodes trust \(name(node))")
        }
        let names = BatchLines([report.payload]).measurements(of: lines.lines.map(\.line), item: 0)
        noteDivergence(node, database: report.database, measurements: names, cause: lines.lines[0].refusal.message)
    }

    package func contradicted(_ node: NodeIndex, database: String, measurements: Set<String>) {
        onControl { [self] in
            noteDivergence(
                node, database: database, measurements: measurements, cause: "it took lines that other nodes refused")
        }
    }

    private func noteDivergence(_ node: NodeIndex, database: String, measurements: Set<String>, cause: String) {
        let index = Int(node.value)
        var isNew = false
        for name in measurements {
            isNew =
                state.value.nodes[index].memory.diverged.insert(.init(database: database, measurement: name)).inserted
                || isNew
        }
        guard isNew else { return }
        logger.error(
            "a node differs from others; what differs is not read there until the node has a copy, or is trusted",
            metadata: [
                "node": "\(name(node))", "database": "\(database)",
                "measurements": "\(measurements.sorted().joined(separator: " "))", "cause": "\(cause)",
            ]
        )
        publishDivergences()
        remember(node)
        if state.value.nodes[index].memory.isTooLong {
            giveUp(
                node,
                reason: "more than \(NodeMemory.mostDiverged) measurements differ from other nodes: copy the data of "
                    + "another node to it, then say: sluice nodes trust \(name(node))")
        }
    }

    /// What was dropped differs no more.
    package func mutated(_ node: NodeIndex, _ mutation: MutationRecord) {
        guard !view.current.divergences.isEmpty else { return }
        let loss = SchemaLoss(mutation)
        onControl { [self] in
            let before = state.value.nodes[Int(node.value)].memory.diverged
            let after = before.filter { !loss.isWhole(of: $0) }
            guard after.count < before.count else { return }
            state.value.nodes[Int(node.value)].memory.diverged = after
            publishDivergences()
            remember(node)
        }
    }

    func publishDivergences() {
        let all = state.value.nodes.enumerated().flatMap { index, node in
            node.memory.diverged.map { Divergence(node: NodeIndex(index), place: $0) }
        }
        view.update { $0.divergences = all }
    }
}
