// One client connection: takes requests apart with NIOHTTP1's decoder, hands them to endpoints one at a time, writes answers.
import Glibc
import NIOCore
import NIOHTTP1

/// The last handler in a connection's pipeline. Before it stand the decoder and, nearest to the socket, a `ReadObserver`.
///
/// Life of a connection: `waiting` for a head; `exchange` while an answer is incomplete; `discarding` the rest of a body
/// whose answer is complete; `lingering` after the last answer, so that a reset does not overtake it; `closed`.
/// Requests that arrive early wait in `pending`, and reading pauses while anything waits there.
final class HTTPConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case waiting
        case exchange
        case discarding
        case lingering
        case closed
    }

    private let loop: ServerLoop
    private let isRejected: Bool
    private var context: ChannelHandlerContext?
    private var phase = Phase.waiting
    private var remoteAddress: SocketAddress?

    private var exchange: Exchange?
    private var endpoint: (any Endpoint)?
    private var isBodyComplete = false
    private var bodyBytes = 0
    private var discardedBytes = 0
    private var hasSentContinue = false
    /// Whether the connection may carry another request after the present answer.
    private var keepAlive = false

    private var pending = CircularBuffer<HTTPServerRequestPart>(initialCapacity: 2)
    private var isWorkingOffPending = false
    private var pendingError: (any Error)?
    private var isInputClosed = false
    private var isOutputClosed = false
    private var isPausedByEndpoint = false
    private var isReadHeldBack = false

    private var isReading = false
    private var needsFlush = false
    private var isFlushDue = false

    /// When the present phase began, or last made progress.
    private var progressAt: NIODeadline
    private var headStartedAt: NIODeadline?
    private var bytesQueued = 0
    private var bytesTaken = 0
    private var bytesTakenAt: NIODeadline

    init(loop: ServerLoop, isRejected: Bool) {
        self.loop = loop
        self.isRejected = isRejected
        progressAt = loop.now
        bytesTakenAt = loop.now
    }

    func addHandlers(to channel: any Channel) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = loop.limits.maximumHeaderBytes
        limits.maxHeaderListSize = loop.limits.maximumHeaderBytes
        limits.maxHeaderFieldCount = loop.limits.maximumHeaderFields
        let decoder = HTTPRequestDecoder(limitConfiguration: limits)
        try channel.pipeline.syncOperations.addHandlers(
            ReadObserver(self), ByteToMessageHandler(decoder), self)
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
        if isRejected {
            loop.figures.connectionsRejected.add(1, ordering: .relaxed)
            loop.figures.answered(503)
            write(HTTPConnection.tooManyConnections)
            beginLingering()
        }
    }

    /// Bytes have come, before the decoder sees them.
    fileprivate func willDecode() {
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

    private func canProcess(_ part: HTTPServerRequestPart) -> Bool {
        switch (phase, part) {
        case (.lingering, _), (.closed, _): false
        case (.waiting, _): true
        case (_, .head): false
        default: true
        }
    }

    private func process(_ part: HTTPServerRequestPart) {
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

    private func start(_ decoded: HTTPRequestHead) {
        headStartedAt = nil
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
        if head.expectsContinue, head.hasBody, exchange.isUnanswered {
            hasSentContinue = true
            write(HTTPConnection.continue)
            flushUnlessReading()
        }
    }

    /// The request is complete and answered.
    private func finishRequest() {
        guard keepAlive, !loop.isDraining, !(isInputClosed && pending.isEmpty) else {
            beginLingering()
            return
        }
        phase = .waiting
        progressAt = loop.now
        isPausedByEndpoint = false
        workOffPending()
    }

    private func workOffPending() {
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

    // MARK: Answers

    func answer(_ response: Response, to exchange: Exchange) {
        let isBodyless = response.status == 204 || response.status == 304
        keepAlive = keepAlive && isRestOfBodySmall(exchange.head)
        let head = ResponseHead(
            status: response.status, contentType: response.contentType, headers: response.headers,
            isRouted: response.isRouted, framing: isBodyless ? .none : .length(response.body.readableBytes),
            keepAlive: keepAlive && !loop.isDraining)
        loop.scratch.clear(minimumCapacity: 512)
        loop.standardHeaders.write(head, answering: exchange.head, into: &loop.scratch)
        let hasBody = !isBodyless && exchange.head.method != .HEAD && response.body.readableBytes > 0
        if hasBody, response.body.readableBytes <= 4096 {
            loop.scratch.writeImmutableBuffer(response.body)
        }
        write(loop.scratch)
        if hasBody, response.body.readableBytes > 4096 {
            write(response.body)
        }
        loop.figures.answered(response.status)
        answerIsComplete()
        flushUnlessReading()
    }

    func startAnswer(
        _ status: Int, contentType: String?, headers: [(String, String)], to exchange: Exchange
    ) -> BodyFraming {
        func header(_ name: String) -> String? {
            headers.first { $0.0.utf8.count == name.utf8.count && $0.0.lowercased() == name }?.1
        }
        let framing: BodyFraming =
            if status == 204 || status == 304 {
                .none
            } else if let length = header("content-length").flatMap({ Int($0) }), length >= 0 {
                .length(length)
            } else if exchange.head.isHTTP10 {
                .untilClose
            } else {
                .chunked
            }
        keepAlive = keepAlive && framing != .untilClose && isRestOfBodySmall(exchange.head)
        let head = ResponseHead(
            status: status, contentType: contentType ?? header("content-type") ?? "application/json", headers: headers,
            isRouted: true, framing: framing, keepAlive: keepAlive && !loop.isDraining)
        var buffer = ByteBuffer()
        buffer.reserveCapacity(512)
        loop.standardHeaders.write(head, answering: exchange.head, into: &buffer)
        write(buffer)
        loop.figures.answered(status)
        flushSoon()
        return framing
    }

    func writeBody(_ bytes: ByteBuffer, framing: BodyFraming, to exchange: Exchange) {
        guard exchange.head.method != .HEAD, framing != .none else {
            return
        }
        guard framing == .chunked else {
            write(bytes)
            flushSoon()
            return
        }
        var size = ByteBuffer()
        size.writeString(String(bytes.readableBytes, radix: 16))
        size.writeStaticString("\r\n")
        if bytes.readableBytes <= 1024 {
            size.writeImmutableBuffer(bytes)
            size.writeStaticString("\r\n")
            write(size)
        } else {
            write(size)
            write(bytes)
            write(HTTPConnection.lineEnd)
        }
        flushSoon()
    }

    func finishAnswer(framing: BodyFraming, to exchange: Exchange) {
        if framing == .chunked, exchange.head.method != .HEAD {
            write(HTTPConnection.lastChunk)
            flushSoon()
        }
        answerIsComplete()
    }

    /// An early answer keeps the connection only if reading the rest of the body costs less than a new connection, and
    /// only if it is certain that the client sends that rest.
    private func isRestOfBodySmall(_ head: RequestHead) -> Bool {
        guard !isBodyComplete, head.hasBody else {
            return true
        }
        if head.expectsContinue, !hasSentContinue {
            return false
        }
        if let length = head.contentLength {
            return length - bodyBytes <= loop.limits.maximumDiscardedBytes
        }
        return true
    }

    private func answerIsComplete() {
        endExchange()
        if isBodyComplete {
            finishRequest()
        } else if keepAlive {
            phase = .discarding
            progressAt = loop.now
            isPausedByEndpoint = false
            readIfHeldBack()
        } else {
            beginLingering()
        }
    }

    /// - Returns: The endpoint, if somebody wants to tell it something.
    @discardableResult
    private func endExchange() -> (any Endpoint)? {
        guard let exchange else {
            return nil
        }
        exchange.detach()
        loop.figures.requestsActive.subtract(1, ordering: .relaxed)
        defer { endpoint = nil }
        self.exchange = nil
        return endpoint
    }

    // MARK: Requests that fail

    /// The server ends the exchange in the endpoint's place.
    private func endExchange(with response: Response) {
        guard let exchange else {
            return
        }
        loop.figures.requestsAbandoned.add(1, ordering: .relaxed)
        let endpoint = self.endpoint
        keepAlive = false
        if exchange.isUnanswered {
            answer(response, to: exchange)
        } else {
            cut()
        }
        endpoint?.clientLeft()
    }

    /// The decoder gave up: what came is not HTTP, is too large, or ended too early.
    private func fail(_ error: any Error) {
        pendingError = nil
        let isUnexpectedEnd: Bool = if case HTTPParserError.invalidEOFState = error { true } else { false }
        isInputClosed = isInputClosed || isUnexpectedEnd
        guard let httpError = error as? HTTPParserError else {
            // A read error: the connection is broken, `channelInactive` follows.
            if phase != .exchange {
                close()
            }
            return
        }
        switch (phase, httpError) {
        case (.exchange, .invalidEOFState):
            endExchange(with: .error(400, "unexpected EOF"))
        case (.exchange, .invalidChunkSize):
            endExchange(with: .error(400, "invalid byte in chunk length"))
        case (.exchange, _):
            endExchange(with: .error(400, "malformed request body"))
        case (.discarding, _):
            beginLingering()
        case (_, .headerOverflow):
            refuse("431 Request Header Fields Too Large")
        case (_, .invalidVersion):
            refuse("505 HTTP Version Not Supported: unsupported protocol version")
        default:
            refuse("400 Bad Request")
        }
    }

    private static func refusal(_ refusal: RequestHead.Refusal) -> String {
        switch refusal {
        case .malformed: "400 Bad Request"
        case .missingHost: "400 Bad Request: missing required Host header"
        case .tooManyHosts: "400 Bad Request: too many Host headers"
        case .unsupportedTransferEncoding: "501 Not Implemented"
        case .unsupportedExpectation: "417 Expectation Failed"
        }
    }

    /// Answers what never became a request, in Go's bare form: the status line's text is the body.
    private func refuse(_ status: String) {
        loop.figures.requestsMalformed.add(1, ordering: .relaxed)
        loop.figures.answered(Int(status.prefix(3)) ?? 400)
        write(
            ByteBuffer(
                string: """
                    HTTP/1.1 \(status)\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\(status)
                    """))
        beginLingering()
    }

    // MARK: Reading

    private var mayRead: Bool {
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
            readIfHeldBack()
        }
    }

    private func readIfHeldBack() {
        if isReadHeldBack, mayRead {
            isReadHeldBack = false
            context?.read()
        }
    }

    private func inputClosed() {
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

    // MARK: Writing

    private func write(_ bytes: ByteBuffer) {
        bytesQueued += bytes.readableBytes
        context?.write(wrapOutboundOut(bytes), promise: nil)
        needsFlush = true
    }

    func flush() {
        isFlushDue = false
        if needsFlush {
            needsFlush = false
            context?.flush()
        }
    }

    /// While a read is being worked off, its answers leave together at its end.
    private func flushUnlessReading() {
        if !isReading {
            flush()
        }
    }

    private func flushSoon() {
        if !isReading, !isFlushDue {
            isFlushDue = true
            loop.flushSoon(self)
        }
    }

    // MARK: Closing

    /// Nothing more is answered: sends what is written, then the end, and reads on for a moment. Closing at once would
    /// reset a connection on which bytes are unread, and the reset can destroy the answer on its way.
    private func beginLingering() {
        guard phase != .lingering, phase != .closed else {
            return
        }
        phase = .lingering
        progressAt = loop.now
        pending.removeAll()
        flush()
        guard let context else {
            return
        }
        if isInputClosed {
            closeWhenWritten()
            return
        }
        let outputClosed = context.eventLoop.makePromise(of: Void.self)
        outputClosed.futureResult.assumeIsolated().whenComplete { _ in
            self.isOutputClosed = true
            if self.isInputClosed {
                self.close()
            }
        }
        context.close(mode: .output, promise: outputClosed)
        readIfHeldBack()
    }

    private func closeWhenWritten() {
        guard let context, phase != .closed else {
            return
        }
        phase = .lingering
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.close()
        }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
    }

    private func close() {
        context?.close(promise: nil)
    }

    /// Closes with a reset: a body that ends with the connection must not look complete.
    func cut() {
        (context?.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            .whenComplete { _ in }
        close()
    }

    /// Ends a connection in the middle of an answer. A missing last chunk shows by itself; then what was written before
    /// may still arrive.
    func abort(framing: BodyFraming?) {
        switch framing {
        case .chunked, .length:
            flush()
            close()
        case .some(.none), .untilClose, nil:
            cut()
        }
    }

    func closeIfIdle() {
        if phase == .waiting, pending.isEmpty, !isReading {
            close()
        }
    }

    private func hasClosed() {
        guard phase != .closed else {
            return
        }
        phase = .closed
        pending.removeAll()
        if exchange != nil {
            loop.figures.requestsAbandoned.add(1, ordering: .relaxed)
        }
        endExchange()?.clientLeft()
        loop.remove(self)
    }

    // MARK: Time

    /// Looks at all time limits. The sweep is the only clock: a limit is exact to one `sweepInterval`.
    func sweep(now: NIODeadline) {
        let limits = loop.limits
        let unwritten = (try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if unwritten > 0 {
            if bytesQueued - unwritten != bytesTaken {
                bytesTaken = bytesQueued - unwritten
                bytesTakenAt = now
            } else if now - bytesTakenAt >= limits.writeProgressTimeout {
                timedOut()
                cut()
            }
            if phase == .lingering {
                progressAt = now
            }
            return
        }
        bytesTaken = bytesQueued
        bytesTakenAt = now
        switch phase {
        case .waiting:
            if let headStartedAt {
                if now - headStartedAt >= limits.headTimeout {
                    timedOut()
                    refuse("408 Request Timeout")
                }
            } else if now - progressAt >= limits.idleTimeout {
                close()
            }
        case .exchange where !isBodyComplete && !isPausedByEndpoint:
            if now - progressAt >= limits.bodyProgressTimeout {
                timedOut()
                endExchange(with: .error(408, "the request body did not arrive in time"))
            }
        case .discarding:
            if now - progressAt >= limits.bodyProgressTimeout {
                beginLingering()
            }
        case .lingering:
            if now - progressAt >= limits.lingerTimeout {
                close()
            }
        case .exchange, .closed:
            break
        }
    }

    private func timedOut() {
        loop.figures.timeouts.add(1, ordering: .relaxed)
    }

    // MARK: Prepared bytes

    private static let `continue` = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")
    private static let lineEnd = ByteBuffer(string: "\r\n")
    private static let lastChunk = ByteBuffer(string: "0\r\n\r\n")
    private static let tooManyConnections = ByteBuffer(
        string: """
            HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n\
            X-Influxdb-Error: too many connections\r\nContent-Length: 33\r\nConnection: close\r\n\r\n\
            {"error":"too many connections"}\n
            """)
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
