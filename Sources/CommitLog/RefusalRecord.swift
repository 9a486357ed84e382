// A node's final no to some lines of an earlier record: nodes that come later do not get these lines, and the
// dead-letter index is built from it.

/// Body: version (1), target offset (8), total refused (4), line count (4), node, database, reason (each: length (4),
/// UTF-8), then per line: number (4), length (4), bytes. Version 2 has retention policy (as the other texts) and
/// precision (1; 255: not known) between the reason and the lines.
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
    /// Empty: all in-sync nodes of the set refused the lines.
    package var node: String
    package var database: String
    /// Where the target's points were to go, as in ``PointsRecord/Head``; empty: the default policy.
    package var retentionPolicy: String
    /// The unit of the lines' timestamps, as in ``PointsRecord/Head``; nil in records of version 1, which lack it.
    package var precision: UInt8?
    /// The node's own words.
    package var reason: String
    /// The refused lines; bounded by the caller, so there may be fewer than ``totalRefused``.
    package var lines: [Line]
    package var totalRefused: UInt32

    package init(
        target: Offset, node: String, database: String, retentionPolicy: String = "", precision: UInt8? = nil,
        reason: String, lines: [Line], totalRefused: UInt32
    ) {
        self.target = target
        self.node = node
        self.database = database
        self.retentionPolicy = retentionPolicy
        self.precision = precision
        self.reason = reason
        self.lines = lines
        self.totalRefused = totalRefused
    }

    package var encodedSize: Int {
        1 + 8 + 4 + 4 + FieldWriter.size(of: node) + FieldWriter.size(of: database) + FieldWriter.size(of: reason)
            + FieldWriter.size(of: retentionPolicy) + 1
            + lines.reduce(0) { $0 + 4 + FieldWriter.size(of: $1.text) }
    }

    package func encode(into buffer: UnsafeMutableRawBufferPointer) {
        var writer = FieldWriter(buffer)
        writer.integer(UInt8(2))
        writer.integer(target.rawValue)
        writer.integer(totalRefused)
        writer.integer(UInt32(lines.count))
        writer.text(node)
        writer.text(database)
        writer.text(reason)
        writer.text(retentionPolicy)
        writer.integer(precision ?? Self.unknownPrecision)
        for line in lines {
            writer.integer(line.number)
            writer.text(line.text)
        }
        writer.end()
    }

    package init(decoding body: UnsafeRawBufferPointer) throws(RecordFormatError) {
        var reader = FieldReader(body, kind: .refusal)
        let version = try reader.version(upTo: 2)
        target = Offset(try reader.integer(UInt64.self))
        totalRefused = try reader.integer(UInt32.self)
        let count = Int(try reader.integer(UInt32.self))
        node = try reader.text()
        database = try reader.text()
        reason = try reader.text()
        retentionPolicy = ""
        if version >= 2 {
            retentionPolicy = try reader.text()
            let raw = try reader.integer(UInt8.self)
            precision = raw == Self.unknownPrecision ? nil : raw
        }
        lines = []
        // A line takes 8 bytes at least, so a wild count cannot make this reserve wildly.
        lines.reserveCapacity(min(count, body.count / 8))
        for _ in 0..<count {
            let number = try reader.integer(UInt32.self)
            lines.append(Line(number: number, text: try reader.text()))
        }
        try reader.end()
    }
}
