// Passed segments are rewritten without finished records, so that the nodes of one replica set that stay away fill the
// log with their own records and with nobody else's (L20).
//
// The new file is written beside the old ones, synced, and takes the name of the first of them; then the others go. At
// any crash either all old ones are there, or the new one, which says where it ends: what begins below that is a leftover.

extension CommitLog {
    /// Says below which offsets the records of each replica set are finished: every node of the set has applied them, as
    /// cursors on disk say (``durableCursors``), or durably needs a copy and another has them. What is finished may be
    /// left out of passed segments from then on; whoever needs it after all is told by ``leftOut(from:where:)``. A set
    /// of which no node has a cursor is finished nowhere.
    ///
    /// To be said about once a second. Until it is said for the first time, nothing is rewritten and all sets share all room.
    ///
    /// - Parameters:
    ///   - finished: names all sets that may have records.
    ///   - others: of sets that are not named.
    ///   - inUse: sets that are written to, those without records too: each gets its part of the room. Nil: all that are named.
    package func setFinished(_ finished: [UInt16: Offset], default others: Offset, inUse: Set<UInt16>? = nil) {
        table.withLock { $0.setFinished(FinishedOffsets(finished, others: others, inUse: inUse)) }
        review()
        publishRoom()
    }

    /// Bytes of the log that would be free, were the sets finished so far.
    package func freeableBytes(_ finished: [UInt16: Offset], default others: Offset) -> UInt64 {
        table.withLock {
            $0.freeable(FinishedOffsets(finished, others: others), segmentBytes: configuration.segmentBytes)
        }
    }

    /// Bytes that can still be appended to a replica set, headers included, while everything stays as it is.
    package func roomBytes(for replicaSet: UInt16) -> UInt64 {
        let room = UInt64(max(0, admission.room.load(ordering: .relaxed) - pendingBytes))
        return admission.shares.withLock { $0.room(of: replicaSet, room: room) }
    }

    /// Whether a record of the replica set would be refused as full now; one with a body of so many bytes.
    package func isFull(for replicaSet: UInt16, bytes: Int = 0) -> Bool {
        admission.isFull(for: replicaSet, bytes: Layout.recordBytes(body: bytes))
    }

    func review() {
        let floor = cursorTable.withLock { $0.floor }
        let free = freeBytes.load(ordering: .relaxed)
        let hasDisk = diskShortage.withLock { $0 } == nil
        table.withLock { table in
            table.review(floor: floor, segmentBytes: configuration.segmentBytes)
            guard let finished = table.finished else { return }
            let usable = hasDisk && free > minimumFreeBytes ? free - minimumFreeBytes : 0
            let capacity = min(maximumBytes, table.allocatedBytes + min(usable, maximumBytes))
            admission.shares.withLock { shares in
                shares.update(
                    held: table.unfinishedBytes, sets: finished.inUse.count > 1 ? Array(finished.inUse) : [],
                    capacity: capacity, segmentBytes: configuration.segmentBytes)
                admission.isDivided.store(shares.isDivided, ordering: .relaxed)
            }
        }
    }

    // MARK: Housekeeping

    /// Each reads as much as four segments at the most (``RewritePlan``).
    private static let rewritingsPerRound = 4

    /// One round of housekeeping: finds out what is in segments that are not known yet, rewrites what is worth it.
    func tidySegments() {
        if poison == nil, table.withLock({ $0.finished })?.isDivided == true {
            rewriting.withLock { work in
                loadShares(&work)
                learnShares(&work)
            }
            // One at a time: the log thread may be waiting for its turn.
            for _ in 0..<Self.rewritingsPerRound {
                guard rewriting.withLock({ rewriteOnce(isShort: roomShortage() > 0, &$0) }) else { break }
            }
            rewriting.withLock { saveShares(&$0) }
        }
        review()
        publishRoom()
    }

    /// For the log thread, when there is no room for a segment that is needed now. Blocks. False: nothing can be won.
    func rewriteForRoom() -> Bool {
        guard table.withLock({ $0.finished })?.isDivided == true else { return false }
        return rewriting.withLock { rewriteOnce(isShort: true, &$0) }
    }

    // MARK: One rewriting

    /// What goes into the new segment; pinned, so that no file of it is recycled meanwhile.
    private struct Sources {
        var entries: [SegmentTable.Entry]
        var pins: [SegmentTable.Pin]
        let previousBase: Offset?
        let finished: FinishedOffsets
    }

    /// False: it has freed nothing.
    private func rewriteOnce(isShort: Bool, _ work: inout RewriteWork) -> Bool {
        review()
        guard poison == nil, let sources = chooseSources(isShort: isShort) else { return false }
        let freed = rewriteOrStay(sources)
        table.withLock { table in
            for pin in sources.pins { table.unpin(pin, file: nil, walk: nil) }
        }
        guard freed > 0 else { return false }
        work.hasNews = true
        review()
        lookAtFreeSpace()
        return true
    }

    private func rewriteOrStay(_ sources: Sources) -> UInt64 {
        do throws(FileError) {
            return try rewrite(sources)
        } catch {
            // A disk that is full just now is no harm: what is there stays.
            if !error.isOutOfSpace { house.withLock { noteFailure(error, &$0) } }
            return 0
        }
    }

    private func chooseSources(isShort: Bool) -> Sources? {
        table.withLock { table in
            guard let finished = table.finished else { return nil }
            let choices = table.rewriteChoices(finished, keptBytes: configuration.keptBytes)
            guard let range = RewritePlan.next(choices, segmentBytes: configuration.segmentBytes, isShort: isShort)
            else { return nil }
            let entries = Array(table.entries[range])
            var pins: [SegmentTable.Pin] = []
            for entry in entries {
                if case .pinned(let pin) = table.pin(entry.base) { pins.append(pin) }
            }
            guard pins.count == entries.count else {
                for pin in pins { table.unpin(pin, file: nil, walk: nil) }
                return nil
            }
            return Sources(
                entries: entries, pins: pins,
                previousBase: range.lowerBound > 0 ? table.entries[range.lowerBound - 1].base : nil, finished: finished)
        }
    }

    private func rewrite(_ sources: Sources) throws(FileError) -> UInt64 {
        var files: [any File] = []
        for pin in sources.pins { files.append(try fileSystem.reopen(pin.file, pin.path, .readWrite)) }
        let path = table.withLock { $0.makeRewritePath() }
        var copy: Copy?
        do throws(FileError) {
            copy = try makeCopy(of: sources, files, path)
        } catch {
            try? fileSystem.remove(path)
            // What is ready for the next segment makes the room by which more is won.
            guard error.isOutOfSpace, let spare = table.withLock({ $0.spares.popLast() }) else { throw error }
            try fileSystem.remove(spare.path)
            do throws(FileError) {
                copy = try makeCopy(of: sources, files, path)
            } catch {
                try? fileSystem.remove(path)
                throw error
            }
        }
        guard let copy else { return 0 }
        return try takePlace(of: sources, files, copy)
    }

    private struct Copy {
        let path: String
        let entry: SegmentTable.Entry
    }

    /// Writes and syncs the new file. Nil: something in the old ones is damaged, so they stay as they are.
    private func makeCopy(of sources: Sources, _ files: [any File], _ path: String) throws(FileError) -> Copy? {
        guard let first = sources.entries.first, let last = sources.entries.last else { return nil }
        let header = SegmentHeader(
            identity: identity, epoch: sources.entries.map(\.epoch).max() ?? epoch, base: first.base,
            previousBase: sources.previousBase, isRewritten: true)
        let file = try fileSystem.create(path)
        var output = RewriteOutput(file: file, header: header)
        for (entry, source) in zip(sources.entries, files) {
            let segment = SegmentFile(
                file: source, path: entry.path, context: SegmentContext(identity: identity, base: entry.base))
            guard try copyRecords(of: entry, segment, sources.finished, to: &output) else {
                try? fileSystem.remove(path)
                return nil
            }
            if let leftOut = entry.leftOut { output.knows(leftOut) }
        }
        // What stands for its predecessors must be all of them.
        precondition(output.next == last.end, "the rewritten segment ends at \(output.next), not at \(last.end)")
        let bytes = try output.finish()
        try file.sync()
        return Copy(
            path: path,
            entry: SegmentTable.Entry(
                path: first.path, base: first.base, epoch: header.epoch, file: file, end: last.end, endPosition: bytes,
                allocatedBytes: bytes, index: output.index, shares: output.shares, leftOut: output.leftOut,
                stamp: output.stamp))
    }

    /// False: there is damage, which is noted as readers note it.
    private func copyRecords(
        of entry: SegmentTable.Entry, _ segment: SegmentFile, _ finished: FinishedOffsets,
        to output: inout RewriteOutput
    ) throws(FileError) -> Bool {
        var walk = entry.start
        var window = SlidingBuffer(bytes: 1 << 20)
        var minimum = Layout.groupMarkBytes
        while walk.offset < entry.end {
            let bytes = try window.bytes(of: segment, at: walk.position, minimum: minimum)
            let step = walk.next(bytes, context: segment.context)
            if case .needs(let needed) = step, needed > minimum, bytes.count >= minimum {
                minimum = needed
                continue
            }
            minimum = Layout.groupMarkBytes
            switch step {
            case .mark:
                continue
            case .gap(let gap):
                output.leaveOut(gap)
            case .record(let record):
                if record.offset < finished[record.replicaSet] {
                    output.leaveOut(record)
                } else {
                    try output.keep(record, bytes)
                }
            case .brokenBody, .needs, .nothing:
                // Its extent is for a reader to find; this only says that there is some.
                table.withLock { $0.markDamaged(entry.serial) }
                return false
            }
        }
        return true
    }

    /// The new file takes the name of the first old one, and the others go. Returns the bytes freed.
    private func takePlace(
        of sources: Sources, _ files: [any File], _ copy: Copy
    ) throws(FileError) -> UInt64 {
        try house.withLock { (house: inout House) throws(FileError) in
            let serials = sources.entries.map(\.serial)
            // From here on readers use the open files, whatever the names say.
            guard !house.isBroken, table.withLock({ $0.beginReplacing(serials, files) }) else {
                try fileSystem.remove(copy.path)
                return 0
            }
            do throws(FileError) {
                try fileSystem.rename(copy.path, to: copy.entry.path)
            } catch {
                table.withLock { $0.endReplacing(serials) }
                throw error
            }
            guard let old = table.withLock({ $0.replace(serials, by: copy.entry) }) else { return 0 }
            // Before any other file goes: the new one must be found under its name.
            try fileSystem.syncFolder(configuration.directory)
            for var entry in old.dropFirst() {
                // This reader is through with it.
                entry.readers -= 1
                try dispose(of: entry)
            }
            let before = old.reduce(0) { $0 + $1.allocatedBytes }
            let freed = before - min(before, copy.entry.allocatedBytes)
            counters.withLock { figures in
                figures.rewrittenSegments += UInt64(old.count)
                figures.rewrittenBytes += copy.entry.allocatedBytes
                figures.reclaimedBytes += freed
            }
            return freed
        }
    }
}
