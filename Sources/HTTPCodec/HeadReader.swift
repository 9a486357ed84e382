// A message's head, up to its empty line: the line that begins it, which requests and responses have each in their own
// way, and the fields.
import NIOCore

/// The first line of a message.
protocol StartLine {
    /// - Parameter line: without its end.
    init(line: UnsafeRawBufferPointer) throws(HTTPSyntaxError)

    var isHTTP10: Bool { get }

    /// Looks at the beginning of a line: what is no HTTP at all, a TLS handshake say, has no end of a line to wait for.
    static func check(beginning: UnsafeRawBufferPointer) throws(HTTPSyntaxError)

    /// Control characters in values become blanks; else they are malformed.
    static var blanksControls: Bool { get }
}

struct MessageHead<Start: StartLine> {
    var start: Start
    var fields: HeaderFields
    var contentLength: Int?
    var isChunked: Bool
    /// What the peer wants for its connection.
    var keepAlive: Bool
}

/// Reads one head after the other.
struct HeadReader<Start: StartLine> {
    private let limits: HeadLimits
    private var lines: HeadDecoder
    private var start: Start?

    init(limits: HeadLimits) {
        self.limits = limits
        lines = HeadDecoder(limits: limits, blanksControls: Start.blanksControls)
    }

    /// Takes the next head off the front.
    ///
    /// - Returns: Nil: more bytes are needed.
    mutating func next(_ unread: inout ByteBuffer) throws(HTTPSyntaxError) -> MessageHead<Start>? {
        guard unread.readableBytes > 0 else { return nil }
        let result = unread.withUnsafeReadableBytes { bytes in read(bytes) }
        guard let fields = try result.get() else { return nil }
        guard let start = start.take() else { throw .malformed }
        let head = MessageHead(
            start: start, fields: fields, contentLength: lines.contentLength, isChunked: lines.isChunked,
            keepAlive: !lines.saysClose && (lines.saysKeepAlive || !start.isHTTP10))
        unread.moveReaderIndex(forwardBy: lines.length)
        lines = HeadDecoder(limits: limits, blanksControls: Start.blanksControls)
        return head
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer) -> Result<HeaderFields?, HTTPSyntaxError> {
        do throws(HTTPSyntaxError) {
            while let line = try lines.nextLine(bytes) {
                // Without a copy of the texts in it.
                if let isHTTP10 = start?.isHTTP10 {
                    if line.isEmpty {
                        return .success(lines.headerFields(bytes[lines.fieldsStart..<line.lowerBound]))
                    }
                    try lines.field(line, bytes, isHTTP10: isHTTP10)
                } else {
                    start = try Start(line: UnsafeRawBufferPointer(rebasing: bytes[line]))
                    lines.noteStartLine(line)
                }
            }
            if start == nil { try Start.check(beginning: lines.rest(bytes)) }
            return .success(nil)
        } catch {
            return .failure(error)
        }
    }
}
