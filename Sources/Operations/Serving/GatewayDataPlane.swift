// The real data plane as the control plane sees it: configuration in, figures and refusals out.
import Cluster
import CommitLog
import Foundation
import Gateway
import LineProtocol
import Logging
import NodeClient
import NIOCore
import Replication
import Synchronization

package final class GatewayDataPlane: DataPlane {
    /// Holds one record of the largest kind that the log takes in one piece with its neighbours.
    private static let scanBytes = 1 << 20

    private let server: GatewayServer
    private let configuration: Configuration
    private let failure = FailureSignal()
    let certificates: Certificates

    package static func start(configuration: Configuration, logger: Logger) async throws -> any DataPlane {
        try await start(configuration: configuration, logger: logger, fileSystem: PosixFileSystem())
    }

    /// - Parameter passed: sockets that a service manager has bound already.
    package static func start(
        configuration: Configuration, logger: Logger, fileSystem: any FileSystem = PosixFileSystem(),
        passed: [PassedSocket]
    ) async throws -> any DataPlane {
        var settings = try GatewaySettings(configuration)
        try settings.adopt(passed)
        settings.replicator.sealer = try KeyFileSealer(path: configuration.dataDirectory + "/seal.key")
        var surroundings = Surroundings()
        surroundings.fileSystem = fileSystem
        let connector = try TCPConnector(to: configuration.nodes)
        surroundings.connector = connector
        let certificates = Certificates(
            sources: settings.allListeners.compactMap(\.tls) + connector.security.values.sorted { $0.name < $1.name },
            logger: logger)
        let server = try await GatewayServer.start(settings: settings, surroundings: surroundings, logger: logger)
        Self.report(server.recovery, to: logger)
        return GatewayDataPlane(server: server, configuration: configuration, certificates: certificates)
    }

    package static func start(
        configuration: Configuration, logger: Logger, fileSystem: any FileSystem
    ) async throws -> any DataPlane {
        try await start(configuration: configuration, logger: logger, fileSystem: fileSystem, passed: [])
    }

    private init(server: GatewayServer, configuration: Configuration, certificates: Certificates) {
        self.server = server
        self.certificates = certificates
        self.configuration = configuration
        let failure = failure
        server.log.onPoisoned { failure.fire($0) }
        if let poison = server.log.poison { failure.fire(poison) }
    }

    private static func report(_ recovery: RecoveryReport, to logger: Logger) {
        for warning in recovery.warnings { logger.warning("\(warning)") }
        for damage in recovery.damage { logger.error("\(damage)") }
        guard !recovery.isNew else { return }
        let milliseconds = recovery.duration / .milliseconds(1)
        logger.info(
            recovery.wasClosedCleanly ? "the log is open" : "the log is open, it was not closed in good order",
            metadata: [
                "records": "\(recovery.durableEnd.rawValue - recovery.start.rawValue)",
                "torn_records": "\(recovery.tornRecords)", "milliseconds": "\(Int(milliseconds))",
            ])
    }

    package func whenFailed() async -> ServingError {
        let error = await failure.wait()
        guard let error else { return ServingError("stopped", advice: "start again") }
        return ServingError(
            "the commit log cannot be written any more (\(error))",
            advice: "see to the disk, then start again: everything that was acknowledged is in the log")
    }

    package func shutdown() async {
        await server.shutdown()
    }
}

// MARK: Figures

extension GatewayDataPlane: GatewayControl {
    package var boundAddresses: [String] { server.boundAddresses }
    package var ownAddress: String? { server.ownAddress }
    package func reloadCertificates() async { await certificates.reload() }

    package func logStatus() -> StatusReport.LogStatus {
        let log = server.log
        let figures = log.figures
        let state: String
        if let poison = log.poison {
            state = "poisoned (\(poison))"
        } else {
            state = figures.isFull ? "full" : "open"
        }
        return StatusReport.LogStatus(
            id: "\(log.id)", epoch: log.epoch, start: log.start.rawValue, durableEnd: log.durableEnd.rawValue,
            bytesUsed: Int(clamping: figures.usedBytes), bytesLimit: Int(clamping: figures.maximumBytes),
            bytesPending: figures.pendingBytes, state: state,
            outageBudgetSeconds: server.view.current.outageBudget.map { Int(clamping: Int64(min($0, 1e12))) })
    }

    package func nodeStatus() -> [StatusReport.NodeStatus] {
        // The end first: a cursor read later may be ahead of it, never behind for a node that has everything.
        let end = server.log.durableEnd.rawValue
        let snapshot = server.view.current
        return snapshot.nodes.enumerated().map { index, node in
            let reason = node.state == .inSync || node.obstacle.isEmpty ? nil : node.obstacle
            let cursor = (node.state.isFed ? node.cursor : server.log.cursor(node.name) ?? node.cursor).rawValue
            let diverged = snapshot.divergences.filter { Int($0.node.value) == index }
                .map { "\($0.place.database).\($0.place.measurement)" }.sorted()
            return StatusReport.NodeStatus(
                name: node.name, url: node.url, zone: node.zone, health: node.isUp ? "up" : "down",
                sync: node.state.word,
                reason: reason, cursor: cursor, backlog: end > cursor ? end - cursor : 0,
                version: node.version.isEmpty ? nil : node.version,
                lastError: node.trouble.isEmpty ? nil : node.trouble,
                delayBudgetLeft: node.budgetLeft, diverged: diverged.isEmpty ? nil : diverged,
                warnings: node.warnings.isEmpty ? nil : node.warnings,
                ownWork: node.ownWork.remarks.isEmpty ? nil : node.ownWork.remarks
            )
        }
    }

    package func requestCounts() -> [String: Int] {
        let figures = server.figures
        return [
            "writes": Int(figures.writes.value), "lines": Int(figures.writtenLines.value),
            "acknowledged": Int(figures.acknowledged.value), "timed_out": Int(figures.timedOut.value),
            "refused": Int(figures.refused.value), "queries": Int(figures.queries.value),
            "mutations": Int(figures.mutations.value), "stale_reads": Int(figures.staleReads.value),
            "failed_reads": Int(figures.failedReads.value),
        ]
    }

    package func metrics() -> [MetricFamily] {
        GatewayMetrics.families(of: server, nodes: nodeStatus()) + certificates.metrics()
    }
}

// MARK: What an operator asks for

extension GatewayDataPlane {
    package func pause(node: String, asFailure: Bool, for duration: Duration?) async throws(ControlRefusal) {
        let index = try index(of: node)
        let time = duration.map { TimeAmount.nanoseconds(Int64($0 / .nanoseconds(1))) }
        _ = try await answer { try await server.control.pause(index, asFailure: asFailure, for: time).get() }
    }

    package func resume(node: String) async throws(ControlRefusal) {
        let index = try index(of: node)
        _ = try await answer { try await server.control.resume(index).get() }
    }

    package func trust(node: String, dryRun: Bool) async throws(ControlRefusal) -> String {
        let index = try index(of: node)
        return try await answer { try await server.control.trust(index, dryRun: dryRun).get() }
    }

    private func index(of node: String) throws(ControlRefusal) -> NodeIndex {
        let names = server.view.current.nodes.map(\.name)
        guard let index = names.firstIndex(of: node) else {
            throw ControlRefusal(404, "there is no node \(node); there are \(names.joined(separator: ", "))")
        }
        return NodeIndex(index)
    }

    private func answer<T>(_ work: () async throws -> T) async throws(ControlRefusal) -> T {
        do {
            return try await work()
        } catch let problem as ClusterControl.TrustProblem {
            throw ControlRefusal(409, problem.description)
        } catch {
            throw ControlRefusal(503, "the gateway is stopping (\(error)): try again when it runs")
        }
    }
}

// MARK: Refusals

extension GatewayDataPlane: RefusalSource {
    package var logID: String { "\(server.log.id)" }
    package var start: UInt64 { server.log.start.rawValue }
    package var durableEnd: UInt64 { server.log.durableEnd.rawValue }
    package var indexedEnd: UInt64? { server.log.cursor(GatewayServer.deadLetterCursor)?.rawValue }

    package func setIndexedEnd(_ offset: UInt64) {
        server.log.setCursor(GatewayServer.deadLetterCursor, to: Offset(offset))
    }

    package func onRefusal(_ handler: @escaping @Sendable (UInt64) -> Void) {
        server.onRefusal { handler($0.rawValue) }
    }

    package func refusals(from offset: UInt64) throws -> (found: [Refusal], next: UInt64) {
        try LogScan.stretch(of: server.log, from: Offset(max(offset, start)), bytes: Self.scanBytes) { record, body in
            guard record.kind == .refusal, let refusal = try? RefusalRecord(decoding: body) else { return nil }
            return Refusal(refusal, at: record)
        }
    }
}

extension Refusal {
    fileprivate init(_ record: RefusalRecord, at view: RecordView) {
        let time = LogScan.text(ofTime: view.appendTime)
        self.init(
            recordOffset: view.offset.rawValue,
            letters: record.lines.map { line in
                DeadLetter(
                    offset: Int64(clamping: record.target.rawValue), lineNumber: Int(line.number), node: record.node,
                    database: record.database, retentionPolicy: record.retentionPolicy,
                    precision: record.precision.flatMap(Precision.init(rawValue:))?.parameter, reason: record.reason,
                    line: line.text, time: time)
            },
            total: Int(record.totalRefused))
    }
}

/// Fires once with the error that ended the log's writer; a waiter that is cancelled gets nil.
private final class FailureSignal: Sendable {
    private let stream: AsyncStream<FileError>
    private let continuation: AsyncStream<FileError>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream(of: FileError.self, bufferingPolicy: .bufferingOldest(1))
    }

    func fire(_ error: FileError) { continuation.yield(error) }

    func wait() async -> FileError? {
        for await error in stream { return error }
        return nil
    }
}
