// One client connection: takes requests apart, hands them to endpoints one at a time, writes answers.
import Glibc
import HTTPCodec
import NIOCore
import NIOSSL

/// The only handler of a connection's pipeline, or the last one behind TLS.
///
/// Life of a connection: `waiting` for a head; `exchange` while an answer is incomplete; `discarding` the rest of a body
/// whose answer is complete; `lingering` after the last answer, so that a reset does not overtake it; `closed`.
/// Requests that arrive early wait in the decoder, undecoded, and reading pauses while anything waits there.
final class HTTPConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum Phase {
        case waiting
        case exchange
        case discarding
        case lingering
        case closed
    }

    /// Among those of its loop.
    let id: Int
    let loop: ServerLoop
    let listener: Int
    private(set) var isRejected: Bool
    /// Its place among those of its client and its listener.
    var seat: ConnectionGate.Seat?
    var context: ChannelHandlerContext?
    var phase = Phase.waiting
    var remoteAddress: SocketAddress?

    var exchange: Exchange?
    var endpoint: (any Endpoint)?
    var isBodyComplete = false
    var bodyBytes = 0
    var discardedBytes = 0
    var hasSentContinue = false
    /// Whether the connection may carry another request after the present answer.
    var keepAlive = false
    var hasCarriedRequest = false

    var decoder: RequestDecoder
    var isDecoding = false
    var isInputClosed = false
    var isOutputClosed = false
    var isPausedByEndpoint = false
    var isReadHeldBack = false

    var isReading = false
    var needsFlush = false
    var isFlushDue = false

    /// The phase `waiting`, and before any request: the TLS handshake is not complete.
    private(set) var isHandshaking = false
    /// Of a connection with TLS: the way to the socket past it.
    var socketEnd: SocketEnd?

    /// When the present phase began, or last made progress.
    var progressAt: NIODeadline
    var headStartedAt: NIODeadline?
    var bytesQueued = 0
    var bytesTaken = 0
    var bytesTakenAt: NIODeadline

    init(id: Int, loop: ServerLoop, listener: Int, isRejected: Bool) {
        self.id = id
        self.loop = loop
        self.listener = listener
        self.isRejected = isRejected
        decoder = RequestDecoder(limits: loop.headLimits)
        progressAt = loop.now
        bytesTakenAt = loop.now
    }

    func addHandlers(to channel: any Channel, tls: ListenerTLS? = nil) throws {
        if let tls {
            let end = SocketEnd()
            socketEnd = end
            isHandshaking = true
            try channel.pipeline.syncOperations.addHandlers(
                end, NIOSSLServerHandler(context: tls.source.context), ClientHandshake(of: self, end: end, tls: tls))
        }
        try channel.pipeline.syncOperations.addHandler(self)
    }

    func handshakeCompleted() {
        isHandshaking = false
        progressAt = loop.now
    }

    func handshakeFailed() {
        loop.figures.tlsHandshakesFailed.add(1, ordering: .relaxed)
    }

    var eventLoop: any EventLoop { loop.eventLoop }
    var isWritable: Bool { context?.channel.isWritable ?? false }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        hasClosed()
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        remoteAddress = context.channel.remoteAddress
        if !isRejected {
            seat = loop.figures.gate.enter(listener, remoteAddress, loop.limits)
            isRejected = seat == nil
        }
        if isRejected {
            loop.figures.connectionsRejected.add(1, ordering: .relaxed)
            loop.figures.answered(503)
            write(HTTPConnection.tooManyConnections)
            beginLingering()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        switch phase {
        case .waiting:
            headStartedAt = headStartedAt ?? loop.now
        case .exchange, .discarding:
            progressAt = loop.now
        case .lingering, .closed:
            return
        }
        decoder.append(unwrapInboundIn(data))
        decode()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        if needsFlush {
            flush()
        }
    }

    /// Reading is held back here, at the end of the pipeline where the channel's automatic reads begin.
    func read(context: ChannelHandlerContext) {
        if mayRead {
            context.read()
        } else {
            isReadHeldBack = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        endpoint?.writabilityChanged(context.channel.isWritable)
        readIfHeldBack()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(.inputClosed) = event as? ChannelEvent {
            // The end of the input need not be followed by the end of a read.
            channelReadComplete(context: context)
            inputClosed()
        }
    }

    /// A read error: the connection is broken, `channelInactive` follows.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if phase != .exchange {
            close()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasClosed()
    }

    // MARK: Requests

    /// Whether the next part of a request has somebody to go to.
    private var mayDecode: Bool {
        switch phase {
        case .waiting, .discarding: true
        case .exchange: !isBodyComplete
        case .lingering, .closed: false
        }
    }

    /// Hands on what the decoder holds, as far as the present exchange lets it.
    func decode() {
        // An endpoint that answers at once ends up here again, from within.
        guard !isDecoding else {
            return
        }
        isDecoding = true
        decodeParts()
        isDecoding = false
        if phase == .lingering || phase == .closed {
            decoder.discard()
        }
        readIfHeldBack()
    }

    private func decodeParts() {
        do throws(HTTPSyntaxError) {
            while mayDecode, let part = try decoder.next() {
                process(part)
            }
        } catch {
            fail(error)
            return
        }
        if isInputClosed, mayDecode {
            if phase == .waiting, decoder.isBetweenRequests {
                beginLingering()
            } else {
                fail(.unexpectedEnd)
            }
        }
    }

    private func process(_ part: RequestDecoder.Part) {
        switch (part, phase) {
        case (.head(let message), .waiting):
            start(message)
        case (.body(let bytes), .exchange):
            bodyBytes += bytes.readableBytes
            endpoint?.body(bytes)
        case (.body(let bytes), .discarding):
            discardedBytes += bytes.readableBytes
            if discardedBytes > loop.limits.maximumDiscardedBytes {
                beginLingering()
            }
        case (.end, .exchange):
            isBodyComplete = true
            endpoint?.bodyEnd()
        case (.end, .discarding):
            finishRequest()
        default:
            break
        }
    }

    private func start(_ message: RequestMessage) {
        headStartedAt = nil
        hasCarriedRequest = true
        let head: RequestHead
        do throws(RequestHead.Refusal) {
            head = try RequestHead(message, remoteAddress: remoteAddress)
        } catch {
            refuse(Self.refusal(error))
            return
        }
        loop.figures.requests.add(1, ordering: .relaxed)
        loop.figures.requestsActive.add(1, ordering: .relaxed)
        let exchange = Exchange(head: head, connection: self)
        self.exchange = exchange
        phase = .exchange
        progressAt = loop.now
        keepAlive = head.keepAlive
        isBodyComplete = false
        hasSentContinue = false
        bodyBytes = 0
        discardedBytes = 0

        let endpoint = loop.router.endpoint(for: head, on: exchange)
        guard self.exchange === exchange else {
            return
        }
        guard let endpoint else {
            assertionFailure("the router gave neither an answer nor an endpoint for \(head.path)")
            exchange.respond(.error(500, "no endpoint"))
            return
        }
        self.endpoint = endpoint
        sendContinueIfDue()
    }

    /// An endpoint that has paused reading does not want the body yet, and may still answer instead.
    func sendContinueIfDue() {
        guard let exchange, exchange.head.expectsContinue, exchange.head.hasBody, exchange.isUnanswered,
            !hasSentContinue, !isPausedByEndpoint, bodyBytes == 0, !isBodyComplete
        else { return }
        hasSentContinue = true
        write(HTTPConnection.continue)
        flushUnlessReading()
    }

    /// The request is complete and answered.
    func finishRequest() {
        guard keepAlive, !loop.isDraining, !(isInputClosed && !decoder.hasUnread) else {
            beginLingering()
            return
        }
        phase = .waiting
        progressAt = loop.now
        isPausedByEndpoint = false
        decode()
    }

    // MARK: Reading

    var mayRead: Bool {
        switch phase {
        case .lingering, .closed: true
        case .exchange: !isPausedByEndpoint && !(isBodyComplete && decoder.hasUnread) && isWritable
        case .waiting, .discarding: isWritable
        }
    }

    func pauseReading(of exchange: Exchange) {
        if self.exchange === exchange {
            isPausedByEndpoint = true
        }
    }

    func resumeReading(of exchange: Exchange) {
        if self.exchange === exchange, isPausedByEndpoint {
            isPausedByEndpoint = false
            progressAt = loop.now
            sendContinueIfDue()
            readIfHeldBack()
        }
    }

    func readIfHeldBack() {
        if isReadHeldBack, mayRead {
            isReadHeldBack = false
            context?.read()
        }
    }

    func inputClosed() {
        isInputClosed = true
        switch phase {
        case .waiting, .discarding:
            decode()
        case .exchange:
            if isBodyComplete { endpoint?.inputClosed() } else { decode() }
        case .lingering where isOutputClosed:
            close()
        case .lingering, .closed:
            break
        }
    }
}
