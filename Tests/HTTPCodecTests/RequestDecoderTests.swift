// Requests taken apart: a table of good and bad ones, the same in any pieces, and NIOHTTP1 as the judge of framing.

import HTTPCodec
import HTTPOracle
import NIOCore
import SimulatedDisk
import Testing

@Suite("Request decoder")
struct RequestDecoderTests {
    static let good: [(String, [String])] = [
        ("GET / HTTP/1.1\r\n\r\n", ["GET / 1.1 keep [] -"]),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", ["GET / 1.1 keep [] -"]),
        ("POST /write?db=a%20b HTTP/1.0\r\nA:b\r\n\r\n", ["POST /write?db=a%20b 1.0 close [A: b] -"]),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", ["GET / 1.0 keep [Connection: Keep-Alive] -"]),
        ("GET / HTTP/1.1\r\nconnection: a , close\r\n\r\n", ["GET / 1.1 close [connection: a , close] -"]),
        ("GET / HTTP/1.1\r\nA: \t b c\t \r\nB:\r\n\r\n", ["GET / 1.1 keep [A: b c, B: ] -"]),
        ("FETCH /x HTTP/1.1\r\n\r\n", ["FETCH /x 1.1 keep [] -"]),
        ("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", ["POST / 1.1 keep [Content-Length: 3] abc"]),
        (
            "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naPOST /b HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
            ["POST / 1.1 keep [Content-Length: 1] a", "POST /b 1.1 keep [content-length: 0] -"]
        ),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0A;x=\"y; \\\"z\";u;v=w\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
            ["POST / 1.1 keep [Transfer-Encoding: Chunked] abc0123456789"]
        ),
        ("CONNECT h:1 HTTP/1.1\r\n\r\n", ["CONNECT h:1 1.1 keep [] -"]),
        (
            "POST /a HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\na",
            ["POST /a 1.1 keep [Upgrade: x, Content-Length: 1] a"]
        ),
        ("GET http://h:1/q?x HTTP/1.1\r\nHost: h\r\n\r\n", ["GET /q?x 1.1 keep [Host: h] -"]),
    ]

    @Test("requests are taken apart", arguments: good)
    func taken(bytes: String, requests: [String]) {
        let transcript = Transcript.sluice([Array(bytes.utf8)])
        #expect(transcript.error == nil)
        #expect(Self.requests(transcript) == requests)
        #expect(HTTPOracle.disagreement(on: [Array(bytes.utf8)]) == nil)
    }

    static let bad: [(String, HTTPSyntaxError)] = [
        ("GET /\r\n", .malformed), ("GET  / HTTP/1.1\r\n", .malformed), ("GET / HTTP/1.1 \r\n", .malformed),
        ("GET /a b HTTP/1.1\r\n", .malformed), ("GET /\u{1} HTTP/1.1\r\n", .malformed),
        (" GET / HTTP/1.1\r\n", .malformed),
        ("GET / HTTP/1.1\n", .malformed), ("GET / HTTP/1.1\r\n\n", .malformed), ("G(T / HTTP/1.1\r\n", .malformed),
        ("GET / http/1.1\r\n", .malformed), ("GET / HTTP/11\r\n", .malformed), ("GET / HTTP/1.10\r\n", .malformed),
        ("GET / HTTP/2.0\r\n", .unsupportedVersion), ("GET / HTTP/1.2\r\n", .unsupportedVersion),
        ("GET / HTTP/1.1\r\nA b: c\r\n", .malformed), ("GET / HTTP/1.1\r\nA : c\r\n", .malformed),
        ("GET / HTTP/1.1\r\nA\r\n", .malformed), ("GET / HTTP/1.1\r\n: c\r\n", .malformed),
        ("GET / HTTP/1.1\r\nA: b\r\n folded\r\n", .malformed), ("GET / HTTP/1.1\r\nA: b\rc\r\n", .malformed),
        ("GET / HTTP/1.1\r\nA: b\u{7f}\r\n", .malformed), ("\u{16}\u{3}\u{1}", .malformed),
        (String(repeating: "A", count: 33), .malformed),
        ("POST / HTTP/1.1\r\nContent-Length:\r\n", .malformed),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n", .malformed),
        ("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", .malformed),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n", .malformed),
        ("POST / HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n", .malformed),
        ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n", .unsupportedTransferEncoding),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n", .unsupportedTransferEncoding),
        ("GET / HTTP/1.1\r\nA: \(String(repeating: "b", count: 2000))", .headTooLarge),
        ("GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 17), .headTooLarge),
    ]

    @Test("I6 A7 what is no request, or could be two, is refused at the line that is wrong", arguments: bad)
    func refused(bytes: String, error: HTTPSyntaxError) {
        let transcript = Transcript.sluice(
            [Array(bytes.utf8)], limits: HeadLimits(bytes: 1000, fields: 16), ends: false)
        #expect(transcript.error as? HTTPSyntaxError == error)
        #expect(transcript.events.isEmpty)
    }

    static let badChunks: [(String, HTTPSyntaxError)] = [
        ("x", .malformedChunkSize), ("\r\n", .malformedChunkSize), ("3 \r\n", .malformedChunkSize),
        ("0x3\r\n", .malformedChunkSize), ("-1", .malformedChunkSize), ("3\n", .malformedChunkSize),
        ("3;a\n", .malformedChunkSize), ("3;\r\n", .malformedChunkSize), ("3;a b\r\n", .malformedChunkSize),
        ("3;a=\r\n", .malformedChunkSize), ("3;a=\"b\r\n", .malformedChunkSize),
        ("3;a=\"\\\"\r\n", .malformedChunkSize),
        ("3;a=\"b\"c\r\n", .malformedChunkSize), ("3;\u{1}\r\n", .malformedChunkSize),
        ("ffffffffffffffff", .malformedChunkSize),
        ("3;" + String(repeating: "a", count: 5000), .malformedChunkSize), ("1\r\nab", .malformedBody),
        ("1\r\na\rb", .malformedBody), ("1\r\na\n", .malformedBody), ("0\r\nA\r\n", .malformedBody),
        ("0\r\n\n", .malformedBody), ("0\r\nA: b\r\n c\r\n", .malformedBody),
        ("0\r\nA: b\r\ncontent-Length: 3\r\n\r\n", .malformedBody),
        ("0\r\nTransfer-Encoding: chunked\r\n\r\n", .malformedBody),
    ]

    @Test("I6 chunks whose end can be read in two ways are refused", arguments: badChunks)
    func refusedChunks(body: String, error: HTTPSyntaxError) {
        let bytes = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body
        let transcript = Transcript.sluice([Array(bytes.utf8)], ends: false)
        #expect(transcript.error as? HTTPSyntaxError == error)
        #expect(!transcript.events.contains(.end))
    }

    @Test("pieces of any size make the same requests, and the same errors")
    func pieces() {
        let streams =
            Self.good.map(\.0) + Self.bad.map(\.0)
            + Self.badChunks.map { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + $0.0 }
        for stream in streams {
            let bytes = Array(stream.utf8)
            let whole = Transcript.sluice([bytes])
            for size in [1, 2, 3, 7, 16] {
                let pieces = stride(from: 0, to: bytes.count, by: size).map {
                    Array(bytes[$0..<min($0 + size, bytes.count)])
                }
                let inPieces = Transcript.sluice(pieces)
                #expect(inPieces == whole, "\(stream.debugDescription) by \(size)")
            }
        }
    }

    @Test("I6 mutilated requests begin and end where NIOHTTP1 sees them begin and end")
    func mutilated() {
        var random = SplitMix(seed: 7)
        let seeds =
            Self.good.map(\.0) + Self.bad.map(\.0).filter { $0.utf8.count < 200 }
            + Self.badChunks.map { "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + $0.0 }
        let bits = [
            "\r\n", "\n", "\r", " ", ":", ";", "0", "5", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
        ]
        var wrong: [String] = []
        for _ in 0..<50_000 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes += (seeds.randomElement(using: &random) ?? "").utf8
            }
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.insert(contentsOf: (bits.randomElement(using: &random) ?? "").utf8, at: at)
                case 2: bytes.removeSubrange(at..<min(bytes.count, at + 3))
                default: bytes.insert(contentsOf: bytes[..<at], at: 0)
                }
                if bytes.isEmpty { bytes = [0] }
            }
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let pieces = [Array(bytes[..<cut]), Array(bytes[cut...])]
            if let disagreement = HTTPOracle.disagreement(on: pieces) {
                wrong.append("\(String(decoding: bytes, as: UTF8.self).debugDescription): \(disagreement)")
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(5).joined(separator: "\n"))")
    }

    @Test("I6 no control character but the tab passes in a value, wherever it stands")
    func controls() {
        for byte in UInt8.min...UInt8.max {
            let isControl = byte < 0x20 && byte != 9 || byte == 0x7f
            for place in 1...18 {
                // Between bytes that are next to it, and bytes that have all bits.
                for filler: UInt8 in [0x21, 0x7e, 0x80, 0xff] {
                    var value = [UInt8](repeating: filler, count: 20)
                    value[place] = byte
                    let bytes = Array("GET / HTTP/1.1\r\nA: ".utf8) + value + Array("\r\n\r\n".utf8)
                    let transcript = Transcript.sluice([bytes])
                    #expect((transcript.error == nil) == !isControl, "\(byte) at \(place) between \(filler)")
                }
            }
        }
    }

    @Test("fields are found in whatever case, removed, and added")
    func fields() {
        var fields = HeaderFields([("Accept", "a"), ("X-Y", "1"), ("accept", "b")])
        #expect(fields.first(name: "ACCEPT") == "a")
        #expect(fields.first(name: "x_y") == nil)
        fields.remove(name: "accept")
        #expect(fields.pairs.map(\.0) == ["X-Y"])
        fields.add("Z", "")
        #expect(
            fields.first(name: "z") == "" && fields.first(name: "x-y") == "1" && fields.first(name: "accept") == nil)
    }

    private static func requests(_ transcript: Transcript) -> [String] {
        var requests: [String] = []
        for event in transcript.events {
            switch event {
            case .head(let method, let target, let version, let fields, let keepAlive):
                let end = keepAlive ? "keep" : "close"
                requests.append("\(method) \(target) \(version) \(end) [\(fields.joined(separator: ", "))] -")
            case .body(let bytes):
                requests[requests.count - 1].removeLast()
                requests[requests.count - 1] += String(decoding: bytes, as: UTF8.self)
            case .end: break
            }
        }
        return requests
    }
}
