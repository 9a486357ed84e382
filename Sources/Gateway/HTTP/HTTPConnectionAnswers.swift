// How a client connection answers: complete and streamed answers, and what it says to requests that fail.
import HTTPCodec
import NIOCore

extension HTTPConnection {
    func answer(_ response: Response, to exchange: Exchange) {
        let response = response.formatted(for: exchange.head)
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
    func isRestOfBodySmall(_ head: RequestHead) -> Bool {
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

    func answerIsComplete() {
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
    func endExchange() -> (any Endpoint)? {
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
    func endExchange(with response: Response) {
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
    func fail(_ error: HTTPSyntaxError) {
        switch (phase, error) {
        case (.exchange, .unexpectedEnd):
            endExchange(with: .error(400, "unexpected EOF"))
        case (.exchange, .malformedChunkSize):
            endExchange(with: .error(400, "invalid byte in chunk length"))
        case (.exchange, _):
            endExchange(with: .error(400, "malformed request body"))
        case (.discarding, _):
            beginLingering()
        case (_, .headTooLarge):
            refuse("431 Request Header Fields Too Large")
        case (_, .unsupportedVersion):
            refuse("505 HTTP Version Not Supported: unsupported protocol version")
        case (_, .unsupportedTransferEncoding):
            refuse("501 Not Implemented")
        default:
            refuse("400 Bad Request")
        }
    }

    static func refusal(_ refusal: RequestHead.Refusal) -> String {
        switch refusal {
        case .missingHost: "400 Bad Request: missing required Host header"
        case .tooManyHosts: "400 Bad Request: too many Host headers"
        case .malformedHost: "400 Bad Request: malformed Host header"
        case .unsupportedExpectation: "417 Expectation Failed"
        }
    }

    /// Answers what never became a request, in Go's bare form: the status line's text is the body.
    func refuse(_ status: String) {
        loop.figures.requestsMalformed.add(1, ordering: .relaxed)
        loop.figures.answered(Int(status.prefix(3)) ?? 400)
        write(
            ByteBuffer(
                string: """
                    HTTP/1.1 \(status)\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\(status)
                    """))
        beginLingering()
    }

    // MARK: Writing

    func write(_ bytes: ByteBuffer) {
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
    func flushUnlessReading() {
        if !isReading {
            flush()
        }
    }

    func flushSoon() {
        if !isReading, !isFlushDue {
            isFlushDue = true
            loop.flushSoon(self)
        }
    }

    // MARK: Prepared bytes

    static let `continue` = ByteBuffer(string: "HTTP/1.1 100 Continue\r\n\r\n")
    static let lineEnd = ByteBuffer(string: "\r\n")
    static let lastChunk = ByteBuffer(string: "0\r\n\r\n")
    static let tooManyConnections = ByteBuffer(
        string: """
            HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n\
            X-Influxdb-Error: too many connections\r\nContent-Length: 33\r\nConnection: close\r\n\r\n\
            {"error":"too many connections"}\n
            """)
}
