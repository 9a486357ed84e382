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

/// What a client gets.
package struct ReceivedAnswer {
    package let status: Int
    private let message: Message

    init?(_ message: Message) {
        let words = message.firstLine.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count >= 2, let status = Int(String(decoding: words[1], as: UTF8.self)) else { return nil }
        self.status = status
        self.message = message
    }

    package var body: [UInt8] { message.body }
    /// - Parameter name: in lower case.
    package func header(_ name: String) -> String? { message.header(name) }
}

/// What a node says.
package struct SimulatedAnswer {
    package var status: Int
    package var headers: [(String, String)]
    package var body: [UInt8]
}

/// A request or an answer as it came.
struct Message {
    /// Request or status line and the headers, without the empty line.
    let head: [UInt8]
    let body: [UInt8]

    var firstLine: ArraySlice<UInt8> { head.prefix { $0 != UInt8(ascii: "\r") } }

    /// - Parameter name: in lower case.
    func header(_ name: String) -> String? { Self.header(name, in: head[...]) }

    fileprivate static func header(_ name: String, in head: ArraySlice<UInt8>) -> String? {
        let wanted = Array(name.utf8)
        var line = head[...]
        while let newline = line.firstIndex(of: UInt8(ascii: "\n")) {
            line = line[(newline + 1)...]
            guard line.count > wanted.count, line[line.startIndex + wanted.count] == UInt8(ascii: ":") else { continue }
            let isIt = zip(line, wanted).allSatisfy { $0 == $1 || ($0 | 0x20 == $1 && $0 < 0x5b) }
            guard isIt else { continue }
            let value = line.dropFirst(wanted.count + 1).prefix { $0 != UInt8(ascii: "\r") }
            return String(decoding: value.drop { $0 == UInt8(ascii: " ") }, as: UTF8.self)
        }
        return nil
    }
}

/// Takes messages out of what a connection brings.
struct MessageReader {
    private var bytes: [UInt8] = []
    private var position = 0

    mutating func append(_ more: ByteBuffer) { bytes.append(contentsOf: more.readableBytesView) }

    /// The next whole message; nil: it has not come yet.
    mutating func next() -> Message? {
        guard let headEnd = end(of: [13, 10, 13, 10], from: position) else { return nil }
        let head = bytes[position..<headEnd - 4]
        var body: [UInt8] = []
        var end = headEnd
        if Message.header("transfer-encoding", in: head) == "chunked" {
            while true {
                guard let sizeEnd = self.end(of: [13, 10], from: end),
                    let size = Int(String(decoding: bytes[end..<sizeEnd - 2], as: UTF8.self), radix: 16),
                    bytes.count >= sizeEnd + size + 2
                else { return nil }
                body += bytes[sizeEnd..<sizeEnd + size]
                end = sizeEnd + size + 2
                if size == 0 { break }
            }
        } else if let count = Message.header("content-length", in: head).flatMap({ Int($0) }) {
            guard bytes.count >= headEnd + count else { return nil }
            end = headEnd + count
            body = Array(bytes[headEnd..<end])
        }
        defer {
            position = end
            if position == bytes.count {
                bytes.removeAll(keepingCapacity: true)
                position = 0
            }
        }
        return Message(head: Array(head) + [13, 10], body: body)
    }

    /// Behind the next occurrence of the mark.
    private func end(of mark: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= start + mark.count else { return nil }
        return bytes.withUnsafeBufferPointer { bytes in
            var place = start
            let last = bytes.count - mark.count
            while place <= last {
                if bytes[place] == mark[0] {
                    var length = 1
                    while length < mark.count, bytes[place + length] == mark[length] { length += 1 }
                    if length == mark.count { return place + length }
                }
                place += 1
            }
            return nil
        }
    }
}

extension SimulatedRequest {
    init?(_ message: Message) {
        let words = message.firstLine.split(separator: UInt8(ascii: " "))
        guard words.count == 3 else { return nil }
        method = String(decoding: words[0], as: UTF8.self)
        let path = words[1].prefix { $0 != UInt8(ascii: "?") }
        self.path = String(decoding: path, as: UTF8.self)
        parameters = Form.decode(words[1][path.endIndex...].dropFirst())
        body = message.body
        if message.header("content-type") == "application/x-www-form-urlencoded" {
            parameters += Form.decode(body[...])
            body = []
        }
    }
}

extension SimulatedAnswer {
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

    static func decode(_ text: ArraySlice<UInt8>) -> [(String, String)] {
        text.split(separator: UInt8(ascii: "&")).map { pair in
            let key = pair.prefix { $0 != UInt8(ascii: "=") }
            return (decoded(key), decoded(pair[key.endIndex...].dropFirst()))
        }
    }

    private static func decoded(_ text: ArraySlice<UInt8>) -> String {
        guard text.contains(where: { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "%") }) else {
            return String(decoding: text, as: UTF8.self)
        }
        var out: [UInt8] = []
        out.reserveCapacity(text.count)
        var place = text.startIndex
        while place < text.endIndex {
            let byte = text[place]
            place += 1
            switch byte {
            case UInt8(ascii: "+"): out.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                let pair = text[place..<min(place + 2, text.endIndex)]
                out.append(UInt8(String(decoding: pair, as: UTF8.self), radix: 16) ?? byte)
                place = pair.endIndex
            default: out.append(byte)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
