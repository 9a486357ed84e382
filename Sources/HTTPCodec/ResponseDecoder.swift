// Takes the responses on one connection apart. As strict as with requests, but for control characters in values:
// InfluxDB copies its error texts into a field, and error texts quote what a client sent. They become blanks.
import NIOCore

/// The head of a response.
package struct ResponseMessage: Sendable {
    package var status: Int
    package var fields: HeaderFields
    /// Whether the connection can be used again after this response.
    package var keepAlive: Bool
}

/// Bytes in, parts of responses out; confined to one connection, on which one request is under way at a time. A
/// response is a head, pieces of a body, and an end. Interim responses (1xx but 101) are left out.
package struct ResponseDecoder {
    package enum Part {
        case head(ResponseMessage)
        case body(ByteBuffer)
        case end
    }

    private enum Phase {
        /// No request is under way.
        case idle
        case head(hasBody: Bool)
        case body
        case failed(HTTPSyntaxError)
    }

    private let limits: HeadLimits
    private var phase = Phase.idle
    private var head: HeadReader<StatusLine>
    private var body: BodyDecoder
    private var unread = ByteBuffer()

    package init(limits: HeadLimits = HeadLimits()) {
        self.limits = limits
        head = HeadReader(limits: limits)
        body = BodyDecoder(length: 0, limits: limits)
    }

    /// A request was sent.
    ///
    /// - Parameter isHead: its method is HEAD: the response has no body.
    package mutating func expectResponse(toHead isHead: Bool) {
        guard case .idle = phase else { return }
        phase = .head(hasBody: !isHead)
    }

    /// Takes bytes that were read.
    package mutating func append(_ bytes: ByteBuffer) {
        if unread.readableBytes == 0 {
            unread = bytes
        } else {
            unread.discardReadBytes()
            unread.writeImmutableBuffer(bytes)
        }
    }

    /// The next part, or nil: more bytes are needed. After an error there is nothing but that error.
    package mutating func next() throws(HTTPSyntaxError) -> Part? {
        do throws(HTTPSyntaxError) {
            let part = try nextPart()
            // The bytes belong to whoever has the parts.
            if unread.readableBytes == 0 { unread = ByteBuffer() }
            return part
        } catch {
            phase = .failed(error)
            throw error
        }
    }

    /// The connection has ended.
    ///
    /// - Returns: whether that is the end of a response, whose body goes on as long as the connection does; false if none
    ///   had begun.
    package mutating func connectionEnded() throws(HTTPSyntaxError) -> Bool {
        switch phase {
        case .idle: return false
        case .head:
            guard unread.readableBytes > 0 else { return false }
            throw .unexpectedEnd
        case .body:
            guard body.endsWithConnection else { throw .unexpectedEnd }
            phase = .idle
            return true
        case .failed(let error): throw error
        }
    }

    private mutating func nextPart() throws(HTTPSyntaxError) -> Part? {
        switch phase {
        case .idle:
            guard unread.readableBytes == 0 else { throw .unrequested }
            return nil
        case .head(let hasBody):
            while let message = try head.next(&unread) {
                let status = message.start.status
                if status < 200, status != 101 {
                    // Who closes behind it will not answer.
                    guard message.keepAlive else { throw .malformed }
                    continue
                }
                body = Self.body(of: message, hasBody: hasBody && status >= 200, limits)
                phase = .body
                return .head(
                    ResponseMessage(
                        status: status, fields: message.fields,
                        keepAlive: message.keepAlive && !body.endsWithConnection))
            }
            return nil
        case .body:
            switch try body.next(&unread) {
            case .bytes(let bytes): return .body(bytes)
            case .end:
                phase = .idle
                return .end
            case nil: return nil
            }
        case .failed(let error):
            throw error
        }
    }

    /// RFC 9112 §6.3.
    private static func body(of message: MessageHead<StatusLine>, hasBody: Bool, _ limits: HeadLimits) -> BodyDecoder {
        guard hasBody, message.start.status != 204, message.start.status != 304 else {
            return BodyDecoder(length: 0, limits: limits)
        }
        if message.isChunked { return .chunked(limits) }
        guard let length = message.contentLength else { return .untilEnd(limits) }
        return BodyDecoder(length: length, limits: limits)
    }
}

/// `HTTP/1.1 200 OK`; the words may be missing, and nobody reads them.
private struct StatusLine: StartLine {
    let status: Int
    let isHTTP10: Bool

    static var blanksControls: Bool { true }

    init(line: UnsafeRawBufferPointer) throws(HTTPSyntaxError) {
        guard line.count >= 12, line[8] == 0x20, line.count == 12 || line[12] == 0x20 else { throw .malformed }
        isHTTP10 = try HTTPSyntax.isVersion10(UnsafeRawBufferPointer(rebasing: line[..<8]))
        var status = 0
        for byte in line[9..<12] {
            guard byte >= 0x30, byte <= 0x39 else { throw .malformed }
            status = status * 10 + Int(byte) - 0x30
        }
        guard status >= 100, !line.contains(0x0d) else { throw .malformed }
        self.status = status
    }

    static func check(beginning bytes: UnsafeRawBufferPointer) throws(HTTPSyntaxError) {
        if bytes.count == 1, bytes[0] == 0x0d { return }
        guard bytes.prefix(5).elementsEqual("HTTP/".utf8.prefix(min(5, bytes.count))) else { throw .malformed }
    }
}
