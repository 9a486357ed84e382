// The bytes that only rewritten segments have: a second part of the header, gaps in place of runs of records, and a table
// at the end that says who had what.
//
//     rewritten segment = header (64, version 2) second part (64) group group ... table
//     group             = mark (64) item item ...
//     item              = record | gap (32)
//     table             = row (64) per replica set

/// Bytes 64 to 128 of a rewritten segment: CRC of what follows, seeded by the segment (4), rows of the table (4), offset
/// behind the last record or gap (8), position of the table (8), CRC of the table (4), zeroes.
struct RewriteHeader: Equatable, Sendable {
    static let bytes = 64
    /// Where the first group lies.
    static let contentStart = UInt64(Layout.segmentHeaderBytes + bytes)

    /// Offset behind the segment. Segments that begin below it are leftovers of those that went into this one.
    let end: Offset
    let tablePosition: UInt64
    let rows: Int
    let tableChecksum: UInt32

    var fileBytes: UInt64 { tablePosition + UInt64(rows * ShareTable.rowBytes) }

    init(end: Offset, tablePosition: UInt64, rows: Int, tableChecksum: UInt32) {
        self.end = end
        self.tablePosition = tablePosition
        self.rows = rows
        self.tableChecksum = tableChecksum
    }

    func encode(into bytes: UnsafeMutableRawBufferPointer, context: SegmentContext) {
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        Layout.store(UInt32(rows), bytes, 4)
        Layout.store(end.rawValue, bytes, 8)
        Layout.store(tablePosition, bytes, 16)
        Layout.store(tableChecksum, bytes, 24)
        let covered = Layout.slice(UnsafeRawBufferPointer(bytes), 4..<Self.bytes)
        Layout.store(Layout.crc32c(context.seed, covered), bytes, 0)
    }

    /// Nil: damaged.
    init?(decoding bytes: UnsafeRawBufferPointer, context: SegmentContext) {
        guard bytes.count >= Self.bytes,
            Layout.integer(bytes, 0, UInt32.self)
                == Layout.crc32c(context.seed, Layout.slice(bytes, 4..<Self.bytes))
        else { return nil }
        rows = Int(Layout.integer(bytes, 4, UInt32.self))
        end = Offset(Layout.integer(bytes, 8, UInt64.self))
        tablePosition = Layout.integer(bytes, 16, UInt64.self)
        tableChecksum = Layout.integer(bytes, 24, UInt32.self)
    }
}

/// In the place of a record: the header of one, with kind 255, no body, and for its time the offset behind the gap.
enum GapHeader {
    static let kind: UInt8 = 255

    static func encode(_ gap: Range<Offset>, into bytes: UnsafeMutableRawBufferPointer) {
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        Layout.store(gap.lowerBound.rawValue, bytes, 8)
        Layout.store(gap.upperBound.rawValue, bytes, 16)
        Layout.store(kind, bytes, 26)
    }

    /// Nil if the bytes are not a gap that begins at this offset, in this group.
    static func decode(_ bytes: UnsafeRawBufferPointer, offset: Offset, seed: UInt32) -> Range<Offset>? {
        guard bytes[26] == kind, Layout.integer(bytes, 8, UInt64.self) == offset.rawValue,
            Layout.integer(bytes, 0, UInt32.self)
                == Layout.crc32c(seed, Layout.slice(bytes, 4..<Layout.recordHeaderBytes))
        else { return nil }
        let end = Offset(Layout.integer(bytes, 16, UInt64.self))
        return end > offset ? offset..<end : nil
    }
}

/// A row: replica set (2), zeroes (6); of the records that are here: count (8), bytes (8), first (8), last (8); of those
/// that were left out: count (8), bytes (8), last (8).
enum ShareTable {
    static let rowBytes = 64

    static func encode(_ shares: SegmentShares, _ leftOut: LeftOut) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        for set in Set(shares.sets.keys).union(leftOut.sets.keys).sorted() {
            append(UInt64(set))
            let here = shares.sets[set]
            append(here?.records ?? 0)
            append(here?.bytes ?? 0)
            append(here?.first.rawValue ?? 0)
            append(here?.last.rawValue ?? 0)
            let left = leftOut.sets[set]
            append(left?.count ?? 0)
            append(left?.bytes ?? 0)
            append(left?.last.rawValue ?? 0)
        }
        if leftOut.isUnknown {
            // A row of a set that cannot be: the knowledge was lost before.
            append(UInt64.max)
            for _ in 1..<8 { append(UInt64(0)) }
        }
        return bytes
    }

    /// The caller has checked the checksum.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> (shares: SegmentShares, leftOut: LeftOut) {
        var here: [UInt16: SetShare] = [:]
        var left: [UInt16: LeftOut.Records] = [:]
        var isUnknown = false
        for row in stride(from: 0, to: bytes.count - rowBytes + 1, by: rowBytes) {
            func field(_ number: Int) -> UInt64 { Layout.integer(bytes, row + 8 * number, UInt64.self) }
            guard let set = UInt16(exactly: field(0)) else {
                isUnknown = true
                continue
            }
            if field(1) > 0 {
                here[set] = SetShare(
                    records: field(1), bytes: field(2), first: Offset(field(3)), last: Offset(field(4)))
            }
            if field(5) > 0 {
                left[set] = LeftOut.Records(count: field(5), bytes: field(6), last: Offset(field(7)))
            }
        }
        return (SegmentShares(here), LeftOut(left, isUnknown: isUnknown))
    }
}
