// The one reader of the log: a thread that hands each replicator the records from its position on, up to the durable
// end and never beyond, for as long as the replicator grants it room. No event loop ever waits for a file.
//
// The log's thread says "the durable end moved", replicators say "there is room again"; both only wake the reader.
// Nodes that are in sync read the same records at nearly the same time, so the last chunk is kept and shared.

import Cluster
import CommitLog
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// What is sent of a record; shared by the replicators of all nodes.
package final class RecordPayload: Sendable {
    package enum Content: Sendable {
        case points(ByteBuffer)
        case mutation(MutationRecord)
    }

    package let content: Content

    init(_ content: Content) { self.content = content }
}

/// A record as the replicators need it.
package enum FeedRecord: Sendable {
    case item(NodeLanes.Item)
    /// Nothing that a node applies; it may speak of what it applies.
    case refusal(Offset, RefusalNotice, for: NodeSet, bytes: Int)
    /// Records that the log has left out, because the nodes that they concern have them.
    case gap(Range<Offset>)

    /// Bytes that it takes in memory.
    var bytes: Int {
        switch self {
        case .item(let item): item.bytes
        case .refusal(_, _, _, let bytes): bytes
        case .gap: 0
        }
    }
}

/// Consecutive records, and gaps in their place.
package struct FeedChunk: Sendable {
    package let first: Offset
    package let next: Offset
    package let records: [FeedRecord]
    /// Bytes of its records in the log.
    package let bytes: Int
    package let hasGaps: Bool
}

package enum FeedEvent: Sendable {
    case chunk(FeedChunk)
    /// The log does not hold (or cannot read) what comes next; the feed for this node ends.
    case failed(reason: String, lostBefore: Offset?)
}

package final class LogFeed: Sendable {
    /// One node's standing order.
    private struct Subscription {
        let id: Int
        var position: Offset
        /// Reads in a row that failed for a reason that may pass.
        var failures = 0
        /// Bytes that may be delivered before more room is granted.
        var room: Int
        var ended = false
        let deliver: @Sendable (FeedEvent) -> Void
    }

    private struct State {
        var subscriptions: [NodeIndex: Subscription] = [:]
        var nextID = 0
        var stopped = false
        /// Where the caller delivers.
        var reader: ChunkReader?
    }

    private static let chunkBytes = 1 << 20
    /// A file that cannot be opened or read (no descriptors left, say) is tried again for about half a minute.
    private static let mostFailures = 300

    private let log: CommitLog
    private let sets: ReplicaSetTable
    private let state = NIOLockedValueBox(State())
    /// 1: there is something to look at.
    private let wakeUp = ConditionLock(value: 0)
    private let thread = NIOThreadPool(numberOfThreads: 1)

    package init(log: CommitLog, sets: ReplicaSetTable) {
        self.log = log
        self.sets = sets
    }

    package func start() {
        log.onDurableEndAdvanced { [weak self] _ in self?.wake() }
        guard log.configuration.driving == .ownThreads else { return }
        thread.start()
        thread.submit { [self] _ in run() }
    }

    /// Delivers one round, on the caller's thread; for logs whose wheels the caller turns.
    ///
    /// - Returns: Whether there may be more to deliver.
    package func deliverPending() -> Bool {
        wakeUp.lock()
        wakeUp.unlock(withValue: 0)
        var reader =
            state.withLockedValue { $0.reader.take() }
            ?? ChunkReader(log: log, sets: sets, chunkBytes: Self.chunkBytes)
        defer { state.withLockedValue { [reader] in $0.reader = reader } }
        return deliverRound(&reader)
    }

    /// Something has happened since the last delivery.
    package var isWoken: Bool { wakeUp.value == 1 }

    /// Ends the thread; nothing is delivered after `stop` returned.
    package func stop() async {
        state.withLockedValue { $0.stopped = true }
        wake()
        try? await thread.shutdownGracefully()
    }

    /// - Parameter deliver: called on the reader's thread, in order.
    package func subscribe(
        _ node: NodeIndex, from position: Offset, room: Int, deliver: @escaping @Sendable (FeedEvent) -> Void
    ) {
        state.withLockedValue {
            $0.nextID += 1
            $0.subscriptions[node] = Subscription(
                id: $0.nextID, position: position, room: room, deliver: deliver)
        }
        wake()
    }

    /// Nothing more is delivered to the node, but for what is under way.
    package func unsubscribe(_ node: NodeIndex) { state.withLockedValue { $0.subscriptions[node] = nil } }

    /// The replicator has applied, and forgotten, this many bytes.
    package func grant(_ node: NodeIndex, bytes: Int) {
        let hadNone = state.withLockedValue { state -> Bool in
            guard let room = state.subscriptions[node]?.room else { return false }
            state.subscriptions[node]?.room = room + bytes
            return room <= 0 && room + bytes > 0
        }
        if hadNone { wake() }
    }

    private func wake() {
        wakeUp.lock()
        wakeUp.unlock(withValue: 1)
    }

    private func run() {
        var reader = ChunkReader(log: log, sets: sets, chunkBytes: Self.chunkBytes)
        while true {
            wakeUp.lock(whenValue: 1)
            wakeUp.unlock(withValue: 0)
            while deliverRound(&reader) {}
            if state.withLockedValue({ $0.stopped }) { return }
        }
    }

    /// One chunk for each node that has room and a backlog; false when there was nothing to deliver.
    private func deliverRound(_ reader: inout ChunkReader) -> Bool {
        let end = log.durableEnd
        let (due, stopped) = state.withLockedValue { state in
            (
                state.subscriptions
                    .filter { !$0.value.ended && $0.value.room > 0 && $0.value.position < end }
                    .sorted { $0.key < $1.key },
                state.stopped
            )
        }
        if stopped { return false }
        for (node, subscription) in due {
            do {
                let chunk = try reader.chunk(from: subscription.position)
                if chunk.hasGaps { try checkGaps(of: node, from: subscription.position) }
                // Another order may have taken this one's place meanwhile.
                let isCurrent = state.withLockedValue { state in
                    guard state.subscriptions[node]?.id == subscription.id else { return false }
                    state.subscriptions[node]?.position = chunk.next
                    state.subscriptions[node]?.room -= chunk.bytes
                    state.subscriptions[node]?.failures = 0
                    return true
                }
                if isCurrent { subscription.deliver(.chunk(chunk)) }
            } catch {
                let isOver = state.withLockedValue { state in
                    guard state.subscriptions[node]?.id == subscription.id else { return false }
                    state.subscriptions[node]?.failures += 1
                    let isOver = !error.isPassing || subscription.failures >= Self.mostFailures
                    state.subscriptions[node]?.ended = isOver
                    return isOver
                }
                if isOver {
                    subscription.deliver(.failed(reason: error.reason, lostBefore: error.lostBefore))
                } else if log.configuration.driving == .ownThreads {
                    usleep(100_000)
                }
            }
        }
        return !due.isEmpty
    }

    /// A gap is nothing to a node that never wanted what was there. One that went back in time, or that is fed from
    /// further below than its cursor ever stood, may lack what others of its sets had no need of any more.
    private func checkGaps(of node: NodeIndex, from position: Offset) throws(FeedFailure) {
        guard let lost = log.leftOut(from: position, where: { [sets] in sets.nodes($0).contains(node) }) else { return }
        throw FeedFailure(
            reason:
                "records between \(lost.lowerBound) and \(lost.upperBound) (exclusive) were left out when all nodes that they "
                + "concern had applied them", lostBefore: lost.upperBound)
    }
}
