// The demo: two real InfluxDB servers and a gateway; one server dies, nothing is lost, it comes back and catches up.
import Foundation
import Logging
import ServiceLifecycle

package struct Demo: Service {
    static let pointsBefore = 10_000
    static let pointsDuring = 50_000
    static let compared = "SELECT * FROM load GROUP BY *"

    let staysUp: Bool
    private let out = DemoOutput()

    /// - Parameter once: end after the show instead of staying up.
    package static func run(once: Bool) async throws {
        StopSignals.listen()
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: Demo(staysUp: !once), successTerminationBehavior: .gracefullyShutdownGroup)],
                gracefulShutdownSignals: [.sigint, .sigterm, .sighup],
                logger: Logger(label: "sluice.demo") { _ in SwiftLogNoOpLogHandler() }))
        try await group.run()
    }

    package func run() async throws {
        let program = try DemoNode.findProgram()
        let folder = try Self.makeFolder()
        let stage = DemoStage()
        let outcome: Result<Void, any Error>
        do {
            try await cancelWhenGracefulShutdown {
                try await play(folder: folder, program: program, stage: stage)
            }
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        // In a task of its own: what tidies up must not be cancelled.
        await Task { await stage.clear() }.value
        try? FileManager.default.removeItem(atPath: folder)
        if case .failure(let error) = outcome, !Self.isCancellation(error) { throw error }
        out.line("\nEverything is stopped, \(folder) is removed.")
    }

    private static func isCancellation(_ error: any Error) -> Bool {
        error is CancellationError || Task.isShuttingDownGracefully
    }

    private static func makeFolder() throws -> String {
        let folder = NSTemporaryDirectory() + "sluice-demo-\(ProcessInfo.processInfo.processIdentifier)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        return folder
    }

    // MARK: The story

    private func play(folder: String, program: String, stage: DemoStage) async throws {
        out.line("Sluice: two InfluxDB servers and a gateway in front of them. Everything lives in \(folder).")
        out.heading("The stage")
        let a = try await startNode("a", folder, program, stage)
        let b = try await startNode("b", folder, program, stage)
        let gateway = try await DemoGateway.start(folder: folder, nodes: [a, b])
        await stage.add(gateway.process)
        try await gateway.waitUntilInSync()
        out.step("gateway", "sluice on \(gateway.listen), pid \(gateway.process.pid)")

        out.heading("Normal life")
        _ = try await gateway.http.query("CREATE DATABASE \(DemoLoad.database)", database: "")
        out.step("CREATE DATABASE \(DemoLoad.database)", "on both nodes")
        let load = DemoLoad(target: gateway.http)
        let before = try await load.write(points: Self.pointsBefore)
        out.step(
            "\(count(before.points)) points written",
            "\(before.rate), slowest request \(DemoOutput.seconds(before.slowest))")
        try await showCounts([a, b])

        try await killAndWrite(b, gateway, load, survivor: a)
        try await bringBack(b, gateway, peer: a)

        if staysUp {
            try await stayUp(gateway, [a, b], load)
        }
    }

    private func startNode(_ name: String, _ folder: String, _ program: String, _ stage: DemoStage) async throws
        -> DemoNode
    {
        let node = try DemoNode(name: name, folder: folder, program: program)
        await stage.add(node)
        try await node.start()
        out.step("node \(name)", "influxd on 127.0.0.1:\(node.port), pid \(await node.pid)")
        return node
    }

    private func killAndWrite(_ node: DemoNode, _ gateway: DemoGateway, _ load: DemoLoad, survivor: DemoNode)
        async throws
    {
        out.heading("Node \(node.name) dies")
        let pid = await node.pid
        await node.kill()
        out.step("kill -9 \(pid)", "node \(node.name) is gone")
        let during = try await load.write(points: Self.pointsDuring)
        out.step(
            "\(count(during.points)) points written meanwhile",
            "no error, \(during.rate), slowest request \(DemoOutput.seconds(during.slowest))")
        let status = try await gateway.waitForStatus("node \(node.name) is seen as down") { status in
            status.nodes.contains { $0.name == node.name && !$0.isInSync }
        }
        let backlog = status.nodes.first { $0.name == node.name }?.backlog ?? 0
        out.step("the log keeps them for node \(node.name)", "\(count(Int(backlog))) records")
        try await showCounts([survivor])
    }

    private func bringBack(_ node: DemoNode, _ gateway: DemoGateway, peer: DemoNode) async throws {
        out.heading("Node \(node.name) comes back")
        try await node.start()
        let alive = ContinuousClock.now
        out.step("influxd is started again", "pid \(await node.pid)")
        _ = try await gateway.waitForStatus("node \(node.name) has caught up") { status in
            status.nodes.contains { $0.name == node.name && $0.isInSync && $0.cursor >= status.log.durableEnd }
        }
        let elapsed = alive.duration(to: .now)
        out.step(
            "node \(node.name) has caught up and is in-sync",
            "\(DemoOutput.seconds(elapsed)) after it answered its first ping")
        try await showCounts([peer, node])
        let first = try await peer.http.query(Self.compared, database: DemoLoad.database)
        let second = try await node.http.query(Self.compared, database: DemoLoad.database)
        guard first == second else {
            out.step(Self.compared, "the nodes answer differently", isGood: false)
            throw ServingError(
                "the nodes differ", advice: "this is a bug of Sluice; please report it with the gateway's log")
        }
        out.step(Self.compared, "the same \(count(first.readableBytes)) bytes from both nodes")
    }

    private func showCounts(_ nodes: [DemoNode]) async throws {
        var texts: [String] = []
        for node in nodes {
            let points = try await node.http.count("SELECT count(value) FROM load", database: DemoLoad.database)
            texts.append("\(node.name): \(count(points))")
        }
        out.step("points on the nodes", texts.joined(separator: ", "))
    }

    // MARK: Afterwards

    private func stayUp(_ gateway: DemoGateway, _ nodes: [DemoNode], _ load: DemoLoad) async throws {
        let pids = await nodes.asyncMap { ($0.name, await $0.pid) }
        let last = pids.last ?? ("b", 0)
        out.heading("It stays up, with 10 points a second. Try")
        out.command("curl -i -XPOST 'http://\(gateway.listen)/write?db=demo' --data-binary 'room,floor=1 celsius=21.5'")
        out.command(
            "curl -G 'http://\(gateway.listen)/query' --data-urlencode db=demo --data-urlencode 'q=SELECT * FROM room'")
        out.command("\(CommandLine.arguments[0]) status --admin \(gateway.adminAddress)")
        out.command("curl http://\(gateway.adminAddress)/metrics")
        out.command("kill -9 \(last.1)", "node \(last.0) dies; write and query on; it is started again after 20 s")
        out.line("\n  Ctrl-C ends it and leaves nothing behind.")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while true {
                    try await Task.sleep(for: .seconds(1))
                    do {
                        try await load.trickle()
                    } catch let error as ServingError {
                        out.step("the sample load", error.what, isGood: false)
                    }
                }
            }
            for node in nodes {
                group.addTask { try await reviveForever(node, gateway) }
            }
            group.addTask {
                while gateway.process.isRunning {
                    try await Task.sleep(for: .milliseconds(200))
                }
                throw ServingError("the gateway has ended", advice: "start the demo again")
            }
            try await group.next()
            group.cancelAll()
        }
    }

    /// Starts a node again some time after the visitor has killed it.
    private func reviveForever(_ node: DemoNode, _ gateway: DemoGateway) async throws {
        while true {
            while await node.process?.isRunning == true {
                try await Task.sleep(for: .milliseconds(200))
            }
            out.line()
            out.step("node \(node.name) is dead", "it is started again in 20 s")
            try await Task.sleep(for: .seconds(20))
            try await node.start()
            let alive = ContinuousClock.now
            out.step("node \(node.name) is started again", "pid \(await node.pid)")
            _ = try await gateway.waitForStatus("node \(node.name) has caught up") { status in
                status.nodes.contains { $0.name == node.name && $0.isInSync }
            }
            out.step("node \(node.name) is in-sync again", "after \(DemoOutput.seconds(alive.duration(to: .now)))")
        }
    }

    private func count(_ number: Int) -> String { StatusText.grouped(UInt64(max(0, number))) }
}

/// All that must be gone at the end.
private actor DemoStage {
    private var nodes: [DemoNode] = []
    private var processes: [ChildProcess] = []

    func add(_ node: DemoNode) { nodes.append(node) }
    func add(_ process: ChildProcess) { processes.append(process) }

    func clear() async {
        for process in processes { await process.stop(grace: .seconds(10)) }
        for node in nodes { await node.kill() }
    }
}

extension Array {
    fileprivate func asyncMap<Value: Sendable>(_ transform: (Element) async -> Value) async -> [Value]
    where Element: Sendable {
        var values: [Value] = []
        for element in self { values.append(await transform(element)) }
        return values
    }
}
