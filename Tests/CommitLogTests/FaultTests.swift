// What the log does when file calls fail while it runs: a broken disk stops the writer for good, a full one only for now.

import CommitLog
import Foundation
import SimulatedDisk
import Synchronization
import TestThreads
import Testing

@Suite(.blocking) struct FaultTests {
    let disk = SimulatedFileSystem(seed: 3)

    @Test("L21 a failed sync is never tried again: the writer is poisoned, what is durable stays readable")
    func poisonedBySync() throws {
        let log = try open(disk).log
        let collected = Collected()
        let other = Collected()
        let appender = collected.appender(of: log)
        let second = other.appender(of: log)
        try appender.append(text: "durable")
        log.writePending()
        let reports = Atomic(0)
        log.onPoisoned { _ in reports.add(1, ordering: .relaxed) }
        try appender.append(text: "lost")
        try second.append(text: "lost too")
        disk.fail { operation, _ in operation == .sync ? EIO : nil }
        let syncs = disk.disk.withLock { $0.calls[.sync, default: 0] }
        log.writePending()
        disk.fail(nil)
        for _ in 0..<3 { log.writePending() }
        #expect(disk.disk.withLock { $0.calls[.sync, default: 0] } == syncs + 1)
        let poison = try #require(log.poison)
        #expect(poison.errno == EIO && poison.operation == .sync)
        let told: [CommitLog.Completion] = [.durable(first: .zero, count: 1), .failed(.poisoned(poison), count: 1)]
        #expect(collected.completions.withLock { $0 } == told)
        #expect(other.completions.withLock { $0 } == [.failed(.poisoned(poison), count: 1)])
        #expect(throws: LogError.poisoned(poison)) { try appender.append(text: "late") }
        #expect(reports.load(ordering: .relaxed) == 1)
        #expect(log.durableEnd == Offset(1))
        #expect(log.pendingBytes == 0)
        #expect(try texts(readAll(log, from: .zero)) == ["durable"])
        log.setCursor("a", to: Offset(1))
        log.close()

        // The pages of the failed sync are still in the cache, and the disk does not have them. The next open must not
        // believe the cache: what it publishes has to survive a power loss.
        disk.killProcess()
        let again = try open(disk).log
        #expect(again.cursors == ["a": Offset(1)])
        let published = try texts(readAll(again, from: .zero))
        disk.losePower(.nothing)
        let last = try open(disk).log
        #expect(try texts(readAll(last, from: .zero)) == published)
        #expect(published.first == "durable")
    }

    @Test(
        "a failed call poisons the writer",
        arguments: [FileError.Operation.write, .sync, .rename, .syncFolder, .create])
    func poisonedBy(_ operation: FileError.Operation) throws {
        let log = try open(disk, .driven(segmentBytes: 1024)).log
        let collected = Collected()
        let appender = collected.appender(of: log)
        try appender.append(text: String(repeating: "x", count: 700))
        log.writePending()
        disk.fail { failing, _ in failing == operation ? EIO : nil }
        // This one needs a new segment.
        try appender.append(text: String(repeating: "y", count: 700))
        log.writePending()
        #expect(log.poison?.operation == operation)
        #expect(collected.durable == 1)
        #expect(collected.errors.count == 1)
        #expect(log.durableEnd == Offset(1))
    }

    @Test func `a checkpoint that fails poisons the log, but not when the disk is only full`() throws {
        let log = try open(disk).log
        log.setCursor("a", to: .zero)
        disk.fail { operation, path in operation == .write && path.hasSuffix("ledger.new") ? ENOSPC : nil }
        log.keepHouse()
        #expect(log.poison == nil)
        #expect(log.figures.failedCheckpoints == 1)
        #expect(log.durableCursors.isEmpty)
        disk.fail(nil)
        log.keepHouse()
        #expect(log.durableCursors == ["a": .zero])
        log.removeCursor("a")
        disk.fail { operation, path in operation == .sync && path.hasSuffix("ledger.new") ? EIO : nil }
        #expect(throws: LogError.self) { try log.checkpoint() }
        #expect(log.poison != nil)
    }

    @Test("L20 a full disk refuses, loses nothing, and the log goes on when there is room")
    func fullDisk() throws {
        var configuration = CommitLog.Configuration.driven(segmentBytes: 2048)
        configuration.spareSegments = 1
        let log = try open(disk, configuration).log
        let collected = Collected()
        let appender = collected.appender(of: log)
        disk.disk.withLock { $0.capacity = $0.used + 1000 }
        var sent: [String] = []
        var refusals = 0
        for number in 0..<20 {
            let text = "number \(number) " + String(repeating: "x", count: 300)
            do {
                let before = collected.durable
                try appender.append(text: text)
                log.writePending()
                if collected.durable > before { sent.append(text) } else { refusals += 1 }
            } catch {
                guard case .full = error else { throw error }
                refusals += 1
            }
            log.keepHouse()
        }
        #expect(sent.count >= 4)
        #expect(refusals >= 10)
        #expect(log.poison == nil)
        #expect(log.figures.isFull)
        #expect(log.pendingBytes == 0)
        #expect(try texts(readAll(log, from: .zero)) == sent)
        for error in collected.errors {
            if case .full = error { continue }
            Issue.record("\(error)")
        }
        disk.disk.withLock { $0.capacity = .max }
        log.keepHouse()
        try appender.append(text: "room again")
        log.writePending()
        sent.append("room again")
        #expect(try texts(readAll(log, from: .zero)) == sent)
        disk.losePower(.everything)
        let again = try open(disk, configuration).log
        #expect(try texts(readAll(again, from: .zero)) == sent)
    }

    @Test func `a write that runs out of space in its middle is cut back before anybody hears of it`() throws {
        let log = try open(disk).log
        let collected = Collected()
        let appender = collected.appender(of: log)
        try appender.append(text: "first")
        log.writePending()
        for text in ["refused 1", "refused 2", "refused 3"] { try appender.append(text: text) }
        disk.fail { operation, path in operation == .write && !path.hasSuffix("ledger.new") ? EDQUOT : nil }
        log.writePending()
        disk.fail(nil)
        #expect(collected.errors.count == 1)
        #expect(log.poison == nil)
        log.keepHouse()
        try appender.append(text: "after 11!")
        log.writePending()
        #expect(try texts(readAll(log, from: .zero)) == ["first", "after 11!"])
        disk.losePower(.everything)
        #expect(try texts(readAll(open(disk).log, from: .zero)) == ["first", "after 11!"])
    }

    @Test func `what was refused for lack of space never turns up, however much of it had been written`() throws {
        for seed in 0..<60 {
            let disk = SimulatedFileSystem(seed: UInt64(seed))
            let log = try open(disk).log
            let appender = log.makeAppender { _ in }
            try appender.append(text: "first")
            log.writePending()
            for text in ["refused 1", "refused 2", "refused 3"] { try appender.append(text: text) }
            disk.fail { operation, path in
                operation == .write && !path.hasSuffix(Ledger.temporaryName) ? ENOSPC : nil
            }
            log.writePending()
            disk.fail(nil)
            if seed % 2 == 0 { disk.killProcess() } else { disk.losePower(.everything) }
            #expect(try texts(readAll(open(disk).log, from: .zero)) == ["first"])
        }
    }

    @Test func `a cursor that moves while it is checkpointed deletes nothing before it is durable itself`() throws {
        let log = try open(disk, .driven(segmentBytes: 1024)).log
        let appender = log.makeAppender { _ in }
        for number in 0..<40 { try appender.append(text: "record \(number) " + String(repeating: "x", count: 100)) }
        log.writePending()
        log.setCursor("a", to: Offset(3))
        let end = log.durableEnd
        disk.fail { operation, path in
            // The checkpoint with the cursor at 3 is on its way to the disk.
            if operation == .rename && path.hasSuffix(Ledger.temporaryName) { log.setCursor("a", to: end) }
            return nil
        }
        log.keepHouse()
        disk.fail(nil)
        #expect(log.start <= Offset(3))
        disk.losePower(.nothing)
        let again = try open(disk, .driven(segmentBytes: 1024)).log
        #expect(again.start <= again.cursor("a") ?? .zero)
    }

    @Test func `a recycled file is not written while it may still turn up under its old name`() throws {
        let configuration = CommitLog.Configuration.driven(segmentBytes: 1024)
        let log = try open(disk, configuration).log
        let appender = log.makeAppender { _ in }
        func append(_ count: Int) throws {
            for _ in 0..<count {
                try appender.append(text: String(repeating: "x", count: 200))
                log.writePending()
            }
        }
        try append(6)
        log.setCursor("a", to: log.durableEnd)
        log.keepHouse()
        #expect(log.figures.spareSegments == 1)
        // The next segment is written into the recycled file; the power goes before its name is durable.
        disk.fail { operation, _ in operation == .syncFolder ? EIO : nil }
        try? append(3)
        disk.fail(nil)
        #expect(log.poison != nil)
        disk.losePower(.nothing)
        // Without the ledger nothing but the names says which segments are part of the log.
        disk.delete("ledger")
        let (again, report) = try open(disk, configuration)
        #expect(report.warnings.isEmpty)
        #expect(report.damage.isEmpty)
        #expect(try losses(readAll(again, from: again.start)).isEmpty)
    }

    @Test func `a segment whose name was not durable is not counted before it is`() throws {
        for seed in 0..<UInt64(25) {
            for step in 1...10 {
                let disk = SimulatedFileSystem(seed: seed)
                let configuration = CommitLog.Configuration.driven(segmentBytes: 1024)
                let log = try open(disk, configuration).log
                let appender = log.makeAppender { _ in }
                for _ in 0..<3 {
                    try appender.append(text: String(repeating: "x", count: 200))
                    log.writePending()
                }
                // The group that begins the second segment dies between the renaming and the folder's sync.
                disk.fail { operation, _ in operation == .syncFolder ? EIO : nil }
                try appender.append(text: String(repeating: "y", count: 200))
                log.writePending()
                disk.fail(nil)
                #expect(log.poison?.operation == .syncFolder)
                disk.killProcess()
                disk.disk.withLock { $0.crashAtStep = $0.steps + step }
                _ = try? open(disk, configuration)
                disk.losePower(.sectors)
                let (again, report) = try open(disk, configuration)
                #expect(report.damage.isEmpty, "seed \(seed), step \(step)")
                #expect(again.durableEnd >= Offset(3))
            }
        }
    }

    @Test func `a log on a full disk opens, can be read, and goes on when there is room`() throws {
        let log = try open(disk).log
        let appender = log.makeAppender { _ in }
        try appender.append(text: "kept")
        log.writePending()
        log.close()
        disk.killProcess()
        disk.disk.withLock { $0.capacity = $0.used - 2000 }
        let (full, report) = try open(disk)
        #expect(report.warnings.count == 1)
        #expect(try texts(readAll(full, from: .zero)) == ["kept"])
        let late = full.makeAppender { _ in }
        #expect(throws: LogError.self) { try late.append(text: String(repeating: "x", count: 600)) }
        disk.disk.withLock { $0.capacity = .max }
        full.keepHouse()
        try late.append(text: "goes on")
        full.writePending()
        #expect(try texts(readAll(full, from: .zero)) == ["kept", "goes on"])
    }

    @Test func `a sector that cannot be read costs the records in it`() throws {
        let log = try open(disk, .driven(segmentBytes: 65536)).log
        let appender = log.makeAppender { _ in }
        for number in 0..<100 {
            try appender.append(text: "record \(number) " + String(repeating: "x", count: 200))
            log.writePending()
        }
        let reads = Atomic(0)
        disk.fail { operation, _ in
            guard operation == .read else { return nil }
            // The large read fails, and of the small ones the third.
            let count = reads.add(1, ordering: .relaxed).newValue
            return count == 1 || count == 4 ? EIO : nil
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 8)
        defer { buffer.deallocate() }
        guard case .records(let views, _, let next) = try log.read(from: .zero, into: buffer) else {
            Issue.record("no records")
            return
        }
        disk.fail(nil)
        #expect(views.count > 20 && views.count < 40)
        #expect(next == Offset(UInt64(views.count)))
    }

    @Test("L20 cursors are old or new after a crash at any step of their checkpoint, never lost, never mixed")
    func checkpointIsAtomic() throws {
        for survival in SimulatedFileSystem.Survival.allCases {
            for step in 1...12 {
                let disk = SimulatedFileSystem(seed: UInt64(step))
                let log = try open(disk).log
                let appender = log.makeAppender { _ in }
                for number in 0..<10 { try appender.append(text: "\(number)") }
                log.writePending()
                log.setCursor("a", to: Offset(1))
                log.setCursor("b", to: Offset(2))
                try log.checkpoint()
                log.setCursor("a", to: Offset(8))
                log.setCursor("b", to: Offset(9))
                disk.disk.withLock { $0.crashAtStep = $0.steps + step }
                let isDone = (try? log.checkpoint()) != nil
                disk.losePower(survival)
                let (again, report) = try open(disk)
                #expect(!report.cursorsLost)
                let (old, new) = (["a": Offset(1), "b": Offset(2)], ["a": Offset(8), "b": Offset(9)])
                if isDone { #expect(again.cursors == new) } else { #expect([old, new].contains(again.cursors)) }
                #expect(again.durableEnd == Offset(10))
            }
        }
    }

    @Test("L8 a crash at every single step of a fixed story loses nothing that was acknowledged")
    func everyStep() throws {
        for survival in SimulatedFileSystem.Survival.allCases {
            var step = 1
            while true {
                let disk = SimulatedFileSystem(seed: UInt64(step))
                disk.disk.withLock { $0.crashAtStep = step }
                var model = LogModel()
                if let log = try? open(disk, .driven(segmentBytes: 512)).log {
                    let appender = TestAppender(log)
                    for entry in 1...UInt64(12) {
                        try? appender.appendEntry(entry, count: 2, filler: 60)
                        log.writePending()
                        model.settle(appender)
                        if entry % 4 == 0, !disk.isDead {
                            log.setCursor("a", to: log.durableEnd.advanced(by: -2))
                            log.keepHouse()
                        }
                    }
                    log.close()
                    model.settle(appender)
                }
                let isOver = !disk.isDead
                disk.losePower(survival)
                let (again, report) = try open(disk, .driven(segmentBytes: 512))
                model.check(report.damage.isEmpty, "damage without rot")
                model.verify(again)
                #expect(model.problems.isEmpty, "step \(step), \(survival): \(model.problems)")
                if isOver { break }
                step += 1
            }
            #expect(step > 60)
        }
    }
}
