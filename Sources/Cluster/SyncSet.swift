// Which nodes are in sync, and how they come and go (DESIGN: "Sync state of a node"). A value without I/O or clock.
//
//   detached --attached--> catchingUp ----> entering ----> joining ----> inSync
//       ^                    ^  ^  announced  | all loops    |  cursor    |
//       |                    |  |             |   wait       |   >= J     |
//       |                    |  +-------------+--------------+------------+   leave
//   needsCopy <--------------+
//
// Two sets follow from the states: the ack set (entering, joining, inSync) and the read set (inSync).
// - Entering: first every loop is told to wait for the node, then J = durable end is taken: whatever was acknowledged
//   without the node lies below J. At cursor >= J the node has all of it and is published to readers.
// - Leaving: first readers get a read set without the node, then loops stop waiting for it.
// So ReadSet is a subset of AckSet at every moment, on every loop.
//
// A node that is not waited for by its role stays catching-up. Nodes share replica sets: a node is compared for slowness
// with those that hold what it holds, and one without which a set would have nobody is not sent away for it.
//
// Being paused by an operator and being unsettled (a request ended without an answer and may still take effect) are kept
// beside the state: whichever order the events come in, both must have passed before the node may enter.

import CommitLog

package struct SyncSet: Sendable {
    package enum Action: Equatable, Sendable {
        /// Make this the read set, visible to every reader before the next action is carried out.
        case publish(readSet: NodeSet)
        /// Tell every loop to wait for these nodes; when all have, call `confirmed`.
        case announce(ackSet: NodeSet, announcement: Int)
        case entered(NodeIndex)
        case left(NodeIndex, reason: String)
    }

    package struct Settings: Sendable {
        /// How long a node may make acknowledgements wait beyond the fastest one within `budgetRefill`; nanoseconds.
        package var syncTimeout: Int64 = 2_000_000_000
        /// A node whose oldest missing record is younger may enter; nanoseconds.
        package var enterBelow: Int64 = 200_000_000
        /// Time in which a spent delay budget is full again; nanoseconds.
        package var budgetRefill: Int64 = 60_000_000_000
        /// Being behind the fastest by less is not charged; nanoseconds.
        package var slownessGrace: Int64 = 100_000_000

        package init(
            syncTimeout: Int64 = 2_000_000_000, enterBelow: Int64 = 200_000_000,
            budgetRefill: Int64 = 60_000_000_000, slownessGrace: Int64 = 100_000_000
        ) {
            self.syncTimeout = syncTimeout
            self.enterBelow = enterBelow
            self.budgetRefill = budgetRefill
            self.slownessGrace = slownessGrace
        }
    }

    package struct Member: Sendable {
        /// Never `.paused`: that lies above it.
        fileprivate var standing = SyncState.detached(reason: "it has not answered yet")
        /// All below is applied; 0 while it is not known.
        package fileprivate(set) var cursor = Offset.zero
        /// Not readable below.
        package fileprivate(set) var horizon = Offset.zero
        /// How often it was attached. What was observed under an older number is not about this node any more.
        package fileprivate(set) var attachment = 0
        package fileprivate(set) var isUp = false
        package fileprivate(set) var missedPings = 0
        /// Its last delivery failed: it is not asked to enter before one succeeds or it answers pings again.
        package fileprivate(set) var isFailing = false
        /// What ended without an answer; nil: nothing that could still take effect.
        package fileprivate(set) var unsettledReason: String?
        /// The operator's words; nil: not paused.
        package fileprivate(set) var pauseReason: String?

        /// A copy is needed also while the node is paused; and whether it needs one is more important to know.
        package var state: SyncState {
            if case .needsCopy = standing { return standing }
            return pauseReason.map(SyncState.paused) ?? standing
        }

        package var isSettled: Bool { unsettledReason == nil }
        package var isPaused: Bool { pauseReason != nil }

        /// What it has may be shown to somebody, in sync or as a stand-in.
        fileprivate var isPresentable: Bool {
            isUp && isSettled && !isPaused && cursor >= horizon
        }
    }

    package private(set) var members: [Member]
    private let settings: Settings
    private let roles: [NodeRole]
    /// By node: the replica sets that it belongs to.
    private let sets: [[NodeSet]]
    private var history = DurableHistory()
    private var budgets: DelayBudgets
    private var announcements = 0

    /// Every member begins detached: nothing is known of it.
    /// - Parameters:
    ///   - replicaSets: all that there are; nil: one, of all nodes.
    ///   - roles: by node; nil: all are normal.
    package init(
        nodes: Int, replicaSets: Set<NodeSet>? = nil, roles: [NodeRole]? = nil, settings: Settings = Settings()
    ) {
        self.settings = settings
        self.roles = roles ?? Array(repeating: .normal, count: nodes)
        let replicaSets = replicaSets ?? [.first(nodes)]
        sets = (0..<nodes).map { index in replicaSets.filter { $0.contains(NodeIndex(index)) } }
        members = Array(repeating: Member(), count: nodes)
        var budget = DelayBudgets.Settings()
        budget.capacity = settings.syncTimeout
        budget.refill = settings.budgetRefill
        budget.grace = settings.slownessGrace
        let peers = sets.map { $0.reduce(NodeSet()) { $0.union($1) } }
        budgets = DelayBudgets(nodes: nodes, peers: peers, settings: budget)
    }

    // MARK: What follows from it

    package var readSet: NodeSet { nodes { $0 == .inSync } }
    package var ackSet: NodeSet { nodes(\.isInAckSet) }

    /// The nodes that may answer when none is in sync, the most advanced first.
    package func fallbacks(notBelow horizon: Offset = .zero) -> [NodeIndex] {
        members.indices
            .filter {
                roles[$0] != .writeOnly && members[$0].state.isCatchingUp && members[$0].isPresentable
                    && members[$0].cursor >= horizon
            }
            .sorted { members[$0].cursor > members[$1].cursor }
            .map(NodeIndex.init)
    }

    /// The age of what a node lacks, in nanoseconds; 0: nothing.
    package func backlogAge(_ node: NodeIndex, now: Int64) -> Int64 {
        history.age(ofBacklogFrom: members[Int(node.value)].cursor, at: now)
    }

    /// What is left of the node's delay budget: 1 full, 0 spent.
    package func budgetLeft(_ node: NodeIndex) -> Double { budgets.left(node) }

    /// Nanoseconds that acknowledgements waited for the node beyond the fastest, since the start.
    package func delayCaused(_ node: NodeIndex) -> Int64 { budgets.chargedInAll(node) }

    /// Why the node is not in sync, for people; nil: it is, or only has a backlog.
    package func obstacle(_ node: NodeIndex) -> String? {
        let member = members[Int(node.value)]
        if member.state == .inSync { return nil }
        if let reason = member.state.reason { return reason }
        let role = roles[Int(node.value)]
        if !role.isWaitedFor, member.isPresentable {
            return "its role is \(role.rawValue): nobody waits for it"
        }
        if !member.isUp { return "it does not answer pings" }
        if let reason = member.unsettledReason { return reason }
        if budgets.isSpent(node) {
            return slownessReason + "; it may come back when it has made nobody wait for as long"
        }
        if member.cursor < member.horizon {
            return "it is not readable before it has come to offset \(member.horizon)"
        }
        return member.isFailing ? "its last delivery failed" : nil
    }

    // MARK: What an interview or an operator says

    /// The node may be fed from `cursor` on, and not be read below `horizon`. Again for one that is attached: it is
    /// rewound, and leaves first.
    package mutating func attached(_ node: NodeIndex, cursor: Offset, horizon: Offset) -> [Action] {
        let index = Int(node.value)
        let actions = leave(node, reason: "it is fed from offset \(cursor) on")
        members[index].standing = .catchingUp
        members[index].cursor = cursor
        members[index].horizon = horizon
        members[index].attachment += 1
        // It was just asked, and answered.
        members[index].isFailing = false
        return actions
    }

    /// What the node holds is not known: it is being asked, or waits for an operator's word.
    package mutating func detached(_ node: NodeIndex, reason: String) -> [Action] {
        let actions = leave(node, reason: reason)
        members[Int(node.value)].standing = .detached(reason: reason)
        return actions
    }

    /// The log cannot bring the node up to date any more.
    package mutating func needsCopy(_ node: NodeIndex, reason: String) -> [Action] {
        let actions = leave(node, reason: reason)
        members[Int(node.value)].standing = .needsCopy(reason: reason)
        return actions
    }

    /// A request to the node ended without an answer and may still take effect.
    package mutating func unsettled(_ node: NodeIndex, reason: String) -> [Action] {
        let actions = leave(node, reason: reason)
        members[Int(node.value)].unsettledReason = reason
        return actions
    }

    /// Nothing can take effect any more that was not answered.
    package mutating func settled(_ node: NodeIndex) -> [Action] {
        members[Int(node.value)].unsettledReason = nil
        return []
    }

    package mutating func paused(_ node: NodeIndex, reason: String) -> [Action] {
        let actions = leave(node, reason: reason)
        members[Int(node.value)].pauseReason = reason
        return actions
    }

    package mutating func resumed(_ node: NodeIndex) -> [Action] {
        members[Int(node.value)].pauseReason = nil
        return []
    }

    // MARK: What is observed

    /// The node has applied all below `cursor`. Late news is ignored: about a node that is not attached any more, from
    /// before a rewind (`attachment`, where the caller knows it), or of less than is known.
    package mutating func progressed(_ node: NodeIndex, cursor: Offset, attachment: Int? = nil) -> [Action] {
        let index = Int(node.value)
        switch members[index].standing {
        case .needsCopy, .detached, .paused: return []
        case .catchingUp, .entering, .joining, .inSync: break
        }
        guard cursor > members[index].cursor, attachment ?? members[index].attachment == members[index].attachment
        else { return [] }
        // Something was delivered; hearing of more to deliver is no success.
        members[index].isFailing = false
        members[index].cursor = cursor
        guard case .joining(let join) = members[index].standing, cursor >= join, members[index].isPresentable else {
            return []
        }
        members[index].standing = .inSync
        return [.publish(readSet: readSet), .entered(node)]
    }

    /// A delivery failed in a way that gives no answer: refused, reset, 5xx, misconfigured.
    package mutating func deliveryFailed(_ node: NodeIndex, reason: String) -> [Action] {
        members[Int(node.value)].isFailing = true
        return leave(node, reason: reason)
    }

    package mutating func healthChanged(_ node: NodeIndex, isUp: Bool, missedPings: Int) -> [Action] {
        let index = Int(node.value)
        let cameUp = isUp && !members[index].isUp
        members[index].isUp = isUp
        members[index].missedPings = missedPings
        if cameUp { members[index].isFailing = false }
        return isUp ? [] : leave(node, reason: "it does not answer pings")
    }

    /// Every loop waits for the nodes of this announcement.
    package mutating func confirmed(announcement: Int, durableEnd: Offset) -> [Action] {
        var entered: [NodeIndex] = []
        for index in members.indices where members[index].standing == .entering(announcement: announcement) {
            if members[index].cursor >= durableEnd, members[index].isPresentable {
                members[index].standing = .inSync
                entered.append(NodeIndex(index))
            } else {
                members[index].standing = .joining(durableEnd)
            }
        }
        return entered.isEmpty ? [] : [.publish(readSet: readSet)] + entered.map(Action.entered)
    }

    /// Time passes; call it every 50 ms or so. Times are monotonic nanoseconds.
    package mutating func tick(now: Int64, durableEnd: Offset) -> [Action] {
        history.note(durableEnd, at: now)
        var actions: [Action] = []
        let standings = members.map { DelayBudgets.Standing(cursor: $0.cursor, isInAckSet: $0.state.isInAckSet) }
        for node in budgets.tick(now: now, durableEnd: durableEnd, standings: standings) where !isLast(node) {
            actions += leave(node, reason: slownessReason)
        }
        // The fastest node is never evicted for slowness, only when it gives no answer at all (A12).
        for index in members.indices where members[index].missedPings > 0 {
            guard history.age(ofBacklogFrom: members[index].cursor, at: now) > settings.syncTimeout else { continue }
            actions += leave(NodeIndex(index), reason: "it answers neither writes nor pings")
        }
        let arrivals = members.indices.filter { mayEnter($0, now: now) }
        guard !arrivals.isEmpty else { return actions }
        announcements += 1
        for index in arrivals { members[index].standing = .entering(announcement: announcements) }
        return actions + [.announce(ackSet: ackSet, announcement: announcements)]
    }

    private var slownessReason: String {
        func seconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds / 1_000_000) / 1000 }
        return "writes waited for it \(seconds(settings.syncTimeout)) s longer than for the fastest node, "
            + "within \(seconds(settings.budgetRefill)) s"
    }

    private func mayEnter(_ index: Int, now: Int64) -> Bool {
        let member = members[index]
        return member.state == .catchingUp && member.isPresentable && !member.isFailing && member.missedPings == 0
            && roles[index].isWaitedFor && (isLast(NodeIndex(index)) || !budgets.isSpent(NodeIndex(index)))
            && history.age(ofBacklogFrom: member.cursor, at: now) < settings.enterBelow
    }

    /// Some replica set has nobody who is waited for without it; then it is the fastest there is (A12).
    private func isLast(_ node: NodeIndex) -> Bool {
        var others = ackSet
        others.remove(node)
        return sets[Int(node.value)].contains { $0.isDisjoint(with: others) }
    }

    private mutating func leave(_ node: NodeIndex, reason: String) -> [Action] {
        let index = Int(node.value)
        guard members[index].standing.isInAckSet else { return [] }
        members[index].standing = .catchingUp
        announcements += 1
        // Others that are entering go on with the newer announcement, which names them too.
        for other in members.indices {
            if case .entering = members[other].standing {
                members[other].standing = .entering(announcement: announcements)
            }
        }
        return [
            .publish(readSet: readSet), .announce(ackSet: ackSet, announcement: announcements),
            .left(node, reason: reason),
        ]
    }

    private func nodes(_ belongs: (SyncState) -> Bool) -> NodeSet {
        NodeSet(members.indices.filter { belongs(members[$0].state) }.map(NodeIndex.init))
    }
}
