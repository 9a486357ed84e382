// Thousands of statements, sent to one InfluxDB and to the gateway before two: accepted or refused alike, answered alike,
// and with the same data and schema at the end.

import Foundation
import InfluxQL
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct AnswerDifferential {
        /// Where windows are without end, a node says no in place of using up its memory.
        private static var settings: InfluxNode.Settings {
            var settings = InfluxNode.Settings()
            settings.extra["coordinator"] = "max-select-buckets = 20000\nmax-select-point = 2000000"
            return settings
        }

        @Test("D1 S4 every statement is accepted, refused and answered as by one InfluxDB", .timeLimit(.minutes(15)))
        func answers() async throws {
            var generator = StatementGenerator(seed: 5)
            let mutated = (0..<(EndToEnd.isLong ? 20_000 : 2_300)).map { _ in generator.mutated() }
            let texts = StatementGenerator.base + StatementGenerator.odd + Self.functions + mutated
            #expect(texts.count >= 3_000)
            try await TestCluster.run(node: Self.settings, db: nil) { cluster in
                let oracle = try await InfluxNode.started("oracle", Self.settings)
                let recent = Int(Date.now.timeIntervalSince1970) / 600 * 600 - 600
                var complaints = Complaints()
                var compared = 0
                for (index, text) in texts.enumerated() where !text.utf8.contains(0) {
                    if index % 100 == 0 {
                        for client in [oracle.client, cluster.client] { try await Self.fill(client, recent: recent) }
                    }
                    await complaints.check {
                        if try await Self.compare(text, cluster, oracle) { compared += 1 }
                    }
                }
                try complaints.requireNone()
                #expect(compared > texts.count / 3, "\(compared) of \(texts.count) bodies were compared")
                print("answers: \(texts.count) statements, \(compared) answered alike byte for byte")
                try await cluster.gateway.waitUntilDrained()
                try await requireSameSchema([oracle, cluster.a, cluster.b])
                for database in try await oracle.client.names("SHOW DATABASES") where database != "_internal" {
                    try await requireSameData([oracle, cluster.a, cluster.b], db: database)
                }
            }
        }

        /// Databases and points that the statements speak of; again after statements that dropped them.
        private static func fill(_ client: InfluxClient, recent: Int) async throws {
            try await client.execute("CREATE DATABASE d")
            try await client.execute("CREATE DATABASE dd")
            try await client.execute("CREATE RETENTION POLICY \"rp\" ON d DURATION INF REPLICATION 1")
            var lines = ""
            for name in ["cpu", "a", "c", "m", "x", "mem"] {
                for step in 0..<12 {
                    for (place, base) in [0, 1_546_300_800, recent].enumerated() {
                        let time = (base + step * 15) * 1_000_000_000 + step
                        lines += "\(name),host=h\(step % 3),dc=\(step % 2 == 0 ? "a" : "b") "
                        lines +=
                            "v=\(Double(step * 7 % 11) / 4 - 1),n=\(step * place)i,s=\"t\(step)\",b=\(step % 2 == 0) \(time)\n"
                    }
                }
            }
            // Refused where a statement has left other types, a shorter retention, or no policy.
            _ = try await client.write(lines, db: "d")
            _ = try await client.write(lines, db: "d", ["rp": "rp"])
        }

        /// InfluxDB quotes odd texts in a header, which no HTTP library reads.
        private static func ask(_ text: String, _ client: InfluxClient) async throws -> Reply {
            try await client.sendRaw(
                .post, "/query", headers: [("Content-Type", "application/x-www-form-urlencoded")],
                body: Array(InfluxClient.encoded(["q": text, "db": "d"]).utf8))
        }

        /// Whether the bodies could be compared.
        private static func compare(_ text: String, _ cluster: TestCluster, _ oracle: InfluxNode) async throws -> Bool {
            func ask(_ client: InfluxClient) async throws -> Reply { try await Self.ask(text, client) }
            guard case .statements(let statements) = Parsed(utf8: Array(text.utf8), hasParameters: false) else {
                return try await refused(text, cluster, oracle)
            }
            let kinds = statements.map(\.kind)
            if kinds.contains(where: { $0.effect == .perNode }) {
                let reply = try await ask(cluster.client)
                guard reply.status == 400, reply.error?.contains("name it with the header") == true else {
                    throw TestFailure("\(text): \(reply)")
                }
                return false
            }
            let theirs = try await ask(oracle.client)
            let mine = try await ask(cluster.client)
            guard mine.status == theirs.status else { throw TestFailure("\(text)\n  \(mine)\n  \(theirs)") }
            let changes = kinds.count { $0.effect == .mutation }
            let isOfOneNode = kinds.contains { $0.describesOneNode || $0 == .explainAnalyze }
            guard !isOfOneNode, changes == 0 || kinds.count == 1, !text.lowercased().contains("sample") else {
                return false
            }
            // InfluxDB lists grants and the series of integral() in any order, and errors with numbers of its shards.
            let isInAnyOrder = kinds.contains(.showGrants) || text.contains("integral(")
            func same(_ mine: Reply, _ theirs: Reply) -> Bool {
                if mine.body == theirs.body || isInAnyOrder && mine.body.sorted() == theirs.body.sorted() {
                    return true
                }
                let shard = #/shard \d+: /#
                return mine.text.contains(shard)
                    && mine.text.replacing(shard, with: "") == theirs.text.replacing(shard, with: "")
            }
            if same(mine, theirs) { return true }
            // A window more may have begun between the two.
            if changes == 0, text.lowercased().contains("time(") || text.lowercased().contains("now") {
                for _ in 0..<3 where same(try await ask(cluster.client), try await ask(oracle.client)) { return true }
            }
            throw TestFailure("\(text)\n  gateway:  \(mine.text.prefix(700))\n  influxdb: \(theirs.text.prefix(700))")
        }

        /// What only nodes check: a text with such an error is accepted here and refused by the node.
        private static func refused(_ text: String, _ cluster: TestCluster, _ oracle: InfluxNode) async throws -> Bool {
            let theirs = try await ask(text, oracle.client)
            let mine = try await ask(text, cluster.client)
            guard mine.status == 400, theirs.status == 400 else {
                throw TestFailure("\(text)\n  gateway:  \(mine)\n  influxdb: \(theirs)")
            }
            return mine.body == theirs.body
        }

        /// Each function over each way to group.
        private static let functions: [String] = {
            let calls = [
                "v", "*", "v, n, s, b, host", "count(v)", "count(*)", "count(distinct(n))", "distinct(s)", "sum(v)",
                "sum(n)", "mean(v)", "mean(n)", "median(v)", "mode(s)", "mode(v)", "spread(n)", "stddev(v)", "min(n)",
                "max(v)", "max(v), host", "first(s)", "last(b)", "first(v), n", "percentile(v, 50)", "top(v, 2)",
                "top(v, host, 2)", "bottom(n, 2)", "integral(v)", "integral(v, 1m)", "derivative(v)",
                "derivative(mean(v), 1m)", "non_negative_derivative(n, 1s)", "difference(v)", "difference(mean(n))",
                "moving_average(v, 2)", "cumulative_sum(n)", "cumulative_sum(mean(v))", "elapsed(v, 1s)",
                "mean(v) + 1, max(n) % 2", "mean(*)", "mean(/[vn]/)", "holt_winters(first(v), 3, 2)",
                "v::field, host::tag",
                "v::integer", "n::float", "-v, v / 2, n & 1", "mean(nothing)", "sum(s)", "nothing",
            ]
            let groups = [
                "", " GROUP BY host", " GROUP BY *", " GROUP BY /^h/, dc", " GROUP BY time(1m)",
                " GROUP BY time(1m, 10s), host fill(none)", " GROUP BY time(30s) fill(previous)",
                " GROUP BY time(30s) fill(linear)", " GROUP BY time(1m) fill(0) ORDER BY time DESC LIMIT 3",
                " GROUP BY dc LIMIT 2 OFFSET 1 SLIMIT 1", " ORDER BY time DESC LIMIT 4",
                " GROUP BY time(1h) fill(none) tz('Europe/Berlin')",
            ]
            let bounds = "time >= '2019-01-01' AND time < '2019-01-01T00:05:00Z'"
            return calls.flatMap { call in
                groups.map { "SELECT \(call) FROM cpu WHERE \(bounds)\($0)" }
            } + calls.map { "SELECT \($0) FROM cpu, /^m/ WHERE host =~ /h[01]/ AND \(bounds)" }
                + calls.map { "SELECT \($0) FROM (SELECT * FROM cpu WHERE \(bounds))" }
        }()
    }
}
