// Where a body ends, found as its bytes come; nothing of it is kept.

struct BodyReader {
    private enum State {
        /// So many bytes are left of it, or of a chunk.
        case content(Int, isChunk: Bool)
        /// The digits of a chunk's size so far.
        case size(Int)
        /// Behind the digits, until the line ends.
        case sizeEnd(Int)
        /// Bytes of line ends that are left behind a chunk, or behind the last one.
        case lineEnd(Int, isLast: Bool)
    }

    private var state: State

    /// Nothing follows a head that says neither.
    init(contentLength: Int?, isChunked: Bool) {
        state = isChunked ? .size(0) : .content(contentLength ?? 0, isChunk: false)
    }

    /// Takes what belongs to the body from the front of `bytes` and hands its content on; true once it is complete.
    mutating func take(_ bytes: inout ArraySlice<UInt8>, _ content: (ArraySlice<UInt8>) -> Void = { _ in }) -> Bool {
        while true {
            switch state {
            case .content(0, isChunk: false), .lineEnd(0, isLast: true):
                return true
            case .content(0, isChunk: true):
                state = .lineEnd(2, isLast: false)
            case .lineEnd(0, isLast: false):
                state = .size(0)
            case .content(let left, let isChunk):
                guard !bytes.isEmpty else { return false }
                let piece = bytes.prefix(left)
                content(piece)
                bytes = bytes[piece.endIndex...]
                state = .content(left - piece.count, isChunk: isChunk)
            case .lineEnd(let left, let isLast):
                guard bytes.popFirst() != nil else { return false }
                state = .lineEnd(left - 1, isLast: isLast)
            case .size(let size):
                guard let byte = bytes.popFirst() else { return false }
                state = Self.digit(byte).map { .size(size << 4 | $0) } ?? .sizeEnd(size)
            case .sizeEnd(let size):
                guard let byte = bytes.popFirst() else { return false }
                guard byte == UInt8(ascii: "\n") else { continue }
                state = size == 0 ? .lineEnd(2, isLast: true) : .content(size, isChunk: true)
            }
        }
    }

    private static func digit(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }
}

/// Answers, one after the other, of which only what a benchmark counts is kept.
struct AnswerReader {
    struct Answer {
        var status: Int
        var closes: Bool
    }

    private var head: [UInt8] = []
    private var under: (answer: Answer, body: BodyReader)?

    /// Takes bytes of an answer; gives it back once it is complete.
    mutating func take(_ bytes: ArraySlice<UInt8>) -> Answer? {
        var bytes = bytes
        if under == nil {
            // Nearly every answer to a write is a 204 that comes in one piece: its status is in the bytes 9 to 11.
            if head.isEmpty, bytes.count > 12, bytes[bytes.startIndex + 9] == UInt8(ascii: "2"),
                bytes[bytes.startIndex + 11] == UInt8(ascii: "4"), bytes.suffix(4).elementsEqual([13, 10, 13, 10])
            {
                return Answer(status: 204, closes: false)
            }
            head += bytes
            guard let parsed = HTTPHead(head[...]) else { return nil }
            let hasBody = parsed.status != 204 && parsed.status != 304
            under = (
                Answer(status: parsed.status, closes: parsed.closes),
                BodyReader(
                    contentLength: hasBody ? parsed.contentLength : 0, isChunked: hasBody && parsed.isChunked)
            )
            bytes = head[parsed.end...]
            head = []
        }
        guard under?.body.take(&bytes) == true, let answer = under?.answer else { return nil }
        under = nil
        return answer
    }
}
