// The fast path: lines of the usual form, checked in one pass over their bytes.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Scans lines of the form that clients send; stops at the first one that is in any way unusual.
///
/// Simple are: no leading blanks, no backslash outside quoted values, sorted tags, numbers that need no range check,
/// nothing behind a closing quote. What is simple is good, and its end is where InfluxDB's splitter sees it; whatever
/// is not simple is left to `LineGrammar`, good or bad. Stamps missing timestamps.
struct SimpleLines: Sendable {
    /// What ends a token, as bits of a table over all bytes. A newline ends each, so no loop needs to look at the end of
    /// the buffer: there is a newline at or before it.
    private enum Ends {
        static let measurement: UInt8 = 1
        static let key: UInt8 = 2
        static let beginning: UInt8 = 4
    }

    private static let table: [UInt8] = {
        var table = [UInt8](repeating: 0, count: 256)
        for byte in [Byte.comma, Byte.space, Byte.backslash, Byte.newline] {
            table[Int(byte)] |= Ends.measurement | Ends.key
        }
        table[Int(Byte.equals)] |= Ends.key
        for byte in [Byte.comma, Byte.space, Byte.tab, Byte.nul, Byte.hash, Byte.backslash, Byte.newline] {
            table[Int(byte)] |= Ends.beginning
        }
        return table
    }()

    private let limitDigits: Int
    private let limitFirstDigit: UInt8

    init(precision: Precision) {
        let limit = Array(String(precision.maximumTimestamp).utf8)
        limitDigits = limit.count
        limitFirstDigit = limit[0]
    }

    /// Scans lines from `start`, which begins a line, through the newline at `lastNewline`.
    ///
    /// - Returns: The beginning of the first line that is not simple, or `lastNewline + 1`.
    func scan(
        _ bytes: UnsafePointer<UInt8>, from start: Int, through lastNewline: Int, into result: inout ScanResult
    ) -> Int {
        SimpleLines.table.withUnsafeBufferPointer { table in
            guard let table = table.baseAddress else { return start }
            var line = bytes + start
            let last = bytes + lastNewline
            var good = 0
            while line <= last {
                if line.pointee == Byte.newline {
                    line += 1
                    continue
                }
                guard let end = point(line, last, table) else { break }
                good += 1
                if end.needsStamp { result.append(.stamp, at: end.newline - bytes) }
                line = end.newline + 1
            }
            result.lines += good
            return line - bytes
        }
    }

    private typealias End = (newline: UnsafePointer<UInt8>, needsStamp: Bool)

    /// Scans one line; `nil` if it is not simple.
    @inline(__always)
    private func point(
        _ line: UnsafePointer<UInt8>, _ last: UnsafePointer<UInt8>, _ table: UnsafePointer<UInt8>
    ) -> End? {
        var p = line
        if table[Int(p.pointee)] & Ends.beginning != 0 { return nil }
        repeat { p += 1 } while table[Int(p.pointee)] & Ends.measurement == 0
        if p.pointee == Byte.comma {
            guard let end = SimpleLines.tags(p + 1, table) else { return nil }
            p = end
        }
        guard p.pointee == Byte.space else { return nil }
        let keyLength = p - line
        repeat { p += 1 } while p.pointee == Byte.space

        while true {
            let key = p
            while table[Int(p.pointee)] & Ends.key == 0 { p += 1 }
            guard p.pointee == Byte.equals, p > key,
                keyLength + (p - key) <= LineGrammar.maximumKeyLength - LineGrammar.fieldKeySeparatorLength,
                let end = SimpleLines.value(p + 1, last)
            else { return nil }
            p = end
            if p.pointee != Byte.comma { break }
            p += 1
        }

        if p.pointee == Byte.newline { return (p, true) }
        guard p.pointee == Byte.space else { return nil }
        repeat { p += 1 } while p.pointee == Byte.space
        if p.pointee == Byte.newline { return (p, true) }
        if p.pointee == Byte.minus { p += 1 }
        let digits = p
        while Byte.isDigit(p.pointee) { p += 1 }
        let count = p - digits
        guard count > 0, count < limitDigits || (count == limitDigits && digits.pointee < limitFirstDigit) else {
            return nil
        }
        while p.pointee == Byte.space { p += 1 }
        return p.pointee == Byte.newline ? (p, false) : nil
    }

    /// Scans tags up to the space behind them; `nil` if they are not simple.
    @inline(__always)
    private static func tags(
        _ start: UnsafePointer<UInt8>, _ table: UnsafePointer<UInt8>
    ) -> UnsafePointer<UInt8>? {
        var p = start
        var previous = start
        var previousLength = 0
        while true {
            let key = p
            while table[Int(p.pointee)] & Ends.key == 0 { p += 1 }
            let length = p - key
            guard length > 0, p.pointee == Byte.equals, isAscending(previous, previousLength, key, length) else {
                return nil
            }
            previous = key
            previousLength = length
            p += 1
            let value = p
            while table[Int(p.pointee)] & Ends.key == 0 { p += 1 }
            guard p > value else { return nil }
            if p.pointee != Byte.comma { return p.pointee == Byte.space ? p : nil }
            p += 1
        }
    }

    @inline(__always)
    private static func isAscending(
        _ left: UnsafePointer<UInt8>, _ leftLength: Int, _ right: UnsafePointer<UInt8>, _ rightLength: Int
    ) -> Bool {
        let common = min(leftLength, rightLength)
        var i = 0
        while i < common {
            if left[i] != right[i] { return left[i] < right[i] }
            i += 1
        }
        return leftLength < rightLength
    }

    /// Scans a field value up to the comma, space or newline behind it; `nil` if it is not simple.
    @inline(__always)
    private static func value(
        _ start: UnsafePointer<UInt8>, _ last: UnsafePointer<UInt8>
    ) -> UnsafePointer<UInt8>? {
        let end: UnsafePointer<UInt8>?
        switch start.pointee {
        case Byte.zero...Byte.nine, Byte.minus, Byte.dot: end = number(start)
        case Byte.quote: end = string(start + 1, last)
        default: end = boolean(start)
        }
        guard let end, end.pointee == Byte.comma || end.pointee == Byte.space || end.pointee == Byte.newline else {
            return nil
        }
        return end
    }

    @inline(__always)
    private static func number(_ start: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
        var p = start
        if p.pointee == Byte.minus { p += 1 }
        var digits = p
        while Byte.isDigit(p.pointee) { p += 1 }
        if p.pointee == Byte.i {
            // 18 digits fit into 64 bits, whatever they are.
            return p > digits && p - start <= 18 ? p + 1 : nil
        }
        if p.pointee == Byte.dot {
            digits += 1
            repeat { p += 1 } while Byte.isDigit(p.pointee)
        }
        guard p > digits, p - start < DecimalText.longestUncheckedFloat else { return nil }
        if p.pointee == Byte.lowerE || p.pointee == Byte.upperE {
            p += 1
            if p.pointee == Byte.plus || p.pointee == Byte.minus { p += 1 }
            // An exponent of one or two digits cannot overflow behind so few digits.
            guard Byte.isDigit(p.pointee) else { return nil }
            p += 1
            if Byte.isDigit(p.pointee) { p += 1 }
        }
        return p
    }

    /// Scans the inside of a quoted value up to the byte behind the closing quote.
    @inline(__always)
    private static func string(
        _ start: UnsafePointer<UInt8>, _ last: UnsafePointer<UInt8>
    ) -> UnsafePointer<UInt8>? {
        var p = start
        while p < last {
            guard let found = memchr(p, Int32(Byte.quote), last - p) else { return nil }
            let quote = UnsafePointer(found.assumingMemoryBound(to: UInt8.self))
            // A quote behind an odd number of backslashes is data. The one before `start` is the opening quote.
            var backslashes = 0
            while quote[-1 - backslashes] == Byte.backslash { backslashes += 1 }
            p = quote + 1
            if backslashes & 1 == 0 { return p }
        }
        return nil
    }

    @inline(__always)
    private static func boolean(_ start: UnsafePointer<UInt8>) -> UnsafePointer<UInt8>? {
        var p = start
        while UInt8(ascii: "A")...UInt8(ascii: "Z") ~= p.pointee & 0xDF { p += 1 }
        return DecimalText.isBoolean(start, 0..<(p - start)) ? p : nil
    }
}
