// The commit log: one append-only order of everything that changes data, durable before anyone hears of it.
//
// # Invariants
// 1. What was completed as `.durable` is in the log at that offset, with those bytes, after any crash or power loss.
// 2. An offset is never used for two contents, once one of them was durable or visible to a reader.
// 3. An entry (records up to one that ends it) is there after a crash whole or not at all, unless the disk rots.
// 4. A reader sees nothing at or above the durable end. The appender's completion comes before the durable end moves,
//    and that before readers are woken.
// 5. No byte is handed to a reader whose checksum is wrong. Damage is reported as a range of lost offsets, never
//    skipped in silence, and never more than is damaged.
// 6. A cursor on disk never stands beyond the durable end on disk. Segments are deleted only when every cursor, on
//    disk and in memory, has passed them; without any cursor nothing is deleted. Cursors and notes on disk are those of
//    one moment.
// 7. A sync that failed is never tried again: the writer is poisoned, and the next open decides what the disk holds.
//
// # On disk
// A folder (0700) with files (0600):
//
//     lock                            held exclusively while the log is open
//     ledger                          identity, epoch, start, durable end, cursors, notes; replaced by rename (Ledger.swift)
//     00000000000000000000.segment    named by the offset of its first record (Layout.swift)
//     spare-0                         preallocated or recycled, to become a segment; removed at open
//     damaged-...                     a passed segment in which damage was found; for a person to look at
//     shares                          what is whose in passed segments; can be found out again (ShareFile.swift)
//     rewrite-0                       a passed segment being written anew; removed at open
//
//     segment = header (64) group group ... unused rest (preallocated; in recycled files old bytes)
//     group   = mark (64) record record ...
//     record  = header (32) body padding to 8
//
// Everything is little-endian and checksummed with CRC32C. A mark's checksum is seeded by the log and the segment's
// base, its magic is a secret of the log; a record's header is seeded by its group's mark, and groups are numbered per
// epoch. So neither an older life of the file, nor a failed attempt at the same place, nor a payload can pass for a record.
// A group never spans segments. A segment ends where its successor begins.
//
// # A group
// The log thread takes all complete entries of all appenders, gives them offsets, writes mark and records at the end of
// the active segment, syncs once, completes, moves the durable end, wakes. One group is in flight at a time, hence a
// mark proves that everything below it was durable. A group that does not fit begins a spare: header and group are written and synced
// before the file gets its name, so that a named segment is always whole.
//
// # Opening
// Older segments are checked by header and chain; the last is read through. A bad place with an intact mark behind it, or
// below the ledger's durable end, is rot: the range is reported as lost, and the log goes on behind it. Otherwise it is a
// torn tail: cut at the last whole entry by truncation. What lies above the last proof of durability is written again
// before it is synced, because a sync that failed in the process before may have left the pages marked clean.
//
// # History
// Passed segments are kept, up to `keptBytes`, for nodes that go back in time. They count as room: the oldest are given
// up when a limit or the disk leaves too little for the next segments, by the housekeeping thread ahead of need and by
// the log thread in a burst. So no append fails because of them.
//
// # Rewriting
// Where records concern only some of the nodes (their replica set), the caller says below which offset each set is finished.
// Passed segments of which much is finished are written anew without it: neighbours become one file, with gaps in place of
// what was left out and a table that says of which sets that was (RewrittenLayout.swift). Offsets stay what they are.
// The new file is synced, then takes the name of the first of the old ones, then the others go; it says where it ends, so
// what a crash leaves of them is known as left over. A reader is told of gaps, and whoever needs what was in one asks
// `leftOut`. Nothing is deleted, though all cursors have passed, while any set is unfinished there. Room is divided
// (RoomShares.swift): each set has its part, which no other can use up.
//
// # Limits
// Bytes pending, bytes per entry, bytes of segments, free bytes on the file system; see `Configuration`. Memory
// does not grow with the log: per segment an index entry per MiB and a row per replica set, 16 open files, 64 remembered
// places.

import Synchronization

/// The log of one folder. Everything here may be used from any thread; what blocks says so.
package final class CommitLog: Sendable {
    /// Tells an appender how its records fared, in the order in which they were appended.
    package enum Completion: Sendable, Equatable {
        /// The next `count` records of this appender are durable, at consecutive offsets from `first` on.
        case durable(first: Offset, count: Int)
        /// The next `count` records of this appender are not in the log. After `.full` they never will be; after
        /// `.poisoned` they may turn up when the log is opened again, as whole entries.
        case failed(LogError, count: Int)
    }

    package let id: LogID
    /// New at each open.
    package let epoch: UInt64

    package let configuration: Configuration
    let fileSystem: any FileSystem
    package let clock: any LogClock
    let identity: LogIdentity
    let maximumBytes: UInt64
    let minimumFreeBytes: UInt64
    let admission: Admission
    let table: Guarded<SegmentTable>
    let writer: Guarded<GroupWriter>
    let house: Guarded<House>
    /// Held while segments are rewritten, before the house's lock and the table's.
    let rewriting = Guarded(RewriteWork())
    let cursorTable: Guarded<CursorTable>
    let checkpointRequests = Guarded(CheckpointRequests())
    let counters = Guarded(LogFigures())
    let durableEndValue: Atomic<UInt64>
    let startValue: Atomic<UInt64>
    let freeBytes = Atomic<UInt64>(0)
    /// No further segment may be begun.
    let isFull = Atomic(false)
    /// Set while the file system says that it is full.
    let diskShortage = Guarded<LogError.Shortage?>(nil)
    let houseBell = Bell()
    let isStopping = Atomic(false)
    let isClosed = Atomic(false)
    let appenders = Guarded<[LogAppender]>([])
    let listeners = Guarded(Listeners())
    private let lock: any FileLock
    private let threads = Guarded<[LogThread]>([])
    private let closing = Guarded(false)

    struct Listeners {
        var durableEnd: [@Sendable (Offset) -> Void] = []
        var poison: [@Sendable (FileError) -> Void] = []
        var damage: [@Sendable (LogDamage) -> Void] = []
    }

    /// Opens the log in a folder, or makes one there. Blocks; takes well under a second for any size of log.
    ///
    /// - Throws: `.locked` if another process has it; `.file`, `.foreign`, `.unsupportedFormat`, `.unidentified` if it
    ///   cannot be trusted. Nothing is repaired in silence: the report says what was found.
    package static func open(
        _ configuration: Configuration, fileSystem: any FileSystem = PosixFileSystem(),
        clock: any LogClock = SystemClock()
    ) throws(LogError) -> (log: CommitLog, report: RecoveryReport) {
        let recovered = try Recovery(configuration: configuration, fileSystem: fileSystem, clock: clock).run()
        let log = CommitLog(recovered, configuration: configuration, fileSystem: fileSystem, clock: clock)
        log.lookAtFreeSpace()
        if configuration.driving == .ownThreads { log.startThreads() }
        return (log, recovered.report)
    }

    private init(
        _ recovered: Recovered, configuration: Configuration, fileSystem: any FileSystem, clock: any LogClock
    ) {
        self.configuration = configuration
        self.fileSystem = fileSystem
        self.clock = clock
        identity = recovered.ledger.identity
        id = identity.id
        epoch = recovered.ledger.epoch
        maximumBytes = recovered.maximumBytes
        minimumFreeBytes = recovered.minimumFreeBytes
        lock = recovered.lock
        admission = Admission(
            maximumPendingBytes: configuration.maximumPendingBytes,
            maximumEntryBytes: configuration.maximumEntryBytes,
            refusalReserve: Int(min(configuration.refusalReserve, recovered.maximumBytes / 8)))
        durableEndValue = Atomic(recovered.report.durableEnd.rawValue)
        startValue = Atomic(recovered.report.start.rawValue)
        table = Guarded(recovered.table)
        writer = Guarded(GroupWriter(state: recovered.writer, active: recovered.activeFile))
        house = Guarded(House(written: recovered.ledger))
        cursorTable = Guarded(
            CursorTable(
                current: recovered.ledger.cursors, durable: recovered.ledger.cursors, notes: recovered.ledger.notes))
    }

    private func startThreads() {
        let writing = LogThread(name: "log-writer") { [self] in
            while !isStopping.load(ordering: .acquiring) {
                admission.bell.wait()
                writePending()
            }
        }
        let keeping = LogThread(name: "log-house") { [self] in
            while !isStopping.load(ordering: .acquiring) {
                keepHouse()
                houseBell.wait(atMost: configuration.checkpointInterval)
            }
        }
        threads.withLock { $0 = [writing, keeping] }
    }

    // MARK: Turning the wheels

    /// Whether there is something to write since the last call; for callers that drive the log themselves.
    package func takeWriteCall() -> Bool { admission.bell.take() }

    /// Whether housekeeping was asked for since the last call.
    package func takeHouseCall() -> Bool { houseBell.take() }

    /// Stops in order: writes what was appended, checkpoints, joins the threads, frees the lock. Blocks. May be called
    /// again; must not be called from a completion or a wake.
    package func close() {
        closing.withLock { isDone in
            guard !isDone else { return }
            isDone = true
            isStopping.store(true, ordering: .releasing)
            admission.bell.ring()
            houseBell.ring()
            threads.withLock { threads in
                for thread in threads { thread.join() }
                threads = []
            }
            // No append gets past this; what got in before is taken by the last round.
            admission.close()
            writePending()
            writer.withLock { $0.isClosed = true }
            finishHouse()
            isClosed.store(true, ordering: .releasing)
            lock.release()
        }
    }

    // MARK: What everyone may see

    /// The oldest offset that is still held. It may lie below all cursors: history is kept as long as there is room.
    package var start: Offset {
        Offset(startValue.load(ordering: .acquiring))
    }

    /// All below is durable and may be read.
    package var durableEnd: Offset {
        Offset(durableEndValue.load(ordering: .acquiring))
    }

    /// Bytes appended that wait for the disk.
    package var pendingBytes: Int {
        admission.pendingBytes.load(ordering: .relaxed)
    }

    /// Bytes of one segment file.
    package var segmentBytes: UInt64 { configuration.segmentBytes }

    /// Bytes that the segments occupy.
    package var usedBytes: UInt64 {
        table.withLock { $0.allocatedBytes }
    }

    /// The error that stopped the writer; nil while it is well.
    package var poison: FileError? {
        admission.poisonError
    }

    package var figures: LogFigures {
        var figures = counters.withLock { $0 }
        let floor = cursorTable.withLock { $0.floor }
        table.withLock { table in
            figures.keptBytes = floor.map { table.passedBytes(below: table.deletable(below: $0)) } ?? 0
            figures.segments = table.entries.count
            figures.spareSegments = table.spares.count
            figures.usedBytes = table.allocatedBytes
            figures.damagedRanges = table.damagedRanges
        }
        figures.pendingBytes = pendingBytes
        figures.roomBytes = UInt64(max(0, admission.room.load(ordering: .relaxed) - figures.pendingBytes))
        admission.shares.withLock { shares in
            figures.backlogBytes = shares.backlogs
            figures.partBytes = shares.part
            figures.tightestRoomBytes = shares.tightest(room: figures.roomBytes)
        }
        figures.segmentBytes = configuration.segmentBytes
        figures.maximumBytes = maximumBytes
        figures.minimumFreeBytes = minimumFreeBytes
        figures.freeBytes = freeBytes.load(ordering: .relaxed)
        figures.isPoisoned = poison != nil
        figures.isFull = isFull.load(ordering: .relaxed)
        return figures
    }

    // MARK: Appending

    /// Makes an appender for one thread, usually an event loop. `onCompletion` runs on the log thread, at most once per
    /// group, in the order of appending; it should do no more than hand over to its loop.
    package func makeAppender(onCompletion: @escaping @Sendable (Completion) -> Void) -> LogAppender {
        let appender = LogAppender(admission: admission, clock: clock, onCompletion: onCompletion)
        appenders.withLock { $0.append(appender) }
        return appender
    }

    /// `wake` runs on the log thread after each group, when all completions have been delivered and ``durableEnd``
    /// shows the new end.
    package func onDurableEndAdvanced(_ wake: @escaping @Sendable (Offset) -> Void) {
        listeners.withLock { $0.durableEnd.append(wake) }
    }

    /// `report` runs on one of the log's threads, when a file call has failed in a way that stops the writer. The
    /// process should drain what is durable and exit with an error; the next start recovers.
    package func onPoisoned(_ report: @escaping @Sendable (FileError) -> Void) {
        listeners.withLock { $0.poison.append(report) }
        // Told at once if it has happened already; at worst twice, if it happens just now.
        if let poison { report(poison) }
    }

    /// `report` runs on the reading thread for each damaged range that is found, once.
    package func onDamage(_ report: @escaping @Sendable (LogDamage) -> Void) {
        listeners.withLock { $0.damage.append(report) }
    }

    func poison(_ error: FileError) {
        guard admission.stop(poison: error) else { return }
        for report in listeners.withLock({ $0.poison }) { report(error) }
        // Whoever waits is told by the log thread.
        admission.bell.ring()
    }
}
