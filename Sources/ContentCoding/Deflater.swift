// gzip, encoded piece by piece, so that no large body stops an event loop.

import CZlib
import NIOCore

/// One gzip member (RFC 1952).
package struct Deflater: ~Copyable {
    package enum Level: Int32, Sendable {
        /// About 100 MB/s and a fifth of the size for line protocol.
        case fastest = 1
        /// What InfluxDB uses for its answers.
        case usual = 6
    }

    package enum End: Sendable {
        /// More follows.
        case open
        /// More follows, but the receiver gets to read all of this.
        case flushed
        /// That was all.
        case finished

        fileprivate var flag: Int32 {
            switch self {
            case .open: Z_NO_FLUSH
            case .flushed: Z_SYNC_FLUSH
            case .finished: Z_FINISH
            }
        }
    }

    /// zlib keeps a pointer to its own stream structure: it must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private static let step = 16 << 10

    package init(_ level: Level) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 16 + 15: gzip, the largest window; 8: the usual memory.
        let result = deflateInit2_(
            stream, level.rawValue, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(result == Z_OK, "zlib has no memory")
    }

    deinit {
        deflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Encodes all of `input` to the end of `output`; what does not come out yet comes with later pieces.
    package mutating func deflate(_ input: ByteBuffer, into output: inout ByteBuffer, _ end: End) {
        var input = input
        input.readWithUnsafeMutableReadableBytes { bytes in
            stream.pointee.next_in = bytes.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_in = UInt32(bytes.count)
            var isDone = false
            while !isDone {
                output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.step) { room in
                    stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
                    stream.pointee.avail_out = UInt32(clamping: room.count)
                    let offered = stream.pointee.avail_out
                    CZlib.deflate(stream, end.flag)
                    // Room that is left means that nothing more wants to come out.
                    isDone = stream.pointee.avail_out > 0
                    return Int(offered - stream.pointee.avail_out)
                }
            }
            return bytes.count
        }
    }
}

/// A whole body, encoded in turns of an event loop: each takes a millisecond or two. Confined to that loop.
package final class GzipBody {
    /// Bytes that are encoded in one turn.
    package static let slice = 128 << 10

    private var deflater: Deflater
    private var pieces: [ByteBuffer]
    private var output = ByteBuffer()
    private let eventLoop: any EventLoop
    private let then: (ByteBuffer) -> Void

    /// Calls `then` with the encoded body: before this returns if it is small, in a later turn otherwise.
    package static func encode(
        _ pieces: [ByteBuffer], _ level: Deflater.Level, on eventLoop: any EventLoop,
        then: @escaping (ByteBuffer) -> Void
    ) {
        GzipBody(pieces, level, eventLoop, then).turn()
    }

    private init(
        _ pieces: [ByteBuffer], _ level: Deflater.Level, _ eventLoop: any EventLoop,
        _ then: @escaping (ByteBuffer) -> Void
    ) {
        deflater = Deflater(level)
        self.pieces = pieces.reversed()
        self.eventLoop = eventLoop
        self.then = then
    }

    private func turn() {
        var left = Self.slice
        while left > 0, var piece = pieces.popLast() {
            if let slice = piece.readSlice(length: min(left, piece.readableBytes)) {
                left -= slice.readableBytes
                deflater.deflate(slice, into: &output, .open)
            }
            if piece.readableBytes > 0 { pieces.append(piece) }
        }
        guard pieces.isEmpty else {
            let here = NIOLoopBound(self, eventLoop: eventLoop)
            return eventLoop.execute { here.value.turn() }
        }
        deflater.deflate(ByteBuffer(), into: &output, .finished)
        then(output)
    }
}
