// Points as lines, byte for byte as InfluxDB itself writes a point down (`NewPoint` of its models package), so that what
// it computed and what it is sent again are one and the same point.

/// Collects lines. Names are escaped once per series and column, values as they come:
///
///     var writer = LineWriter()
///     let series = LineWriter.series("cpu".utf8, tags: [(key: Array("host".utf8), value: Array("a".utf8))])
///     writer.begin(series)
///     writer.field(LineWriter.fieldKey("idle".utf8), 1.5)
///     writer.end(time: 1_700_000_000_000_000_000)
///     // cpu,host=a idle=1.5 1700000000000000000
package struct LineWriter: Sendable {
    /// All complete lines, each with its `\n`, and what there is of the one that was begun.
    package private(set) var bytes: [UInt8] = []
    package private(set) var lines = 0
    private var start = 0
    private var hasFields = false

    package init() {}

    package var isEmpty: Bool { lines == 0 }

    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        lines = 0
        start = 0
    }

    // MARK: A line

    /// - Parameter series: as ``series(_:tags:)`` writes it.
    package mutating func begin(_ series: [UInt8]) {
        start = bytes.count
        hasFields = false
        bytes += series
    }

    /// - Parameter key: as ``fieldKey(_:)`` writes it.
    package mutating func field(_ key: [UInt8], _ value: Double) {
        beginField(key)
        bytes += "\(value)".utf8
    }

    package mutating func field(_ key: [UInt8], _ value: Int64) {
        beginField(key)
        bytes += "\(value)".utf8
        bytes.append(Byte.i)
    }

    package mutating func field(_ key: [UInt8], _ value: Bool) {
        beginField(key)
        bytes.append(value ? UInt8(ascii: "t") : UInt8(ascii: "f"))
    }

    /// Any bytes.
    package mutating func field(_ key: [UInt8], _ value: ArraySlice<UInt8>) {
        beginField(key)
        bytes.append(Byte.quote)
        for byte in value {
            if byte == Byte.quote || byte == Byte.backslash { bytes.append(Byte.backslash) }
            bytes.append(byte)
        }
        bytes.append(Byte.quote)
    }

    private mutating func beginField(_ key: [UInt8]) {
        bytes.append(hasFields ? Byte.comma : Byte.space)
        hasFields = true
        bytes += key
    }

    /// - Parameter time: in nanoseconds.
    /// - Returns: false: the line has no field, and was taken back.
    @discardableResult
    package mutating func end(time: Int64) -> Bool {
        guard hasFields else {
            takeBack()
            return false
        }
        bytes.append(Byte.space)
        bytes += "\(time)".utf8
        bytes.append(Byte.newline)
        lines += 1
        return true
    }

    /// The line that was begun is none.
    package mutating func takeBack() { bytes.removeSubrange(start...) }

    // MARK: Names

    /// Measurement and tags, escaped and in order. Tags without a value are left out, as InfluxDB does it.
    /// - Returns: nil: line protocol cannot say one of the names.
    package static func series(
        _ measurement: some Collection<UInt8>, tags: [(key: [UInt8], value: [UInt8])]
    ) -> [UInt8]? {
        guard var result = escapedMeasurement(Array(measurement)) else { return nil }
        for tag in tags.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) where !tag.value.isEmpty {
            guard !tag.key.isEmpty, canEnd(tag.key), canEnd(tag.value) else { return nil }
            result.append(Byte.comma)
            escape(tag.key, [Byte.comma, Byte.equals, Byte.space], into: &result)
            result.append(Byte.equals)
            escape(tag.value, [Byte.comma, Byte.equals, Byte.space], into: &result)
        }
        return result
    }

    /// The key and its `=`.
    /// - Returns: nil: line protocol cannot say it.
    package static func fieldKey(_ name: some Collection<UInt8>) -> [UInt8]? {
        let name = Array(name)
        guard !name.isEmpty, canEnd(name) else { return nil }
        var result: [UInt8] = []
        escape(name, [Byte.comma, Byte.equals, Byte.space, Byte.quote], into: &result)
        result.append(Byte.equals)
        return result
    }

    /// InfluxDB takes escapes in a measurement's name for such, and writes them anew.
    private static func escapedMeasurement(_ name: [UInt8]) -> [UInt8]? {
        guard let first = name.first, canEnd(name), first != Byte.hash, first == Byte.space || !Byte.isBlank(first),
            first != Byte.newline
        else { return nil }
        var plain: [UInt8] = []
        for (index, byte) in name.enumerated() {
            let isEscape =
                byte == Byte.backslash && index + 1 < name.count
                && (name[index + 1] == Byte.comma || name[index + 1] == Byte.space)
            if !isEscape { plain.append(byte) }
        }
        var result: [UInt8] = []
        escape(plain, [Byte.comma, Byte.space], into: &result)
        return result
    }

    /// A backslash at the end of a name would escape what stands behind it, and newlines end lines.
    private static func canEnd(_ name: [UInt8]) -> Bool {
        name.last != Byte.backslash && !name.contains(Byte.newline)
    }

    private static func escape(_ name: [UInt8], _ special: [UInt8], into result: inout [UInt8]) {
        for byte in name {
            if special.contains(byte) { result.append(Byte.backslash) }
            result.append(byte)
        }
    }
}
