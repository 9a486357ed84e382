// The words for how far a node is from being in sync; what moves it from one to the next is SyncSet.swift.

import CommitLog

package enum SyncState: Equatable, Sendable {
    /// Has a backlog in the log, and gets it.
    case catchingUp
    /// Loops are being told to wait for it; `announcement` is the one that must be confirmed.
    case entering(announcement: Int)
    /// Loops wait for it; readable from this offset on.
    case joining(Offset)
    case inSync
    /// The log cannot bring it up to date.
    case needsCopy(reason: String)
    /// What it holds is not known: it gets nothing and is not read.
    case detached(reason: String)
    /// An operator wants it left alone; its backlog is kept.
    case paused(reason: String)

    package var isInAckSet: Bool {
        switch self {
        case .entering, .joining, .inSync: true
        case .catchingUp, .needsCopy, .detached, .paused: false
        }
    }

    /// What it has is known, and it gets what it lacks.
    package var isFed: Bool { self == .inSync || isCatchingUp }

    /// Fed from the log, but not (yet) in sync.
    package var isCatchingUp: Bool {
        switch self {
        case .catchingUp, .entering, .joining: true
        case .inSync, .needsCopy, .detached, .paused: false
        }
    }

    /// The word for people: `in-sync`, `catching-up`, `needs-copy`, `unattached` or `paused`.
    package var word: String {
        switch self {
        case .inSync: "in-sync"
        case .catchingUp, .entering, .joining: "catching-up"
        case .needsCopy: "needs-copy"
        case .detached: "unattached"
        case .paused: "paused"
        }
    }

    /// Why it is not fed; nil where it is.
    package var reason: String? {
        switch self {
        case .catchingUp, .entering, .joining, .inSync: nil
        case .needsCopy(let reason), .detached(let reason), .paused(let reason): reason
        }
    }
}
