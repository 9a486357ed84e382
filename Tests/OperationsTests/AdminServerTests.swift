// The admin listener as operators and probes meet it: over HTTP, on a free port.
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import Operations
import Testing

@Suite("Admin listener")
struct AdminServerTests {
    private let folder: TemporaryFolder
    private let index: DeadLetterIndex
    private let dataPlane = ScriptedDataPlane()
    private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        folder = try TemporaryFolder()
        index = try DeadLetterIndex(dataDirectory: folder.path, keptPerReason: 10)
    }

    /// Runs a server on a free port for as long as the body runs.
    private func withServer(_ configuration: Configuration = Configuration(), _ body: (String) async throws -> Void)
        async throws
    {
        var configuration = configuration
        configuration.admin = ListenAddress(host: "127.0.0.1", port: 0)
        let (addresses, announce) = AsyncStream.makeStream(of: String.self)
        let server = AdminServer(
            configuration: configuration, control: dataPlane, deadLetters: index, logger: silent,
            onListening: { announce.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await server.run()
                } catch {
                    announce.finish()
                    throw error
                }
            }
            for await address in addresses {
                try await body("http://" + address)
                break
            }
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
    }

    private func get(_ url: String) async throws -> (status: Int, type: String, body: String) {
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
        let body = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), response.headers.first(name: "content-type") ?? "", String(buffer: body))
    }

    @Test("health is 200 while the process works")
    func health() async throws {
        try await withServer { base in
            let answer = try await get(base + "/health")
            #expect(answer.status == 200)
            #expect(answer.body == "{\"status\":\"ok\"}\n")
        }
    }

    @Test("ready is 503 with the reason when a write at the configured level cannot be answered")
    func ready() async throws {
        var strict = Configuration()
        strict.ack = .quorum
        try await withServer(strict) { base in
            #expect(try await get(base + "/ready").status == 200)
            dataPlane.state.withLock { $0.nodes[0].sync = "catching-up" }
            let answer = try await get(base + "/ready")
            #expect(answer.status == 503)
            #expect(answer.body == "{\"ready\":false,\"reason\":\"no node is in-sync, and ack: quorum needs one\"}\n")
            dataPlane.state.withLock { $0.log.state = "poisoned: write failed" }
            #expect(try await get(base + "/ready").body.contains("the commit log is poisoned: write failed"))
        }
    }

    @Test("metrics are Prometheus text with the gateway's own families")
    func metrics() async throws {
        try await withServer { base in
            let answer = try await get(base + "/metrics")
            #expect(answer.type == "text/plain; version=0.0.4; charset=utf-8")
            #expect(answer.body.contains("\nsluice_log_durable_end 1010\n"))
            #expect(answer.body.contains("sluice_info{version=\"\(SluiceVersion.current)\"} 1\n"))
        }
    }

    @Test("status says log, nodes and requests; the command line reads the same")
    func status() async throws {
        try await withServer { base in
            let answer = try await get(base + "/api/v1/status")
            #expect(answer.body.contains("\"durable_end\":1010"))
            #expect(answer.body.contains("\"last_error\":\"connection refused\""))
            let report = try await AdminClient(address: base).status()
            #expect(report.nodes.map(\.sync) == ["in-sync", "catching-up"])
            #expect(report.nodes[1].backlog == 610)
            #expect(report.requests == ["writes_204": 7])
            #expect(report.ready == .init(isReady: true, reason: ""))
        }
    }

    @Test("dead letters are listed newest first, per database and one by one")
    func deadLetters() async throws {
        try index.store([
            refusal(at: 20, line: "cpu v=1i 1"), refusal(at: 21, line: "mem v=1i 2", database: "other"),
            refusal(at: 22, line: "cpu v=2i 3"),
        ])
        try await withServer { base in
            let client = AdminClient(address: base)
            let all = try await client.deadLetters(database: nil, limit: 100)
            #expect(all.deadLetters.map(\.line) == ["cpu v=2i 3", "mem v=1i 2", "cpu v=1i 1"])
            #expect(all.total == 3)
            #expect(
                try await client.deadLetters(database: "other", limit: 100).deadLetters.map(\.measurement) == ["mem"])
            #expect(try await client.deadLetters(database: nil, limit: 1).deadLetters.count == 1)
            let first = try #require(all.deadLetters.last)
            #expect(try await client.deadLetter(id: first.id) == first)
            #expect(first.lineNumber == 3 && first.offset == 19)
        }
    }

    @Test(
        "a wrong request is told what is wrong",
        arguments: [
            ("/api/v1/deadletters?limit=0", 400, "limit must be a number from 1 to 10000"),
            ("/api/v1/deadletters?limit=x", 400, "limit must be a number from 1 to 10000"),
            ("/api/v1/deadletters/x", 400, "the id of a dead letter is a number"),
            ("/api/v1/deadletters/99", 404, "there is no dead letter 99"),
        ])
    func wrong(path: String, status: Int, message: String) async throws {
        try await withServer { base in
            let answer = try await get(base + path)
            #expect(answer.status == status)
            #expect(answer.body.contains(message))
        }
    }

    @Test("I2 nothing on the admin listener can change anything")
    func readOnly() async throws {
        try await withServer { base in
            for path in ["/health", "/metrics", "/api/v1/status", "/api/v1/deadletters", "/api/v1/deadletters/1"] {
                for method in ["POST", "PUT", "DELETE", "PATCH"] {
                    var request = HTTPClientRequest(url: base + path)
                    request.method = .init(rawValue: method)
                    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(10))
                    #expect((404...405).contains(response.status.code), "\(method) \(path)")
                }
            }
        }
    }

    @Test("an address in use ends the start with advice")
    func addressInUse() async throws {
        try await withServer { base in
            var configuration = Configuration()
            configuration.admin = try ListenAddress(parsing: String(base.dropFirst("http://".count)))
            let second = AdminServer(
                configuration: configuration, control: dataPlane, deadLetters: index, logger: silent)
            let error = await #expect(throws: ServingError.self) { try await second.run() }
            #expect(error?.advice == "stop what listens there, or choose another with --admin")
        }
    }

    @Test("the client says how to reach a gateway when none answers")
    func nobodyThere() async throws {
        let port = try FreePort.any()
        let error = await #expect(throws: ServingError.self) {
            try await AdminClient(address: "127.0.0.1:\(port)").status()
        }
        #expect(error?.what == "no gateway answers at http://127.0.0.1:\(port)")
    }
}
