// How a connection to a node comes about. A parameter of the pool, so that a simulation can own the network.
import Glibc
import NIOCore
import NIOPosix

package protocol NodeConnector: Sendable {
    /// Connects. `initialize` runs on the loop, before the channel is active.
    func connect(
        to address: NodeAddress, limits: NodePoolLimits, on eventLoop: any EventLoop,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any Channel>
}

/// Real sockets.
package struct TCPConnector: NodeConnector {
    package init() {}

    package func connect(
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
            .channelInitializer(initialize)
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
