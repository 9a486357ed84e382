// `sluice log` on a real log: what it says, and what it must not say.
import CommitLog
import Dispatch
import Foundation
import Operations
import Synchronization
import TestThreads
import Testing

/// Fills a data folder's log and closes it.
func fillLog(in dataDirectory: String, with bodies: [any RecordBody], lines: [String] = []) throws {
    let (log, _) = try CommitLog.open(CommitLog.Configuration(directory: dataDirectory + "/log"))
    let advanced = DispatchSemaphore(value: 0)
    log.onDurableEndAdvanced { _ in advanced.signal() }
    let appender = log.makeAppender { _ in }
    for body in bodies { try appender.append(body, replicaSet: 0) }
    for line in lines {
        let head = PointsRecord.Head(database: "db", retentionPolicy: "", precision: 0, user: "", lineCount: 1)
        let text = Array((line + "\n").utf8)
        try appender.append(
            kind: .points, replicaSet: 0, bodyBytes: head.encodedSize + text.count, endsEntry: true,
            write: { buffer in head.encode(into: buffer).copyBytes(from: text) }
        )
    }
    let end = Offset(UInt64(bodies.count + lines.count))
    while log.durableEnd < end {
        try #require(advanced.wait(timeout: .now() + 20) == .success)
    }
    log.setCursor("a", to: Offset(1))
    log.close()
}

@Suite("Looking into the log", .blocking)
struct LogReportTests {
    private let folder: TemporaryFolder
    private let statement = MutationRecord(
        statement: "CREATE USER u WITH PASSWORD 'secret'", scope: .everything,
        redactedStatement: "CREATE USER u WITH PASSWORD [REDACTED]")
    private let refused = RefusalRecord(
        target: Offset(7), node: "a", database: "db", reason: "field type conflict",
        lines: [.init(number: 2, text: "cpu v=1i 5")],
        totalRefused: 3)

    init() throws {
        folder = try TemporaryFolder()
    }

    private func dump(from: UInt64? = nil, limit: Int = 100, withLines: Bool = false) throws -> [String] {
        let texts = Mutex<[String]>([])
        try LogReport(dataDirectory: folder.path).dump(from: from, limit: limit, withLines: withLines) { text in
            texts.withLock { $0.append(text) }
        }
        return texts.withLock { $0 }
    }

    @Test("info says identity, offsets, cursors and segments")
    func info() throws {
        try fillLog(in: folder.path, with: [statement, refused], lines: ["cpu v=1 5"])
        let report = try LogReport(dataDirectory: folder.path)
        #expect(report.info.start == 0 && report.info.end == 3)
        #expect(report.info.cursors == ["a": 1])
        #expect(report.info.closedCleanly)
        #expect(report.info.segments.map(\.base) == [0])
        #expect(report.infoText().contains("a  1  (2 records behind)"))
    }

    @Test("dump prints one line per record, and the points when asked")
    func dumpLines() throws {
        try fillLog(in: folder.path, with: [refused], lines: ["cpu v=1 5", "cpu v=2 6"])
        let short = try dump().map { $0.split(separator: "  ", maxSplits: 2).last.map(String.init) ?? "" }
        #expect(
            short == [
                "refusal   db=db of=7 lines=3 node=a: field type conflict\n",
                "points    db=db precision=nanoseconds lines=1 bytes=10\n",
                "points    db=db precision=nanoseconds lines=1 bytes=10\n",
            ])
        let long = try dump(from: 1, limit: 1, withLines: true)
        #expect(long.count == 1)
        #expect(long.first?.hasSuffix("bytes=10\ncpu v=1 5\n") == true)
    }

    @Test("I5 passwords in statements are not printed")
    func redacted() throws {
        try fillLog(in: folder.path, with: [statement])
        let text = try dump(withLines: true).joined()
        #expect(text.contains("CREATE USER u WITH PASSWORD [REDACTED]"))
        #expect(!text.contains("secret"))
    }

    @Test("a folder without a log says what to pass")
    func noLog() {
        let error = #expect(throws: ServingError.self) { try LogReport(dataDirectory: folder.path) }
        #expect(error?.advice == "name a gateway's data folder with --data-dir")
    }
}
