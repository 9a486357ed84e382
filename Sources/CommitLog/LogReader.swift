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
        var looks = 0
        while true {
            looks += 1
            switch table.withLock({ $0.pin(offset) }) {
            case .passed(let start):
                throw .passed(start: start)
            case .lost(let damage):
                note(damage, in: damage.lost.lowerBound)
                return .lost(damage)
            case .pinned(let pin):
                let isLastLook = looks > Self.mostLooks
                let result = try read(
                    from: offset, pin, durableEnd: durableEnd, trusting: isLastLook, into: buffer)
                if let result { return result }
            }
        }
    }

    /// What the segments that were rewritten lack of what a reader needs: a node, say, that went back in time.
    ///
    /// - Parameters:
    ///   - offset: where the reader begins.
    ///   - concerns: whether the records of a replica set are its business.
    /// - Returns: the range in which such records were left out; nil: none, so the gaps on its way are nothing to it.
    package func leftOut(from offset: Offset, where concerns: (UInt16) -> Bool) -> Range<Offset>? {
        table.withLock { $0.leftOut(from: offset, where: concerns) }
    }

    /// Of a tenth of a millisecond each, at a segment that is just being replaced.
    private static let mostLooks = 50_000

    /// Nil: the segment was replaced while it was being opened; look again.
    ///
    /// - Parameter trusting: it was not replaced, so its beginning is damaged; read it all the same.
    private func read(
        from offset: Offset, _ pin: SegmentTable.Pin, durableEnd: Offset, trusting: Bool,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(LogError) -> ReadResult? {
        var file = pin.file
        var next: SegmentWalk?
        defer { table.withLock { $0.unpin(pin, file: file, walk: next) } }
        let limit = min(durableEnd, pin.end)
        do {
            let open = try fileSystem.reopen(file, pin.path, .readWrite)
            // What was opened by its name may be the successor's file already, before the table says so.
            if file == nil, !trusting, try SegmentFace.stamp(of: open) != pin.stamp {
                if table.withLock({ $0.isCurrent(pin) }) { usleep(100) }
                return nil
            }
            file = open
            let segment = SegmentFile(
                file: open, path: pin.path, context: SegmentContext(identity: identity, base: pin.base))
            let bounds = SegmentFile.Bounds(limit: limit, endPosition: pin.endPosition)
            var outcome = try segment.read(from: offset, walk: pin.walk, bounds: bounds, into: buffer)
            if case .lost = outcome.result {
                // Once more, from a place that owes nothing to memory, before anything is called lost.
                outcome = try segment.read(from: offset, walk: pin.start, bounds: bounds, into: buffer)
            }
            next = outcome.next
            if case .lost(let damage) = outcome.result { note(damage, in: pin.base) }
            return outcome.result
        } catch {
            guard error.errno == ENOENT else { throw .file(error) }
            // It may have been deleted, or have gone into another, between the look-up and the opening.
            guard offset >= start else { throw .passed(start: start) }
            guard table.withLock({ $0.isCurrent(pin) }) else { return nil }
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
