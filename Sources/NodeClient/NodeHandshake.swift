// Waits for the end of a TLS handshake with a node: only then does anybody hear of the connection, so that a node whose
// certificate is not good is one that cannot be reached, with the reason in words.
import NIOCore
import NIOSSL
import NIOTLS
import SecureTransport

/// Stands behind the TLS handler. After the handshake it puts errors of TLS into words.
final class NodeHandshake: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let source: TLSContextSource
    private let host: String
    private let limit: TimeAmount
    private let promise: EventLoopPromise<Void>
    private let initialize: @Sendable (any Channel) -> EventLoopFuture<Void>
    private var timer: Scheduled<Void>?
    private var isOver = false

    /// - Parameter promise: Succeeds when the handshake is complete and `initialize` has run; fails with a `TLSFault`.
    init(
        with source: TLSContextSource, host: String, limit: TimeAmount, promise: EventLoopPromise<Void>,
        initialize: @escaping @Sendable (any Channel) -> EventLoopFuture<Void>
    ) {
        self.source = source
        self.host = host
        self.limit = limit
        self.promise = promise
        self.initialize = initialize
    }

    func channelActive(context: ChannelHandlerContext) {
        let node = source.name
        let limit = limit
        let promise = promise
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: limit) {
            promise.fail(
                TLSFault(
                    "\(node) did not finish the TLS handshake within \(limit.nanoseconds / 1_000_000) ms",
                    advice: "see whether it hangs, or raise connect_timeout"))
            channel.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.handshakeCompleted) = event as? TLSUserEvent {
            isOver = true
            timer?.cancel()
            initialize(context.channel).cascade(to: promise)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isOfTLS = error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError
        guard !isOver else {
            return context.fireErrorCaught(isOfTLS ? fault(error, nil) : error)
        }
        let peer = try? context.pipeline.syncOperations.nioSSL_peerCertificate()
        promise.fail(isOfTLS ? fault(error, peer) : error)
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        promise.fail(ChannelError.ioOnClosedChannel)
        context.fireChannelInactive()
    }

    private func fault(_ error: any Error, _ peer: NIOSSLCertificate?) -> TLSFault {
        .toNode(error, node: source.name, host: host, settings: source.settings, peer: peer)
    }
}
