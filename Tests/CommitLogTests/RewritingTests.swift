// Passed segments without what is finished: what stays, what goes, when, and what a crash leaves.

import CommitLog
import Foundation
import SimulatedDisk
import Synchronization
import TestThreads
import Testing

@Suite(.blocking) struct RewritingTests {
    let disk = SimulatedFileSystem(seed: 31)

    static func configuration(
        segmentBytes: UInt64 = 4096, maximum: UInt64 = 1000, kept: UInt64 = 0
    ) -> CommitLog.Configuration {
        var configuration = CommitLog.Configuration.driven(segmentBytes: segmentBytes)
        configuration.maximumBytes = maximum * segmentBytes
        configuration.keptBytes = kept * segmentBytes
        return configuration
    }

    /// Records of the sets in turn.
    private func append(
        _ count: Int, of sets: [UInt16], to log: CommitLog, _ model: inout RewritingModel, filler: Int = 60
    ) throws {
        let appender = log.makeAppender { _ in }
        for place in 0..<count {
            let number = Int(log.durableEnd.rawValue)
            let set = sets[place % sets.count]
            try appender.append(number: number, of: set, filler: filler)
            log.writePending()
            model.records[Offset(UInt64(number))] = SetRecord(number: number, set: set, filler: filler)
        }
        appender.close()
    }

    private func finish(_ log: CommitLog, _ model: inout RewritingModel, _ bounds: [UInt16: Offset]) {
        model.finish(bounds)
        log.setFinished(bounds, default: .zero)
    }

    @Test func `what is finished leaves the old segments, and the rest stays where it was`() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration()).log
        log.setCursor("dead", to: .zero)
        try append(400, of: [1, 1, 1, 1, 1, 1, 1, 1, 1, 2], to: log, &model)
        let used = log.usedBytes
        finish(log, &model, [1: log.durableEnd, 2: .zero])
        for _ in 0..<20 { log.keepHouse() }
        #expect(log.usedBytes < used / 4)
        #expect(log.figures.rewrittenSegments >= 8)
        #expect(log.figures.reclaimedBytes > used / 2)
        #expect(log.start == .zero)
        model.verify(log)
        #expect(model.problems == [])
        #expect(try records(readAll(log, from: .zero)).filter { $0.view.replicaSet == 2 }.count == 40)
        // Whoever needs set 1 from the beginning on has lost some; from the open segment on, none.
        let lost = try #require(log.leftOut(from: .zero) { $0 == 1 })
        #expect(lost.lowerBound == .zero && lost.upperBound > Offset(350))
        #expect(log.leftOut(from: lost.upperBound) { $0 == 1 } == nil)
        #expect(log.leftOut(from: .zero) { $0 == 2 } == nil)
        // The tables say the same after a power loss.
        disk.losePower(.nothing)
        let (again, report) = try open(disk, Self.configuration())
        #expect(report.damage.isEmpty && report.warnings.isEmpty)
        model.verify(again)
        #expect(model.problems == [])
        #expect(again.leftOut(from: .zero) { $0 == 1 } == lost)
        let inspection = try LogInspection(directory: "/log", fileSystem: disk)
        #expect(inspection.segments.contains { ($0.leftOut?.sets[1]?.count ?? 0) > 30 })
        #expect(try gaps(readAll(inspection, from: .zero)) == gaps(readAll(again, from: .zero)))
    }

    @Test func `a log that is only one gap is one small file, however much went through it`() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration(maximum: 12)).log
        log.setCursor("dead", to: .zero)
        for _ in 0..<40 {
            try append(50, of: [1], to: log, &model)
            finish(log, &model, [1: log.durableEnd, 2: .zero])
            log.keepHouse()
        }
        #expect(log.figures.segments <= 5)
        #expect(log.figures.failedRecords == 0)
        #expect(log.start == .zero)
        model.verify(log)
        #expect(model.problems == [])
        #expect(disk.segmentNames.count == log.figures.segments)
        // The dead node was needed by none of it.
        log.setCursor("dead", to: log.durableEnd)
        finish(log, &model, [1: log.durableEnd, 2: log.durableEnd])
        log.keepHouse()
        log.keepHouse()
        #expect(log.figures.segments == 1)
    }

    @Test func `the history of nodes that go back in time is not rewritten while there is room`() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration(kept: 3)).log
        log.setCursor("dead", to: .zero)
        try append(400, of: [1], to: log, &model)
        finish(log, &model, [1: log.durableEnd, 2: .zero])
        for _ in 0..<20 { log.keepHouse() }
        let lost = try #require(log.leftOut(from: .zero) { $0 == 1 })
        let held = log.bytes(below: log.durableEnd) - log.bytes(below: lost.upperBound)
        #expect(held >= 2 * 4096 && held <= 3 * 4096)
        model.verify(log)
        #expect(model.problems == [])
    }

    @Test("L20 writes to a set whose nodes keep up are never refused because of another set's dead node")
    func othersGoOn() throws {
        let configuration = Self.configuration(maximum: 16)
        let log = try open(disk, configuration).log
        log.setCursor("dead", to: .zero)
        var model = RewritingModel()
        let collected = Collected()
        let appender = collected.appender(of: log)
        var refusals = 0
        var number = 0
        func append(_ set: UInt16) throws -> Bool {
            do {
                try appender.append(number: number, of: set)
            } catch {
                guard case .full(.part(let refused, let backlog, let part)) = error else { throw error }
                #expect(refused == set && backlog + 200 >= part)
                #expect(log.isFull(for: set, bytes: 200))
                return false
            }
            log.writePending()
            model.records[log.durableEnd.advanced(by: -1)] = SetRecord(number: number, set: set, filler: 60)
            number += 1
            return true
        }
        for round in 0..<2000 {
            if try !append(2) { refusals += 1 }
            for _ in 0..<3 {
                let isTaken = try append(1)
                #expect(isTaken, "round \(round)")
            }
            if round % 10 == 0 {
                log.setCursor("alive", to: log.durableEnd)
                finish(log, &model, [1: log.durableEnd, 2: .zero])
                log.keepHouse()
            }
            #expect(!log.isFull(for: 1, bytes: 200))
        }
        #expect(refusals > 1000)
        #expect(collected.errors.isEmpty)
        #expect(log.usedBytes <= 16 * 4096)
        #expect(log.figures.backlogBytes[2] ?? 0 > log.figures.partBytes, "while there was room it had more")
        model.verify(log)
        #expect(model.problems == [])
        // It comes back: everything is there, and then the log is small again.
        for name in ["dead", "alive"] { log.setCursor(name, to: log.durableEnd) }
        finish(log, &model, [1: log.durableEnd, 2: log.durableEnd])
        log.keepHouse()
        log.keepHouse()
        #expect(log.figures.segments == 1)
        #expect(!log.isFull(for: 2))
        #expect(try append(2))
    }

    @Test("L20 between two rounds of housekeeping the log thread rewrites by itself when room is needed")
    func burst() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration(maximum: 16)).log
        log.setCursor("dead", to: .zero)
        finish(log, &model, [1: .zero, 2: .zero])
        // A segment's third is of the dead set.
        try append(120, of: [1, 1, 2], to: log, &model)
        log.keepHouse()
        for _ in 0..<12 {
            finish(log, &model, [1: log.durableEnd, 2: .zero])
            try append(60, of: [1], to: log, &model)
        }
        #expect(log.figures.failedRecords == 0)
        #expect(log.figures.rewrittenSegments > 0)
        model.verify(log)
        #expect(model.problems == [])
    }

    @Test("L20 on a full disk a spare file makes the room by which rewriting wins more")
    func fullDisk() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration(maximum: 64)).log
        log.setCursor("dead", to: .zero)
        try append(300, of: [1, 1, 1, 2], to: log, &model)
        log.keepHouse()
        finish(log, &model, [1: .zero, 2: .zero])
        disk.disk.withLock { $0.capacity = $0.used }
        model.finish([1: log.durableEnd])
        finish(log, &model, [1: log.durableEnd, 2: .zero])
        for _ in 0..<10 { log.keepHouse() }
        #expect(log.poison == nil)
        // Until there is room for two segments again.
        #expect(log.figures.reclaimedBytes > 2 * 4096)
        try append(100, of: [1], to: log, &model)
        #expect(log.figures.failedRecords == 0)
        model.verify(log)
        #expect(model.problems == [])
    }

    @Test("L20 rot in a rewritten segment costs what is rotten, and is reported", arguments: [false, true])
    func rot(inHeader: Bool) throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration()).log
        log.setCursor("dead", to: .zero)
        try append(400, of: [1, 1, 1, 1, 1, 1, 1, 1, 1, 2], to: log, &model)
        finish(log, &model, [1: log.durableEnd, 2: .zero])
        for _ in 0..<20 { log.keepHouse() }
        log.close()
        disk.killProcess()
        let name = try #require(disk.segmentNames.first)
        let wanted = Array("2/19/".utf8)
        let content = try #require(disk.content(name))
        let place = try #require(content.indices.first { content[$0...].starts(with: wanted) })
        disk.corrupt(name) { $0[inHeader ? 20 : place + 8] ^= 1 }
        let (again, report) = try open(disk, Self.configuration())
        let pieces = try readAll(again, from: .zero)
        if inHeader {
            // The name says where it begins, and the first group which kind it is.
            #expect(report.warnings.count == 1)
            model.verify(again)
            #expect(again.leftOut(from: .zero) { $0 == 7 } == nil)
            #expect(model.problems == [])
        } else {
            #expect(losses(pieces).map(\.lost) == [Offset(19)..<Offset(20)])
            #expect(records(pieces).filter { $0.view.replicaSet == 2 }.count == 39)
        }
    }

    @Test func `a damaged segment is not rewritten, and what is intact in it stays`() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration()).log
        log.setCursor("dead", to: .zero)
        try append(100, of: [1, 1, 1, 1, 1, 1, 1, 1, 1, 2], to: log, &model)
        let name = disk.segmentNames[0]
        disk.corrupt(name) { $0[400] ^= 1 }
        let before = disk.content(name)
        finish(log, &model, [1: log.durableEnd, 2: .zero])
        for _ in 0..<10 { log.keepHouse() }
        #expect(disk.content(name) == before)
        #expect(log.figures.rewrittenSegments > 0)
        #expect(try losses(readAll(log, from: .zero)).count == 1)
        #expect(try records(readAll(log, from: .zero)).filter { $0.view.replicaSet == 2 }.count >= 9)
    }

    @Test func `a reader that began before goes on in the old file`() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration()).log
        log.setCursor("dead", to: .zero)
        try append(200, of: [1, 2], to: log, &model)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 500, alignment: 8)
        defer { buffer.deallocate() }
        let next = Mutex(Offset.zero)
        let opened = Mutex(0)
        disk.fail { operation, path in
            // In the middle of the rewriting, just before the new name.
            if operation == .rename, path.contains(FileName.rewritePrefix) { opened.withLock { $0 += 1 } }
            return nil
        }
        finish(log, &model, [1: log.durableEnd, 2: .zero])
        var seen: [Offset] = []
        var position = Offset.zero
        while position < log.durableEnd {
            switch try log.read(from: position, into: buffer) {
            case .records(let records, _, let after):
                seen += records.filter { $0.replicaSet == 2 }.map(\.offset)
                position = after
            default: Issue.record("something else than records at \(position)")
            }
            log.keepHouse()
        }
        next.withLock { $0 = position }
        #expect(opened.withLock { $0 } > 0)
        #expect(seen.count == 100)
    }

    @Test func `what is in old segments is known after a start without reading them again`() throws {
        var model = RewritingModel()
        do {
            let log = try open(disk, Self.configuration()).log
            log.setCursor("dead", to: .zero)
            try append(400, of: [1, 2], to: log, &model)
            finish(log, &model, [1: .zero, 2: .zero])
            log.keepHouse()
            log.close()
            disk.killProcess()
        }
        for isThere in [true, false] {
            if !isThere { disk.delete(FileName.shares) }
            let (log, report) = try open(disk, Self.configuration())
            #expect(report.warnings.isEmpty)
            let reads = disk.disk.withLock { $0.calls[.read, default: 0] }
            finish(log, &model, [1: .zero, 2: .zero])
            for _ in 0..<30 { log.keepHouse() }
            let more = disk.disk.withLock { $0.calls[.read, default: 0] } - reads
            #expect(isThere ? more <= 1 : more >= 10)
            let total = log.figures.backlogBytes.values.reduce(0, +)
            #expect(total > 400 * 90 && total < 400 * 120)
            log.close()
            disk.killProcess()
        }
    }

    @Test func `without a word about replica sets nothing is rewritten and all is as it was`() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration()).log
        log.setCursor("dead", to: .zero)
        try append(200, of: [1, 2], to: log, &model)
        for _ in 0..<5 { log.keepHouse() }
        #expect(log.figures.rewrittenSegments == 0)
        #expect(!disk.names.contains(FileName.shares))
        #expect(!log.isFull(for: 1))
        finish(log, &model, [0: log.durableEnd])
        for _ in 0..<5 { log.keepHouse() }
        #expect(log.figures.rewrittenSegments == 0)
    }

    @Test func `what all cursors have passed stays while a set without a cursor needs it`() throws {
        var model = RewritingModel()
        let log = try open(disk, Self.configuration()).log
        try append(100, of: [1], to: log, &model)
        try append(1, of: [2], to: log, &model)
        try append(100, of: [1], to: log, &model)
        log.setCursor("alive", to: log.durableEnd)
        finish(log, &model, [1: log.durableEnd, 2: .zero])
        for _ in 0..<10 { log.keepHouse() }
        #expect(log.start <= Offset(100))
        #expect(try records(readAll(log, from: log.start)).contains { $0.view.offset == Offset(100) })
        finish(log, &model, [1: log.durableEnd, 2: log.durableEnd])
        for _ in 0..<3 { log.keepHouse() }
        #expect(log.figures.segments == 1)
    }

    @Test("L20 on a real disk, with readers beside it: a dead set fills its own part, the others never feel it")
    func realDisk() throws {
        let folder = try TemporaryFolder()
        var configuration = CommitLog.Configuration.small(folder.log, segmentBytes: 64 << 10)
        configuration.maximumBytes = 24 * 64 << 10
        configuration.checkpointInterval = .milliseconds(5)
        let log = try CommitLog.open(configuration).log
        defer { log.close() }
        log.setCursor("dead", to: .zero)
        log.setFinished([1: .zero, 2: .zero], default: .zero)
        let collected = Collected()
        let appender = collected.appender(of: log)
        let wrong = Atomic(0)
        let stop = Atomic(false)
        // The dead set's records, again and again from the beginning, while segments are replaced below the reader.
        let reader = Thread {
            while !stop.load(ordering: .relaxed) {
                guard let pieces = try? readAll(log, from: log.start, bufferBytes: 20_000) else {
                    wrong.add(1, ordering: .relaxed)
                    continue
                }
                wrong.add(losses(pieces).count, ordering: .relaxed)
                for record in records(pieces) {
                    let head = String(decoding: record.body.prefix { $0 != UInt8(ascii: "/") }, as: UTF8.self)
                    if head != "\(record.view.replicaSet)" { wrong.add(1, ordering: .relaxed) }
                }
            }
        }
        reader.start()
        var refusals = 0
        var taken = 0
        for round in 0..<6000 {
            if round % 10 == 0 {
                do {
                    try appender.append(number: round, of: 2, filler: 1000)
                    taken += 1
                } catch {
                    refusals += 1
                }
            }
            try appender.append(number: round, of: 1, filler: 1000)
            // Its nodes keep up.
            guard round % 50 == 0 else { continue }
            #expect(eventually { log.pendingBytes == 0 })
            log.setCursor("alive", to: log.durableEnd)
            try log.checkpoint()
            log.setFinished([1: log.durableEnd, 2: .zero], default: .zero)
        }
        #expect(eventually { log.pendingBytes == 0 })
        stop.store(true, ordering: .relaxed)
        #expect(eventually { reader.isFinished })
        #expect(collected.errors.isEmpty, "\(collected.errors.first?.description ?? "")")
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(log.usedBytes <= configuration.maximumBytes ?? 0)
        #expect(log.figures.rewrittenSegments > 10)
        #expect(try records(readAll(log, from: .zero)).filter { $0.view.replicaSet == 2 }.count == taken)
        #expect(taken + refusals == 600)
    }

    // MARK: Crashes

    /// One log through several lives with records of four sets, each of which is finished as far as chance has it.
    static func live(seed: UInt64) -> [String] {
        var random = SplitMix(seed: seed)
        let disk = SimulatedFileSystem(seed: seed &+ 1)
        disk.disk.withLock { $0.isTraced = onlySeed != nil }
        var configuration = Self.configuration(
            segmentBytes: random.pick([1024, 2048, 8192]), maximum: random.chance(40) ? 12 : 1 << 20,
            kept: random.pick([0, 0, 2]))
        configuration.spareSegments = Int.random(in: 0...2, using: &random)
        let isSmallDisk = random.chance(25)
        var model = RewritingModel()
        var bounds: [UInt16: Offset] = [0: .zero, 1: .zero, 2: .zero, 3: .zero]
        let dead = UInt16.random(in: 0...3, using: &random)
        for life in 0..<Int.random(in: 2...5, using: &random) {
            let steps = disk.disk.withLock { $0.steps }
            if random.chance(80) {
                let more = Int.random(in: 1...250, using: &random)
                disk.disk.withLock { $0.crashAtStep = steps + more }
            }
            disk.disk.withLock { $0.capacity = .max }
            let log: CommitLog
            do {
                let opened = try CommitLog.open(configuration, fileSystem: disk, clock: ManualClock())
                log = opened.log
                model.check(opened.report.damage.isEmpty, "damage without rot: \(opened.report.damage)")
                model.check(
                    opened.report.warnings.allSatisfy { $0.contains("nothing can be appended") },
                    "warnings: \(opened.report.warnings)")
            } catch {
                guard disk.isDead else { return ["seed \(seed), life \(life): cannot open: \(error)"] }
                if random.chance(30) { disk.killProcess() } else { disk.losePower() }
                continue
            }
            if isSmallDisk {
                let spare = Int.random(in: 0...8000, using: &random)
                disk.disk.withLock { $0.capacity = $0.used + spare }
            }
            model.verify(log)
            let told = Collected()
            let appender = told.appender(of: log)
            var waiting: [SetRecord] = []
            var number = Int(log.durableEnd.rawValue) + 1000 * life
            act: for _ in 0..<Int.random(in: 10...150, using: &random) {
                if disk.isDead { break act }
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<55:
                    for _ in 0..<Int.random(in: 1...8, using: &random) {
                        let record = SetRecord(
                            number: number, set: UInt16.random(in: 0...3, using: &random),
                            filler: Int.random(in: 0...(random.chance(5) ? 2000 : 200), using: &random))
                        number += 1
                        if (try? appender.append(number: record.number, of: record.set, filler: record.filler)) != nil {
                            waiting.append(record)
                        }
                    }
                    log.writePending()
                case 55..<75:
                    for set in bounds.keys where set != dead && random.chance(60) {
                        let bound = bounds[set] ?? .zero
                        if bound < log.durableEnd {
                            bounds[set] = bound.advanced(
                                by: Int.random(in: 0...bound.distance(to: log.durableEnd), using: &random))
                        }
                    }
                    model.finish(bounds)
                    log.setFinished(bounds, default: .zero)
                case 75..<80:
                    let lowest = bounds.values.min() ?? .zero
                    log.setCursor("a", to: max(log.start, min(lowest, log.durableEnd)))
                case 80..<98:
                    log.keepHouse()
                default:
                    if random.chance(20) {
                        disk.fail { operation, path in
                            path.contains(FileName.rewritePrefix) && (operation == .sync || operation == .write)
                                ? EIO : nil
                        }
                        log.keepHouse()
                        disk.fail(nil)
                    }
                }
                for completion in told.completions.withLock({ list in
                    defer { list = [] }
                    return list
                }) {
                    switch completion {
                    case .durable(let first, let count):
                        for place in 0..<count { model.records[first.advanced(by: place)] = waiting[place] }
                        waiting.removeFirst(count)
                    case .failed(_, let count):
                        waiting.removeFirst(count)
                    }
                }
            }
            if !disk.isDead {
                model.verify(log, bufferBytes: random.pick([300, 3000, 100_000]))
                if random.chance(40) { log.close() }
            }
            if random.chance(30) { disk.killProcess() } else { disk.losePower() }
            // What a crash has made unknown may have become durable: it is not checked, but its set is not known either.
            for (set, bound) in bounds { bounds[set] = min(bound, model.records.keys.max()?.advanced(by: 1) ?? .zero) }
            if !model.problems.isEmpty { return model.problems.map { "seed \(seed), life \(life): \($0)" } }
        }
        return []
    }

    static let onlySeed = ProcessInfo.processInfo.environment["SLUICE_REWRITE_SEED"].flatMap(UInt64.init)

    @Test(
        "L20 after any crash every unfinished record is there byte for byte, and what is not there is told",
        arguments: 0..<4)
    func randomLives(batch: Int) {
        #if DEBUG
            var count: UInt64 = 25
        #else
            var count: UInt64 = 1000
        #endif
        if let text = ProcessInfo.processInfo.environment["SLUICE_CRASH_SEEDS"], let more = UInt64(text) {
            count = more / 4
        }
        var first = UInt64(batch) * count
        if let only = Self.onlySeed { (first, count) = (only, batch == 0 ? 1 : 0) }
        for seed in first..<first + count {
            let problems = Self.live(seed: seed)
            #expect(problems.isEmpty, "\(problems.prefix(5).joined(separator: "\n"))")
            if !problems.isEmpty { break }
        }
    }
}
