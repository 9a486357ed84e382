// How many connections each client and each listener has, over all event loops.

import NIOConcurrencyHelpers
import NIOCore

package final class ConnectionGate: Sendable {
    /// A connection that counts.
    struct Seat {
        fileprivate let listener: Int?
        fileprivate let client: RequestUser?
    }

    private struct Counts: Sendable {
        var byListener: [Int: Int] = [:]
        var byClient: [RequestUser: Int] = [:]
    }

    private let counts = NIOLockedValueBox(Counts())

    package init() {}

    /// nil: there are too many.
    func enter(_ listener: Int, _ address: SocketAddress?, _ limits: ServerLimits) -> Seat? {
        let ofListener = limits.connectionsPerListener[listener]
        let ofClient = limits.connectionsPerAddress
        guard ofListener != nil || ofClient > 0 else { return Seat(listener: nil, client: nil) }
        let client = ofClient > 0 ? RequestUser(address) : .local
        return counts.withLockedValue { counts in
            if let ofListener, counts.byListener[listener, default: 0] >= ofListener { return nil }
            let isCounted = client != .local
            if isCounted, counts.byClient[client, default: 0] >= ofClient { return nil }
            if ofListener != nil { counts.byListener[listener, default: 0] += 1 }
            if isCounted { counts.byClient[client, default: 0] += 1 }
            return Seat(listener: ofListener == nil ? nil : listener, client: isCounted ? client : nil)
        }
    }

    func leave(_ seat: Seat) {
        guard seat.listener != nil || seat.client != nil else { return }
        counts.withLockedValue { counts in
            if let listener = seat.listener { counts.byListener[listener, default: 1] -= 1 }
            if let client = seat.client {
                let left = counts.byClient[client, default: 1] - 1
                counts.byClient[client] = left > 0 ? left : nil
            }
        }
    }
}
