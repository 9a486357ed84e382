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
        // Without an early exit, so that it is done for many bytes at a time.
        var isBad = false
        for byte in bytes { isBad = isBad || (byte < 0x20 && byte != 9) || byte == 0x7f }
        return !isBad
    }

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

    static func hexValue(_ byte: UInt8) -> Int? {
        switch byte {
        case 0x30...0x39: Int(byte) - 0x30
        case 0x41...0x46: Int(byte) - 0x41 + 10
        case 0x61...0x66: Int(byte) - 0x61 + 10
        default: nil
        }
    }
}
