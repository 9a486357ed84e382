// What several suites of the log's tests share: folders that go away, waiting with a deadline, short ways to append and read.

import CommitLog
import Foundation
import SimulatedDisk
import Synchronization
import Testing

/// A folder on the real disk that is removed with this object.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-log-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    var log: String { path + "/log" }

    func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: log).sorted()
    }
}

/// Waits until the condition holds; false if it does not within the deadline.
func eventually(within limit: Duration = .seconds(20), _ condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + limit
    while !condition() {
        if ContinuousClock.now > deadline { return false }
        usleep(200)
    }
    return true
}

extension CommitLog.Configuration {
    static func small(_ directory: String, segmentBytes: UInt64 = 4096) -> Self {
        var configuration = CommitLog.Configuration(directory: directory)
        configuration.segmentBytes = segmentBytes
        configuration.maximumBytes = 1 << 30
        configuration.minimumFreeBytes = 0
        configuration.keptBytes = 0
        return configuration
    }

    /// Driven by the test, on a simulated disk.
    static func driven(segmentBytes: UInt64 = 4096) -> Self {
        var configuration = small("/log", segmentBytes: segmentBytes)
        configuration.driving = .caller
        return configuration
    }
}

/// Opens a log on a simulated disk, driven by the test.
func open(
    _ disk: SimulatedFileSystem, _ configuration: CommitLog.Configuration = .driven()
) throws -> (log: CommitLog, report: RecoveryReport) {
    try CommitLog.open(configuration, fileSystem: disk, clock: ManualClock())
}

extension LogAppender {
    func append(text: String, endsEntry: Bool = true) throws(LogError) {
        try append(kind: .points, replicaSet: 0, bodyBytes: text.utf8.count, endsEntry: endsEntry) {
            $0.copyBytes(from: Array(text.utf8))
        }
    }
}

func texts(_ pieces: [ReadPiece]) -> [String] {
    records(pieces).map { String(decoding: $0.body, as: UTF8.self) }
}

/// Collects completions of an appender.
final class Collected: Sendable {
    let completions = Guarded<[CommitLog.Completion]>([])

    var durable: Int {
        completions.withLock { list in
            list.reduce(0) { if case .durable(_, let count) = $1 { $0 + count } else { $0 } }
        }
    }

    var errors: [LogError] {
        completions.withLock { list in
            list.compactMap { if case .failed(let error, _) = $0 { error } else { nil } }
        }
    }

    var offsets: [Offset] {
        completions.withLock { list in
            list.flatMap { completion -> [Offset] in
                guard case .durable(let first, let count) = completion else { return [] }
                return (0..<count).map { first.advanced(by: $0) }
            }
        }
    }

    func appender(of log: CommitLog) -> LogAppender {
        log.makeAppender { completion in self.completions.withLock { $0.append(completion) } }
    }
}

/// A clock that moves only when told, except that each look takes a nanosecond.
final class ManualClock: LogClock {
    let now = Atomic<UInt64>(1_000_000_000)

    func monotonicNanoseconds() -> UInt64 { now.wrappingAdd(1, ordering: .relaxed).newValue }
    func wallNanoseconds() -> Int64 { Int64(now.wrappingAdd(1, ordering: .relaxed).newValue) }
}
