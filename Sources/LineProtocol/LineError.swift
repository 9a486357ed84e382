// Why a line is bad, in the words that InfluxDB uses, so that clients and people recognise them.

/// Why a line is refused.
///
/// The texts are those of InfluxDB 1.6.7 (`models/points.go`). Values are carried raw: lines may hold any bytes.
package enum LineErrorReason: Error, Equatable, Sendable {
    case missingMeasurement
    case missingFields
    case missingTagKey
    case missingTagValue
    case invalidTagFormat
    case duplicateTags
    case missingFieldKey
    case missingFieldValue
    case invalidFieldFormat
    case unbalancedQuotes
    case invalidNumber
    case invalidBoolean
    case invalidFloat
    /// An integer field beyond 64 bits; the value is its text without the `i`.
    case integerOutOfRange([UInt8])
    /// The key, or the key with its longest field, in bytes.
    case maximumKeyLengthExceeded(Int)
    /// InfluxDB's second look at the fields found a key without a value.
    case invalidValue(fieldKey: [UInt8])
    case badTimestamp
    /// The timestamp is a lone `-`.
    case timestampSyntax([UInt8])
    /// The timestamp does not fit into 64 bits.
    case timestampOutOfRange([UInt8])
    /// The timestamp fits into 64 bits, but not into InfluxDB's range of nanoseconds.
    case timeOutsideRange
    case pointIsInvalid
    /// InfluxDB's parser accepts the line, but its storage cannot read the value of this field: it answers 500 for the
    /// whole request and stores nothing of it, or (a value that is a lone `"`, as in `m a\\="b="`) the server crashes.
    /// Such a line must never reach a log that is replayed.
    case unstorableValue(fieldKey: [UInt8])
    /// InfluxDB would accept the line only because the request ends with it: to its line splitter a quote is still
    /// open. In a batch with others it would swallow them.
    case endsOnlyWithBody

    /// The reason as the client reads it.
    package var text: [UInt8] {
        switch self {
        case .missingMeasurement: Array("missing measurement".utf8)
        case .missingFields: Array("missing fields".utf8)
        case .missingTagKey: Array("missing tag key".utf8)
        case .missingTagValue: Array("missing tag value".utf8)
        case .invalidTagFormat: Array("invalid tag format".utf8)
        case .duplicateTags: Array("duplicate tags".utf8)
        case .missingFieldKey: Array("missing field key".utf8)
        case .missingFieldValue: Array("missing field value".utf8)
        case .invalidFieldFormat: Array("invalid field format".utf8)
        case .unbalancedQuotes, .endsOnlyWithBody: Array("unbalanced quotes".utf8)
        case .invalidNumber: Array("invalid number".utf8)
        case .invalidBoolean: Array("invalid boolean".utf8)
        case .invalidFloat: Array("invalid float".utf8)
        case .integerOutOfRange(let digits):
            Array("unable to parse integer ".utf8) + digits + Array(": strconv.ParseInt: parsing \"".utf8) + digits
                + Array("\": value out of range".utf8)
        case .maximumKeyLengthExceeded(let length):
            Array("max key length exceeded: \(length) > \(LineGrammar.maximumKeyLength)".utf8)
        case .invalidValue(let key), .unstorableValue(let key): Array("invalid value: field-key=".utf8) + key
        case .badTimestamp: Array("bad timestamp".utf8)
        case .timestampSyntax(let text):
            Array("strconv.ParseInt: parsing \"".utf8) + text + Array("\": invalid syntax".utf8)
        case .timestampOutOfRange(let text):
            Array("strconv.ParseInt: parsing \"".utf8) + text + Array("\": value out of range".utf8)
        case .timeOutsideRange:
            Array("time outside range -9223372036854775806 - 9223372036854775806".utf8)
        case .pointIsInvalid: Array("point is invalid".utf8)
        }
    }
}

/// A bad line and what is wrong with it.
package struct LineError: Equatable, Sendable {
    /// Where the line is in the body, without its newline and without leading blanks.
    package let range: Range<Int>
    /// The line's bytes; only the beginning if `isTruncated`.
    package let line: [UInt8]
    /// The line was too long to be echoed in full.
    package let isTruncated: Bool
    package let reason: LineErrorReason

    /// `unable to parse 'LINE': REASON`, as InfluxDB says it. Not necessarily UTF-8.
    package var message: [UInt8] {
        var text = Array("unable to parse '".utf8)
        text += line
        if isTruncated { text += Array("...".utf8) }
        text += Array("': ".utf8)
        let reason = reason.text
        if isTruncated && reason.count > LineError.longestReasonOfTruncatedLine {
            text += reason.prefix(LineError.longestReasonOfTruncatedLine) + Array("...".utf8)
        } else {
            text += reason
        }
        return text
    }

    /// Reasons can repeat a part of the line; where the line itself is cut, they are too. Bytes.
    private static let longestReasonOfTruncatedLine = 200
}
