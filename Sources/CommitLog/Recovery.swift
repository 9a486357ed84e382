// Opening the log: lock the folder, find out what the disk really holds, make the end unambiguous and durable, and only
// then let anybody in.

import Glibc

/// Everything that a log needs to run.
struct Recovered {
    let lock: any FileLock
    let ledger: Ledger
    let table: SegmentTable
    let writer: WriterState
    let activeFile: any File
    let maximumBytes: UInt64
    let minimumFreeBytes: UInt64
    var report: RecoveryReport
}

struct Recovery {
    let configuration: CommitLog.Configuration
    let fileSystem: any FileSystem
    let clock: any LogClock

    private var folder: String { configuration.directory }

    func run() throws(LogError) -> Recovered {
        let began = clock.monotonicNanoseconds()
        do {
            try fileSystem.makeFolder(folder)
            guard let lock = try fileSystem.lock(folder + "/" + FileName.lock) else {
                throw LogError.locked(path: folder)
            }
            var recovered = try recover(holding: lock)
            recovered.report.duration = .nanoseconds(clock.monotonicNanoseconds() - began)
            return recovered
        } catch let error as LogError {
            throw error
        } catch let error as FileError {
            throw .file(error)
        } catch {
            preconditionFailure("opening a log throws log and file errors only")
        }
    }

    private func recover(holding lock: any FileLock) throws -> Recovered {
        var report = RecoveryReport()
        try warnAboutPermissions(&report)
        // Renames of the process before may not be durable yet. Nothing is concluded from a name before it is: else a
        // power loss could take back the ledger and keep what was done because of it.
        try fileSystem.syncFolder(folder)
        let names = try fileSystem.list(folder)
        try removeLeftovers(names, &report)
        let stored = try readLedger(names, &report)
        var segments = try readSegments(names, expected: stored?.identity)
        try finishDeletion(&segments, below: stored?.start)
        try finishRewriting(&segments)

        guard let identity = stored?.identity ?? segments.compactMap({ $0.header?.identity }).first else {
            guard segments.isEmpty else { throw LogError.unidentified(path: folder) }
            report.isNew = true
            return try makeLog(holding: lock, report)
        }
        if let foreign = segments.first(where: { $0.header != nil && $0.header?.identity != identity }) {
            throw LogError.foreign(
                path: foreign.path, found: foreign.header?.identity.id ?? identity.id, expected: identity.id)
        }
        report.wasClosedCleanly = stored?.closedCleanly ?? false
        var tail = try findEnd(segments, identity, stored, &report)
        try makeEndDurable(&tail)

        var epoch = tail.newestEpoch
        // Without the ledger, epochs in which nothing was written are unknown: leave room for them.
        if let stored { epoch = max(epoch, stored.epoch) } else { epoch += 1 << 20 }
        var ledger = Ledger(
            identity: identity, epoch: epoch + 1, start: tail.table.start, durableEnd: tail.end,
            closedCleanly: false, cursors: stored?.cursors ?? [:], notes: stored?.notes ?? [:])
        if tail.table.entries.isEmpty { ledger.start = tail.end }
        for (name, cursor) in ledger.cursors where cursor > tail.end {
            report.cursorsBeyondEnd[name] = cursor
            ledger.cursors[name] = tail.end
        }
        if tail.needsNewSegment {
            // Before the ledger: it must not speak of an end that no file has.
            try beginSegment(&tail, identity, epoch: ledger.epoch)
        }
        try LedgerFile(folder: folder, fileSystem: fileSystem).replace(with: ledger)
        return try finish(tail, ledger, holding: lock, report)
    }

    // MARK: What is there

    private struct FoundSegment {
        let path: String
        let base: Offset
        let face: SegmentFace
        /// Of the last segment only: there may be more segments than a process may have open files.
        var file: (any File)?
        let bytes: UInt64

        /// Nil: damaged.
        var header: SegmentHeader? { face.header }
        var start: SegmentWalk { .start(of: base, in: face) }
    }

    private func warnAboutPermissions(_ report: inout RecoveryReport) throws(FileError) {
        let permissions = try fileSystem.permissions(of: folder)
        if permissions & 0o077 != 0 {
            let octal = String(permissions & 0o777, radix: 8)
            report.warnings.append("\(folder) is open to other users (mode \(octal)): chmod 700 \(folder)")
        }
    }

    private func removeLeftovers(_ names: [String], _ report: inout RecoveryReport) throws(FileError) {
        for name in names.sorted() {
            switch name {
            case FileName.lock, FileName.shares, Ledger.fileName:
                break
            case Ledger.temporaryName:
                try fileSystem.remove(folder + "/" + name)
            case _ where name.hasPrefix(FileName.sparePrefix) || name.hasPrefix(FileName.rewritePrefix):
                try fileSystem.remove(folder + "/" + name)
            case _ where FileName.base(ofSegment: name) != nil:
                break
            case _ where name.hasPrefix(FileName.damagedPrefix) || name.hasPrefix(Ledger.fileName):
                report.warnings.append("\(folder)/\(name) was put aside, it is damaged: look at it, then remove it")
            default:
                report.warnings.append("\(folder)/\(name) does not belong to the log: move it elsewhere")
            }
        }
    }

    private func readLedger(_ names: [String], _ report: inout RecoveryReport) throws -> Ledger? {
        let file = LedgerFile(folder: folder, fileSystem: fileSystem)
        switch try file.read(names: names) {
        case .success(let ledger):
            return ledger
        case .failure(.unsupported(let version)):
            throw LogError.unsupportedFormat(path: folder + "/" + Ledger.fileName, version: version)
        case .failure(.damaged):
            try file.setAside()
            report.cursorsLost = true
            return nil
        case nil:
            report.cursorsLost = names.contains { FileName.base(ofSegment: $0) != nil }
            return nil
        }
    }

    private func readSegments(_ names: [String], expected: LogIdentity?) throws -> [FoundSegment] {
        var segments: [FoundSegment] = []
        for base in names.compactMap(FileName.base(ofSegment:)).sorted() {
            let path = folder + "/" + FileName.segment(base)
            let file = try fileSystem.open(path, .readWrite)
            let face = try SegmentFace(of: file, path: path, base: base, identity: expected)
            if let last = segments.indices.last { segments[last].file = nil }
            segments.append(FoundSegment(path: path, base: base, face: face, file: file, bytes: try file.size()))
        }
        return segments
    }

    /// Segments that the ledger calls deleted may have come back with a power loss.
    private func finishDeletion(_ segments: inout [FoundSegment], below start: Offset?) throws(FileError) {
        guard let start else { return }
        while segments.count > 1, segments[1].base <= start {
            try fileSystem.remove(segments.removeFirst().path)
        }
    }

    /// A crash between the renaming of a rewritten segment and the removal of the others that went into it.
    private func finishRewriting(_ segments: inout [FoundSegment]) throws(FileError) {
        var place = 1
        while place < segments.count {
            if let end = segments[place - 1].face.rewrite?.end, segments[place].base < end {
                try fileSystem.remove(segments.remove(at: place).path)
            } else {
                place += 1
            }
        }
    }

    // MARK: The end

    private struct Tail {
        var table: SegmentTable
        var end: Offset
        /// Of the last segment, behind the last whole entry.
        var endPosition: UInt64 = 0
        /// From here on durability is not proven.
        var provenPosition: UInt64 = 0
        var newestEpoch: UInt64 = 0
        /// The last segment cannot be continued.
        var needsNewSegment = false
        var activeFile: (any File)?
    }

    private func findEnd(
        _ segments: [FoundSegment], _ identity: LogIdentity, _ stored: Ledger?, _ report: inout RecoveryReport
    ) throws -> Tail {
        let durable = stored?.durableEnd ?? .zero
        var tail = Tail(
            table: SegmentTable(identity: identity, folder: folder, entries: []), end: durable)
        tail.newestEpoch = segments.compactMap { $0.header?.epoch }.max() ?? 0
        guard let last = segments.last else {
            if let stored, stored.start < durable {
                report.damage.append(
                    LogDamage(lost: stored.start..<durable, path: folder, reason: "all segment files are missing"))
            }
            tail.needsNewSegment = true
            return tail
        }
        if let stored, let first = segments.first, stored.start < first.base {
            report.damage.append(
                LogDamage(
                    lost: stored.start..<first.base, path: folder, reason: "the oldest segment files are missing"))
        }
        for (place, segment) in segments.enumerated() {
            if segment.header == nil {
                report.warnings.append("\(segment.path) has a damaged header; it is still read")
            }
            var entry = SegmentTable.Entry(
                path: segment.path, base: segment.base, epoch: segment.header?.epoch ?? 0, file: nil,
                end: segment.base, endPosition: segment.bytes, allocatedBytes: segment.bytes,
                index: [segment.start], shares: segment.face.shares, leftOut: segment.face.leftOut,
                stamp: segment.face.stamp)
            if place + 1 < segments.count {
                entry.end = try end(of: segment, before: segments[place + 1], identity, &report)
            }
            tail.table.add(entry)
        }
        let place = tail.table.entries.count - 1
        if let end = last.face.rewrite?.end {
            // The segments behind it are missing. It is as it is: a new one is begun behind it.
            tail.table.entries[place].end = end
            tail.end = max(end, durable)
            if end < durable {
                report.damage.append(LogDamage(lost: end..<durable, path: folder, reason: "a segment file is missing"))
            }
            tail.needsNewSegment = true
            for damage in report.damage { _ = tail.table.note(damage, in: damage.lost.lowerBound) }
            return tail
        }
        let lastFile = try fileSystem.reopen(last.file, last.path, .readWrite)
        let file = SegmentFile(
            file: lastFile, path: last.path, context: SegmentContext(identity: identity, base: last.base))
        let scan = try TailScan(of: file, from: last.start, durable: durable)
        tail.end = scan.end.offset
        tail.endPosition = scan.end.position
        tail.provenPosition = scan.proven.position
        tail.newestEpoch = max(tail.newestEpoch, scan.newestEpoch)
        tail.activeFile = lastFile
        tail.table.entries[place].shares = scan.shares
        tail.table.entries[place].index = scan.index
        tail.table.entries[place].file = lastFile
        tail.table.entries[place].end = scan.end.offset
        tail.table.entries[place].endPosition = scan.end.position
        tail.table.entries[place].isDamaged = !scan.damage.isEmpty || scan.lostTail != nil
        report.damage += scan.damage
        report.tornRecords = scan.tornRecords
        report.tornBytes = scan.tornBytes
        if let lost = scan.lostTail {
            report.damage.append(
                LogDamage(lost: lost, path: last.path, reason: "the end is damaged, which was durable"))
            report.tornRecords = 0
            report.tornBytes = 0
            tail.table.entries[place].end = lost.lowerBound
            tail.table.entries[place].endPosition = last.bytes
            tail.end = durable
            tail.needsNewSegment = true
        }
        for damage in report.damage { _ = tail.table.note(damage, in: damage.lost.lowerBound) }
        return tail
    }

    /// A segment ends where its successor begins, unless a file between them is missing.
    private func end(
        of segment: FoundSegment, before next: FoundSegment, _ identity: LogIdentity, _ report: inout RecoveryReport
    ) throws(FileError) -> Offset {
        if let end = segment.face.rewrite?.end {
            if end < next.base {
                report.damage.append(
                    LogDamage(lost: end..<next.base, path: folder, reason: "a segment file is missing"))
            }
            return end
        }
        guard let header = next.header, header.previousBase != segment.base else { return next.base }
        let file = SegmentFile(
            file: try fileSystem.reopen(segment.file, segment.path, .readWrite), path: segment.path,
            context: SegmentContext(identity: identity, base: segment.base))
        let scan = try TailScan(of: file, from: segment.start, durable: .zero)
        let end = min(scan.end.offset, next.base)
        if end < next.base {
            report.damage.append(LogDamage(lost: end..<next.base, path: folder, reason: "a segment file is missing"))
        }
        return end
    }

    /// Writes again what no proof says is durable, removes what lies behind, syncs.
    private func makeEndDurable(_ tail: inout Tail) throws(FileError) {
        guard !tail.needsNewSegment, let file = tail.activeFile else { return }
        if tail.provenPosition < tail.endPosition {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
            defer { buffer.deallocate() }
            var position = tail.provenPosition
            while position < tail.endPosition {
                let wanted = Int(min(UInt64(buffer.count), tail.endPosition - position))
                let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
                let count = try file.read(at: position, into: piece)
                guard count == wanted else { throw FileError(errno: EIO, operation: .read, path: folder) }
                try file.write(at: position, [UnsafeRawBufferPointer(piece)])
                position += UInt64(wanted)
            }
        }
        try file.truncate(to: tail.endPosition)
        try file.sync()
    }

    // MARK: Beginning

    private func makeLog(holding lock: any FileLock, _ report: RecoveryReport) throws -> Recovered {
        let identity = configuration.identity ?? .random()
        let ledger = Ledger(
            identity: identity, epoch: 1, start: .zero, durableEnd: .zero, closedCleanly: false, cursors: [:],
            notes: [:])
        var tail = Tail(table: SegmentTable(identity: identity, folder: folder, entries: []), end: .zero)
        // First the identity: a segment without it could belong to any log.
        try LedgerFile(folder: folder, fileSystem: fileSystem).replace(with: ledger)
        try beginSegment(&tail, identity, epoch: ledger.epoch)
        return try finish(tail, ledger, holding: lock, report)
    }

    private func beginSegment(_ tail: inout Tail, _ identity: LogIdentity, epoch: UInt64) throws(FileError) {
        let path = folder + "/" + FileName.segment(tail.end)
        let header = SegmentHeader(
            identity: identity, epoch: epoch, base: tail.end, previousBase: tail.table.entries.last?.base)
        let spare = try SegmentTable.Spare(
            path: tail.table.makeSparePath(), bytes: configuration.segmentBytes, fileSystem: fileSystem)
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: Layout.segmentHeaderBytes, alignment: 8)
        defer { head.deallocate() }
        header.encode(into: head)
        try spare.file.write(at: 0, [UnsafeRawBufferPointer(head)])
        try spare.file.sync()
        try fileSystem.rename(spare.path, to: path)
        try fileSystem.syncFolder(folder)
        tail.activeFile = spare.file
        tail.endPosition = UInt64(Layout.segmentHeaderBytes)
        tail.table.segmentBegan(
            SegmentTable.Entry(
                path: path, base: tail.end, epoch: epoch, file: spare.file, end: tail.end,
                endPosition: tail.endPosition, allocatedBytes: spare.bytes, index: [.start(of: tail.end)],
                shares: SegmentShares()))
    }

    private func finish(
        _ tail: Tail, _ ledger: Ledger, holding lock: any FileLock, _ report: RecoveryReport
    ) throws -> Recovered {
        guard let file = tail.activeFile else { throw LogError.noLog(path: folder) }
        var tail = tail
        var report = report
        let last = tail.table.entries.count - 1
        do throws(FileError) {
            try file.allocate(configuration.segmentBytes)
            tail.table.entries[last].allocatedBytes = max(configuration.segmentBytes, tail.endPosition)
        } catch {
            guard error.isOutOfSpace else { throw error }
            // No reason not to open: what is there can be read, and the log goes on when there is room.
            try file.truncate(to: tail.endPosition)
            tail.table.entries[last].allocatedBytes = tail.endPosition
            report.warnings.append("\(error): nothing can be appended until there is room")
        }
        report.start = tail.table.start
        report.durableEnd = tail.end
        let space = try fileSystem.space(at: folder)
        return Recovered(
            lock: lock, ledger: ledger, table: tail.table,
            writer: WriterState(
                epoch: ledger.epoch, end: tail.end, position: tail.endPosition,
                capacity: tail.table.entries[last].allocatedBytes),
            activeFile: file,
            maximumBytes: configuration.maximumBytes ?? max(10 << 30, space.total / 2),
            minimumFreeBytes: configuration.minimumFreeBytes ?? min(1 << 30, space.total / 20),
            report: report)
    }
}
