// The processes of a run and everything that can be done to them.

import Foundation
import Glibc
import Synchronization
import TestSupport

package final class World: Sendable {
    package struct Settings: Sendable {
        package var nodes = 2
        package var seed: UInt64 = 1
        /// Where data and output of all processes go.
        package var folder: URL
        package var kinds: [FaultKind] = FaultKind.allCases
        /// Room for the log and for each node, in bytes; only with a fault that fills them.
        package var logDisk = 96 << 20
        package var nodeDisk = 512 << 20
        package var isConfined = true
        /// The gateway is configured as it comes; else with shorter times, so that more happens.
        package var isDefault = false

        package init(folder: URL) {
            self.folder = folder
        }
    }

    let nodes: [InfluxNode]
    let links: [any NodeLink]
    let gateway: GatewayProcess
    private let logDisk: SmallDisk?
    private let nodeDisks: [SmallDisk?]
    private let clock: FakeClock?
    private let timeline: Timeline
    /// Starts of the gateway, the first included.
    private let starts = Mutex(0)

    init(_ settings: Settings, _ timeline: Timeline) async throws {
        self.timeline = timeline
        let kinds = Set(settings.kinds)
        let tool = Tool(logFolder: settings.folder)
        if settings.isConfined { try await VirtualCable.prepare(tool) }
        var dice = Dice(seed: settings.seed, for: "world")
        let index = dice.pick(["inmem", "tsi1"])
        var nodes: [InfluxNode] = []
        var links: [any NodeLink] = []
        var disks: [SmallDisk?] = []
        for number in 0..<settings.nodes {
            let name = NodeNames.all[number]
            var node = InfluxNode.Settings()
            node.index = index
            let disk = kinds.contains(.fillNode) ? try SmallDisk(bytes: settings.nodeDisk) : nil
            disks.append(disk)
            node.folder = try disk?.url ?? Self.folder(settings.folder, "node-\(name)")
            if settings.isConfined {
                let cable = try await VirtualCable(to: name, number: number + 1, tool)
                node.host = cable.controlHost
                node.launcher = cable.launcher
                nodes.append(try InfluxNode(name, node))
                cable.setPort(nodes[number].port)
                links.append(cable)
                if number == 0 { timeline.note("slow links are made with \(cable.slowness)") }
            } else {
                nodes.append(try InfluxNode(name, node))
                links.append(ProxiedLink(link: try await FaultyLink(to: nodes[number].port)))
            }
        }
        self.nodes = nodes
        self.links = links
        nodeDisks = disks
        logDisk = kinds.contains(.fillLog) ? try SmallDisk(bytes: settings.logDisk) : nil
        clock = kinds.contains(.clock) ? try await FakeClock(folder: settings.folder) : nil
        var gateway = GatewayProcess.Settings(
            [
                "sync_timeout": "1s", "sync_refill": "5s", "ack_timeout": "3s", "ping_interval": "300ms",
                "log_level": "debug",
                "threads": "\(dice.pick([1, 2]))",
            ],
            limits: ["dead_letters": "1000000"],
            log: ["segment": "1MiB", "kept": "16MiB", "min_free": "0B"])
        gateway.folder = try Self.folder(settings.folder, "gateway")
        gateway.dataFolder = logDisk?.url.appendingPathComponent("data")
        if settings.isDefault { (gateway.keys, gateway.limits, gateway.log) = ([:], [:], [:]) }
        self.gateway = try GatewayProcess(
            nodes: zip(nodes, links).map { ($0.name, $1.gatewayURL) }, gateway)
    }

    private static func folder(_ parent: URL, _ name: String) throws -> URL {
        let folder = parent.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    /// Starts everything and waits until all nodes are in-sync.
    func start() async throws {
        for node in nodes { try node.launch() }
        for node in nodes { try await node.waitUntilUp() }
        try await gateway.start(environment: environment)
        starts.withLock { $0 += 1 }
        try await gateway.waitUntilInSync()
    }

    /// Ends everything; for a run that is over.
    /// - Parameter evidence: where a file system in memory is copied to, which goes with this process.
    func end(evidence: URL? = nil) async {
        for node in nodes { try? await node.kill() }
        try? await gateway.kill()
        guard let evidence else { return }
        let disks = [("log-disk", logDisk)] + zip(nodes, nodeDisks).map { ("disk-\($0.name)", $1) }
        for case (let name, let disk?) in disks {
            try? disk.makeRoom()
            try? FileManager.default.copyItem(at: disk.url, to: evidence.appendingPathComponent(name))
        }
    }

    private var environment: [String: String] { clock?.environment ?? [:] }

    // MARK: Faults

    func begin(_ fault: Fault) async throws {
        let node = nodes[fault.node]
        switch fault.kind {
        case .killGateway: try await gateway.kill()
        case .killNode: try await node.kill()
        case .stopGateway:
            // It may hang in front of nodes that do; then it has to be killed.
            do {
                let status = try await gateway.stop(within: .seconds(25))
                if status != .exited(0) {
                    throw Violation("the gateway ended after SIGTERM with \(status)\n\(gateway.log)")
                }
            } catch let failure as TestFailure {
                throw Violation("the gateway did not end after SIGTERM: \(failure)\n\(gateway.log)")
            }
        case .stopNode:
            node.signal(SIGTERM)
            do { try await node.process?.waitForExit(within: .seconds(10)) } catch {}
            try await node.kill()
        case .hangGateway: gateway.process?.signal(SIGSTOP)
        case .hangNode: node.hang()
        case .cut: try await links[fault.node].cut(fault.direction)
        case .reset: try await links[fault.node].reset()
        case .slow: try await links[fault.node].slow()
        case .fillLog: try logDisk?.fill()
        case .fillNode: try nodeDisks[fault.node]?.fill()
        case .clock: try clock?.jump(to: fault.jump)
        }
    }

    func end(_ fault: Fault) async throws {
        let node = nodes[fault.node]
        switch fault.kind {
        case .killGateway, .stopGateway:
            try gateway.launch(environment: environment)
            starts.withLock { $0 += 1 }
        case .killNode, .stopNode: try node.launch()
        case .hangGateway: gateway.process?.signal(SIGCONT)
        case .hangNode: node.wakeUp()
        case .cut, .slow: try await links[fault.node].mend()
        case .reset: break
        case .fillLog: try logDisk?.makeRoom()
        case .fillNode: try nodeDisks[fault.node]?.makeRoom()
        case .clock: try clock?.jump(to: 0)
        }
    }

    /// Puts one node's data in the place of another's, as an operator does it: both are stopped meanwhile.
    func copy(from source: Int, to target: Int) async throws {
        for node in [source, target] { try await begin(Fault(kind: .stopNode, node: node, hold: .zero)) }
        try nodes[target].restore(nodes[source].snapshot())
        for node in [source, target] { try await nodes[node].start() }
    }

    /// Throws if a process ended that nobody killed. To be asked when no fault is under way.
    func requireAlive() throws {
        if let status = gateway.process?.status { throw Violation("the gateway ended: \(status)\n\(gateway.log)") }
        for node in nodes {
            if let status = node.process?.status {
                throw Violation("node \(node.name) ended: \(status)\n\(node.process?.log(lastLines: 40) ?? "")")
            }
        }
    }
}
