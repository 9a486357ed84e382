// What the HTTP server counts. Read by the metrics, from any thread.
import Synchronization

/// Counters over all event loops of one server.
package final class ServerFigures: Sendable {
    package let connectionsOpen = Atomic<Int>(0)
    package let connectionsTotal = Atomic<Int>(0)
    /// Connections answered with 503, or closed at once, because there were too many.
    package let connectionsRejected = Atomic<Int>(0)
    /// Heads that reached the router.
    package let requests = Atomic<Int>(0)
    /// Requests whose answer is not complete.
    package let requestsActive = Atomic<Int>(0)
    /// Requests that never reached the router: not HTTP, head too large, unsupported.
    package let requestsMalformed = Atomic<Int>(0)
    /// Requests whose client was gone before the answer was complete.
    package let requestsAbandoned = Atomic<Int>(0)
    /// Connections closed by a time limit on head, body or writing.
    package let timeouts = Atomic<Int>(0)
    /// TLS connections that ended before the first request could come.
    package let tlsHandshakesFailed = Atomic<Int>(0)
    /// Whose connections are open.
    let gate = ConnectionGate()
    package let answered2xx = Atomic<Int>(0)
    package let answered3xx = Atomic<Int>(0)
    package let answered4xx = Atomic<Int>(0)
    package let answered5xx = Atomic<Int>(0)

    package init() {}

    func answered(_ status: Int) {
        switch status {
        case 200..<300: answered2xx.add(1, ordering: .relaxed)
        case 300..<400: answered3xx.add(1, ordering: .relaxed)
        case 400..<500: answered4xx.add(1, ordering: .relaxed)
        default: answered5xx.add(1, ordering: .relaxed)
        }
    }
}
