// Which nodes are in sync, and how they come and go (DESIGN: "Sync state of a node"). A value without I/O or clock.
//
//             announced          all loops wait for it         cursor >= J
//   catchingUp --------> entering ------------------> joining -----------> inSync
//        ^                  |                            |                    |
//        +------------------+----------------------------+--------------------+   leave
//
// Two sets follow from the states: the ack set (entering, joining, inSync) and the read set (inSync).
// - Entering: first every loop is told to wait for the node, then J = durable end is taken: whatever was acknowledged
//   without the node lies below J. At cursor >= J the node has all of it and is published to readers.
// - Leaving: first readers get a read set without the node, then loops stop waiting for it.
// So ReadSet is a subset of AckSet at every moment, on every loop.

import CommitLog

package enum SyncState: Equatable, Sendable {
    /// Has a backlog in the log.
    case catchingUp
    /// Loops are being told to wait for it; `announcement` is the one that must be confirmed.
    case entering(announcement: Int)
    /// Loops wait for it; readable from this offset on.
    case joining(Offset)
    case inSync
    /// The log cannot bring it up to date.
    case needsCopy(reason: String)

    package var isInAckSet: Bool {
        switch self {
        case .entering, .joining, .inSync: true
        case .catchingUp, .needsCopy: false
        }
    }

    /// The word for people: `in-sync`, `catching-up` or `needs-copy`.
    package var word: String {
        switch self {
        case .inSync: "in-sync"
        case .catchingUp, .entering, .joining: "catching-up"
        case .needsCopy: "needs-copy"
        }
    }
}

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
        /// How long a node may make acknowledgements wait beyond the fastest one; nanoseconds.
        package var syncTimeout: Int64 = 2_000_000_000
        /// A node whose oldest missing record is younger may enter; nanoseconds.
        package var enterBelow: Int64 = 200_000_000

        package init(syncTimeout: Int64 = 2_000_000_000, enterBelow: Int64 = 200_000_000) {
            self.syncTimeout = syncTimeout
            self.enterBelow = enterBelow
        }
    }

    package struct Member: Sendable {
        package fileprivate(set) var state: SyncState
        package fileprivate(set) var cursor: Offset
        package fileprivate(set) var isUp = false
        package fileprivate(set) var missedPings = 0
        /// Its last delivery failed: it is not asked to enter before one succeeds or it answers pings again.
        package fileprivate(set) var isFailing = false
    }

    package private(set) var members: [Member]
    private let settings: Settings
    private var history = DurableHistory()
    private var announcements = 0

    /// - Parameter cursors: each node's cursor; nil: the log cannot bring it up to date.
    package init(cursors: [Offset?], settings: Settings = Settings()) {
        self.settings = settings
        members = cursors.map { cursor in
            cursor.map { Member(state: .catchingUp, cursor: $0) }
                ?? Member(
                    state: .needsCopy(reason: "the log no longer holds all that this node lacks"),
                    cursor: Offset(rawValue: 0)
                )
        }
    }

    package var readSet: NodeSet { nodes { $0 == .inSync } }
    package var ackSet: NodeSet { nodes(\.isInAckSet) }

    /// The nodes that may answer when none is in sync, the most advanced first.
    package func fallbacks(notBelow horizon: Offset) -> [NodeIndex] {
        members.indices
            .filter { members[$0].isUp && members[$0].state == .catchingUp && members[$0].cursor >= horizon }
            .sorted { members[$0].cursor > members[$1].cursor }
            .map(NodeIndex.init)
    }

    /// The age of what a node lacks, in nanoseconds; 0: nothing.
    package func backlogAge(_ node: NodeIndex, now: Int64) -> Int64 {
        history.age(ofBacklogFrom: members[Int(node.value)].cursor, at: now)
    }

    package mutating func progressed(_ node: NodeIndex, cursor: Offset) -> [Action] {
        let index = Int(node.value)
        // Something was delivered; hearing of more to deliver is no success.
        if cursor > members[index].cursor { members[index].isFailing = false }
        members[index].cursor = cursor
        if case .joining(let join) = members[index].state, cursor >= join, members[index].isUp {
            members[index].state = .inSync
            return [.publish(readSet: readSet), .entered(node)]
        }
        return []
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

    /// The log cannot bring the node up to date any more.
    package mutating func needsCopy(_ node: NodeIndex, reason: String) -> [Action] {
        let actions = leave(node, reason: reason)
        members[Int(node.value)].state = .needsCopy(reason: reason)
        return actions
    }

    /// Every loop waits for the nodes of this announcement.
    package mutating func confirmed(announcement: Int, durableEnd: Offset) -> [Action] {
        var entered: [NodeIndex] = []
        for index in members.indices where members[index].state == .entering(announcement: announcement) {
            if members[index].cursor >= durableEnd {
                members[index].state = .inSync
                entered.append(NodeIndex(index))
            } else {
                members[index].state = .joining(durableEnd)
            }
        }
        return entered.isEmpty ? [] : [.publish(readSet: readSet)] + entered.map(Action.entered)
    }

    /// Time passes; call it every 50 ms or so. Times are monotonic nanoseconds.
    package mutating func tick(now: Int64, durableEnd: Offset) -> [Action] {
        history.note(durableEnd, at: now)
        var actions: [Action] = []
        let fastest = members.filter { $0.state.isInAckSet }.map(\.cursor).max()
        for index in members.indices where members[index].state.isInAckSet {
            let member = members[index]
            guard history.age(ofBacklogFrom: member.cursor, at: now) > settings.syncTimeout else { continue }
            // The fastest node is never evicted for slowness, only when it gives no answer at all (A12).
            if member.cursor == fastest, member.missedPings == 0 { continue }
            actions += leave(NodeIndex(index), reason: "it made writes wait longer than sync_timeout")
        }
        var arrivals: [Int] = []
        for index in members.indices where members[index].state == .catchingUp {
            guard members[index].isUp, !members[index].isFailing, members[index].missedPings == 0 else { continue }
            guard history.age(ofBacklogFrom: members[index].cursor, at: now) < settings.enterBelow else { continue }
            arrivals.append(index)
        }
        guard !arrivals.isEmpty else { return actions }
        announcements += 1
        for index in arrivals { members[index].state = .entering(announcement: announcements) }
        return actions + [.announce(ackSet: ackSet, announcement: announcements)]
    }

    private mutating func leave(_ node: NodeIndex, reason: String) -> [Action] {
        let index = Int(node.value)
        guard members[index].state.isInAckSet else { return [] }
        members[index].state = .catchingUp
        announcements += 1
        // Others that are entering go on with the newer announcement, which names them too.
        for other in members.indices {
            if case .entering = members[other].state { members[other].state = .entering(announcement: announcements) }
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
