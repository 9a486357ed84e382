// The operator's listener: health, readiness, metrics, status, dead letters. What reads is here and open to all who reach
// it; what changes something is in AdminActions.swift, behind AdminGuard.swift.
import Foundation
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle

package struct AdminServer: Service {
    let configuration: Configuration
    let control: any GatewayControl
    let deadLetters: DeadLetterIndex
    let changes: DeadLetterChanges
    let token: AdminToken
    let logger: Logger
    let started = ContinuousClock.now
    /// Told the address once the listener is up; port 0 has become a number then.
    let onListening: @Sendable (String) async -> Void

    package init(
        configuration: Configuration, control: any GatewayControl, deadLetters: DeadLetterIndex,
        changes: DeadLetterChanges, token: AdminToken, logger: Logger,
        onListening: @escaping @Sendable (String) async -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.control = control
        self.deadLetters = deadLetters
        self.changes = changes
        self.token = token
        self.logger = logger
        self.onListening = onListening
    }

    package func run() async throws {
        guard let address = configuration.admin.tcp else {
            throw ServingError("admin is a Unix socket", advice: "give it host:port")
        }
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .warning)
        let application = Application(
            router: router(),
            configuration: ApplicationConfiguration(
                address: .hostname(address.host, port: address.port), serverName: nil),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? address.port
                await onListening(ListenAddress(host: address.host, port: port).description)
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
        router.add(middleware: AdminGuard(token: token))
        AdminActions(control: control, changes: changes, logger: logger).addRoutes(to: router)
        router.get("/health") { _, _ in
            AdminAnswer.json(.ok, ["status": "ok"])
        }
        router.get("/ready") { _, _ in
            let readiness = report().ready
            return AdminAnswer.json(readiness.isReady ? .ok : .serviceUnavailable, readiness)
        }
        router.get("/metrics") { _, _ in
            AdminAnswer.text(.ok, type: MetricsText.contentType, MetricsText.render(metrics()))
        }
        router.get("/api/v1/status") { _, _ in
            AdminAnswer.json(.ok, report())
        }
        router.get("/meta") { _, _ in
            AdminAnswer.json(.ok, meta())
        }
        router.get("/api/v1/deadletters") { request, _ in
            try await list(request)
        }
        router.get("/api/v1/deadletters/reasons") { request, _ in
            try await reasons(request)
        }
        router.get("/api/v1/deadletters/:id") { _, context in
            try await show(context.parameters.get("id"))
        }
        router.get("/") { _, _ in
            let paths = [
                "/health", "/ready", "/metrics", "/meta", "/api/v1/status", "/api/v1/deadletters",
                "/api/v1/deadletters/reasons",
            ]
            return AdminAnswer.text(.ok, type: "text/plain; charset=utf-8", paths.joined(separator: "\n") + "\n")
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

    private func meta() -> MetaReport {
        MetaReport(
            configuration: configuration, log: control.logStatus(), nodes: control.nodeStatus(),
            listen: control.boundAddresses)
    }

    private func metrics() -> [MetricFamily] {
        control.metrics() + StatusMetrics.families(log: control.logStatus(), nodes: control.nodeStatus()) + [
            MetricFamily(
                name: "sluice_dead_letters_total", help: "Refused lines, kept and merely counted.", kind: .counter,
                samples: [.init(value: Double(deadLetters.total))]),
            MetricFamily(
                name: "sluice_info", help: "The version of this gateway.", kind: .gauge,
                samples: [.init(labels: [("version", SluiceVersion.current)], value: 1)]),
        ]
    }

    private func list(_ request: Request) async throws -> Response {
        guard let limit = limit(in: request) else { return Self.wrongLimit }
        let letters = try await deadLetters.list(selection(in: request), limit: limit)
        return AdminAnswer.json(.ok, DeadLetterList(total: deadLetters.total, deadLetters: letters))
    }

    private func reasons(_ request: Request) async throws -> Response {
        guard let limit = limit(in: request) else { return Self.wrongLimit }
        let reasons = try await deadLetters.reasons(selection(in: request), limit: limit)
        return AdminAnswer.json(.ok, DeadLetterSummary(total: deadLetters.total, reasons: reasons))
    }

    private func selection(in request: Request) -> DeadLetterSelection {
        let parameters = request.uri.queryParameters
        return DeadLetterSelection(
            database: parameters["db"].map(String.init), measurement: parameters["measurement"].map(String.init),
            reason: parameters["reason"].map(String.init))
    }

    private static var wrongLimit: Response {
        AdminAnswer.error(.badRequest, "limit must be a number from 1 to 10000")
    }

    private func limit(in request: Request) -> Int? {
        guard let text = request.uri.queryParameters["limit"] else { return 100 }
        return Int(text).flatMap { (1...10_000).contains($0) ? $0 : nil }
    }

    private func show(_ text: String?) async throws -> Response {
        guard let id = text.flatMap({ Int64($0) }) else {
            return AdminAnswer.error(.badRequest, "the id of a dead letter is a number")
        }
        guard let letter = try await deadLetters.letter(id: id) else {
            return AdminAnswer.error(.notFound, "there is no dead letter \(id)")
        }
        return AdminAnswer.json(.ok, letter)
    }
}
