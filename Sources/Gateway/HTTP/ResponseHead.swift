// Renders the head of an answer into bytes: status line, InfluxDB's standard headers, framing.
import Glibc
import NIOCore
import NIOHTTP1

/// How a client finds the end of a body.
package enum BodyFraming: Equatable {
    /// 204, 304: no body and no header that says so.
    case none
    case length(Int)
    case chunked
    /// HTTP/1.0, when the length is not known.
    case untilClose
}

/// The head of one answer.
package struct ResponseHead {
    package var status: Int
    package var contentType: String?
    package var headers: [(String, String)]
    package var isRouted: Bool
    package var framing: BodyFraming
    package var keepAlive: Bool

    package init(
        status: Int, contentType: String?, headers: [(String, String)], isRouted: Bool, framing: BodyFraming,
        keepAlive: Bool
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.isRouted = isRouted
        self.framing = framing
        self.keepAlive = keepAlive
    }
}

/// What all answers of one event loop have in common, prepared as bytes.
package struct StandardHeaders {
    private var version: [UInt8] = []
    private var date: [UInt8] = []
    private var requestIDs = RequestIDs()
    /// The head that nearly every write gets, but for its request id.
    private var stored = ByteBuffer()
    private var storedIDs: [Int] = []

    package init(version: String) {
        self.version = Self.versionLines(version)
        refresh()
    }

    /// `X-Influxdb-Version`.
    mutating func advertise(version: String) {
        self.version = Self.versionLines(version)
        prepareStored()
    }

    private static func versionLines(_ version: String) -> [UInt8] {
        Array("X-Influxdb-Build: OSS\r\nX-Influxdb-Version: \(version)\r\n".utf8)
    }

    /// Called once per sweep; `Date` and the request ids follow the wall clock with that grain.
    mutating func refresh() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        requestIDs.advance(to: now)
        date = Self.dateLine(now.tv_sec)
        prepareStored()
    }

    private mutating func prepareStored() {
        let id = RequestIDs.placeholder
        stored.clear()
        stored.writeStaticString("HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\nRequest-Id: ")
        storedIDs = [stored.writerIndex]
        stored.writeBytes(id)
        stored.writeStaticString("\r\nX-Request-Id: ")
        storedIDs.append(stored.writerIndex)
        stored.writeBytes(id)
        stored.writeStaticString("\r\n")
        stored.writeBytes(version)
        stored.writeBytes(date)
        stored.writeStaticString("\r\n")
    }

    /// The head of the usual answer to a write: the prepared bytes are those that `write` would make.
    private mutating func writeStored(into buffer: inout ByteBuffer) {
        let start = buffer.writerIndex
        buffer.writeImmutableBuffer(stored)
        let id = requestIDs.next()
        for place in storedIDs { buffer.setBytes(id, at: start + place) }
    }

    package mutating func write(_ head: ResponseHead, answering request: RequestHead, into buffer: inout ByteBuffer) {
        if head.status == 204, head.framing == .none, head.isRouted, head.keepAlive, head.headers.isEmpty,
            head.contentType == "application/json", !request.isHTTP10, request.origin == nil, request.requestID == nil
        {
            return writeStored(into: &buffer)
        }
        writeStatusLine(head.status, isHTTP10: request.isHTTP10, into: &buffer)
        if head.isRouted, let origin = request.origin {
            buffer.writeStaticString(
                """
                Access-Control-Allow-Headers: Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, \
                X-CSRF-Token, X-HTTP-Method-Override\r\n\
                Access-Control-Allow-Methods: DELETE, GET, OPTIONS, POST, PUT\r\n\
                Access-Control-Expose-Headers: Date, X-InfluxDB-Version, X-InfluxDB-Build\r\n\
                Access-Control-Allow-Origin:\u{20}
                """)
            buffer.writeHeaderText(origin)
            buffer.writeStaticString("\r\n")
        }
        if let contentType = head.contentType {
            buffer.writeHeader("Content-Type", contentType)
        }
        for (name, value) in head.headers where !Self.isWrittenByServer(name) {
            buffer.writeHeader(name, value)
        }
        if head.isRouted {
            if let id = request.requestID {
                buffer.writeHeader("Request-Id", id)
                buffer.writeHeader("X-Request-Id", id)
            } else {
                requestIDs.writeNext(into: &buffer)
            }
        }
        buffer.writeBytes(version)
        buffer.writeBytes(date)
        switch head.framing {
        case .none, .untilClose:
            break
        case .length(let length):
            buffer.writeStaticString("Content-Length: ")
            buffer.writeString(String(length))
            buffer.writeStaticString("\r\n")
        case .chunked:
            buffer.writeStaticString("Transfer-Encoding: chunked\r\n")
        }
        if !head.keepAlive {
            if !request.isHTTP10 {
                buffer.writeStaticString("Connection: close\r\n")
            }
        } else if request.isHTTP10 {
            buffer.writeStaticString("Connection: keep-alive\r\n")
        }
        buffer.writeStaticString("\r\n")
    }

    private func writeStatusLine(_ status: Int, isHTTP10: Bool, into buffer: inout ByteBuffer) {
        switch (status, isHTTP10) {
        case (204, false):
            buffer.writeStaticString("HTTP/1.1 204 No Content\r\n")
        case (200, false):
            buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        default:
            let known = HTTPResponseStatus(statusCode: status)
            buffer.writeString("HTTP/1.\(isHTTP10 ? 0 : 1) \(status) \(known.reasonPhrase)\r\n")
        }
    }

    /// Framing and standard headers are the server's own, also when a node's headers are passed on.
    static func isWrittenByServer(_ name: String) -> Bool {
        switch name.utf8.count {
        case 2, 4, 7, 10, 12, 14, 16, 17, 18, 19: serverHeaders.contains(name.lowercased())
        default: false
        }
    }

    private static let serverHeaders: Set<String> = [
        "te", "date", "trailer", "upgrade", "connection", "keep-alive", "request-id", "content-type", "x-request-id",
        "content-length", "x-influxdb-build", "x-influxdb-version", "transfer-encoding", "proxy-connection",
    ]

    private static func dateLine(_ seconds: time_t) -> [UInt8] {
        var seconds = seconds
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String {
            number < 10 ? "0\(number)" : "\(number)"
        }
        let day = "\(days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon)])"
        let time = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return Array("Date: \(day) \(Int(parts.tm_year) + 1900) \(time) GMT\r\n".utf8)
    }
}

/// Version 1 UUIDs like InfluxDB's: a count of 100 ns steps, then a sequence and a node drawn at random per event loop.
private struct RequestIDs {
    /// 100 ns since 15 October 1582; the wall clock at the last sweep plus one per request.
    private var time: UInt64 = 0
    private var text = placeholder

    init() {
        var tail = UInt64.random(in: 0...UInt64.max)
        tail = (tail & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000
        writeHex(tail >> 48, digits: 4, at: 19)
        // The lowest bit of the first byte marks a node that is no network address (RFC 9562 §6.10).
        writeHex((tail & 0xffff_ffff_ffff) | 0x0100_0000_0000, digits: 12, at: 24)
    }

    mutating func advance(to now: timespec) {
        let steps = UInt64(max(0, now.tv_sec)) * 10_000_000 + UInt64(max(0, now.tv_nsec)) / 100
        time = max(time, steps + 0x01b2_1dd2_1381_4000)
    }

    static let placeholder = [UInt8](repeating: UInt8(ascii: "-"), count: 36)

    mutating func writeNext(into buffer: inout ByteBuffer) {
        let text = next()
        buffer.writeStaticString("Request-Id: ")
        buffer.writeBytes(text)
        buffer.writeStaticString("\r\nX-Request-Id: ")
        buffer.writeBytes(text)
        buffer.writeStaticString("\r\n")
    }

    mutating func next() -> [UInt8] {
        time += 1
        writeHex(time & 0xffff_ffff, digits: 8, at: 0)
        writeHex((time >> 32) & 0xffff, digits: 4, at: 9)
        writeHex((time >> 48) & 0x0fff | 0x1000, digits: 4, at: 14)
        return text
    }

    private mutating func writeHex(_ value: UInt64, digits: Int, at position: Int) {
        var value = value
        for offset in stride(from: digits - 1, through: 0, by: -1) {
            text[position + offset] = ByteBuffer.hexDigit(UInt8(value & 15))
            value >>= 4
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeHeader(_ name: String, _ value: String) {
        writeHeaderText(name)
        writeStaticString(": ")
        writeHeaderText(value)
        writeStaticString("\r\n")
    }

    /// Control characters become blanks, so that no text can begin a header of its own.
    fileprivate mutating func writeHeaderText(_ text: String) {
        let start = writerIndex
        let length = writeString(text)
        for index in start..<start + length {
            if let byte: UInt8 = getInteger(at: index), byte < 0x20 && byte != 9 || byte == 0x7f {
                setInteger(UInt8(ascii: " "), at: index)
            }
        }
    }
}
