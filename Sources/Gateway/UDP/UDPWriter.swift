// Batches of one UDP listener on their way into the log. Nobody waits for them and nobody hears of an error, so what is
// dropped is counted. A database that is missing is created first, as InfluxDB's own UDP service does it.

import Cluster
import CommitLog
import InfluxQL
import NIOCore
import Querying
import Replication

final class UDPWriter {
    private struct Waiting {
        let payload: ByteBuffer
        let lines: Int
    }

    private let settings: UDPSettings
    private let context: LoopContext
    private let figures: UDPFigures
    private let reports: UDPReports
    /// Why no point may be written there; nil: it may.
    private let objection: String?
    /// The database was there, or its creation is in the log: what comes later is applied later.
    private var isDatabaseKnown = false
    /// Behind a batch whose retention policy a node is asked about: the order of points must stay.
    private var waiting: [Waiting] = []

    /// With batches of 1 MiB; what comes beyond it while a node is asked is dropped.
    private static let maximumWaiting = 16

    init(_ settings: UDPSettings, context: LoopContext, figures: UDPFigures, reports: UDPReports) {
        self.settings = settings
        self.context = context
        self.figures = figures
        self.reports = reports
        var objection: String?
        do throws(Policy.Refusal) {
            try context.settings.policy.checkWrite(to: settings.database)
        } catch {
            objection = error.message
        }
        self.objection = objection
    }

    // MARK: The database

    /// To be called now and then: creates the database as soon as it is known that there is none.
    func look() {
        guard objection == nil, !isDatabaseKnown else { return }
        switch context.schema.read({ $0.database(settings.database) }) {
        case .exists: isDatabaseKnown = true
        case .isUnknown, .existed, .isUnheard: break
        case .isMissing: try? createDatabase()
        }
    }

    /// Where nothing is known of the database, creating it changes nothing if it exists.
    private func createDatabaseIfNeeded() throws(LogError) {
        guard !isDatabaseKnown else { return }
        if context.schema.read({ $0.database(settings.database) }) == .exists {
            isDatabaseKnown = true
        } else {
            try createDatabase()
        }
    }

    private func createDatabase() throws(LogError) {
        let text = "CREATE DATABASE " + Quoting.identifier(settings.database)
        guard case .statements(let statements) = Parsed(text), let statement = statements.first else {
            preconditionFailure("a quoted name is always a name")
        }
        let record = MutationRecord(
            statement: text, scope: statement.barrier(requestDatabase: "").logScope,
            redactedStatement: statement.redacted)
        let creation = DatabaseCreation(SchemaChange(statement, context.schema), acks: context.acks) { [weak self] in
            self?.isDatabaseKnown = false
        }
        do throws(LogError) {
            try context.loopLog.append(record, waiter: creation)
        } catch {
            creation.notDurable(error)
            throw error
        }
        context.figures.mutations.add(1)
        isDatabaseKnown = true
    }

    // MARK: Points

    func write(_ batch: UDPBatch) {
        guard !batch.isEmpty else { return }
        if let objection { return drop(batch.lines, .policy, objection) }
        do throws(LogError) {
            try createDatabaseIfNeeded()
        } catch {
            return drop(batch.lines, .log, "\(error)")
        }
        let next = Waiting(payload: batch.payload, lines: batch.lines)
        guard waiting.isEmpty else { return wait(next) }
        let (database, policy) = (settings.database, settings.retentionPolicy)
        if let admission = context.admission.known(to: database, retentionPolicy: policy) {
            return take(next, admission)
        }
        waiting = [next]
        let admission = context.admission.admit(to: database, retentionPolicy: policy) { [weak self] in
            self?.admitted($0)
        }
        if let admission { admitted(admission) }
    }

    private func wait(_ next: Waiting) {
        guard waiting.count < Self.maximumWaiting else {
            return drop(next.lines, .schema, "no node has said yet whether there is such a retention policy")
        }
        waiting.append(next)
    }

    private func admitted(_ admission: Admission) {
        let batches = waiting
        waiting = []
        for batch in batches { take(batch, admission) }
    }

    private func take(_ batch: Waiting, _ admission: Admission) {
        switch admission {
        case .admitted: log(batch)
        case .refused(let response): drop(batch.lines, .schema, response.words)
        }
    }

    private func log(_ batch: Waiting) {
        let head = PointsRecord.Head(
            database: settings.database, retentionPolicy: settings.retentionPolicy,
            precision: settings.precision.rawValue, lineCount: UInt32(batch.lines))
        let owner = Owner(lines: batch.lines, figures: figures) { [weak self] lines, words in
            self?.drop(lines, .log, words)
        }
        do throws(LoggedWrite.Problem) {
            let write = LoggedWrite(.any, timeout: .zero, context: context, owner: owner)
            try write.append(head, payloadBytes: batch.payload.readableBytes) { room in
                batch.payload.withUnsafeReadableBytes { room.copyBytes(from: $0) }
            }
        } catch {
            switch error {
            case .log(let error): drop(batch.lines, .log, "\(error)")
            case .unreachable(let reason): drop(batch.lines, .log, reason)
            }
        }
    }

    /// Nothing waits any longer: the log takes what it still can. A node that knows better refuses the points.
    func stop() { admitted(.admitted) }

    private func drop(_ lines: Int, _ reason: UDPFigures.Drop, _ words: String) {
        figures.dropped[reason]?.add(lines)
        reports.add(lines, reason.rawValue, words)
    }

    /// Hears what became of one batch.
    private final class Owner: LoggedWriteOwner {
        private let lines: Int
        private let figures: UDPFigures
        private let dropped: (Int, String) -> Void

        init(lines: Int, figures: UDPFigures, dropped: @escaping (Int, String) -> Void) {
            self.lines = lines
            self.figures = figures
            self.dropped = dropped
        }

        func ended(_ end: LoggedWrite.End) {
            switch end {
            case .acked(.acknowledged(let refusal?)):
                // At this level nobody waits for a node: these are the lines that no rule places.
                let unplaced = DroppedLines.count(in: refusal.message) ?? lines
                figures.points.add(lines - unplaced)
                dropped(unplaced, refusal.message)
            case .acked: figures.points.add(lines)
            case .notLogged(let error): dropped(lines, "\(error)")
            }
        }
    }
}

/// A `CREATE DATABASE` for whose answer nobody waits but the catalogue.
private final class DatabaseCreation: AppendWaiter, MutationWaiter {
    private let change: SchemaChange?
    private let acks: LoopAcks
    private let failed: () -> Void

    init(_ change: SchemaChange?, acks: LoopAcks, failed: @escaping () -> Void) {
        self.change = change
        self.acks = acks
        self.failed = failed
    }

    func durable(at offset: Offset) {
        change?.logged(at: offset)
        acks.waitForAnswers(to: offset, waiter: self)
    }

    func notDurable(_ error: LogError) {
        change?.notLogged()
        failed()
    }

    func answered(_ outcome: MutationOutcome) {
        if case .answered = outcome { change?.done() }
    }
}
