// What a connection of the load sends: requests as prepared bytes, of which only the times change.

import ContentCoding
import NIOCore

/// One connection's requests.
enum Payload {
    /// The same series each time, one millisecond later.
    case stamped(StampedRequest)
    /// Requests that were made beforehand, round and round.
    case ring([[UInt8]], next: Int)

    /// - Parameter number: the connection's; each writes series of its own.
    init(number: Int, shape: LoadShape) {
        if let query = shape.query {
            self = .stamped(.query(query, shape: shape))
        } else if shape.gzip {
            self = .ring(Self.compressed(number: number, shape: shape), next: 0)
        } else {
            self = .stamped(.lines(number: number, shape: shape))
        }
    }

    /// The next request's bytes; a copy only of the reference.
    mutating func next() -> [UInt8] {
        switch self {
        case .stamped(var request):
            // So that the bytes have one owner while they change.
            self = .ring([], next: 0)
            request.advance()
            self = .stamped(request)
            return request.bytes
        case .ring(let requests, let next):
            self = .ring(requests, next: (next + 1) % requests.count)
            return requests[next]
        }
    }

    /// As Go's compressor hands them on: it flushes when 240 bytes are full, and each flush is a chunk.
    private static let chunk = 240
    private static let ringSize = 16

    private static func compressed(number: Int, shape: LoadShape) -> [[UInt8]] {
        var request = StampedRequest.lines(number: number, shape: shape)
        return (0..<ringSize).map { _ in
            request.advance()
            var deflater = Deflater(.usual)
            var body = ByteBuffer()
            deflater.deflate(ByteBuffer(bytes: request.bytes[request.bodyStart...]), into: &body, .finished)
            var bytes = Array(
                """
                POST \(shape.writeTarget) HTTP/1.1\r
                Host: 127.0.0.1\r
                User-Agent: sluice-bench\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Encoding: gzip\r
                Transfer-Encoding: chunked\r
                \r

                """.utf8)
            while let piece = body.readSlice(length: min(chunk, body.readableBytes)), piece.readableBytes > 0 {
                bytes += Array("\(String(piece.readableBytes, radix: 16))\r\n".utf8)
                bytes += piece.readableBytesView
                bytes += [13, 10]
            }
            return bytes + Array("0\r\n\r\n".utf8)
        }
    }
}

/// A request and the places in it where the time stands, in nanoseconds.
struct StampedRequest {
    private(set) var bytes: [UInt8]
    private(set) var bodyStart: Int
    private var places: [Int]
    private var time: UInt64 = 1_700_000_000_000_000_000

    private static let digits = 19

    /// - Parameter body: with digits, any ones, at `places`.
    private init(head: String, body: [UInt8], places: [Int]) {
        bytes = Array(head.utf8) + body
        bodyStart = head.utf8.count
        self.places = places
    }

    /// Points of `cpu`, as Telegraf writes them.
    static func lines(number: Int, shape: LoadShape) -> StampedRequest {
        var body: [UInt8] = []
        var places: [Int] = []
        for line in 0..<shape.lines {
            let host = "server\(number / 10)\(number % 10)"
            let values = "usage_idle=9\(line % 8).237,usage_system=3.2\(line % 7),usage_user=5.\(line % 9)1"
            let name = shape.measurements == 1 ? "cpu" : "cpu\(line % shape.measurements)"
            body += Array("\(name),cpu=cpu\(line),host=\(host) \(values) ".utf8)
            places.append(body.count)
            body += Array("1700000000000000000\n".utf8)
        }
        let head = """
            POST \(shape.writeTarget) HTTP/1.1\r
            Host: 127.0.0.1\r
            User-Agent: sluice-bench\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Length: \(body.count)\r
            \r

            """
        return StampedRequest(head: head, body: body, places: places.map { $0 + head.utf8.count })
    }

    /// A query in the URL; `$time` in its text becomes a time that moves on with each request.
    static func query(_ text: String, shape: LoadShape) -> StampedRequest {
        let pieces = text.split(separator: "$time", omittingEmptySubsequences: false).map { piece in
            piece.utf8.reduce(into: "") { text, byte in
                let isPlain =
                    UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
                    || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                text +=
                    isPlain
                    ? String(UnicodeScalar(byte)) : "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }
        }
        var head = "GET /query?db=\(shape.database)&epoch=ms&q="
        var places: [Int] = []
        for (index, piece) in pieces.enumerated() {
            if index > 0 {
                places.append(head.utf8.count)
                head += "1700000000000000000"
            }
            head += piece
        }
        head += " HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: sluice-bench\r\nAccept: application/json\r\n\r\n"
        return StampedRequest(head: head, body: [], places: places)
    }

    mutating func advance() {
        time += 1_000_000
        guard let first = places.first else { return }
        var rest = time
        for digit in (0..<Self.digits).reversed() {
            bytes[first + digit] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        for place in places.dropFirst() {
            for digit in 0..<Self.digits { bytes[place + digit] = bytes[first + digit] }
        }
    }
}
