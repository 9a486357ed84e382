// A node's final no to some lines of an earlier record: nodes that come later do not get these lines, and the
// dead-letter index is built from it.

/// Body: version (1), precision (1; 255: not known), target offset (8), total refused (4), node, database, retention policy, reason
/// (each: length (4), UTF-8), count (4) and names of the nodes that refused, count (4) and ranges of refused line
/// numbers (each: first (4), end (4)), count (4) and texts of lines (each: number (4), length (4), bytes).
package struct RefusalRecord: RecordBody, Equatable, Sendable {
    package static var kind: RecordKind { .refusal }
    private static let unknownPrecision: UInt8 = 255

    package struct Line: Equatable, Sendable {
        /// Counted from 0 among the lines of the target record's payload.
        package var number: UInt32
        /// The line as it was sent, without `\n`. Bytes that are not UTF-8 were replaced by the caller.
        package var text: String

        package init(number: UInt32, text: String) {
            self.number = number
            self.text = text
        }
    }

    /// The record whose lines were refused.
    package var target: Offset
    /// Empty: the whole set refused them, and no node gets them any more. Else the one node that refused what another
    /// took.
    package var node: String
    /// The nodes that refused them.
    package var refusedBy: [String]
    package var database: String
    /// Empty: the database's default policy.
    package var retentionPolicy: String
    /// The unit of the lines' times, as in ``PointsRecord/Head``; nil in records of version 1, which lack it.
    package var precision: UInt8?
    /// The words of the first of these nodes.
    package var reason: String
    /// The numbers of all refused lines, ascending, without overlaps.
    package var ranges: [Range<UInt32>]
    /// The text of refused lines; bounded by the caller, so there may be fewer than ``totalRefused``.
    package var lines: [Line]
    package var totalRefused: UInt32

    package init(
        target: Offset, node: String, refusedBy: [String] = [], database: String, retentionPolicy: String = "",
        precision: UInt8? = nil, reason: String, ranges: [Range<UInt32>] = [], lines: [Line], totalRefused: UInt32
    ) {
        self.target = target
        self.node = node
        self.refusedBy = refusedBy
        self.database = database
        self.retentionPolicy = retentionPolicy
        self.precision = precision
        self.reason = reason
        self.ranges = ranges
        self.lines = lines
        self.totalRefused = totalRefused
    }

    package var encodedSize: Int {
        1 + 1 + 8 + 4 + [node, database, retentionPolicy, reason].reduce(0) { $0 + FieldWriter.size(of: $1) }
            + 4 + refusedBy.reduce(0) { $0 + FieldWriter.size(of: $1) } + 4 + ranges.count * 8
            + 4 + lines.reduce(0) { $0 + 4 + FieldWriter.size(of: $1.text) }
    }

    package func encode(into buffer: UnsafeMutableRawBufferPointer) {
        var writer = FieldWriter(buffer)
        writer.integer(UInt8(2))
        writer.integer(precision ?? Self.unknownPrecision)
        writer.integer(target.rawValue)
        writer.integer(totalRefused)
        for text in [node, database, retentionPolicy, reason] { writer.text(text) }
        writer.integer(UInt32(refusedBy.count))
        for name in refusedBy { writer.text(name) }
        writer.integer(UInt32(ranges.count))
        for range in ranges {
            writer.integer(range.lowerBound)
            writer.integer(range.upperBound)
        }
        writer.integer(UInt32(lines.count))
        for line in lines {
            writer.integer(line.number)
            writer.text(line.text)
        }
        writer.end()
    }

    package init(decoding body: UnsafeRawBufferPointer) throws(RecordFormatError) {
        var reader = FieldReader(body, kind: .refusal)
        let version = try reader.version(upTo: 2)
        let code = version > 1 ? try reader.integer(UInt8.self) : Self.unknownPrecision
        precision = code == Self.unknownPrecision ? nil : code
        target = Offset(try reader.integer(UInt64.self))
        totalRefused = try reader.integer(UInt32.self)
        let countOfFirstVersion = version == 1 ? try reader.integer(UInt32.self) : 0
        node = try reader.text()
        database = try reader.text()
        retentionPolicy = version > 1 ? try reader.text() : ""
        reason = try reader.text()
        refusedBy = []
        ranges = []
        var count = countOfFirstVersion
        if version > 1 {
            for _ in 0..<(try reader.integer(UInt32.self)) { refusedBy.append(try reader.text()) }
            for _ in 0..<(try reader.integer(UInt32.self)) {
                let first = try reader.integer(UInt32.self)
                let end = try reader.integer(UInt32.self)
                guard first <= end else { throw reader.fail("a range of lines ends before it begins") }
                ranges.append(first..<end)
            }
            count = try reader.integer(UInt32.self)
        } else {
            refusedBy = [node]
        }
        lines = []
        // A line takes 8 bytes at least, so a wild count cannot make this reserve wildly.
        lines.reserveCapacity(min(Int(count), body.count / 8))
        for _ in 0..<count {
            let number = try reader.integer(UInt32.self)
            lines.append(Line(number: number, text: try reader.text()))
        }
        try reader.end()
    }
}
