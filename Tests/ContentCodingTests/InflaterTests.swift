import ContentCoding
import NIOCore
import Testing

@Suite("gzip, piece by piece")
struct InflaterTests {
    /// `printf 'cpu v=1\n' | gzip -n`
    static let member: [UInt8] = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x4b, 0x2e, 0x28, 0x55, 0x28, 0xb3, 0x35, 0xe4,
        0x02, 0x00, 0x43, 0x7c, 0x6f, 0x09, 0x08, 0x00, 0x00, 0x00,
    ]

    private func inflate(_ bytes: [UInt8], pieces: Int, limit: Int = 1 << 20) -> Result<String, Inflater.Failure> {
        var inflater = Inflater(limit: limit)
        var output = ByteBuffer()
        do throws(Inflater.Failure) {
            for start in stride(from: 0, to: bytes.count, by: pieces) {
                var input = ByteBuffer(bytes: bytes[start..<min(start + pieces, bytes.count)])
                try inflater.inflate(&input, into: &output)
            }
            try inflater.finish()
        } catch {
            return .failure(error)
        }
        return .success(String(buffer: output))
    }

    @Test("a member is decoded, whatever the pieces it comes in", arguments: 1...28)
    func anyPieces(size: Int) {
        #expect(inflate(Self.member, pieces: size) == .success("cpu v=1\n"))
    }

    @Test("members that follow each other are one text", arguments: [1, 7, 28, 56])
    func severalMembers(size: Int) {
        #expect(inflate(Self.member + Self.member, pieces: size) == .success("cpu v=1\ncpu v=1\n"))
    }

    @Test("A7 what is no gzip, or not all of it, is said in InfluxDB's words")
    func failures() {
        #expect(inflate([], pieces: 1) == .failure(.empty))
        #expect(inflate(Array("cpu v=1\n".utf8), pieces: 64) == .failure(.invalidHeader))
        for length in 1..<Self.member.count {
            #expect(inflate(Array(Self.member.prefix(length)), pieces: 64) == .failure(.unexpectedEnd), "\(length)")
        }
        var wrong = Self.member
        wrong[21] ^= 0xff
        #expect(inflate(wrong, pieces: 64) == .failure(.corrupt))
    }

    @Test("A6 no more comes out than allowed")
    func bounded() {
        #expect(inflate(Self.member, pieces: 64, limit: 7) == .failure(.tooLarge(limit: 7)))
        #expect(inflate(Self.member, pieces: 64, limit: 8) == .success("cpu v=1\n"))
    }
}
