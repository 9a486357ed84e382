// Carries out what the sync set decides. It lives on one event loop (the control loop); replicators and loops talk to
// it by hops, everybody reads its snapshot.

import Cluster
import CommitLog
import Logging
import NIOConcurrencyHelpers
import NIOCore

/// One event loop's share of the data plane, as far as replication is concerned.
package struct LoopMember: Sendable {
    package let eventLoop: any EventLoop
    package let acks: NIOLoopBound<LoopAcks>
    package let log: NIOLoopBound<LoopLog>

    package init(eventLoop: any EventLoop, acks: LoopAcks, log: LoopLog) {
        self.eventLoop = eventLoop
        self.acks = NIOLoopBound(acks, eventLoop: eventLoop)
        self.log = NIOLoopBound(log, eventLoop: eventLoop)
    }
}

package final class ClusterControl: ReplicatorDelegate {
    private struct State {
        var sync: SyncSet
        /// Queries must not be answered from below it: records under it may be applied a second time.
        let horizon: Offset
        var ticks: RepeatedTask?
    }

    package let view: ClusterView
    private let names: [String]
    private let loops: [LoopMember]
    private let log: CommitLog
    private let control: any EventLoop
    private let state: NIOLoopBoundBox<State>
    private let logger: Logger
    private let ackSet = NIOLockedValueBox(NodeSet())
    private let versionObserver = NIOLockedValueBox<(@Sendable (String) -> Void)?>(nil)

    /// - Parameters:
    ///   - nodes: name, url and zone of each node, in configuration order.
    ///   - cursors: where each node's backlog begins; nil: the log does not hold it.
    ///   - loops: the first one becomes the control loop.
    package init(
        nodes: [ClusterSnapshot.Node], cursors: [Offset?], log: CommitLog, loops: [LoopMember],
        settings: SyncSet.Settings, logger: Logger
    ) {
        precondition(!loops.isEmpty && nodes.count == cursors.count)
        let sync = SyncSet(cursors: cursors, settings: settings)
        names = nodes.map(\.name)
        self.loops = loops
        self.log = log
        self.logger = logger
        control = loops[0].eventLoop
        var snapshot = ClusterSnapshot(nodes: nodes)
        for index in nodes.indices {
            snapshot.nodes[index].state = sync.members[index].state
            snapshot.nodes[index].cursor = sync.members[index].cursor
        }
        snapshot.durableEnd = log.durableEnd
        view = ClusterView(snapshot)
        state = NIOLoopBoundBox.makeBoxSendingValue(
            State(sync: sync, horizon: log.durableEnd), eventLoop: control
        )
    }

    package func start() {
        control.execute { [self] in
            state.value.ticks = control.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) {
                [weak self] _ in self?.tick()
            }
        }
    }

    /// The handler hears what the nodes call themselves; of several, the first in configuration order counts.
    package func onVersion(_ handler: @escaping @Sendable (String) -> Void) {
        versionObserver.withLockedValue { $0 = handler }
    }

    package func stop() { control.execute { [self] in state.value.ticks?.cancel() } }

    private func tick() {
        let now = MonotonicClock.now
        let end = log.durableEnd
        perform(state.value.sync.tick(now: now, durableEnd: end))
        let sync = state.value.sync
        let horizon = state.value.horizon
        view.update { snapshot in
            snapshot.durableEnd = end
            snapshot.fallbacks = sync.fallbacks(notBelow: horizon)
            for index in snapshot.nodes.indices {
                let member = sync.members[index]
                snapshot.nodes[index].isUp = member.isUp
                snapshot.nodes[index].missedPings = member.missedPings
                snapshot.nodes[index].state = member.state
                snapshot.nodes[index].cursor = member.cursor
                snapshot.nodes[index].backlogAge = sync.backlogAge(NodeIndex(index), now: now)
            }
        }
    }

    private func perform(_ actions: [SyncSet.Action]) {
        for action in actions {
            switch action {
            case .publish(let readSet):
                let states = state.value.sync.members.map(\.state)
                view.update { snapshot in
                    snapshot.readSet = readSet
                    for index in states.indices { snapshot.nodes[index].state = states[index] }
                }
            case .announce(let ackSet, let announcement):
                announce(ackSet, announcement)
            case .entered(let node):
                view.update { $0.nodes[Int(node.value)].trouble = "" }
                logger.notice("a node is in sync", metadata: ["node": "\(name(node))"])
            case .left(let node, let reason):
                view.update { $0.nodes[Int(node.value)].trouble = reason }
                logger.warning(
                    "a node left the in-sync set; nobody waits for it or reads from it until it has caught up",
                    metadata: ["node": "\(name(node))", "reason": "\(reason)"]
                )
            }
        }
    }

    private func announce(_ set: NodeSet, _ announcement: Int) {
        ackSet.withLockedValue { $0 = set }
        view.update { $0.ackSet = set }
        let told = loops.map { loop in loop.eventLoop.submit { loop.acks.value.setAckSet(set) } }
        EventLoopFuture.andAllComplete(told, on: control).whenComplete { [self] _ in
            perform(state.value.sync.confirmed(announcement: announcement, durableEnd: log.durableEnd))
        }
    }

    private func name(_ node: NodeIndex) -> String { names[Int(node.value)] }

    /// Runs on the control loop, now if this is it.
    private func onControl(_ body: @escaping @Sendable () -> Void) {
        if control.inEventLoop { body() } else { control.execute(body) }
    }

    private func onEveryLoop(_ body: @escaping @Sendable (LoopMember) -> Void) {
        for loop in loops {
            if loop.eventLoop.inEventLoop { body(loop) } else { loop.eventLoop.execute { body(loop) } }
        }
    }

    // MARK: What replicators tell

    package func applied(_ node: NodeIndex, lane database: String, through offset: Offset) {
        onEveryLoop { $0.acks.value.applied(node, lane: database, through: offset) }
    }

    package func refused(_ node: NodeIndex, lane database: String, offset: Offset, _ refusal: Refusal) {
        onEveryLoop { $0.acks.value.refused(node, lane: database, offset: offset, refusal) }
    }

    package func answered(_ node: NodeIndex, mutation offset: Offset, _ answer: MutationAnswer) {
        onEveryLoop { $0.acks.value.answered(node, offset: offset, answer) }
    }

    package func progressed(_ node: NodeIndex, cursor: Offset) {
        log.setCursor(name(node), to: cursor)
        onControl { [self] in perform(state.value.sync.progressed(node, cursor: cursor)) }
    }

    package func deliveryFailed(_ node: NodeIndex, reason: String) {
        onControl { [self] in
            view.update { $0.nodes[Int(node.value)].trouble = reason }
            perform(state.value.sync.deliveryFailed(node, reason: reason))
        }
    }

    package func healthChanged(_ node: NodeIndex, isUp: Bool, missedPings: Int, version: String) {
        onControl { [self] in
            let wasUp = state.value.sync.members[Int(node.value)].isUp
            view.update { snapshot in
                snapshot.nodes[Int(node.value)].missedPings = missedPings
                if !version.isEmpty { snapshot.nodes[Int(node.value)].version = version }
            }
            if let first = view.current.nodes.first(where: { !$0.version.isEmpty }) {
                versionObserver.withLockedValue { $0 }?(first.version)
            }
            if wasUp != isUp {
                logger.notice(
                    isUp ? "a node answers" : "a node is down", metadata: ["node": "\(name(node))"]
                )
            }
            perform(state.value.sync.healthChanged(node, isUp: isUp, missedPings: missedPings))
        }
    }

    package func needsCopy(_ node: NodeIndex, reason: String) {
        onControl { [self] in
            logger.error(
                "a node needs a copy: the log cannot bring it up to date",
                metadata: ["node": "\(name(node))", "reason": "\(reason)"]
            )
            view.update { $0.nodes[Int(node.value)].trouble = reason }
            perform(state.value.sync.needsCopy(node, reason: reason))
        }
    }

    package func isWaitedFor(_ node: NodeIndex) -> Bool { ackSet.withLockedValue { $0.contains(node) } }

    /// Appends by the loop on which it is called, which must be one of the gateway's.
    package func record(_ refusal: RefusalRecord, whenDurable: @escaping (Bool) -> Void) {
        guard let loop = loops.first(where: { $0.eventLoop.inEventLoop }) else {
            preconditionFailure("refusals are recorded from an event loop of the gateway")
        }
        loop.log.value.append(refusal, whenDurable: whenDurable)
    }
}
