// The index of dead letters: a table that can be searched, made from the refusals in the commit log and thrown away
// without loss as long as the log still holds them. SQLite, in data_dir/control.sqlite. Here it is opened and asked;
// DeadLetterStore.swift puts letters in and takes them out.
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
    /// Characters of a refused line that stand for its kind in the list of reasons.
    static let exampleLength = 200

    /// What is kept at most; lines beyond are counted only.
    package struct Caps: Sendable {
        /// Per database, measurement and kind of reason.
        package var perReason: Int
        /// Over all; then the oldest go.
        package var lines = 100_000
        /// Bytes of these lines; then the oldest go.
        package var bytes = 256 << 20
        /// Combinations of database, measurement and kind of reason; those that come later are counted as one.
        package var reasons = 10_000

        package init(perReason: Int) { self.perReason = perReason }
    }

    let database: any DatabaseReader & DatabaseWriter
    let caps: Caps
    let cachedTotal = Atomic<Int>(0)
    /// Lines that are being written again: their letters change instead of new ones being made.
    let watch = Mutex(Watch())

    /// Opens or creates the index in a gateway's data folder; the file can be read by its owner only.
    package convenience init(dataDirectory: String, keptPerReason: Int) throws {
        try self.init(dataDirectory: dataDirectory, caps: Caps(perReason: keptPerReason))
    }

    package init(dataDirectory: String, caps: Caps) throws {
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
        try DeadLetterSchema.migrations.migrate(queue)
        database = queue
        self.caps = caps
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
        guard try queue.read(DeadLetterSchema.migrations.hasCompletedMigrations) else {
            throw ServingError(
                "\(path) was made by an older version of sluice", advice: "start the gateway once, it is renewed then")
        }
        database = queue
        caps = Caps(perReason: 0)
        cachedTotal.store(try queue.read(Self.readTotal), ordering: .relaxed)
    }

    static func path(in dataDirectory: String) -> String { dataDirectory + "/" + fileName }

    /// All refused lines, kept or only counted.
    package var total: Int { cachedTotal.load(ordering: .relaxed) }

    /// Newest first.
    package func list(_ selection: DeadLetterSelection, limit: Int) async throws -> [DeadLetter] {
        try await database.read { connection in
            try Row.fetchAll(
                connection,
                SQLRequest<Row>(
                    literal:
                        "SELECT * FROM dead_letters WHERE \(selection.ofLetters) ORDER BY id DESC LIMIT \(limit)")
            ).map(Self.letter)
        }
    }

    package func letter(id: Int64) async throws -> DeadLetter? {
        try await database.read { connection in
            try Row.fetchOne(connection, sql: "SELECT * FROM dead_letters WHERE id = ?", arguments: [id]).map(
                Self.letter)
        }
    }

    /// What was refused, by database, measurement and kind of reason; the latest first.
    package func reasons(_ selection: DeadLetterSelection, limit: Int) async throws -> [DeadLetterReason] {
        try await database.read { connection in
            try Row.fetchAll(
                connection,
                SQLRequest<Row>(
                    literal:
                        """
                        SELECT * FROM reasons WHERE \(selection.ofReasons)
                        ORDER BY last DESC, refused DESC, database, measurement, kind LIMIT \(limit)
                        """)
            ).map { row in
                DeadLetterReason(
                    database: row["database"], measurement: row["measurement"], reason: row["kind"], kept: row["kept"],
                    refused: row["refused"], first: row["first"], last: row["last"], example: row["example"])
            }
        }
    }

    @Sendable static func readTotal(_ connection: Database) throws -> Int {
        try Int.fetchOne(connection, sql: "SELECT refused FROM totals") ?? 0
    }

    @Sendable static func letter(_ row: Row) -> DeadLetter {
        DeadLetter(
            id: row["id"], offset: row["offset"], lineNumber: row["line_number"], node: row["node"],
            database: row["database"], retentionPolicy: row["retention_policy"], precision: row["precision"],
            reason: row["reason"], line: row["line"], time: row["time"])
    }
}
