// gzip bodies: no bomb comes past the bound, pieces are the same as the whole, and what was packed is what comes out.

import CZlib
import ContentCoding
import FuzzEngine
import NIOCore

/// Input: a byte of choices, three for pieces and damage, then a stream, or the content of one that is packed here.
let gzip = FuzzTarget("gzip") { bytes in
    var input = FuzzInput(bytes)
    let choices = input.byte()
    let cut = Int(input.byte())
    let (damage, bit) = (Int(input.byte()), input.byte() % 8)
    let content = input.rest()
    guard choices & 1 == 1 else {
        _ = check(content, cut: cut, limit: choices & 2 == 0 ? 1 << 20 : 1000)
        return
    }

    let packed = gzipped(content) + (choices & 4 == 0 ? [] : gzipped(content))
    let expected = content + (choices & 4 == 0 ? [] : content)
    let whole = check(packed, cut: cut, limit: 1 << 20)
    demand(whole.failure == nil && whole.bytes == expected, "what was packed does not come out")
    var broken = packed
    broken[damage * broken.count / 256] ^= 1 << bit
    let rest = check(broken, cut: cut, limit: 1 << 20)
    demand(rest.failure != nil || rest.bytes == expected, "damage is not noticed")
}

private struct Decoded: Equatable {
    var bytes: [UInt8] = []
    var failure: Inflater.Failure?

    init(_ pieces: [[UInt8]], limit: Int, budget: Int = .max) {
        var inflater = Inflater(limit: limit)
        var output = ByteBuffer()
        do throws(Inflater.Failure) {
            for piece in pieces {
                var input = ByteBuffer(bytes: piece)
                var rounds = 0
                while try !inflater.inflate(&input, into: &output, budget: budget) {
                    rounds += 1
                    demand(rounds < 10_000, "the inflater stands still")
                }
                demand(input.readableBytes == 0, "some of the input is left")
            }
            try inflater.finish()
        } catch {
            failure = error
        }
        demand(output.readableBytes <= limit + 64 << 10, "\(output.readableBytes) bytes, \(limit) were allowed")
        bytes = failure == nil ? Array(output.readableBytesView) : []
    }
}

private func check(_ stream: [UInt8], cut: Int, limit: Int) -> Decoded {
    let whole = Decoded([stream], limit: limit)
    let place = cut * (stream.count + 1) / 256
    let parts = Decoded([Array(stream[..<place]), Array(stream[place...])], limit: limit, budget: 1)
    demand(parts == whole, "in pieces \(parts.failure as Any), whole \(whole.failure as Any)")
    if stream.count <= 64 { demand(Decoded(stream.map { [$0] }, limit: limit) == whole, "byte by byte it is another") }
    _ = Inflater.beginning(of: stream, limit: 100)
    return whole
}

private func gzipped(_ content: [UInt8]) -> [UInt8] {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    demand(deflateInit2_(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK, "no zlib")
    defer { deflateEnd(&stream) }
    var content = content
    var result = [UInt8](repeating: 0, count: content.count + content.count / 100 + 64)
    let room = UInt32(result.count)
    content.withUnsafeMutableBufferPointer { source in
        result.withUnsafeMutableBufferPointer { target in
            stream.next_in = source.baseAddress
            stream.avail_in = UInt32(source.count)
            stream.next_out = target.baseAddress
            stream.avail_out = room
            demand(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib does not pack")
        }
    }
    return Array(result[..<Int(room - stream.avail_out)])
}
