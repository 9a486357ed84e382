// What was appended lies in memory until the disk has it. Nobody may get that memory before, however slowly the disk
// takes it, whatever it refuses, and however many append beside it.

import CommitLog
import Foundation
import Glibc
import Synchronization
import SimulatedDisk
import Testing

@Suite struct StagingTests {
    private static let appenders = 4
    private static let entries = 400

    @Test(
        "L9 the bytes of a record stay its own until the disk has them, with many appenders and a reader beside them",
        arguments: [false, true])
    func bytesStay(someWritesFail: Bool) async throws {
        let folder = try TemporaryFolder()
        // Small segments: what was taken from an appender is written in several groups.
        var configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 64 << 10)
        configuration.maximumPendingBytes = 128 << 10
        let disk = WatchingDisk(someWritesFail: someWritesFail)
        let log = try CommitLog.open(configuration, fileSystem: disk, clock: SystemClock()).log
        let lives = (0..<Self.appenders).map { AppenderLife(number: $0, entries: Self.entries, log: log, disk: disk) }
        let reader = ReaderLife(log: log)
        await withTaskGroup(of: Void.self) { group in
            for life in lives { group.addTask { await onThread { life.append() } } }
            group.addTask { await onThread { reader.read(until: { lives.allSatisfy(\.isOver) }) } }
        }
        log.close()

        #expect(disk.changed.load(ordering: .relaxed) == 0, "the disk got bytes that changed while it wrote them")
        let overlapped = disk.overlapped.load(ordering: .relaxed)
        #expect(overlapped > 10, "something was appended during \(overlapped) writes only: that shows nothing")
        #expect(reader.wrong.load(ordering: .relaxed) == 0)
        #expect(reader.seen.load(ordering: .relaxed) > 0)
        var expected: [Offset: [UInt8]] = [:]
        for life in lives { expected.merge(try life.durable()) { _, _ in [] } }
        if someWritesFail {
            #expect(disk.failed.load(ordering: .relaxed) > 0)
        } else {
            #expect(expected.count == lives.reduce(0) { $0 + $1.records })
        }
        let again = try CommitLog.open(.small(folder.log, segmentBytes: 64 << 10)).log
        defer { again.close() }
        let stored = try records(readAll(again, from: .zero, bufferBytes: 1 << 20))
        #expect(stored.count == expected.count)
        let other = stored.filter { expected[$0.view.offset] != $0.body }
        #expect(
            other.isEmpty,
            "\(other.count) records hold other bytes than were appended, first \(other.first?.view.offset as Any)")
    }
}

/// Runs on a thread of its own: what blocks must not hold up other tests.
private func onThread(_ body: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            body()
            continuation.resume()
        }
    }
}

/// What the log owes one appender: the bytes of its records, first those that wait, then those that are durable.
private final class Debts: Sendable {
    private struct State {
        var waiting: [[UInt8]] = []
        var paid = 0
        var durable: [Offset: [UInt8]] = [:]
    }

    private let state = Guarded(State())

    func owe(_ bytes: [UInt8]) { state.withLock { $0.waiting.append(bytes) } }

    /// The last records were not staged after all.
    func forget(_ count: Int) { state.withLock { $0.waiting.removeLast(count) } }

    func pay(_ completion: CommitLog.Completion) {
        state.withLock { state in
            switch completion {
            case .durable(let first, let count):
                for index in 0..<count {
                    state.durable[first.advanced(by: index)] = state.waiting[state.paid + index]
                }
                state.paid += count
            case .failed(_, let count): state.paid += count
            }
        }
    }

    /// All that is durable; nothing may wait any more.
    func settled() throws -> [Offset: [UInt8]] {
        try state.withLock { state in
            try #require(state.paid == state.waiting.count, "records that were staged were never completed")
            return state.durable
        }
    }
}

/// Appends entries of all sizes, with one thread.
private final class AppenderLife: Sendable {
    /// By entry, its records; made before, so that appending is all that is done while the disk writes.
    private let content: [[[UInt8]]]
    private let disk: WatchingDisk
    private let debts: Debts
    private let appender: LogAppender
    private let over = Atomic(false)
    private let appended = Atomic(0)

    var isOver: Bool { over.load(ordering: .acquiring) }
    var records: Int { appended.load(ordering: .acquiring) }
    func durable() throws -> [Offset: [UInt8]] { try debts.settled() }

    init(number: Int, entries: Int, log: CommitLog, disk: WatchingDisk) {
        var random = SplitMix(seed: UInt64(number))
        content = (0..<entries).map { entry in
            let identity = UInt64(number) << 32 | UInt64(entry)
            let count = UInt16(random.chance(20) ? 3 : 1)
            return (0..<count).map { index in
                TestContent(entry: identity, index: index, count: count).bytes(filler: Self.filler(&random))
            }
        }
        self.disk = disk
        let debts = Debts()
        self.debts = debts
        appender = log.makeAppender { debts.pay($0) }
    }

    func append() {
        for (number, bodies) in content.enumerated() {
            if number % 10 == 3 { begin(bodies) }
            while !stage(bodies) { usleep(200) }
            appended.add(bodies.count, ordering: .releasing)
            disk.staged.add(1, ordering: .relaxed)
        }
        over.store(true, ordering: .releasing)
    }

    /// Mostly small, sometimes larger than the first buffer of an appender.
    private static func filler(_ random: inout SplitMix) -> Int {
        switch Int.random(in: 0..<300, using: &random) {
        case 0: Int.random(in: 66_000..<80_000, using: &random)
        case 1..<20: Int.random(in: 1_000..<4_000, using: &random)
        default: Int.random(in: 0..<400, using: &random)
        }
    }

    /// Begins an entry and gives it up.
    private func begin(_ bodies: [[UInt8]]) {
        for body in bodies {
            try? appender.append(kind: .points, replicaSet: 0, bodyBytes: body.count, endsEntry: false) {
                $0.copyBytes(from: body)
            }
        }
        appender.cancelEntry()
    }

    /// False: the log has no room now.
    private func stage(_ bodies: [[UInt8]]) -> Bool {
        for body in bodies { debts.owe(body) }
        do {
            for (index, body) in bodies.enumerated() {
                try appender.append(
                    kind: .points, replicaSet: 0, bodyBytes: body.count, endsEntry: index == bodies.count - 1
                ) { $0.copyBytes(from: body) }
            }
            return true
        } catch {
            debts.forget(bodies.count)
            return false
        }
    }
}

/// Reads what becomes durable, as a replicator does.
private final class ReaderLife: Sendable {
    let wrong = Atomic(0)
    let seen = Atomic(0)
    private let log: CommitLog

    init(log: CommitLog) { self.log = log }

    func read(until isOver: () -> Bool) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 8)
        defer { buffer.deallocate() }
        var next = Offset.zero
        while true {
            let isLast = isOver()
            switch try? log.read(from: next, into: buffer) {
            case .records(let records, _, let after):
                for record in records {
                    let body = UnsafeRawBufferPointer(rebasing: buffer[record.body])
                    if TestContent(body) == nil { wrong.add(1, ordering: .relaxed) }
                }
                seen.add(records.count, ordering: .relaxed)
                next = after
            case .atEnd:
                if isLast { return }
                usleep(200)
            default:
                wrong.add(1, ordering: .relaxed)
                return
            }
        }
    }
}

/// A real disk that takes its time, watches whether what it was given changes meanwhile, and refuses now and then.
private final class WatchingDisk: FileSystem {
    /// Entries that were appended.
    let staged = Atomic(0)
    /// Writes whose bytes were not the same at their end.
    let changed = Atomic(0)
    /// Writes during which something was appended.
    let overlapped = Atomic(0)
    let failed = Atomic(0)
    private let someWritesFail: Bool
    private let random = Guarded(SplitMix(seed: 9))
    private let real = PosixFileSystem()

    init(someWritesFail: Bool) { self.someWritesFail = someWritesFail }

    private final class WatchedFile: File {
        let disk: WatchingDisk
        let real: any File

        init(_ real: any File, on disk: WatchingDisk) {
            self.real = real
            self.disk = disk
        }

        func size() throws(FileError) -> UInt64 { try real.size() }
        func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
            try real.read(at: position, into: buffer)
        }
        func write(at position: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(FileError) {
            let before = pieces.map { Array($0) }
            let count = disk.staged.load(ordering: .relaxed)
            // Long enough for others to append, if they do.
            let waits = eventually(within: .milliseconds(3)) { disk.staged.load(ordering: .relaxed) > count + 2 }
            if waits { disk.overlapped.add(1, ordering: .relaxed) }
            if zip(before, pieces).contains(where: { before, now in
                before.withUnsafeBytes { memcmp($0.baseAddress!, now.baseAddress!, now.count) } != 0
            }) {
                disk.changed.add(1, ordering: .relaxed)
            }
            if disk.someWritesFail, disk.random.withLock({ $0.chance(15) }) {
                disk.failed.add(1, ordering: .relaxed)
                throw FileError(errno: ENOSPC, operation: .write, path: "the watching disk")
            }
            try real.write(at: position, pieces)
        }
        func allocate(_ length: UInt64) throws(FileError) { try real.allocate(length) }
        func truncate(to length: UInt64) throws(FileError) { try real.truncate(to: length) }
        func sync() throws(FileError) { try real.sync() }
    }

    func makeFolder(_ path: String) throws(FileError) { try real.makeFolder(path) }
    func permissions(of path: String) throws(FileError) -> UInt32 { try real.permissions(of: path) }
    func list(_ folder: String) throws(FileError) -> [String] { try real.list(folder) }
    func open(_ path: String, _ access: FileAccess) throws(FileError) -> any File {
        WatchedFile(try real.open(path, access), on: self)
    }
    func create(_ path: String) throws(FileError) -> any File { WatchedFile(try real.create(path), on: self) }
    func lock(_ path: String) throws(FileError) -> (any FileLock)? { try real.lock(path) }
    func rename(_ path: String, to newPath: String) throws(FileError) { try real.rename(path, to: newPath) }
    func remove(_ path: String) throws(FileError) { try real.remove(path) }
    func syncFolder(_ path: String) throws(FileError) { try real.syncFolder(path) }
    func space(at path: String) throws(FileError) -> (total: UInt64, free: UInt64) { try real.space(at: path) }
}
