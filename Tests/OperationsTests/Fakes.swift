// Stands in for the data plane where a test is about the control plane alone.
import Foundation
import Operations
import Synchronization

/// A folder that is gone when the test is over.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "sluice-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// A data plane that says what it is told to say.
final class ScriptedDataPlane: DataPlane {
    struct State {
        var log = StatusReport.LogStatus(
            id: "0123", epoch: 2, start: 10, durableEnd: 1_010, bytesUsed: 3 << 20, bytesLimit: 10 << 30,
            bytesPending: 0,
            state: "open")
        var nodes = [
            StatusReport.NodeStatus(
                name: "a", url: "http://10.0.0.1:8086", zone: "dc1", health: "up", sync: "in-sync", cursor: 1_010,
                backlog: 0,
                version: "1.6.7"),
            StatusReport.NodeStatus(
                name: "b", url: "http://10.0.0.2:8086", zone: "", health: "down", sync: "catching-up", cursor: 400,
                backlog: 610,
                lastError: "connection refused"),
        ]
        var refusals: [Refusal] = []
        var indexedEnd: UInt64?
        var handler: (@Sendable (UInt64) -> Void)?
        var scans = 0
        var logID = "0123"
        /// What an operator asked for, as it arrived.
        var wishes: [String] = []
        var refusesWishes: ControlRefusal?
    }

    let state = Mutex(State())

    var boundAddresses: [String] { ["127.0.0.1:8086"] }
    func logStatus() -> StatusReport.LogStatus { state.withLock { $0.log } }
    func nodeStatus() -> [StatusReport.NodeStatus] { state.withLock { $0.nodes } }
    func requestCounts() -> [String: Int] { ["writes_204": 7] }
    func metrics() -> [MetricFamily] {
        [
            MetricFamily(
                name: "sluice_log_durable_end", help: "Durable end.", kind: .gauge, samples: [.init(value: 1_010)])
        ]
    }
    func whenFailed() async -> ServingError { ServingError("never", advice: "") }
    func shutdown() async {}

    private func wish(_ text: String) throws(ControlRefusal) {
        let refusal = state.withLock { state in
            if state.refusesWishes == nil { state.wishes.append(text) }
            return state.refusesWishes
        }
        if let refusal { throw refusal }
    }
    func pause(node: String, asFailure: Bool, for duration: Duration?) async throws(ControlRefusal) {
        try wish("pause \(node) asFailure=\(asFailure) for=\(duration.map { "\($0)" } ?? "ever")")
    }
    func resume(node: String) async throws(ControlRefusal) { try wish("resume \(node)") }
    func trust(node: String, dryRun: Bool) async throws(ControlRefusal) -> String {
        try wish("trust \(node) dryRun=\(dryRun)")
        return dryRun ? "\(node) would be trusted" : "\(node) is trusted"
    }

    var logID: String { state.withLock { $0.logID } }
    var start: UInt64 { state.withLock { $0.log.start } }
    var durableEnd: UInt64 { state.withLock { $0.log.durableEnd } }
    var indexedEnd: UInt64? { state.withLock { $0.indexedEnd } }
    func setIndexedEnd(_ offset: UInt64) { state.withLock { $0.indexedEnd = offset } }
    func refusals(from offset: UInt64) throws -> (found: [Refusal], next: UInt64) {
        state.withLock { state in
            state.scans += 1
            // Small stretches, so that a scan takes several.
            let next = min(offset + 100, state.log.durableEnd)
            return (state.refusals.filter { $0.recordOffset >= offset && $0.recordOffset < next }, next)
        }
    }
    func onRefusal(_ handler: @escaping @Sendable (UInt64) -> Void) { state.withLock { $0.handler = handler } }
}

func refusal(
    at record: UInt64, line: String, reason: String = "field type conflict", database: String = "db", total: Int = 1,
    time: String = "2026-01-02T03:04:05Z", node: String = "a"
) -> Refusal {
    let letter = DeadLetter(
        offset: Int64(record) - 1, lineNumber: 3, node: node, database: database, precision: "n", reason: reason,
        line: line, time: time)
    return Refusal(recordOffset: record, letters: [letter], total: total)
}
