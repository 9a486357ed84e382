// Looking at a log without opening it: for `sluice log info|dump`, beside a running gateway or after one.

/// A log as it was at one moment. Changes nothing and takes no lock, so beside a running gateway it may find
/// that segments have been deleted meanwhile, and it shows records that are not durable yet.
package struct LogInspection: Sendable {
    package struct Segment: Sendable, Equatable {
        package let path: String
        /// Offset of the first record.
        package let base: Offset
        /// Offset behind the last record.
        package let end: Offset
        /// Size of the file.
        package let bytes: UInt64
        /// In which it was begun.
        package let epoch: UInt64
        /// Of a rewritten segment: what it does not hold any more.
        package let leftOut: LeftOut?
    }

    package let id: LogID
    /// As of the last checkpoint.
    package let epoch: UInt64
    package let start: Offset
    package let end: Offset
    package let cursors: [String: Offset]
    package let notes: [String: [UInt8]]
    package let closedCleanly: Bool
    package let segments: [Segment]
    /// Found in the last segment; older ones are checked when they are read.
    package let damage: [LogDamage]
    private let table: Guarded<SegmentTable>
    private let fileSystem: any FileSystem

    /// - Throws: `.noLog` if the folder holds no ledger; `.file`, `.unsupportedFormat`.
    package init(directory: String, fileSystem: any FileSystem = PosixFileSystem()) throws(LogError) {
        do {
            let names = try fileSystem.list(directory)
            let ledger: Ledger
            switch try LedgerFile(folder: directory, fileSystem: fileSystem).read(names: names) {
            case .success(let stored): ledger = stored
            case .failure(.unsupported(let version)):
                throw LogError.unsupportedFormat(path: directory + "/" + Ledger.fileName, version: version)
            case .failure(.damaged): throw LogError.unidentified(path: directory)
            case nil: throw LogError.noLog(path: directory)
            }
            let segments = try Self.segments(directory, names, ledger.identity, fileSystem)
            var entries: [SegmentTable.Entry] = []
            var damage: [LogDamage] = []
            var end = ledger.durableEnd
            for (place, found) in segments.enumerated() {
                let (base, path, bytes, face) = found
                let next = place + 1 < segments.count ? segments[place + 1].base : base
                var entry = SegmentTable.Entry(
                    path: path, base: base, epoch: face.header?.epoch ?? 0, file: nil, end: face.rewrite?.end ?? next,
                    endPosition: bytes, allocatedBytes: bytes, index: [.start(of: base, in: face)],
                    shares: face.shares, leftOut: face.leftOut, stamp: face.stamp)
                if place + 1 == segments.count, face.rewrite != nil { end = max(end, entry.end) }
                if place + 1 == segments.count, face.rewrite == nil {
                    let segment = SegmentFile(
                        file: try fileSystem.open(path, .read), path: path,
                        context: SegmentContext(identity: ledger.identity, base: base))
                    let scan = try TailScan(of: segment, from: entry.start, durable: ledger.durableEnd)
                    damage = scan.damage
                    if let lost = scan.lostTail {
                        damage.append(LogDamage(lost: lost, path: path, reason: "the end is damaged"))
                    }
                    end = scan.lostTail?.lowerBound ?? scan.end.offset
                    entry.end = end
                    entry.index = scan.index
                }
                entries.append(entry)
            }
            id = ledger.identity.id
            epoch = ledger.epoch
            start = entries.first?.base ?? ledger.start
            self.end = end
            cursors = ledger.cursors
            notes = ledger.notes
            closedCleanly = ledger.closedCleanly
            self.segments = entries.map {
                Segment(
                    path: $0.path, base: $0.base, end: $0.end, bytes: $0.allocatedBytes, epoch: $0.epoch,
                    leftOut: $0.leftOut)
            }
            self.damage = damage
            table = Guarded(SegmentTable(identity: ledger.identity, folder: directory, entries: entries))
            self.fileSystem = fileSystem
        } catch let error as LogError {
            throw error
        } catch let error as FileError {
            throw .file(error)
        } catch {
            preconditionFailure("looking at a log throws log and file errors only")
        }
    }

    /// As ``CommitLog/read(from:into:)``, up to ``end``.
    package func read(
        from offset: Offset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(LogError) -> ReadResult {
        guard offset < end else { return .atEnd }
        switch table.withLock({ $0.pin(offset) }) {
        case .passed(let start):
            throw .passed(start: start)
        case .lost(let damage):
            return .lost(damage)
        case .pinned(let pin):
            var next: SegmentWalk?
            var file = pin.file
            defer { table.withLock { $0.unpin(pin, file: file, walk: next) } }
            do {
                let open = try fileSystem.reopen(file, pin.path, .read)
                if file == nil, try SegmentFace.stamp(of: open) != pin.stamp { throw LogError.replaced(path: pin.path) }
                file = open
                let identity = table.withLock { $0.identity }
                let segment = SegmentFile(
                    file: open, path: pin.path, context: SegmentContext(identity: identity, base: pin.base))
                let outcome = try segment.read(
                    from: offset, walk: pin.walk,
                    bounds: SegmentFile.Bounds(limit: min(end, pin.end), endPosition: pin.endPosition), into: buffer)
                next = outcome.next
                return outcome.result
            } catch let error as LogError {
                throw error
            } catch let error as FileError {
                throw .file(error)
            } catch {
                preconditionFailure("reading throws log and file errors only")
            }
        }
    }

    private typealias Found = (base: Offset, path: String, bytes: UInt64, face: SegmentFace)

    /// Without what a crash, or a rewriting under way, has left of segments that went into another.
    private static func segments(
        _ directory: String, _ names: [String], _ identity: LogIdentity, _ fileSystem: any FileSystem
    ) throws -> [Found] {
        var segments: [Found] = []
        for base in names.compactMap(FileName.base(ofSegment:)).sorted() {
            if let end = segments.last?.face.rewrite?.end, base < end { continue }
            let path = directory + "/" + FileName.segment(base)
            let file = try fileSystem.open(path, .read)
            let face = try SegmentFace(of: file, path: path, base: base, identity: identity)
            segments.append((base, path, try file.size(), face))
        }
        return segments
    }
}
