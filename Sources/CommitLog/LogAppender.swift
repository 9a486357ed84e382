// An event loop's way into the log: records are encoded straight into a staging buffer of the loop's own, which the
// log thread takes as a whole.

import Synchronization

/// What every append must be told before it may stage anything; shared by all appenders of a log.
final class Admission: Sendable {
    enum Status: Int {
        case open, poisoned, closed
    }

    let maximumPendingBytes: Int
    let maximumEntryBytes: Int
    /// Bytes of the room that are kept for refusals.
    let refusalReserve: Int
    /// Staged and not yet durable, over all appenders.
    let pendingBytes = Atomic<Int>(0)
    /// Bytes that the log may still take, pending ones included.
    let room = Atomic<Int>(0)
    let shortage = Guarded<LogError.Shortage>(.maximumBytes(0))
    /// Who may have how much of the room; looked at only when it is divided.
    let shares = Guarded(RoomShares())
    let isDivided = Atomic(false)
    let bell = Bell()
    private let status = Atomic<Int>(Status.open.rawValue)
    private let poison = Guarded<FileError?>(nil)

    init(maximumPendingBytes: Int, maximumEntryBytes: Int, refusalReserve: Int) {
        self.refusalReserve = refusalReserve
        self.maximumPendingBytes = maximumPendingBytes
        self.maximumEntryBytes = maximumEntryBytes
    }

    /// Nil while the log takes records.
    var stopped: LogError? {
        guard status.load(ordering: .acquiring) != Status.open.rawValue else { return nil }
        if let error = poison.withLock({ $0 }) { return .poisoned(error) }
        return .closed
    }

    var poisonError: FileError? {
        poison.withLock { $0 }
    }

    /// False: it was poisoned already.
    func stop(poison error: FileError) -> Bool {
        let isFirst = poison.withLock { poison in
            defer { poison = poison ?? error }
            return poison == nil
        }
        status.store(Status.poisoned.rawValue, ordering: .releasing)
        return isFirst
    }

    func close() {
        status.store(Status.closed.rawValue, ordering: .releasing)
    }

    /// Counts the bytes as pending, or says why not.
    ///
    /// Refusals may use the last of the room: without them no cursor passes a record that nodes refuse, and no room
    /// would ever come.
    ///
    /// Where the room is divided, each record of an entry is asked whether its replica set has any left.
    func admit(_ bytes: Int, of set: UInt16, inOpenEntry: Bool, isRefusal: Bool) throws(LogError) {
        let before = pendingBytes.wrappingAdd(bytes, ordering: .relaxed).oldValue
        do throws(LogError) {
            try admitToRoom(bytes, before, inOpenEntry: inOpenEntry, isRefusal: isRefusal)
            try admitToShare(bytes, before, of: set, isRefusal: isRefusal)
        } catch {
            pendingBytes.wrappingSubtract(bytes, ordering: .relaxed)
            throw error
        }
    }

    private func admitToRoom(
        _ bytes: Int, _ before: Int, inOpenEntry: Bool, isRefusal: Bool
    ) throws(LogError) {
        guard !inOpenEntry else { return }
        if before + bytes > room.load(ordering: .relaxed) - (isRefusal ? 0 : refusalReserve) {
            throw .full(shortage.withLock { $0 })
        }
        if before > 0 && before + bytes > maximumPendingBytes {
            throw .overloaded(pendingBytes: before)
        }
    }

    private func admitToShare(_ bytes: Int, _ before: Int, of set: UInt16, isRefusal: Bool) throws(LogError) {
        guard isDivided.load(ordering: .relaxed) else { return }
        let left = UInt64(max(0, room.load(ordering: .relaxed) - before))
        let shortage = shares.withLock { shares -> LogError.Shortage? in
            guard isRefusal || UInt64(bytes) <= shares.room(of: set, room: left) else {
                return .part(replicaSet: set, backlog: shares.backlogs[set] ?? 0, part: shares.part)
            }
            shares.staged(set, bytes: bytes)
            return nil
        }
        if let shortage { throw .full(shortage) }
    }

    /// Whether a record of the set, of this size on disk, would be refused now.
    func isFull(for set: UInt16, bytes: Int) -> Bool {
        let left = room.load(ordering: .relaxed) - pendingBytes.load(ordering: .relaxed) - refusalReserve
        guard left >= bytes else { return true }
        guard isDivided.load(ordering: .relaxed) else { return false }
        return shares.withLock { $0.room(of: set, room: UInt64(left)) } < UInt64(bytes)
    }

    /// The records are dropped, or refused by the disk.
    ///
    /// - Parameter range: of the staged records.
    func release(_ range: Range<Int>, in memory: StagingMemory) {
        release(range.count)
        guard isDivided.load(ordering: .relaxed) else { return }
        let bytes = UnsafeRawBufferPointer(memory.bytes)
        shares.withLock { shares in
            var place = range.lowerBound
            while place < range.upperBound {
                let size = RecordHeader.staged(bytes, at: place).bytes
                shares.dropped(RecordHeader.stagedReplicaSet(bytes, at: place), bytes: size)
                place += size
            }
        }
    }

    func release(_ bytes: Int) {
        pendingBytes.wrappingSubtract(bytes, ordering: .relaxed)
    }
}

/// Bytes of staged records, one after the other, as they will lie in the segment.
final class StagingMemory {
    private(set) var bytes: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        bytes = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        bytes.deallocate()
    }

    func grow(to capacity: Int, keeping used: Int) {
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<used]))
        bytes.deallocate()
        bytes = larger
    }
}

/// Takes the records of one thread, usually an event loop. Appending copies the payload once and waits for no file.
package final class LogAppender: Sendable {
    private struct Staging {
        var memory: StagingMemory
        /// Kept from the last group, to be used again.
        var idle: StagingMemory?
        var used = 0
        /// Up to here entries are complete.
        var committedBytes = 0
        var committedRecords = 0
        var committedEntries = 0
        var openRecords = 0
    }

    /// Complete entries, taken out.
    struct Batch {
        let memory: StagingMemory
        let bytes: Int
        let records: Int
        let entries: Int
    }

    private static let initialBytes = 64 << 10
    /// So many staged bytes are a group worth a sync: whoever appends on need not be waited for.
    private static let eagerBytes = 64 << 10
    /// Larger buffers are not kept: one large request must not cost its memory for ever.
    private static let largestIdleBytes = 4 << 20

    let onCompletion: @Sendable (CommitLog.Completion) -> Void
    private let admission: Admission
    private let clock: any LogClock
    private let staging: Guarded<Staging>
    private let isClosed = Atomic(false)

    init(
        admission: Admission, clock: any LogClock, onCompletion: @escaping @Sendable (CommitLog.Completion) -> Void
    ) {
        self.admission = admission
        self.clock = clock
        self.onCompletion = onCompletion
        staging = Guarded(Staging(memory: StagingMemory(capacity: Self.initialBytes)))
    }

    /// Stages one record. `write` gets exactly `bodyBytes` bytes in the staging buffer and must fill them all; it
    /// must not call back into this appender.
    ///
    /// All records up to one with `endsEntry: true` are one entry: after a crash they are there together or not at
    /// all. An error means that nothing of the entry is staged: records of it that were staged before are
    /// dropped too, and get no completion. Only an entry's first record can be refused as `.full` or `.overloaded`, but
    /// where a replica set has used up its part of the log any record of that set can (`.part`).
    ///
    /// - Parameter isLast: false: more is coming within this turn of the appender's thread, which ends with ``ring()``, so
    ///   that one sync does for all of it. The log may write the record before.
    package func append(
        kind: RecordKind, replicaSet: UInt16, bodyBytes: Int, endsEntry: Bool = true, isLast: Bool = true,
        write: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(LogError) {
        let time = clock.wallNanoseconds()
        let isDue = try staging.withLock { (staging: inout Staging) throws(LogError) -> Bool in
            do throws(LogError) {
                let size = Layout.recordBytes(body: bodyBytes)
                try admit(size, of: replicaSet, isRefusal: kind == .refusal, &staging)
                let place = staging.used
                if staging.memory.bytes.count < place + size {
                    staging.memory.grow(
                        to: max(place + size, min(2 * staging.memory.bytes.count, place + size + (8 << 20))),
                        keeping: place)
                }
                let record = UnsafeMutableRawBufferPointer(rebasing: staging.memory.bytes[place..<place + size])
                let bodyEnd = Layout.recordHeaderBytes + bodyBytes
                let body = UnsafeMutableRawBufferPointer(rebasing: record[Layout.recordHeaderBytes..<bodyEnd])
                write(body)
                for index in bodyEnd..<size { record[index] = 0 }
                RecordHeader.stage(
                    into: record, bodyBytes: bodyBytes, time: time, replicaSet: replicaSet, kind: kind,
                    endsEntry: endsEntry, bodyChecksum: Layout.crc32c(0, UnsafeRawBufferPointer(body)))
                staging.used = place + size
                staging.openRecords += 1
            } catch {
                drop(&staging)
                throw error
            }
            guard endsEntry else { return false }
            staging.committedBytes = staging.used
            staging.committedRecords += staging.openRecords
            staging.committedEntries += 1
            staging.openRecords = 0
            return isLast || staging.committedBytes >= Self.eagerBytes
        }
        if isDue { ring() }
    }

    /// Tells the log's thread that there is something to write.
    package func ring() {
        admission.bell.ring()
    }

    /// Drops the records of the entry that was begun and not ended; they get no completion.
    package func cancelEntry() {
        staging.withLock { drop(&$0) }
    }

    /// Tells the log that no more will come. What was appended is still written and completed.
    package func close() {
        cancelEntry()
        isClosed.store(true, ordering: .releasing)
    }

    private func admit(_ size: Int, of set: UInt16, isRefusal: Bool, _ staging: inout Staging) throws(LogError) {
        if let error = admission.stopped { throw error }
        guard !isClosed.load(ordering: .acquiring) else { throw .closed }
        let entryBytes = staging.used - staging.committedBytes + size
        guard entryBytes <= admission.maximumEntryBytes else {
            throw .tooLarge(bytes: entryBytes, limit: admission.maximumEntryBytes)
        }
        try admission.admit(size, of: set, inOpenEntry: staging.openRecords > 0, isRefusal: isRefusal)
    }

    private func drop(_ staging: inout Staging) {
        admission.release(staging.committedBytes..<staging.used, in: staging.memory)
        staging.used = staging.committedBytes
        staging.openRecords = 0
    }

    // MARK: The log thread's side

    /// Takes all complete entries. Nil: there are none.
    func take() -> Batch? {
        staging.withLock { staging in
            guard staging.committedRecords > 0 else { return nil }
            let batch = Batch(
                memory: staging.memory, bytes: staging.committedBytes, records: staging.committedRecords,
                entries: staging.committedEntries)
            let open = UnsafeRawBufferPointer(
                rebasing: staging.memory.bytes[staging.committedBytes..<staging.used])
            let next = staging.idle ?? StagingMemory(capacity: Self.initialBytes)
            staging.idle = nil
            if next.bytes.count < open.count { next.grow(to: open.count, keeping: 0) }
            next.bytes.copyMemory(from: open)
            staging.memory = next
            staging.used = open.count
            staging.committedBytes = 0
            staging.committedRecords = 0
            staging.committedEntries = 0
            return batch
        }
    }

    /// Gives a batch's memory back, after its last byte was written.
    func giveBack(_ memory: StagingMemory) {
        guard memory.bytes.count <= Self.largestIdleBytes else { return }
        staging.withLock { staging in
            if staging.idle == nil { staging.idle = memory }
        }
    }

    var isFinished: Bool {
        isClosed.load(ordering: .acquiring) && staging.withLock { $0.committedRecords == 0 }
    }
}
