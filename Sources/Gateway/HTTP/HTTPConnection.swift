// One client connection: takes requests apart with NIOHTTP1's decoder, hands them to endpoints one at a time, writes answers.
import Glibc
import NIOCore
import NIOHTTP1
import NIOSSL

/// The last handler in a connection's pipeline. Before it stand the decoder and, nearest to the socket or to TLS, a
/// `ReadObserver`.
///
/// Life of a connection: `waiting` for a head; `exchange` while an answer is incomplete; `discarding` the rest of a body
/// whose answer is complete; `lingering` after the last answer, so that a reset does not overtake it; `closed`.
/// Requests that arrive early wait in `pending`, and reading pauses while anything waits there.
final class HTTPConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
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

    var pending = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 2)
    var isWorkingOffPending = false
    var pendingError: (any Error)?
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
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = loop.limits.maximumHeaderBytes
        limits.maxHeaderListSize = loop.limits.maximumHeaderBytes
        limits.maxHeaderFieldCount = loop.limits.maximumHeaderFields
        let decoder = HTTPRequestDecoder(limitConfiguration: limits)
        try channel.pipeline.syncOperations.addHandlers(
            ReadObserver(self), ByteToMessageHandler(decoder), self)
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

    /// Bytes have come, before the decoder sees them.
    func willDecode() {
        isReading = true
        switch phase {
        case .waiting:
            headStartedAt = headStartedAt ?? loop.now
        case .exchange, .discarding:
            progressAt = loop.now
        case .lingering, .closed:
            break
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if pending.isEmpty, canProcess(part) {
            process(part)
        } else if phase != .lingering, phase != .closed {
            pending.append(part)
        }
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

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch phase {
        case .lingering, .closed:
            break
        case .exchange where isBodyComplete, _ where !pending.isEmpty:
            pendingError = pendingError ?? error
        case .waiting, .exchange, .discarding:
            fail(error)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        hasClosed()
    }

    // MARK: Requests

    func canProcess(_ part: HTTPServerRequestPart) -> Bool {
        switch (phase, part) {
        case (.lingering, _), (.closed, _): false
        case (.waiting, _): true
        case (_, .head): false
        default: true
        }
    }

    func process(_ part: HTTPServerRequestPart) {
        switch (part, phase) {
        case (.head(let head), .waiting):
            start(head)
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

    func start(_ decoded: HTTPRequestHead) {
        headStartedAt = nil
        hasCarriedRequest = true
        let head: RequestHead
        do throws(RequestHead.Refusal) {
            head = try RequestHead(decoded, remoteAddress: remoteAddress)
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
        guard keepAlive, !loop.isDraining, !(isInputClosed && pending.isEmpty) else {
            beginLingering()
            return
        }
        phase = .waiting
        progressAt = loop.now
        isPausedByEndpoint = false
        workOffPending()
    }

    func workOffPending() {
        guard !isWorkingOffPending else {
            return
        }
        isWorkingOffPending = true
        while let part = pending.first, canProcess(part) {
            pending.removeFirst()
            process(part)
        }
        isWorkingOffPending = false
        if pending.isEmpty, phase == .waiting {
            if let error = pendingError {
                fail(error)
            } else if isInputClosed {
                beginLingering()
            }
        }
        readIfHeldBack()
    }

    // MARK: Reading

    var mayRead: Bool {
        switch phase {
        case .lingering, .closed: true
        default: !isPausedByEndpoint && pending.isEmpty && isWritable
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
        case .waiting where pending.isEmpty, .discarding:
            closeWhenWritten()
        case .lingering where isOutputClosed:
            close()
        case .exchange:
            endpoint?.inputClosed()
        case .waiting, .lingering, .closed:
            break
        }
    }
}

/// Tells a connection of bytes before the decoder sees them; an incomplete head shows nowhere else.
private final class ReadObserver: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let connection: HTTPConnection

    init(_ connection: HTTPConnection) {
        self.connection = connection
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        connection.willDecode()
        context.fireChannelRead(data)
    }
}
