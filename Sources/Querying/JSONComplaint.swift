// What Go's JSON decoder has against a text that is not JSON, in its words: a client sees them when its `params` are
// broken.

/// Walks over the first value of a text. The words are those of Go's encoding/json, read off InfluxDB 1.6.7 (Go 1.19).
struct JSONComplaint {
    private struct Found: Error {
        let words: String
    }

    private let bytes: [UInt8]
    private var position = 0

    /// nil: the text begins with a JSON value.
    static func about(_ bytes: [UInt8]) -> String? {
        var walk = JSONComplaint(bytes: bytes)
        do throws(Found) {
            guard walk.byteBehindSpace != nil else { return "EOF" }
            try walk.value(depth: 0)
            return nil
        } catch {
            return error.words
        }
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var byte: UInt8? { position < bytes.count ? bytes[position] : nil }

    private var byteBehindSpace: UInt8? {
        mutating get {
            while let byte, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
            return byte
        }
    }

    private func unexpected(_ context: String) -> Found {
        guard let byte else { return Found(words: "unexpected EOF") }
        let shown =
            switch byte {
            case UInt8(ascii: "'"): "\\'"
            case UInt8(ascii: "\\"): "\\\\"
            case 0x07: "\\a"
            case 0x08: "\\b"
            case 0x0C: "\\f"
            case 0x0A: "\\n"
            case 0x0D: "\\r"
            case 0x09: "\\t"
            case 0x0B: "\\v"
            case 0..<0x20, 0x7F: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            case 0x80..<0xA0, 0xAD: "\\u00" + String(byte, radix: 16)
            default: String(Unicode.Scalar(byte))
            }
        return Found(words: "invalid character '\(shown)' \(context)")
    }

    private mutating func value(depth: Int) throws(Found) {
        guard depth < ResultJSON.maximumDepth else { throw Found(words: "exceeded max depth") }
        switch byteBehindSpace {
        case UInt8(ascii: "{"): try object(depth)
        case UInt8(ascii: "["): try array(depth)
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case let digit? where digit == UInt8(ascii: "-") || (0x30...0x39).contains(digit): try number()
        default: throw unexpected("looking for beginning of value")
        }
    }

    private mutating func object(_ depth: Int) throws(Found) {
        position += 1
        if byteBehindSpace == UInt8(ascii: "}") {
            position += 1
            return
        }
        while true {
            guard byteBehindSpace == UInt8(ascii: "\"") else {
                throw unexpected("looking for beginning of object key string")
            }
            try string()
            guard byteBehindSpace == UInt8(ascii: ":") else { throw unexpected("after object key") }
            position += 1
            try value(depth: depth + 1)
            switch byteBehindSpace {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "}"):
                position += 1
                return
            default: throw unexpected("after object key:value pair")
            }
        }
    }

    private mutating func array(_ depth: Int) throws(Found) {
        position += 1
        if byteBehindSpace == UInt8(ascii: "]") {
            position += 1
            return
        }
        while true {
            try value(depth: depth + 1)
            switch byteBehindSpace {
            case UInt8(ascii: ","): position += 1
            case UInt8(ascii: "]"):
                position += 1
                return
            default: throw unexpected("after array element")
            }
        }
    }

    private mutating func string() throws(Found) {
        position += 1
        while let byte {
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return
            case UInt8(ascii: "\\"):
                position += 1
                try escape()
            case 0..<0x20: throw unexpected("in string literal")
            default: position += 1
            }
        }
        throw unexpected("")
    }

    private mutating func escape() throws(Found) {
        guard let byte, Array(#""\/bfnrtu"#.utf8).contains(byte) else { throw unexpected("in string escape code") }
        position += 1
        guard byte == UInt8(ascii: "u") else { return }
        for _ in 0..<4 {
            guard let digit = self.byte, Unicode.Scalar(digit).properties.isASCIIHexDigit else {
                throw unexpected("in \\u hexadecimal character escape")
            }
            position += 1
        }
    }

    private mutating func literal(_ word: String) throws(Found) {
        for expected in word.utf8 {
            guard byte == expected else {
                throw unexpected("in literal \(word) (expecting '\(Unicode.Scalar(expected))')")
            }
            position += 1
        }
    }

    private mutating func number() throws(Found) {
        if byte == UInt8(ascii: "-") { position += 1 }
        if byte == UInt8(ascii: "0") {
            position += 1
        } else {
            try digits("in numeric literal")
        }
        if byte == UInt8(ascii: ".") {
            position += 1
            try digits("after decimal point in numeric literal")
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            position += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { position += 1 }
            try digits("in exponent of numeric literal")
        }
    }

    /// One at least.
    private mutating func digits(_ context: String) throws(Found) {
        let start = position
        while let byte, (0x30...0x39).contains(byte) { position += 1 }
        if position == start { throw unexpected(context) }
    }
}
