// How a connection to a node comes about. A parameter of the pool, so that a simulation can own the network.
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import SecureTransport

package protocol NodeConnector: Sendable {
    /// Connects. `initialize` runs on the loop, before any byte that the node sends is read.
    func connect(
        to address: NodeAddress, limits: NodePoolLimits, on eventLoop: any EventLoop,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel>
}

/// Real sockets, with TLS on them where a node's address says so.
package struct TCPConnector: NodeConnector {
    package let security: [NodeAddress: TLSContextSource]

    /// - Parameter security: what is known about the nodes with a secure address; without it none of them is reached.
    package init(security: [NodeAddress: TLSContextSource] = [:]) {
        self.security = security
    }

    package func connect(
        to address: NodeAddress, limits: NodePoolLimits, on eventLoop: any EventLoop,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        guard address.isSecure else {
            return connectSocket(to: address, limits: limits, on: eventLoop, initialize: initialize)
        }
        guard let source = security[address] else {
            return eventLoop.makeFailedFuture(
                TLSFault("nothing is known about TLS to \(address)", advice: "give its connector the node's settings"))
        }
        let handshake = eventLoop.makePromise(of: Void.self)
        let connected = connectSocket(to: address, limits: limits, on: eventLoop) { channel in
            channel.eventLoop.makeCompletedFuture {
                let tls = try NIOSSLClientHandler(
                    context: source.context, serverHostname: Self.serverName(source.settings, address))
                let waiter = NodeHandshake(
                    with: source, host: address.host, limit: limits.connectTimeout, promise: handshake,
                    initialize: initialize)
                try channel.pipeline.syncOperations.addHandlers(tls, waiter)
            }
        }
        connected.whenFailure { handshake.fail($0) }
        return connected.flatMap { channel in handshake.futureResult.map { channel } }
    }

    /// The name that is asked for and compared; nil for an address in numbers, which is compared as such.
    private static func serverName(_ settings: TLSSettings, _ address: NodeAddress) -> String? {
        if let name = settings.serverName { return name }
        return (try? SocketAddress(ipAddress: address.host, port: address.port)) == nil ? address.host : nil
    }

    private func connectSocket(
        to address: NodeAddress, limits: NodePoolLimits, on eventLoop: any EventLoop,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel> {
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(limits.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: Self.seconds(limits.keepAliveIdle))
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: Self.seconds(limits.keepAliveInterval))
            .channelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: .init(limits.keepAliveCount))
            .channelOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), value: Self.milliseconds(limits.userTimeout))
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                // What has not got through when the connection or this process ends is not sent later, by nobody (S10).
                guard let socket = channel as? any SocketOptionProvider else { return initialize(channel) }
                return socket.setSoLinger(linger(l_onoff: 1, l_linger: 0)).flatMap { initialize(channel) }
            }
        if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
            return bootstrap.connect(to: literal)
        }
        return bootstrap.connect(host: address.host, port: address.port)
    }

    private static func seconds(_ amount: TimeAmount) -> SocketOptionValue {
        SocketOptionValue(max(1, amount.nanoseconds / 1_000_000_000))
    }

    private static func milliseconds(_ amount: TimeAmount) -> SocketOptionValue {
        SocketOptionValue(amount.nanoseconds / 1_000_000)
    }
}
