// Putting letters into the index and taking them out, within its caps. All changes of one call are one transaction.
import GRDB
import Synchronization

extension DeadLetterIndex {
    /// Ties offsets to a log. When the folder has got another log since, its offsets begin anew.
    package func attach(log: String) throws {
        try database.write { connection in
            let known = try String.fetchOne(connection, sql: "SELECT log FROM totals") ?? ""
            guard known != log else { return }
            if known.isEmpty {
                try connection.execute(sql: "UPDATE dead_letters SET log = ? WHERE log = ''", arguments: [log])
            } else {
                try connection.execute(sql: "DELETE FROM refusals; UPDATE totals SET indexed_to = 0")
            }
            try connection.execute(sql: "UPDATE totals SET log = ?", arguments: [log])
        }
    }

    /// Stores refusals durably; those that were stored before change nothing, also when their letters are gone.
    package func store(_ refusals: [Refusal]) throws {
        guard !refusals.isEmpty else { return }
        let watch = watch.withLock { $0 }
        let (total, found) = try database.write { connection in
            var changes = try Changes(connection, caps: caps, watch: watch)
            for refusal in refusals { try changes.add(refusal) }
            try changes.finish()
            return (try Self.readTotal(connection), changes.refusedAgain)
        }
        cachedTotal.store(total, ordering: .relaxed)
        if !found.isEmpty { self.watch.withLock { $0.refusedAgain.formUnion(found) } }
    }

    /// From now on refusals below an offset count as stored, without being remembered one by one.
    package func forget(below offset: UInt64) throws {
        try database.write { connection in
            try connection.execute(
                sql: "DELETE FROM refusals WHERE record_offset < ?", arguments: [Int64(clamping: offset)])
            try connection.execute(
                sql: "UPDATE totals SET indexed_to = max(indexed_to, ?)", arguments: [Int64(clamping: offset)])
        }
    }

    /// Removes letters for good; what was ever refused stays counted in the total.
    /// - Returns: how many lines were removed.
    package func purge(_ selection: DeadLetterSelection) async throws -> Int {
        let caps = caps
        return try await database.write { connection in
            var changes = try Changes(connection, caps: caps, watch: Watch())
            let removed = try changes.remove(where: selection.ofLetters)
            try changes.finish(isGone: true)
            if selection.ids == nil {
                try connection.execute(literal: "DELETE FROM reasons WHERE kept = 0 AND \(selection.ofReasons)")
            }
            return removed
        }
    }

    /// Removes letters whose lines were taken. Reasons of which lines were only counted stay in the list.
    package func removeTaken(_ ids: [Int64]) async throws {
        guard !ids.isEmpty else { return }
        let caps = caps
        try await database.write { connection in
            var changes = try Changes(connection, caps: caps, watch: Watch())
            _ = try changes.remove(where: "id IN \(ids)")
            try changes.finish(isGone: true)
        }
    }

    /// Gives letters another reason, for lines that were refused again before they were logged.
    package func setReason(_ reason: String, of ids: [Int64], time: String) async throws {
        let caps = caps
        try await database.write { connection in
            var changes = try Changes(connection, caps: caps, watch: Watch())
            for id in ids { try changes.move(id, reason: reason, time: time, place: nil) }
            try changes.finish()
        }
    }

    // MARK: Lines that are being written again

    struct WatchedLine: Hashable, Sendable {
        let database: String
        let retentionPolicy: String
        let precision: String?
        let line: String
    }

    struct Watch: Sendable {
        var letters: [WatchedLine: [Int64]] = [:]
        var refusedAgain: Set<Int64> = []
    }

    /// Until `unwatch`, refusals of these letters' lines change these letters.
    func watch(_ letters: [DeadLetter]) {
        let lines = Dictionary(grouping: letters, by: Self.watchedLine).mapValues { $0.map(\.id) }
        watch.withLock { $0 = Watch(letters: lines) }
    }

    /// - Returns: the ids whose lines were refused since `watch`.
    func refusedWhileWatched() -> Set<Int64> { watch.withLock { $0.refusedAgain } }

    func unwatch() { watch.withLock { $0 = Watch() } }

    static func watchedLine(_ letter: DeadLetter) -> WatchedLine {
        WatchedLine(
            database: letter.database, retentionPolicy: letter.retentionPolicy, precision: letter.precision,
            line: letter.line)
    }
}

/// The changes of one transaction: counts are read once per reason and written once at the end, so that a storm of
/// refusals costs little more than reading them.
private struct Changes {
    private struct Key: Hashable {
        var database: String
        var measurement: String
        var kind: String
    }

    private static let others = Key(database: "", measurement: "", kind: "other reasons")

    private struct Count {
        var kept = 0
        var refused = 0
        var first = ""
        var last = ""
        var example = ""
        var removed = 0

        mutating func add(_ number: Int, time: String, line: String) {
            refused += number
            if first.isEmpty || time < first { first = time }
            if time > last { last = time }
            if example.isEmpty { example = String(line.prefix(DeadLetterIndex.exampleLength)) }
        }
    }

    private let connection: Database
    private let caps: DeadLetterIndex.Caps
    private let watch: DeadLetterIndex.Watch
    private let log: String
    private let indexedTo: UInt64
    private var counts: [Key: Count] = [:]
    private var reasons: Int
    private var kept: Int
    private var bytes: Int
    private var refused = 0
    private var watchTaken: [DeadLetterIndex.WatchedLine: Int] = [:]
    private(set) var refusedAgain: [Int64] = []

    init(_ connection: Database, caps: DeadLetterIndex.Caps, watch: DeadLetterIndex.Watch) throws {
        self.connection = connection
        self.caps = caps
        self.watch = watch
        let totals = try Row.fetchOne(connection, sql: "SELECT * FROM totals")
        log = totals?["log"] ?? ""
        indexedTo = UInt64(clamping: (totals?["indexed_to"] ?? 0) as Int64)
        kept = totals?["kept"] ?? 0
        bytes = totals?["bytes"] ?? 0
        reasons = try Int.fetchOne(connection, sql: "SELECT count(*) FROM reasons") ?? 0
    }

    // MARK: Adding

    mutating func add(_ refusal: Refusal) throws {
        guard refusal.recordOffset >= indexedTo else { return }
        try connection.cachedStatement(sql: "INSERT OR IGNORE INTO refusals(record_offset) VALUES (?)").execute(
            arguments: [Int64(clamping: refusal.recordOffset)])
        guard connection.changesCount == 1 else { return }
        for letter in refusal.letters { try add(letter) }
        // Lines that the gateway did not keep: their measurement is known when all others have the same.
        let unnamed = max(0, refusal.total - refusal.letters.count)
        refused += unnamed
        guard unnamed > 0, let letter = refusal.letters.first else { return }
        let isSame = refusal.letters.allSatisfy { $0.measurement == letter.measurement }
        let key = try key(
            database: letter.database, measurement: isSame ? letter.measurement : "",
            kind: DeadLetter.kind(of: letter.reason))
        counts[key]?.add(unnamed, time: letter.time, line: letter.line)
    }

    private mutating func add(_ letter: DeadLetter) throws {
        if let id = nextWatched(letter) {
            refused += 1
            try move(id, reason: letter.reason, time: letter.time, place: letter)
            refusedAgain.append(id)
            return
        }
        let kind = DeadLetter.kind(of: letter.reason)
        let key = try key(database: letter.database, measurement: letter.measurement, kind: kind)
        if key != Self.others, let count = counts[key], count.kept < caps.perReason {
            // The same line refused again after a crash of the gateway is the same letter.
            guard try insert(letter, kind: kind) else { return }
            counts[key]?.kept += 1
            kept += 1
            bytes += letter.line.utf8.count
        }
        refused += 1
        counts[key]?.add(1, time: letter.time, line: letter.line)
    }

    private func insert(_ letter: DeadLetter, kind: String) throws -> Bool {
        try connection.cachedStatement(
            sql: """
                INSERT OR IGNORE INTO dead_letters
                (log, offset, line_number, node, database, retention_policy, precision, measurement, kind, reason,
                    line, time)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [
            log, letter.offset, letter.lineNumber, letter.node, letter.database, letter.retentionPolicy,
            letter.precision, letter.measurement, kind, letter.reason, letter.line, letter.time,
        ])
        return connection.changesCount == 1
    }

    /// A letter whose line is being written again; each is met once.
    private mutating func nextWatched(_ letter: DeadLetter) -> Int64? {
        guard !watch.letters.isEmpty else { return nil }
        let line = DeadLetterIndex.watchedLine(letter)
        guard let ids = watch.letters[line] else { return nil }
        let met = watchTaken[line, default: 0]
        let open = ids.filter { !watch.refusedAgain.contains($0) }
        guard met < open.count else { return nil }
        watchTaken[line] = met + 1
        return open[met]
    }

    /// Changes the reason of a letter, and where its line stood when it was refused.
    mutating func move(_ id: Int64, reason: String, time: String, place: DeadLetter?) throws {
        guard let row = try Row.fetchOne(connection, sql: "SELECT * FROM dead_letters WHERE id = ?", arguments: [id])
        else { return }
        let old = DeadLetterIndex.letter(row)
        let kind = DeadLetter.kind(of: reason)
        let from = try key(database: old.database, measurement: old.measurement, kind: row["kind"])
        var to = try key(database: old.database, measurement: old.measurement, kind: kind)
        if to == Self.others { to = from }
        counts[from]?.kept -= 1
        if from != to { counts[from]?.refused -= 1 }
        counts[to]?.add(from == to ? 0 : 1, time: time, line: old.line)
        counts[to]?.kept += 1
        let new = place ?? old
        try connection.execute(
            sql: """
                UPDATE OR IGNORE dead_letters
                SET kind = ?, reason = ?, time = ?, log = ?, offset = ?, line_number = ?, node = ? WHERE id = ?
                """,
            arguments: [to.kind, reason, time, log, new.offset, new.lineNumber, new.node, id])
    }

    /// The reason's key, its count loaded. Beyond the cap all reasons are one, of which no lines are kept.
    private mutating func key(database: String, measurement: String, kind: String) throws -> Key {
        let key = Key(database: database, measurement: measurement, kind: kind)
        if try load(key) { return key }
        guard reasons >= caps.reasons else {
            reasons += 1
            counts[key] = Count()
            return key
        }
        if try !load(Self.others) { counts[Self.others] = Count() }
        return Self.others
    }

    private mutating func load(_ key: Key) throws -> Bool {
        if counts[key] != nil { return true }
        let statement = try connection.cachedStatement(
            sql: """
                SELECT kept, refused, first, last, example FROM reasons
                WHERE database = ? AND measurement = ? AND kind = ?
                """)
        guard let found = try Row.fetchOne(statement, arguments: [key.database, key.measurement, key.kind]) else {
            return false
        }
        counts[key] = Count(
            kept: found["kept"], refused: found["refused"], first: found["first"], last: found["last"],
            example: found["example"])
        return true
    }

    // MARK: Removing

    /// - Returns: how many lines there were.
    mutating func remove(where condition: SQL) throws -> Int {
        let rows = try Row.fetchCursor(
            connection,
            SQLRequest<Row>(
                literal:
                    """
                    SELECT database, measurement, kind, count(*) AS lines, sum(length(CAST(line AS BLOB))) AS bytes
                    FROM dead_letters WHERE \(condition) GROUP BY database, measurement, kind
                    """))
        var removed = 0
        while let row = try rows.next() {
            removed += try forget(row, lines: row["lines"], bytes: row["bytes"])
        }
        try connection.execute(literal: "DELETE FROM dead_letters WHERE \(condition)")
        return removed
    }

    private mutating func forget(_ row: Row, lines: Int, bytes removedBytes: Int) throws -> Int {
        let key = try key(database: row["database"], measurement: row["measurement"], kind: row["kind"])
        counts[key]?.kept -= lines
        counts[key]?.removed += lines
        kept -= lines
        bytes -= removedBytes
        return lines
    }

    /// Removes the oldest lines beyond the caps over all.
    private mutating func evict() throws {
        while kept > caps.lines || bytes > caps.bytes {
            let rows = try Row.fetchAll(
                connection,
                sql: """
                    SELECT id, database, measurement, kind, length(CAST(line AS BLOB)) AS bytes FROM dead_letters
                    ORDER BY id LIMIT 500
                    """)
            guard !rows.isEmpty else { return }
            for row in rows where kept > caps.lines || bytes > caps.bytes {
                _ = try forget(row, lines: 1, bytes: row["bytes"])
                try connection.execute(sql: "DELETE FROM dead_letters WHERE id = ?", arguments: [row["id"] as Int64])
            }
        }
    }

    // MARK: The end

    /// - Parameter isGone: what was removed is not counted as refused any more; reasons without lines go.
    mutating func finish(isGone: Bool = false) throws {
        try evict()
        let statement = try connection.cachedStatement(
            sql: "INSERT OR REPLACE INTO reasons VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
        for (key, count) in counts {
            let refused = isGone ? count.refused - count.removed : count.refused
            if refused <= 0 {
                try connection.execute(
                    sql: "DELETE FROM reasons WHERE database = ? AND measurement = ? AND kind = ?",
                    arguments: [key.database, key.measurement, key.kind])
                continue
            }
            try statement.execute(arguments: [
                key.database, key.measurement, key.kind, count.kept, refused, count.first, count.last, count.example,
            ])
        }
        try connection.execute(
            sql: "UPDATE totals SET refused = refused + ?, kept = ?, bytes = ?", arguments: [refused, kept, bytes])
    }
}
