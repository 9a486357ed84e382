// One connection to a node: writes prepared bytes, reads through NIOHTTP1's decoder, one exchange at a time.
import NIOCore
import NIOHTTP1

/// The last handler in a connection's pipeline; the decoder stands before it.
final class NodeConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let id: NodePoolState.ConnectionID
    /// Nil when the connection is closed, which also ends the cycle between pool and connection.
    private var pool: NodePool?
    private var context: ChannelHandlerContext?
    private let cleaner = ResponseHeadCleaner()
    private let decoder = ResponseDecoder()

    private var exchange: NodeExchange?
    private var isHeadWritten = false
    private var hasResponseHead = false
    /// The response is complete, but the read that brought its end is not over: more bytes would be an error.
    private var isResponseComplete = false
    private var isReusable = false
    private var isClosing = false
    /// It ended by an error, not by our doing.
    private var hasFailed = false

    private var isPaused = false
    private var isReadHeldBack = false

    private var deadline: NIODeadline?
    private var timer: (task: Scheduled<Void>, at: NIODeadline)?

    init(id: NodePoolState.ConnectionID, pool: NodePool) {
        self.id = id
        self.pool = pool
    }

    func addHandlers(to channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandlers(cleaner, ByteToMessageHandler(decoder), self)
    }

    var isActive: Bool {
        context?.channel.isActive == true && !isClosing
    }

    // MARK: From the pool

    func run(_ exchange: NodeExchange) {
        guard let pool, let context, !isClosing, let request = exchange.takeRequest() else {
            exchange.fail(.notSent(reason: "the connection was closed"))
            return
        }
        self.exchange = exchange
        exchange.state = .running(self)
        isHeadWritten = false
        hasResponseHead = false
        isReusable = false
        cleaner.expectHead()
        decoder.expectResponse(to: request.method)

        // Without a whole head the node cannot act; that is what tells "not sent" from "nobody knows".
        let headWritten = context.eventLoop.makePromise(of: Void.self)
        headWritten.futureResult.assumeIsolated().whenSuccess {
            if self.exchange === exchange {
                self.isHeadWritten = true
            }
        }
        context.write(wrapOutboundOut(pool.renderHead(of: request)), promise: headWritten)
        for piece in request.body where piece.readableBytes > 0 {
            context.write(wrapOutboundOut(piece), promise: nil)
        }
        arm(exchange.options.firstByteTimeout)
        context.flush()
    }

    /// Ends the running exchange, if there is one, and closes.
    func abandon(_ failure: NodeFailure) {
        failExchange(failure)
        close()
    }

    func close() {
        isClosing = true
        context?.close(promise: nil)
    }

    func pauseReading() {
        isPaused = true
        if hasResponseHead {
            arm(nil)
        }
    }

    func resumeReading() {
        guard isPaused else {
            return
        }
        isPaused = false
        if let exchange, hasResponseHead {
            arm(exchange.options.idleTimeout)
        }
        if isReadHeldBack {
            isReadHeldBack = false
            context?.read()
        }
    }

    // MARK: The channel's events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func read(context: ChannelHandlerContext) {
        if isPaused {
            isReadHeldBack = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let exchange, !isClosing else {
            return
        }
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard head.status.code != 101 else {
                abandon(.afterSend(reason: "the node wants to switch protocols"))
                return
            }
            hasResponseHead = true
            isReusable = head.isKeepAlive
            arm(exchange.options.idleTimeout)
            exchange.receiver?.responseHead(status: Int(head.status.code), headers: head.headers)
        case .body(let bytes):
            if !isPaused {
                arm(exchange.options.idleTimeout)
            }
            exchange.receiver?.responseBody(bytes)
        case .end:
            arm(nil)
            isResponseComplete = true
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isResponseComplete {
            endExchange()
        }
    }

    /// A read error, bytes that are not HTTP, or bytes that no request asked for.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isClosing { hasFailed = true }
        isReusable = false
        if isResponseComplete {
            endExchange()
        } else {
            abandon(failure("\(Self.describe(error))"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let isLost = !isClosing || hasFailed
        isClosing = true
        isReusable = false
        if isResponseComplete {
            endExchange()
        } else {
            failExchange(failure("the node closed the connection"))
        }
        timer?.task.cancel()
        timer = nil
        let pool = self.pool
        self.pool = nil
        pool?.closed(self)
        if isLost { pool?.onConnectionLost?() }
    }

    // MARK: Ends

    private func endExchange() {
        guard let exchange, let context else {
            return
        }
        self.exchange = nil
        isResponseComplete = false
        arm(nil)
        // An answer may come before the request is completely written (413); the rest of it must not go out later.
        let unwritten = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        let canBeUsedAgain = isReusable && !isClosing && unwritten == 0
        resumeReading()
        if canBeUsedAgain {
            pool?.released(self)
        } else {
            close()
        }
        exchange.end()
    }

    private func failExchange(_ failure: NodeFailure) {
        guard let exchange else {
            return
        }
        self.exchange = nil
        isResponseComplete = false
        arm(nil)
        exchange.fail(failure)
    }

    private func failure(_ reason: String) -> NodeFailure {
        isHeadWritten ? .afterSend(reason: reason) : .notSent(reason: reason)
    }

    private static func describe(_ error: any Error) -> String {
        switch error {
        case HTTPParserError.invalidEOFState: "the node closed the connection before the response was complete"
        case is HTTPParserError: "the node's response is not HTTP: \(error)"
        case is NIOHTTPDecoderError: "the node sent more than the response"
        default: "\(error)"
        }
    }

    // MARK: Time

    /// Sets the time by which something must have come; nil: any time. The timer is moved only if it would be late.
    private func arm(_ timeout: TimeAmount?) {
        guard let timeout, let context else {
            deadline = nil
            return
        }
        let deadline = context.eventLoop.now + timeout
        self.deadline = deadline
        if let timer {
            if timer.at <= deadline {
                return
            }
            timer.task.cancel()
        }
        schedule(deadline)
    }

    private func schedule(_ at: NIODeadline) {
        guard let context else {
            return
        }
        let eventLoop = context.eventLoop
        let task = eventLoop.assumeIsolated().scheduleTask(deadline: at) {
            self.timer = nil
            guard let deadline = self.deadline else {
                return
            }
            if deadline <= eventLoop.now {
                self.abandon(self.failure("the node sent nothing for too long"))
            } else {
                self.schedule(deadline)
            }
        }
        timer = (task, at)
    }
}

/// NIOHTTP1's response decoder, told of requests directly instead of seeing them pass as request parts.
private final class ResponseDecoder: ByteToMessageDecoder {
    typealias InboundOut = HTTPClientResponsePart

    private let decoder: HTTPResponseDecoder = {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = 1 << 20
        limits.maxHeaderListSize = 1 << 20
        return HTTPResponseDecoder(limitConfiguration: limits)
    }()

    /// The method decides whether the response has a body.
    func expectResponse(to method: HTTPMethod) {
        decoder.write(data: .head(HTTPRequestHead(version: .http1_1, method: method, uri: "")))
    }

    func decoderAdded(context: ChannelHandlerContext) {
        decoder.decoderAdded(context: context)
    }

    func decoderRemoved(context: ChannelHandlerContext) {
        decoder.decoderRemoved(context: context)
    }

    func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        try decoder.decode(context: context, buffer: &buffer)
    }

    func decodeLast(context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool) throws -> DecodingState {
        try decoder.decodeLast(context: context, buffer: &buffer, seenEOF: seenEOF)
    }
}
