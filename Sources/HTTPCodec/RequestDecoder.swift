// Takes the requests of one connection apart. Strict: what RFC 9112 does not allow, and what two readers could read in
// two ways, is an error, and nothing after it is read.
import NIOCore
import NIOHTTP1

/// The head of a request.
package struct RequestMessage: Sendable {
    package var method: HTTPMethod
    package var target: RequestTarget
    package var isHTTP10: Bool
    package var fields: HeaderFields
    package var contentLength: Int?
    package var isChunked: Bool
    /// What the client wants for its connection.
    package var keepAlive: Bool
}

/// Bytes in, parts of requests out; confined to one connection. A request is a head, pieces of a body, and an end.
package struct RequestDecoder {
    package enum Part {
        case head(RequestMessage)
        case body(ByteBuffer)
        case end
    }

    private enum Phase {
        case head
        case body(BodyDecoder)
        case failed(HTTPSyntaxError)
    }

    private let limits: HeadLimits
    private var phase = Phase.head
    private var head: HeadDecoder
    private var start: (method: HTTPMethod, target: RequestTarget, isHTTP10: Bool)?
    private var unread = ByteBuffer()

    package init(limits: HeadLimits = HeadLimits()) {
        self.limits = limits
        head = HeadDecoder(limits: limits)
    }

    /// Whether bytes have come that were not handed out.
    package var hasUnread: Bool { unread.readableBytes > 0 }

    /// Whether the connection may end here: nothing of a further request has come.
    package var isBetweenRequests: Bool {
        if case .head = phase { !hasUnread } else { false }
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

    /// Nothing more is wanted.
    package mutating func discard() {
        unread = ByteBuffer()
    }

    /// The next part, or nil: more bytes are needed. After an error there is nothing but that error.
    package mutating func next() throws(HTTPSyntaxError) -> Part? {
        do throws(HTTPSyntaxError) {
            switch phase {
            case .head:
                guard let message = try nextHead() else { return nil }
                phase = .body(
                    message.isChunked
                        ? .chunked(limits) : BodyDecoder(length: message.contentLength ?? 0, limits: limits))
                return .head(message)
            case .body(var body):
                let part = try body.next(&unread)
                phase = .body(body)
                switch part {
                case .bytes(let bytes):
                    return .body(bytes)
                case .end:
                    phase = .head
                    if unread.readableBytes == 0 { unread = ByteBuffer() }
                    return .end
                case nil:
                    if unread.readableBytes == 0 { unread = ByteBuffer() }
                    return nil
                }
            case .failed(let error):
                throw error
            }
        } catch {
            phase = .failed(error)
            throw error
        }
    }

    private mutating func nextHead() throws(HTTPSyntaxError) -> RequestMessage? {
        guard unread.readableBytes > 0 else { return nil }
        var lines = head
        var start = self.start
        let result = unread.withUnsafeReadableBytes { bytes in Self.read(&lines, &start, bytes) }
        guard let fields = try result.get() else {
            head = lines
            self.start = start
            return nil
        }
        head = HeadDecoder(limits: limits)
        self.start = nil
        unread.moveReaderIndex(forwardBy: lines.length)
        guard let start else { throw .malformed }
        return RequestMessage(
            method: start.method, target: start.target, isHTTP10: start.isHTTP10, fields: fields,
            contentLength: lines.contentLength, isChunked: lines.isChunked,
            keepAlive: !lines.saysClose && (lines.saysKeepAlive || !start.isHTTP10))
    }

    private static func read(
        _ lines: inout HeadDecoder, _ start: inout (method: HTTPMethod, target: RequestTarget, isHTTP10: Bool)?,
        _ bytes: UnsafeRawBufferPointer
    ) -> Result<HeaderFields?, HTTPSyntaxError> {
        do throws(HTTPSyntaxError) {
            while let line = try lines.nextLine(bytes) {
                if let start {
                    if line.isEmpty {
                        let text = [UInt8](bytes[lines.fieldsStart..<line.lowerBound])
                        return .success(HeaderFields(bytes: text, fields: lines.fields))
                    }
                    try lines.field(line, bytes, isHTTP10: start.isHTTP10)
                } else {
                    start = try startLine(UnsafeRawBufferPointer(rebasing: bytes[line]))
                    lines.noteStartLine(line)
                }
            }
            if start == nil { try checkBeginning(lines.rest(bytes)) }
            return .success(nil)
        } catch {
            return .failure(error)
        }
    }

    /// What is no HTTP at all, a TLS handshake say, has no end of a line to wait for.
    private static func checkBeginning(_ bytes: UnsafeRawBufferPointer) throws(HTTPSyntaxError) {
        for byte in bytes.prefix(longestMethod + 1) {
            if byte == 0x20 { return }
            guard HTTPSyntax.isToken(byte) || byte == 0x0d && bytes.count == 1 else { throw .malformed }
        }
        guard bytes.count <= longestMethod else { throw .malformed }
    }

    private static let longestMethod = 32

    private static func startLine(
        _ line: UnsafeRawBufferPointer
    ) throws(HTTPSyntaxError) -> (HTTPMethod, RequestTarget, Bool) {
        var blank = 0
        while blank < line.count, HTTPSyntax.isToken(line[blank]) { blank += 1 }
        let tail = line.count - 9
        guard blank > 0, blank <= longestMethod, blank < tail, line[blank] == 0x20, line[tail] == 0x20 else {
            throw .malformed
        }
        let target = UnsafeRawBufferPointer(rebasing: line[blank + 1..<tail])
        guard !target.isEmpty, target.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { throw .malformed }
        let isHTTP10 = try isVersion10(UnsafeRawBufferPointer(rebasing: line[(tail + 1)...]))
        let method = method(UnsafeRawBufferPointer(rebasing: line[..<blank]))
        return (method, try RequestTarget(target, isAuthority: method == .CONNECT), isHTTP10)
    }

    private static func isVersion10(_ text: UnsafeRawBufferPointer) throws(HTTPSyntaxError) -> Bool {
        func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
        guard text.count == 8, text.starts(with: "HTTP/".utf8), isDigit(text[5]), text[6] == UInt8(ascii: "."),
            isDigit(text[7])
        else { throw .malformed }
        switch (text[5], text[7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): return false
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): return true
        default: throw .unsupportedVersion
        }
    }

    /// Methods are case-sensitive; any token is one.
    private static func method(_ text: UnsafeRawBufferPointer) -> HTTPMethod {
        switch text.count {
        case 3 where text.elementsEqual("GET".utf8): .GET
        case 3 where text.elementsEqual("PUT".utf8): .PUT
        case 4 where text.elementsEqual("POST".utf8): .POST
        case 4 where text.elementsEqual("HEAD".utf8): .HEAD
        default: HTTPMethod(rawValue: String(decoding: text, as: UTF8.self))
        }
    }
}
