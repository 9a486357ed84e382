// Clients that hold the database to "what was acknowledged can be read": each writes a point and asks for it at once.

import Foundation
import Synchronization
import TestSupport
import Testing

/// The claim, exactly. After a write was answered 204 at `insync`,
/// 1. a query sent to the gateway then finds the point (with no mark of staleness);
/// 2. every node that is in-sync *after* the 204 has the point, whenever it is asked: a node enters the read set only
///    with everything that was acknowledged by then, and a node that leaves forgets nothing.
/// A node that cannot be reached says nothing about the claim.
final class ReadYourWrites: Sendable {
    private let cluster: TestCluster
    private let db: String
    private let probers: Int
    private let counted = Atomic(0)
    private let direct = Atomic(0)

    init(_ cluster: TestCluster, db: String, probers: Int) {
        self.cluster = cluster
        self.db = db
        self.probers = probers
    }

    /// Writes that were acknowledged and found.
    var probes: Int { counted.load(ordering: .relaxed) }
    /// Of those, how often a node itself was asked.
    var directReads: Int { direct.load(ordering: .relaxed) }

    /// Waits for `count` more.
    func more(_ count: Int) async throws {
        let goal = probes + count
        try await eventually("\(count) more points are written and found", within: .seconds(60)) { self.probes >= goal }
    }

    /// Probes while `body` runs; throws when a point was not found.
    func during(isolation: isolated (any Actor)? = #isolation, body: () async throws -> Void) async throws {
        let stopped = Flag()
        let tasks = (0..<probers).map { prober in
            Task {
                defer { stopped.set() }
                var number = 0
                while !stopped.isSet {
                    try await self.probe(prober, number)
                    number += 1
                }
            }
        }
        var failure: (any Error)?
        do { try await body() } catch { failure = error }
        stopped.set()
        // What a prober found wrong says more than a wait for it that timed out.
        for task in tasks { try await task.value }
        if let failure { throw failure }
    }

    private func probe(_ prober: Int, _ number: Int) async throws {
        let point = "probe,p=\(prober) n=\(number)i \(number)"
        let reply = try await cluster.client.write(point, db: db)
        guard reply.status == 204 else { throw TestFailure("probe \(point): \(reply)") }

        let question = "SELECT n FROM probe WHERE p = '\(prober)' AND time = \(number)"
        let read = try await cluster.client.query(question, db: db)
        guard read.status == 200, read.error == nil, Self.has(number, in: read) else {
            throw TestFailure("acknowledged and not found through the gateway: \(point): \(read)")
        }
        if let stale = read.header("X-Sluice-Stale") {
            throw TestFailure("a node was in-sync, yet a read was stale: \(stale)")
        }

        for state in try await cluster.gateway.status().nodes where state.isInSync {
            guard let node = cluster.nodes.first(where: { $0.name == state.name }) else { continue }
            var client = node.client
            client.timeout = .seconds(1)
            guard let read = try? await client.query(question, db: db), read.status == 200, read.error == nil else {
                continue
            }
            if !Self.has(number, in: read) {
                // It was in-sync after the 204, so it had what was acknowledged before.
                let later = await findLater(question, number, node)
                throw TestFailure(
                    """
                    acknowledged and not found on \(node.name), which is in-sync: \(point): \(read)
                    status before: \(state); \(later)
                    """
                )
            }
            direct.add(1, ordering: .relaxed)
        }
        counted.add(1, ordering: .relaxed)
    }

    /// Whether a point that was missing comes later, for the report of a failure.
    private func findLater(_ question: String, _ number: Int, _ node: InfluxNode) async -> String {
        let begin = ContinuousClock.now
        do {
            try await eventually("found", within: .seconds(3)) {
                Self.has(number, in: try await node.client.query(question, db: db))
            }
            return "it was found \(ContinuousClock.now - begin) later"
        } catch {
            return "it was not found later either"
        }
    }

    private static func has(_ number: Int, in reply: Reply) -> Bool {
        reply.text.contains("\"values\":[[\(number),\(number)]]")
    }
}
