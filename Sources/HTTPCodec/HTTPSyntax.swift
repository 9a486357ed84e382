// The bytes of HTTP/1 (RFC 9110 §5, RFC 9112): which belong to names and which to values, and where lines end.
import Glibc

enum HTTPSyntax {
    /// RFC 9110 `tchar`: letters, digits and `!#$%&'*+-.^_|~` with the backtick.
    @inline(__always)
    static func isToken(_ byte: UInt8) -> Bool {
        // One bit for each of the first 128 characters.
        let bits: UInt64 = byte < 64 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
        return byte < 128 && bits >> (UInt64(byte) & 63) & 1 == 1
    }

    /// All of it is blanks, tabs, visible characters or bytes above 127.
    @inline(__always)
    static func isFieldText(_ bytes: UnsafeRawBufferPointer) -> Bool {
        // Eight at a time: a byte below 0x20, or 0x7f made 0, has its highest bit set behind the subtraction. What a byte
        // borrows from the next can only be too much: those eight are looked at one by one.
        let ones: UInt64 = 0x0101_0101_0101_0101
        let (highest, blank, deleted) = (ones &* 0x80, ones &* 0x20, ones &* 0x7f)
        var position = 0
        while position + 8 <= bytes.count {
            let eight = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let low = (eight &- blank) & ~eight
            let changed = eight ^ deleted
            let isSuspect = (low | ((changed &- ones) & ~changed)) & highest != 0
            if isSuspect, bytes[position..<position + 8].contains(where: isControl) { return false }
            position += 8
        }
        return !bytes[position...].contains(where: isControl)
    }

    @inline(__always)
    static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 && byte != 9 || byte == 0x7f }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 9 }

    /// The position of the first newline at or after `start`.
    @inline(__always)
    static func newline(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard start < bytes.count, let base = bytes.baseAddress,
            let found = memchr(base + start, 0x0a, bytes.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    /// Compares without regard to case; `lowercased` has only letters, digits and hyphens.
    @inline(__always)
    static func isSame(_ bytes: UnsafeRawBufferPointer, _ lowercased: StaticString) -> Bool {
        guard bytes.count == lowercased.utf8CodeUnitCount else { return false }
        let expected = lowercased.utf8Start
        for position in 0..<bytes.count where fold(bytes[position]) != expected[position] { return false }
        return true
    }

    @inline(__always)
    static func fold(_ byte: UInt8) -> UInt8 { byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte }

    /// `HTTP/1.0` or `HTTP/1.1`.
    static func isVersion10(_ text: UnsafeRawBufferPointer) throws(HTTPSyntaxError) -> Bool {
        func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
        guard text.count == 8, text.starts(with: "HTTP/".utf8), isDigit(text[5]), text[6] == UInt8(ascii: "."),
            isDigit(text[7])
        else { throw .malformed }
        switch (text[5], text[7]) {
        case (UInt8(ascii: "1"), UInt8(ascii: "1")): return false
        case (UInt8(ascii: "1"), UInt8(ascii: "0")): return true
        default: throw .unsupportedVersion
        }
    }

    static func hexValue(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }
}
