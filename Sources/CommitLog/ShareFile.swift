// What is in passed segments by replica set, kept in a file of its own, so that a large log need not be read through
// after each start. It is worth nothing by itself: what is missing, old or damaged is found out again.

/// Magic (8), format version (4), CRC of what follows (4), log id (16), count (4), zero (4), then per segment: base (8), end
/// (8), bytes of its rows (8), rows as at the end of a rewritten segment (RewrittenLayout.swift).
struct ShareFile {
    static let magic: UInt64 = 0x4853_4c45_4349_554c  // "LUICELSH"
    static let formatVersion: UInt32 = 1

    struct Segment: Equatable {
        let base: Offset
        let end: Offset
        let shares: SegmentShares
    }

    static func encode(_ segments: [Segment], of log: LogID) -> [UInt8] {
        var content: [UInt8] = []
        func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(log.high, to: &content)
        append(log.low, to: &content)
        append(UInt32(segments.count), to: &content)
        append(UInt32(0), to: &content)
        for segment in segments {
            let rows = ShareTable.encode(segment.shares, LeftOut())
            append(segment.base.rawValue, to: &content)
            append(segment.end.rawValue, to: &content)
            append(UInt64(rows.count), to: &content)
            content += rows
        }
        var bytes: [UInt8] = []
        append(magic, to: &bytes)
        append(formatVersion, to: &bytes)
        append(content.withUnsafeBytes { Layout.crc32c(formatVersion, $0) }, to: &bytes)
        return bytes + content
    }

    /// Empty if it is anything else.
    static func decode(_ bytes: UnsafeRawBufferPointer, of log: LogID) -> [Segment] {
        guard bytes.count >= 40, Layout.integer(bytes, 0, UInt64.self) == magic,
            Layout.integer(bytes, 8, UInt32.self) == formatVersion,
            Layout.integer(bytes, 12, UInt32.self)
                == Layout.crc32c(formatVersion, Layout.slice(bytes, 16..<bytes.count)),
            Layout.integer(bytes, 16, UInt64.self) == log.high, Layout.integer(bytes, 24, UInt64.self) == log.low
        else { return [] }
        var segments: [Segment] = []
        var position = 40
        for _ in 0..<Layout.integer(bytes, 32, UInt32.self) {
            guard bytes.count - position >= 24,
                let count = Int(exactly: Layout.integer(bytes, position + 16, UInt64.self)),
                bytes.count - position - 24 >= count
            else { return [] }
            let rows = Layout.slice(bytes, position + 24..<position + 24 + count)
            segments.append(
                Segment(
                    base: Offset(Layout.integer(bytes, position, UInt64.self)),
                    end: Offset(Layout.integer(bytes, position + 8, UInt64.self)),
                    shares: ShareTable.decode(rows).shares))
            position += 24 + count
        }
        return segments
    }
}

/// What the rewriting thread knows between its rounds.
struct RewriteWork {
    var isLoaded = false
    /// Segments whose shares the file does not have.
    var hasNews = false
    var known = 0
}

extension CommitLog {
    private var sharePath: String { configuration.directory + "/" + FileName.shares }

    /// Takes what the file knows of segments that are not known.
    func loadShares(_ work: inout RewriteWork) {
        guard !work.isLoaded else { return }
        work.isLoaded = true
        guard table.withLock({ table in table.entries.contains { $0.shares == nil } }) else { return }
        guard let file = try? fileSystem.open(sharePath, .read), let size = try? file.size(), size < 1 << 28 else {
            return
        }
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(size), alignment: 8)
        defer { bytes.deallocate() }
        guard let count = try? file.read(at: 0, into: bytes) else { return }
        let segments = ShareFile.decode(Layout.slice(UnsafeRawBufferPointer(bytes), 0..<count), of: id)
        table.withLock { table in
            for segment in segments { table.learn(segment.shares, from: segment.base, to: segment.end) }
        }
    }

    /// Reads segments of which nobody knows what is in them: one a round, the oldest first.
    func learnShares(_ work: inout RewriteWork) {
        let unknown = table.withLock { table in
            table.entries.dropLast().first { $0.shares == nil && !$0.isDamaged }
        }
        guard let unknown, case .pinned(let pin) = table.withLock({ $0.pin(unknown.base) }) else { return }
        defer { table.withLock { $0.unpin(pin, file: nil, walk: nil) } }
        guard pin.serial == unknown.serial, let file = try? fileSystem.reopen(pin.file, pin.path, .readWrite) else {
            return
        }
        let segment = SegmentFile(
            file: file, path: pin.path, context: SegmentContext(identity: identity, base: pin.base))
        let shares = try? segment.shares(from: pin.start, to: unknown.end)
        table.withLock { table in
            if let shares {
                table.learn(shares, from: unknown.base, to: unknown.end)
            } else {
                table.markDamaged(unknown.serial)
            }
        }
        work.hasNews = true
    }

    /// Not synced: a power loss costs a reading of the segments, and a checksum notices it.
    func saveShares(_ work: inout RewriteWork) {
        let segments = table.withLock { table in
            table.entries.dropLast().compactMap { entry in
                // A rewritten segment says it itself.
                entry.leftOut != nil
                    ? nil : entry.shares.map { ShareFile.Segment(base: entry.base, end: entry.end, shares: $0) }
            }
        }
        guard work.hasNews || segments.count != work.known else { return }
        work.hasNews = false
        work.known = segments.count
        let bytes = ShareFile.encode(segments, of: id)
        let path = table.withLock { $0.makeRewritePath() }
        do throws(FileError) {
            let file = try fileSystem.create(path)
            let outcome = bytes.withUnsafeBytes { bytes in
                Result { () throws(FileError) in try file.write(at: 0, [bytes]) }
            }
            try outcome.get()
            try fileSystem.rename(path, to: sharePath)
        } catch {
            try? fileSystem.remove(path)
        }
    }
}

extension SegmentFile {
    /// What is in the segment, by the headers of its records. Nil: something is damaged.
    func shares(from start: SegmentWalk, to end: Offset) throws(FileError) -> SegmentShares? {
        var shares = SegmentShares()
        var walk = start
        var window = SlidingBuffer(bytes: 1 << 20)
        while walk.offset < end {
            let bytes = try window.bytes(of: self, at: walk.position, minimum: Layout.groupMarkBytes)
            switch walk.next(bytes, context: context, checkBody: false) {
            case .mark, .gap: continue
            case .record(let record), .brokenBody(let record):
                shares.note(record.replicaSet, offset: record.offset, bytes: record.bytesOnDisk)
            case .needs, .nothing: return nil
            }
        }
        return shares
    }
}
