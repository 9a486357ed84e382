// What a good line says: measurement, tags, fields and their types, time. For the rare path where a node has refused
// lines and they are looked for by its words.

/// The parts of one line, as ranges of its bytes; escapes stay in.
package struct LineParts: Equatable, Sendable {
    package enum FieldType: String, Equatable, Sendable {
        // The words that InfluxDB uses in its errors.
        case float, integer, string, boolean
    }

    package struct Tag: Equatable, Sendable {
        package var key: Range<Int>
        package var value: Range<Int>
    }

    package struct Field: Equatable, Sendable {
        package var key: Range<Int>
        package var type: FieldType
    }

    package var measurement: Range<Int>
    package var tags: [Tag] = []
    package var fields: [Field] = []
    /// In the precision of the write.
    package var time: Int64?

    /// `time` in nanoseconds; nil: there is none, or it is beyond what 64 bits hold.
    package func nanoseconds(_ precision: Precision) -> Int64? {
        guard let (nanoseconds, overflow) = time?.multipliedReportingOverflow(by: precision.nanoseconds), !overflow
        else { return nil }
        return nanoseconds
    }

    /// - Parameter line: A good line, as `PayloadLines` yields it.
    package init(_ line: UnsafeRawBufferPointer) {
        measurement = MeasurementName.range(inLine: line)
        var i = measurement.upperBound
        while i < line.count, line[i] == Byte.comma {
            let key = i + 1..<Self.end(in: line, from: i + 1) { $0 == Byte.equals }
            let value =
                min(
                    key.upperBound + 1, line.count)..<Self.end(in: line, from: key.upperBound + 1) {
                    $0 == Byte.comma || $0 == Byte.space
                }
            tags.append(Tag(key: key, value: value))
            i = value.upperBound
        }
        let start = measurement.lowerBound
        guard let bytes = line.baseAddress?.assumingMemoryBound(to: UInt8.self),
            let point = try? LineGrammar(bytes + start, count: line.count - start, precision: .nanoseconds).parse()
        else { return }
        i = start + point.fields.upperBound
        readFields(of: line, in: start + point.fields.lowerBound..<i)
        while i < line.count, Byte.isBlank(line[i]) { i += 1 }
        var end = i
        while end < line.count, line[end] != Byte.space, line[end] != Byte.newline { end += 1 }
        time = Int64(String(decoding: line[i..<end], as: UTF8.self))
    }

    /// The first place from `start` on where `stops` holds and no backslash stands before it.
    private static func end(
        in line: UnsafeRawBufferPointer, from start: Int, _ stops: (UInt8) -> Bool
    ) -> Int {
        var i = min(start, line.count)
        while i < line.count, !(stops(line[i]) && (i == start || line[i - 1] != Byte.backslash)) { i += 1 }
        return i
    }

    /// Where the fields end is for the grammar to say; which they are goes by the rules of InfluxDB's storage.
    private mutating func readFields(of line: UnsafeRawBufferPointer, in fields: Range<Int>) {
        var i = fields.lowerBound
        while i < fields.upperBound {
            let key = i..<min(Self.end(in: line, from: i) { $0 == Byte.equals }, fields.upperBound)
            let valueStart = min(key.upperBound + 1, fields.upperBound)
            i = valueStart
            var isQuoted = false
            value: while i < fields.upperBound {
                switch line[i] {
                case Byte.backslash
                where i + 1 < fields.upperBound && (line[i + 1] == Byte.quote || line[i + 1] == Byte.backslash):
                    i += 1
                case Byte.quote: isQuoted.toggle()
                case Byte.comma where !isQuoted: break value
                default: break
                }
                i += 1
            }
            self.fields.append(Field(key: key, type: Self.type(of: line, valueStart..<i)))
            i += 1
        }
    }

    private static func type(of line: UnsafeRawBufferPointer, _ value: Range<Int>) -> FieldType {
        guard let first = value.first.map({ line[$0] }) else { return .boolean }
        switch first {
        case Byte.quote: return .string
        case Byte.zero...Byte.nine, Byte.minus, Byte.dot:
            return line[value.upperBound - 1] == Byte.i ? .integer : .float
        default: return .boolean
        }
    }
}
