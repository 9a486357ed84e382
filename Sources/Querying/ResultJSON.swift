// JSON text as a tree that remembers its own spelling: answers of nodes are read, and pieces taken out, without a byte
// of what stays being written anew.

/// One value and where it stands in the text.
package struct ResultJSON {
    package indirect enum Value {
        case object([(key: String, value: ResultJSON)])
        case array([ResultJSON])
        case string(String)
        /// A number, `true`, `false` or `null`, as it is written.
        case literal(String)
    }

    package let value: Value
    package let range: Range<Int>

    /// nil when the bytes are not one JSON value.
    package init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let read = reader.value(depth: 0), reader.isAtEnd else { return nil }
        self = read
    }

    private init(_ value: Value, _ range: Range<Int>) {
        self.value = value
        self.range = range
    }

    // MARK: Reading

    /// The last member of that name, as Go reads it.
    package subscript(_ key: String) -> ResultJSON? {
        guard case .object(let members) = value else { return nil }
        return members.last { $0.key == key }?.value
    }

    package var elements: [ResultJSON] {
        if case .array(let elements) = value { elements } else { [] }
    }

    package var members: [(key: String, value: ResultJSON)] {
        if case .object(let members) = value { members } else { [] }
    }

    package var string: String? {
        if case .string(let text) = value { text } else { nil }
    }

    package var isTrue: Bool {
        if case .literal("true") = value { true } else { false }
    }

    /// All strings in it, those of inner values too; names of members are none.
    package var allStrings: [String] {
        switch value {
        case .object(let members): members.flatMap(\.value.allStrings)
        case .array(let elements): elements.flatMap(\.allStrings)
        case .string(let text): [text]
        case .literal: []
        }
    }

    // MARK: The reader

    private struct Reader {
        let bytes: [UInt8]
        var position = 0
        private static let maximumDepth = 64

        init(bytes: [UInt8]) { self.bytes = bytes }

        var isAtEnd: Bool {
            mutating get {
                skipSpace()
                return position == bytes.count
            }
        }

        private mutating func skipSpace() {
            while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            skipSpace()
            guard position < bytes.count, bytes[position] == byte else { return false }
            position += 1
            return true
        }

        mutating func value(depth: Int) -> ResultJSON? {
            skipSpace()
            let start = position
            guard position < bytes.count, depth < Self.maximumDepth else { return nil }
            let value: Value?
            switch bytes[position] {
            case UInt8(ascii: "{"): value = object(depth: depth)
            case UInt8(ascii: "["): value = array(depth: depth)
            case UInt8(ascii: "\""): value = text().map { .string($0) }
            default: value = literal()
            }
            return value.map { ResultJSON($0, start..<position) }
        }

        private mutating func object(depth: Int) -> Value? {
            position += 1
            var members: [(key: String, value: ResultJSON)] = []
            if take(UInt8(ascii: "}")) { return .object([]) }
            repeat {
                skipSpace()
                guard position < bytes.count, bytes[position] == UInt8(ascii: "\""), let key = text(),
                    take(UInt8(ascii: ":")), let value = value(depth: depth + 1)
                else { return nil }
                members.append((key, value))
            } while take(UInt8(ascii: ","))
            return take(UInt8(ascii: "}")) ? .object(members) : nil
        }

        private mutating func array(depth: Int) -> Value? {
            position += 1
            var elements: [ResultJSON] = []
            if take(UInt8(ascii: "]")) { return .array([]) }
            repeat {
                guard let value = value(depth: depth + 1) else { return nil }
                elements.append(value)
            } while take(UInt8(ascii: ","))
            return take(UInt8(ascii: "]")) ? .array(elements) : nil
        }

        private mutating func literal() -> Value? {
            let start = position
            while position < bytes.count, ![0x2C, 0x5D, 0x7D, 0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
                position += 1
            }
            return position > start ? .literal(String(decoding: bytes[start..<position], as: UTF8.self)) : nil
        }

        private mutating func text() -> String? {
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
                if (0xD800..<0xDC00).contains(first), bytes[position...].starts(with: Array("\\u".utf8)) {
                    let before = position
                    position += 2
                    if let second = hexQuad(), (0xDC00..<0xE000).contains(second) {
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
            defer { position += 4 }
            return UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        }
    }
}
