// The log's promises about time: opening a gigabyte takes less than a second, and one sync serves whoever waits.

import CommitLog
import Foundation
import Synchronization
import TestThreads
import Testing

@Suite(.serialized, .blocking) struct SpeedTests {
    #if DEBUG
        static let logBytes = 128 << 20
    #else
        static let logBytes = 1 << 30
    #endif

    @Test func `a log of 1 GiB opens in less than a second after a kill`() throws {
        let folder = try TemporaryFolder()
        var configuration = CommitLog.Configuration(directory: folder.log)
        configuration.maximumPendingBytes = 8 << 20
        configuration.minimumFreeBytes = 0
        configuration.driving = .caller
        do {
            let log = try CommitLog.open(configuration).log
            let appender = log.makeAppender { _ in }
            let body = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
            var written = 0
            while written < Self.logBytes {
                try appender.append(kind: .points, replicaSet: 0, bodyBytes: body.count) { $0.copyBytes(from: body) }
                written += body.count
                if log.pendingBytes > 4 << 20 { log.writePending() }
            }
            log.writePending()
            // No close: the folder's lock goes with the objects, as it would with the process.
        }
        let began = ContinuousClock.now
        let (log, report) = try CommitLog.open(configuration)
        let duration = ContinuousClock.now - began
        print("opened a log of \(log.usedBytes >> 20) MiB in \(duration)")
        #expect(duration < .seconds(1))
        #expect(!report.wasClosedCleanly)
        #expect(report.damage.isEmpty)
        #expect(log.durableEnd == Offset(UInt64((Self.logBytes + 99_999) / 100_000)))
        log.close()
    }

    @Test func `throughput of group commit on this disk`() throws {
        for (name, recordBytes, perGroup, bytes, keptBytes) in [
            ("64 records of 600 bytes a group, new segments", 600, 64, 64 << 20, UInt64(1) << 40),
            ("64 records of 600 bytes a group, recycled segments", 600, 64, 64 << 20, 0),
            ("1 MB records, recycled segments", 1 << 20, 1, 512 << 20, 0),
        ] {
            let folder = try TemporaryFolder()
            var configuration = CommitLog.Configuration(directory: folder.log)
            configuration.minimumFreeBytes = 0
            configuration.segmentBytes = 16 << 20
            configuration.keptBytes = keptBytes
            let log = try CommitLog.open(configuration).log
            let collected = Collected()
            let appender = collected.appender(of: log)
            let body = [UInt8](repeating: UInt8(ascii: "x"), count: recordBytes)
            log.setCursor("reader", to: .zero)
            // Closed loop: the next group is appended when the last is durable, as clients that wait do.
            let began = ContinuousClock.now
            let total = max(1, Self.logBytes / (1 << 30) * bytes + (Self.logBytes < 1 << 30 ? bytes / 16 : 0))
            var sent = 0
            while sent * recordBytes < total {
                for _ in 0..<perGroup {
                    try appender.append(kind: .points, replicaSet: 0, bodyBytes: recordBytes) {
                        $0.copyBytes(from: body)
                    }
                }
                sent += perGroup
                let wanted = sent
                while log.durableEnd < Offset(UInt64(wanted)) { sched_yield() }
                if sent % (perGroup * 64) == 0 { log.setCursor("reader", to: log.durableEnd) }
            }
            let seconds = (ContinuousClock.now - began) / .seconds(1)
            let figures = log.figures
            print(
                "\(name): \(Int(Double(figures.bytes) / seconds / 1e6)) MB/s, "
                    + "\(Int(Double(figures.groups) / seconds)) groups/s, "
                    + "\(Int(Double(figures.records) / seconds)) records/s, sync "
                    + "\(figures.syncNanoseconds / figures.groups / 1000) µs, write "
                    + "\(figures.writeNanoseconds / figures.groups / 1000) µs, \(figures.deletedSegments) recycled")
            #expect(collected.durable == sent)
            log.close()
        }
    }
}
