// What the gateway says of itself, read over its admin listener as `sluice status` reads it.

import Foundation

/// The part of `/api/v1/status` that tests look at.
package struct GatewayStatus: Decodable, Sendable {
    package struct Log: Decodable, Sendable {
        package let id: String
        package let epoch: UInt64
        package let start: UInt64
        package let durableEnd: UInt64
        package let bytesUsed: Int
        package let state: String
    }

    package struct Node: Decodable, Sendable {
        package let name: String
        package let health: String
        package let sync: String
        package let reason: String?
        package let cursor: UInt64
        package let backlog: UInt64
        package let lastError: String?
        package let diverged: [String]?
        package let ownWork: [String]?

        package var isInSync: Bool { sync == "in-sync" }
    }

    package let log: Log
    package let nodes: [Node]
    package let deadLetters: Int

    package func node(_ name: String) throws -> Node {
        guard let node = nodes.first(where: { $0.name == name }) else {
            throw TestFailure("status has no node \(name)")
        }
        return node
    }
}

/// A refused line as `/api/v1/deadletters` lists it.
package struct DeadLetters: Decodable, Sendable {
    package struct Letter: Decodable, Sendable {
        package let id: Int
        package let node: String
        package let database: String
        package let measurement: String
        package let reason: String
        package let line: String
    }

    package let total: Int
    package let deadLetters: [Letter]
}

extension GatewayProcess {
    package func status() async throws -> GatewayStatus {
        try await decoded(GatewayStatus.self, "/api/v1/status")
    }

    package func deadLetters(db: String, limit: Int = 100) async throws -> DeadLetters {
        try await decoded(DeadLetters.self, "/api/v1/deadletters?db=\(InfluxClient.percent(db))&limit=\(limit)")
    }

    private func decoded<Value: Decodable>(_ type: Value.Type, _ target: String) async throws -> Value {
        let reply = try await admin.send(.get, target)
        guard reply.status == 200 else { throw TestFailure("\(target): \(reply)") }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(reply.body))
    }

    /// All samples of `/metrics`, by name and labels as they stand there: `sluice_requests_total{status="204"}`.
    package func metrics() async throws -> [String: Double] {
        let reply = try await admin.send(.get, "/metrics")
        guard reply.status == 200 else { throw TestFailure("/metrics: \(reply)") }
        var samples: [String: Double] = [:]
        for line in reply.text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { throw TestFailure("/metrics: \(line)") }
            samples[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return samples
    }

    /// Waits until these nodes (all, when none is named) are in-sync.
    package func waitUntilInSync(_ names: [String] = [], within limit: Duration = .seconds(60)) async throws {
        var last = ""
        try await eventually("\(names.isEmpty ? ["all"] : names) in-sync", within: limit) {
            let nodes = try await status().nodes.filter { names.isEmpty || names.contains($0.name) }
            last = nodes.map { "\($0)" }.joined(separator: ", ")
            if !nodes.allSatisfy(\.isInSync) { throw TestFailure(last) }
            return true
        }
    }

    /// Waits until a node is out of the in-sync set.
    package func waitUntilOutOfSync(_ name: String, within limit: Duration = .seconds(20)) async throws {
        try await eventually("\(name) is out of sync", within: limit, every: .milliseconds(2)) {
            try await !status().node(name).isInSync
        }
    }

    /// Waits until every node has applied everything and is in-sync.
    package func waitUntilDrained(within limit: Duration = .seconds(120)) async throws {
        try await eventually("all nodes have applied the whole log", within: limit) {
            let status = try await status()
            let behind = status.nodes.filter { $0.cursor < status.log.durableEnd || !$0.isInSync }
            if !behind.isEmpty { throw TestFailure("end \(status.log.durableEnd), behind: \(behind)") }
            return true
        }
    }
}
