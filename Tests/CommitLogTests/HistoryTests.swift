// Passed segments that are kept for nodes that go back in time: how long they stay, and that they are in nobody's way.

import CommitLog
import Foundation
import SimulatedDisk
import Synchronization
import TestThreads
import Testing

@Suite(.blocking) struct HistoryTests {
    let disk = SimulatedFileSystem(seed: 21)

    private static func configuration(segments: UInt64, maximum: UInt64 = 1 << 20) -> CommitLog.Configuration {
        var configuration = CommitLog.Configuration.driven(segmentBytes: 1024)
        configuration.keptBytes = segments * 1024
        configuration.maximumBytes = maximum * 1024
        return configuration
    }

    /// Appends records of a third of a segment, each with a cursor right behind it.
    private func append(_ count: Int, to log: CommitLog, moving cursor: String? = "a") throws {
        let appender = log.makeAppender { _ in }
        for _ in 0..<count {
            try appender.append(text: String(repeating: "x", count: 200))
            log.writePending()
            if let cursor { log.setCursor(cursor, to: log.durableEnd) }
            log.keepHouse()
        }
        appender.close()
    }

    @Test func `passed segments stay up to the limit, the oldest go first`() throws {
        let log = try open(disk, Self.configuration(segments: 4)).log
        try append(60, to: log)
        #expect(log.figures.keptBytes == 4 * 1024)
        #expect(log.figures.segments == 5)
        #expect(log.start > .zero && log.start < log.cursor("a") ?? .zero)
        #expect(try texts(readAll(log, from: log.start)).count == log.start.distance(to: Offset(60)))
        #expect(log.bytes(below: Offset(60)) == 4 * 1024)
        #expect(log.bytes(below: log.start) == 0)
        disk.losePower(.everything)
        let (again, report) = try open(disk, Self.configuration(segments: 4))
        #expect(report.damage.isEmpty)
        #expect(again.start == log.start)
    }

    @Test("S11 a cursor may go back into the history, and then nothing from there on is deleted")
    func rewind() throws {
        let log = try open(disk, Self.configuration(segments: 4)).log
        try append(60, to: log)
        let start = log.start
        #expect(log.setCursor("a", to: start))
        #expect(log.figures.keptBytes == 0)
        try append(60, to: log, moving: nil)
        #expect(log.start == start)
        #expect(try texts(readAll(log, from: start)).count == start.distance(to: Offset(120)))
        #expect(log.setCursor("a", to: start.advanced(by: -1)) == false, "this much is gone")
    }

    @Test func `a busy log with history recycles its files and makes no new ones`() throws {
        let log = try open(disk, Self.configuration(segments: 4)).log
        try append(60, to: log)
        let before = disk.disk.withLock { $0.calls[.create, default: 0] }
        let ledgers = log.figures.checkpoints
        try append(400, to: log)
        let created = disk.disk.withLock { $0.calls[.create, default: 0] } - before
        // Each writing of the ledger makes a file, and so does each deletion.
        let deletions = log.figures.deletedSegments
        #expect(deletions > 80)
        #expect(created <= Int(log.figures.checkpoints - ledgers))
        #expect(log.figures.segments == 5)
        #expect(disk.names.count <= 5 + 2 + 2)
    }

    @Test func `history gives way to the limit of bytes before it is reached, and no append is refused`() throws {
        let log = try open(disk, Self.configuration(segments: 1000, maximum: 8)).log
        try append(200, to: log)
        #expect(log.usedBytes <= 8 * 1024)
        #expect(log.figures.keptBytes >= 4 * 1024)
        #expect(log.figures.failedRecords == 0)
        #expect(!log.figures.isFull)
        #expect(log.figures.roomBytes > 6 * 900)
    }

    @Test func `in a burst the log thread takes the room itself`() throws {
        let log = try open(disk, Self.configuration(segments: 1000, maximum: 8)).log
        try append(40, to: log)
        let collected = Collected()
        let appender = collected.appender(of: log)
        let kept = log.figures.keptBytes
        // No housekeeping meanwhile.
        for _ in 0..<20 {
            try appender.append(text: String(repeating: "y", count: 200))
            log.writePending()
        }
        #expect(collected.durable == 20)
        #expect(log.figures.keptBytes < kept)
        #expect(log.usedBytes <= 8 * 1024)
        #expect(log.start <= Offset(40))
    }

    @Test("L20 what a cursor still needs is no history: the log is full, and says so")
    func neededIsKept() throws {
        let log = try open(disk, Self.configuration(segments: 1000, maximum: 8)).log
        try append(12, to: log)
        log.setCursor("dead", to: Offset(9))
        #expect(throws: LogError.full(.maximumBytes(8 * 1024))) { try append(100, to: log) }
        #expect(log.start <= Offset(9))
        #expect(log.figures.roomBytes < 300)
        #expect(log.figures.keptBytes == 0)
        #expect(try !texts(readAll(log, from: Offset(9))).isEmpty)
    }

    @Test("L20 a full disk takes the history first, and only then refuses")
    func fullDisk() throws {
        let log = try open(disk, Self.configuration(segments: 1000)).log
        try append(60, to: log)
        let kept = log.figures.keptBytes
        #expect(kept == 19 * 1024)
        // The ledger still finds room, a segment does not.
        disk.disk.withLock { $0.capacity = $0.used + 700 }
        try append(200, to: log)
        #expect(log.figures.failedRecords == 0)
        #expect(log.figures.keptBytes < kept)
        #expect(log.poison == nil)
        // With a reader that stays behind, there is an end.
        log.setCursor("dead", to: log.durableEnd)
        #expect(throws: LogError.self) { try append(200, to: log) }
        #expect(log.poison == nil)
        log.removeCursor("dead")
        log.keepHouse()
        try append(4, to: log)
        disk.losePower(.everything)
        let (again, report) = try open(disk, Self.configuration(segments: 1000))
        #expect(report.damage.isEmpty)
        #expect(again.durableEnd == log.durableEnd)
    }

    @Test func `on a disk without a single block left a spare makes room for the ledger`() throws {
        let log = try open(disk, Self.configuration(segments: 2)).log
        try append(30, to: log)
        #expect(log.figures.spareSegments > 0)
        let spares = log.figures.spareSegments
        disk.disk.withLock { $0.capacity = $0.used }
        try log.setNote("n", [1])
        try log.checkpoint()
        #expect(log.figures.spareSegments == spares - 1)
        disk.losePower(.nothing)
        #expect(try open(disk, Self.configuration(segments: 2)).log.notes == ["n": [1]])
    }

    @Test func `free space that must be left takes the history first`() throws {
        var configuration = Self.configuration(segments: 1000)
        configuration.minimumFreeBytes = 4096
        disk.disk.withLock { $0.capacity = 40 * 1024 }
        let log = try open(disk, configuration).log
        try append(400, to: log)
        #expect(log.figures.failedRecords == 0)
        #expect(log.figures.keptBytes > 20 * 1024)
        #expect(log.figures.freeBytes >= 4096 - 1024)
    }
}
