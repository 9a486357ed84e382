// The log on the real disk, with its own threads: what callers may rely on from open to close.

import CommitLog
import Foundation
import Synchronization
import TestThreads
import Testing

@Suite(.blocking) struct CommitLogTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test func `a new log is empty, has an identity and begins at offset 0`() throws {
        let (log, report) = try CommitLog.open(.small(folder.log))
        defer { log.close() }
        #expect(report.isNew)
        #expect(log.start == .zero)
        #expect(log.durableEnd == .zero)
        #expect(log.epoch == 1)
        #expect(LogID(log.id.description) == log.id)
        #expect(try readAll(log, from: .zero).isEmpty)
    }

    @Test func `what was appended is read back in order, also after closing and opening`() throws {
        let configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 16 << 10)
        let first = try CommitLog.open(configuration).log
        let collected = Collected()
        let appender = collected.appender(of: first)
        let sent = (0..<1000).map { "line \($0) " + String(repeating: "x", count: $0 % 97) }
        for text in sent { try appender.append(text: text) }
        first.close()
        #expect(collected.offsets == (0..<1000).map { Offset($0) })

        let (second, report) = try CommitLog.open(configuration)
        defer { second.close() }
        #expect(report.wasClosedCleanly)
        #expect(report.durableEnd == Offset(1000))
        #expect(second.id == first.id)
        #expect(second.epoch == first.epoch + 1)
        #expect(try texts(readAll(second, from: .zero)) == sent)
        #expect(try texts(readAll(second, from: Offset(777))) == Array(sent[777...]))
        #expect(second.figures.segments > 3)
    }

    @Test func `records carry kind, replica set, append time and the end of their entry`() throws {
        let log = try CommitLog.open(.small(folder.log)).log
        defer { log.close() }
        let collected = Collected()
        let appender = collected.appender(of: log)
        let before = SystemClock().wallNanoseconds()
        try appender.append(kind: .points, replicaSet: 7, bodyBytes: 0, endsEntry: false) { _ in }
        try appender.append(kind: .mutation, replicaSet: 65535, bodyBytes: 1, endsEntry: true) { $0[0] = 9 }
        #expect(eventually { log.durableEnd == Offset(2) })
        let read = try records(readAll(log, from: .zero))
        #expect(read.map(\.view.kind) == [.points, .mutation])
        #expect(read.map(\.view.replicaSet) == [7, 65535])
        #expect(read.map(\.view.endsEntry) == [false, true])
        #expect(read.map(\.body) == [[], [9]])
        #expect(read.allSatisfy { $0.view.appendTime >= before })
    }

    @Test func `a second open is refused with a clear text, until the first is closed`() throws {
        let log = try CommitLog.open(.small(folder.log)).log
        #expect(throws: LogError.locked(path: folder.log)) { try CommitLog.open(.small(folder.log)) }
        #expect("\(LogError.locked(path: folder.log))".contains("another process holds the log"))
        log.close()
        try CommitLog.open(.small(folder.log)).log.close()
    }

    @Test func `the folder is made with mode 0700 and its files with 0600`() throws {
        let log = try CommitLog.open(.small(folder.log)).log
        let appender = log.makeAppender { _ in }
        try appender.append(text: "x")
        log.setCursor("a", to: .zero)
        try log.checkpoint()
        log.close()
        let files = FileManager.default
        func mode(_ path: String) throws -> Int {
            try (files.attributesOfItem(atPath: path)[.posixPermissions] as? Int) ?? 0
        }
        #expect(try mode(folder.log) == 0o700)
        for name in try folder.names() { #expect(try mode(folder.log + "/" + name) == 0o600, "\(name)") }
    }

    @Test func `a folder that others can read is reported, not changed`() throws {
        try CommitLog.open(.small(folder.log)).log.close()
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.log)
        let (log, report) = try CommitLog.open(.small(folder.log))
        log.close()
        #expect(report.warnings.contains { $0.contains("chmod 700") })
    }

    @Test func `many appends that wait together share one sync`() throws {
        var configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 1 << 20)
        configuration.driving = .caller
        let log = try CommitLog.open(configuration).log
        defer { log.close() }
        let collected = (0..<4).map { _ in Collected() }
        let appenders = collected.map { $0.appender(of: log) }
        for number in 0..<400 { try appenders[number % 4].append(text: "record \(number)") }
        log.writePending()
        #expect(log.figures.groups == 1)
        #expect(log.figures.records == 400)
        #expect(log.durableEnd == Offset(400))
        for (place, list) in collected.enumerated() {
            #expect(list.completions.withLock { $0 } == [.durable(first: Offset(UInt64(place) * 100), count: 100)])
        }
    }

    @Test func `under load groups form by themselves`() throws {
        let log = try CommitLog.open(.small(folder.log, segmentBytes: 8 << 20)).log
        let collected = Collected()
        let appender = collected.appender(of: log)
        for number in 0..<20_000 { try appender.append(text: "record \(number)") }
        #expect(eventually { collected.durable == 20_000 })
        #expect(log.figures.groups < 10_000)
        log.close()
    }

    @Test func `completions come before the durable end moves, and that before readers are woken`() throws {
        let log = try CommitLog.open(.small(folder.log, segmentBytes: 64 << 10)).log
        defer { log.close() }
        let events = Guarded<[String]>([])
        let wrong = Atomic(0)
        let appender = log.makeAppender { [unowned log] completion in
            guard case .durable(let first, let count) = completion else { return }
            if log.durableEnd > first { wrong.add(1, ordering: .relaxed) }
            events.withLock { $0.append("completed \(first.advanced(by: count))") }
        }
        log.onDurableEndAdvanced { [unowned log] end in
            if log.durableEnd != end { wrong.add(1, ordering: .relaxed) }
            events.withLock { $0.append("woken \(end)") }
        }
        for number in 0..<500 {
            try appender.append(text: "\(number)")
            if number % 50 == 0 { #expect(eventually { log.durableEnd == Offset(UInt64(number + 1)) }) }
        }
        #expect(eventually { events.withLock { $0.last } == "woken 500" })
        #expect(wrong.load(ordering: .relaxed) == 0)
        let list = events.withLock { $0 }
        for place in stride(from: 0, to: list.count, by: 2) {
            #expect(list[place].hasPrefix("completed"))
            #expect(list[place + 1] == list[place].replacingOccurrences(of: "completed", with: "woken"))
        }
    }

    @Test("L6 a reader beside a writer never sees a part of a record, nor one above the durable end")
    func readerBesideWriter() throws {
        let log = try CommitLog.open(.small(folder.log, segmentBytes: 128 << 10)).log
        let stop = Atomic(false)
        let bad = Atomic(0)
        let seen = Atomic<UInt64>(0)
        let total: UInt64 = 20_000
        let reader = Thread {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 32 << 10, alignment: 8)
            defer { buffer.deallocate() }
            var next = Offset.zero
            while next < Offset(total), !stop.load(ordering: .relaxed) {
                let before = log.durableEnd
                switch try? log.read(from: next, into: buffer) {
                case .records(let records, _, let after):
                    for record in records {
                        let expected = TestContent(entry: record.offset.rawValue, index: 0, count: 1)
                        if TestContent(UnsafeRawBufferPointer(rebasing: buffer[record.body])) != expected {
                            bad.add(1, ordering: .relaxed)
                        }
                    }
                    if after > log.durableEnd || after <= next { bad.add(1, ordering: .relaxed) }
                    next = after
                    seen.store(next.rawValue, ordering: .relaxed)
                case .atEnd:
                    if next < before { bad.add(1, ordering: .relaxed) }
                    usleep(50)
                default:
                    bad.add(1, ordering: .relaxed)
                    stop.store(true, ordering: .relaxed)
                }
            }
        }
        reader.start()
        let appender = log.makeAppender { _ in }
        for entry in 0..<total {
            let bytes = TestContent(entry: entry, index: 0, count: 1).bytes(filler: Int(entry % 301))
            try appender.append(kind: .points, replicaSet: 0, bodyBytes: bytes.count) { $0.copyBytes(from: bytes) }
        }
        #expect(eventually { seen.load(ordering: .relaxed) == total || bad.load(ordering: .relaxed) > 0 })
        stop.store(true, ordering: .relaxed)
        #expect(eventually { reader.isFinished })
        #expect(bad.load(ordering: .relaxed) == 0)
        log.close()
    }

    @Test("L8 close writes what was appended before it, and completes it")
    func closeWritesEverything() throws {
        let log = try CommitLog.open(.small(folder.log, segmentBytes: 1 << 20)).log
        let collected = Collected()
        let appender = collected.appender(of: log)
        for number in 0..<5000 { try appender.append(text: "record \(number)") }
        log.close()
        log.close()
        #expect(collected.durable == 5000)
        #expect(throws: LogError.closed) { try appender.append(text: "late") }
        #expect(throws: LogError.closed) { try readAll(log, from: .zero) }
    }

    @Test func `an entry that was not ended is not written`() throws {
        let configuration = CommitLog.Configuration.small(folder.log)
        let log = try CommitLog.open(configuration).log
        let collected = Collected()
        let appender = collected.appender(of: log)
        try appender.append(text: "a1", endsEntry: false)
        try appender.append(text: "a2", endsEntry: true)
        try appender.append(text: "b1", endsEntry: false)
        appender.cancelEntry()
        try appender.append(text: "c1", endsEntry: true)
        try appender.append(text: "d1", endsEntry: false)
        log.close()
        #expect(collected.durable == 3)
        #expect(log.pendingBytes == 0 || log.pendingBytes == 40)
        let again = try CommitLog.open(configuration).log
        defer { again.close() }
        #expect(try texts(readAll(again, from: .zero)) == ["a1", "a2", "c1"])
    }

    @Test func `an entry larger than a segment gets a segment of its own size`() throws {
        let configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 4096)
        let log = try CommitLog.open(configuration).log
        let appender = log.makeAppender { _ in }
        let large = String(repeating: "large", count: 20_000)
        for text in ["before", large, "after"] { try appender.append(text: text) }
        log.close()
        let again = try CommitLog.open(configuration).log
        defer { again.close() }
        #expect(try texts(readAll(again, from: .zero)) == ["before", large, "after"])
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
        defer { buffer.deallocate() }
        guard case .needs(let bytes) = try again.read(from: Offset(1), into: buffer) else {
            Issue.record("a record larger than the buffer was not refused")
            return
        }
        #expect(bytes >= large.utf8.count && bytes < large.utf8.count + 200)
    }

    @Test func `an entry beyond the limit is refused before anything of it is staged`() throws {
        var configuration = CommitLog.Configuration.small(folder.log)
        configuration.maximumEntryBytes = 1000
        let log = try CommitLog.open(configuration).log
        defer { log.close() }
        let appender = log.makeAppender { _ in }
        try appender.append(text: String(repeating: "x", count: 600), endsEntry: false)
        #expect(throws: LogError.tooLarge(bytes: 1264, limit: 1000)) {
            try appender.append(text: String(repeating: "y", count: 600))
        }
        #expect(log.pendingBytes == 0)
        try appender.append(text: "z")
        #expect(eventually { log.durableEnd == Offset(1) })
        #expect(try texts(readAll(log, from: .zero)) == ["z"])
    }

    @Test func `too much pending is refused, but one large entry alone is taken`() throws {
        var configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 1 << 20)
        configuration.maximumPendingBytes = 10_000
        configuration.driving = .caller
        let log = try CommitLog.open(configuration).log
        defer { log.close() }
        let appender = log.makeAppender { _ in }
        try appender.append(text: String(repeating: "x", count: 50_000))
        #expect(throws: LogError.overloaded(pendingBytes: 50_032)) { try appender.append(text: "y") }
        #expect(log.pendingBytes == 50_032)
        log.writePending()
        #expect(log.pendingBytes == 0)
        try appender.append(text: "y")
    }

    @Test func `at the limit of bytes appends are refused, and taken again when a cursor has passed`() throws {
        var configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 4096)
        configuration.maximumBytes = 4 * 4096
        configuration.driving = .caller
        let log = try CommitLog.open(configuration).log
        defer { log.close() }
        let collected = Collected()
        let appender = collected.appender(of: log)
        var taken = 0
        do {
            while taken < 1000 {
                try appender.append(text: String(repeating: "x", count: 500))
                log.writePending()
                taken += 1
            }
        } catch {
            #expect(error == .full(.maximumBytes(4 * 4096)))
        }
        #expect(taken == 24)
        #expect(log.usedBytes <= 4 * 4096)
        log.keepHouse()
        #expect(log.start == .zero, "without cursors nothing is deleted")
        #expect(throws: LogError.self) { try appender.append(text: String(repeating: "x", count: 500)) }
        log.setCursor("a", to: Offset(20))
        log.keepHouse()
        log.keepHouse()
        #expect(log.start > .zero && log.start <= Offset(20))
        try appender.append(text: String(repeating: "x", count: 500))
        log.writePending()
        #expect(collected.durable == taken + 1)
        #expect(throws: LogError.passed(start: log.start)) { try readAll(log, from: .zero) }
        #expect(log.setCursor("late", to: .zero) == false)
    }

    @Test func `too little free space is refused while the allocated room lasts and not before`() throws {
        var configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 4096)
        configuration.minimumFreeBytes = 1 << 60
        configuration.driving = .caller
        let log = try CommitLog.open(configuration).log
        defer { log.close() }
        let appender = log.makeAppender { _ in }
        var taken = 0
        #expect(throws: LogError.full(.minimumFreeBytes(1 << 60))) {
            while taken < 100 {
                try appender.append(text: String(repeating: "x", count: 500))
                log.writePending()
                taken += 1
            }
        }
        #expect(taken == 6)
    }

    @Test func `passed segments are recycled and their old bytes never come back`() throws {
        var configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 4096)
        configuration.driving = .caller
        let log = try CommitLog.open(configuration).log
        let appender = log.makeAppender { _ in }
        for number in 0..<400 {
            try appender.append(text: "number \(number) " + String(repeating: "x", count: number % 200))
            log.writePending()
            if number % 20 == 0 {
                log.setCursor("a", to: log.durableEnd)
                log.keepHouse()
                log.keepHouse()
            }
        }
        #expect(log.figures.deletedSegments > 5)
        #expect(log.figures.segments <= 3)
        let start = log.start
        log.close()
        let (again, report) = try CommitLog.open(configuration)
        defer { again.close() }
        #expect(report.damage.isEmpty)
        #expect(again.start == start)
        #expect(again.durableEnd == Offset(400))
        let read = try texts(readAll(again, from: start))
        #expect(read.count == start.distance(to: Offset(400)))
        for (place, text) in read.enumerated() {
            #expect(text.hasPrefix("number \(Int(start.rawValue) + place) "))
        }
    }

    @Test func `cursors survive closing, and nothing is deleted that the durable ones have not passed`() throws {
        var configuration = CommitLog.Configuration.small(folder.log)
        configuration.driving = .caller
        let log = try CommitLog.open(configuration).log
        let appender = log.makeAppender { _ in }
        for number in 0..<100 { try appender.append(text: "number \(number) " + String(repeating: "x", count: 200)) }
        log.writePending()
        log.setCursor("a", to: Offset(90))
        log.setCursor("b", to: Offset(3))
        log.keepHouse()
        #expect(log.start == .zero)
        #expect(log.durableCursors == ["a": Offset(90), "b": Offset(3)])
        log.setCursor("b", to: Offset(95))
        log.removeCursor("a")
        log.close()
        let again = try CommitLog.open(configuration).log
        defer { again.close() }
        #expect(again.cursors == ["b": Offset(95)])
        again.keepHouse()
        #expect(again.start > Offset(60))
    }

    @Test func `an inspection reads a log that is open elsewhere and changes nothing`() throws {
        let log = try CommitLog.open(.small(folder.log)).log
        defer { log.close() }
        let appender = log.makeAppender { _ in }
        for number in 0..<100 { try appender.append(text: "number \(number)") }
        #expect(eventually { log.durableEnd == Offset(100) })
        log.setCursor("a", to: Offset(7))
        try log.checkpoint()
        let inspection = try LogInspection(directory: folder.log)
        #expect(inspection.id == log.id)
        #expect(inspection.epoch == log.epoch)
        #expect(inspection.end == Offset(100))
        #expect(inspection.cursors == ["a": Offset(7)])
        #expect(inspection.segments.last?.end == Offset(100))
        #expect(try texts(readAll(inspection, from: .zero)).count == 100)
        #expect(throws: LogError.noLog(path: folder.path)) { try LogInspection(directory: folder.path) }
    }
}
