// The caller's side of one request to a node.
import NIOCore

/// One request and its response. Confined to the pool's event loop.
package final class NodeExchange {
    enum State {
        case waiting
        case running(NodeConnection)
        case finished
    }

    let id: NodePoolState.ExchangeID
    let options: ExchangeOptions
    var state = State.waiting
    private let pool: NodePool
    private(set) var request: NodeRequest?
    private(set) var receiver: (any NodeResponseReceiver)?

    init(
        id: NodePoolState.ExchangeID, pool: NodePool, request: NodeRequest, receiver: any NodeResponseReceiver,
        options: ExchangeOptions
    ) {
        self.id = id
        self.pool = pool
        self.request = request
        self.receiver = receiver
        self.options = options
    }

    /// Whether it has a connection and no end yet.
    package var isRunning: Bool {
        if case .running = state { true } else { false }
    }

    /// Whether it has ended: `responseEnd` was called, or `responseFailed` was or is about to be.
    package var isFinished: Bool {
        if case .finished = state { true } else { false }
    }

    /// Gives up. A running exchange's connection is closed, which makes InfluxDB kill a query, but not undo a write.
    /// The receiver gets `responseFailed(.cancelled)` a little later and nothing else. Does nothing after the end.
    package func cancel() {
        pool.eventLoop.assertInEventLoop()
        switch state {
        case .waiting: pool.cancelWaiting(self)
        case .running(let connection): connection.abandon(.cancelled)
        case .finished: break
        }
    }

    /// Stops reading the response. What one read has already brought (up to 64 KiB) still arrives, and when the node
    /// closes the connection, all that the kernel holds.
    package func pauseReading() {
        if case .running(let connection) = state {
            connection.pauseReading()
        }
    }

    package func resumeReading() {
        if case .running(let connection) = state {
            connection.resumeReading()
        }
    }

    // MARK: From the pool and the connection

    func takeRequest() -> NodeRequest? {
        defer { request = nil }
        return request
    }

    func end() {
        state = .finished
        let receiver = self.receiver
        self.receiver = nil
        receiver?.responseEnd()
    }

    /// The receiver hears of it on a later turn of the loop, so that nobody is called back from within their own call.
    func fail(_ failure: NodeFailure) {
        state = .finished
        request = nil
        guard let receiver else {
            return
        }
        self.receiver = nil
        pool.eventLoop.assumeIsolated().execute {
            receiver.responseFailed(failure)
        }
    }
}
