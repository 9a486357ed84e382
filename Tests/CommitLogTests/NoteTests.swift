// Notes beside the cursors, and checkpoints for those who may not wait.

import CommitLog
import Foundation
import SimulatedDisk
import TestThreads
import Testing

/// How checkpoints that were asked for ended.
private final class Outcomes: Sendable {
    let list = Guarded<[String]>([])

    func note(_ name: String) -> CheckpointRequests.Tell {
        { outcome in
            switch outcome {
            case .success: self.list.withLock { $0.append(name) }
            case .failure(let error): self.list.withLock { $0.append("\(name): \(error)") }
            }
        }
    }

    var all: [String] { list.withLock { $0 } }
}

@Suite(.blocking) struct NoteTests {
    let disk = SimulatedFileSystem(seed: 11)

    @Test func `a note is durable with the next checkpoint, is replaced and removed`() throws {
        let log = try open(disk).log
        try log.setNote("a", [1, 2, 3])
        try log.setNote("b", [])
        try log.checkpoint()
        try log.setNote("c", [9])
        #expect(log.notes == ["a": [1, 2, 3], "b": [], "c": [9]])
        disk.losePower(.nothing)
        let again = try open(disk).log
        #expect(again.notes == ["a": [1, 2, 3], "b": []])
        #expect(again.note("c") == nil)
        try again.setNote("a", nil)
        try again.setNote("b", [4])
        again.close()
        #expect(try LogInspection(directory: "/log", fileSystem: disk).notes == ["b": [4]])
        #expect(try open(disk).log.notes == ["b": [4]])
    }

    @Test func `cursors and notes are those of one moment after a crash at any step of their checkpoint`() throws {
        for survival in SimulatedFileSystem.Survival.allCases {
            for step in 1...12 {
                let disk = SimulatedFileSystem(seed: UInt64(step))
                let log = try open(disk).log
                let appender = log.makeAppender { _ in }
                for number in 0..<10 { try appender.append(text: "\(number)") }
                log.writePending()
                func set(_ value: UInt8) throws {
                    log.setCursor("a", to: Offset(UInt64(value)))
                    try log.setNote("a", Array(repeating: value, count: 1000))
                    try log.setNote("b", [value])
                }
                try set(3)
                try log.checkpoint()
                try set(8)
                disk.disk.withLock { $0.crashAtStep = $0.steps + step }
                let isDone = (try? log.checkpoint()) != nil
                disk.losePower(survival)
                let again = try open(disk).log
                let value = try #require(again.note("b")?.first)
                #expect(value == 8 || (value == 3 && !isDone))
                #expect(again.note("a") == Array(repeating: value, count: 1000))
                #expect(again.cursors == ["a": Offset(UInt64(value))])
            }
        }
    }

    @Test func `notes have limits, and what is refused changes nothing`() throws {
        let log = try open(disk).log
        let large = [UInt8](repeating: 1, count: CommitLog.maximumNoteBytes)
        try log.setNote("large", large)
        #expect(throws: NoteError.tooLarge(name: "large", bytes: large.count + 1, limit: large.count)) {
            try log.setNote("large", large + [1])
        }
        #expect(log.note("large") == large)
        for number in 1..<CommitLog.maximumNotes { try log.setNote("n\(number)", [1]) }
        #expect(throws: NoteError.tooMany(limit: CommitLog.maximumNotes)) { try log.setNote("one more", []) }
        try log.setNote("n1", [2])
        var taken = 0
        #expect(throws: NoteError.self) {
            while true {
                try log.setNote("n\(taken + 1)", large)
                taken += 1
            }
        }
        #expect(taken == CommitLog.maximumBytesOfNotes / large.count - 2, "names count too")
        try log.checkpoint()
        disk.losePower(.nothing)
        #expect(try open(disk).log.notes == log.notes)
    }

    @Test func `a ledger of version 1 is read, and has no notes`() throws {
        // Written by the first release: two cursors, at 5 and 77.
        let identity = LogIdentity.random()
        var ledger = Ledger(
            identity: identity, epoch: 9, start: Offset(3), durableEnd: Offset(77), closedCleanly: true,
            cursors: ["a": Offset(5), "b": Offset(77)], notes: [:])
        var bytes = ledger.encoded()
        bytes.removeLast(4)
        bytes[8] = 1
        let checksum = Array(bytes[16...]).withUnsafeBytes { checksumOfLedger(1, $0) }
        withUnsafeBytes(of: checksum.littleEndian) { bytes.replaceSubrange(12..<16, with: $0) }
        #expect(try bytes.withUnsafeBytes { try Ledger(decoding: $0) } == ledger)
        ledger.notes = ["a": [1]]
        #expect(ledger.encoded()[8] == 2)
    }

    @Test func `who asks for a checkpoint is told when all that was set before is durable`() throws {
        let log = try open(disk).log
        let outcomes = Outcomes()
        try log.setNote("a", [1])
        log.checkpoint(whenDone: outcomes.note("first"))
        #expect(outcomes.all.isEmpty)
        log.keepHouse()
        #expect(outcomes.all == ["first"])
        log.checkpoint(whenDone: outcomes.note("nothing new"))
        log.checkpoint(whenDone: outcomes.note("at the same time"))
        log.keepHouse()
        #expect(outcomes.all == ["first", "nothing new", "at the same time"])
        try log.setNote("a", [2])
        log.checkpoint(whenDone: outcomes.note("closing"))
        log.close()
        log.checkpoint(whenDone: outcomes.note("late"))
        #expect(outcomes.all.suffix(2) == ["closing", "late: the log is closed"])
        disk.losePower(.nothing)
        #expect(try open(disk).log.notes == ["a": [2]])
    }

    @Test func `who asks for a checkpoint is told when it failed, and when the log is broken`() throws {
        let log = try open(disk).log
        let outcomes = Outcomes()
        try log.setNote("a", [1])
        disk.fail { operation, path in operation == .write && path.hasSuffix("ledger.new") ? ENOSPC : nil }
        log.checkpoint(whenDone: outcomes.note("full"))
        log.keepHouse()
        #expect(outcomes.all.count == 1 && outcomes.all[0].contains("No space left"))
        disk.fail { operation, path in operation == .sync && path.hasSuffix("ledger.new") ? EIO : nil }
        log.checkpoint(whenDone: outcomes.note("broken"))
        log.keepHouse()
        disk.fail(nil)
        log.checkpoint(whenDone: outcomes.note("after"))
        log.keepHouse()
        #expect(outcomes.all.count == 3)
        #expect(outcomes.all[2].hasPrefix("after: the log stopped taking records"))
        #expect(throws: LogError.self) { try log.checkpoint() }
    }

    @Test func `with threads of its own the log checkpoints at once when asked`() throws {
        let folder = try TemporaryFolder()
        var configuration = CommitLog.Configuration.small(folder.log)
        configuration.checkpointInterval = .seconds(3600)
        let log = try CommitLog.open(configuration).log
        defer { log.close() }
        let outcomes = Outcomes()
        for number in 0..<20 {
            try log.setNote("n", [UInt8(number)])
            log.checkpoint(whenDone: outcomes.note("\(number)"))
            #expect(eventually { outcomes.all.count == number + 1 })
            #expect(try LogInspection(directory: folder.log).notes == ["n": [UInt8(number)]])
        }
        #expect(outcomes.all == (0..<20).map(String.init))
    }
}

/// CRC32C in plain Swift, so that a ledger can be forged.
private func checksumOfLedger(_ seed: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var crc = ~seed
    for byte in bytes {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82f6_3b78 : crc >> 1 }
    }
    return ~crc
}
