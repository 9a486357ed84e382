// What a decoder of requests made of a stream of bytes, so that two of them can be held against each other.

import HTTPCodec
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// Requests as one decoder saw them.
package struct Transcript: Equatable, CustomStringConvertible {
    package enum Event: Equatable {
        case head(method: String, target: String, version: String, fields: [String], keepAlive: Bool)
        /// Pieces as one.
        case body([UInt8])
        case end
    }

    package var events: [Event] = []
    /// Why it gave up; nil: it did not.
    package var error: (any Error & Equatable)?

    package var description: String { "\(events) \(error.map { "\($0)" } ?? "")" }

    package static func == (one: Transcript, other: Transcript) -> Bool {
        one.events == other.events && one.error as? HTTPSyntaxError == other.error as? HTTPSyntaxError
    }

    fileprivate mutating func add(_ bytes: ByteBuffer) {
        if case .body(let before) = events.last {
            events[events.count - 1] = .body(before + bytes.readableBytesView)
        } else {
            events.append(.body(Array(bytes.readableBytesView)))
        }
    }

    /// As Sluice reads the pieces.
    package static func sluice(_ pieces: [[UInt8]], limits: HeadLimits = HeadLimits(), ends: Bool = true) -> Transcript
    {
        var transcript = Transcript()
        var decoder = RequestDecoder(limits: limits)
        do throws(HTTPSyntaxError) {
            for piece in pieces where !piece.isEmpty {
                decoder.append(ByteBuffer(bytes: piece))
                while let part = try decoder.next() {
                    switch part {
                    case .head(let head):
                        let query = head.target.query
                        transcript.events.append(
                            .head(
                                method: head.method.rawValue,
                                target: query.isEmpty ? head.target.path : "\(head.target.path)?\(query)",
                                version: head.isHTTP10 ? "1.0" : "1.1",
                                fields: head.fields.pairs.map { "\($0.0): \($0.1)" }, keepAlive: head.keepAlive))
                    case .body(let bytes): transcript.add(bytes)
                    case .end: transcript.events.append(.end)
                    }
                }
            }
            if ends, !decoder.isBetweenRequests { transcript.error = HTTPSyntaxError.unexpectedEnd }
        } catch {
            transcript.error = error
        }
        return transcript
    }

    /// As NIOHTTP1's decoder reads them.
    package static func nio(_ pieces: [[UInt8]], ends: Bool = true) -> Transcript {
        var transcript = Transcript()
        let channel = EmbeddedChannel()
        var error: (any Error)?
        do {
            try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
            for piece in pieces where !piece.isEmpty { try channel.writeInbound(ByteBuffer(bytes: piece)) }
        } catch let caught {
            error = caught
        }
        func collect() {
            while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
                switch part {
                case .head(let head):
                    transcript.events.append(
                        .head(
                            method: head.method.rawValue, target: head.uri,
                            version: "\(head.version.major).\(head.version.minor)",
                            fields: head.headers.map { "\($0.name): \($0.value)" }, keepAlive: head.isKeepAlive))
                case .body(let bytes): transcript.add(bytes)
                case .end: transcript.events.append(.end)
                }
            }
        }
        collect()
        if ends, error == nil {
            do {
                _ = try channel.finish(acceptAlreadyClosed: true)
            } catch let caught {
                error = caught
            }
            collect()
        } else {
            _ = try? channel.finish(acceptAlreadyClosed: true)
        }
        transcript.error = error as? HTTPParserError ?? error.map { _ in .unknown }
        return transcript
    }
}

/// Where Sluice and NIOHTTP1 may differ: Sluice may refuse more, and it takes any method and any path, as Go does. In
/// what both take, requests begin and end at the same bytes.
package enum HTTPOracle {
    /// Nil: they agree as far as they have to.
    package static func disagreement(on pieces: [[UInt8]]) -> String? {
        let mine = Transcript.sluice(pieces)
        let other = Transcript.nio(pieces)
        let common = min(mine.events.count, other.events.count)
        for (index, (mine, other)) in zip(mine.events, other.events).enumerated() {
            if isSame(mine, other) {
                // Behind what could switch protocols NIOHTTP1 reads nothing, not even a body.
                if stopsNIO(other) { return nil }
                continue
            }
            // A body that one of them gave up within.
            if index == common - 1, case .body(let some) = mine, case .body(let more) = other,
                some.starts(with: more) || more.starts(with: some)
            {
                continue
            }
            return "event \(index): \(mine), NIOHTTP1: \(other)"
        }
        if mine.events.count > common, let error = other.error, !isLaxer(error, at: mine.events[common]) {
            return "\(mine.events[common]), NIOHTTP1: \(error)"
        }
        if mine.error == nil, other.error == nil, mine.events.count != other.events.count {
            return "\(mine), NIOHTTP1: \(other)"
        }
        return nil
    }

    private static func isSame(_ mine: Transcript.Event, _ other: Transcript.Event) -> Bool {
        guard case .head(let method, let target, let version, let fields, let keepAlive) = mine,
            case .head(let methodToo, let targetToo, let versionToo, let fieldsToo, let keepAliveToo) = other
        else { return mine == other }
        // An absolute target has lost its scheme, an empty query its question mark; NIOHTTP1 leaves tabs behind values.
        let isSameTarget = targetToo.hasSuffix(target) || targetToo == target + "?" || !targetToo.hasPrefix("/")
        let trimmed = fieldsToo.map { field in
            String(field.reversed().drop { $0 == "\t" || $0 == " " }.reversed())
        }
        let mine = fields.map { $0.hasSuffix(": ") ? String($0.dropLast()) : $0 }
        return method == methodToo && isSameTarget && version == versionToo && mine == trimmed
            && keepAlive == keepAliveToo
    }

    /// What NIOHTTP1 refuses and Go does not: its list of methods is fixed, it looks into targets, it knows what belongs
    /// into extensions of chunks, and it reads nothing behind a request that ends its connection.
    private static func isLaxer(_ error: any Error, at event: Transcript.Event) -> Bool {
        switch (event, error as? HTTPParserError) {
        case (.head, .invalidMethod), (.head, .invalidURL), (.head, .invalidPath), (.head, .invalidHost),
            (.head, .closedConnection),
            (.head, .unknown), (.head, .invalidConstant):
            true
        case (.body, .invalidChunkSize), (.body, .unknown), (.end, .invalidChunkSize), (.end, .unknown): true
        default: false
        }
    }

    private static func stopsNIO(_ event: Transcript.Event) -> Bool {
        guard case .head(let method, _, _, let fields, _) = event else { return false }
        return method == "CONNECT" || fields.contains { $0.lowercased().hasPrefix("upgrade:") }
    }
}
