// The index of dead letters: what it keeps, what it only counts, and how it follows the log.
import Foundation
import Logging
import Operations
import TestThreads
import Testing

@Suite("Dead letters", .blocking)
struct DeadLetterTests {
    private let folder: TemporaryFolder
    private let dataPlane = ScriptedDataPlane()

    init() throws {
        folder = try TemporaryFolder()
    }

    private func openIndex(keptPerReason: Int = 100) throws -> DeadLetterIndex {
        try DeadLetterIndex(dataDirectory: folder.path, keptPerReason: keptPerReason)
    }

    @Test(
        "the measurement is read off the line",
        arguments: [
            ("cpu,host=a v=1 2", "cpu"), ("cpu v=1", "cpu"), (#"a\ b\,c,host=x v=1"#, "a b,c"), (#"a\b v=1"#, #"a\b"#),
            ("", ""),
            ("alone", "alone"),
        ])
    func measurement(line: String, expected: String) {
        #expect(DeadLetter.measurement(of: line) == expected)
    }

    @Test(
        "reasons that differ in quoted text and numbers only are of one kind",
        arguments: [
            (
                #"partial write: field type conflict: input field "a" on measurement "m" is type float dropped=1"#,
                #"partial write: field type conflict: input field "b\"x" on measurement "n" is type float dropped=25"#,
                true
            ),
            (#"field "a" is type float"#, #"field "a" is type string"#, false),
            ("unable to parse 'it's v=1': missing fields", "unable to parse 'cpu': missing fields", true),
            ("max-values-per-tag limit exceeded (100/100)", "max-values-per-tag limit exceeded (7/9)", true),
            ("retention policy not found: a", "retention policy not found: b", false),
            (#"open "quote"#, #"open "other"#, true),
        ])
    func kinds(first: String, second: String, isSame: Bool) {
        #expect((DeadLetter.kind(of: first) == DeadLetter.kind(of: second)) == isSame)
    }

    @Test("a refusal that is stored twice is there once")
    func idempotent() async throws {
        let index = try openIndex()
        let letter = refusal(at: 20, line: "cpu v=1i 1", total: 5)
        try index.store([letter])
        try index.store([letter])
        #expect(index.total == 5)
        #expect(try await index.list(.everything, limit: 10).count == 1)
    }

    @Test("beyond the limit per database, measurement and reason, lines are counted per reason")
    func capped() async throws {
        let index = try openIndex(keptPerReason: 3)
        for record in UInt64(20)..<30 {
            try index.store([
                refusal(
                    at: record, line: "cpu v=1i \(record)", reason: "field \"\(record)\" no",
                    time: "2026-01-02T03:04:\(record)Z")
            ])
        }
        try index.store([refusal(at: 31, line: "mem v=1i 1", total: 5)])
        #expect(index.total == 15)
        #expect(try await index.list(.everything, limit: 100).map(\.measurement) == ["mem", "cpu", "cpu", "cpu"])
        let reasons = try await index.reasons(.everything, limit: 10)
        #expect(reasons.map(\.measurement) == ["cpu", "mem"])
        #expect(reasons.map(\.reason) == ["field \"…\" no", "field type conflict"])
        #expect(reasons.map(\.kept) == [3, 1] && reasons.map(\.refused) == [10, 5])
        #expect(reasons[0].first == "2026-01-02T03:04:20Z" && reasons[0].last == "2026-01-02T03:04:29Z")
        #expect(reasons[0].example == "cpu v=1i 20")
    }

    @Test("over all, the oldest lines go; they stay counted")
    func cappedOverAll() async throws {
        var caps = DeadLetterIndex.Caps(perReason: 100)
        caps.lines = 5
        let index = try DeadLetterIndex(dataDirectory: folder.path, caps: caps)
        try index.store((20..<30).map { refusal(at: $0, line: "cpu v=1i \($0)") })
        #expect(
            try await index.list(.everything, limit: 100).map(\.line) == (25..<30).reversed().map { "cpu v=1i \($0)" })
        let reason = try await index.reasons(.everything, limit: 10).first
        #expect(reason?.kept == 5 && reason?.refused == 10)

        caps.bytes = 30
        let smaller = try DeadLetterIndex(dataDirectory: folder.path, caps: caps)
        try smaller.store([refusal(at: 40, line: "cpu v=1i 40")])
        #expect(try await smaller.list(.everything, limit: 100).map(\.line) == ["cpu v=1i 40", "cpu v=1i 29"])
    }

    @Test("I8 a client that makes up names cannot make the list of reasons grow without limit")
    func cappedReasons() async throws {
        var caps = DeadLetterIndex.Caps(perReason: 100)
        caps.reasons = 4
        let index = try DeadLetterIndex(dataDirectory: folder.path, caps: caps)
        try index.store((20..<60).map { refusal(at: $0, line: "m\($0) v=1i 1") })
        let reasons = try await index.reasons(.everything, limit: 100)
        #expect(reasons.count == 5)
        #expect(reasons.map(\.refused).reduce(0, +) == 40 && index.total == 40)
        let others = try #require(reasons.first { $0.reason == "other reasons" })
        #expect(others.kept == 0 && others.refused == 36)
        #expect(try await index.list(.everything, limit: 100).count == 4)
    }

    @Test("purged letters do not come back, neither by a second look at the log nor after a restart")
    func purge() async throws {
        let index = try openIndex()
        let refusals = [
            refusal(at: 20, line: "cpu v=1i 1"), refusal(at: 21, line: "mem v=1i 1", total: 7),
            refusal(at: 22, line: "cpu v=1i 2", database: "other"),
        ]
        try index.attach(log: "0123")
        try index.store(refusals)
        #expect(try await index.purge(.init(database: "db", measurement: "cpu")) == 1)
        #expect(try await index.purge(.init(database: "db", reason: "no such")) == 0)
        #expect(try await index.list(.everything, limit: 10).map(\.line) == ["cpu v=1i 2", "mem v=1i 1"])
        #expect(try await index.reasons(.everything, limit: 10).count == 2)
        #expect(index.total == 9, "what was refused stays counted")
        try index.store(refusals)
        try index.forget(below: 23)
        #expect(try await index.purge(.everything) == 2)

        // As after a crash: the log's cursor was not written yet, so the follower reads from the begin again.
        let reopened = try openIndex()
        dataPlane.state.withLock { $0.refusals = refusals }
        let follower = DeadLetterFollower(source: dataPlane, index: reopened, logger: Logger(label: "test"))
        follower.step()
        #expect(try await reopened.list(.everything, limit: 10).isEmpty)
        #expect(try await reopened.reasons(.everything, limit: 10).isEmpty)
        #expect(reopened.total == 9)
    }

    @Test("in a folder with a new log offsets begin anew, and older letters stay")
    func newLog() async throws {
        let index = try openIndex()
        dataPlane.state.withLock { $0.refusals = [refusal(at: 20, line: "cpu v=1i 1")] }
        DeadLetterFollower(source: dataPlane, index: index, logger: Logger(label: "test")).step()
        dataPlane.state.withLock {
            $0.logID = "4567"
            $0.indexedEnd = nil
            $0.refusals = [refusal(at: 20, line: "mem v=1i 1")]
        }
        DeadLetterFollower(source: dataPlane, index: index, logger: Logger(label: "test")).step()
        #expect(try await index.list(.everything, limit: 10).map(\.line) == ["mem v=1i 1", "cpu v=1i 1"])
    }

    @Test("an index of version 0.1.0 is renewed with its letters; only the unit of their times is not known")
    func migration() async throws {
        let old = """
            CREATE TABLE dead_letters (id INTEGER PRIMARY KEY AUTOINCREMENT, offset INTEGER NOT NULL,
                line_number INTEGER NOT NULL, node TEXT NOT NULL, database TEXT NOT NULL, measurement TEXT NOT NULL,
                kind TEXT NOT NULL, reason TEXT NOT NULL, line TEXT NOT NULL, time TEXT NOT NULL,
                UNIQUE (offset, line_number, node));
            CREATE INDEX dead_letters_by_kind ON dead_letters (database, measurement, kind);
            CREATE TABLE refusals (record_offset INTEGER PRIMARY KEY);
            CREATE TABLE totals (refused INTEGER NOT NULL);
            INSERT INTO totals VALUES (12);
            CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
            INSERT INTO grdb_migrations VALUES ('dead letters');
            INSERT INTO refusals VALUES (21);
            INSERT INTO dead_letters VALUES (4, 19, 3, 'a', 'db', 'cpu', 'x', 'no dropped=1', 'cpu v=1i 1', 't1');
            INSERT INTO dead_letters VALUES (7, 20, 3, 'a', 'db', 'cpu', 'y', 'no dropped=2', 'cpu v=1i 2', 't2');
            """
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/python3")
        process.arguments = [
            "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])",
            folder.path + "/control.sqlite", old,
        ]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        #expect(throws: ServingError.self) { try DeadLetterIndex(readingFrom: folder.path) }

        let index = try openIndex()
        try index.attach(log: "0123")
        try index.store([refusal(at: 21, line: "cpu v=1i 2")])
        #expect(index.total == 12)
        let letters = try await index.list(.everything, limit: 10)
        #expect(letters.map(\.id) == [7, 4] && letters.allSatisfy { $0.precision == nil })
        let reasons = try await index.reasons(.everything, limit: 10)
        #expect(reasons.map(\.kept) == [2] && reasons.map(\.first) == ["t1"])
    }

    @Test("a million refused lines leave an index within its caps", .timeLimit(.minutes(3)))
    func million() async throws {
        let index = try openIndex(keptPerReason: 1_000)
        let isLong = ProcessInfo.processInfo.environment["SLUICE_LONG"] == "1"
        let count = isLong ? 1_000_000 : 50_000
        let clock = ContinuousClock.now
        var record: UInt64 = 1
        for _ in 0..<count / 1_000 {
            try index.store(
                (0..<1_000).map { _ in
                    record += 1
                    return refusal(at: record, line: "cpu,host=h\(record % 7) usage=\(record)i \(record)")
                })
            try index.forget(below: record + 1)
        }
        let seconds = clock.duration(to: .now) / .seconds(1)
        #expect(index.total == count)
        #expect(try await index.list(.everything, limit: 10_000).count == 1_000)
        let size = try FileManager.default.attributesOfItem(atPath: folder.path + "/control.sqlite")[.size] as? Int
        #expect((size ?? .max) < 4 << 20)
        if isLong { print("\(Int(Double(count) / seconds)) refused lines/s, \(size ?? 0) bytes") }
    }

    @Test("the index outlives the process, and only its owner can read the file")
    func persistent() async throws {
        try openIndex().store([refusal(at: 20, line: "cpu v=1i 1")])
        let reopened = try DeadLetterIndex(readingFrom: folder.path)
        #expect(reopened.total == 1)
        #expect(try await reopened.list(.init(database: "db"), limit: 10).first?.line == "cpu v=1i 1")
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/control.sqlite")
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
    }

    @Test("a damaged index is set aside and begun anew")
    func damaged() throws {
        let path = folder.path + "/control.sqlite"
        try String(repeating: "this is no database ", count: 500).write(toFile: path, atomically: true, encoding: .utf8)
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let index = try DeadLetterIndex.openOrReplace(dataDirectory: folder.path, keptPerReason: 10, logger: silent)
        try index.store([refusal(at: 20, line: "cpu v=1i 1")])
        #expect(index.total == 1)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.contains { $0.hasPrefix("control.sqlite.damaged-") })
    }

    @Test("a folder without an index says so")
    func noIndex() {
        let error = #expect(throws: ServingError.self) { try DeadLetterIndex(readingFrom: "/nonexistent") }
        #expect(error?.advice == "name a gateway's data folder with --data-dir")
    }

    @Test("at the start the log is scanned from the cursor to its durable end, and the cursor follows")
    func scan() async throws {
        let index = try openIndex()
        dataPlane.state.withLock { state in
            state.indexedEnd = 100
            state.refusals = [50, 150, 160, 999].map { refusal(at: $0, line: "cpu v=\($0)i 1") }
        }
        let follower = DeadLetterFollower(source: dataPlane, index: index, logger: Logger(label: "test"))
        follower.step()
        #expect(
            try await index.list(.everything, limit: 10).map(\.line) == [
                "cpu v=999i 1", "cpu v=160i 1", "cpu v=150i 1",
            ])
        #expect(dataPlane.indexedEnd == 1_010)
    }

    @Test("afterwards only named offsets are read, and the cursor never passes one that is not stored")
    func follow() async throws {
        let index = try openIndex()
        let follower = DeadLetterFollower(source: dataPlane, index: index, logger: Logger(label: "test"))
        follower.step()
        let scans = dataPlane.state.withLock { $0.scans }
        let name = try #require(dataPlane.state.withLock { $0.handler })

        dataPlane.state.withLock { $0.log.durableEnd = 2_000 }
        follower.step()
        #expect(dataPlane.indexedEnd == 1_010, "one step of grace for those that are being named")
        follower.step()
        #expect(dataPlane.indexedEnd == 2_000)
        #expect(dataPlane.state.withLock { $0.scans } == scans, "nothing is read while nothing is refused")

        name(2_005)
        dataPlane.state.withLock { $0.refusals = [refusal(at: 2_005, line: "cpu v=1i 1")] }
        follower.step()
        #expect(index.total == 0, "not durable yet")
        dataPlane.state.withLock { $0.log.durableEnd = 2_010 }
        follower.step()
        #expect(index.total == 1)
        follower.step()
        #expect(dataPlane.indexedEnd == 2_010)
    }
    @Test("a storm of refusals is bounded in memory, and none of them is missed")
    func storm() async throws {
        let index = try openIndex()
        let follower = DeadLetterFollower(source: dataPlane, index: index, logger: Logger(label: "test"))
        follower.step()
        let name = try #require(dataPlane.state.withLock { $0.handler })
        let last: UInt64 = 1_010 + 70_000
        for offset in 1_010..<last { name(offset) }
        dataPlane.state.withLock { state in
            state.log.durableEnd = last - 1
            state.refusals = [1_010, 66_000, 67_000, last - 2, last - 1].map { refusal(at: $0, line: "cpu v=\($0)i 1") }
        }
        follower.step()
        #expect(index.total == 2, "those beyond the bound wait until all of them are durable")
        #expect(try #require(dataPlane.indexedEnd) <= 66_546)
        dataPlane.state.withLock { $0.log.durableEnd = last }
        follower.step()
        follower.step()
        #expect(index.total == 5)
        #expect(dataPlane.indexedEnd == last)
    }
}
