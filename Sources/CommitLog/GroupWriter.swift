// The log thread's work: take everything pending, write it as a group, sync once, complete, publish, wake.

/// The writer's state and the file it writes; touched by one thread at a time.
struct GroupWriter {
    var state: WriterState
    var active: any File
    var isClosed = false

    init(state: WriterState, active: any File) {
        self.state = state
        self.active = active
    }
}

/// What is written as one group.
private struct Group {
    /// Records of one appender.
    struct Piece {
        let appender: LogAppender
        let memory: StagingMemory
        let range: Range<Int>
        let records: Int
        let entries: Int
        /// Nothing else in this memory waits to be written.
        let endsBatch: Bool
    }

    var pieces: [Piece] = []
    var records = 0
    var entries = 0
    var bytes = 0
}

/// What was taken and is not yet written, in order.
private struct Pending {
    private struct Item {
        let appender: LogAppender
        let batch: LogAppender.Batch
        var position = 0
        var records: Int
        var entries: Int
    }

    private var items: [Item] = []
    private var first = 0

    init(from appenders: [LogAppender]) {
        for appender in appenders {
            guard let batch = appender.take() else { continue }
            items.append(Item(appender: appender, batch: batch, records: batch.records, entries: batch.entries))
        }
    }

    var isEmpty: Bool {
        first == items.count
    }

    /// Bytes of the first entry.
    var firstEntryBytes: Int {
        guard first < items.count else { return 0 }
        return Self.prefix(of: items[first], fitting: 1).bytes
    }

    /// Takes as many whole entries as fit.
    mutating func takeGroup(fitting room: Int) -> Group {
        var group = Group()
        while first < items.count {
            let item = items[first]
            let rest = item.batch.bytes - item.position
            let isWhole = rest <= room - group.bytes
            let taken =
                isWhole
                ? (bytes: rest, records: item.records, entries: item.entries)
                : Self.prefix(of: item, fitting: room - group.bytes, atLeastOne: false)
            if taken.bytes > 0 {
                group.pieces.append(
                    Group.Piece(
                        appender: item.appender, memory: item.batch.memory,
                        range: item.position..<item.position + taken.bytes, records: taken.records,
                        entries: taken.entries, endsBatch: isWhole))
                group.bytes += taken.bytes
                group.records += taken.records
                group.entries += taken.entries
            }
            guard isWhole else {
                items[first].position += taken.bytes
                items[first].records -= taken.records
                items[first].entries -= taken.entries
                break
            }
            first += 1
        }
        return group
    }

    private static func prefix(
        of item: Item, fitting room: Int, atLeastOne: Bool = true
    ) -> (bytes: Int, records: Int, entries: Int) {
        let bytes = UnsafeRawBufferPointer(item.batch.memory.bytes)
        var taken = (bytes: 0, records: 0, entries: 0)
        var position = item.position
        var records = 0
        while position < item.batch.bytes {
            let record = RecordHeader.staged(bytes, at: position)
            position += record.bytes
            records += 1
            guard record.endsEntry else { continue }
            let isFirst = taken.entries == 0
            guard position - item.position <= room || (atLeastOne && isFirst) else { break }
            taken = (position - item.position, records, taken.entries + 1)
            if atLeastOne { break }
        }
        return taken
    }
}

extension CommitLog {
    /// One round of the log thread. Blocks on the disk. Tests that turn the wheels themselves call it.
    package func writePending() {
        writer.withLock { writer in
            guard !writer.isClosed else { return }
            let appenders = appenders.withLock { appenders in
                if appenders.contains(where: \.isFinished) { appenders.removeAll(where: \.isFinished) }
                return appenders
            }
            var pending = Pending(from: appenders)
            // Housekeeping may have found the disk broken.
            if let error = admission.poisonError { writer.state.poisoned(by: error) }
            var refusal = writer.state.poison.map(LogError.poisoned)
            while !pending.isEmpty {
                if let refusal {
                    refuse(pending.takeGroup(fitting: .max), refusal)
                    continue
                }
                refusal = writeGroup(of: &pending, &writer)
            }
            if let error = writer.state.poison { drain(after: error) }
        }
    }

    /// After the poison became known to appenders, nothing more is staged; what got in before is refused here.
    private func drain(after error: FileError) {
        poison(error)
        var left = Pending(from: appenders.withLock { $0 })
        while !left.isEmpty { refuse(left.takeGroup(fitting: .max), .poisoned(error)) }
    }

    /// Writes as much as fits in one segment. Returns why nothing more can be written now.
    private func writeGroup(of pending: inout Pending, _ writer: inout GroupWriter) -> LogError? {
        let group = pending.takeGroup(fitting: writer.state.room)
        if group.records > 0 { return append(group, &writer) }
        let bytes = writer.state.newSegmentBytes(
            entryBytes: pending.firstEntryBytes, segmentBytes: configuration.segmentBytes)
        let spare: SegmentTable.Spare
        do {
            spare = try takeSpare(atLeast: bytes)
        } catch {
            let group = pending.takeGroup(fitting: .max)
            if case .file(let file) = error { return react(to: file, at: .makeSegment, group, nil, &writer) }
            refuse(group, error)
            return error
        }
        let next = pending.takeGroup(fitting: WriterState.room(inNewSegmentOf: spare.bytes))
        return begin(spare, with: next, &writer)
    }

    /// Writes the group behind the last one.
    private func append(_ group: Group, _ writer: inout GroupWriter) -> LogError? {
        guard let (base, path) = table.withLock({ $0.entries.last.map { ($0.base, $0.path) } }) else { return .closed }
        let first = writer.state.end
        let position = writer.state.position
        let context = SegmentContext(identity: identity, base: base)
        var step = WriterState.Step.writeActive
        var shares = SegmentShares()
        do throws(FileError) {
            shares = try write(
                group, to: writer.active, at: position, context: context, header: nil, &writer.state
            ) {
                step = .sync
            }
        } catch {
            // The file may have been opened under the name of a spare.
            let named = FileError(errno: error.errno, operation: error.operation, path: path)
            return react(to: named, at: step, group, nil, &writer)
        }
        writer.state.groupIsDurable(records: group.records, bytes: group.bytes)
        let state = writer.state
        table.withLock { table in
            table.groupIsDurable(
                first: first, end: state.end, from: position, to: state.position, shares: shares)
            account(shares)
        }
        // Half full: time to have the next segment ready.
        if position < state.capacity / 2 && state.position >= state.capacity / 2 { houseBell.ring() }
        complete(group, first: first, end: state.end)
        return nil
    }

    /// Writes the group as the first of a new segment.
    private func begin(
        _ spare: SegmentTable.Spare, with group: Group, _ writer: inout GroupWriter
    ) -> LogError? {
        let first = writer.state.end
        // A segment without a durable record has the same base and is replaced; its predecessor stays the same.
        let previous = table.withLock { table in
            table.entries.last { $0.base < first }?.base
        }
        let header = SegmentHeader(identity: identity, epoch: epoch, base: first, previousBase: previous)
        let context = SegmentContext(identity: identity, base: first)
        let path = configuration.directory + "/" + FileName.segment(first)
        var step = WriterState.Step.writeNew
        var shares = SegmentShares()
        do throws(FileError) {
            shares = try write(
                group, to: spare.file, at: UInt64(Layout.segmentHeaderBytes), context: context, header: header,
                &writer.state
            ) {
                step = .sync
            }
            step = .renameSegment
            try fileSystem.rename(spare.path, to: path)
            step = .syncFolder
            try fileSystem.syncFolder(configuration.directory)
        } catch {
            return react(to: error, at: step, group, spare, &writer)
        }
        writer.state.groupIsDurable(records: group.records, bytes: group.bytes, inNewSegmentOf: spare.bytes)
        writer.active = spare.file
        let state = writer.state
        table.withLock { table in
            table.segmentBegan(
                SegmentTable.Entry(
                    path: path, base: first, epoch: epoch, file: spare.file, end: state.end,
                    endPosition: state.position, allocatedBytes: spare.bytes, index: [.start(of: first)],
                    shares: shares))
            account(shares)
        }
        houseBell.ring()
        complete(group, first: first, end: state.end)
        return nil
    }

    /// Called under the table's lock, so that no update of the accounts counts the group twice.
    private func account(_ shares: SegmentShares) {
        guard admission.isDivided.load(ordering: .relaxed) else { return }
        admission.shares.withLock { accounts in
            for (set, share) in shares.sets { accounts.durable(set, bytes: share.bytes) }
        }
    }

    /// Gives the records their offsets, writes them with their mark (and the segment's header before it), syncs. Returns
    /// how much of them is whose.
    private func write(
        _ group: Group, to file: any File, at position: UInt64, context: SegmentContext, header: SegmentHeader?,
        _ state: inout WriterState, willSync: () -> Void
    ) throws(FileError) -> SegmentShares {
        let began = clock.monotonicNanoseconds()
        let mark = state.beginGroup(records: group.records, bytes: group.bytes, time: clock.wallNanoseconds())
        let headBytes = (header == nil ? 0 : Layout.segmentHeaderBytes) + Layout.groupMarkBytes
        let head = UnsafeMutableRawBufferPointer.allocate(byteCount: headBytes, alignment: 8)
        defer { head.deallocate() }
        header?.encode(into: head)
        let seed = mark.encode(
            into: UnsafeMutableRawBufferPointer(rebasing: head[(headBytes - Layout.groupMarkBytes)...]),
            context: context)
        var offset = mark.durableEnd
        var vectors = [UnsafeRawBufferPointer(head)]
        var shares = SegmentShares()
        // Of the records of one set, one after the other.
        var run: (set: UInt16, share: SetShare)?
        for piece in group.pieces {
            let bytes = piece.memory.bytes
            var place = piece.range.lowerBound
            while place < piece.range.upperBound {
                RecordHeader.finish(bytes, at: place, offset: offset, seed: seed)
                let size = RecordHeader.staged(UnsafeRawBufferPointer(bytes), at: place).bytes
                let set = RecordHeader.stagedReplicaSet(UnsafeRawBufferPointer(bytes), at: place)
                let share = SetShare(records: 1, bytes: UInt64(size), first: offset, last: offset)
                if run?.set == set {
                    run?.share.add(share)
                } else {
                    if let run { shares.add(run.set, run.share) }
                    run = (set, share)
                }
                offset = offset.advanced(by: 1)
                place += size
            }
            vectors.append(UnsafeRawBufferPointer(rebasing: bytes[piece.range]))
        }
        if let run { shares.add(run.set, run.share) }
        try file.write(at: header == nil ? position : 0, vectors)
        willSync()
        let written = clock.monotonicNanoseconds()
        try file.sync()
        let synced = clock.monotonicNanoseconds()
        counters.withLock { figures in
            figures.groups += 1
            figures.records += UInt64(group.records)
            figures.entries += UInt64(group.entries)
            figures.bytes += UInt64(group.bytes + headBytes)
            figures.writeNanoseconds += written - began
            figures.syncNanoseconds += synced - written
            figures.lastSyncNanoseconds = synced - written
            figures.slowestSyncNanoseconds = max(figures.slowestSyncNanoseconds, synced - written)
        }
        return shares
    }

    /// Completions first, then the durable end, then the wakes: whoever is woken finds that every appender knows.
    private func complete(_ group: Group, first: Offset, end: Offset) {
        publishRoom()
        admission.release(group.bytes)
        var next = first
        for piece in group.pieces {
            if piece.endsBatch { piece.appender.giveBack(piece.memory) }
            piece.appender.onCompletion(.durable(first: next, count: piece.records))
            next = next.advanced(by: piece.records)
        }
        durableEndValue.store(end.rawValue, ordering: .releasing)
        for wake in listeners.withLock({ $0.durableEnd }) { wake(end) }
    }

    private func refuse(_ group: Group, _ error: LogError) {
        for piece in group.pieces { admission.release(piece.range, in: piece.memory) }
        counters.withLock { $0.failedRecords += UInt64(group.records) }
        for piece in group.pieces {
            piece.appender.onCompletion(.failed(error, count: piece.records))
        }
    }

    /// Does what the state says about a failure, and tells the group's appenders.
    private func react(
        to error: FileError, at step: WriterState.Step, _ group: Group, _ spare: SegmentTable.Spare?,
        _ writer: inout GroupWriter
    ) -> LogError {
        var refusal = LogError.full(.disk(error))
        switch writer.state.failed(error, at: step) {
        case .refuse:
            break
        case .cutBack:
            do throws(FileError) {
                try writer.active.truncate(to: writer.state.position)
                try writer.active.sync()
                writer.state.wasCutBack()
                table.withLock { $0.activeWasCut() }
            } catch {
                _ = writer.state.failed(error, at: .cutBack)
                refusal = .poisoned(error)
            }
        case .dropNewSegment:
            // If it stays behind, it stays as a spare, and those are removed at the next open.
            if let spare { try? fileSystem.remove(spare.path) }
        case .poison:
            refusal = .poisoned(error)
        }
        if case .full(let shortage) = refusal { diskIsFull(shortage) }
        // Before the completions: whoever hears of a failure finds later appends refused.
        if case .poisoned(let error) = refusal { poison(error) }
        refuse(group, refusal)
        return refusal
    }
}
