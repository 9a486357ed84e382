// What stands around TLS in a client's connection: nobody hears of it before the handshake is complete, and it can be cut
// without a farewell that would make what was sent look whole.
import NIOCore
import NIOSSL
import NIOTLS
import SecureTransport

/// How a listener speaks TLS.
package struct ListenerTLS: Sendable {
    package let source: TLSContextSource
    /// A handshake came to nothing: the client's address, and why. Called on event loops.
    package let failed: @Sendable (SocketAddress?, String) -> Void

    package init(source: TLSContextSource, failed: @escaping @Sendable (SocketAddress?, String) -> Void = { _, _ in }) {
        self.source = source
        self.failed = failed
    }
}

/// Nearest to the socket: reaches it past TLS.
final class SocketEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func close() { context?.close(promise: nil) }

    func send(_ text: StaticString) {
        context?.writeAndFlush(wrapOutboundOut(ByteBuffer(staticString: text)), promise: nil)
    }
}

/// Behind the TLS handler: the connection becomes active for HTTP when its handshake is complete.
final class ClientHandshake: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: HTTPConnection
    private let end: SocketEnd
    private let tls: ListenerTLS
    private var hasFailed = false
    /// As Go answers, and thus InfluxDB.
    private static let plainHTTP: StaticString =
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

    init(of connection: HTTPConnection, end: SocketEnd, tls: ListenerTLS) {
        self.connection = connection
        self.end = end
        self.tls = tls
    }

    func channelActive(context: ChannelHandlerContext) {}

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSUserEvent {
        case .handshakeCompleted:
            connection.handshakeCompleted()
            context.fireChannelActive()
        case .shutdownCompleted: break
        case nil:
            if !connection.isHandshaking { context.fireUserInboundEventTriggered(event) }
        }
    }

    /// The TLS handler closes after an error of its own.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if connection.isHandshaking {
            guard !hasFailed else { return }
            hasFailed = true
            connection.handshakeFailed()
            tls.failed(context.channel.remoteAddress, TLSFault.fromClient(error))
            if TLSFault.isPlainHTTP(error) { end.send(Self.plainHTTP) }
        } else if !(error is NIOSSLError || error is BoringSSLError) {
            context.fireErrorCaught(error)
        }
        // An end without close_notify is an end like that of a connection without TLS: HTTP knows what is whole.
    }
}
