// What happens beside writing, about once a second on a thread of its own: checkpoints of the ledger, then what
// Retention.swift does with passed segments, spare ones and free space.

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
        // Whoever asks from now on is told by the next round: what it set may be too late for this one.
        let asking = checkpointRequests.withLock { $0.take() }
        let outcome = Result { () throws(LogError) in try checkpoint() }
        for tell in asking { tell(outcome) }
        house.withLock { house in
            do throws(FileError) {
                try deletePassedSegments(&house)
            } catch {
                noteFailure(error, &house)
            }
            lookAtFreeSpace()
            prepareSpare()
            publishRoom()
        }
        tidySegments()
    }

    /// Writes cursors, notes and durable end to disk now. Blocks. On return all cursors and notes that were set before
    /// are durable.
    ///
    /// - Throws: `.file` if the disk is full, which may pass, or broken, which stops the log; `.poisoned` when it is.
    package func checkpoint() throws(LogError) {
        try house.withLock { (house: inout House) throws(LogError) in
            if house.isBroken, let poison { throw .poisoned(poison) }
            do throws(FileError) {
                try checkpointCursors(&house)
            } catch {
                noteFailure(error, &house)
                throw .file(error)
            }
        }
    }

    /// As ``checkpoint()``, for event loops: asks the housekeeping thread to do it now and returns at once. `whenDone`
    /// runs on that thread; after the log was closed, here and with `.closed`.
    package func checkpoint(whenDone: @escaping CheckpointRequests.Tell) {
        guard checkpointRequests.withLock({ $0.add(whenDone) }) else { return whenDone(.failure(.closed)) }
        houseBell.ring()
    }

    /// The last round, when no other thread of the log is left.
    func finishHouse() {
        let asking = checkpointRequests.withLock { $0.close() }
        let outcome = Result { () throws(LogError) in
            try house.withLock { (house: inout House) throws(LogError) in
                if house.isBroken, let poison { throw .poisoned(poison) }
                var last = ledgerNow(house)
                last.closedCleanly = poison == nil
                do throws(FileError) {
                    try replaceLedger(with: last, &house)
                } catch {
                    // It costs the last second of cursors, which replays records in order: no reason to trap.
                    throw .file(error)
                }
            }
        }
        for tell in asking { tell(outcome) }
    }

    private var ledgerFile: LedgerFile {
        LedgerFile(folder: configuration.directory, fileSystem: fileSystem)
    }

    func noteFailure(_ error: FileError, _ house: inout House) {
        counters.withLock { $0.failedCheckpoints += 1 }
        guard !error.isOutOfSpace else { return }
        house.isBroken = true
        poison(error)
    }

    private func checkpointCursors(_ house: inout House) throws(FileError) {
        guard !house.isBroken else { return }
        let next = ledgerNow(house)
        guard next != house.written else { return }
        try replaceLedger(with: next, &house)
    }

    private func ledgerNow(_ house: House) -> Ledger {
        var next = house.written
        // In this order: a cursor never stands beyond a durable end that is read after it.
        (next.cursors, next.notes) = cursorTable.withLock { ($0.current, $0.notes) }
        next.durableEnd = durableEnd
        return next
    }

    func replaceLedger(with ledger: Ledger, _ house: inout House) throws(FileError) {
        do {
            try ledgerFile.replace(with: ledger)
        } catch {
            // On a disk without a single block left a spare makes room: what the ledger says frees more.
            guard error.isOutOfSpace, let spare = table.withLock({ $0.spares.popLast() }) else { throw error }
            try fileSystem.remove(spare.path)
            try ledgerFile.replace(with: ledger)
        }
        house.written = ledger
        cursorTable.withLock { $0.durable = ledger.cursors }
        counters.withLock { $0.checkpoints += 1 }
    }
}
