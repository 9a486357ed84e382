// The connections to one node on one event loop: the shell that does the I/O which `NodePoolState` decides on.
import NIOCore

/// A pool of HTTP/1.1 connections to one node, confined to one event loop.
///
/// Every function must be called on `eventLoop`. The pool lives as long as it has connections; `close()` ends it.
package final class NodePool {
    package let eventLoop: any EventLoop
    package let address: NodeAddress
    package let limits: NodePoolLimits
    /// Called when an established connection, idle or not, ends without our doing: the node's process may have ended.
    package var onConnectionLost: (() -> Void)?
    /// The `Authorization` of requests that bring none of their own.
    private let authorization: Secret?
    private let connector: any NodeConnector

    private var state: NodePoolState
    private var waiting: [NodePoolState.ExchangeID: NodeExchange] = [:]
    private var connections: [NodePoolState.ConnectionID: NodeConnection] = [:]
    private var nextExchange: NodePoolState.ExchangeID = 0
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?
    private var closePromise: EventLoopPromise<Void>?
    /// Reused for request heads: written and flushed at once, it is usually free again for the next one.
    private var headBuffer = ByteBuffer()

    /// - Parameter credential: put on each request that has no `Authorization` header; nil: requests go as they are.
    package init(
        eventLoop: any EventLoop, address: NodeAddress, limits: NodePoolLimits = NodePoolLimits(),
        credential: ServiceCredential? = nil, connector: any NodeConnector = TCPConnector()
    ) {
        self.eventLoop = eventLoop
        self.address = address
        self.limits = limits
        self.connector = connector
        authorization = credential?.authorization
        self.state = NodePoolState(limits: limits)
    }

    /// Sends a request as soon as a connection is free. See `NodeResponseReceiver` for what follows.
    ///
    /// A request that is not well-formed (CR or LF in a header, a target that does not begin with `/`) ends with
    /// `notSent`.
    @discardableResult
    package func send(
        _ request: NodeRequest, to receiver: any NodeResponseReceiver, options: ExchangeOptions = .neverGiveUp
    ) -> NodeExchange {
        eventLoop.assertInEventLoop()
        let id = nextExchange
        nextExchange += 1
        let exchange = NodeExchange(id: id, pool: self, request: request, receiver: receiver, options: options)
        guard request.isWellFormed else {
            exchange.fail(.notSent(reason: "the request to \(address) is not well-formed"))
            return exchange
        }
        waiting[id] = exchange
        perform(state.enqueue(id, now: eventLoop.now))
        updateTimer()
        return exchange
    }

    /// What the pool holds at this moment.
    package var figures: NodePoolFigures {
        NodePoolFigures(open: state.open, connecting: state.connecting, busy: state.busy, waiting: state.waitingCount)
    }

    /// Closes idle connections and refuses waiting and later exchanges. Running exchanges go on, unless `force`.
    ///
    /// - Returns: Succeeds when the last connection is gone.
    @discardableResult
    package func close(force: Bool = false) -> EventLoopFuture<Void> {
        eventLoop.assertInEventLoop()
        let promise = closePromise ?? eventLoop.makePromise(of: Void.self)
        closePromise = promise
        perform(state.close())
        if force {
            for connection in Array(connections.values) {
                connection.abandon(.afterSend(reason: "the pool was closed"))
            }
        }
        updateTimer()
        completeCloseIfEmpty()
        return promise.futureResult
    }

    // MARK: From exchanges and connections

    func cancelWaiting(_ exchange: NodeExchange) {
        guard state.cancelWaiting(exchange.id) else {
            return
        }
        waiting[exchange.id] = nil
        exchange.fail(.cancelled)
        updateTimer()
    }

    func released(_ connection: NodeConnection) {
        perform(state.released(connection.id, now: eventLoop.now))
        updateTimer()
    }

    func closed(_ connection: NodeConnection) {
        guard connections.removeValue(forKey: connection.id) != nil else {
            return
        }
        perform(state.closed(connection.id))
        updateTimer()
        completeCloseIfEmpty()
    }

    /// Hands out the rendered head of a request.
    func renderHead(of request: NodeRequest) -> ByteBuffer {
        headBuffer.clear(minimumCapacity: 512)
        request.writeHead(to: address, authorization: authorization, into: &headBuffer)
        return headBuffer
    }

    // MARK: Doing what the state says

    private func perform(_ actions: [NodePoolState.Action]) {
        for action in actions {
            switch action {
            case .run(let id, let connectionID):
                guard let exchange = waiting.removeValue(forKey: id), let connection = connections[connectionID] else {
                    preconditionFailure("the pool of \(address) has no exchange \(id) or no connection \(connectionID)")
                }
                connection.run(exchange)
            case .connect(let id):
                connect(id)
            case .close(let id):
                connections[id]?.close()
            case .refuse(let id, let refusal):
                waiting.removeValue(forKey: id)?.fail(.notSent(reason: reason(of: refusal)))
            }
        }
    }

    private func reason(of refusal: NodePoolState.Refusal) -> String {
        switch refusal {
        case .tooManyWaiting:
            "\(limits.maximumWaiting) requests already wait for one of \(limits.maximumConnections) connections"
        case .waitedTooLong:
            "none of \(limits.maximumConnections) connections became free in time"
        case .poolClosed: "the pool is closed"
        case .connectFailed(let reason): reason
        }
    }

    private func connect(_ id: NodePoolState.ConnectionID) {
        let connection = NodeConnection(id: id, pool: self)
        connections[id] = connection
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        let connected = connector.connect(to: address, limits: limits, on: eventLoop) { channel in
            channel.eventLoop.makeCompletedFuture {
                try bound.value.addHandler(to: channel)
            }
        }
        connected.assumeIsolated().whenComplete { result in
            switch result {
            case .success:
                self.connected(connection)
            case .failure(let error):
                self.connectFailed(connection, error)
            }
        }
    }

    private func connected(_ connection: NodeConnection) {
        if state.isClosed || !connection.isActive {
            connection.close()
            connectFailed(connection, ChannelError.ioOnClosedChannel)
        } else {
            perform(state.connected(connection.id, now: eventLoop.now))
            updateTimer()
        }
    }

    private func connectFailed(_ connection: NodeConnection, _ error: any Error) {
        guard connections.removeValue(forKey: connection.id) != nil else {
            return
        }
        perform(state.connectFailed(connection.id, reason: "cannot connect to \(address): \(error)"))
        updateTimer()
        completeCloseIfEmpty()
    }

    private func completeCloseIfEmpty() {
        if state.isClosed, connections.isEmpty {
            closePromise?.succeed()
        }
    }

    // MARK: Time

    /// One timer for the whole pool. It is only ever moved forward, so that the usual exchange does not touch it.
    private func updateTimer() {
        guard let next = state.nextDeadline else {
            if state.isClosed {
                timer?.task.cancel()
                timer = nil
            }
            return
        }
        if let timer {
            if timer.at <= next {
                return
            }
            timer.task.cancel()
        }
        let task = eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.timer = nil
            self.perform(self.state.timePassed(now: self.eventLoop.now))
            self.updateTimer()
        }
        timer = (task, next)
    }
}

/// A pool's connections and queue at one moment.
package struct NodePoolFigures: Equatable, Sendable {
    /// Established connections, busy or idle.
    package var open: Int
    /// Connects under way.
    package var connecting: Int
    /// Connections with an exchange.
    package var busy: Int
    /// Exchanges without a connection.
    package var waiting: Int

    package init(open: Int, connecting: Int, busy: Int, waiting: Int) {
        self.open = open
        self.connecting = connecting
        self.busy = busy
        self.waiting = waiting
    }
}
