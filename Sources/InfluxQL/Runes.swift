// Characters as Go counts and repairs them: positions in error texts count runes, and a byte that is not UTF-8
// becomes one U+FFFD each, which is what a database or user name with such bytes is called on a node.

enum Runes {
    /// The number of bytes of the character at `offset`; 1 for a byte that starts no valid one, 0 at the end.
    static func length(in bytes: [UInt8], at offset: Int) -> Int {
        guard offset < bytes.count else { return 0 }
        let first = bytes[offset]
        let length: Int
        // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: length = 4
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: return 1
        }
        guard offset + length <= bytes.count, second.contains(bytes[offset + 1]) else { return 1 }
        for index in stride(from: offset + 2, to: offset + length, by: 1) where bytes[index] & 0xC0 != 0x80 { return 1 }
        return length
    }

    /// The text of `range`, each byte that is not UTF-8 as one U+FFFD.
    static func text(of bytes: [UInt8], _ range: Range<Int>) -> String {
        var isASCII = true
        for index in range where bytes[index] >= 0x80 { isASCII = false }
        if isASCII { return String(decoding: bytes[range], as: UTF8.self) }
        if let text = String(validating: bytes[range], as: UTF8.self) { return text }
        var repaired: [UInt8] = []
        var at = range.lowerBound
        while at < range.upperBound {
            let length = length(in: bytes, at: at)
            if length == 1, bytes[at] >= 0x80 {
                repaired += [0xEF, 0xBF, 0xBD]
            } else {
                repaired += bytes[at..<min(at + length, range.upperBound)]
            }
            at += max(length, 1)
        }
        return String(decoding: repaired, as: UTF8.self)
    }

    /// Line and character, both from 0, of the character that starts at `offset`, and of the one before it.
    /// A carriage return with or without a newline counts as one newline.
    static func position(
        in bytes: [UInt8], of offset: Int
    ) -> (at: (line: Int, character: Int), before: (line: Int, character: Int)) {
        var here = (line: 0, character: 0)
        var before = here
        var at = 0
        while at < min(offset, bytes.count) {
            before = here
            let byte = bytes[at]
            if byte == 0x0A || byte == 0x0D {
                at += byte == 0x0D && at + 1 < bytes.count && bytes[at + 1] == 0x0A ? 2 : 1
                here = (here.line + 1, 0)
            } else {
                at += length(in: bytes, at: at)
                here.character += 1
            }
        }
        return (here, before)
    }
}
