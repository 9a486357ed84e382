// Decides whether one line is a point, exactly as InfluxDB does, error for error. The reference for the fast path.

/// One line of line protocol, already cut out of the body.
///
/// `[measurement][,key=value]* [key=value][,key=value]* [timestamp]`, after models/points.go of InfluxDB 1.x. The order of
/// the checks decides which error a line with several of them gets.
struct LineGrammar {
    /// Bytes of measurement and tags, or of both, a field key and the separator of 4 that the storage puts between them.
    static let maximumKeyLength = 65_535
    static let fieldKeySeparatorLength = 4

    /// What a good line consists of; offsets from its beginning.
    struct Point {
        var fields: Range<Int>
        var hasTimestamp: Bool
        /// Less than the line's length if the rest counts for nothing, which InfluxDB allows after a newline that is
        /// part of a line without timestamp.
        var end: Int
        /// The value of the last field is a string.
        var endsWithString: Bool
    }

    private let bytes: UnsafePointer<UInt8>
    private let count: Int
    private let maximumTimestamp: UInt64

    /// - Parameters:
    ///   - bytes: The line without leading blanks and without its newline.
    ///   - count: Bytes in the line.
    init(_ bytes: UnsafePointer<UInt8>, count: Int, precision: Precision) {
        self.bytes = bytes
        self.count = count
        maximumTimestamp = UInt64(precision.maximumTimestamp)
    }

    func parse() throws(LineErrorReason) -> Point {
        let keyEnd = try key()
        if keyEnd > LineGrammar.maximumKeyLength { throw .maximumKeyLengthExceeded(keyEnd) }
        let fields = try fields(from: skipBlanks(keyEnd))
        let walk = try walkFields(fields, keyLength: keyEnd)
        let time = try timestamp(from: skipBlanks(fields.upperBound))
        if let key = walk.unstorable { throw .unstorableValue(fieldKey: key) }
        return Point(
            fields: fields, hasTimestamp: time.isPresent, end: time.end, endsWithString: walk.endsWithString)
    }

    private func skipBlanks(_ start: Int) -> Int {
        var i = start
        while i < count, Byte.isBlank(bytes[i]) { i += 1 }
        return i
    }

    private func copy(_ range: Range<Int>) -> [UInt8] {
        Array(UnsafeBufferPointer(start: bytes + range.lowerBound, count: range.count))
    }
}

// MARK: - Measurement and tags

extension LineGrammar {
    /// Returns the end of measurement and tags.
    private func key() throws(LineErrorReason) -> Int {
        guard count > 0, bytes[0] != Byte.comma else { throw .missingMeasurement }
        var i = 0
        while true {
            i += 1
            guard i < count else { throw .missingFields }
            if bytes[i - 1] == Byte.backslash { continue }
            if bytes[i] == Byte.space { return i }
            if bytes[i] == Byte.comma { return try tags(from: i + 1) }
        }
    }

    private func tags(from start: Int) throws(LineErrorReason) -> Int {
        var keys: [Range<Int>] = []
        var isSorted = true
        var i = start
        while true {
            let key = i..<(try tagKeyEnd(from: i))
            if let last = keys.last, compare(last, key) >= 0 { isSorted = false }
            keys.append(key)
            let (end, isLast) = try tagValueEnd(from: key.upperBound + 1)
            if isLast {
                // Only now: errors in any tag come before this one.
                if !isSorted, hasDuplicates(keys) { throw .duplicateTags }
                return end
            }
            i = end + 1
        }
    }

    /// Returns the position of the `=`.
    private func tagKeyEnd(from start: Int) throws(LineErrorReason) -> Int {
        var i = start
        guard i < count, bytes[i] != Byte.space, bytes[i] != Byte.comma, bytes[i] != Byte.equals else {
            throw .missingTagKey
        }
        while true {
            i += 1
            guard i < count else { throw .missingTagValue }
            if bytes[i - 1] == Byte.backslash { continue }
            if bytes[i] == Byte.space || bytes[i] == Byte.comma { throw .missingTagValue }
            if bytes[i] == Byte.equals { return i }
        }
    }

    /// Returns the position of the comma or of the space behind the value.
    private func tagValueEnd(from start: Int) throws(LineErrorReason) -> (end: Int, isLast: Bool) {
        var i = start
        guard i < count, bytes[i] != Byte.comma, bytes[i] != Byte.space else { throw .missingTagValue }
        while true {
            i += 1
            guard i < count else { throw .missingFields }
            if bytes[i - 1] == Byte.backslash { continue }
            if bytes[i] == Byte.equals { throw .invalidTagFormat }
            if bytes[i] == Byte.comma { return (i, false) }
            if bytes[i] == Byte.space { return (i, true) }
        }
    }

    private func hasDuplicates(_ keys: [Range<Int>]) -> Bool {
        let sorted = keys.sorted { compare($0, $1) < 0 }
        return zip(sorted, sorted.dropFirst()).contains { compare($0, $1) == 0 }
    }

    /// Negative, zero or positive, as the first key sorts before, equals or sorts behind the second.
    private func compare(_ left: Range<Int>, _ right: Range<Int>) -> Int {
        for offset in 0..<min(left.count, right.count) {
            let difference = Int(bytes[left.lowerBound + offset]) - Int(bytes[right.lowerBound + offset])
            if difference != 0 { return difference }
        }
        return left.count - right.count
    }
}

// MARK: - Fields

extension LineGrammar {
    private func fields(from start: Int) throws(LineErrorReason) -> Range<Int> {
        var i = start
        var isQuoted = false
        var equals = 0
        var commas = 0
        scan: while i < count {
            switch bytes[i] {
            case Byte.backslash where i + 1 < count:
                i += 2
                continue scan
            case Byte.quote where equals > commas:
                isQuoted.toggle()
            case Byte.equals where !isQuoted:
                equals += 1
                // A measurement, and a space, stand before the fields: i is 2 or more.
                if (bytes[i - 1] == Byte.space || bytes[i - 1] == Byte.comma) && bytes[i - 2] != Byte.backslash {
                    throw .missingFieldKey
                }
                guard i + 1 < count, bytes[i + 1] != Byte.comma, bytes[i + 1] != Byte.space else {
                    throw .missingFieldValue
                }
                switch bytes[i + 1] {
                case Byte.zero...Byte.nine, Byte.dot, Byte.minus, UInt8(ascii: "N"), UInt8(ascii: "n"):
                    i = try numberEnd(from: i + 1)
                    continue scan
                case Byte.quote:
                    break
                default:
                    i = try booleanEnd(from: i + 1)
                    continue scan
                }
            case Byte.comma where !isQuoted:
                commas += 1
            case Byte.space where !isQuoted:
                break scan
            default:
                break
            }
            i += 1
        }
        if isQuoted { throw .unbalancedQuotes }
        if equals == 0 || commas != equals - 1 { throw .invalidFieldFormat }
        return start..<i
    }

    private func numberEnd(from start: Int) throws(LineErrorReason) -> Int {
        var i = start
        var isInteger = false
        var isUnsigned = false
        var hasPoint = false
        var isScientific = false
        if bytes[i] == Byte.minus {
            i += 1
            if i == count { throw .invalidNumber }
        }
        scan: while i < count {
            let byte = bytes[i]
            switch byte {
            case Byte.comma, Byte.space:
                break scan
            case Byte.i where i > start && !isInteger && !isUnsigned:
                isInteger = true
            case Byte.u where i > start && !isInteger && !isUnsigned:
                isUnsigned = true
            case Byte.dot:
                if hasPoint { throw .invalidNumber }
                hasPoint = true
            case Byte.lowerE where i > start, Byte.upperE where i > start:
                isScientific = true
            case Byte.plus, Byte.minus:
                let previous = bytes[i - 1]
                guard i > start, previous == Byte.lowerE || previous == Byte.upperE else { throw .invalidNumber }
            case Byte.zero...Byte.nine:
                break
            default:
                throw .invalidNumber
            }
            i += 1
        }
        if isInteger && (hasPoint || isScientific) { throw .invalidNumber }
        var digits = i - start
        if isInteger { digits -= 1 }
        if hasPoint { digits -= 1 }
        if bytes[start] == Byte.minus { digits -= 1 }
        // Unsigned fields exist only in special builds of InfluxDB.
        if digits == 0 || isUnsigned { throw .invalidNumber }
        if isInteger {
            guard bytes[i - 1] == Byte.i else { throw .invalidNumber }
            if DecimalText.integer(bytes, start..<(i - 1)) == nil {
                throw .integerOutOfRange(copy(start..<(i - 1)))
            }
        } else if isScientific || i - start >= DecimalText.longestUncheckedFloat {
            guard DecimalText.isFiniteFloat(bytes, start..<i) else { throw .invalidFloat }
        }
        return i
    }

    private func booleanEnd(from start: Int) throws(LineErrorReason) -> Int {
        var i = start + 1
        while i < count, bytes[i] != Byte.comma, bytes[i] != Byte.space { i += 1 }
        guard DecimalText.isBoolean(bytes, start..<i) else { throw .invalidBoolean }
        return i
    }
}

// MARK: - The second look at the fields

extension LineGrammar {
    private struct Walk {
        var endsWithString = false
        var unstorable: [UInt8]?
    }

    /// Goes through the fields as InfluxDB's storage does, which splits them by other rules than its parser: a key ends
    /// at the first `=` that has no backslash before it (not even an escaped one), in quotes or not.
    private func walkFields(_ fields: Range<Int>, keyLength: Int) throws(LineErrorReason) -> Walk {
        var walk = Walk()
        var start = fields.lowerBound
        let end = fields.upperBound
        while start < end {
            var i = start
            while i < end, !(bytes[i] == Byte.equals && (i == start || bytes[i - 1] != Byte.backslash)) { i += 1 }
            let key = start..<i
            if i > end - 2 { throw .invalidValue(fieldKey: copy(key)) }
            let value = (i + 1)..<valueEnd(from: i + 1, to: end)
            let length = keyLength + LineGrammar.fieldKeySeparatorLength + key.count
            if length > LineGrammar.maximumKeyLength { throw .maximumKeyLengthExceeded(length) }
            walk.endsWithString = !value.isEmpty && bytes[value.lowerBound] == Byte.quote
            if walk.unstorable == nil, !isStorable(value) { walk.unstorable = copy(key) }
            start = value.upperBound + 1
        }
        return walk
    }

    private func valueEnd(from start: Int, to end: Int) -> Int {
        var i = start
        var isQuoted = false
        while i < end {
            switch bytes[i] {
            case Byte.backslash where i + 1 < end && (bytes[i + 1] == Byte.quote || bytes[i + 1] == Byte.backslash):
                i += 1
            case Byte.quote:
                isQuoted.toggle()
            case Byte.comma where !isQuoted:
                return i
            default:
                break
            }
            i += 1
        }
        return i
    }

    private func isStorable(_ value: Range<Int>) -> Bool {
        guard let first = value.first.map({ bytes[$0] }) else { return false }
        switch first {
        case Byte.quote:
            return value.count >= 2
        case Byte.zero...Byte.nine, Byte.minus, Byte.dot:
            if bytes[value.upperBound - 1] == Byte.i {
                return DecimalText.integer(bytes, value.dropLast()) != nil
            }
            return DecimalText.isFiniteFloat(bytes, value)
        default:
            return DecimalText.isBoolean(bytes, value)
        }
    }
}

// MARK: - Time

extension LineGrammar {
    private func timestamp(from start: Int) throws(LineErrorReason) -> (isPresent: Bool, end: Int) {
        var i = start
        while i < count, bytes[i] != Byte.newline, bytes[i] != Byte.space {
            guard Byte.isDigit(bytes[i]) || (i == start && bytes[i] == Byte.minus) else { throw .badTimestamp }
            i += 1
        }
        if i == start { return (false, i) }
        if i == start + 1 && bytes[start] == Byte.minus { throw .timestampSyntax(copy(start..<i)) }
        guard let time = DecimalText.integer(bytes, start..<i) else { throw .timestampOutOfRange(copy(start..<i)) }
        if time.magnitude > maximumTimestamp { throw .timeOutsideRange }
        while i < count {
            if bytes[i] != Byte.space { throw .pointIsInvalid }
            i += 1
        }
        return (true, i)
    }
}
