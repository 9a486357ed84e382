// One connection to a node: writes prepared bytes, takes the responses apart, one exchange at a time.
import HTTPCodec
import NIOCore

/// The last handler in a connection's pipeline, and but for TLS the only one.
final class NodeConnection: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let id: NodePoolState.ConnectionID
    /// Nil when the connection is closed, which also ends the cycle between pool and connection.
    private var pool: NodePool?
    private var context: ChannelHandlerContext?
    private var decoder = ResponseDecoder()

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

    func addHandler(to channel: any Channel) throws {
        try channel.pipeline.syncOperations.addHandler(self)
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
        decoder.expectResponse(toHead: request.method == .HEAD)

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
        guard !isClosing else { return }
        decoder.append(unwrapInboundIn(data))
        do throws(HTTPSyntaxError) {
            while !isClosing, let part = try decoder.next() { take(part) }
        } catch {
            broke(Self.describe(error))
        }
    }

    private func take(_ part: ResponseDecoder.Part) {
        guard let exchange else { return }
        switch part {
        case .head(let head):
            guard head.status != 101 else {
                abandon(.afterSend(reason: "the node wants to switch protocols"))
                return
            }
            hasResponseHead = true
            isReusable = head.keepAlive
            arm(exchange.options.idleTimeout)
            exchange.receiver?.responseHead(status: head.status, headers: head.fields)
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

    /// An error of the socket, or of TLS.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { broke("\(error)") }

    /// Nothing that comes now can be trusted. A response that is complete is one all the same.
    private func broke(_ reason: String) {
        if !isClosing { hasFailed = true }
        isReusable = false
        if isResponseComplete {
            endExchange()
        } else {
            abandon(failure(reason))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let isLost = !isClosing || hasFailed
        var reason = "the node closed the connection"
        if !isClosing {
            do throws(HTTPSyntaxError) {
                if try decoder.connectionEnded() { isResponseComplete = true }
            } catch {
                reason = Self.describe(error)
            }
        }
        isClosing = true
        isReusable = false
        if isResponseComplete {
            endExchange()
        } else {
            failExchange(failure(reason))
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

    private static func describe(_ error: HTTPSyntaxError) -> String {
        switch error {
        case .unexpectedEnd: "the node closed the connection before the response was complete"
        case .unrequested: "the node sent more than the response"
        default: "the node's response is not HTTP: \(error)"
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
