// What a replicator tells the rest of the gateway, and what it is told of its node.

import Cluster
import CommitLog
import NIOCore

/// Called on the replicator's loop.
package protocol ReplicatorDelegate: AnyObject, Sendable {
    func applied(_ node: NodeIndex, lane database: String, through offset: Offset)
    /// Clients that wait for the record get these words; comes before `applied`.
    func refused(_ node: NodeIndex, lane database: String, offset: Offset, _ refusal: Refusal)
    func answered(_ node: NodeIndex, mutation offset: Offset, _ answer: MutationAnswer)
    /// A mutation was executed, without error.
    func mutated(_ node: NodeIndex, _ mutation: MutationRecord)
    func progressed(_ node: NodeIndex, cursor: Offset, attachment: Int)
    func deliveryFailed(_ node: NodeIndex, reason: String)
    func healthChanged(_ node: NodeIndex, isUp: Bool, missedPings: Int, version: String)
    /// - Parameter lostBefore: what lies below it has rotted, what lies above can still be delivered; nil: not known.
    func needsCopy(_ node: NodeIndex, reason: String, lostBefore: Offset?)

    /// It cannot be known what is under way in the node, or which process answers: it must not be read.
    func contactLost(_ node: NodeIndex, reason: String)
    func settled(_ node: NodeIndex)
    /// Something that keeps the node from being fed, for people.
    func waits(_ node: NodeIndex, reason: String)
    /// Answer with `attach`, `hold` or nothing yet.
    func interviewed(_ node: NodeIndex, _ interviewed: Interviewed)
    /// What the node was found to be, at each interview.
    func noted(_ node: NodeIndex, _ facts: NodeFacts)

    /// Which shards it has open.
    /// - Parameter cursor: of the node, when the question was asked.
    func sawShards(_ node: NodeIndex, _ open: Set<ShardIdentity>, at cursor: Offset, attachment: Int)
    /// The next statement drops what is of this policy, database, or anything (nil); done once that is durable, so that
    /// half of it done is never taken for damage.
    func willDrop(_ node: NodeIndex, database: String?, policy: String?, then done: @escaping @Sendable () -> Void)
    /// A write was refused with 500 again and again, and these are the node's shards.
    func refusesForLong(_ node: NodeIndex, _ write: StubbornWrite, _ seen: ShardsSeen)

    /// Answer with `decided`.
    func reported(_ node: NodeIndex, _ report: RefusalReport)
    func took(_ node: NodeIndex, _ offset: Offset)
    /// The node holds lines that its set has refused.
    func contradicted(_ node: NodeIndex, database: String, measurements: Set<String>)

    /// The node has confirmed a marker.
    func markerConfirmed(_ node: NodeIndex, _ cursor: Offset)
    /// The cursor that is on disk.
    func durableCursor(_ node: NodeIndex) -> Offset?
    var durableEnd: Offset { get }
    var log: (id: String, epoch: UInt64) { get }
    /// Whether clients may be waiting for what this node says.
    func isWaitedFor(_ node: NodeIndex) -> Bool
}

/// What a node said of itself before it was attached.
package struct Interviewed: Sendable {
    package var facts: NodeFacts
    package var markers: [Marker]
    /// Whether a database of users has a measurement.
    package var hasData: Bool
    /// Nil: it does not show them.
    package var shards: ShardsSeen?
    /// The newest marker that the node has confirmed to us; nil: none yet.
    package var lastMarker: Offset?
    /// The largest cursor in any marker that was sent to it.
    package var attemptedMarker: Offset?
}

/// Lines of a record that a node refused.
package struct RefusalReport: Sendable {
    package var offset: Offset
    /// The record's replica set.
    package var nodes: NodeSet
    package var database: String
    package var key: BatchKey
    package var payload: ByteBuffer
    package var refused: RefusedLines
}

/// From where a node is fed.
package struct NodeAttachment: Sendable {
    /// The sync set's number for it.
    package var number: Int
    package var cursor: Offset
    package var process: ProcessIdentity?
    /// Records below it were sent before, perhaps: what the node refuses of them may be due to what came after them.
    package private(set) var replayEnd: Offset
    private var replayBytes: Int
    private var fedBytes = 0

    /// - Parameter replayBytes: no more than this can have been sent before.
    package init(
        number: Int, cursor: Offset, process: ProcessIdentity?, replayEnd: Offset, replayBytes: Int = .max
    ) {
        self.number = number
        self.cursor = cursor
        self.process = process
        self.replayEnd = replayEnd
        self.replayBytes = replayBytes
    }

    mutating func raiseReplayEnd(to offset: Offset) {
        replayEnd = max(replayEnd, offset)
    }

    mutating func noteFed(_ bytes: Int, at offset: Offset) {
        guard offset < replayEnd else { return }
        fedBytes += bytes
        if fedBytes > replayBytes { replayEnd = offset }
    }
}

/// A refusal in the log, as far as nodes that come later need it.
package struct RefusalNotice: Sendable {
    package let target: Offset
    /// Empty: of the whole set.
    package let node: String
    package let refusedBy: [String]
    package let database: String
    package let ranges: [Range<UInt32>]
    package let measurements: Set<String>
}
