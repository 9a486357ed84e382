// gzip, decoded piece by piece under a bound: a few kilobytes can stand for gigabytes.

import CZlib
import NIOCore

/// A stream of gzip members (RFC 1952), decoded as it arrives. Errors carry the words of InfluxDB (reference, 5).
package struct Inflater: ~Copyable {
    package enum Failure: Error, Equatable, Sendable {
        /// The first bytes are no gzip header.
        case invalidHeader
        /// A length, checksum or code is wrong.
        case corrupt
        /// The stream ends in the middle.
        case unexpectedEnd
        /// Not a single byte came.
        case empty
        /// More comes out than allowed.
        case tooLarge(limit: Int)

        /// What InfluxDB, a Go program, answers in this case.
        package var words: String {
            switch self {
            case .invalidHeader: "gzip: invalid header"
            case .corrupt: "gzip: invalid checksum"
            case .unexpectedEnd: "unexpected EOF"
            case .empty: "EOF"
            case .tooLarge: "Request Entity Too Large"
            }
        }
    }

    /// zlib keeps a pointer to its own stream structure: it must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private var isAtMemberStart = true
    private var sawBytes = false
    private var produced = 0
    private let limit: Int

    private static let step = 64 << 10

    /// - Parameter limit: how many decoded bytes are allowed in all.
    package init(limit: Int) {
        self.limit = limit
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 16 + 15: gzip only, the largest window.
        let result = inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(result == Z_OK, "zlib has no memory")
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Decodes `input` to the end of `output` until it is used up or `budget` bytes or a little more have come out.
    /// - Returns: whether all of the input is decoded; if not, call again.
    @discardableResult
    package mutating func inflate(
        _ input: inout ByteBuffer, into output: inout ByteBuffer, budget: Int = .max
    ) throws(Failure) -> Bool {
        var failure: Failure?
        var isDone = false
        let stop = produced > Int.max - budget ? Int.max : produced + budget
        input.readWithUnsafeMutableReadableBytes { bytes in
            if bytes.count > 0 { sawBytes = true }
            stream.pointee.next_in = bytes.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_in = UInt32(bytes.count)
            do throws(Failure) {
                // Also without input: some output may not have fitted with the last.
                while !isDone, produced < stop { isDone = try !step(into: &output) }
            } catch {
                failure = error
            }
            return bytes.count - Int(stream.pointee.avail_in)
        }
        if let failure { throw failure }
        return isDone
    }

    /// To be called after the last input.
    package func finish() throws(Failure) {
        guard sawBytes else { throw .empty }
        guard isAtMemberStart else { throw .unexpectedEnd }
    }

    /// One call of zlib; false when it made no progress.
    @discardableResult
    private mutating func step(into output: inout ByteBuffer) throws(Failure) -> Bool {
        if isAtMemberStart, stream.pointee.avail_in > 0, stream.pointee.total_in > 0 { inflateReset(stream) }
        var result: Int32 = Z_OK
        let before = stream.pointee.avail_in
        let written = output.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.step) { room in
            stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
            stream.pointee.avail_out = UInt32(min(room.count, Self.step))
            let offered = stream.pointee.avail_out
            result = CZlib.inflate(stream, Z_NO_FLUSH)
            return Int(offered - stream.pointee.avail_out)
        }
        produced += written
        if produced > limit { throw .tooLarge(limit: limit) }
        let taken = before - stream.pointee.avail_in
        switch result {
        case Z_STREAM_END:
            isAtMemberStart = true
            return stream.pointee.avail_in > 0
        case Z_OK:
            if taken > 0 { isAtMemberStart = false }
            return written > 0 || taken > 0
        case Z_BUF_ERROR:
            return false
        default:
            throw stream.pointee.total_in < 10 ? .invalidHeader : .corrupt
        }
    }

    /// The first decoded bytes of a stream of which only the beginning is here; nil when it is no gzip.
    package static func beginning(of bytes: [UInt8], limit: Int) -> [UInt8]? {
        var inflater = Inflater(limit: max(limit, 1 << 20))
        var input = ByteBuffer(bytes: bytes)
        var output = ByteBuffer()
        do throws(Failure) {
            try inflater.inflate(&input, into: &output)
        } catch {
            return nil
        }
        return Array(output.readableBytesView.prefix(limit))
    }
}
