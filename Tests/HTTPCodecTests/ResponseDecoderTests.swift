// Responses taken apart: a table of good and bad ones, the same in any pieces, and NIOHTTP1 as the judge of framing.

import HTTPCodec
import HTTPOracle
import SimulatedDisk
import Testing

@Suite("Response decoder")
struct ResponseDecoderTests {
    /// A response and, behind it, what is made of it: status, whether the connection is kept, fields, body.
    static let good: [(String, String)] = [
        ("HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.6.7\r\n\r\n", "204 keep [X-Influxdb-Version: 1.6.7] -"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "200 keep [Content-Length: 3] abc"),
        ("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 keep [Content-Length: 0] -"),
        ("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200 keep [Content-Length: 0] -"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nT: u\r\n\r\n",
            "200 keep [Transfer-Encoding: chunked] abcd"
        ),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 close [] until the end"),
        ("HTTP/1.1 200 OK\r\n\r\n", "200 close [] -"),
        ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "200 close [Content-Length: 1] a"),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na",
            "200 keep [Connection: keep-alive, Content-Length: 1] a"
        ),
        (
            "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 1\r\n\r\na",
            "400 close [Connection: close, Content-Length: 1] a"
        ),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "304 keep [Content-Length: 5] -"),
        ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", "204 keep [Transfer-Encoding: chunked] -"),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            "204 keep [] -"
        ),
        // InfluxDB quotes what a client sent.
        (
            "HTTP/1.1 400 Bad Request\r\nX-Influxdb-Error: a\u{1}b\u{0}\u{7f} \r\nContent-Length: 0\r\n\r\n",
            "400 keep [X-Influxdb-Error: a b, Content-Length: 0] -"
        ),
    ]

    @Test("responses are taken apart", arguments: good)
    func taken(bytes: String, response: String) {
        let transcript = ResponseTranscript.sluice([Array(bytes.utf8)])
        #expect(transcript.error == nil)
        #expect(Self.text(transcript) == response)
        #expect(HTTPOracle.responseDisagreement(on: [Array(bytes.utf8)], isHead: false) == nil)
    }

    @Test("the response to HEAD has no body")
    func head() {
        let bytes = Array("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n".utf8)
        #expect(Self.text(.sluice([bytes], isHead: true)) == "200 keep [Content-Length: 3] -")
        #expect(HTTPOracle.responseDisagreement(on: [bytes], isHead: true) == nil)
        #expect(ResponseTranscript.sluice([bytes]).error == .unexpectedEnd)
    }

    static let bad: [(String, HTTPSyntaxError)] = [
        ("x", .malformed), ("HTTP/1.1 20 OK\r\n", .malformed), ("HTTP/1.1 2000\r\n", .malformed),
        ("HTTP/1.1 099 A\r\n", .malformed), ("HTTP/1.1  200 OK\r\n", .malformed), ("HTTX", .malformed),
        ("HTTP/1.1 200 OK\n\n", .malformed), ("HTTP/2.0 200 OK\r\n", .unsupportedVersion),
        ("HTTP/1.1 200 OK\r\nA: b\rc\r\n", .malformed), ("HTTP/1.1 200 OK\r\nA : b\r\n", .malformed),
        ("HTTP/1.1 200 OK\r\nA\u{1}: b\r\n", .malformed), ("HTTP/1.1 200 OK\r\n folded\r\n", .malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", .malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n", .malformed),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n", .malformed),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n", .unsupportedTransferEncoding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n", .unsupportedTransferEncoding),
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n", .unsupportedTransferEncoding),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", .malformedChunkSize),
        ("HTTP/1.1 103 Early\r\nConnection: close\r\n\r\n", .malformed),
        ("HTTP/1.1 204 No Content\r\n\r\nmore", .unrequested),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", .unrequested),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", .unexpectedEnd),
        ("HTTP/1.1 200 OK\r\nContent-Le", .unexpectedEnd), ("HTTP/1.1 100 Continue\r\n\r\nHTTP", .unexpectedEnd),
        ("HTTP/1.1 200 OK\r\nA: " + String(repeating: "a", count: 1 << 20), .headTooLarge),
    ]

    @Test("I6 what is no response, or could be read in two ways, is refused", arguments: bad)
    func refused(bytes: String, error: HTTPSyntaxError) {
        #expect(ResponseTranscript.sluice([Array(bytes.utf8)]).error == error)
    }

    @Test("pieces of any size make the same response, and the same errors")
    func pieces() {
        for stream in Self.good.map(\.0) + Self.bad.map(\.0).filter({ $0.utf8.count < 1000 }) {
            let bytes = Array(stream.utf8)
            let whole = ResponseTranscript.sluice([bytes])
            for size in [1, 2, 3, 7, 16] {
                let pieces = stride(from: 0, to: bytes.count, by: size).map {
                    Array(bytes[$0..<min($0 + size, bytes.count)])
                }
                #expect(ResponseTranscript.sluice(pieces) == whole, "\(stream.debugDescription) by \(size)")
            }
        }
    }

    @Test("I6 mutilated responses begin and end where NIOHTTP1 sees them begin and end")
    func mutilated() {
        var random = SplitMix(seed: 11)
        let seeds = Self.good.map(\.0) + Self.bad.map(\.0).filter { $0.utf8.count < 200 }
        let bits = [
            "\r\n", "\n", "\r", " ", ":", "0", "5", "\u{1}", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n", "Connection: close\r\n",
        ]
        var wrong: [String] = []
        for _ in 0..<50_000 {
            var bytes = Array((seeds.randomElement(using: &random) ?? "").utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.insert(contentsOf: (bits.randomElement(using: &random) ?? "").utf8, at: at)
                default: bytes.removeSubrange(at..<min(bytes.count, at + 3))
                }
                if bytes.isEmpty { bytes = [0] }
            }
            let isHead = Int.random(in: 0..<8, using: &random) == 0
            if let disagreement = HTTPOracle.responseDisagreement(on: [bytes], isHead: isHead) {
                wrong.append("\(String(decoding: bytes, as: UTF8.self).debugDescription): \(disagreement)")
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count): \(wrong.prefix(5).joined(separator: "\n"))")
    }

    private static func text(_ transcript: ResponseTranscript) -> String {
        var text = ""
        for event in transcript.events {
            switch event {
            case .head(let status, let fields, let keepAlive):
                text = "\(status) \(keepAlive ? "keep" : "close") [\(fields.joined(separator: ", "))] -"
            case .body(let bytes): text = text.dropLast() + String(decoding: bytes, as: UTF8.self)
            case .end: break
            }
        }
        return transcript.events.last == .end ? text : text + " without an end"
    }
}
