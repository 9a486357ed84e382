// The index of dead letters: what it keeps, what it only counts, and how it follows the log.
import Foundation
import Logging
import Operations
import Testing

@Suite("Dead letters")
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

    @Test("reasons that differ in quoted text only are of one kind")
    func kinds() {
        let first = DeadLetter.kind(of: "input field \"a\" on measurement \"m\" is type float")
        #expect(first == DeadLetter.kind(of: "input field \"b\" on measurement \"m\" is type float"))
        #expect(first != DeadLetter.kind(of: "input field \"b\" on measurement \"m\" is type string"))
    }

    @Test("a refusal that is stored twice is there once")
    func idempotent() async throws {
        let index = try openIndex()
        let letter = refusal(at: 20, line: "cpu v=1i 1", total: 5)
        try index.store([letter])
        try index.store([letter])
        #expect(index.total == 5)
        #expect(try await index.list(database: nil, limit: 10).count == 1)
    }

    @Test("beyond the limit per database, measurement and reason, lines are only counted")
    func capped() async throws {
        let index = try openIndex(keptPerReason: 3)
        for record in UInt64(20)..<30 {
            try index.store([refusal(at: record, line: "cpu v=1i \(record)", reason: "field \"\(record)\" no")])
        }
        try index.store([refusal(at: 30, line: "mem v=1i 1")])
        #expect(index.total == 11)
        #expect(try await index.list(database: nil, limit: 100).map(\.measurement) == ["mem", "cpu", "cpu", "cpu"])
    }

    @Test("the index outlives the process, and only its owner can read the file")
    func persistent() async throws {
        try openIndex().store([refusal(at: 20, line: "cpu v=1i 1")])
        let reopened = try DeadLetterIndex(readingFrom: folder.path)
        #expect(reopened.total == 1)
        #expect(try await reopened.list(database: "db", limit: 10).first?.line == "cpu v=1i 1")
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
            try await index.list(database: nil, limit: 10).map(\.line) == [
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
}
