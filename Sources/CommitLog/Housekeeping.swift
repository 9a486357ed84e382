// What happens beside writing, about once a second on a thread of its own: checkpoints of the ledger, deletion and recycling of
// passed segments, spare segments ahead of need, a look at the free space.

/// Touched by one thread at a time.
struct House {
    /// What the ledger's file holds.
    var written: Ledger
    /// The ledger could not be written for another reason than a full disk.
    var isBroken = false
}

extension CommitLog {
    /// One round of the housekeeping thread. Blocks. Tests that turn the wheels themselves call it.
    package func keepHouse() {
        house.withLock { house in
            do throws(FileError) {
                try checkpointCursors(&house)
                try deletePassedSegments(&house)
            } catch {
                noteFailure(error, &house)
            }
            lookAtFreeSpace()
            prepareSpare()
            publishRoom()
        }
    }

    /// Writes cursors and durable end to disk now. Blocks. On return the cursors that were set before are durable.
    package func checkpoint() throws(LogError) {
        try house.withLock { (house: inout House) throws(LogError) in
            do throws(FileError) {
                try checkpointCursors(&house)
            } catch {
                noteFailure(error, &house)
                throw .file(error)
            }
        }
    }

    /// The last round, when no other thread of the log is left.
    func finishHouse() {
        house.withLock { house in
            guard !house.isBroken else { return }
            var last = house.written
            last.cursors = cursors
            last.durableEnd = durableEnd
            last.closedCleanly = poison == nil
            // A failure here costs the last second of cursors, which replays records in order: no reason to trap.
            try? replaceLedger(with: last, &house)
        }
    }

    private var ledgerFile: LedgerFile {
        LedgerFile(folder: configuration.directory, fileSystem: fileSystem)
    }

    private func noteFailure(_ error: FileError, _ house: inout House) {
        counters.withLock { $0.failedCheckpoints += 1 }
        guard !error.isOutOfSpace else { return }
        house.isBroken = true
        poison(error)
    }

    private func checkpointCursors(_ house: inout House) throws(FileError) {
        guard !house.isBroken else { return }
        var next = house.written
        // In this order: a cursor never stands beyond a durable end that is read after it.
        next.cursors = cursors
        next.durableEnd = durableEnd
        guard next != house.written else { return }
        try replaceLedger(with: next, &house)
    }

    private func replaceLedger(with ledger: Ledger, _ house: inout House) throws(FileError) {
        try ledgerFile.replace(with: ledger)
        house.written = ledger
        cursorTable.withLock { $0.durable = ledger.cursors }
        counters.withLock { $0.checkpoints += 1 }
    }

    // MARK: Deletion

    /// The ledger says first that they are gone, so that a missing file is never taken for a loss, nor a file that
    /// reappears after a power loss for part of the log.
    private func deletePassedSegments(_ house: inout House) throws(FileError) {
        guard !house.isBroken else { return }
        let decided = cursorTable.withLock { cursors -> Offset? in
            guard let floor = cursors.floor else { return nil }
            let newStart = table.withLock { $0.start(afterDeletingBelow: floor) }
            guard newStart > start else { return nil }
            cursors.deletedBelow = newStart
            return newStart
        }
        guard let newStart = decided ?? (house.written.start < start ? start : nil) else { return }
        startValue.store(max(newStart, start).rawValue, ordering: .releasing)
        var next = house.written
        next.start = newStart
        try replaceLedger(with: next, &house)
        while let entry = table.withLock({ $0.takePassed(below: newStart) }) {
            try dispose(of: entry)
            counters.withLock { $0.deletedSegments += 1 }
        }
    }

    private func dispose(of entry: SegmentTable.Entry) throws(FileError) {
        let sparePath = table.withLock { table in
            entry.readers == 0 && table.spares.count < configuration.spareSegments ? table.makeSparePath() : nil
        }
        if entry.isDamaged {
            try keepDamaged(entry)
        } else if let sparePath, entry.allocatedBytes == configuration.segmentBytes {
            let file = try fileSystem.reopen(entry.file, entry.path, .readWrite)
            try fileSystem.rename(entry.path, to: sparePath)
            // Only now: it must not be written while it may still turn up under its old name.
            try fileSystem.syncFolder(configuration.directory)
            table.withLock {
                $0.spares.append(SegmentTable.Spare(path: sparePath, file: file, bytes: entry.allocatedBytes))
            }
        } else {
            try fileSystem.remove(entry.path)
            try fileSystem.syncFolder(configuration.directory)
        }
    }

    /// At most this many damaged segments are kept; then the oldest goes.
    private static let damagedFilesKept = 8

    private func keepDamaged(_ entry: SegmentTable.Entry) throws(FileError) {
        let folder = configuration.directory
        let kept = try fileSystem.list(folder).filter { $0.hasPrefix(FileName.damagedPrefix) }.sorted()
        for name in kept.prefix(max(0, kept.count - Self.damagedFilesKept + 1)) {
            try fileSystem.remove(folder + "/" + name)
        }
        try fileSystem.rename(entry.path, to: folder + "/" + FileName.damagedPrefix + FileName.segment(entry.base))
        try fileSystem.syncFolder(folder)
    }

    // MARK: Space

    func lookAtFreeSpace() {
        if let space = try? fileSystem.space(at: configuration.directory) {
            freeBytes.store(space.free, ordering: .relaxed)
        }
        publishRoom()
    }

    /// The file system said no: until a spare can be made, only what is allocated is used.
    func diskIsFull(_ shortage: LogError.Shortage) {
        if case .disk = shortage { diskShortage.withLock { $0 = shortage } }
        publishRoom()
        houseBell.ring()
    }

    /// Tells appenders how much the log may still take.
    func publishRoom() {
        let diskShortage = diskShortage.withLock { $0 }
        let free = freeBytes.load(ordering: .relaxed)
        let segmentBytes = configuration.segmentBytes
        // Stored under the lock, so that no older figure ever replaces a newer one.
        table.withLock { table in
            let allocated = table.allocatedBytes
            let byLimit = maximumBytes > allocated ? (maximumBytes - allocated) / segmentBytes : 0
            var byDisk = UInt64(table.spares.count)
            if diskShortage == nil && free > minimumFreeBytes { byDisk += (free - minimumFreeBytes) / segmentBytes }
            let segments = Int(min(byLimit, byDisk, 1 << 24))
            let activeRoom = max(0, Int(table.activeRoom) - Layout.groupMarkBytes)
            let shortage =
                byLimit <= byDisk
                ? LogError.Shortage.maximumBytes(maximumBytes) : diskShortage ?? .minimumFreeBytes(minimumFreeBytes)
            admission.shortage.withLock { $0 = shortage }
            admission.room.store(
                activeRoom + segments * WriterState.room(inNewSegmentOf: segmentBytes), ordering: .relaxed)
            isFull.store(segments == 0, ordering: .relaxed)
        }
    }

    /// Has the next segment ready before it is needed; after a full disk it is also the test whether there is room again.
    private func prepareSpare() {
        let isFull = diskShortage.withLock { $0 } != nil
        let segmentBytes = configuration.segmentBytes
        let isWanted = table.withLock { table in
            table.spares.count < (isFull ? max(1, configuration.spareSegments) : 1)
                && (isFull || table.activeRoom < segmentBytes / 2)
                && table.allocatedBytes + segmentBytes <= maximumBytes
        }
        guard isWanted, poison == nil, hasFreeSpace(for: segmentBytes) else { return }
        guard let spare = try? makeSpare(bytes: segmentBytes) else { return }
        table.withLock { $0.spares.append(spare) }
        diskShortage.withLock { $0 = nil }
    }

    /// A file for a new segment of at least this size; made now if none is ready.
    func takeSpare(atLeast bytes: UInt64) throws(LogError) -> SegmentTable.Spare {
        let allocated = table.withLock { $0.allocatedBytes }
        guard allocated + bytes <= maximumBytes else { throw .full(.maximumBytes(maximumBytes)) }
        let ready = table.withLock { table -> SegmentTable.Spare? in
            guard let place = table.spares.firstIndex(where: { $0.bytes >= bytes }) else { return nil }
            return table.spares.remove(at: place)
        }
        if let ready { return ready }
        guard hasFreeSpace(for: bytes) else { throw .full(.minimumFreeBytes(minimumFreeBytes)) }
        do {
            return try makeSpare(bytes: bytes)
        } catch {
            throw .file(error)
        }
    }

    private func hasFreeSpace(for bytes: UInt64) -> Bool {
        let free = freeBytes.load(ordering: .relaxed)
        return free >= minimumFreeBytes && free - minimumFreeBytes >= bytes
    }

    private func makeSpare(bytes: UInt64) throws(FileError) -> SegmentTable.Spare {
        let path = table.withLock { $0.makeSparePath() }
        return try SegmentTable.Spare(path: path, bytes: bytes, fileSystem: fileSystem)
    }
}

extension SegmentTable.Spare {
    /// Makes a file with this much room; leaves none behind if there is none.
    init(path: String, bytes: UInt64, fileSystem: any FileSystem) throws(FileError) {
        let file = try fileSystem.create(path)
        do throws(FileError) {
            try file.allocate(bytes)
        } catch {
            try? fileSystem.remove(path)
            throw error
        }
        self.init(path: path, file: file, bytes: bytes)
    }
}
