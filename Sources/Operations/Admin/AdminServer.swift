// The operator's listener: health, readiness, metrics, status, dead letters. It only reads.
import Foundation
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

package struct AdminServer: Service {
    let configuration: Configuration
    let control: any GatewayControl
    let deadLetters: DeadLetterIndex
    let logger: Logger
    let started = ContinuousClock.now
    /// Told the address once the listener is up; port 0 has become a number then.
    let onListening: @Sendable (String) async -> Void

    package init(
        configuration: Configuration, control: any GatewayControl, deadLetters: DeadLetterIndex, logger: Logger,
        onListening: @escaping @Sendable (String) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.control = control
        self.deadLetters = deadLetters
        self.logger = logger
        self.onListening = onListening
    }

    package func run() async throws {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router(),
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.admin.host, port: configuration.admin.port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? configuration.admin.port
                await onListening(ListenAddress(host: configuration.admin.host, port: port).description)
            },
            logger: quiet)
        do {
            try await application.run()
        } catch let error as IOError {
            throw ServingError(
                "the admin address \(configuration.admin) cannot be used (\(String(cString: strerror(error.errnoCode))))",
                advice: "stop what listens there, or choose another with --admin")
        }
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.get("/health") { _, _ in
            Self.json(.ok, ["status": "ok"])
        }
        router.get("/ready") { _, _ in
            let readiness = report().ready
            return Self.json(readiness.isReady ? .ok : .serviceUnavailable, readiness)
        }
        router.get("/metrics") { _, _ in
            Self.respond(.ok, type: MetricsText.contentType, text: MetricsText.render(metrics()))
        }
        router.get("/api/v1/status") { _, _ in
            Self.json(.ok, report())
        }
        router.get("/api/v1/deadletters") { request, _ in
            try await list(request)
        }
        router.get("/api/v1/deadletters/:id") { _, context in
            try await show(context.parameters.get("id"))
        }
        router.get("/") { _, _ in
            let paths = ["/health", "/ready", "/metrics", "/api/v1/status", "/api/v1/deadletters"]
            return Self.respond(.ok, type: "text/plain; charset=utf-8", text: paths.joined(separator: "\n") + "\n")
        }
        return router
    }

    func report() -> StatusReport {
        let log = control.logStatus()
        let nodes = control.nodeStatus()
        return StatusReport(
            version: SluiceVersion.current,
            uptimeSeconds: Int(started.duration(to: .now).components.seconds),
            listen: control.boundAddresses,
            ready: .of(log: log, nodes: nodes, ack: configuration.ack, noInSync: configuration.noInSync),
            log: log,
            nodes: nodes,
            requests: control.requestCounts(),
            deadLetters: deadLetters.total)
    }

    private func metrics() -> [MetricFamily] {
        control.metrics() + [
            MetricFamily(
                name: "sluice_dead_letters_total", help: "Refused lines, kept and merely counted.", kind: .counter,
                samples: [.init(value: Double(deadLetters.total))]),
            MetricFamily(
                name: "sluice_info", help: "The version of this gateway.", kind: .gauge,
                samples: [.init(labels: [("version", SluiceVersion.current)], value: 1)]),
        ]
    }

    private func list(_ request: Request) async throws -> Response {
        let parameters = request.uri.queryParameters
        var limit = 100
        if let text = parameters["limit"] {
            guard let value = Int(text), (1...10_000).contains(value) else {
                return Self.json(.badRequest, ["error": "limit must be a number from 1 to 10000"])
            }
            limit = value
        }
        let letters = try await deadLetters.list(database: parameters["db"].map(String.init), limit: limit)
        return Self.json(.ok, DeadLetterList(total: deadLetters.total, deadLetters: letters))
    }

    private func show(_ text: String?) async throws -> Response {
        guard let id = text.flatMap({ Int64($0) }) else {
            return Self.json(.badRequest, ["error": "the id of a dead letter is a number"])
        }
        guard let letter = try await deadLetters.letter(id: id) else {
            return Self.json(.notFound, ["error": "there is no dead letter \(id)"])
        }
        return Self.json(.ok, letter)
    }

    private static func json(_ status: HTTPResponse.Status, _ value: some Encodable) -> Response {
        do {
            let data = try AdminJSON.encode(value)
            return respond(status, type: "application/json", text: String(decoding: data, as: UTF8.self) + "\n")
        } catch {
            return respond(
                .internalServerError, type: "application/json", text: "{\"error\":\"the answer cannot be encoded\"}\n")
        }
    }

    private static func respond(_ status: HTTPResponse.Status, type: String, text: String) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
