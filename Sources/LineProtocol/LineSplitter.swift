// Finds where a line ends. Newlines can be data: inside a quoted field value, or after a backslash.

/// InfluxDB's rule for the end of a line, as a state that can be resumed when more bytes have arrived.
///
/// A backslash hides the byte after it. After the first space that is not hidden, a quote that stands in value position
/// (more `=` than `,` so far) opens or closes a quoted value, and in it a newline is data. That this is not the same
/// rule as that of the grammar for measurements, tags and fields is a fact of InfluxDB, and the two must stay apart.
struct LineSplitter {
    enum Outcome {
        /// `index` is at the newline that ends the line, or behind the last byte of the body.
        case lineEnd
        case needsMoreBytes
        /// `index` has reached the given limit.
        case paused
    }

    /// What follows the bytes at hand.
    enum Continuation {
        case unknown
        case nothing
        /// Another line will stand behind this one, whatever it is.
        case anotherLine
    }

    private(set) var index: Int
    private var isQuoted = false
    private var isInFields = false
    private var isInValue: Bool { equals > commas }
    private var equals = 0
    private var commas = 0

    init(at start: Int) {
        index = start
    }

    /// Goes on up to `bytes[count]`, or a little beyond `limit`.
    mutating func advance(
        _ bytes: UnsafePointer<UInt8>, count: Int, followedBy continuation: Continuation, limit: Int = .max
    ) -> Outcome {
        while index < count {
            if index >= limit { return .paused }
            switch bytes[index] {
            case Byte.backslash:
                // InfluxDB hides the next byte only if there is one more behind it.
                if index + 2 < count || continuation == .anotherLine {
                    index += 2
                } else if continuation == .unknown {
                    return .needsMoreBytes
                } else {
                    index += 1
                }
                continue
            case Byte.space:
                isInFields = true
            case Byte.equals where isInFields && !isQuoted:
                equals += 1
            case Byte.comma where isInFields && !isQuoted:
                commas += 1
            case Byte.quote where isInFields && isInValue:
                isQuoted.toggle()
            case Byte.newline where !isQuoted:
                return .lineEnd
            default:
                break
            }
            index += 1
        }
        return continuation == .unknown ? .needsMoreBytes : .lineEnd
    }

    /// Whether `bytes[range]` plus a newline is one line wherever it stands, whatever follows.
    static func isSelfContained(_ bytes: UnsafePointer<UInt8>, _ range: Range<Int>) -> Bool {
        var splitter = LineSplitter(at: range.lowerBound)
        let outcome = splitter.advance(bytes, count: range.upperBound, followedBy: .anotherLine)
        return outcome == .lineEnd && splitter.index == range.upperBound && !splitter.isQuoted
    }
}
