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
            let bases = names.compactMap(FileName.base(ofSegment:)).sorted()
            var entries: [SegmentTable.Entry] = []
            var damage: [LogDamage] = []
            var end = ledger.durableEnd
            for (place, base) in bases.enumerated() {
                let path = directory + "/" + FileName.segment(base)
                let file = try fileSystem.open(path, .read)
                let bytes = try file.size()
                var entry = SegmentTable.Entry(
                    path: path, base: base, epoch: try Self.epoch(of: file), file: nil,
                    end: place + 1 < bases.count ? bases[place + 1] : base, endPosition: bytes, allocatedBytes: bytes,
                    index: [.start(of: base)])
                if place + 1 == bases.count {
                    let segment = SegmentFile(
                        file: file, path: path, context: SegmentContext(identity: ledger.identity, base: base))
                    let scan = try TailScan(of: segment, base: base, durable: ledger.durableEnd)
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
            segments = entries.map {
                Segment(path: $0.path, base: $0.base, end: $0.end, bytes: $0.allocatedBytes, epoch: $0.epoch)
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
            defer { table.withLock { $0.unpin(pin.base, file: file, walk: next) } }
            do {
                let open = try fileSystem.reopen(file, pin.path, .read)
                file = open
                let identity = table.withLock { $0.identity }
                let segment = SegmentFile(
                    file: open, path: pin.path, context: SegmentContext(identity: identity, base: pin.base))
                let outcome = try segment.read(
                    from: offset, walk: pin.walk,
                    bounds: SegmentFile.Bounds(limit: min(end, pin.end), endPosition: pin.endPosition), into: buffer)
                next = outcome.next
                return outcome.result
            } catch {
                throw .file(error)
            }
        }
    }

    private static func epoch(of file: any File) throws(FileError) -> UInt64 {
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: Layout.segmentHeaderBytes, alignment: 8)
        defer { head.deallocate() }
        let count = try file.read(at: 0, into: head)
        let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(head)[..<count])
        return (try? SegmentHeader(decoding: bytes))?.epoch ?? 0
    }
}
