// Points of many datagrams on their way into one record. Each datagram is scanned as the body of a write is; other than
// in InfluxDB, a bad line costs its datagram nothing but itself (L15).

import LineProtocol
import NIOCore

package struct UDPBatch {
    /// What became of one datagram.
    package struct Taken: Equatable, Sendable {
        package var lines = 0
        package var badLines = 0
        /// Of the first bad line, without the line: that is the sender's business and belongs in no log.
        package var reason: String?
    }

    /// Beyond it a batch is full whatever it holds: what is in memory is this and one datagram at most. Bytes.
    package static let maximumBytes = 1 << 20

    package private(set) var lines = 0
    /// Good lines, each with a time and a newline.
    package private(set) var payload = ByteBuffer()
    private let precision: Precision
    private let maximumLines: Int

    package init(precision: Precision, maximumLines: Int) {
        self.precision = precision
        self.maximumLines = maximumLines
    }

    package var isEmpty: Bool { lines == 0 }
    package var isFull: Bool { lines >= maximumLines || payload.readableBytes >= Self.maximumBytes }

    /// - Parameter arrival: when the datagram came, in nanoseconds since the epoch: the time of points that have none.
    package mutating func add(_ datagram: UnsafeRawBufferPointer, arrival: Int64) -> Taken {
        var scanner = LineScanner(
            precision: precision, arrivalTime: precision.truncate(nanosecondsSinceEpoch: arrival),
            maximumErrorBytes: 1)
        while case .yielded = scanner.scan(datagram, isFinal: true) {}
        let result = scanner.result
        if result.lines > 0 {
            payload.writeWithUnsafeMutableBytes(minimumWritableBytes: result.payloadLength) { room in
                result.writePayload(of: datagram, into: room)
            }
            lines += result.lines
        }
        return Taken(
            lines: result.lines, badLines: result.badLines,
            reason: result.errors.first.map { String(decoding: $0.reason.text.prefix(100), as: UTF8.self) })
    }

    package mutating func removeAll() {
        lines = 0
        payload.clear()
    }
}
