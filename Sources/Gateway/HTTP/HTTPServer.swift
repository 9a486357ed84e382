// The HTTP server: listeners, and the end of the server in good order.
import Glibc
import NIOCore
import NIOPosix

/// An HTTP/1.x server on the event loops of a group, with one router per loop.
///
/// The end: `stopAccepting`, then `drain`, then shut down the group.
package final class HTTPServer: Sendable {
    package let limits: ServerLimits
    package let figures: ServerFigures
    private let group: any EventLoopGroup
    private let loops: [EventLoopFuture<NIOLoopBound<ServerLoop>>]
    private let control: any EventLoop
    private let listeners: NIOLoopBoundBox<[(channel: any Channel, file: UnixSocketFile?)]>

    /// - Parameters:
    ///   - version: The value of `X-Influxdb-Version`, until `advertise` changes it.
    ///   - makeRouter: Called once on each event loop of the group.
    package init(
        group: any EventLoopGroup, limits: ServerLimits = ServerLimits(), figures: ServerFigures = ServerFigures(),
        version: String = "1.8.10", makeRouter: @escaping @Sendable (any EventLoop) -> any Router
    ) {
        self.group = group
        self.limits = limits
        self.figures = figures
        control = group.next()
        listeners = NIOLoopBoundBox.makeBoxSendingValue([], eventLoop: control)
        loops = group.makeIterator().map { eventLoop in
            eventLoop.submit {
                let loop = ServerLoop(
                    eventLoop: eventLoop, limits: limits, figures: figures, version: version,
                    router: makeRouter(eventLoop))
                return NIOLoopBound(loop, eventLoop: eventLoop)
            }
        }
    }

    /// Listens on one more address. May be called several times.
    ///
    /// - Parameter listener: What `Exchange.listener` is for requests that come in here.
    /// - Returns: The address bound, with the port that was chosen if `port` was 0.
    package func bind(host: String, port: Int, listener: Int = 0) -> EventLoopFuture<SocketAddress> {
        bind(.tcp(host: host, port: port), listener: listener)
    }

    /// As above, for any kind of address.
    ///
    /// - Parameters:
    ///   - passed: A socket that is bound to the endpoint already, and from now on is the server's.
    ///   - tls: nil: clients speak HTTP without TLS.
    package func bind(
        _ endpoint: ListenEndpoint, passed: CInt? = nil, listener: Int = 0, tls: ListenerTLS? = nil
    ) -> EventLoopFuture<SocketAddress> {
        var socket = passed
        var file: UnixSocketFile?
        if passed == nil, case .unix(let path, let mode) = endpoint {
            do {
                let made = try UnixSocketFile.bind(path: path, mode: mode)
                (socket, file) = (made.descriptor, made.file)
            } catch {
                return control.makeFailedFuture(error)
            }
        }
        return listen(endpoint, on: socket, file, listener, tls)
    }

    private func listen(
        _ endpoint: ListenEndpoint, on socket: CInt?, _ file: UnixSocketFile?, _ listener: Int, _ tls: ListenerTLS?
    ) -> EventLoopFuture<SocketAddress> {
        let limits = limits
        let group = group
        let listeners = listeners
        let control = control
        return EventLoopFuture.whenAllSucceed(loops, on: control).flatMap { loops in
            let byEventLoop = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
            let waterMark = ChannelOptions.Types.WriteBufferWaterMark(
                low: limits.writeLowWaterMark, high: limits.writeHighWaterMark)
            var bootstrap = ServerBootstrap(group: control, childGroup: group)
                .serverChannelOption(.backlog, value: limits.backlog)
            if case .tcp = endpoint {
                bootstrap =
                    bootstrap
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                    .childChannelOption(.socketOption(.so_keepalive), value: 1)
                    .childChannelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 60)
            }
            bootstrap =
                bootstrap
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.maxMessagesPerRead, value: 1)
                .childChannelOption(.writeBufferWaterMark, value: waterMark)
                .childChannelInitializer { channel in
                    guard let loop = byEventLoop[ObjectIdentifier(channel.eventLoop)] else {
                        return channel.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
                    }
                    return Self.adopt(channel, by: loop, listener: listener, tls: tls)
                }
            if let socket { return bootstrap.withBoundSocket(socket) }
            guard case .tcp(let host, let port) = endpoint else {
                return control.makeFailedFuture(ChannelError.inappropriateOperationForState)
            }
            return bootstrap.bind(host: host, port: port)
        }.flatMapThrowing { channel in
            guard let address = channel.localAddress else {
                throw ChannelError.unknownLocalAddress
            }
            listeners.value.append((channel, file))
            return address
        }
    }

    /// Serves a connection that came about elsewhere, on a loop of the group.
    package func adopt(_ channel: any Channel) -> EventLoopFuture<Void> {
        EventLoopFuture.whenAllSucceed(loops, on: channel.eventLoop).flatMap { loops in
            guard let loop = loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
                return channel.eventLoop.makeFailedFuture(ChannelError.inappropriateOperationForState)
            }
            return Self.adopt(channel, by: loop, listener: 0)
        }
    }

    private static func adopt(
        _ channel: any Channel, by loop: NIOLoopBound<ServerLoop>, listener: Int, tls: ListenerTLS? = nil
    ) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try loop.value.addConnection(to: channel, listener: listener, tls: tls)
        }
    }

    /// Changes `X-Influxdb-Version`, for instance once the nodes' version is known.
    package func advertise(version: String) {
        for loop in loops {
            loop.whenSuccess { $0.value.standardHeaders.advertise(version: version) }
        }
    }

    /// Closes the listeners. New clients are refused by the kernel; connections go on.
    @discardableResult
    package func stopAccepting() -> EventLoopFuture<Void> {
        let listeners = listeners
        let control = control
        return control.flatSubmit {
            let channels = listeners.value.map(\.channel)
            for (channel, file) in listeners.value {
                file?.remove()
                channel.close(promise: nil)
            }
            listeners.value = []
            return EventLoopFuture.andAllComplete(channels.map(\.closeFuture), on: control)
        }
    }

    /// Closes connections that carry no request at this moment.
    package func closeIdle() {
        for loop in loops {
            loop.whenSuccess { $0.value.closeIdle() }
        }
    }

    /// Lets running exchanges finish, closing each connection after its answer; at the deadline the rest is cut.
    ///
    /// - Returns: How many connections were cut.
    package func drain(deadline: NIODeadline) -> EventLoopFuture<Int> {
        let cut = loops.map { loop in
            loop.flatMap { bound in
                let eventLoop = bound.eventLoop
                let emptied = bound.value.drain()
                let result = eventLoop.makePromise(of: Int.self)
                // Cutting empties the loop too, so the number must be known before.
                var cut = 0
                let limit = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) {
                    cut = bound.value.connectionCount
                    bound.value.cutAll()
                }
                emptied.assumeIsolated().whenSuccess {
                    limit.cancel()
                    result.succeed(cut)
                }
                return result.futureResult
            }
        }
        return EventLoopFuture.whenAllSucceed(cut, on: control).map { $0.reduce(0, +) }
    }
}
