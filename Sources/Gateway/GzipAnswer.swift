// What the gateway itself puts together goes out as InfluxDB would send it: gzip for whoever accepts it. What nodes
// answer passes as they encode it.

import ContentCoding
import NIOCore

extension RequestHead {
    /// As InfluxDB decides it (reference, 4): by the word alone, `gzip;q=0` included.
    var acceptsGzip: Bool { headers.first(name: "Accept-Encoding")?.contains("gzip") == true }
}

/// A complete answer on its way: encoded in slices, no faster than the client takes it.
final class GzipAnswer {
    private let exchange: Exchange
    private let response: Response
    private var rest: ByteBuffer
    private var encoder = GzipStream()
    private var isScheduled = false
    private var isOver = false

    /// nil: it goes as it is.
    init?(_ response: Response, _ exchange: Exchange) {
        guard response.status == 200, response.body.readableBytes > 0, exchange.head.acceptsGzip else { return nil }
        self.exchange = exchange
        self.response = response
        rest = response.body
    }

    func start() {
        let encoding = ("Content-Encoding", "gzip")
        guard rest.readableBytes > GzipBody.slice else {
            var response = response
            response.headers.append(encoding)
            response.body = encoder.encode(rest, .finished)
            isOver = true
            return exchange.respond(response)
        }
        exchange.startStreaming(
            status: response.status, contentType: response.contentType, headers: response.headers + [encoding])
        turn()
    }

    private func turn() {
        isScheduled = false
        guard !isOver, !exchange.isOver else { return }
        let slice = rest.readSlice(length: min(GzipBody.slice, rest.readableBytes)) ?? ByteBuffer()
        isOver = rest.readableBytes == 0
        exchange.writeBody(encoder.encode(slice, isOver ? .finished : .open))
        if isOver { exchange.finish() } else if exchange.isWritable { schedule() }
    }

    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        let here = NIOLoopBound(self, eventLoop: exchange.eventLoop)
        exchange.eventLoop.execute { here.value.turn() }
    }

    func writabilityChanged(_ isWritable: Bool) { if isWritable, !isOver { schedule() } }
}

/// A class around the encoder, which is a value that cannot be copied.
final class GzipStream {
    private var deflater = Deflater(.usual)

    func encode(_ bytes: ByteBuffer, _ end: Deflater.End) -> ByteBuffer {
        var output = ByteBuffer()
        deflater.deflate(bytes, into: &output, end)
        return output
    }
}
