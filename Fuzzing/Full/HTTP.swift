// The HTTP server's connection without a socket: requests in any pieces are the same requests, they begin and end where
// NIOHTTP1 sees them begin and end, and each gets one answer.

import FuzzEngine
import Gateway
import HTTPOracle
import NIOCore
import NIOEmbedded

/// Input: two bytes for cuts, then what a client sends.
let http = FuzzTarget("http") { bytes in
    var input = FuzzInput(bytes)
    let cuts = [input.byte(), input.byte()].map(Int.init)
    let stream = input.rest()
    let places = cuts.map { $0 * (stream.count + 1) / 256 }.sorted()
    let pieces = zip([0] + places, places + [stream.count]).map { Array(stream[$0..<$1]) }
    let disagreement = HTTPOracle.disagreement(on: pieces)
    demand(disagreement == nil, disagreement ?? "")
    let whole = Conversation([stream])
    let parts = Conversation(pieces)
    demand(parts.events == whole.events, "in pieces: \(parts.events), not \(whole.events)")
    demand(parts.answered == whole.answered, "in pieces \(parts.answered), not \(whole.answered)")
    if stream.count <= 128 {
        let bytewise = Conversation(stream.map { [$0] })
        demand(bytewise.events == whole.events, "byte by byte: \(bytewise.events), not \(whole.events)")
        demand(bytewise.answered == whole.answered, "byte by byte \(bytewise.answered), not \(whole.answered)")
    }
}

/// A connection that was fed some pieces and then ended.
private struct Conversation {
    /// What the endpoints saw: heads, bodies joined, ends.
    let events: [String]
    /// The status lines that were sent. What is too large and wrong as well is refused for what is seen first, and that
    /// hangs on the pieces.
    let answered: [String]

    init(_ pieces: [[UInt8]]) {
        var limits = ServerLimits()
        limits.maximumHeaderBytes = 2048
        limits.maximumHeaderFields = 16
        limits.maximumDiscardedBytes = 64
        let record = Record()
        let channel = EmbeddedChannel()
        let server = ServerLoop(
            eventLoop: channel.eventLoop, limits: limits, figures: ServerFigures(), version: "1.8.10",
            router: EchoRouter(record: record))
        do {
            try server.addConnection(to: channel)
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        } catch {
            demand(false, "a connection is not taken: \(error)")
        }
        for piece in pieces where channel.isActive {
            // The decoder's errors come back here, too; the connection has answered them.
            _ = try? channel.writeInbound(ByteBuffer(bytes: piece))
            channel.embeddedEventLoop.run()
        }
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        channel.embeddedEventLoop.run()
        var sent = ""
        while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { sent += String(buffer: bytes) }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        demand(server.connectionCount == 0, "a connection is left")
        events = record.joined
        answered = sent.split(separator: "HTTP/1.").dropFirst(sent.hasPrefix("HTTP") ? 0 : 1).map {
            let status = String($0.dropFirst(2).prefix { $0 != "\r" && $0 != "\r\n" })
            return status.hasPrefix("431 ") ? "400 Bad Request" : status
        }
        let answers = events.count { $0.hasPrefix("answer") }
        demand(
            answered.count { $0.hasPrefix("299") } == answers, "\(answers) answers were given: \(sent.debugDescription)"
        )
    }
}

private final class Record {
    private var events: [String] = []

    func add(_ event: String) { events.append(event) }

    /// Pieces of a body as one.
    var joined: [String] {
        events.reduce(into: []) { all, event in
            if event.hasPrefix("body "), let last = all.last, last.hasPrefix("body ") {
                all[all.count - 1] = last + event.dropFirst(5)
            } else {
                all.append(event)
            }
        }
    }
}

private final class EchoRouter: Router {
    let record: Record

    init(record: Record) { self.record = record }

    func endpoint(for head: RequestHead, on exchange: Exchange) -> (any Endpoint)? {
        record.add("\(head.method) \(head.path)?\(head.rawQuery) \(head.contentLength ?? -1) \(head.isChunked)")
        demand(head.path.utf8.count <= 2048 && head.path != "", "a path of \(head.path.utf8.count) bytes")
        return EchoEndpoint(record: record, exchange: exchange)
    }
}

private final class EchoEndpoint: Endpoint {
    private let record: Record
    private let exchange: Exchange

    init(record: Record, exchange: Exchange) {
        self.record = record
        self.exchange = exchange
    }

    func body(_ bytes: ByteBuffer) {
        record.add("body " + bytes.readableBytesView.map { String($0, radix: 16) + "." }.joined())
    }

    func bodyEnd() {
        record.add("answer")
        exchange.respond(Response(status: 299, contentType: "text/plain", body: ByteBuffer(string: "ok\n")))
    }

    func clientLeft() { record.add("left") }
}
