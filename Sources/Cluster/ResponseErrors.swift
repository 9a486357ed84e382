// The errors inside InfluxDB's JSON answers: every error of execution sits inside a 200 (reference, 4), so a mutation is
// judged by its body. A small walker over JSON that keeps only what is asked for.

/// Finds `error` in `{"error": ...}` and in `{"results":[{... "error": ...}]}`.
package struct ResponseErrors: Equatable, Sendable {
    /// The errors in order; those of results and that of the whole.
    package let errors: [String]
    /// Whether the bytes are one complete JSON document (chunked answers: one after the other).
    package let isComplete: Bool

    package var first: String? { errors.first }

    package init(_ bytes: [UInt8]) {
        var walker = JSONWalker(bytes: bytes)
        isComplete = walker.walkAll()
        errors = walker.errors
    }
}

private struct JSONWalker {
    /// The keys (nil for array elements) of the containers around the current value.
    private var path: [Substring?] = []
    private var position = 0
    let bytes: [UInt8]
    private(set) var errors: [String] = []

    private static let maximumDepth = 64

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func walkAll() -> Bool {
        var documents = 0
        while true {
            skipSpace()
            if position == bytes.count { return documents > 0 }
            guard bytes[position] == UInt8(ascii: "{"), value(depth: 0) else { return false }
            documents += 1
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private mutating func skipSpace() {
        while position < bytes.count, Self.isSpace(bytes[position]) { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) -> Bool {
        skipSpace()
        guard position < bytes.count, depth < Self.maximumDepth else { return false }
        switch bytes[position] {
        case UInt8(ascii: "{"): return container(close: UInt8(ascii: "}"), keyed: true, depth: depth)
        case UInt8(ascii: "["): return container(close: UInt8(ascii: "]"), keyed: false, depth: depth)
        case UInt8(ascii: "\""):
            guard let text = string() else { return false }
            if path.last == "error", path.count == 1 || (path.count == 3 && path.first == "results") {
                errors.append(text)
            }
            return true
        default: return scalar()
        }
    }

    private mutating func scalar() -> Bool {
        let start = position
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
                position += 1
            default: return position > start
            }
        }
        return position > start
    }

    private mutating func container(close: UInt8, keyed: Bool, depth: Int) -> Bool {
        position += 1
        if take(close) { return true }
        repeat {
            var key: Substring?
            if keyed {
                skipSpace()
                guard let text = string(), take(UInt8(ascii: ":")) else { return false }
                key = Substring(text)
            }
            path.append(key)
            guard value(depth: depth + 1) else { return false }
            path.removeLast()
        } while take(UInt8(ascii: ","))
        return take(close)
    }

    /// The text of the string at the position; nil when it is none.
    private mutating func string() -> String? {
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { return nil }
        position += 1
        var text: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let escaped = escape() else { return nil }
                text += escaped
            default: text.append(byte)
            }
        }
        return nil
    }

    private mutating func escape() -> [UInt8]? {
        guard position < bytes.count else { return nil }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "u"):
            guard let first = hexQuad() else { return nil }
            var scalar = first
            if (0xD800..<0xDC00).contains(first), position + 1 < bytes.count,
                bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
            {
                let before = position
                position += 2
                guard let second = hexQuad() else { return nil }
                if (0xDC00..<0xE000).contains(second) {
                    scalar = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
                } else {
                    position = before
                }
            }
            return Array(String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
        default: return [byte]
        }
    }

    private mutating func hexQuad() -> UInt32? {
        guard position + 4 <= bytes.count else { return nil }
        let digits = String(decoding: bytes[position..<position + 4], as: UTF8.self)
        position += 4
        return UInt32(digits, radix: 16)
    }
}
