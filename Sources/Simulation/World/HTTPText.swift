// HTTP/1.1 as nodes and clients of a simulation speak it: requests and answers out of a stream of bytes, and back. Kept
// apart from the gateway's own codec on purpose.

import NIOCore

package struct SimulatedRequest {
    package var method: String
    package var path: String
    package var parameters: [(String, String)]
    package var body: [UInt8]

    package func parameter(_ name: String) -> String? { parameters.first { $0.0 == name }?.1 }
}

package struct SimulatedAnswer {
    package var status: Int
    package var headers: [(String, String)]
    package var body: [UInt8]

    package func header(_ name: String) -> String? {
        headers.first { $0.0.lowercased() == name.lowercased() }?.1
    }
}

/// Takes messages out of what a connection brings.
struct MessageReader {
    private var buffer = ByteBuffer()
    private var head: (first: String, headers: [(String, String)])?
    private var chunks: [UInt8] = []

    mutating func append(_ bytes: ByteBuffer) { buffer.writeImmutableBuffer(bytes) }

    /// The next whole message; nil: it has not come yet.
    mutating func next() -> (first: String, headers: [(String, String)], body: [UInt8])? {
        if head == nil {
            guard let text = take(upTo: "\r\n\r\n") else { return nil }
            var lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
            let first = lines.removeFirst()
            let headers = lines.compactMap { line -> (String, String)? in
                guard let colon = line.firstIndex(of: ":") else { return nil }
                return (line[..<colon].lowercased(), line[line.index(after: colon)...].trimmed)
            }
            head = (first, headers)
        }
        guard let head else { return nil }
        let value = { (name: String) in head.headers.first { $0.0 == name }?.1 }
        if value("transfer-encoding") == "chunked" {
            while true {
                let start = buffer
                guard let size = take(upTo: "\r\n").flatMap({ Int($0, radix: 16) }) else {
                    buffer = start
                    return nil
                }
                guard let bytes = buffer.readBytes(length: size), buffer.readBytes(length: 2) != nil else {
                    buffer = start
                    return nil
                }
                if size == 0 { break }
                chunks += bytes
            }
            defer { clear() }
            return (head.first, head.headers, chunks)
        }
        let hasNoBody = head.first.contains(" 204") || head.first.contains(" 304")
        let count = hasNoBody ? 0 : value("content-length").flatMap { Int($0) } ?? 0
        guard let body = buffer.readBytes(length: count) else { return nil }
        defer { clear() }
        return (head.first, head.headers, body)
    }

    private mutating func clear() {
        head = nil
        chunks = []
        buffer.discardReadBytes()
    }

    private mutating func take(upTo mark: StaticString) -> String? {
        let view = buffer.readableBytesView
        let length = mark.utf8CodeUnitCount
        let found = mark.withUTF8Buffer { mark -> Int? in
            guard view.count >= length else { return nil }
            return view.withUnsafeBytes { bytes in
                (0...bytes.count - length).first { start in
                    (0..<length).allSatisfy { bytes[start + $0] == mark[$0] }
                }
            }
        }
        guard let found, let text = buffer.readString(length: found) else { return nil }
        buffer.moveReaderIndex(forwardBy: length)
        return text
    }
}

extension SimulatedRequest {
    init?(_ message: (first: String, headers: [(String, String)], body: [UInt8])) {
        let words = message.first.split(separator: " ")
        guard words.count == 3 else { return nil }
        method = String(words[0])
        let target = words[1].split(separator: "?", maxSplits: 1)
        path = String(target.first ?? "")
        parameters = target.count > 1 ? Form.decode(target[1]) : []
        body = message.body
        let type = message.headers.first { $0.0 == "content-type" }?.1 ?? ""
        if type.hasPrefix("application/x-www-form-urlencoded") {
            parameters += Form.decode(String(decoding: body, as: UTF8.self)[...])
            body = []
        }
    }
}

extension SimulatedAnswer {
    init?(_ message: (first: String, headers: [(String, String)], body: [UInt8])) {
        let words = message.first.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, let status = Int(words[1]) else { return nil }
        self.init(status: status, headers: message.headers, body: message.body)
    }

    var bytes: ByteBuffer {
        var text = "HTTP/1.1 \(status) \(status == 204 ? "No Content" : "Some Reason")\r\n"
        for (name, value) in headers where name.lowercased() != "content-length" { text += "\(name): \(value)\r\n" }
        if status != 204 { text += "Content-Length: \(body.count)\r\n" }
        text += "\r\n"
        var buffer = ByteBuffer(string: text)
        if status != 204 { buffer.writeBytes(body) }
        return buffer
    }
}

extension SimulatedAnswer {
    /// The head of an answer whose body comes later.
    var chunkedHead: ByteBuffer {
        var text = "HTTP/1.1 \(status) Some Reason\r\nTransfer-Encoding: chunked\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        return ByteBuffer(string: text + "\r\n")
    }

    static func lastChunk(_ body: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        if !body.isEmpty {
            buffer.writeString(String(body.count, radix: 16) + "\r\n")
            buffer.writeBytes(body)
            buffer.writeString("\r\n")
        }
        buffer.writeString("0\r\n\r\n")
        return buffer
    }
}

package enum Form {
    package static func encode(_ text: String) -> String {
        var out: [UInt8] = []
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    static func decode(_ text: Substring) -> [(String, String)] {
        text.split(separator: "&").map { pair in
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (decoded(parts[0]), parts.count > 1 ? decoded(parts[1]) : "")
        }
    }

    private static func decoded(_ text: Substring) -> String {
        var out: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): out.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let pair = String(decoding: bytes.prefix(2), as: UTF8.self)
                out.append(UInt8(pair, radix: 16) ?? byte)
                bytes = bytes.dropFirst(2)
            default: out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

extension Substring {
    fileprivate var trimmed: String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
