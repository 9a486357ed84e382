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
    private let changes: DeadLetterChanges
    private let token: AdminToken
    private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() throws {
        folder = try TemporaryFolder()
        index = try DeadLetterIndex(dataDirectory: folder.path, keptPerReason: 10)
        changes = DeadLetterChanges(index: index, source: dataPlane) { nil }
        token = try AdminToken(dataDirectory: folder.path)
    }

    /// Runs a server on a free port for as long as the body runs.
    private func withServer(_ configuration: Configuration = Configuration(), _ body: (String) async throws -> Void)
        async throws
    {
        var configuration = configuration
        configuration.admin = ListenAddress(host: "127.0.0.1", port: 0)
        let (addresses, announce) = AsyncStream.makeStream(of: String.self)
        let server = AdminServer(
            configuration: configuration, control: dataPlane, deadLetters: index, changes: changes, token: token,
            logger: silent, onListening: { announce.yield($0) })
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
        let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(60))
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
            #expect(answer.body.contains("sluice_node_state{node=\"b\",state=\"catching-up\"} 1\n"))
            #expect(answer.body.contains("sluice_node_state{node=\"b\",state=\"paused\"} 0\n"))
            #expect(!answer.body.contains("sluice_log_outage_budget_seconds"))
            dataPlane.state.withLock {
                $0.log.outageBudgetSeconds = 60
                $0.nodes[1].delayBudgetLeft = 0.25
                $0.nodes[1].diverged = ["db.cpu", "db.mem"]
            }
            let more = try await get(base + "/metrics").body
            #expect(more.contains("\nsluice_log_outage_budget_seconds 60\n"))
            #expect(more.contains("sluice_node_delay_budget_ratio{node=\"b\"} 0.25\n"))
            #expect(more.contains("sluice_node_diverged_measurements{node=\"b\"} 2\n"))
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
            let all = try await client.deadLetters(.everything, limit: 100)
            #expect(all.deadLetters.map(\.line) == ["cpu v=2i 3", "mem v=1i 2", "cpu v=1i 1"])
            #expect(all.total == 3)
            #expect(
                try await client.deadLetters(.init(database: "other"), limit: 100).deadLetters.map(\.measurement)
                    == ["mem"])
            #expect(
                try await client.deadLetters(.init(measurement: "cpu"), limit: 100).deadLetters.map(\.line)
                    == ["cpu v=2i 3", "cpu v=1i 1"])
            #expect(try await client.deadLetters(.init(reason: "TYPE conf"), limit: 100).deadLetters.count == 3)
            #expect(try await client.deadLetters(.init(reason: "timeout"), limit: 100).deadLetters.isEmpty)
            let summary = try await client.deadLetterReasons(.init(database: "db"), limit: 10)
            #expect(summary.total == 3 && summary.reasons.map(\.kept) == [2])
            #expect(try await client.deadLetters(.everything, limit: 1).deadLetters.count == 1)
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

    // MARK: Changes

    private func send(
        _ method: String, _ url: String, body: String? = nil, headers: [(String, String)] = []
    ) async throws -> (status: Int, body: String) {
        var request = HTTPClientRequest(url: url)
        request.method = .init(rawValue: method)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
        return (Int(response.status.code), String(buffer: try await response.body.collect(upTo: 1 << 20)))
    }

    private var wishes: [String] { dataPlane.state.withLock { $0.wishes } }

    /// All with a body that would be carried out with the token.
    private static let mutating: [(path: String, body: String)] = [
        ("/api/v1/nodes/b/pause", "{}"), ("/api/v1/nodes/b/resume", "{}"),
        ("/api/v1/nodes/b/trust", "{\"dry_run\":false}"),
        ("/api/v1/deadletters/purge", "{\"selection\":{\"all\":true},\"dry_run\":false}"),
        ("/api/v1/deadletters/retry", "{\"selection\":{\"all\":true},\"dry_run\":false}"),
    ]

    @Test("L13 I2 I6 without the token nothing is changed, and the answer is 401")
    func needsToken() async throws {
        try index.store([refusal(at: 20, line: "cpu v=1i 1")])
        let json = ("Content-Type", "application/json")
        let wrong: [[(String, String)]] = [
            [json], [json, ("Authorization", "Bearer ")], [json, ("Authorization", "Bearer \(token.text.dropLast())")],
            [json, ("Authorization", "Bearer \(token.text)0")], [json, ("Authorization", "Basic \(token.text)")],
            [json, ("Authorization", token.text)],
        ]
        try await withServer { base in
            for (path, body) in Self.mutating {
                for headers in wrong {
                    let answer = try await send("POST", base + path, body: body, headers: headers)
                    #expect(answer.status == 401, "\(path) \(headers)")
                    #expect(!answer.body.contains(token.text))
                }
            }
            let reading = [
                "/health", "/metrics", "/api/v1/status", "/api/v1/deadletters", "/api/v1/deadletters/1", "/no",
            ]
            for path in reading + Self.mutating.map(\.path) {
                for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
                    #expect(try await send(method, base + path, headers: [json]).status == 401, "\(method) \(path)")
                }
            }
        }
        #expect(wishes.isEmpty)
        #expect(try await index.list(.everything, limit: 10).count == 1)
    }

    @Test("I2 a web page cannot change anything, also with the token: no Origin, and JSON only")
    func noWebPages() async throws {
        let bearer = ("Authorization", "Bearer \(token.text)")
        try await withServer { base in
            for (path, body) in Self.mutating {
                let json = ("Content-Type", "application/json")
                let page = try await send(
                    "POST", base + path, body: body, headers: [bearer, json, ("Origin", "http://127.0.0.1:8087")])
                #expect(page.status == 403, "\(path)")
                for type in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                    let form = try await send(
                        "POST", base + path, body: body, headers: [bearer, ("Content-Type", type)])
                    #expect(form.status == 415, "\(path)")
                }
                for text in ["", "a=b", "[]", "null", "{", "\"x\""] {
                    let answer = try await send("POST", base + path, body: text, headers: [bearer, json])
                    #expect(answer.status == 400, "\(path) \(text)")
                }
            }
        }
        #expect(wishes.isEmpty)
    }

    @Test("with the token nodes are paused, resumed and trusted")
    func nodes() async throws {
        dataPlane.state.withLock { $0.log.outageBudgetSeconds = 300_000 }
        try await withServer { base in
            let client = AdminClient(address: base, token: token)
            #expect(
                try await client.pause(node: "b", .init())
                    == "b is paused: it gets nothing and is not read, its backlog stays in the log (which has room for 3d at "
                    + "this rate). End it with: sluice nodes resume b")
            #expect(
                try await client.pause(node: "b", .init(asFailure: true, forSeconds: 60))
                    .contains("as if it had failed"))
            _ = try await client.resume(node: "b")
            #expect(try await client.trust(node: "b", dryRun: true) == "b would be trusted")
            #expect(try await client.trust(node: "b", dryRun: false) == "b is trusted")
        }
        #expect(
            wishes == [
                "pause b asFailure=false for=ever", "pause b asFailure=true for=60.0 seconds", "resume b",
                "trust b dryRun=true", "trust b dryRun=false",
            ])
    }

    @Test("the last in-sync node is paused with force only")
    func lastInSync() async throws {
        try await withServer { base in
            let client = AdminClient(address: base, token: token)
            let error = await #expect(throws: ControlRefusal.self) { try await client.pause(node: "a", .init()) }
            #expect(error?.message.contains("a is the only node in-sync") == true)
            #expect(wishes.isEmpty)
            _ = try await client.pause(node: "a", .init(force: true))
            #expect(wishes == ["pause a asFailure=false for=ever"])
        }
    }

    @Test(
        "a wrong change is told what is wrong, and nothing happens",
        arguments: [
            ("/api/v1/nodes/c/pause", "{}", 404, "there is no node \"c\"; there are a, b"),
            (
                "/api/v1/nodes/b/pause", "{\"for\":60}", 400,
                "the key \"for\" is not known; use as_failure, for_seconds, force"
            ),
            ("/api/v1/nodes/b/pause", "{\"for_seconds\":0}", 400, "for_seconds is a number from 1 to 2592000"),
            (
                "/api/v1/nodes/b/pause", "{\"for_seconds\":\"1\"}", 400,
                "the value of \"for_seconds\" is of the wrong type"
            ),
            ("/api/v1/nodes/b/resume", "{\"x\":1}", 400, "the key \"x\" is not known; this request has none"),
            ("/api/v1/nodes/b/trust", "{}", 400, "the key \"dry_run\" is missing"),
            ("/api/v1/deadletters/purge", "{\"selection\":{\"all\":true}}", 400, "the key \"dry_run\" is missing"),
            (
                "/api/v1/deadletters/purge", "{\"selection\":{},\"dry_run\":false}", 400,
                "say which dead letters: some ids, a database, or all"
            ),
            (
                "/api/v1/deadletters/purge", "{\"selection\":{\"reason\":\"x\"},\"dry_run\":false}", 400,
                "say which dead letters: some ids, a database, or all"
            ),
            (
                "/api/v1/deadletters/retry", "{\"selection\":{\"all\":true,\"ids\":[1]},\"dry_run\":false}", 400,
                "say either ids, or a database, or all"
            ),
            (
                "/api/v1/deadletters/retry", "{\"selection\":{\"ids\":[]},\"dry_run\":false}", 400,
                "name 1 to 1000 ids"
            ),
        ])
    func wrongChange(path: String, body: String, status: Int, message: String) async throws {
        try index.store([refusal(at: 20, line: "cpu v=1i 1")])
        try await withServer { base in
            let answer = try await send(
                "POST", base + path, body: body,
                headers: [
                    ("Authorization", "Bearer \(token.text)"), ("Content-Type", "application/json; charset=utf-8"),
                ])
            #expect(answer.status == status)
            #expect(answer.body.replacing("\\\"", with: "\"").contains(message), "\(answer.body)")
        }
        #expect(wishes.isEmpty)
        #expect(try await index.list(.everything, limit: 10).count == 1)
    }

    @Test("what the data plane refuses reaches the operator in its words")
    func refused() async throws {
        dataPlane.state.withLock { $0.refusesWishes = ControlRefusal(409, "b has other data: do this") }
        try await withServer { base in
            let error = await #expect(throws: ControlRefusal.self) {
                try await AdminClient(address: base, token: token).trust(node: "b", dryRun: false)
            }
            #expect(error?.message == "b has other data: do this")
        }
    }

    @Test("the client says where the token is when it has none or a wrong one")
    func clientWithoutToken() async throws {
        try await withServer { base in
            for token in [nil, AdminToken(text: "x")] {
                let error = await #expect(throws: ServingError.self) {
                    try await AdminClient(address: base, token: token).resume(node: "b")
                }
                #expect(error?.advice.contains("--data-dir") == true)
            }
        }
        let error = #expect(throws: ServingError.self) { try AdminToken(file: "/nonexistent/admin.token") }
        #expect(error?.advice.contains("SLUICE_ADMIN_TOKEN") == true)
    }

    @Test("an address in use ends the start with advice")
    func addressInUse() async throws {
        try await withServer { base in
            var configuration = Configuration()
            configuration.admin = try ListenAddress(parsing: String(base.dropFirst("http://".count)))
            let second = AdminServer(
                configuration: configuration, control: dataPlane, deadLetters: index, changes: changes,
                token: token, logger: silent)
            let error = await #expect(throws: ServingError.self) { try await second.run() }
            #expect(error?.advice == "stop what listens there, or choose another with --admin")
        }
    }

    @Test("the client says how to reach a gateway when none answers")
    func nobodyThere() async throws {
        let port = try TestPort.next()
        let error = await #expect(throws: ServingError.self) {
            try await AdminClient(address: "127.0.0.1:\(port)").status()
        }
        #expect(error?.what == "no gateway answers at http://127.0.0.1:\(port)")
    }
}
