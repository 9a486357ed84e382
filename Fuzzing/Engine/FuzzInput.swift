// Takes decisions out of a fuzzer's input: what a target does, and how often, is part of what the fuzzer varies.

/// The input, read from front to back; behind its end everything is zero, so any input is a whole programme.
package struct FuzzInput {
    private var bytes: ArraySlice<UInt8>

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes[...]
    }

    package var isAtEnd: Bool { bytes.isEmpty }

    package mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

    /// Two bytes, the larger first.
    package mutating func number() -> Int { Int(byte()) << 8 | Int(byte()) }

    /// A number from 0 up to, not including, `bound`, which is at most 65,536.
    package mutating func below(_ bound: Int) -> Int { bound <= 256 ? Int(byte()) % bound : number() % bound }

    /// As many bytes, or what is left.
    package mutating func take(_ count: Int) -> [UInt8] {
        defer { bytes = bytes.dropFirst(count) }
        return Array(bytes.prefix(count))
    }

    /// Up to the next byte of this value, which is skipped, or to the end.
    package mutating func take(upTo separator: UInt8) -> [UInt8] {
        let piece = bytes.prefix { $0 != separator }
        bytes = bytes.dropFirst(piece.count + 1)
        return Array(piece)
    }

    package mutating func rest() -> [UInt8] { take(bytes.count) }
}
