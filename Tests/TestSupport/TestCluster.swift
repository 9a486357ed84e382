// Real nodes and a real gateway before them, as nearly every end-to-end test needs them.

import Foundation

package struct TestCluster: Sendable {
    package let nodes: [InfluxNode]
    package let gateway: GatewayProcess
    private let links: [String: FaultyLink]

    package var a: InfluxNode { nodes[0] }
    package var b: InfluxNode { nodes[1] }
    package var client: InfluxClient { gateway.client }

    /// The link between the gateway and a node that was named in `linked`.
    package func link(to name: String) throws -> FaultyLink {
        guard let link = links[name] else { throw TestFailure("there is no link to \(name)") }
        return link
    }

    /// Starts everything, waits until all nodes are in-sync, creates `db`, runs `body`, and stops everything. When
    /// `body` throws, the error carries the logs. `prepare` makes each node ready before the gateway starts. The gateway
    /// reaches the nodes named in `linked` over a `FaultyLink`. Where `waitsFor` names nodes, only those are waited for.
    package static func run(
        _ settings: GatewayProcess.Settings = .init(),
        nodes names: [String] = ["a", "b"],
        node nodeSettings: InfluxNode.Settings = .init(),
        linked: Set<String> = [],
        waitsFor: [String] = [],
        db: String? = "t",
        prepare: (InfluxNode) async throws -> Void = { _ in },
        isolation: isolated (any Actor)? = #isolation,
        body: (TestCluster) async throws -> Void
    ) async throws {
        var nodes: [InfluxNode] = []
        for name in names { nodes.append(try InfluxNode(name, nodeSettings)) }
        for node in nodes { try node.launch() }
        for node in nodes {
            try await node.waitUntilUp()
            try await prepare(node)
        }
        var links: [String: FaultyLink] = [:]
        for node in nodes where linked.contains(node.name) { links[node.name] = try await FaultyLink(to: node.port) }
        let gateway = try GatewayProcess(nodes: nodes.map { ($0.name, links[$0.name]?.url ?? $0.url) }, settings)
        let cluster = TestCluster(nodes: nodes, gateway: gateway, links: links)
        do {
            try await gateway.start()
            try await gateway.waitUntilInSync(waitsFor)
            if let db { try await gateway.client.execute("CREATE DATABASE \(quoted(db))") }
            try await body(cluster)
            if let status = gateway.process?.status, status != .exited(0) {
                throw TestFailure("the gateway ended: \(status)")
            }
        } catch {
            // A node that runs has little to say; one that ended says why.
            let ended = nodes.compactMap(\.process).filter { !$0.isRunning }.map { $0.log(lastLines: 15) }
            let logs = ([gateway.log] + ended).joined(separator: "\n")
            try? await cluster.end()
            throw TestFailure("\(error)\n\(logs)")
        }
        try await cluster.end()
    }

    private func end() async throws {
        try await gateway.kill()
        for node in nodes { try await node.kill() }
    }

    /// Starts nodes that do not run, wakes those that hang, and waits until all have applied everything.
    package func heal(within limit: Duration = .seconds(120)) async throws {
        for node in nodes {
            if node.process?.isRunning == true { node.wakeUp() } else { try await node.start() }
        }
        try await gateway.waitUntilDrained(within: limit)
    }

    /// Waits until the node's own marker says that it has everything: what it gets again after a restart of the gateway
    /// begins there, and markers are written about a second behind.
    package func waitForMarker(on node: InfluxNode) async throws {
        let end = try await gateway.status().log.durableEnd
        try await eventually("the marker of \(node.name) says that it has everything") {
            let marker = try await node.client.firstRow("SELECT cursor FROM marker", db: "_sluice")
            return marker?.first.flatMap { UInt64($0) } == end
        }
    }

    /// A statement that asks every node the same and wants the same bytes from all, as text.
    package func sameAnswer(_ question: String, db: String = "t") async throws -> String {
        var answers: [String] = []
        for node in nodes { answers.append(try await node.client.query(question, db: db).text) }
        if Set(answers).count != 1 { throw TestFailure("\(question): \(answers)") }
        return answers[0]
    }
}
