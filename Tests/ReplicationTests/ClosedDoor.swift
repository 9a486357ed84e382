// A reverse proxy before a real node, as operators put one there: some paths are closed.

import NIOCore
import NIOPosix
import TestSupport

struct ClosedDoor: Sendable {
    let url: String
    private let channel: any Channel

    /// Requests whose path begins with one of `closed` get a 403, all others go to the node on `port`.
    static func start(before port: Int, closed: [String]) async throws -> ClosedDoor {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { client in
                ClientBootstrap(group: client.eventLoop).channelInitializer { node in
                    node.eventLoop.makeCompletedFuture {
                        try node.pipeline.syncOperations.addHandler(PassOn(to: client, closed: []))
                    }
                }.connect(host: "127.0.0.1", port: port).flatMapThrowing { node in
                    try client.pipeline.syncOperations.addHandler(PassOn(to: node, closed: closed))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        return ClosedDoor(url: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)", channel: channel)
    }

    func close() async throws { try await channel.close() }

    private final class PassOn: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let other: any Channel
        private let closed: [String]

        init(to other: any Channel, closed: [String]) {
            self.other = other
            self.closed = closed
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data)
            // The requests of these tests are small: each arrives as a whole.
            let line = String(buffer: bytes).prefix { $0 != "\r\n" }.split(separator: " ")
            guard line.count == 3, closed.contains(where: { line[1].hasPrefix($0) }) else {
                return other.writeAndFlush(bytes, promise: nil)
            }
            let refusal = "HTTP/1.1 403 Forbidden\r\nX-Influxdb-Version: 1.6.7\r\nContent-Length: 6\r\n\r\nclosed"
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: refusal)), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
    }
}
