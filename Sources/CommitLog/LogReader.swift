// Reading by offset while the log is written: readers share nothing with the writer but the table of segments.

import Glibc

extension CommitLog {
    /// Fills `buffer` with whole records from `offset` on, below the durable end only, all of one segment. Blocks on the
    /// disk if the page cache does not have them; for a reader's thread, not for an event loop. 256 KiB is a good
    /// size for a buffer; one record can be larger (`.needs`).
    ///
    /// - Throws: `.passed` if the records were deleted, `.beyondEnd` if there never were any, `.closed`, `.file`.
    package func read(
        from offset: Offset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(LogError) -> ReadResult {
        guard !isClosed.load(ordering: .acquiring) else { throw .closed }
        let durableEnd = durableEnd
        guard offset < durableEnd else {
            guard offset == durableEnd else { throw .beyondEnd(offset, durableEnd: durableEnd) }
            return .atEnd
        }
        switch table.withLock({ $0.pin(offset) }) {
        case .passed(let start):
            throw .passed(start: start)
        case .lost(let damage):
            note(damage, in: damage.lost.lowerBound)
            return .lost(damage)
        case .pinned(let pin):
            return try read(from: offset, pin, durableEnd: durableEnd, into: buffer)
        }
    }

    private func read(
        from offset: Offset, _ pin: SegmentTable.Pin, durableEnd: Offset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(LogError) -> ReadResult {
        var file = pin.file
        var next: SegmentWalk?
        defer { table.withLock { $0.unpin(pin.base, file: file, walk: next) } }
        let limit = min(durableEnd, pin.end)
        do {
            let open = try fileSystem.reopen(file, pin.path, .readWrite)
            file = open
            let segment = SegmentFile(
                file: open, path: pin.path, context: SegmentContext(identity: identity, base: pin.base))
            let bounds = SegmentFile.Bounds(limit: limit, endPosition: pin.endPosition)
            var outcome = try segment.read(from: offset, walk: pin.walk, bounds: bounds, into: buffer)
            if case .lost = outcome.result {
                // Once more, from a place that owes nothing to memory, before anything is called lost.
                outcome = try segment.read(
                    from: offset, walk: .start(of: pin.base), bounds: bounds, into: buffer)
            }
            next = outcome.next
            if case .lost(let damage) = outcome.result { note(damage, in: pin.base) }
            return outcome.result
        } catch {
            guard error.errno == ENOENT else { throw .file(error) }
            // It may have been deleted between the look-up and the opening.
            guard offset >= start else { throw .passed(start: start) }
            let damage = LogDamage(lost: offset..<limit, path: pin.path, reason: "the file is missing")
            note(damage, in: pin.base)
            return .lost(damage)
        }
    }

    private func note(_ damage: LogDamage, in base: Offset) {
        guard table.withLock({ $0.note(damage, in: base) }) else { return }
        for report in listeners.withLock({ $0.damage }) { report(damage) }
    }
}
