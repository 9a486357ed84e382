// Crashes at every step of the file system, with every kind of half-written remains: what was acknowledged is there,
// what is there is whole, and no offset ever had two contents.

import CommitLog
import Foundation
import SimulatedDisk
import TestThreads
import Testing

/// What a checkpoint makes durable in one piece.
private struct LedgerState: Equatable {
    var cursors: [String: Offset] = [:]
    var notes: [String: [UInt8]] = [:]

    init() {}

    init(_ log: CommitLog) {
        cursors = log.cursors
        notes = log.notes
    }
}

@Suite(.blocking) struct CrashTests {
    /// One log through several lives; each ends in a crash, a kill or an orderly close.
    static func live(seed: UInt64) -> [String] {
        var random = SplitMix(seed: seed)
        let disk = SimulatedFileSystem(seed: seed &+ 1)
        disk.disk.withLock { $0.isTraced = onlySeed != nil }
        var configuration = CommitLog.Configuration(directory: "/log")
        configuration.segmentBytes = random.pick([512, 1024, 2048, 8192])
        configuration.spareSegments = Int.random(in: 0...2, using: &random)
        configuration.maximumBytes = random.chance(30) ? 16 * configuration.segmentBytes : 1 << 30
        configuration.minimumFreeBytes = 0
        configuration.keptBytes = random.pick([0, 3, 1 << 20]) * configuration.segmentBytes
        configuration.driving = .caller
        let isSmallDisk = random.chance(25)
        var model = LogModel()
        var nextEntry: UInt64 = 1
        // Every state of cursors and notes since the last that is known to be durable, oldest first.
        var states = [LedgerState()]
        for life in 0..<Int.random(in: 2...6, using: &random) {
            let steps = disk.disk.withLock { $0.steps }
            if random.chance(80) {
                let more = Int.random(in: 1...(life == 0 ? 80 : 60), using: &random)
                disk.disk.withLock { $0.crashAtStep = steps + more }
            }
            disk.disk.withLock { $0.capacity = .max }
            let opened: (log: CommitLog, report: RecoveryReport)
            do {
                opened = try CommitLog.open(configuration, fileSystem: disk, clock: ManualClock())
            } catch {
                guard disk.isDead else { return ["seed \(seed), life \(life): cannot open: \(error)"] }
                if random.chance(30) { disk.killProcess() } else { disk.losePower() }
                continue
            }
            let log = opened.log
            if isSmallDisk {
                let spare = Int.random(in: 0...4000, using: &random)
                disk.disk.withLock { $0.capacity = $0.used + spare }
            }
            model.check(opened.report.damage.isEmpty, "damage without rot: \(opened.report.damage)")
            model.check(!opened.report.cursorsLost, "the cursors were lost")
            model.verify(log)
            let recovered = LedgerState(log)
            model.check(states.contains(recovered), "cursors and notes came back as \(recovered), never were so")
            states = [recovered]
            let durable = Guarded(0)
            /// On success everything that was set before is durable.
            func askForCheckpoint() {
                let newest = states.count - 1
                log.checkpoint { outcome in
                    if case .success = outcome { durable.withLock { $0 = max($0, newest) } }
                }
            }
            let appenders = (0..<Int.random(in: 1...3, using: &random)).map { _ in TestAppender(log) }
            var position = log.start
            act: for _ in 0..<Int.random(in: 5...60, using: &random) {
                if disk.isDead { break act }
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<50:
                    let entry = nextEntry
                    nextEntry += 1
                    try? random.pick(appenders).appendEntry(
                        entry, count: Int.random(in: 1...4, using: &random),
                        filler: Int.random(in: 0...(random.chance(5) ? 3000 : 150), using: &random))
                case 50..<75:
                    log.writePending()
                case 75..<79:
                    if random.chance(50) { askForCheckpoint() }
                    log.keepHouse()
                case 79..<83:
                    let note = random.chance(80) ? [UInt8](repeating: 7, count: Int(random.next() % 40)) : nil
                    try? log.setNote(random.pick(["x", "y"]), note)
                    states.append(LedgerState(log))
                case 83..<92:
                    position = max(position, log.start)
                    guard let pieces = try? readAll(log, from: position, bufferBytes: 900) else { break }
                    for record in records(pieces) {
                        guard let content = record.body.withUnsafeBytes({ TestContent($0) }) else {
                            model.problems.append("record \(record.view.offset) is garbage")
                            continue
                        }
                        model.learn(record.view.offset, content)
                        position = record.view.offset.advanced(by: 1)
                    }
                    model.check(losses(pieces).isEmpty, "lost without rot")
                case 92..<97:
                    let name = random.pick(["a", "b"])
                    var cursor = max(position, log.cursor(name) ?? .zero)
                    guard cursor <= log.durableEnd else { break }
                    if random.chance(20), cursor >= log.start {
                        // Its node went back in time.
                        cursor = log.start.advanced(
                            by: Int.random(in: 0...log.start.distance(to: cursor), using: &random))
                    }
                    if !log.setCursor(name, to: cursor) {
                        // Others were further and its records are gone: such a node needs a copy.
                        log.removeCursor(name)
                    }
                    states.append(LedgerState(log))
                case 97:
                    // A disk fault that poisons the log, in one call.
                    if random.chance(30) {
                        let victim = random.pick([FileError.Operation.write, .sync, .rename, .syncFolder])
                        disk.fail { operation, _ in operation == victim ? EIO : nil }
                        log.writePending()
                        disk.fail(nil)
                    }
                case 98:
                    disk.disk.withLock { $0.capacity = .max }
                    // A write that runs out of space anywhere, its very end included.
                    disk.fail { operation, path in
                        operation == .write && !path.hasSuffix(Ledger.temporaryName) ? ENOSPC : nil
                    }
                    log.writePending()
                    disk.fail(nil)
                default:
                    random.pick(appenders).appender.cancelEntry()
                }
                for appender in appenders { model.settle(appender) }
            }
            if !disk.isDead {
                model.verify(log)
                if random.chance(40) {
                    askForCheckpoint()
                    log.close()
                    for appender in appenders {
                        model.settle(appender)
                        model.check(appender.waiting.isEmpty || disk.isDead, "close left somebody waiting")
                    }
                }
            }
            states.removeFirst(durable.withLock { $0 })
            if random.chance(30) { disk.killProcess() } else { disk.losePower() }
            if !model.problems.isEmpty {
                return model.problems.map { "seed \(seed), life \(life): \($0)" }
            }
        }
        return []
    }

    /// Lives per batch. `SLUICE_CRASH_SEEDS` asks for more, e.g. over night.
    static let livesPerBatch: UInt64 = {
        if let text = ProcessInfo.processInfo.environment["SLUICE_CRASH_SEEDS"], let count = UInt64(text) {
            return count / 8
        }
        #if DEBUG
            return 100
        #else
            return 1000
        #endif
    }()

    /// `SLUICE_CRASH_SEED` replays one.
    static let onlySeed = ProcessInfo.processInfo.environment["SLUICE_CRASH_SEED"].flatMap(UInt64.init)

    @Test(
        "L6 L8 L21 after any crash every acknowledged record is there, no offset has two contents, no entry is half",
        arguments: 0..<8)
    func randomLives(batch: Int) {
        var first = UInt64(batch) * Self.livesPerBatch
        var count = Self.livesPerBatch
        if let only = Self.onlySeed { (first, count) = (only, batch == 0 ? 1 : 0) }
        for seed in first..<first + count {
            let problems = Self.live(seed: seed)
            #expect(problems.isEmpty, "\(problems.prefix(5).joined(separator: "\n"))")
            if !problems.isEmpty { break }
        }
    }
}
