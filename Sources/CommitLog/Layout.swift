// The bytes on disk: segment header, group mark, record header. Little-endian; each has a checksum whose seed ties
// it to its log, its segment and its group, so that nothing else that ever lay at the same place can pass for it.

import CPlatform

/// What ties files to one log: the public id, and a number that never leaves the folder, so that no client can put
/// a counterfeit mark into a payload.
package struct LogIdentity: Hashable, Sendable {
    package let id: LogID
    /// Never 0: zeroes are what an unwritten file is made of.
    package let secret: UInt64

    package init(id: LogID, secret: UInt64) {
        self.id = id
        self.secret = secret
    }

    package static func random() -> LogIdentity {
        LogIdentity(id: .random(), secret: .random(in: 1 ... .max))
    }
}

enum Layout {
    static let formatVersion: UInt32 = 1
    /// Of rewritten segments (RewrittenLayout.swift).
    static let rewrittenVersion: UInt32 = 2
    static let segmentHeaderBytes = 64
    static let groupMarkBytes = 64
    static let recordHeaderBytes = 32

    /// Bytes of a record on disk: header and body, padded to 8, so that marks are always aligned.
    static func recordBytes(body: Int) -> Int {
        recordHeaderBytes + (body + 7) & ~7
    }

    static func crc32c(_ seed: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        cplatform_crc32c(seed, bytes.baseAddress, bytes.count)
    }

    /// A slice as a buffer that starts at 0.
    static func slice(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    static func integer<T: FixedWidthInteger>(_ bytes: UnsafeRawBufferPointer, _ position: Int, _ type: T.Type) -> T {
        T(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: T.self))
    }

    static func store(_ value: some FixedWidthInteger, _ bytes: UnsafeMutableRawBufferPointer, _ position: Int) {
        bytes.storeBytes(of: value.littleEndian, toByteOffset: position, as: type(of: value))
    }
}

/// The first 64 bytes of a segment file:
/// magic (8), format version (4), CRC of all but itself (4), log id (16), secret (8), epoch (8), base (8),
/// base of the segment before, or all ones (8).
struct SegmentHeader: Equatable, Sendable {
    static let magic: UInt64 = 0x474f_4c45_4349_554c  // "LUICELOG"

    let identity: LogIdentity
    /// In which the segment was begun.
    let epoch: UInt64
    /// Offset of the first record.
    let base: Offset
    /// Lets recovery notice that a whole file is missing.
    let previousBase: Offset?
    /// It holds gaps, and more of a header follows.
    let isRewritten: Bool

    enum Problem: Error, Equatable {
        case damaged
        case unsupported(version: UInt32)
    }

    func encode(into bytes: UnsafeMutableRawBufferPointer) {
        Layout.store(Self.magic, bytes, 0)
        Layout.store(isRewritten ? Layout.rewrittenVersion : Layout.formatVersion, bytes, 8)
        Layout.store(UInt32(0), bytes, 12)
        Layout.store(identity.id.high, bytes, 16)
        Layout.store(identity.id.low, bytes, 24)
        Layout.store(identity.secret, bytes, 32)
        Layout.store(epoch, bytes, 40)
        Layout.store(base.rawValue, bytes, 48)
        Layout.store(previousBase?.rawValue ?? .max, bytes, 56)
        Layout.store(Self.checksum(UnsafeRawBufferPointer(bytes)), bytes, 12)
    }

    init(identity: LogIdentity, epoch: UInt64, base: Offset, previousBase: Offset?, isRewritten: Bool = false) {
        self.identity = identity
        self.epoch = epoch
        self.base = base
        self.previousBase = previousBase
        self.isRewritten = isRewritten
    }

    init(decoding bytes: UnsafeRawBufferPointer) throws(Problem) {
        guard bytes.count >= Layout.segmentHeaderBytes, Layout.integer(bytes, 0, UInt64.self) == Self.magic,
            Layout.integer(bytes, 12, UInt32.self) == Self.checksum(bytes)
        else { throw .damaged }
        let version = Layout.integer(bytes, 8, UInt32.self)
        guard version == Layout.formatVersion || version == Layout.rewrittenVersion else {
            throw .unsupported(version: version)
        }
        isRewritten = version == Layout.rewrittenVersion
        identity = LogIdentity(
            id: LogID(high: Layout.integer(bytes, 16, UInt64.self), low: Layout.integer(bytes, 24, UInt64.self)),
            secret: Layout.integer(bytes, 32, UInt64.self))
        epoch = Layout.integer(bytes, 40, UInt64.self)
        base = Offset(Layout.integer(bytes, 48, UInt64.self))
        let previous = Layout.integer(bytes, 56, UInt64.self)
        previousBase = previous == .max ? nil : Offset(previous)
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        Layout.crc32c(Layout.crc32c(0, Layout.slice(bytes, 0..<12)), Layout.slice(bytes, 16..<64))
    }
}

/// What a segment's marks are tied to.
package struct SegmentContext: Equatable, Sendable {
    package let secret: UInt64
    package let seed: UInt32

    package init(identity: LogIdentity, base: Offset) {
        secret = identity.secret
        let words = [identity.id.high.littleEndian, identity.id.low.littleEndian, base.rawValue.littleEndian]
        seed = words.withUnsafeBytes { Layout.crc32c(0, $0) }
    }
}

/// The 64 bytes before each group: the log's secret (8), CRC of what follows (4), record count (4), epoch (8),
/// number of the group within its epoch (8), durable end (8), bytes of the group with this mark (8), wall-clock
/// nanoseconds (8), zero (8).
///
/// The durable end is the one at the time of writing, and as there is one group in flight it is also the offset of
/// the group's first record. The mark's presence proves that everything below it was durable.
package struct GroupMark: Equatable, Sendable {
    package let epoch: UInt64
    package let number: UInt64
    package let durableEnd: Offset
    package let recordCount: UInt32
    package let bytes: UInt64
    package let time: Int64

    /// Returns the mark's checksum, which seeds those of the group's records.
    package func encode(into bytes: UnsafeMutableRawBufferPointer, context: SegmentContext) -> UInt32 {
        Layout.store(context.secret, bytes, 0)
        Layout.store(recordCount, bytes, 12)
        Layout.store(epoch, bytes, 16)
        Layout.store(number, bytes, 24)
        Layout.store(durableEnd.rawValue, bytes, 32)
        Layout.store(self.bytes, bytes, 40)
        Layout.store(time, bytes, 48)
        Layout.store(UInt64(0), bytes, 56)
        let checksum = Layout.crc32c(context.seed, Layout.slice(UnsafeRawBufferPointer(bytes), 12..<64))
        Layout.store(checksum, bytes, 8)
        return checksum
    }

    /// Nil if the bytes are not a mark of this segment.
    package static func decode(_ bytes: UnsafeRawBufferPointer, context: SegmentContext) -> (
        mark: GroupMark, seed: UInt32
    )? {
        guard bytes.count >= Layout.groupMarkBytes, Layout.integer(bytes, 0, UInt64.self) == context.secret else {
            return nil
        }
        let checksum = Layout.integer(bytes, 8, UInt32.self)
        guard checksum == Layout.crc32c(context.seed, Layout.slice(bytes, 12..<64)) else { return nil }
        let mark = GroupMark(
            epoch: Layout.integer(bytes, 16, UInt64.self), number: Layout.integer(bytes, 24, UInt64.self),
            durableEnd: Offset(Layout.integer(bytes, 32, UInt64.self)),
            recordCount: Layout.integer(bytes, 12, UInt32.self), bytes: Layout.integer(bytes, 40, UInt64.self),
            time: Layout.integer(bytes, 48, Int64.self))
        return (mark, checksum)
    }

    package init(epoch: UInt64, number: UInt64, durableEnd: Offset, recordCount: UInt32, bytes: UInt64, time: Int64) {
        self.epoch = epoch
        self.number = number
        self.durableEnd = durableEnd
        self.recordCount = recordCount
        self.bytes = bytes
        self.time = time
    }
}

/// The 32 bytes before each body: CRC of what follows, seeded by the group (4), body bytes (4), offset (8),
/// wall-clock nanoseconds (8), replica set (2), kind (1), flags (1), CRC of the body (4).
///
/// The appender writes all but offset and checksum, which are known only when the group is formed.
package struct RecordHeader: Equatable, Sendable {
    package static let endsEntryFlag: UInt8 = 1

    package let bodyBytes: UInt32
    package let offset: Offset
    package let time: Int64
    package let replicaSet: UInt16
    package let kind: RecordKind
    package let endsEntry: Bool
    package let bodyChecksum: UInt32

    package var bytesOnDisk: Int {
        Layout.recordBytes(body: Int(bodyBytes))
    }

    /// The appender's part.
    package static func stage(
        into bytes: UnsafeMutableRawBufferPointer, bodyBytes: Int, time: Int64, replicaSet: UInt16, kind: RecordKind,
        endsEntry: Bool, bodyChecksum: UInt32
    ) {
        Layout.store(UInt32(0), bytes, 0)
        Layout.store(UInt32(bodyBytes), bytes, 4)
        Layout.store(UInt64(0), bytes, 8)
        Layout.store(time, bytes, 16)
        Layout.store(replicaSet, bytes, 24)
        Layout.store(kind.rawValue, bytes, 26)
        Layout.store(endsEntry ? endsEntryFlag : 0, bytes, 27)
        Layout.store(bodyChecksum, bytes, 28)
    }

    /// Bytes on disk of a staged record, and whether it ends its entry.
    package static func staged(_ bytes: UnsafeRawBufferPointer, at position: Int) -> (bytes: Int, endsEntry: Bool) {
        (
            Layout.recordBytes(body: Int(Layout.integer(bytes, position + 4, UInt32.self))),
            bytes[position + 27] & endsEntryFlag != 0
        )
    }

    static func stagedReplicaSet(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt16 {
        Layout.integer(bytes, position + 24, UInt16.self)
    }

    /// The group's part.
    package static func finish(_ bytes: UnsafeMutableRawBufferPointer, at position: Int, offset: Offset, seed: UInt32) {
        Layout.store(offset.rawValue, bytes, position + 8)
        let range = position + 4..<position + Layout.recordHeaderBytes
        Layout.store(Layout.crc32c(seed, Layout.slice(UnsafeRawBufferPointer(bytes), range)), bytes, position)
    }

    /// Nil if the bytes are not the header of the record with this offset in this group.
    package init?(decoding bytes: UnsafeRawBufferPointer, offset: Offset, seed: UInt32) {
        guard Layout.integer(bytes, 8, UInt64.self) == offset.rawValue,
            Layout.integer(bytes, 0, UInt32.self)
                == Layout.crc32c(seed, Layout.slice(bytes, 4..<Layout.recordHeaderBytes)),
            let kind = RecordKind(rawValue: bytes[26])
        else { return nil }
        bodyBytes = Layout.integer(bytes, 4, UInt32.self)
        self.offset = offset
        time = Layout.integer(bytes, 16, Int64.self)
        replicaSet = Layout.integer(bytes, 24, UInt16.self)
        self.kind = kind
        endsEntry = bytes[27] & Self.endsEntryFlag != 0
        bodyChecksum = Layout.integer(bytes, 28, UInt32.self)
    }

    package func matches(body: UnsafeRawBufferPointer) -> Bool {
        Layout.crc32c(0, body) == bodyChecksum
    }
}
