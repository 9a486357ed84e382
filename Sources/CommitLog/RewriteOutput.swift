// Writes a segment anew: the records that stay, gaps for those that do not, and at the end who had what.

struct RewriteOutput {
    /// A group ends when it has as many.
    static let groupBytes: UInt64 = 64 << 10

    private let file: any File
    private let header: SegmentHeader
    private let context: SegmentContext
    private let memory = StagingMemory(capacity: 2 * Int(groupBytes))
    private var used = 0
    private var items = 0
    private var groups: UInt64 = 0
    /// Offset behind what was given.
    private(set) var next: Offset
    /// Of the group that is being filled.
    private var first: Offset
    private var gapStart: Offset?
    private(set) var position = RewriteHeader.contentStart
    private(set) var index: [SegmentWalk]
    private(set) var shares = SegmentShares()
    private(set) var leftOut = LeftOut()
    private(set) var stamp: UInt32 = 0

    init(file: any File, header: SegmentHeader) {
        self.file = file
        self.header = header
        context = SegmentContext(identity: header.identity, base: header.base)
        next = header.base
        first = header.base
        index = [SegmentWalk(position: RewriteHeader.contentStart, offset: header.base)]
    }

    /// - Parameter bytes: the record's, from its header on.
    mutating func keep(_ record: RecordHeader, _ bytes: UnsafeRawBufferPointer) throws(FileError) {
        closeGap()
        let size = record.bytesOnDisk
        reserve(size).copyMemory(from: Layout.slice(bytes, 0..<size))
        shares.note(record.replicaSet, offset: record.offset, bytes: size)
        next = record.offset.advanced(by: 1)
        if used >= Int(Self.groupBytes) { try endGroup() }
    }

    mutating func leaveOut(_ record: RecordHeader) {
        leftOut.note(record.replicaSet, offset: record.offset, bytes: record.bytesOnDisk)
        leaveOut(record.offset..<record.offset.advanced(by: 1))
    }

    /// What was left out before.
    mutating func leaveOut(_ gap: Range<Offset>) {
        gapStart = gapStart ?? gap.lowerBound
        next = gap.upperBound
    }

    mutating func knows(_ older: LeftOut) { leftOut.add(older) }

    /// Everything but the sync. Returns the bytes of the file.
    mutating func finish() throws(FileError) -> UInt64 {
        closeGap()
        try endGroup()
        let table = ShareTable.encode(shares, leftOut)
        let rewrite = table.withUnsafeBytes {
            RewriteHeader(
                end: next, tablePosition: position, rows: table.count / ShareTable.rowBytes,
                tableChecksum: Layout.crc32c(context.seed, $0))
        }
        try write(table, at: position)
        var head = [UInt8](repeating: 0, count: Int(RewriteHeader.contentStart))
        head.withUnsafeMutableBytes { bytes in
            header.encode(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<Layout.segmentHeaderBytes]))
            rewrite.encode(
                into: UnsafeMutableRawBufferPointer(rebasing: bytes[Layout.segmentHeaderBytes...]), context: context)
            stamp = SegmentFace.stamp(of: UnsafeRawBufferPointer(bytes))
        }
        try write(head, at: 0)
        return rewrite.fileBytes
    }

    private func write(_ bytes: [UInt8], at position: UInt64) throws(FileError) {
        let outcome = bytes.withUnsafeBytes { bytes in
            Result { () throws(FileError) in try file.write(at: position, [bytes]) }
        }
        try outcome.get()
    }

    private mutating func reserve(_ size: Int) -> UnsafeMutableRawBufferPointer {
        if memory.bytes.count < used + size { memory.grow(to: used + size, keeping: used) }
        defer {
            used += size
            items += 1
        }
        return UnsafeMutableRawBufferPointer(rebasing: memory.bytes[used..<used + size])
    }

    private mutating func closeGap() {
        guard let start = gapStart else { return }
        GapHeader.encode(start..<next, into: reserve(Layout.recordHeaderBytes))
        gapStart = nil
    }

    private mutating func endGroup() throws(FileError) {
        guard used > 0 else { return }
        groups += 1
        let mark = GroupMark(
            epoch: header.epoch, number: groups, durableEnd: first, recordCount: UInt32(items),
            bytes: UInt64(Layout.groupMarkBytes + used), time: 0)
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: Layout.groupMarkBytes, alignment: 8)
        defer { head.deallocate() }
        let seed = mark.encode(into: head, context: context)
        var place = 0
        while place < used {
            let bytes = UnsafeRawBufferPointer(memory.bytes)
            let offset = Offset(Layout.integer(bytes, place + 8, UInt64.self))
            RecordHeader.finish(memory.bytes, at: place, offset: offset, seed: seed)
            place += RecordHeader.staged(bytes, at: place).bytes
        }
        try file.write(
            at: position, [UnsafeRawBufferPointer(head), Layout.slice(UnsafeRawBufferPointer(memory.bytes), 0..<used)])
        if let last = index.last, position >= last.position + SegmentTable.indexStride {
            index.append(SegmentWalk(position: position, offset: first))
        }
        position += mark.bytes
        first = next
        used = 0
        items = 0
    }
}
