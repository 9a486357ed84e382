import Cluster
import Foundation
import Replication
import TestSupport
import Testing

@Suite("What nodes hold, held against each other", .serialized, .timeLimit(.minutes(3)))
struct InventoryTests {
    private func compare(_ nodes: [InfluxNode]) async throws -> InventoryComparison {
        var all: [(node: String, inventory: Inventory)] = []
        for node in nodes { all.append((node.name, try await inventory(node))) }
        return InventoryComparison(all)
    }

    private func inventory(
        _ node: InfluxNode, _ options: NodeInterview.InventoryOptions = .init()
    ) async throws -> Inventory {
        let interviewer = try await Interviewer(node.url)
        return try await interviewer.ask { $0.inventory(options) }
    }

    /// One node of each index with the same schema and points.
    private func pair() async throws -> [InfluxNode] {
        let nodes = [try await started("a"), try await started("b", index: "tsi1")]
        try await onAll(
            nodes,
            [
                "CREATE DATABASE d", "CREATE DATABASE \"e f\"",
                "CREATE RETENTION POLICY short ON d DURATION 48h REPLICATION 1",
                "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO m2 FROM m GROUP BY time(1h) END",
                "CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ALL 'udp://127.0.0.1:9'",
                "CREATE USER u WITH PASSWORD 'p'", "GRANT READ ON d TO u",
            ])
        for node in nodes {
            let lines = "m,h=a v=1,s=\"x\" 1\nm,h=b v=2 1600000000000000000\nn i=1i 5"
            try #require(try await node.client.write(lines, db: "d").status == 204)
            try #require(try await node.client.write("\"q\\,\"\\ x,t=1 b=true 5", db: "e f").status == 204)
        }
        return nodes
    }

    private func onAll(_ nodes: [InfluxNode], _ statements: [String]) async throws {
        for node in nodes {
            for statement in statements { try await node.client.execute(statement) }
        }
    }

    @Test("the same schema and points on both indexes are equal, whatever order they came in")
    func equal() async throws {
        let nodes = try await pair()
        let comparison = try await compare(nodes)
        #expect(comparison.isEqual, "\(comparison)")
        let one = try await inventory(nodes[0])
        #expect(one.names == ["d", "e f"])
        let source = Inventory.Source(database: "d", policy: "autogen", measurement: "m")
        #expect(one.measurements[source]?.points == ["v": 2, "s": 1])
        #expect(one.measurements[source]?.types == ["v": ["float"], "s": ["string"]])
        #expect(one.databases["d"]?.policies.map(\.name) == ["autogen", "short"])
        #expect(one.users?["u"]?.grants == ["d": "READ"])
    }

    @Test("traces that dropped, deleted and refused points leave behind are no difference")
    func traces() async throws {
        let nodes = try await pair()
        for node in nodes {
            _ = try await node.client.write("gone,h=a v=1 1", db: "d")
        }
        // One node never had it, one had and deleted it: the field's name stays on inmem.
        _ = try await nodes[0].client.write("m extra=1 1\nrefused,h=x i=1 7", db: "d")
        try await nodes[0].client.execute("DELETE FROM gone", db: "d")
        try await nodes[1].client.execute("DROP MEASUREMENT gone", db: "d")
        try await nodes[0].client.execute("DELETE FROM refused", db: "d")
        try await nodes[0].client.execute("DELETE FROM m WHERE time = 1", db: "d")
        try await nodes[1].client.execute("DELETE FROM m WHERE time = 1", db: "d")
        let comparison = try await compare(nodes)
        #expect(comparison.isEqual, "\(comparison)")
    }

    @Test("each kind of difference is found, with a sentence that says who has what")
    func different() async throws {
        let nodes = try await pair()
        let a = nodes[0].client
        try await a.execute("CREATE DATABASE onlya")
        try await a.execute("ALTER RETENTION POLICY short ON d DURATION 72h")
        try await a.execute("DROP CONTINUOUS QUERY q ON d")
        try await a.execute("DROP SUBSCRIPTION s ON d.autogen")
        try await a.execute("GRANT ALL ON \"e f\" TO u")
        try await a.execute("DROP MEASUREMENT n", db: "d")
        try #require(try await a.write("n i=1 5", db: "d").status == 204)
        try #require(try await a.write("m,h=c v=1 77\nextra v=1 1", db: "d").status == 204)
        let comparison = try await compare(nodes)
        #expect(comparison.gaps == [])
        let sentences = comparison.differences.map(\.description).joined(separator: "\n")
        for part in [
            "database onlya: a has it, b has none", "policy short: a has DURATION 72h0m0s",
            "continuous query q: a has none",
            "subscription s: a has none", "user u: a has READ on d and ALL PRIVILEGES on e f, b has READ on d",
            "measurement n, field i: a has type float, b has type integer",
            "measurement m, field v: a has 3 points, b has 2 points",
            "measurement extra: a has 1 points, b has none",
        ] {
            #expect(sentences.contains(part), "\(part) is not in:\n\(sentences)")
        }
        #expect(comparison.differences.count == 8, "\(sentences)")
        let inventories = [try await inventory(nodes[1]), try await inventory(nodes[0])]
        #expect(InventoryComparison.mostComplete(inventories) == 1)
    }

    @Test("what was not counted is said and never taken for equal")
    func gaps() async throws {
        let nodes = try await pair()
        var options = NodeInterview.InventoryOptions()
        options.countingTime = .zero
        let uncounted = try await inventory(nodes[0], options)
        #expect(uncounted.gaps.count == 3)
        let comparison = InventoryComparison([("a", uncounted), ("b", try await inventory(nodes[1]))])
        #expect(comparison.differences == [])
        #expect(!comparison.isEqual)
        #expect(comparison.gaps.allSatisfy { $0.hasPrefix("a: ") && $0.contains("not counted") })
    }

    @Test("points before a time, per period, and their digest are the same on both indexes")
    func points() async throws {
        let nodes = try await pair()
        let source = Inventory.Source(database: "d", policy: "autogen", measurement: "m")
        var seen: [[String]] = []
        for node in nodes {
            let interviewer = try await Interviewer(node.url)
            let before = try await interviewer.ask { $0.points(of: source, before: 2, within: .seconds(5)) }
            #expect(before == ["v": 1, "s": 1])
            let extent = try #require(
                try await interviewer.ask { $0.extent(of: source, before: .max - 10, within: .seconds(5)) })
            #expect(extent == TimeRange(start: 1, end: 1_600_000_000_000_000_001))
            let week: Int64 = 604_800_000_000_000
            let weeks = try await interviewer.ask {
                $0.points(of: source, in: extent, per: week, within: .seconds(5))
            }
            #expect(weeks == [0: ["v": 1, "s": 1], 1_599_696_000_000_000_000: ["v": 1]])
            let digest = try await interviewer.ask {
                $0.digest(of: source, fields: ["s", "v"], tags: ["h", "other"], in: extent, within: .seconds(5))
            }
            let first = try await interviewer.ask {
                $0.digest(
                    of: source, fields: ["s", "v"], tags: ["h", "other"], in: TimeRange(start: 0, end: 2),
                    within: .seconds(5))
            }
            #expect(digest != first)
            seen.append(["\(digest)", "\(first)"])
            let nowhere = Inventory.Source(database: "nope", policy: "autogen", measurement: "m")
            let failure = try await interviewer.failure {
                $0.digest(of: nowhere, fields: ["v"], tags: [], in: extent, within: .seconds(5))
            }
            #expect(failure.reason.contains("database not found"))
        }
        #expect(seen[0] == seen[1])
    }
}
