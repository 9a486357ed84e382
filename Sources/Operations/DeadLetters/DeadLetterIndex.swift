// The index of dead letters: a table that can be searched, made from the refusals in the commit log and thrown away
// without loss as long as the log still holds them. SQLite, in data_dir/control.sqlite.
import Foundation
import GRDB
import Logging
import Synchronization

/// Refusals of one record in the commit log.
package struct Refusal: Equatable, Sendable {
    /// Where the refusal itself stands in the log.
    package var recordOffset: UInt64
    package var letters: [DeadLetter]
    /// All refused lines; more than `letters` when the gateway kept only some.
    package var total: Int

    package init(recordOffset: UInt64, letters: [DeadLetter], total: Int) {
        self.recordOffset = recordOffset
        self.letters = letters
        self.total = total
    }
}

package final class DeadLetterIndex: Sendable {
    package static let fileName = "control.sqlite"
    /// Over all databases; then the oldest go.
    static let keptInAll = 100_000

    private let database: any DatabaseReader & DatabaseWriter
    private let keptPerReason: Int
    private let cachedTotal = Atomic<Int>(0)

    /// Opens or creates the index in a gateway's data folder; the file can be read by its owner only.
    package init(dataDirectory: String, keptPerReason: Int) throws {
        let path = Self.path(in: dataDirectory)
        let descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw ServingError(
                "\(path) cannot be opened (\(String(cString: strerror(errno))))",
                advice: "let the gateway's user read and write it")
        }
        close(descriptor)
        var configuration = GRDB.Configuration()
        configuration.label = "dead letters"
        configuration.busyMode = .timeout(5)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        // An index that is behind after a power cut is caught up from the log; its cursor is set after a commit.
        try queue.writeWithoutTransaction { connection in
            try connection.execute(sql: "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
        }
        try Self.migrations.migrate(queue)
        database = queue
        self.keptPerReason = keptPerReason
        cachedTotal.store(try queue.read(Self.readTotal), ordering: .relaxed)
    }

    /// As `init`, but a file that is no intact database is set aside first: the gateway must not wait for it, and what the
    /// log still holds is found again.
    package static func openOrReplace(dataDirectory: String, keptPerReason: Int, logger: Logger) throws
        -> DeadLetterIndex
    {
        do {
            return try DeadLetterIndex(dataDirectory: dataDirectory, keptPerReason: keptPerReason)
        } catch let error as DatabaseError where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
            let path = path(in: dataDirectory)
            let aside = path + ".damaged-\(Int(Date.now.timeIntervalSince1970))"
            try FileManager.default.moveItem(atPath: path, toPath: aside)
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
            logger.error(
                "the index of dead letters was damaged and is begun anew; older dead letters are only in the old file",
                metadata: ["old_file": "\(aside)", "error": "\(error)"])
            return try DeadLetterIndex(dataDirectory: dataDirectory, keptPerReason: keptPerReason)
        }
    }

    /// Reads the index of a gateway that is stopped.
    package init(readingFrom dataDirectory: String) throws {
        let path = Self.path(in: dataDirectory)
        guard FileManager.default.fileExists(atPath: path) else {
            throw ServingError("there is no \(path)", advice: "name a gateway's data folder with --data-dir")
        }
        let queue = try DatabaseQueue(path: path)
        database = queue
        keptPerReason = 0
        cachedTotal.store(try queue.read(Self.readTotal), ordering: .relaxed)
    }

    static func path(in dataDirectory: String) -> String { dataDirectory + "/" + fileName }

    /// All refused lines, kept or only counted.
    package var total: Int { cachedTotal.load(ordering: .relaxed) }

    /// Stores refusals durably; those that are there already change nothing.
    package func store(_ refusals: [Refusal]) throws {
        let limit = keptPerReason
        let total = try database.write { connection in
            for refusal in refusals {
                try connection.execute(
                    sql: "INSERT OR IGNORE INTO refusals(record_offset) VALUES (?)",
                    arguments: [Int64(refusal.recordOffset)])
                guard connection.changesCount == 1 else { continue }
                try Self.insert(refusal, keptPerReason: limit, into: connection)
            }
            try connection.execute(
                sql: "DELETE FROM dead_letters WHERE id <= (SELECT max(id) FROM dead_letters) - ?",
                arguments: [Self.keptInAll])
            return try Self.readTotal(connection)
        }
        cachedTotal.store(total, ordering: .relaxed)
    }

    /// Forgets which refusals were stored below an offset that will never be scanned again.
    package func forget(below offset: UInt64) throws {
        try database.write { connection in
            try connection.execute(sql: "DELETE FROM refusals WHERE record_offset < ?", arguments: [Int64(offset)])
        }
    }

    /// Newest first.
    package func list(database name: String?, limit: Int) async throws -> [DeadLetter] {
        try await database.read { connection in
            try Row.fetchAll(
                connection,
                sql: "SELECT * FROM dead_letters WHERE ?1 IS NULL OR database = ?1 ORDER BY id DESC LIMIT ?2",
                arguments: [name, limit]
            ).map(Self.letter)
        }
    }

    package func letter(id: Int64) async throws -> DeadLetter? {
        try await database.read { connection in
            try Row.fetchOne(connection, sql: "SELECT * FROM dead_letters WHERE id = ?", arguments: [id]).map(
                Self.letter)
        }
    }

    // MARK: SQL

    private static func insert(_ refusal: Refusal, keptPerReason: Int, into connection: Database) throws {
        for letter in refusal.letters {
            let kind = DeadLetter.kind(of: letter.reason)
            let kept =
                try Int.fetchOne(
                    connection,
                    sql: "SELECT count(*) FROM dead_letters WHERE database = ? AND measurement = ? AND kind = ?",
                    arguments: [letter.database, letter.measurement, kind]) ?? 0
            guard kept < keptPerReason else { continue }
            try connection.execute(
                sql: """
                    INSERT OR IGNORE INTO dead_letters
                    (offset, line_number, node, database, measurement, kind, reason, line, time)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    letter.offset, letter.lineNumber, letter.node, letter.database, letter.measurement, kind,
                    letter.reason,
                    letter.line, letter.time,
                ])
        }
        try connection.execute(sql: "UPDATE totals SET refused = refused + ?", arguments: [refusal.total])
    }

    @Sendable private static func readTotal(_ connection: Database) throws -> Int {
        try Int.fetchOne(connection, sql: "SELECT refused FROM totals") ?? 0
    }

    @Sendable private static func letter(_ row: Row) -> DeadLetter {
        DeadLetter(
            id: row["id"], offset: row["offset"], lineNumber: row["line_number"], node: row["node"],
            database: row["database"], reason: row["reason"], line: row["line"], time: row["time"])
    }

    private static var migrations: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("dead letters") { connection in
            try connection.execute(
                sql: """
                    CREATE TABLE dead_letters (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        offset INTEGER NOT NULL, line_number INTEGER NOT NULL, node TEXT NOT NULL,
                        database TEXT NOT NULL, measurement TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
                        line TEXT NOT NULL, time TEXT NOT NULL,
                        UNIQUE (offset, line_number, node)
                    );
                    CREATE INDEX dead_letters_by_kind ON dead_letters (database, measurement, kind);
                    CREATE TABLE refusals (record_offset INTEGER PRIMARY KEY);
                    CREATE TABLE totals (refused INTEGER NOT NULL);
                    INSERT INTO totals VALUES (0);
                    """)
        }
        return migrator
    }
}
