// How queries are run: on which node, how many at a time, for how long, and what becomes of those whose client left.

import Foundation
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct QueryPlane {
        /// Runs until somebody stops it, without taking memory: 7.2e11 windows.
        static let endless =
            "SELECT sum(v) FROM (SELECT max(v) AS v FROM m WHERE time > 0 AND time < 2h GROUP BY time(10ns) fill(1))"

        static func running(_ node: InfluxNode) async throws -> Int {
            try await node.client.query("SHOW QUERIES").text.components(separatedBy: "GROUP BY time(10ns)").count - 1
        }

        private static func waitForRunning(_ count: Int, _ nodes: [InfluxNode], within limit: Duration = .seconds(10))
            async throws
        {
            try await eventually("\(count) endless queries", within: limit) {
                var sum = 0
                for node in nodes { sum += try await running(node) }
                return sum == count
            }
        }

        /// A query on a connection of its own, so that the client can leave.
        static func begin(_ query: String, _ cluster: TestCluster, _ more: [String: String] = [:]) async throws
            -> RawConnection
        {
            let connection = try RawConnection(port: cluster.gateway.port)
            let target = InfluxClient.target("/query", ["q": query, "db": "t"].merging(more) { $1 })
            await connection.send("POST \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            return connection
        }

        private static func leave(_ connection: inout RawConnection?) {
            connection?.reset()
            connection = nil
        }

        private static func prepare(_ cluster: TestCluster) async throws {
            try #require(try await cluster.client.write("m v=1 1\nm v=2 3600000000000", db: "t").status == 204)
        }

        // MARK: A named node

        @Test("a client that names a node is answered by that node, in sync or not, and told so")
        func namedNode() async throws {
            try await TestCluster.run { cluster in
                try await Self.prepare(cluster)
                let header = { (name: String) in [("X-Sluice-Node", name)] }
                for (node, name) in [(cluster.a, "a"), (cluster.b, "b")] {
                    let reply = try await cluster.client.query("SHOW DIAGNOSTICS", headers: header(name))
                    #expect(reply.header("X-Sluice-Node") == name && reply.header("X-Sluice-Stale") == nil)
                    #expect(reply.text.contains(node.url.replacing("http://", with: "")), "\(reply)")
                    let form = try await cluster.client.queryForm(["q": "SHOW DIAGNOSTICS", "sluice_node": name])
                    #expect(form.text.contains(node.url.replacing("http://", with: "")), "\(form)")
                }
                let unnamed = try await cluster.client.query("SELECT v FROM m", db: "t")
                #expect(unnamed.header("X-Sluice-Node") == nil)

                let unknown = try await cluster.client.query("SELECT v FROM m", db: "t", headers: header("c"))
                #expect(unknown.status == 400)
                #expect(unknown.error == "there is no node \"c\"; the nodes are a, b")
                let change = try await cluster.client.query(
                    "SELECT v FROM m; DROP MEASUREMENT m", db: "t", headers: header("a"))
                #expect(change.status == 400 && change.error?.hasPrefix("DROP MEASUREMENT changes all nodes") == true)
                #expect(try await cluster.sameAnswer("SELECT count(v) FROM m").contains("2]"))

                // A node that left is read all the same, and says what it is.
                _ = try await GatewayProcess.run(
                    ["nodes", "pause", "b", "--admin", cluster.gateway.admin.base]
                        + ["--data-dir", cluster.gateway.dataFolder.path])
                try await cluster.gateway.waitUntilOutOfSync("b")
                try #require(try await cluster.client.write("m v=3 3", db: "t").status == 204)
                let behind = try await cluster.client.query("SELECT count(v) FROM m", db: "t", headers: header("b"))
                #expect(behind.text.contains("2]") && behind.header("X-Sluice-Stale") != nil, "\(behind)")
                let ahead = try await cluster.client.query("SELECT count(v) FROM m", db: "t", headers: header("a"))
                #expect(ahead.text.contains("3]") && ahead.header("X-Sluice-Stale") == nil, "\(ahead)")
                try await cluster.b.kill()
                let dead = try await cluster.client.query("SELECT v FROM m", db: "t", headers: header("b"))
                #expect(dead.status == 503 && dead.error?.hasPrefix("node b failed") == true, "\(dead)")
            }
        }

        @Test("a statement with a node's own ids goes to the node that is named, and nowhere else")
        func perNode() async throws {
            try await TestCluster.run { cluster in
                try await Self.prepare(cluster)
                let shards = try await cluster.b.client.query("SHOW SHARDS").text
                let shard = try #require(shards.firstMatch(of: /\[(\d+),"t","autogen"/)?.1, "\(shards)")
                let refused = try await cluster.client.query("DROP SHARD \(shard)", method: .post)
                #expect(refused.status == 400)
                #expect(refused.error?.contains("name it with the header X-Sluice-Node") == true, "\(refused)")

                async let endless = cluster.client.query(
                    Self.endless, db: "t", method: .post, headers: [("X-Sluice-Node", "b")])
                try await Self.waitForRunning(1, [cluster.b])
                #expect(try await Self.running(cluster.a) == 0)
                let queries = try await cluster.b.client.query("SHOW QUERIES").text
                let id = try #require(queries.firstMatch(of: /\[(\d+),"SELECT sum/)?.1)
                let kill = try await cluster.client.query(
                    "KILL QUERY \(id)", ["sluice_node": "b"], method: .post)
                #expect(kill.status == 200 && kill.error == nil, "\(kill)")
                #expect(try await endless.error?.contains("interrupted") == true)

                let dropped = try await cluster.client.query(
                    "DROP SHARD \(shard)", method: .post, headers: [("X-Sluice-Node", "b")])
                #expect(dropped.status == 200 && dropped.error == nil, "\(dropped)")
                #expect(cluster.gateway.log.contains("DROP SHARD \(shard)"))
            }
        }

        // MARK: How long

        @Test("a query that takes longer than its client or the configuration allows ends, at the node too")
        func timeouts() async throws {
            try await TestCluster.run(.init(["query": "{timeout: 2s}"])) { cluster in
                try await Self.prepare(cluster)
                let clock = ContinuousClock()
                for (limit, more) in [(0.3, ["sluice_timeout": "300ms"]), (2.0, ["sluice_timeout": "1h"]), (2.0, [:])] {
                    let begin = clock.now
                    let reply = try await cluster.client.query(Self.endless, db: "t", more, method: .post)
                    let seconds = (clock.now - begin).seconds
                    #expect(reply.status == 503 && reply.error?.contains("took longer than") == true, "\(reply)")
                    #expect(reply.header("Retry-After") != nil)
                    #expect(seconds >= limit && seconds < limit + 1.5, "\(seconds)")
                    try await Self.waitForRunning(0, cluster.nodes, within: .seconds(1))
                }
                let wrong = try await cluster.client.query("SELECT v FROM m", db: "t", ["sluice_timeout": "soon"])
                #expect(wrong.status == 400 && wrong.error?.contains("is not a duration") == true, "\(wrong)")
                let quick = try await cluster.client.query(
                    "SELECT v FROM m", db: "t", headers: [("X-Sluice-Timeout", "1s")])
                #expect(quick.status == 200 && quick.error == nil)
            }
        }

        // MARK: How many

        @Test("queries beyond the limit wait for their turn; those beyond the line, or too long in it, get 503")
        func crowd() async throws {
            let settings = GatewayProcess.Settings(
                ["threads": "1", "query": "{queue_timeout: 1s}"],
                limits: ["concurrent_queries": "2", "waiting_queries": "2"])
            try await TestCluster.run(settings) { cluster in
                try await Self.prepare(cluster)
                var first: RawConnection? = try await Self.begin(Self.endless, cluster)
                var second: RawConnection? = try await Self.begin(Self.endless, cluster)
                try await Self.waitForRunning(2, cluster.nodes)
                // Two wait; there is no room for a third.
                let client = cluster.client
                async let third = client.query("SELECT v FROM m", db: "t")
                var leaving: RawConnection? = try await Self.begin("SELECT v FROM m", cluster)
                try await eventually("two wait") {
                    try await cluster.gateway.metrics()["sluice_queries_waiting"] == 2
                }
                let refused = try await client.query("SELECT v FROM m", db: "t")
                #expect(refused.status == 503 && refused.error == "too many queries are under way", "\(refused)")
                #expect(refused.header("Retry-After") != nil)
                // A client that leaves the line makes room in it.
                Self.leave(&leaving)
                try await eventually("one waits") {
                    try await cluster.gateway.metrics()["sluice_queries_waiting"] ?? 9 <= 1
                }
                #expect(try await third.status == 503)
                // A place becomes free: the next in line runs.
                async let fourth = client.query("SELECT v FROM m", db: "t")
                try await eventually("one waits") {
                    try await cluster.gateway.metrics()["sluice_queries_waiting"] == 1
                }
                Self.leave(&first)
                #expect(try await fourth.status == 200)
                Self.leave(&second)
                try await Self.waitForRunning(0, cluster.nodes, within: .seconds(1))
                try await eventually("nothing runs") {
                    try await cluster.gateway.metrics()["sluice_queries_running"] == 0
                }
                #expect(try await cluster.gateway.metrics()["sluice_queries_crowded_out_total"] == 2)
                #expect(try await client.query("SELECT v FROM m", db: "t").status == 200)
            }
        }

        // MARK: Clients that leave

        @Test("the client leaving stops the node's query within a second, however it was asked")
        func leaving() async throws {
            try await TestCluster.run { cluster in
                try await Self.prepare(cluster)
                let ways: [(String, [String: String])] = [
                    (Self.endless, [:]), (Self.endless, ["chunked": "true"]), (Self.endless, ["sluice_node": "b"]),
                    ("SELECT v FROM m; CREATE DATABASE t; \(Self.endless)", [:]),
                ]
                for (query, more) in ways {
                    for resets in [true, false] {
                        var connection: RawConnection? = try await Self.begin(query, cluster, more)
                        try await Self.waitForRunning(1, cluster.nodes)
                        if resets { Self.leave(&connection) } else { connection?.endSending() }
                        try await Self.waitForRunning(0, cluster.nodes, within: .seconds(1))
                    }
                }
            }
        }

        @Test("a request that mixes reads and changes is answered in chunks if its client wants them")
        func chunks() async throws {
            try await TestCluster.run { cluster in
                try await Self.prepare(cluster)
                let reply = try await cluster.client.query(
                    "SELECT v FROM m; CREATE DATABASE u; SELECT v FROM nope..m; SHOW DATABASES", db: "t",
                    ["chunked": "true", "epoch": "ns"], method: .post)
                let documents = reply.text.split(separator: "\n")
                #expect(documents.count == 4)
                #expect(
                    documents.map { $0.prefix(28) }
                        == (0..<4).map { "{\"results\":[{\"statement_id\":\($0)".prefix(28) })
                #expect(documents.last?.contains("not executed") == true, "\(reply)")
            }
        }

        // MARK: Large answers

        @Test("A6 an answer of any size passes through in bounded memory, also to a client that reads slowly")
        func stream() async throws {
            // 1,000 points of 10 kB, each shown in as many columns as the size wants.
            let columns = EndToEnd.isLong ? 105 : 12
            let allowed = 16 << 20
            try await TestCluster.run(nodes: ["a"]) { cluster in
                let text = String(repeating: "0123456789", count: 1_000)
                for start in stride(from: 0, to: 1_000, by: 100) {
                    let lines = (start..<start + 100).map { "wide s=\"\(text)\" \($0)\n" }.joined()
                    try #require(try await cluster.client.write(lines, db: "t").status == 204)
                }
                let query = "SELECT " + (0..<columns).map { "s AS c\($0)" }.joined(separator: ",") + " FROM wide"
                let process = try #require(cluster.gateway.process)
                let chunked = ["chunked": "true", "chunk_size": "5", "epoch": "ns"]
                // What the first query of a process costs, and buffers for writes.
                _ = try await cluster.client.query("SELECT s AS c FROM wide LIMIT 100", db: "t", chunked)
                let before = try #require(process.residentBytes)
                var peak = before
                for pause in [Duration.zero, .seconds(2)] {
                    let connection = try await Self.begin(query, cluster, chunked)
                    var received = 0
                    var isFirst = true
                    var isOver = false
                    while !isOver {
                        let piece = await connection.receive(within: .seconds(60)) { $0.count >= 1 << 20 }
                        received += piece.bytes.count
                        isOver = piece.closed || piece.bytes.suffix(5) == Array("0\r\n\r\n".utf8)[...]
                        if isFirst { try await Task.sleep(for: pause) }
                        isFirst = false
                        peak = max(peak, process.residentBytes ?? 0)
                    }
                    #expect(received > columns * 10_000_000, "\(received)")
                }
                #expect(peak - before <= allowed, "\(before) bytes before, \(peak) at most")
                print("stream: \(columns * 10) MB twice, memory grew by \((peak - before) / 1024) KiB")
            }
        }

        // MARK: A burst

        @Test("A8 a node killed in a burst of queries: no client sees an error, unless the node had begun to answer it")
        func burst() async throws {
            let total = EndToEnd.isLong ? 10_000 : 2_000
            try await TestCluster.run { cluster in
                let lines = (0..<200).map { "q v=\($0) \($0)\n" }.joined()
                try #require(try await cluster.client.write(lines, db: "t").status == 204)
                let expected = try await cluster.a.client.query("SELECT * FROM q", db: "t").body
                let client = cluster.client
                let done = Progress()
                let outcomes = try await withThrowingTaskGroup(of: (wrong: [String], brokeOff: Int).self) { group in
                    for _ in 0..<32 {
                        group.addTask {
                            var wrong: [String] = []
                            var brokeOff = 0
                            while done.next() < total {
                                do {
                                    let reply = try await client.query("SELECT * FROM q", db: "t")
                                    if reply.status != 200 || reply.body != expected { wrong.append("\(reply)") }
                                } catch {
                                    // The head had come, then the body broke off.
                                    brokeOff += 1
                                }
                            }
                            return (wrong, brokeOff)
                        }
                    }
                    group.addTask {
                        try await eventually("a third of the queries is done") { done.count > total / 3 }
                        try await cluster.b.kill()
                        return ([], 0)
                    }
                    var all: (wrong: [String], brokeOff: Int) = ([], 0)
                    for try await (wrong, brokeOff) in group {
                        all.wrong += wrong
                        all.brokeOff += brokeOff
                    }
                    return all
                }
                #expect(outcomes.wrong.isEmpty, "\(outcomes.wrong.prefix(3))")
                // At most those that the node was answering at that moment.
                #expect(outcomes.brokeOff <= 16, "\(outcomes.brokeOff)")
                print("burst: \(total) queries, \(outcomes.brokeOff) broke off in the middle")
            }
        }

        private final class Progress: Sendable {
            private let value = Mutex(0)
            func next() -> Int {
                value.withLock { value in
                    defer { value += 1 }
                    return value
                }
            }
            var count: Int { value.withLock { $0 } }
        }
    }
}
