// What nodes answer, read as values: a small JSON parser with bounds, because the data plane does without Foundation
// and because numbers must stay as they were written (an int64 does not survive a Double).

/// One JSON value.
package indirect enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// As it was written; see `int64` and `double`.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// In the order of the document; a key may occur more than once.
    case object([Member])

    package struct Member: Equatable, Sendable {
        package let key: String
        package let value: JSONValue

        package init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }

    package struct Limits: Sendable {
        package var depth = 32
        package var bytes = 64 << 20

        package init() {}
    }

    /// Exactly one document with nothing but white space around it.
    ///
    /// - Parameter keeping: which members of the outermost object are wanted; the others are skimmed without being
    ///   kept or checked. Nil: all.
    package init(
        parsing bytes: [UInt8], limits: Limits = Limits(), keeping: ((String) -> Bool)? = nil
    ) throws(JSONFailure) {
        guard bytes.count <= limits.bytes else {
            throw JSONFailure(reason: "\(bytes.count) bytes, more than \(limits.bytes)", position: 0)
        }
        var parser = JSONParser(bytes: bytes, deepest: limits.depth, keeping: keeping)
        self = try parser.document()
    }

    // MARK: Access; nil where the value is something else

    /// The first value under a key of an object.
    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    package var members: [Member]? {
        if case .object(let members) = self { members } else { nil }
    }

    package var array: [JSONValue]? {
        if case .array(let values) = self { values } else { nil }
    }

    package var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    package var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// A whole number without fraction and exponent that fits.
    package var int64: Int64? {
        if case .number(let text) = self { Int64(text) } else { nil }
    }

    package var double: Double? {
        if case .number(let text) = self { Double(text) } else { nil }
    }
}

/// Why some bytes are no JSON document.
package struct JSONFailure: Error, Equatable, CustomStringConvertible {
    package let reason: String
    /// Of the byte at which it was noticed.
    package let position: Int

    package var description: String { "no JSON: \(reason) at byte \(position)" }
}

private struct JSONParser {
    let bytes: [UInt8]
    let deepest: Int
    let keeping: ((String) -> Bool)?
    private var position = 0

    init(bytes: [UInt8], deepest: Int, keeping: ((String) -> Bool)?) {
        self.bytes = bytes
        self.deepest = deepest
        self.keeping = keeping
    }

    mutating func document() throws(JSONFailure) -> JSONValue {
        let value = try value(depth: 0)
        skipSpace()
        guard position == bytes.count else { throw failure("something follows the document") }
        return value
    }

    private func failure(_ reason: String) -> JSONFailure { JSONFailure(reason: reason, position: position) }

    private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        skipSpace()
        guard next == byte else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONFailure) -> JSONValue {
        guard depth < deepest else { throw failure("more than \(deepest) levels") }
        skipSpace()
        switch next {
        case nil: throw failure("the document ends too early")
        case UInt8(ascii: "{"): return .object(try members(depth: depth))
        case UInt8(ascii: "["): return .array(try elements(depth: depth))
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func members(depth: Int) throws(JSONFailure) -> [JSONValue.Member] {
        position += 1
        var members: [JSONValue.Member] = []
        if take(UInt8(ascii: "}")) { return members }
        repeat {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw failure("a key is missing") }
            let key = try string()
            guard take(UInt8(ascii: ":")) else { throw failure("a ':' is missing") }
            if depth == 0, let keeping, !keeping(key) {
                try skim()
            } else {
                members.append(JSONValue.Member(key, try value(depth: depth + 1)))
            }
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { throw failure("an object does not end") }
        return members
    }

    /// Passes over one value; only strings and brackets are looked at.
    private mutating func skim() throws(JSONFailure) {
        var open = 0
        while let byte = next {
            switch byte {
            case UInt8(ascii: "\""): try skimString()
            case UInt8(ascii: "{"), UInt8(ascii: "["): open += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if open == 0 { return }
                open -= 1
            case UInt8(ascii: ","):
                if open == 0 { return }
            default: break
            }
            position += 1
        }
        throw failure("the document ends too early")
    }

    /// From the quote that opens a string to the one that closes it.
    private mutating func skimString() throws(JSONFailure) {
        position += 1
        while let byte = next {
            if byte == UInt8(ascii: "\"") { return }
            position += byte == UInt8(ascii: "\\") ? 2 : 1
        }
        throw failure("a string does not end")
    }

    private mutating func elements(depth: Int) throws(JSONFailure) -> [JSONValue] {
        position += 1
        var elements: [JSONValue] = []
        if take(UInt8(ascii: "]")) { return elements }
        repeat { elements.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { throw failure("an array does not end") }
        return elements
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONFailure) -> JSONValue {
        let expected = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard bytes[position...].starts(with: expected) else { throw failure("an unknown word") }
        position += expected.count
        return value
    }

    /// `-? digits (. digits)? ((e|E) (+|-)? digits)?`; more than one digit before the point do not begin with 0.
    private mutating func number() throws(JSONFailure) -> String {
        let start = position
        if next == UInt8(ascii: "-") { position += 1 }
        let whole = position
        try digits()
        guard position == whole + 1 || bytes[whole] != UInt8(ascii: "0") else {
            throw failure("a number with a 0 before it")
        }
        if next == UInt8(ascii: ".") {
            position += 1
            try digits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(JSONFailure) {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw failure("a number without digits, or an unknown word") }
    }

    /// Bytes that are not UTF-8 become U+FFFD.
    private mutating func string() throws(JSONFailure) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): text += try escape()
            case 0..<0x20: throw failure("a control character in a string")
            default: text.append(byte)
            }
        }
        throw failure("a string does not end")
    }

    private mutating func escape() throws(JSONFailure) -> [UInt8] {
        guard let byte = next else { throw failure("a string does not end") }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "u"): return try scalar()
        default: throw failure("an unknown escape")
        }
    }

    /// One `\u`, or two that are a surrogate pair; half a pair becomes U+FFFD.
    private mutating func scalar() throws(JSONFailure) -> [UInt8] {
        var scalar = try fourDigits()
        if (0xD800..<0xDC00).contains(scalar), bytes[position...].starts(with: [0x5C, 0x75]) {
            let before = position
            position += 2
            let second = try fourDigits()
            if (0xDC00..<0xE000).contains(second) {
                scalar = 0x10000 + ((scalar - 0xD800) << 10) + (second - 0xDC00)
            } else {
                position = before
            }
        }
        return Array(String(Unicode.Scalar(scalar) ?? "\u{FFFD}").utf8)
    }

    private mutating func fourDigits() throws(JSONFailure) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw failure("a \\u without four digits")
            }
            position += 1
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
