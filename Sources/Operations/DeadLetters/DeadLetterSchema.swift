// The tables of the index of dead letters and how older ones become them.
//
// - `dead_letters`: the lines that are kept.
// - `reasons`: per database, measurement and kind of reason, how many lines are kept and how many there were.
// - `totals`: one row; what was ever refused, what is kept, and up to where which log was read.
// - `refusals`: offsets at or above `totals.indexed_to` that were stored already.
import GRDB

enum DeadLetterSchema {
    static var migrations: DatabaseMigrator {
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
        migrator.registerMigration("reasons, retry and purge") { connection in
            // Offsets repeat in another log, so they are only unique together with it.
            try connection.execute(
                sql: """
                    ALTER TABLE dead_letters RENAME TO old_letters;
                    DROP INDEX dead_letters_by_kind;
                    CREATE TABLE dead_letters (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        log TEXT NOT NULL, offset INTEGER NOT NULL, line_number INTEGER NOT NULL, node TEXT NOT NULL,
                        database TEXT NOT NULL, retention_policy TEXT NOT NULL, precision TEXT,
                        measurement TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
                        line TEXT NOT NULL, time TEXT NOT NULL,
                        UNIQUE (log, offset, line_number, node)
                    );
                    INSERT INTO dead_letters
                        SELECT id, '', offset, line_number, node, database, '', NULL, measurement, kind, reason, line,
                            time
                        FROM old_letters;
                    DROP TABLE old_letters;
                    CREATE INDEX dead_letters_by_kind ON dead_letters (database, measurement, kind);
                    CREATE TABLE reasons (
                        database TEXT NOT NULL, measurement TEXT NOT NULL, kind TEXT NOT NULL,
                        kept INTEGER NOT NULL, refused INTEGER NOT NULL,
                        first TEXT NOT NULL, last TEXT NOT NULL, example TEXT NOT NULL,
                        PRIMARY KEY (database, measurement, kind)
                    ) WITHOUT ROWID;
                    ALTER TABLE totals ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE totals ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
                    ALTER TABLE totals ADD COLUMN log TEXT NOT NULL DEFAULT '';
                    ALTER TABLE totals ADD COLUMN indexed_to INTEGER NOT NULL DEFAULT 0;
                    """)
            try renewKinds(connection)
            try connection.execute(
                sql: """
                    INSERT INTO reasons
                        SELECT database, measurement, kind, count(*), count(*), min(time), max(time),
                            substr(max(line), 1, \(DeadLetterIndex.exampleLength))
                        FROM dead_letters GROUP BY database, measurement, kind;
                    UPDATE totals SET kept = (SELECT count(*) FROM dead_letters),
                        bytes = (SELECT coalesce(sum(length(CAST(line AS BLOB))), 0) FROM dead_letters);
                    """)
        }
        return migrator
    }

    private static func renewKinds(_ connection: Database) throws {
        for reason in try String.fetchAll(connection, sql: "SELECT DISTINCT reason FROM dead_letters") {
            try connection.execute(
                sql: "UPDATE dead_letters SET kind = ? WHERE reason = ?",
                arguments: [DeadLetter.kind(of: reason), reason])
        }
    }
}
