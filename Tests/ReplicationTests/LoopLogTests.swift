// What a loop's way into the log promises beyond what the log does: several refusals are one entry of it.

import Cluster
import CommitLog
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import SimulatedDisk
import Testing

import Replication

@Suite("A loop's way into the log")
struct LoopLogTests {
    private let loop = EmbeddedEventLoop()

    private func open(_ disk: SimulatedFileSystem) throws -> CommitLog {
        var configuration = CommitLog.Configuration(directory: "/log")
        configuration.segmentBytes = 4096
        configuration.minimumFreeBytes = 0
        configuration.driving = .caller
        return try CommitLog.open(configuration, fileSystem: disk, clock: SystemClock()).log
    }

    /// One decision: as many records as there are reasons.
    private func decision(_ reasons: Int) -> [RefusalRecord] {
        (0..<reasons).map { number in
            RefusalRecord(
                target: .zero, node: "", database: "d", reason: "reason \(number)",
                ranges: [UInt32(number)..<UInt32(number) + 1], lines: [], totalRefused: 1)
        }
    }

    @Test("all of several refusals are told of, and whoever waits hears once, when the last is durable")
    func told() throws {
        let log = try open(SimulatedFileSystem(seed: 0))
        let durable = NIOLockedValueBox<[Offset]>([])
        let loopLog = LoopLog.make(log: log, eventLoop: loop) { offset in durable.withLockedValue { $0.append(offset) }
        }
        var heard: [Bool] = []
        loopLog.append([], replicaSet: 0) { heard.append($0) }
        #expect(heard == [true], "nothing is durable at once")
        loopLog.append(decision(3), replicaSet: 0) { heard.append($0) }
        loop.run()
        #expect(heard == [true] && loopLog.waitingCount == 3)
        log.writePending()
        loop.run()
        #expect(heard == [true, true] && loopLog.waitingCount == 0)
        #expect(durable.withLockedValue { $0 } == [Offset(0), Offset(1), Offset(2)])
    }

    @Test("L22 after a power loss what the set decided of a record is in the log as a whole, or not at all")
    func powerLoss() throws {
        var found: [Int: Int] = [:]
        for seed in 0..<200 as Range<UInt64> {
            let disk = SimulatedFileSystem(seed: seed)
            let log = try open(disk)
            let loopLog = LoopLog.make(log: log, eventLoop: loop) { _ in }
            loopLog.append(decision(1), replicaSet: 0) { _ in }
            log.writePending()
            var isDurable: Bool?
            loopLog.append(decision(3), replicaSet: 0) { isDurable = $0 }
            // The power goes while it is written, or while it is synced.
            disk.disk.withLock { $0.crashAtStep = $0.steps + 1 + Int(seed % 2) }
            log.writePending()
            loop.run()
            #expect(isDurable == false, "seed \(seed)")
            log.close()
            disk.losePower()
            let recovered = try open(disk)
            found[Offset(1).distance(to: recovered.durableEnd), default: 0] += 1
            recovered.close()
        }
        #expect(Set(found.keys) == [0, 3], "times that so many of three were there: \(found)")
    }
}
