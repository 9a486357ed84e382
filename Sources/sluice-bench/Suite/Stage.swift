// Starts what a phase needs, has the load play, measures, stops everything.

import Foundation
import Glibc
import TestSupport

struct Stage {
    /// This program, which is also sink and load.
    let program: String
    /// Holds the log of each gateway while it runs.
    let dataFolder: URL
    /// Event loops of the gateway; nil: as many as it wants.
    let threads: Int?
    let backlogBytes: Int

    func measure(_ way: Way, _ shape: LoadShape, answerBytes: Int) async throws -> Phase {
        let folder = try TemporaryFolder("sluice-bench")
        switch way {
        case .sink:
            let sink = try await SinkProcess(self, "a", shape, answerBytes: answerBytes, folder.url)
            return try await load(way, shape, ports: [sink.port], on: sink.process)
        case .mirror:
            let sinks = try await sinks(["a", "b"], shape, answerBytes, folder.url)
            let nginx = try await NginxProcess.mirror(to: sinks.map(\.port), folder.folder("nginx"))
            defer { withExtendedLifetime(sinks) {} }
            return try await load(way, shape, ports: [nginx.port], on: nginx.process)
        case .gateway(let level):
            return try await throughGateway(way, shape, level, answerBytes, folder.url)
        case .secureGateway(let level):
            let pair = try await TestAuthority().issue("gateway")
            return try await throughGateway(way, shape, level, answerBytes, folder.url, tls: pair)
        case .placed(let level, let placement):
            return try await throughGateway(
                way, shape, level, answerBytes, folder.url, names: ["a", "b", "c", "d"], placement: placement)
        case .bothNodes:
            let nodes = [try await InfluxNode.started("a"), try await InfluxNode.started("b")]
            defer { withExtendedLifetime(nodes) {} }
            for node in nodes { _ = try await node.client.execute("CREATE DATABASE \(shape.database)") }
            return try await load(way, shape, ports: nodes.map(\.port), on: nil)
        case .gatewayToNodes(let level):
            let nodes = [try await InfluxNode.started("a"), try await InfluxNode.started("b")]
            let gateway = try gateway(nodes.map { ($0.name, $0.url) }, level)
            defer { withExtendedLifetime((nodes, gateway)) {} }
            try await gateway.start()
            // Once the nodes are in sync.
            try await eventually("the database is created") {
                try await gateway.client.execute("CREATE DATABASE \(shape.database)")
            }
            return try await load(way, shape, ports: [gateway.port], on: gateway.process)
        case .backlog:
            return try await catchUp(shape, folder.url)
        }
    }

    // MARK: Through the gateway to sinks

    private func throughGateway(
        _ way: Way, _ shape: LoadShape, _ level: Acknowledgement, _ answerBytes: Int, _ folder: URL,
        names: [String] = ["a", "b"], tls: TestAuthority.Pair? = nil, placement: Way.Placement? = nil
    ) async throws -> Phase {
        let sinks = try await sinks(names, shape, answerBytes, folder)
        var keys: [String: String] = [:]
        keys["tls"] = tls.map { "{certificate: \($0.certificate), key: \($0.key)}" }
        keys["placement"] = placement?.rules
        let gateway = try gateway(zip(names, sinks).map { ($0, "http://127.0.0.1:\($1.port)") }, level, keys)
        try await gateway.start()
        let tunnel = tls == nil ? nil : try await NginxProcess.tunnel(to: gateway.port, folder)
        defer { withExtendedLifetime((sinks, gateway, tunnel)) {} }
        let idle = gateway.process?.anonymousBytes ?? 0
        let port = tunnel?.port ?? gateway.port
        var phase = try await load(way, shape, ports: [port], on: gateway.process) { lines in
            // A gateway delivers at least once: a sink may count more lines than were acknowledged, never fewer.
            try await eventually("all acknowledged lines arrive at the sinks", within: .seconds(120)) {
                var arrived: [Int] = []
                for sink in sinks { arrived.append(try await sink.counts().lines) }
                let isThere = placement == nil ? arrived.allSatisfy { $0 >= lines } : arrived.reduce(0, +) >= 2 * lines
                if isThere { return true }
                throw TestFailure("\(lines) lines were acknowledged, the sinks have \(arrived)")
            }
        }
        phase.figures[.idleMegabytes] = Double(idle) / 1e6
        if shape.query == nil { phase.figures[.nodeRequests] = Double(try await sinks[0].counts().requests) }
        return phase
    }

    func sinks(
        _ names: [String], _ shape: LoadShape, _ answerBytes: Int, _ folder: URL
    ) async throws -> [SinkProcess] {
        var sinks: [SinkProcess] = []
        for name in names { sinks.append(try await SinkProcess(self, name, shape, answerBytes: answerBytes, folder)) }
        return sinks
    }

    func gateway(
        _ nodes: [(name: String, url: String)], _ level: Acknowledgement, _ keys: [String: String] = [:]
    ) throws -> GatewayProcess {
        var settings = GatewayProcess.Settings(keys)
        settings.keys["ack"] = level.rawValue
        if let threads { settings.keys["threads"] = "\(threads)" }
        settings.dataFolder = dataFolder.appendingPathComponent("data-\(UInt32.random(in: .min ... .max))")
        return try GatewayProcess(nodes: nodes, settings)
    }

    // MARK: The load

    /// - Parameters:
    ///   - server: what is measured; nil: nothing but the load.
    ///   - drain: waits until so many lines have arrived behind the server.
    func load(
        _ way: Way, _ shape: LoadShape, ports: [Int], on server: ChildProcess?,
        drain: ((Int) async throws -> Void)? = nil
    ) async throws -> Phase {
        let folder = try TemporaryFolder("sluice-load")
        let before = server?.processorSeconds ?? 0
        let load = try ChildProcess(
            name: "load",
            arguments: [program, "load", "--json"] + ports.flatMap { ["--port", "\($0)"] } + shape.arguments,
            logFolder: folder.url)
        var peak = 0
        let limit = Duration.seconds(shape.warmup + shape.seconds + 60)
        let status = try await eventually("the load ends", within: limit, every: .milliseconds(100)) {
            peak = max(peak, server?.anonymousBytes ?? 0)
            return load.status
        }
        guard status == .exited(0),
            let result = try? JSONDecoder().decode(LoadResult.self, from: Data(contentsOf: load.standardOutput))
        else { throw BenchError("the load failed: \(load.log())") }
        let end = ContinuousClock.now
        let lines = result.acknowledged * result.linesPerRequest
        if lines > 0 { try await drain?(lines) }
        let drained = ContinuousClock.now - end

        var phase = Phase(
            way: way, figures: Self.figures(of: result), acknowledgedLines: lines, errors: result.errors)
        guard let server else { return phase }
        peak = max(peak, server.anonymousBytes ?? 0)
        phase.figures[.peakMegabytes] = Double(peak) / 1e6
        if drain != nil, lines > 0 { phase.figures[.drainSeconds] = drained / .seconds(1) }
        let used = (server.processorSeconds ?? 0) - before
        // Over the whole of the load, warm-up included, as the answers are counted.
        phase.figures[.microsecondsPerRequest] = used / Double(max(result.acknowledged, 1)) * 1e6
        if lines > 0 { phase.figures[.secondsPerMillionLines] = used / Double(lines) * 1e6 }
        return phase
    }

    private static func figures(of result: LoadResult) -> [Figure: Double] {
        var figures: [Figure: Double] = [
            .requestsPerSecond: result.requestsPerSecond, .p50: Double(result.p50), .p99: Double(result.p99),
            .p999: Double(result.p999),
        ]
        if result.linesPerRequest > 0 {
            figures[.linesPerSecond] = result.linesPerSecond
        } else {
            figures[.megabytesPerSecond] = result.bytesPerSecond / 1e6
        }
        return figures
    }
}

/// A sink as a process of its own.
struct SinkProcess {
    let port: Int
    let process: ChildProcess

    init(
        _ stage: Stage, _ name: String, _ shape: LoadShape, answerBytes: Int = 1000, _ folder: URL
    ) async throws {
        let port = try FreePort.next()
        let process = try ChildProcess(
            name: "sink-\(name)",
            arguments: [
                stage.program, "sink", "--port", "\(port)", "--database", shape.database, "--answer-bytes",
                "\(answerBytes)",
            ],
            logFolder: folder)
        self.port = port
        self.process = process
        try await eventually("sink \(name) answers") { try await counts() }
    }

    func counts() async throws -> SinkCounts {
        let reply = try await InfluxClient(port: port).send(.get, "/counts")
        return try JSONDecoder().decode(SinkCounts.self, from: Data(reply.body))
    }
}
