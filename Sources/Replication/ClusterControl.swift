// Carries out what the sync set and the court of refusals decide. It lives on one event loop (the control loop);
// replicators and loops talk to it by hops, everybody reads its snapshot.

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
    /// What lives on the control loop.
    struct State {
        var sync: SyncSet
        var court = RefusalCourt()
        /// By record, the reports that the court has heard and not decided on.
        var reports: [Offset: [NodeIndex: RefusalReport]] = [:]
        /// By record, while a decision on it is on its way to the disk: what comes after that.
        var undurable: [Offset: [@Sendable () -> Void]] = [:]
        var nodes: [NodeControl]
        var firstAttach = FirstAttach()
        /// Reports of records that were in the log before it was opened wait until what was decided then is known.
        var early: [(NodeIndex, RefusalReport)]? = []
        var ticks: RepeatedTask?
        var chores: RepeatedTask?
        var outage = OutageBudget()
        /// When the log was last told what is finished.
        var toldLogAt: Int64?
    }

    package let view: ClusterView
    let names: [String]
    let loops: [LoopMember]
    let commitLog: CommitLog
    let sets: ReplicaSetTable
    let control: any EventLoop
    let state: NIOLoopBoundBox<State>
    let logger: Logger
    let settings: Settings
    let replicators = NIOLockedValueBox<[ReplicatorHandle]>([])
    private let ackSet = NIOLockedValueBox(NodeSet())
    private let versionObserver = NIOLockedValueBox(Observer<String>())
    /// Queries must not be answered from below it: records under it may be applied a second time.
    let horizon: Offset

    package struct Settings: Sendable {
        package var sync = SyncSet.Settings()
        /// After an open of the log, no more than this can have been sent to a node without its cursor having passed it.
        package var replayBytes = 192 << 20
        package var largestRefusalText = 64 << 10
        /// How long the first attachment waits for nodes that have not answered yet.
        package var firstAttachPatience: TimeAmount = .seconds(10)
        /// The node's clock may differ from ours by this many nanoseconds before it is worth a warning.
        package var clockSkew: Int64 = 200_000_000
        /// nil: every node holds everything.
        package var placement: Placement?

        package init() {}
    }

    /// - Parameters:
    ///   - nodes: name, url and zone of each node, in configuration order.
    ///   - loops: the first one becomes the control loop.
    package init(
        nodes: [ClusterSnapshot.Node], log: CommitLog, sets: ReplicaSetTable, loops: [LoopMember],
        settings: Settings, logger: Logger
    ) {
        precondition(!loops.isEmpty)
        names = nodes.map(\.name)
        self.loops = loops
        self.logger = logger
        self.settings = settings
        commitLog = log
        self.sets = sets
        control = loops[0].eventLoop
        horizon = log.durableEnd
        var snapshot = ClusterSnapshot(nodes: nodes)
        snapshot.durableEnd = log.durableEnd
        view = ClusterView(snapshot)
        let controls = nodes.map { node in
            NodeControl(
                memory: NodeMemory(decoding: log.note(NodeMemory.noteName(node.name)) ?? []),
                shards: OpenShards(decoding: log.note(OpenShards.noteName(node.name)) ?? []))
        }
        state = NIOLoopBoundBox.makeBoxSendingValue(
            State(
                sync: SyncSet(
                    nodes: nodes.count, replicaSets: settings.placement?.replicaSets, roles: nodes.map(\.role),
                    settings: settings.sync),
                nodes: controls
            ), eventLoop: control
        )
    }

    /// The replicators, by node; before `start`.
    package func register(_ handles: [ReplicatorHandle]) { replicators.withLockedValue { $0 = handles } }

    package func start(feed: LogFeed) {
        sets.keep(in: commitLog, logger: logger)
        control.execute { [self] in
            recall()
            recallRefusals(from: feed)
            state.value.ticks = control.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) {
                [weak self] _ in self?.tick()
            }
            state.value.chores = control.scheduleRepeatedTask(
                initialDelay: .milliseconds(200), delay: .milliseconds(200)
            ) {
                [weak self] _ in self?.doChores()
            }
        }
    }

    /// The handler hears what the nodes call themselves; of several, the first in configuration order counts.
    package func onVersion(_ handler: @escaping @Sendable (String) -> Void) {
        versionObserver.withLockedValue { $0.call = handler }
    }

    package func stop() {
        control.execute { [self] in
            state.value.ticks?.cancel()
            state.value.chores?.cancel()
        }
    }

    // MARK: Time

    private func tick() {
        let now = control.monotonicNanoseconds
        let end = commitLog.durableEnd
        perform(state.value.sync.tick(now: now, durableEnd: end))
        for node in state.value.court.overdue(now: now, after: settings.sync.syncTimeout) {
            perform(
                state.value.sync.deliveryFailed(
                    node, reason: "it does not say what it makes of a record of which others refused lines"))
        }
        let sync = state.value.sync
        let nodes = state.value.nodes
        view.update { snapshot in
            snapshot.durableEnd = end
            snapshot.fallbacks = sync.fallbacks()
            for index in snapshot.nodes.indices {
                let member = sync.members[index]
                let node = NodeIndex(index)
                snapshot.nodes[index].isUp = member.isUp && !nodes[index].isDrill
                snapshot.nodes[index].missedPings = member.missedPings
                snapshot.nodes[index].state = member.state
                snapshot.nodes[index].cursor = member.cursor
                snapshot.nodes[index].backlogAge = sync.backlogAge(node, now: now)
                snapshot.nodes[index].obstacle = sync.obstacle(node) ?? ""
                snapshot.nodes[index].budgetLeft = sync.budgetLeft(node)
            }
        }
    }

    // MARK: The sync set

    func perform(_ actions: [SyncSet.Action]) {
        for action in actions {
            switch action {
            case .publish:
                // As it is now: carrying out one action may bring others.
                let readSet = state.value.sync.readSet
                let states = state.value.sync.members.map(\.state)
                view.update { snapshot in
                    snapshot.readSet = readSet
                    for index in states.indices { snapshot.nodes[index].state = states[index] }
                }
            case .announce(_, let announcement):
                announce(state.value.sync.ackSet, announcement)
            case .entered(let node):
                view.update {
                    $0.nodes[Int(node.value)].trouble = ""
                    $0.nodes[Int(node.value)].ownWork.entered(at: commitLog.clock.wallNanoseconds())
                }
                logger.notice("a node is in sync", metadata: ["node": "\(name(node))"])
            case .left(let node, let reason):
                view.update {
                    $0.nodes[Int(node.value)].trouble = reason
                    $0.nodes[Int(node.value)].ownWork.left(at: commitLog.clock.wallNanoseconds())
                }
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
            perform(state.value.sync.confirmed(announcement: announcement, durableEnd: commitLog.durableEnd))
        }
        perform(state.value.court.setAckSet(set))
    }

    func name(_ node: NodeIndex) -> String { names[Int(node.value)] }

    /// Runs on the control loop, now if this is it.
    func onControl(_ body: @escaping @Sendable () -> Void) {
        if control.inEventLoop { body() } else { control.execute(body) }
    }

    private func onEveryLoop(_ body: @escaping @Sendable (LoopMember) -> Void) {
        for loop in loops {
            if loop.eventLoop.inEventLoop { body(loop) } else { loop.eventLoop.execute { body(loop) } }
        }
    }

    func onReplicator(_ node: NodeIndex, _ body: @escaping @Sendable (NodeReplicator) -> Void) {
        let handle = replicators.withLockedValue { $0[Int(node.value)] }
        if handle.eventLoop.inEventLoop {
            body(handle.replicator.value)
        } else {
            handle.eventLoop.execute { body(handle.replicator.value) }
        }
    }

    // MARK: ReplicatorDelegate: records

    package func applied(_ node: NodeIndex, lane database: String, through offset: Offset) {
        onEveryLoop { $0.acks.value.applied(node, lane: database, through: offset) }
    }

    package func refused(_ node: NodeIndex, lane database: String, offset: Offset, _ refusal: Refusal) {
        onEveryLoop { $0.acks.value.refused(node, lane: database, offset: offset, refusal) }
    }

    package func answered(_ node: NodeIndex, mutation offset: Offset, _ answer: MutationAnswer) {
        onEveryLoop { $0.acks.value.answered(node, offset: offset, answer) }
    }

    package func progressed(_ node: NodeIndex, cursor: Offset, attachment: Int) {
        onControl { [self] in
            // What an older attachment has got on to means nothing after a rewind.
            guard state.value.nodes[Int(node.value)].isAttached,
                state.value.sync.members[Int(node.value)].attachment == attachment
            else { return }
            commitLog.setCursor(name(node), to: cursor)
            perform(state.value.sync.progressed(node, cursor: cursor, attachment: attachment))
        }
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
                versionObserver.withLockedValue { $0 }.call?(first.version)
            }
            if wasUp != isUp {
                logger.notice(
                    isUp ? "a node answers" : "a node is down", metadata: ["node": "\(name(node))"]
                )
            }
            perform(state.value.sync.healthChanged(node, isUp: isUp, missedPings: missedPings))
        }
    }

    package func contactLost(_ node: NodeIndex, reason: String) {
        onControl { [self] in
            view.update { $0.nodes[Int(node.value)].trouble = reason }
            perform(state.value.sync.unsettled(node, reason: reason))
        }
    }

    package func settled(_ node: NodeIndex) {
        onControl { [self] in perform(state.value.sync.settled(node)) }
    }

    package func waits(_ node: NodeIndex, reason: String) {
        onControl { [self] in
            guard view.current.nodes[Int(node.value)].trouble != reason else { return }
            view.update { $0.nodes[Int(node.value)].trouble = reason }
            logger.warning("a node cannot be fed yet", metadata: ["node": "\(name(node))", "reason": "\(reason)"])
        }
    }

    package var durableEnd: Offset { commitLog.durableEnd }
    package var log: (id: String, epoch: UInt64) { ("\(commitLog.id)", commitLog.epoch) }
    package func durableCursor(_ node: NodeIndex) -> Offset? { commitLog.durableCursors[name(node)] }
    package func isWaitedFor(_ node: NodeIndex) -> Bool { ackSet.withLockedValue { $0.contains(node) } }
}

/// Somebody who wants to hear of something. A value around the function, because a function that is read from a generic
/// box comes out wrapped once more each time.
package struct Observer<Event>: Sendable {
    package var call: (@Sendable (Event) -> Void)?

    package init() {}
}

/// A replicator and where it lives.
package struct ReplicatorHandle: Sendable {
    package let eventLoop: any EventLoop
    package let figures: ReplicatorFigures
    package let replicator: NIOLoopBound<NodeReplicator>

    package init(eventLoop: any EventLoop, replicator: NodeReplicator) {
        self.eventLoop = eventLoop
        figures = replicator.figures
        self.replicator = NIOLoopBound(replicator, eventLoop: eventLoop)
    }
}
