// What one UDP listener counts: nobody is told of a datagram that is lost, so the operator must be able to see it.

import NIOConcurrencyHelpers
import Replication
import Synchronization

package final class UDPFigures: Sendable {
    /// Why good points are dropped.
    package enum Drop: String, CaseIterable, Sendable {
        /// The log is full, overloaded or closed, or the disk failed.
        case log
        /// There is no such database or retention policy.
        case schema
        /// The policy for clients forbids writing there.
        case policy
    }

    package let datagrams = Counter()
    package let bytes = Counter()
    /// Points that are durable in the log.
    package let points = Counter()
    package let badLines = Counter()
    package let dropped = Dictionary(uniqueKeysWithValues: Drop.allCases.map { ($0, Counter()) })
    /// Datagrams that the system threw away because its buffer was full.
    package let lostDatagrams = Counter()
    /// Bytes of that buffer, as granted.
    package let readBuffer = Atomic<Int>(0)
    private let boundAddress = NIOLockedValueBox("")

    /// `host:port`; empty before it is bound.
    package internal(set) var address: String {
        get { boundAddress.withLockedValue { $0 } }
        set { boundAddress.withLockedValue { $0 = newValue } }
    }
}
