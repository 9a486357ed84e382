// A whole gateway in this process: real log, real listeners, nodes that are not there.
import AsyncHTTPClient
import CommitLog
import Foundation
import Logging
import NIOCore
import Operations
import Testing

@Suite("Serving", .serialized)
struct ServeTests {
    private let folder: TemporaryFolder
    private var configuration = Configuration()

    init() throws {
        folder = try TemporaryFolder()
        configuration.dataDirectory = folder.path
        configuration.listen = ListenAddress(host: "127.0.0.1", port: try TestPort.next())
        configuration.admin = ListenAddress(host: "127.0.0.1", port: try TestPort.next())
        configuration.nodes = [ConfiguredNode(name: "a", url: "http://127.0.0.1:\(try TestPort.next())")]
        configuration.log.minimumFreeBytes = 1 << 20
        configuration.log.maximumBytes = 256 << 20
    }

    private var admin: AdminClient { AdminClient(address: configuration.admin.description) }

    /// As after a run in which a node said so: without one only such databases take writes.
    private func rememberDatabase() throws {
        let (log, _) = try CommitLog.open(CommitLog.Configuration(directory: folder.path + "/log"))
        try log.setNote("schema", Array("db +autogen autogen\n".utf8))
        log.close()
    }

    private func withGateway(_ body: () async throws -> Void) async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let task = Task {
            try await Serve.run(
                configuration: configuration, logger: logger, stopsOnSignals: false,
                startDataPlane: GatewayDataPlane.start)
        }
        do {
            try await eventually("the gateway answers") { (try? await admin.status()) != nil }
            try await body()
        } catch {
            task.cancel()
            _ = await task.result
            throw error
        }
        task.cancel()
        _ = await task.result
    }

    /// Waits for a condition, a minute at most.
    private func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while try await !condition() {
            try #require(ContinuousClock.now < deadline, what)
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private func write(_ lines: String, level: String) async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: "http://\(configuration.listen)/write?db=db&consistency=\(level)")
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: lines))
        return try await HTTPClient.shared.execute(request, timeout: .seconds(60))
    }

    @Test("the configuration reaches the gateway, and its figures reach status and metrics")
    func figures() async throws {
        try rememberDatabase()
        try await withGateway {
            #expect(try await write("cpu v=1 1\ncpu v=2 2\n", level: "any").status.code == 204)
            let status = try await admin.status()
            #expect(status.listen == [configuration.listen.description])
            #expect(status.log.durableEnd == 1 && status.log.state == "open" && status.log.bytesLimit == 256 << 20)
            #expect(status.nodes.map(\.name) == ["a"])
            #expect(
                status.nodes[0].health == "down" && status.nodes[0].sync == "unattached"
                    && status.nodes[0].backlog == 1)
            #expect(status.ready.isReady, "insync takes writes without nodes: no_insync is accept")
            #expect(status.requests["lines"] == 2)
            let response = try await HTTPClient.shared.execute(
                HTTPClientRequest(url: "http://\(configuration.admin)/metrics"), timeout: .seconds(60))
            let metrics = String(buffer: try await response.body.collect(upTo: 1 << 20))
            #expect(metrics.contains("\nsluice_write_lines_total 2\n"))
            #expect(metrics.contains("sluice_node_up{node=\"a\"} 0\n"))
        }
    }

    @Test("L3 what was acknowledged is there after a stop and a start")
    func restart() async throws {
        try rememberDatabase()
        try await withGateway {
            let response = try await write("cpu v=1 1\n", level: "any")
            #expect(response.status.code == 204)
        }
        try await withGateway {
            let status = try await admin.status()
            #expect(status.log.durableEnd == 1 && status.log.epoch == 3)
            #expect(status.nodes[0].backlog == 1)
        }
    }

    @Test("refusals that were logged before a start are found in the index after it")
    func deadLetters() async throws {
        let refusals = (0..<50).map { number in
            RefusalRecord(
                target: Offset(UInt64(number)), node: "a", database: "db", reason: "field type conflict",
                lines: [.init(number: 0, text: "cpu v=\(number)i 1")], totalRefused: 1)
        }
        try fillLog(in: folder.path, with: refusals, lines: ["mem v=1 1"])
        try await withGateway {
            try await eventually("all are indexed") { try await admin.status().deadLetters == 50 }
            let newest = try await admin.deadLetters(.init(database: "db"), limit: 1).deadLetters
            #expect(newest.map(\.line) == ["cpu v=49i 1"])
            #expect(newest.map(\.measurement) == ["cpu"])
        }
        let index = try DeadLetterIndex(readingFrom: folder.path)
        #expect(index.total == 50)
    }

    @Test("a second gateway on the same folder is refused with advice")
    func locked() async throws {
        try await withGateway {
            var second = configuration
            second.listen = ListenAddress(host: "127.0.0.1", port: try TestPort.next())
            second.admin = ListenAddress(host: "127.0.0.1", port: try TestPort.next())
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            await #expect(throws: (any Error).self) {
                try await Serve.run(
                    configuration: second, logger: logger, stopsOnSignals: false, startDataPlane: GatewayDataPlane.start
                )
            }
        }
    }

    @Test(
        "L21 a failed fsync ends the process with an error that says what to do, and the next start has what was acknowledged"
    )
    func dyingDisk() async throws {
        try rememberDatabase()
        let disk = DyingDisk()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let task = Task {
            try await Serve.run(configuration: configuration, logger: logger, stopsOnSignals: false) {
                try await GatewayDataPlane.start(configuration: $0, logger: $1, fileSystem: disk)
            }
        }
        try await eventually("the gateway answers") { (try? await admin.status()) != nil }
        #expect(try await write("cpu v=1 1\n", level: "any").status.code == 204)
        disk.fails.store(true, ordering: .sequentiallyConsistent)
        let answer = try? await write("cpu v=2 2\n", level: "any").status.code
        #expect(answer == nil || answer == 500 || answer == 503)
        let error = await #expect(throws: ServingError.self) { try await task.value }
        #expect(error?.what.contains("the commit log cannot be written any more") == true)

        try await withGateway {
            let status = try await admin.status()
            #expect(status.log.durableEnd >= 1 && status.log.state == "open")
        }
    }

    @Test("a data folder that cannot be made is reported with advice")
    func noFolder() throws {
        let file = folder.path + "/file"
        try "x".write(toFile: file, atomically: true, encoding: .utf8)
        for path in [file, file + "/below"] {
            let error = #expect(throws: ServingError.self) { try Serve.prepare(dataDirectory: path) }
            #expect(error?.advice.contains("--data-dir") == true)
        }
        try Serve.prepare(dataDirectory: folder.path + "/new/one")
        let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/new/one")
        #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o700)
    }
}
