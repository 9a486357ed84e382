// JSON text as a tree that remembers its own spelling: answers of nodes are read, and pieces taken out, without a byte
// of what stays being written anew.

/// One value and where it stands in the text.
package struct ResultJSON: Sendable {
    package struct Member: Sendable {
        package let key: String
        package let value: ResultJSON
    }

    package enum Kind: Sendable, Equatable {
        case object
        case array
        case string(String)
        /// A number, `true`, `false` or `null`, as it is written.
        case literal(String)
    }

    /// InfluxDB itself never nests so deeply.
    static let maximumDepth = 64

    package let kind: Kind
    package let range: Range<Int>
    /// Of an object, in order.
    package let members: [Member]
    /// Of an array.
    package let elements: [ResultJSON]

    /// nil when the bytes are not one JSON value.
    package init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let read = reader.value(depth: 0), reader.isAtEnd else { return nil }
        self = read
    }

    /// The value that the bytes begin with, whatever stands behind it; nil when they begin with none.
    package init?(beginningOf bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let read = reader.value(depth: 0) else { return nil }
        self = read
    }

    private init(_ kind: Kind, _ range: Range<Int>, members: [Member] = [], elements: [ResultJSON] = []) {
        self.kind = kind
        self.range = range
        self.members = members
        self.elements = elements
    }

    // MARK: Reading

    /// The last member of that name, as Go reads it.
    package subscript(_ key: String) -> ResultJSON? { members.last { $0.key == key }?.value }

    package var string: String? {
        if case .string(let text) = kind { text } else { nil }
    }

    /// A number, `true`, `false` or `null`.
    package var literal: String? {
        if case .literal(let text) = kind { text } else { nil }
    }

    // MARK: The reader

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

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
            guard position < bytes.count, depth < ResultJSON.maximumDepth else { return nil }
            switch bytes[position] {
            case UInt8(ascii: "{"):
                return object(depth: depth).map { ResultJSON(.object, start..<position, members: $0) }
            case UInt8(ascii: "["):
                return array(depth: depth).map { ResultJSON(.array, start..<position, elements: $0) }
            case UInt8(ascii: "\""):
                return text().map { ResultJSON(.string($0), start..<position) }
            default:
                return literal().map { ResultJSON(.literal($0), start..<position) }
            }
        }

        private mutating func object(depth: Int) -> [Member]? {
            position += 1
            var members: [Member] = []
            if take(UInt8(ascii: "}")) { return [] }
            repeat {
                skipSpace()
                guard position < bytes.count, bytes[position] == UInt8(ascii: "\""), let key = text(),
                    take(UInt8(ascii: ":")), let value = value(depth: depth + 1)
                else { return nil }
                members.append(Member(key: key, value: value))
            } while take(UInt8(ascii: ","))
            return take(UInt8(ascii: "}")) ? members : nil
        }

        private mutating func array(depth: Int) -> [ResultJSON]? {
            position += 1
            var elements: [ResultJSON] = []
            if take(UInt8(ascii: "]")) { return [] }
            repeat {
                guard let value = value(depth: depth + 1) else { return nil }
                elements.append(value)
            } while take(UInt8(ascii: ","))
            return take(UInt8(ascii: "]")) ? elements : nil
        }

        private mutating func literal() -> String? {
            let start = position
            while position < bytes.count, ![0x2C, 0x5D, 0x7D, 0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
                position += 1
            }
            let text = String(decoding: bytes[start..<position], as: UTF8.self)
            return ["true", "false", "null"].contains(text) || Self.isNumber(bytes[start..<position]) ? text : nil
        }

        /// `-12.5e+3`, without leading zeros.
        private static func isNumber(_ text: ArraySlice<UInt8>) -> Bool {
            var rest = text
            func digits() -> Int {
                let count = rest.prefix { (0x30...0x39).contains($0) }.count
                rest = rest.dropFirst(count)
                return count
            }
            if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
            let first = rest.first
            let whole = digits()
            guard whole == 1 || whole > 1 && first != UInt8(ascii: "0") else { return false }
            if rest.first == UInt8(ascii: ".") {
                rest = rest.dropFirst()
                guard digits() > 0 else { return false }
            }
            if let sign = rest.first, sign | 0x20 == UInt8(ascii: "e") {
                rest = rest.dropFirst()
                if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
                guard digits() > 0 else { return false }
            }
            return rest.isEmpty
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
                case 0..<0x20: return nil
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
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
            default: return nil
            }
        }

        private mutating func hexQuad() -> UInt32? {
            guard position + 4 <= bytes.count else { return nil }
            defer { position += 4 }
            return UInt32(String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
        }
    }
}
