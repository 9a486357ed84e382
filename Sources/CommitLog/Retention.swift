// Which segments stay, and how much room there is: passed segments are kept as history for nodes that go back in time,
// as long as nobody needs their room, and are recycled as spares.

extension CommitLog {
    // MARK: Deletion

    /// Bytes that the segments below an offset occupy: what is passed, or kept as history, once all cursors are there.
    package func bytes(below offset: Offset) -> UInt64 {
        table.withLock { $0.passedBytes(below: offset) }
    }

    /// Below it every cursor has passed, and every replica set is finished. Nil: no cursor, so nothing.
    private func floor(_ cursors: CursorTable) -> Offset? {
        cursors.floor.map { floor in table.withLock { $0.deletable(below: floor) } }
    }

    /// The ledger says first that they are gone, so that a missing file is never taken for a loss, nor a file that
    /// reappears after a power loss for part of the log.
    ///
    /// - Parameter wanted: bytes of history to give up at the least, as far as there are.
    func deletePassedSegments(_ house: inout House, wanted: UInt64 = 0) throws(FileError) {
        guard !house.isBroken else { return }
        let needed = max(wanted, roomShortage())
        let decided = cursorTable.withLock { cursors -> Offset? in
            guard let floor = self.floor(cursors) else { return nil }
            let newStart = table.withLock { table in
                let passed = table.passedBytes(below: floor)
                return table.start(
                    afterDeletingBelow: floor, keeping: min(configuration.keptBytes, passed - min(passed, needed)))
            }
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

    /// Bytes of history that stand in the way of the next segments.
    func roomShortage() -> UInt64 {
        // No more than can be kept as spares, or giving up would never end.
        let reserve = UInt64(max(1, configuration.spareSegments)) * configuration.segmentBytes
        let (allocated, spare) = table.withLock { ($0.allocatedBytes, $0.spareBytes) }
        let limit = maximumBytes - rewriteReserve
        let byLimit = allocated + reserve > limit ? allocated + reserve - limit : 0
        let free = freeBytes.load(ordering: .relaxed)
        // A quota is not seen in the free bytes.
        let usable = diskShortage.withLock { $0 } == nil && free > minimumFreeBytes ? free - minimumFreeBytes : 0
        let byDisk = reserve > usable + spare ? reserve - usable - spare : 0
        return max(byLimit, byDisk)
    }

    /// Bytes of the limit that a segment takes while it is rewritten; none while nothing is.
    var rewriteReserve: UInt64 {
        admission.isDivided.load(ordering: .relaxed) ? min(configuration.segmentBytes, maximumBytes / 4) : 0
    }

    /// Gives up the oldest history for a segment that is needed now. Blocks. False: there is none.
    private func giveUpHistory(_ bytes: UInt64) throws(FileError) -> Bool {
        try house.withLock { (house: inout House) throws(FileError) in
            let before = table.withLock { $0.entries.count }
            do throws(FileError) {
                try deletePassedSegments(&house, wanted: bytes)
            } catch {
                noteFailure(error, &house)
                throw error
            }
            lookAtFreeSpace()
            return table.withLock { $0.entries.count } < before
        }
    }

    func dispose(of entry: SegmentTable.Entry) throws(FileError) {
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

    /// Tells appenders how much the log may still take; history is room.
    func publishRoom() {
        let diskShortage = diskShortage.withLock { $0 }
        let free = freeBytes.load(ordering: .relaxed)
        let segmentBytes = configuration.segmentBytes
        let floor = cursorTable.withLock { self.floor($0) }
        // Stored under the lock, so that no older figure ever replaces a newer one.
        table.withLock { table in
            // What can be deleted, and what rewriting would win.
            let history = (floor.map { table.passedBytes(below: $0) } ?? 0) + table.reclaimableBytes
            let allocated = table.allocatedBytes - min(table.allocatedBytes, history)
            let limit = maximumBytes - rewriteReserve
            let byLimit = limit > allocated ? (limit - allocated) / segmentBytes : 0
            var byDisk = UInt64(table.spares.count)
            if diskShortage == nil {
                let usable = free + history
                if usable > minimumFreeBytes { byDisk += (usable - minimumFreeBytes) / segmentBytes }
            } else {
                byDisk += history / segmentBytes
            }
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

    // MARK: Spares

    /// Has the next segment ready before it is needed; after a full disk it is also the test whether there is room again.
    func prepareSpare() {
        let isFull = diskShortage.withLock { $0 } != nil
        let segmentBytes = configuration.segmentBytes
        let isWanted = table.withLock { table in
            table.spares.count < (isFull ? max(1, configuration.spareSegments) : 1)
                && (isFull || table.activeRoom < segmentBytes / 2)
                && table.allocatedBytes + segmentBytes <= maximumBytes - rewriteReserve
        }
        guard isWanted, poison == nil, hasFreeSpace(for: segmentBytes) else { return }
        guard let spare = try? makeSpare(bytes: segmentBytes) else { return }
        table.withLock { $0.spares.append(spare) }
        diskShortage.withLock { $0 = nil }
    }

    /// A file for a new segment of at least this size: one that is ready, a new one, or room that history gives up.
    func takeSpare(atLeast bytes: UInt64) throws(LogError) -> SegmentTable.Spare {
        while true {
            do {
                return try takeSpareNow(atLeast: bytes)
            } catch {
                switch error {
                case .full: break
                case .file(let file) where file.isOutOfSpace: break
                default: throw error
                }
                // Housekeeping gives up history ahead of need; this is for bursts.
                guard (try? giveUpHistory(bytes)) == true || rewriteForRoom() else { throw error }
            }
        }
    }

    private func takeSpareNow(atLeast bytes: UInt64) throws(LogError) -> SegmentTable.Spare {
        let allocated = table.withLock { $0.allocatedBytes }
        guard allocated + bytes <= maximumBytes - rewriteReserve else { throw .full(.maximumBytes(maximumBytes)) }
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
