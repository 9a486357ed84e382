// Finds the end of a body (RFC 9112 §6, §7) and hands its bytes on as slices of what was read.
import NIOCore

struct BodyDecoder {
    enum Part {
        case bytes(ByteBuffer)
        case end
    }

    private enum Phase {
        /// So many bytes are left.
        case counted(Int)
        case chunkSize
        case chunk(Int)
        case chunkEnd
        case trailer
        case untilEnd
    }

    /// A chunk's size with its extensions has at most so many bytes.
    private static let longestSizeLine = 4096

    private var phase: Phase
    /// Nil: nothing of it has come.
    private var trailer: HeadDecoder?
    private let limits: HeadLimits

    /// A body of `length` bytes.
    init(length: Int, limits: HeadLimits) {
        phase = .counted(length)
        self.limits = limits
    }

    static func chunked(_ limits: HeadLimits) -> BodyDecoder {
        var body = BodyDecoder(length: 0, limits: limits)
        body.phase = .chunkSize
        return body
    }

    /// Up to the end of the connection.
    static func untilEnd(_ limits: HeadLimits) -> BodyDecoder {
        var body = BodyDecoder(length: 0, limits: limits)
        body.phase = .untilEnd
        return body
    }

    var endsWithConnection: Bool {
        if case .untilEnd = phase { true } else { false }
    }

    /// - Returns: Nil: more bytes are needed.
    mutating func next(_ unread: inout ByteBuffer) throws(HTTPSyntaxError) -> Part? {
        while true {
            switch phase {
            case .counted(0):
                return .end
            case .counted(let rest):
                guard let bytes = Self.take(rest, of: &unread) else { return nil }
                phase = .counted(rest - bytes.readableBytes)
                return .bytes(bytes)
            case .untilEnd:
                return Self.take(.max, of: &unread).map { .bytes($0) }
            case .chunkSize:
                guard let size = try Self.chunkSize(&unread) else { return nil }
                phase = size == 0 ? .trailer : .chunk(size)
            case .chunk(let rest):
                guard let bytes = Self.take(rest, of: &unread) else { return nil }
                let left = rest - bytes.readableBytes
                phase = left == 0 ? .chunkEnd : .chunk(left)
                return .bytes(bytes)
            case .chunkEnd:
                guard try Self.chunkEnd(&unread) else { return nil }
                phase = .chunkSize
            case .trailer:
                var lines = trailer ?? HeadDecoder(limits: limits)
                let isComplete = try Self.readTrailer(&lines, unread)
                trailer = lines
                guard isComplete else { return nil }
                unread.moveReaderIndex(forwardBy: lines.length)
                phase = .counted(0)
            }
        }
    }

    private static func take(_ most: Int, of unread: inout ByteBuffer) -> ByteBuffer? {
        let count = min(most, unread.readableBytes)
        return count > 0 ? unread.readSlice(length: count) : nil
    }

    private static func chunkSize(_ unread: inout ByteBuffer) throws(HTTPSyntaxError) -> Int? {
        let line = unread.withUnsafeReadableBytes { bytes -> Result<(size: Int, length: Int)?, HTTPSyntaxError> in
            var size = 0
            var position = 0
            while position < bytes.count, let digit = HTTPSyntax.hexValue(bytes[position]) {
                // So that no sum of sizes overflows.
                guard size < 1 << 56 else { return .failure(.malformedChunkSize) }
                size = size << 4 | digit
                position += 1
            }
            guard position < bytes.count else {
                return position > longestSizeLine ? .failure(.malformedChunkSize) : .success(nil)
            }
            guard position > 0, bytes[position] == 0x0d || bytes[position] == UInt8(ascii: ";") else {
                return .failure(.malformedChunkSize)
            }
            guard let newline = HTTPSyntax.newline(in: bytes, from: position) else {
                return bytes.count > longestSizeLine ? .failure(.malformedChunkSize) : .success(nil)
            }
            let extensions = UnsafeRawBufferPointer(rebasing: bytes[position..<max(position, newline - 1)])
            guard newline > position, bytes[newline - 1] == 0x0d, newline <= longestSizeLine,
                areExtensions(extensions)
            else { return .failure(.malformedChunkSize) }
            return .success((size, newline + 1))
        }
        guard let (size, length) = try line.get() else { return nil }
        unread.moveReaderIndex(forwardBy: length)
        return size
    }

    /// RFC 9112 §7.1.1, without blanks: `;name`, `;name=token` or `;name="text"`, any number of them.
    private static func areExtensions(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        func skipToken() -> Bool {
            let start = position
            while position < bytes.count, HTTPSyntax.isToken(bytes[position]) { position += 1 }
            return position > start
        }
        func skipQuoted() -> Bool {
            position += 1
            while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
                position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
            }
            position += 1
            return position <= bytes.count
        }
        guard HTTPSyntax.isFieldText(bytes) else { return false }
        while position < bytes.count {
            guard bytes[position] == UInt8(ascii: ";") else { return false }
            position += 1
            guard skipToken() else { return false }
            guard position < bytes.count, bytes[position] == UInt8(ascii: "=") else { continue }
            position += 1
            let isQuoted = position < bytes.count && bytes[position] == UInt8(ascii: "\"")
            guard isQuoted ? skipQuoted() : skipToken() else { return false }
        }
        return true
    }

    private static func chunkEnd(_ unread: inout ByteBuffer) throws(HTTPSyntaxError) -> Bool {
        guard let first: UInt8 = unread.getInteger(at: unread.readerIndex) else { return false }
        guard first == 0x0d else { throw .malformedBody }
        guard let second: UInt8 = unread.getInteger(at: unread.readerIndex + 1) else { return false }
        guard second == 0x0a else { throw .malformedBody }
        unread.moveReaderIndex(forwardBy: 2)
        return true
    }

    /// Trailers are checked like fields and left out. One that would say where a message ends is none (RFC 9110 §6.5.1):
    /// rather a head whose message began without the empty line before it.
    private static func readTrailer(_ trailer: inout HeadDecoder, _ unread: ByteBuffer) throws(HTTPSyntaxError) -> Bool
    {
        var lines = trailer
        defer { trailer = lines }
        if lines.startLine == nil { lines.noteStartLine(0..<0) }
        let result = unread.withUnsafeReadableBytes { bytes -> Result<Bool, HTTPSyntaxError> in
            do throws(HTTPSyntaxError) {
                while let line = try lines.nextLine(bytes) {
                    if line.isEmpty { return .success(true) }
                    let name = UnsafeRawBufferPointer(rebasing: bytes[try HeadDecoder.split(line, bytes).name])
                    guard !HTTPSyntax.isSame(name, "content-length"), !HTTPSyntax.isSame(name, "transfer-encoding")
                    else { return .failure(.malformedBody) }
                }
                return .success(false)
            } catch {
                return .failure(error == .headTooLarge ? error : .malformedBody)
            }
        }
        return try result.get()
    }
}
