// The fast path: lines of the usual form, checked in one pass over their bytes.

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Scans lines of the form that clients send; stops at the first one that is in any way unusual.
///
/// Simple are: no leading blanks, no backslashes in a row that could hide something, a moderate number of tags, numbers
/// that need no range check, nothing behind a closing quote. What is simple is good, and its end is where InfluxDB's
/// splitter sees it; whatever is not simple is left to `LineGrammar`, good or bad. Stamps missing timestamps.
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

    /// A timestamp with fewer digits, or with as many and a smaller first one, is in InfluxDB's range.
    private let limitDigits: Int
    private let limitFirstDigit: UInt8

    init(precision: Precision) {
        var digits = 1
        var rest = precision.maximumTimestamp
        while rest > 9 {
            rest /= 10
            digits += 1
        }
        limitDigits = digits
        limitFirstDigit = Byte.zero + UInt8(rest)
    }

    /// Scans lines from `start`, which begins a line, through the newline at `lastNewline`.
    ///
    /// - Returns: The beginning of the first line that is not simple, or `lastNewline + 1`.
    func scan(
        _ bytes: UnsafePointer<UInt8>, from start: Int, through lastNewline: Int, into result: inout ScanResult
    ) -> Int {
        // Once for all lines: the table of the token ends, and room for the tag keys of a line.
        withUnsafeTemporaryAllocation(of: TagKey.self, capacity: SimpleLines.maximumTags) { keys in
            SimpleLines.table.withUnsafeBufferPointer { table in
                guard let table = table.baseAddress, let keys = keys.baseAddress else { return start }
                return scan(bytes, from: start, through: lastNewline, Tables(ends: table, keys: keys), into: &result)
            }
        }
    }

    private struct Tables {
        let ends: UnsafePointer<UInt8>
        let keys: UnsafeMutablePointer<TagKey>
    }

    private struct TagKey {
        let start: UnsafePointer<UInt8>
        let length: Int
    }

    private static let maximumTags = 64

    private func scan(
        _ bytes: UnsafePointer<UInt8>, from start: Int, through lastNewline: Int, _ tables: Tables,
        into result: inout ScanResult
    ) -> Int {
        var line = bytes + start
        let last = bytes + lastNewline
        var good = 0
        while line <= last {
            if line.pointee == Byte.newline {
                line += 1
                continue
            }
            guard let end = point(line, last, tables) else { break }
            good += 1
            if end.needsStamp { result.append(.stamp, at: end.newline - bytes) }
            line = end.newline + 1
        }
        result.lines += good
        return line - bytes
    }

    private typealias End = (newline: UnsafePointer<UInt8>, needsStamp: Bool)

    /// Scans one line; `nil` if it is not simple.
    @inline(__always)
    private func point(
        _ line: UnsafePointer<UInt8>, _ last: UnsafePointer<UInt8>, _ tables: Tables
    ) -> End? {
        if tables.ends[Int(line.pointee)] & Ends.beginning != 0 { return nil }
        var p = SimpleLines.tokenEnd(line + 1, Ends.measurement, tables)
        if p.pointee == Byte.comma {
            guard let end = SimpleLines.tags(p + 1, tables) else { return nil }
            p = end
        }
        guard p.pointee == Byte.space else { return nil }
        let keyLength = p - line
        repeat { p += 1 } while p.pointee == Byte.space

        while true {
            let key = p
            p = SimpleLines.tokenEnd(p, Ends.key, tables)
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

    /// The end of a token: a byte of the given kind, or a backslash that is not simple.
    ///
    /// A backslash hides the byte behind it. Of several, InfluxDB's splitter, its grammar and its storage disagree on
    /// what they hide; which does not matter if it is a byte without meaning.
    @inline(__always)
    private static func tokenEnd(
        _ start: UnsafePointer<UInt8>, _ kind: UInt8, _ tables: Tables
    ) -> UnsafePointer<UInt8> {
        var p = start
        while true {
            while tables.ends[Int(p.pointee)] & kind == 0 { p += 1 }
            guard p.pointee == Byte.backslash, let end = escapeEnd(p, tables) else { return p }
            p = end
        }
    }

    private static func escapeEnd(_ start: UnsafePointer<UInt8>, _ tables: Tables) -> UnsafePointer<UInt8>? {
        var p = start + 1
        while p.pointee == Byte.backslash { p += 1 }
        let isSimple =
            p == start + 1 ? p.pointee != Byte.newline : tables.ends[Int(p.pointee)] & Ends.key == 0
        return isSimple ? p + 1 : nil
    }

    /// Scans tags up to the space behind them; `nil` if they are not simple.
    @inline(__always)
    private static func tags(_ start: UnsafePointer<UInt8>, _ tables: Tables) -> UnsafePointer<UInt8>? {
        var p = start
        var count = 0
        var isSorted = true
        while true {
            let key = p
            p = tokenEnd(p, Ends.key, tables)
            let length = p - key
            guard length > 0, p.pointee == Byte.equals, count < maximumTags else { return nil }
            let tag = TagKey(start: key, length: length)
            if count > 0, !precedes(tables.keys[count - 1], tag) { isSorted = false }
            tables.keys[count] = tag
            count += 1
            p += 1
            let value = p
            p = tokenEnd(p, Ends.key, tables)
            guard p > value else { return nil }
            if p.pointee != Byte.comma { break }
            p += 1
        }
        guard p.pointee == Byte.space, isSorted || areDifferent(tables.keys, count) else { return nil }
        return p
    }

    private static func areDifferent(_ keys: UnsafeMutablePointer<TagKey>, _ count: Int) -> Bool {
        for i in 1..<count {
            for j in 0..<i where keys[i].length == keys[j].length {
                if memcmp(keys[i].start, keys[j].start, keys[i].length) == 0 { return false }
            }
        }
        return true
    }

    @inline(__always)
    private static func precedes(_ left: TagKey, _ right: TagKey) -> Bool {
        let common = min(left.length, right.length)
        var i = 0
        while i < common {
            if left.start[i] != right.start[i] { return left.start[i] < right.start[i] }
            i += 1
        }
        return left.length < right.length
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
