// What a replicator counts; read from any thread.

import Synchronization

/// A number that only grows.
package final class Counter: Sendable {
    private let storage = Atomic<UInt64>(0)

    package init() {}

    package var value: UInt64 { storage.load(ordering: .relaxed) }
    package func add(_ amount: Int) { storage.wrappingAdd(UInt64(amount), ordering: .relaxed) }
}

package final class ReplicatorFigures: Sendable {
    /// Requests with points, second tries included.
    package let batches = Counter()
    package let records = Counter()
    package let lines = Counter()
    package let refusedLines = Counter()
    package let refusedMutations = Counter()
    /// Answers that said some points are beyond their retention policy.
    package let expired = Counter()
    /// Waits for a database's shards before something was sent again.
    package let settlings = Counter()
    /// Deliveries that failed and were put back.
    package let failures = Counter()

    package init() {}
}
