// Lines that the node refused: told to the set, which decides; what the set has refused, kept from the node.

import Cluster
import CommitLog
import NIOCore

extension NodeReplicator {
    /// Every line of the batch is in or refused.
    func conclude(_ id: Int) {
        guard let flight = flights[id], let lines = flight.lines, let delivery = flight.delivery else { return }
        var refused: [Int: RefusedLines] = [:]
        for (item, entries) in lines.refusals(delivery.refusedLines) {
            figures.refusedLines.add(entries.count)
            let words = flight.words ?? entries[0].refusal
            refused[item] = RefusedLines(
                lines: entries,
                // As one of the clients of a joined batch would have got them.
                words: Refusal(
                    status: words.status, message: DroppedLines.replaced(in: words.message, by: entries.count)),
                lacksDatabase: flight.lacksDatabase
            )
        }
        if refused.isEmpty { return finish(id) }
        // What the set has decided already stands in the log by now.
        flights[id]?.unreported = (refused, delegate.durableEnd)
        report(id)
    }

    /// Leaves out what the node may have taken before, and refuses now for what came after it. Types and databases are
    /// lost by mutations alone: without one in between, a line that was taken once is taken again. And what is left out is
    /// lost by that mutation in any case.
    private func withoutReplayed(
        _ report: RefusedLines, _ offset: Offset, _ database: String, _ payload: ByteBuffer
    ) -> RefusedLines {
        guard let attachment, offset < attachment.replayEnd else { return report }
        var rest = report
        if lanes.end < attachment.replayEnd {
            // There was no room to read all that may have been sent before.
            rest.isVoid = true
            return rest
        }
        let losses = replayedLosses.filter { $0.offset > offset }
        guard !losses.isEmpty else { return report }
        let lines = BatchLines([payload])
        rest.lines.removeAll { line in
            lines.measurements(of: CollectionOfOne(line.line), item: 0).contains { name in
                losses.contains { $0.loss.mayConcern(name, of: database) }
            }
        }
        guard rest.lines.isEmpty else { return rest }
        var nothing = report
        nothing.isVoid = true
        return nothing
    }

    func noteReplayed(_ item: NodeLanes.Item) {
        guard let attachment, item.offset < attachment.replayEnd, case .mutation(let mutation) = item.content else {
            return
        }
        let loss = SchemaLoss(mutation)
        if loss != .nothing { replayedLosses.append((item.offset, loss)) }
    }

    func reportWhatWasHeldBack() {
        for (id, flight) in flights where flight.unreported != nil { report(id) }
    }

    private func report(_ id: Int) {
        guard let flight = flights[id], let (refused, until) = flight.unreported else { return }
        let hasRoom = lanes.heldBytes < settings.lookAhead - (2 << 20)
        if lanes.end < until, hasRoom, feedEnd == nil { return }
        flights[id]?.unreported = nil
        var reports: [RefusalReport] = []
        for (position, var report) in refused {
            let item = flight.batch.items[position]
            guard case .points(let database, let key) = item.work, let payload = item.points else { continue }
            if let known = finals[item.offset] {
                report.lines.removeAll { line in known.contains { $0.contains(UInt32(line.line)) } }
            }
            refusedHere.insert(item.offset)
            guard !report.lines.isEmpty else { continue }
            report = withoutReplayed(report, item.offset, database, payload)
            reports.append(
                RefusalReport(
                    offset: item.offset, nodes: item.nodes, database: database, key: key, payload: payload,
                    refused: report))
        }
        if reports.isEmpty { return finish(id) }
        // All of them first: a decision may come at once.
        flights[id]?.undecided = Set(reports.map(\.offset))
        for report in reports { delegate.reported(node, report) }
    }

    /// The set has decided on lines that this node refused, and the decision is durable.
    /// - Parameter words: what a client that waits for the record is told; nil: another node took all of it.
    package func decided(_ offset: Offset, words: Refusal?) {
        guard !isStopped, let (id, flight) = flights.first(where: { $0.value.undecided.contains(offset) }) else {
            return
        }
        if let words, case .points(let database, _) = flight.batch.items.first?.work {
            delegate.refused(node, lane: database, offset: offset, words)
        }
        flights[id]?.undecided.remove(offset)
        if flights[id]?.undecided.isEmpty == true { finish(id) }
    }

    /// The set wants to hear how this record ends here.
    package func watch(_ offset: Offset) {
        guard !isStopped, attachment != nil else { return }
        if lanes.isDone(offset) {
            // What it refused of it is known to whoever decided on that.
            delegate.took(node, offset)
        } else if !flights.values.contains(where: { $0.undecided.contains(offset) }) {
            watched.insert(offset)
        }
    }

    func settleRefusals(of flight: Flight) {
        for item in flight.batch.items {
            if let ranges = finals.removeValue(forKey: item.offset), !flight.excluded.contains(item.offset),
                !refusedHere.contains(item.offset), let attachment, item.offset >= attachment.replayEnd,
                let payload = item.points, case .points(let database, _) = item.work
            {
                let lines = ranges.flatMap { $0.map(Int.init) }
                delegate.contradicted(
                    node, database: database,
                    measurements: BatchLines([payload]).measurements(of: lines, item: 0))
            }
            if watched.remove(item.offset) != nil { delegate.took(node, item.offset) }
        }
    }

    /// A refusal comes by in the log.
    func heard(_ notice: RefusalNotice) {
        guard notice.node.isEmpty, let attachment else { return }
        if !lanes.isDone(notice.target) {
            finals[notice.target, default: []] += notice.ranges
        } else if notice.target >= attachment.cursor, notice.target >= attachment.replayEnd,
            !notice.refusedBy.contains(name), !refusedHere.contains(notice.target)
        {
            delegate.contradicted(node, database: notice.database, measurements: notice.measurements)
        }
    }
}
