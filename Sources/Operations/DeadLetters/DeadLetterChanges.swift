// Retrying and purging dead letters, in the gateway's process: one change at a time.
//
// A retry sends lines through the gateway's own /write, as a client would. What is refused again comes back through the
// log: while a line is being written, a refusal of it changes its letter instead of making a new one. So a letter goes
// only when its line was in a write that was answered 204; a crash at any moment leaves it, or leaves it twice.
import Foundation
import GRDB

package actor DeadLetterChanges {
    /// Letters per call; the caller goes on with ``RetryOutcome/after``.
    static let stretch = 2_000
    /// Below the text that one refusal holds, so that each refused line is named.
    static let batchBytes = 32 << 10
    static let batchLines = 500
    /// Measurements whose field types are asked for.
    static let askedMeasurements = 200
    /// How long refusals may take from the log to the index.
    private static let indexTimeout = Duration.seconds(10)

    private let index: DeadLetterIndex
    private let source: any RefusalSource
    private let boundAddress: @Sendable () -> String?
    private var isBusy = false

    package init(index: DeadLetterIndex, source: any RefusalSource, boundAddress: @escaping @Sendable () -> String?) {
        self.index = index
        self.source = source
        self.boundAddress = boundAddress
    }

    // MARK: Purge

    package func purge(_ selection: DeadLetterSelection, dryRun: Bool) async throws -> Int {
        if dryRun { return try await index.count(selection) }
        try begin()
        defer { isBusy = false }
        return try await index.purge(selection)
    }

    // MARK: Retry

    package func plan(_ selection: DeadLetterSelection, credential: RetryCredential?) async throws -> RetryPlan {
        var plan = try await index.plan(selection)
        let client = try client(credential)
        var types: [[String]: [String: Set<String>]] = [:]
        for position in plan.parts.indices where plan.parts[position].reason.contains("field type conflict") {
            let part = plan.parts[position]
            let place = [part.database, part.retentionPolicy, part.measurement]
            if types[place] == nil {
                guard types.count < Self.askedMeasurements,
                    let found = await client.fieldTypes(
                        of: part.measurement, database: part.database, retentionPolicy: part.retentionPolicy)
                else {
                    plan.knowsFieldTypes = false
                    continue
                }
                types[place] = found
            }
            for (reason, lines) in try await index.reasonTexts(of: part, in: selection) {
                guard let conflict = FieldTypeConflict(reason: reason) else { continue }
                let present = types[place]?[conflict.field] ?? []
                guard conflict.stands(against: present) else { continue }
                plan.parts[position].stillConflicting += lines
                let text =
                    "\(conflict.field) is \(present.sorted().joined(separator: ", ")), written as \(conflict.written)"
                if !plan.parts[position].conflicts.contains(text) { plan.parts[position].conflicts.append(text) }
            }
        }
        return plan
    }

    /// Writes a stretch of letters again, the oldest first.
    ///
    /// - Parameters:
    ///   - after: where the stretch before ended.
    ///   - last: the newest letter that is meant.
    package func retry(
        _ selection: DeadLetterSelection, after: Int64, upTo last: Int64, credential: RetryCredential?
    ) async throws -> RetryOutcome {
        try begin()
        defer { isBusy = false }
        let letters = try await index.letters(selection, after: after, upTo: last, limit: Self.stretch)
        var outcome = RetryOutcome()
        let client = try client(credential)
        for batch in Self.batches(of: letters, left: &outcome.left) {
            try await write(batch, through: client, &outcome)
            if outcome.stopped != nil { return outcome }
        }
        if letters.count == Self.stretch { outcome.after = letters.last?.id }
        return outcome
    }

    private func begin() throws {
        guard !isBusy else {
            throw ControlRefusal(
                409, "another retry or purge of dead letters is under way; try again when it has ended")
        }
        isBusy = true
    }

    private func client(_ credential: RetryCredential?) throws -> ClientAddress {
        guard let address = boundAddress() else {
            throw ControlRefusal(503, "the gateway does not listen for clients yet; try again in a moment")
        }
        guard !address.hasPrefix("https:") else {
            throw ControlRefusal(
                409,
                "listen has TLS, and the path of the data folder is too long for the socket that the gateway itself"
                    + " would use; choose a data_dir whose path has fewer than 98 bytes")
        }
        return ClientAddress(bound: address, credential: credential)
    }

    /// Letters that go into one write: same database, retention policy and precision; order is kept within these.
    static func batches(of letters: [DeadLetter], left: inout Int) -> [[DeadLetter]] {
        var batches: [[DeadLetter]] = []
        var open: [[String?]: (batch: Int, bytes: Int)] = [:]
        for letter in letters {
            guard letter.precision != nil, !letter.isDamaged else {
                left += 1
                continue
            }
            let place = [letter.database, letter.retentionPolicy, letter.precision]
            let bytes = letter.line.utf8.count + 1
            if let (batch, used) = open[place], used + bytes <= batchBytes, batches[batch].count < batchLines {
                batches[batch].append(letter)
                open[place] = (batch, used + bytes)
            } else {
                open[place] = (batches.count, bytes)
                batches.append([letter])
            }
        }
        return batches
    }

    /// Writes letters until each was taken or refused, or the gateway has no answer to the data.
    private func write(_ batch: [DeadLetter], through client: ClientAddress, _ outcome: inout RetryOutcome) async throws
    {
        guard let first = batch.first, let precision = first.precision else { return }
        index.watch(batch)
        defer { index.unwatch() }
        var rest = batch
        while !rest.isEmpty {
            let answer: ClientAddress.Answer
            do {
                answer = try await client.write(
                    Self.distinctLines(of: rest), database: first.database, retentionPolicy: first.retentionPolicy,
                    precision: precision)
            } catch {
                outcome.stopped = "the gateway at \(client.base) did not answer: \(error)"
                return
            }
            guard try await isIndexed(to: source.durableEnd) else {
                outcome.stopped = "refusals do not reach the index of dead letters; see the gateway's messages"
                return
            }
            let refused = index.refusedWhileWatched()
            let before = rest.count
            rest.removeAll { refused.contains($0.id) }
            outcome.refusedAgain += before - rest.count
            if answer.status == 204 {
                try await index.removeTaken(rest.map(\.id))
                outcome.taken += rest.count
                return
            }
            // Some were refused: the others go again, until they are answered 204.
            if rest.count < before { continue }
            let isFinal =
                answer.status == 400 || answer.status == 404 || answer.message.contains("retention policy not found")
            guard isFinal else {
                outcome.stopped = "a write was answered \(answer.status): \(answer.message)"
                return
            }
            try await index.setReason(answer.message, of: rest.map(\.id), time: Self.now())
            outcome.refusedAgain += rest.count
            return
        }
    }

    /// A line that several nodes refused is several letters.
    private static func distinctLines(of letters: [DeadLetter]) -> [String] {
        var seen: Set<String> = []
        return letters.map(\.line).filter { seen.insert($0).inserted }
    }

    /// Waits until all refusals below an offset are in the index.
    private func isIndexed(to end: UInt64) async throws -> Bool {
        let deadline = ContinuousClock.now + Self.indexTimeout
        while (source.indexedEnd ?? 0) < end {
            guard ContinuousClock.now < deadline else { return false }
            try await Task.sleep(for: .milliseconds(10))
        }
        return true
    }

    private static func now() -> String {
        LogScan.text(ofTime: Int64(Date.now.timeIntervalSince1970 * 1_000_000_000))
    }
}

extension DeadLetter {
    /// The line held bytes that are no UTF-8; they were replaced.
    var isDamaged: Bool { line.unicodeScalars.contains("\u{FFFD}") }
}

// MARK: Questions to the index

extension DeadLetterIndex {
    private static let damaged: SQL = "instr(line, \("\u{FFFD}")) > 0"

    func count(_ selection: DeadLetterSelection) async throws -> Int {
        try await database.read { connection in
            try Int.fetchOne(
                connection, SQLRequest<Int>(literal: "SELECT count(*) FROM dead_letters WHERE \(selection.ofLetters)"))
                ?? 0
        }
    }

    func letters(_ selection: DeadLetterSelection, after: Int64, upTo last: Int64, limit: Int) async throws
        -> [DeadLetter]
    {
        try await database.read { connection in
            try Row.fetchAll(
                connection,
                SQLRequest<Row>(
                    literal:
                        """
                        SELECT * FROM dead_letters WHERE \(selection.ofLetters) AND id > \(after) AND id <= \(last)
                        ORDER BY id LIMIT \(limit)
                        """)
            ).map(Self.letter)
        }
    }

    /// What a retry would write, without the conflicts that still stand.
    func plan(_ selection: DeadLetterSelection) async throws -> RetryPlan {
        try await database.read { connection in
            let chosen = selection.ofLetters
            let sums = try Row.fetchOne(
                connection,
                SQLRequest<Row>(
                    literal:
                        """
                        SELECT coalesce(max(id), 0) AS last, coalesce(sum(precision IS NULL), 0) AS without_precision,
                            coalesce(sum(precision IS NOT NULL AND \(Self.damaged)), 0) AS not_text,
                            coalesce(sum(node <> ''), 0) AS by_one
                        FROM dead_letters WHERE \(chosen)
                        """))
            let parts = try Row.fetchAll(
                connection,
                SQLRequest<Row>(
                    literal:
                        """
                        SELECT database, retention_policy, measurement, kind, count(*) AS lines FROM dead_letters
                        WHERE \(chosen) AND precision IS NOT NULL AND NOT \(Self.damaged)
                        GROUP BY database, retention_policy, measurement, kind ORDER BY 1, 2, 3, 4
                        """)
            ).map { row in
                RetryPlan.Part(
                    database: row["database"], retentionPolicy: row["retention_policy"],
                    measurement: row["measurement"], reason: row["kind"], lines: row["lines"])
            }
            return RetryPlan(
                lines: parts.reduce(0) { $0 + $1.lines }, parts: parts,
                withoutPrecision: sums?["without_precision"] ?? 0, notText: sums?["not_text"] ?? 0,
                refusedByOneNode: sums?["by_one"] ?? 0, upTo: sums?["last"] ?? 0)
        }
    }

    /// The full reasons of the lines of a part of a plan, with how many lines each has.
    func reasonTexts(of part: RetryPlan.Part, in selection: DeadLetterSelection) async throws -> [(String, Int)] {
        try await database.read { connection in
            try Row.fetchAll(
                connection,
                SQLRequest<Row>(
                    literal:
                        """
                        SELECT reason, count(*) AS lines FROM dead_letters
                        WHERE \(selection.ofLetters) AND database = \(part.database)
                            AND retention_policy = \(part.retentionPolicy) AND measurement = \(part.measurement)
                            AND kind = \(part.reason) AND precision IS NOT NULL AND NOT \(Self.damaged)
                        GROUP BY reason LIMIT 1000
                        """)
            ).map { ($0["reason"], $0["lines"]) }
        }
    }
}
