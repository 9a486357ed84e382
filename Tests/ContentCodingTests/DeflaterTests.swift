import ContentCoding
import NIOCore
import NIOEmbedded
import Testing

@Suite("gzip, encoded piece by piece")
struct DeflaterTests {
    private func inflated(_ bytes: ByteBuffer) throws -> [UInt8] {
        var (input, output) = (bytes, ByteBuffer())
        var inflater = Inflater(limit: 1 << 30)
        try inflater.inflate(&input, into: &output)
        try inflater.finish()
        return Array(output.readableBytesView)
    }

    private static let text = Array((0..<20_000).map { "cpu,host=h\($0 % 7) v=\($0)\n" }.joined().utf8)

    @Test("what is encoded in pieces of any size is decoded as it was", arguments: [1, 7, 1000, 100_000, 1 << 20])
    func pieces(_ size: Int) throws {
        for level in [Deflater.Level.fastest, .usual] {
            var deflater = Deflater(level)
            var output = ByteBuffer()
            let text = size == 1 ? Array(Self.text.prefix(3000)) : Self.text
            for start in stride(from: 0, to: text.count, by: size) {
                let piece = ByteBuffer(bytes: text[start..<min(start + size, text.count)])
                deflater.deflate(piece, into: &output, .open)
            }
            deflater.deflate(ByteBuffer(), into: &output, .finished)
            #expect(try inflated(output) == text)
            #expect(output.readableBytes < text.count)
        }
    }

    @Test("nothing is a member of its own")
    func nothing() throws {
        var deflater = Deflater(.usual)
        var output = ByteBuffer()
        deflater.deflate(ByteBuffer(), into: &output, .finished)
        #expect(try inflated(output).isEmpty)
    }

    @Test("what is flushed can be read before the end")
    func flushed() throws {
        var deflater = Deflater(.usual)
        var (output, read) = (ByteBuffer(), ByteBuffer())
        var inflater = Inflater(limit: 1 << 20)
        for piece in ["first\n", "second\n"] {
            read.clear()
            deflater.deflate(ByteBuffer(string: piece), into: &output, .flushed)
            try inflater.inflate(&output, into: &read)
            #expect(String(buffer: read) == piece)
        }
    }

    @Test("a body in any pieces is encoded in turns, a small one at once", arguments: [1, 10, 1000])
    func turns(_ count: Int) throws {
        let loop = EmbeddedEventLoop()
        let pieces = (0..<count).map { ByteBuffer(string: "cpu v=\($0)\n" + String(repeating: "#", count: 700)) }
        var result: ByteBuffer?
        GzipBody.encode(pieces, .fastest, on: loop) { result = $0 }
        #expect((result != nil) == (count < 100))
        loop.run()
        #expect(try inflated(try #require(result)) == pieces.flatMap { Array($0.readableBytesView) })
    }
}
