// Which records the log need not keep: what each replica set has applied, and whom to give up when room runs out.

import Cluster
import CommitLog

extension ClusterControl {
    /// A record is finished when every node of its replica set has a cursor beyond it, on disk too. Nodes without a cursor
    /// need a copy, durably; but while no node of a set has one, all that it has in the log may be the only copy.
    ///
    /// Once a second, for the log goes through all its segments then; more often while a set has used up its room, so that
    /// the records of those that keep up are out of the way soon.
    func tellLogWhatIsFinished(_ figures: LogFigures) {
        let now = control.monotonicNanoseconds
        let policy = RetentionPolicy(segmentBytes: commitLog.segmentBytes, maximumBytes: figures.maximumBytes)
        let isPressed = figures.partBytes > 0 && figures.tightestRoomBytes < policy.wantedRoom
        if let told = state.value.toldLogAt, now - told < (isPressed ? 100_000_000 : 1_000_000_000) { return }
        state.value.toldLogAt = now
        if isPressed {
            // What they bring counts the next time.
            for index in names.indices { onReplicator(NodeIndex(index)) { $0.writeMarker() } }
            commitLog.checkpoint { _ in }
        }
        let durable = commitLog.durableCursors
        var cursors = commitLog.cursors.merging(durable) { min($0, $1) }
        let ofNodes = names.map { name in
            [cursors.removeValue(forKey: name), cursors.removeValue(forKey: Self.markerCursor + name)]
                .compactMap { $0 }.min()
        }
        let others = cursors.values.min()
        let numbered = sets.numbered
        var finished: [UInt16: Offset] = [:]
        for (number, nodes) in numbered {
            let own = nodes.compactMap { ofNodes[Int($0.value)] }.min()
            // Of a set whose nodes are all gone from the configuration only what their cursors say is kept.
            let bound = own ?? (nodes.isEmpty ? commitLog.durableEnd : .zero)
            finished[number] = min(bound, others ?? bound)
        }
        let inUse = Set((settings.placement?.replicaSets ?? []).compactMap { sets.number(of: $0) })
        commitLog.setFinished(
            finished, default: finished.values.min() ?? .zero, inUse: inUse.union([ReplicaSetNumbers.all]))
    }

    /// At the log's limit, what only lagging nodes lack and another of their set has is dropped for them (L20).
    func relievePressure() {
        let figures = commitLog.figures
        let policy = RetentionPolicy(segmentBytes: commitLog.segmentBytes, maximumBytes: figures.maximumBytes)
        guard figures.tightestRoomBytes < policy.wantedRoom else { return }
        let numbered = sets.numbered
        let rooms = Dictionary(uniqueKeysWithValues: numbered.keys.map { ($0, commitLog.roomBytes(for: $0)) })
        let short = numbered.filter { rooms[$0.key] ?? 0 < policy.wantedRoom }
        // Before the log divides its room it does not say whose records it holds.
        let backlogged = numbered.filter { number, _ in
            figures.partBytes == 0 || figures.backlogBytes[number] ?? 0 > 0
        }
        var others = commitLog.cursors
        var members: [RetentionPolicy.Member] = []
        for (index, member) in state.value.sync.members.enumerated() {
            let cursor = others.removeValue(forKey: names[index])
            let marker = others.removeValue(forKey: Self.markerCursor + names[index])
            // The log keeps what is above the marker.
            let needed = cursor.map { min($0, marker ?? $0) }
            let node = NodeIndex(index)
            members.append(
                .init(
                    node: node, state: member.state,
                    cursor: state.value.nodes[index].isBeingGivenUp ? nil : needed,
                    sets: Set(backlogged.values.filter { $0.contains(node) }).sorted { $0.bits < $1.bits }))
        }
        let decision = policy.decide(
            room: short.keys.compactMap { rooms[$0] }.min() ?? figures.roomBytes, shortSets: Set(short.values),
            members: members, otherCursors: Array(others.values),
            bytesFinished: { bounds in
                // What a set without a backlog has is finished already.
                commitLog.freeableBytes(numbered.mapValues { bounds[$0] ?? .end }, default: .end)
            })
        for node in decision.givenUp {
            giveUp(
                node,
                reason:
                    "the log is full, and what \(name(node)) lacks was dropped for it, because a node in sync has it; "
                    + "copy the data of another node to it, then say sluice nodes trust \(name(node))")
        }
    }
}
