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
        case body
        case failed(HTTPSyntaxError)
    }

    private let limits: HeadLimits
    private var phase = Phase.head
    private var head: HeadReader<RequestLine>
    private var body: BodyDecoder
    private var unread = ByteBuffer()

    package init(limits: HeadLimits = HeadLimits()) {
        self.limits = limits
        head = HeadReader(limits: limits)
        body = BodyDecoder(length: 0, limits: limits)
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
                guard let message = try head.next(&unread) else { return nil }
                body =
                    message.isChunked
                    ? .chunked(limits) : BodyDecoder(length: message.contentLength ?? 0, limits: limits)
                phase = .body
                return .head(
                    RequestMessage(
                        method: message.start.method, target: message.start.target, isHTTP10: message.start.isHTTP10,
                        fields: message.fields, contentLength: message.contentLength, isChunked: message.isChunked,
                        keepAlive: message.keepAlive))
            case .body:
                switch try body.next(&unread) {
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
}

/// `POST /write?db=d HTTP/1.1`
private struct RequestLine: StartLine {
    let method: HTTPMethod
    let target: RequestTarget
    let isHTTP10: Bool

    private static let longestMethod = 32

    static var blanksControls: Bool { false }

    init(line: UnsafeRawBufferPointer) throws(HTTPSyntaxError) {
        var blank = 0
        while blank < line.count, HTTPSyntax.isToken(line[blank]) { blank += 1 }
        let tail = line.count - 9
        guard blank > 0, blank <= Self.longestMethod, blank < tail, line[blank] == 0x20, line[tail] == 0x20 else {
            throw .malformed
        }
        let target = UnsafeRawBufferPointer(rebasing: line[blank + 1..<tail])
        guard !target.isEmpty, target.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { throw .malformed }
        isHTTP10 = try HTTPSyntax.isVersion10(UnsafeRawBufferPointer(rebasing: line[(tail + 1)...]))
        method = Self.method(UnsafeRawBufferPointer(rebasing: line[..<blank]))
        self.target = try RequestTarget(target, isAuthority: method == .CONNECT)
    }

    static func check(beginning bytes: UnsafeRawBufferPointer) throws(HTTPSyntaxError) {
        for byte in bytes.prefix(longestMethod + 1) {
            if byte == 0x20 { return }
            guard HTTPSyntax.isToken(byte) || byte == 0x0d && bytes.count == 1 else { throw .malformed }
        }
        guard bytes.count <= longestMethod else { throw .malformed }
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
