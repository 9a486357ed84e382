// What the connections of one event loop share: the router, prepared headers, the clock and the sweep over time limits.
import HTTPCodec
import NIOCore
import NIOPosix

/// Confined to its event loop.
package final class ServerLoop {
    let eventLoop: any EventLoop
    let limits: ServerLimits
    let headLimits: HeadLimits
    let figures: ServerFigures
    let router: any Router
    var standardHeaders: StandardHeaders
    /// The time of the last sweep: good enough for limits of seconds, and free to read.
    private(set) var now: NIODeadline
    private(set) var isDraining = false
    private var drainingSince: NIODeadline?
    /// Reused for rendered heads: written and flushed at once, it is usually free again for the next one.
    var scratch = ByteBuffer()

    private var connections: [Int: HTTPConnection] = [:]
    private var nextConnection = 0
    private var toFlush: [HTTPConnection] = []
    private var sweeping: RepeatedTask?
    private var emptied: [EventLoopPromise<Void>] = []

    package init(
        eventLoop: any EventLoop, limits: ServerLimits, figures: ServerFigures, version: String, router: any Router
    ) {
        self.eventLoop = eventLoop
        now = eventLoop.now
        self.limits = limits
        headLimits = HeadLimits(bytes: limits.maximumHeaderBytes, fields: limits.maximumHeaderFields)
        self.figures = figures
        self.router = router
        self.standardHeaders = StandardHeaders(version: version)
    }

    // MARK: Connections

    /// - Parameter listener: What `Exchange.listener` is for its requests.
    package func addConnection(to channel: any Channel, listener: Int = 0, tls: ListenerTLS? = nil) throws {
        let open = figures.connectionsOpen.add(1, ordering: .relaxed).newValue
        figures.connectionsTotal.add(1, ordering: .relaxed)
        guard open <= limits.maximumConnections + limits.maximumRejectedConnections else {
            figures.connectionsOpen.subtract(1, ordering: .relaxed)
            figures.connectionsRejected.add(1, ordering: .relaxed)
            throw ChannelError.ioOnClosedChannel
        }
        // First the clock: it stands still while there is no connection.
        startSweeping()
        let connection = HTTPConnection(
            id: nextConnection, loop: self, listener: listener, isRejected: open > limits.maximumConnections)
        nextConnection += 1
        connections[connection.id] = connection
        do {
            try connection.addHandlers(to: channel, tls: tls)
        } catch {
            remove(connection)
            throw error
        }
    }

    func remove(_ connection: HTTPConnection) {
        guard connections.removeValue(forKey: connection.id) != nil else {
            return
        }
        figures.connectionsOpen.subtract(1, ordering: .relaxed)
        if let seat = connection.seat { figures.gate.leave(seat) }
        if connections.isEmpty {
            sweeping?.cancel()
            sweeping = nil
            for promise in emptied {
                promise.succeed()
            }
            emptied = []
        }
    }

    /// Flushes at the end of the loop's present turn, so that a streamed answer's pieces leave in one system call.
    func flushSoon(_ connection: HTTPConnection) {
        toFlush.append(connection)
        if toFlush.count == 1 {
            eventLoop.assumeIsolated().execute {
                let connections = self.toFlush
                self.toFlush = []
                for connection in connections {
                    connection.flush()
                }
            }
        }
    }

    // MARK: Time

    private func startSweeping() {
        guard sweeping == nil else {
            return
        }
        sweep()
        let interval = limits.sweepInterval
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        sweeping = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            bound.value.sweep()
        }
    }

    private func sweep() {
        now = eventLoop.now
        standardHeaders.refresh()
        for connection in Array(connections.values) {
            connection.sweep(now: now)
        }
    }

    // MARK: The end

    func closeIdle() {
        for connection in Array(connections.values) {
            connection.closeIfIdle()
        }
    }

    func hasDrained(for time: TimeAmount, now: NIODeadline) -> Bool {
        drainingSince.map { now - $0 >= time } ?? false
    }

    /// From now on each connection is closed after its present answer.
    ///
    /// - Returns: Succeeds when no connection is left.
    func drain() -> EventLoopFuture<Void> {
        isDraining = true
        drainingSince = eventLoop.now
        let promise = eventLoop.makePromise(of: Void.self)
        if connections.isEmpty {
            promise.succeed()
        } else {
            emptied.append(promise)
            closeIdle()
        }
        return promise.futureResult
    }

    package var connectionCount: Int { connections.count }

    func cutAll() {
        for connection in Array(connections.values) {
            connection.cut()
        }
    }
}
