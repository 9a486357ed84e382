// Values as text: which numbers and booleans InfluxDB can read, without allocating for ordinary ones.

/// Reads values the way Go's `strconv` does, as far as line protocol lets them through.
enum DecimalText {
    /// InfluxDB looks at the value of a float only if it has an exponent or at least this many bytes.
    static let longestUncheckedFloat = 25

    /// A 64-bit integer: digits with an optional `-`; `nil` if it is none, or does not fit.
    static func integer(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>) -> Int64? {
        var i = range.lowerBound
        let isNegative = i < range.upperBound && bytes[i] == Byte.minus
        if isNegative { i += 1 }
        guard i < range.upperBound else { return nil }
        var value: Int64 = 0
        while i < range.upperBound {
            guard Byte.isDigit(bytes[i]) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let digit = Int64(bytes[i] - Byte.zero)
            let (sum, overflow2) = product.addingReportingOverflow(isNegative ? -digit : digit)
            if overflow || overflow2 { return nil }
            value = sum
            i += 1
        }
        return value
    }

    /// `[-]digits[.digits][(e|E)[+|-]digits]`, rounding to a finite 64-bit float.
    static func isFiniteFloat(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
        var i = range.lowerBound
        let end = range.upperBound
        if i < end, bytes[i] == Byte.minus { i += 1 }
        var digits = 0
        // Power of ten of the first digit that is not zero, plus one; nil while all are zero.
        var magnitude: Int?
        var hasPoint = false
        var integerDigits = 0
        while i < end, Byte.isDigit(bytes[i]) || (bytes[i] == Byte.dot && !hasPoint) {
            if bytes[i] == Byte.dot {
                hasPoint = true
            } else {
                digits += 1
                if magnitude == nil, bytes[i] != Byte.zero {
                    // Counted from the front; corrected by the digits before the point below.
                    magnitude = -(digits - 1)
                }
                if !hasPoint { integerDigits += 1 }
            }
            i += 1
        }
        guard digits > 0 else { return false }
        var exponent = 0
        if i < end, bytes[i] == Byte.lowerE || bytes[i] == Byte.upperE {
            i += 1
            var isNegative = false
            if i < end, bytes[i] == Byte.plus || bytes[i] == Byte.minus {
                isNegative = bytes[i] == Byte.minus
                i += 1
            }
            guard i < end else { return false }
            while i < end, Byte.isDigit(bytes[i]) {
                // Go stops counting at the same point.
                if exponent < 10_000 { exponent = exponent * 10 + Int(bytes[i] - Byte.zero) }
                i += 1
            }
            if isNegative { exponent = -exponent }
        }
        guard i == end else { return false }
        guard let magnitude else { return true }
        // The value lies in [10^(scale-1), 10^scale); the largest float is 1.8e308.
        let scale = magnitude + integerDigits + exponent
        if scale <= 308 { return true }
        if scale > 309 { return false }
        let text = String(
            decoding: UnsafeBufferPointer(start: bytes + range.lowerBound, count: range.count), as: UTF8.self)
        return Double(text)?.isFinite ?? false
    }

    /// `t`, `T`, `true`, `True`, `TRUE`, `f`, `F`, `false`, `False`, `FALSE`.
    static func isBoolean(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
        let text = UnsafeBufferPointer(start: bytes + range.lowerBound, count: range.count)
        switch text.count {
        case 1:
            return text[0] == UInt8(ascii: "t") || text[0] == UInt8(ascii: "T") || text[0] == UInt8(ascii: "f")
                || text[0] == UInt8(ascii: "F")
        case 4:
            return text.elementsEqual("true".utf8) || text.elementsEqual("True".utf8)
                || text.elementsEqual("TRUE".utf8)
        case 5:
            return text.elementsEqual("false".utf8) || text.elementsEqual("False".utf8)
                || text.elementsEqual("FALSE".utf8)
        default:
            return false
        }
    }
}
