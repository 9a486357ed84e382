// How many requests of each kind ended how: the load that a run really had.

import Synchronization

package final class Tally: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    package init() {}

    package func add(_ what: String) {
        counts.withLock { $0[what, default: 0] += 1 }
    }

    package subscript(what: String) -> Int { counts.withLock { $0[what] ?? 0 } }

    package var description: String {
        counts.withLock { $0.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }
    }

    package func add(_ client: String, _ outcome: Outcome) {
        switch outcome {
        case .acknowledged: add("\(client) acknowledged")
        case .refused: add("\(client) refused")
        case .notSent: add("\(client) not sent")
        case .unknown: add("\(client) unknown")
        case .open: add("\(client) open")
        }
    }
}
