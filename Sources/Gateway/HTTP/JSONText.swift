// Writes text as a JSON string exactly as Go's encoding/json does, which is what InfluxDB's clients have always seen.
import NIOCore

extension ByteBuffer {
    /// Appends `text` as a JSON string, quotes included.
    ///
    /// Go's rules: `<`, `>`, `&`, U+2028 and U+2029 are escaped, control characters but `\n`, `\r`, `\t` are written as
    /// `\u00xx`, each byte that is not valid UTF-8 becomes the six characters `\ufffd`.
    package mutating func writeJSONString(_ text: some Collection<UInt8>) {
        writeInteger(UInt8(ascii: "\""))
        var index = text.startIndex
        while index != text.endIndex {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\""): writeStaticString("\\\"")
            case UInt8(ascii: "\\"): writeStaticString("\\\\")
            case UInt8(ascii: "\n"): writeStaticString("\\n")
            case UInt8(ascii: "\r"): writeStaticString("\\r")
            case UInt8(ascii: "\t"): writeStaticString("\\t")
            case UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"), 0..<0x20:
                writeStaticString("\\u00")
                writeInteger(Self.hexDigit(byte >> 4))
                writeInteger(Self.hexDigit(byte & 15))
            case 0x20..<0x80:
                writeInteger(byte)
            default:
                writeBeyondASCII(text, at: &index)
                continue
            }
            text.formIndex(after: &index)
        }
        writeInteger(UInt8(ascii: "\""))
    }

    /// One scalar, or one byte that belongs to none.
    private mutating func writeBeyondASCII<C: Collection<UInt8>>(_ text: C, at index: inout C.Index) {
        let first = text[index]
        let length =
            switch first {
            case 0xc2...0xdf: 2
            case 0xe0...0xef: 3
            case 0xf0...0xf4: 4
            default: 1
            }
        let sequence = text[index...].prefix(length)
        var second: UInt8 = 0
        var continuations = 0
        for byte in sequence.dropFirst() {
            guard byte & 0xc0 == 0x80 else {
                break
            }
            second = continuations == 0 ? byte : second
            continuations += 1
        }
        let isValid =
            length > 1 && continuations == length - 1
            && !(first == 0xe0 && second < 0xa0) && !(first == 0xed && second > 0x9f)
            && !(first == 0xf0 && second < 0x90) && !(first == 0xf4 && second > 0x8f)
        guard isValid else {
            writeStaticString("\\ufffd")
            text.formIndex(after: &index)
            return
        }
        if length == 3, sequence.elementsEqual([0xe2, 0x80, 0xa8]) {
            writeStaticString("\\u2028")
        } else if length == 3, sequence.elementsEqual([0xe2, 0x80, 0xa9]) {
            writeStaticString("\\u2029")
        } else {
            writeBytes(sequence)
        }
        index = sequence.endIndex
    }

    static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? 0x30 + nibble : 0x57 + nibble
    }
}
