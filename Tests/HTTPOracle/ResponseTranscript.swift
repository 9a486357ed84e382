// What a decoder of responses made of the bytes on a connection, so that two of them can be held against each other.

import HTTPCodec
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// The response to one request, as one decoder saw it.
package struct ResponseTranscript: Equatable, CustomStringConvertible {
    package enum Event: Equatable {
        case head(status: Int, fields: [String], keepAlive: Bool)
        /// Pieces as one.
        case body([UInt8])
        case end
    }

    package var events: [Event] = []
    /// Why it gave up; nil: it did not.
    package var error: HTTPSyntaxError?
    /// The same, of NIOHTTP1.
    package var foreignError: String?

    package var description: String {
        "\(events) \(error.map { "\($0)" } ?? "") \(foreignError ?? "")"
    }

    private mutating func add(_ bytes: ByteBuffer) {
        if case .body(let before) = events.last {
            events[events.count - 1] = .body(before + bytes.readableBytesView)
        } else {
            events.append(.body(Array(bytes.readableBytesView)))
        }
    }

    /// As Sluice reads the pieces, and then the end of the connection.
    package static func sluice(
        _ pieces: [[UInt8]], isHead: Bool = false, limits: HeadLimits = HeadLimits(), ends: Bool = true
    ) -> ResponseTranscript {
        var transcript = ResponseTranscript()
        var decoder = ResponseDecoder(limits: limits)
        decoder.expectResponse(toHead: isHead)
        do throws(HTTPSyntaxError) {
            for piece in pieces where !piece.isEmpty {
                decoder.append(ByteBuffer(bytes: piece))
                while let part = try decoder.next() {
                    switch part {
                    case .head(let head):
                        transcript.events.append(
                            .head(
                                status: head.status, fields: head.fields.pairs.map { "\($0.0): \($0.1)" },
                                keepAlive: head.keepAlive))
                    case .body(let bytes): transcript.add(bytes)
                    case .end: transcript.events.append(.end)
                    }
                }
            }
            if ends, try decoder.connectionEnded() { transcript.events.append(.end) }
        } catch {
            transcript.error = error
        }
        return transcript
    }

    /// As NIOHTTP1's decoder reads them.
    package static func nio(_ pieces: [[UInt8]], isHead: Bool = false) -> ResponseTranscript {
        var transcript = ResponseTranscript()
        let channel = EmbeddedChannel()
        var error: (any Error)?
        do {
            try channel.pipeline.syncOperations.addHandlers(
                HTTPRequestEncoder(), ByteToMessageHandler(HTTPResponseDecoder()))
            try channel.writeOutbound(
                HTTPClientRequestPart.head(
                    HTTPRequestHead(version: .http1_1, method: isHead ? .HEAD : .GET, uri: "/")))
            try channel.writeOutbound(HTTPClientRequestPart.end(nil))
            for piece in pieces where !piece.isEmpty { try channel.writeInbound(ByteBuffer(bytes: piece)) }
        } catch let caught {
            error = caught
        }
        func collect() {
            while let part = try? channel.readInbound(as: HTTPClientResponsePart.self) {
                switch part {
                case .head(let head):
                    transcript.events.append(
                        .head(
                            status: Int(head.status.code), fields: head.headers.map { "\($0.name): \($0.value)" },
                            keepAlive: head.isKeepAlive))
                case .body(let bytes): transcript.add(bytes)
                case .end: transcript.events.append(.end)
                }
            }
        }
        collect()
        do {
            _ = try channel.finish(acceptAlreadyClosed: true)
        } catch let caught {
            error = error ?? caught
        }
        collect()
        transcript.foreignError = error.map { "\($0)" }
        return transcript
    }
}

extension HTTPOracle {
    /// Nil: Sluice and NIOHTTP1 agree as far as they have to. Sluice may refuse more; in what both take, the response
    /// has the same status and fields, and ends at the same byte.
    package static func responseDisagreement(on pieces: [[UInt8]], isHead: Bool) -> String? {
        let mine = ResponseTranscript.sluice(pieces, isHead: isHead)
        let other = ResponseTranscript.nio([cleaned(pieces.flatMap { $0 })], isHead: isHead)
        let common = min(mine.events.count, other.events.count)
        for (index, (one, two)) in zip(mine.events, other.events).enumerated() {
            if isSame(one, two, isHead: isHead) {
                if case .head(101, _, _) = one { return nil }
                continue
            }
            // A body that one of them gave up within.
            if index == common - 1, case .body(let some) = one, case .body(let more) = two,
                some.starts(with: more) || more.starts(with: some)
            {
                continue
            }
            return "event \(index): \(one), NIOHTTP1: \(two)"
        }
        if mine.error == nil, mine.events.count != other.events.count {
            return "\(mine), NIOHTTP1: \(other)"
        }
        return nil
    }

    private static func isSame(
        _ mine: ResponseTranscript.Event, _ other: ResponseTranscript.Event, isHead: Bool
    ) -> Bool {
        guard case .head(let status, let fields, let keepAlive) = mine,
            case .head(let statusToo, let fieldsToo, let keepAliveToo) = other
        else { return mine == other }
        // NIOHTTP1 leaves blanks behind values. For it a connection is kept that ends with its body, and is not after a
        // response to HEAD that does not say how long it would be.
        func trimmed(_ fields: [String]) -> [String] {
            fields.map { String($0.reversed().drop { $0 == "\t" || $0 == " " }.reversed()) }
        }
        return status == statusToo && trimmed(fields) == trimmed(fieldsToo) && (isHead || !keepAlive || keepAliveToo)
    }

    /// With blanks in the places of control characters in heads: those of interim responses, and the first other.
    private static func cleaned(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        var start = 0
        var end = 0
        while end < bytes.count {
            if bytes[end...].starts(with: [13, 10, 13, 10]) {
                let head = bytes[start...].drop { $0 == 13 || $0 == 10 }
                guard head.starts(with: Array("HTTP/1.1 1".utf8)) else { break }
                end += 4
                start = end
                continue
            }
            let byte = bytes[end]
            if byte < 0x20 && byte != 9 && byte != 10 && byte != 13 || byte == 0x7f { bytes[end] = 0x20 }
            end += 1
        }
        return bytes
    }
}
