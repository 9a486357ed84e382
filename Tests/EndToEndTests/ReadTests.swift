// What a client that reads sees: the node's own bytes, whatever happens to nodes and clients meanwhile.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Reads {
        @Test("every query is answered with the bytes of the node itself")
        func oracle() async throws {
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                var lines = ""
                for number in 0..<3000 {
                    lines += "cpu,host=h\(number % 5),region=r<\(number % 2)> v=\(Double(number) / 7),n=\(number)i "
                    lines += "\(1_700_000_000_000_000_000 + number * 1_000_000_000)\n"
                }
                lines += "mem free=1e21,text=\"a<b>&\\\"c\" 1700000000000000000\n"
                for client in [cluster.client, oracle.client] {
                    try await client.execute("CREATE RETENTION POLICY other ON t DURATION INF REPLICATION 1")
                    try #require(try await client.write(lines, db: "t").status == 204)
                    try #require(try await client.write("cpu v=9 9", db: "t", ["rp": "other"]).status == 204)
                }
                var complaints = Complaints()
                for row in Self.table + Self.parameters {
                    await complaints.check {
                        let mine = try await row.send(cluster.client)
                        try requireSameAnswer(mine, try await row.send(oracle.client), "\(row)")
                    }
                }
                try complaints.requireNone()
            }
        }

        struct Row {
            var method = Method.get
            var target = "/query"
            var url: [String: String] = [:]
            var form: [String: String]?
            var headers: [(String, String)] = []

            /// A GET of `q` on database `t`.
            init(_ q: String, _ url: [String: String] = [:], method: Method = .get, headers: [(String, String)] = []) {
                self.url = ["q": q, "db": "t"].merging(url) { $1 }
                self.method = method
                self.headers = headers
            }

            init(form: [String: String], _ url: [String: String] = [:]) {
                self.form = form
                self.url = url
                method = .post
            }

            func send(_ client: InfluxClient) async throws -> Reply {
                if let form { return try await client.queryForm(form, url, headers: headers) }
                return try await client.send(method, InfluxClient.target(target, url), headers: headers)
            }
        }

        static let csv = [("Accept", "application/csv")]
        static let table: [Row] = [
            Row("SELECT * FROM cpu"), Row("SELECT * FROM cpu", ["epoch": "ns"]),
            Row("SELECT * FROM cpu", ["epoch": "s"]),
            Row("SELECT * FROM cpu", ["epoch": "bogus"]),
            Row("SELECT mean(v) FROM cpu GROUP BY host", ["pretty": "true"]),
            Row("SELECT * FROM cpu GROUP BY *"), Row("SELECT * FROM /.*/"), Row("SELECT * FROM cpu, mem LIMIT 3"),
            Row("SELECT * FROM cpu", ["chunked": "true"]),
            Row("SELECT * FROM cpu", ["chunked": "true", "chunk_size": "7"]),
            Row("SELECT * FROM cpu GROUP BY *", ["chunked": "true", "pretty": "true", "chunk_size": "500"]),
            Row("SELECT * FROM cpu LIMIT 20", headers: csv),
            Row("SELECT * FROM mem", headers: [("Accept", "text/csv")]),
            Row("SELECT * FROM cpu LIMIT 20", headers: [("Accept", "application/x-msgpack")]),
            Row("SELECT * FROM cpu", headers: [("Accept-Encoding", "gzip")]),
            Row("SELECT * FROM cpu", ["chunked": "true"], headers: [("Accept-Encoding", "gzip, deflate")]),
            Row("SELECT count(v) FROM cpu WHERE time >= 1700000000s AND time < 1700003000s GROUP BY time(10m) fill(0)"),
            Row("SELECT * FROM mem"), Row("SELECT free FROM mem WHERE text =~ /a<b>/"),
            Row("SELECT v FROM t.other.cpu"),
            Row("SELECT v FROM cpu", ["rp": "other"]), Row("SELECT v FROM other.cpu"), Row("SELECT exp(n) FROM cpu"),
            Row("SHOW MEASUREMENTS"), Row("SHOW TAG KEYS"), Row("SHOW TAG VALUES WITH KEY = host"),
            Row("SHOW FIELD KEYS"),
            Row("SHOW SERIES"), Row("SHOW RETENTION POLICIES"), Row("SHOW DATABASES", ["db": ""]), Row("SHOW USERS"),
            Row("SHOW CONTINUOUS QUERIES"), Row("SHOW SERIES EXACT CARDINALITY"), Row("EXPLAIN SELECT v FROM cpu"),
            // Errors.
            Row(""), Row("  "), Row("SELEC v FROM cpu"), Row("SELECT FROM"), Row("SELECT v FROM cpu WHERE"),
            Row("DROP TABLE x"), Row("SELECT 'unterminated FROM cpu"), Row("SELECT v FROM cpu", ["db": ""]),
            Row("SELECT v FROM cpu", ["db": "nope"]), Row("SELECT v FROM nope..cpu"),
            Row("SHOW SERIES", ["db": "nope"]),
            Row("SELECT v FROM cpu", ["rp": "nope"]), Row("SELECT nothing FROM cpu"), Row("SELECT v FROM nothing"),
            // Several statements, comments, regexes, quoted names and semicolons where they mean nothing.
            Row("SELECT * FROM cpu LIMIT 1; SELECT * FROM mem"), Row(";;SELECT * FROM mem;;"),
            Row("SELECT * FROM mem -- the end"), Row("/* first */ SELECT /* in */ * FROM mem"),
            Row("SELECT * FROM mem WHERE text = 'a;b'"), Row("SELECT * FROM \"mem\"; SHOW MEASUREMENTS"),
            Row("SELECT v FROM nope..cpu; SELECT * FROM mem"), Row("SELECT * FROM mem; SELECT v FROM nope..cpu"),
            Row("SELECT * FROM cpu LIMIT 2; SELECT * FROM mem", ["chunked": "true"]),
            Row("SELECT * FROM mem; SELECT * FROM cpu LIMIT 2", headers: csv),
            // Bound parameters.
            Row("SELECT n FROM cpu WHERE n = $n", ["params": #"{"n": 5}"#]), Row("SELECT n FROM cpu WHERE n = $n"),
            Row("SELECT n FROM cpu WHERE host = $h LIMIT 2", ["params": #"{"h": "h1"}"#]),
            Row("SELECT $m FROM $n", ["params": #"{"n": {"identifier": "cpu"}, "m": {"regex": "^v"}}"#]),
            Row("SELECT $m FROM $n", ["params": #"{"n": "cpu", "m": {"regex": "^v"}}"#]),
            Row("SELECT v FROM cpu WHERE v > $x LIMIT $l", ["params": #"{"x": {"number": 1}, "l": {"int": 3}}"#]),
            Row("SELECT v FROM cpu WHERE time > $x", ["params": #"{"x": {"duration": 5}}"#]),
            // Methods and forms: what stands in the form wins over the URL.
            Row("SELECT * FROM mem", method: .post), Row(form: ["q": "SELECT * FROM mem", "db": "t"]),
            Row(form: ["q": "SELECT * FROM mem"], ["db": "t", "epoch": "s"]),
            Row(form: ["q": "SELECT * FROM mem", "db": "t"], ["q": "SELECT * FROM cpu", "db": "nope"]),
            Row(form: ["epoch": "s"], ["q": "SELECT * FROM mem", "db": "t", "epoch": "ns"]),
            Row(form: ["q": "SELECT * FROM mem", "db": "t", "pretty": "true"]),
            Row("SELECT * FROM mem", method: .put), Row("SELECT * FROM mem", method: .delete),
            // Reads that say they were asked to write.
            Row("SELECT * FROM mem", ["async": "false"]),
        ]

        /// What is no value for a bound parameter, or an odd one.
        static let parameters = [
            "not json", "{", "", " ", "[]", "5", "null", "{}", #"{"n": 1e0}"#, #"{"n": [1]}"#, #"{"n": {}}"#,
            "{'n': 1}",
            "é", #"{"n": 01}"#, #"{"n": "\q"}"#, "{\"n\": \"\n\"}", #"{"n": 5} more"#, #"{"n": {"foo": 1}}"#,
            #"{"n" 5}"#, "\u{7f}", #"{"n": {"float": "x"}}"#, #"{"n": 1, "n": 2}"#, #"{"n": 9223372036854775808}"#,
            #"{"n": {"duration": 5.5}}"#,
        ].map { Row("SELECT n FROM cpu WHERE n = $n", ["params": $0]) }

        @Test("A8 S3 while a node is killed, every query is still answered, and rightly")
        func failover() async throws {
            try await TestCluster.run { cluster in
                let lines = (0..<100).map { "q v=\($0) \($0)\n" }.joined()
                try #require(try await cluster.client.write(lines, db: "t").status == 204)
                let client = cluster.client
                // A machine that is very busy may have left one behind.
                try await cluster.gateway.waitUntilDrained()
                let expected = try await cluster.a.client.query("SELECT * FROM q", db: "t").text
                let stopped = Flag()
                let asking = Task {
                    var answered = 0
                    while !stopped.isSet {
                        // With a body, which a second try must send again in full.
                        let reply = try await client.queryForm(["q": "SELECT * FROM q", "db": "t", "epoch": "ns"])
                        if reply.text != expected { throw TestFailure("after \(answered) queries: \(reply)") }
                        answered += 1
                    }
                    return answered
                }
                defer { stopped.set() }
                for _ in 0..<2 {
                    try await Task.sleep(for: .milliseconds(300))
                    try await cluster.b.kill()
                    try await Task.sleep(for: .milliseconds(700))
                    try await cluster.b.start()
                    try await cluster.gateway.waitUntilInSync()
                }
                stopped.set()
                #expect(try await asking.value > 100)
            }
        }

        @Test("S4 with a node down or behind, SHOW and queries over several measurements are answered whole")
        func wholeWithOneNode() async throws {
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                func write(_ name: String) async throws {
                    // Measurements, tags, values of tags and fields that were not there before.
                    let lines = (0..<60).map { "m\(name)\($0 % 6),t\(name)=\(name)\($0 % 4) f\(name)=\($0) \($0)\n" }
                    for client in [cluster.client, oracle.client] {
                        try await client.execute("CREATE DATABASE \(name)")
                        try #require(try await client.write(lines.joined(), db: "t").status == 204)
                    }
                }
                func requireWhole(_ when: String) async throws {
                    for question in Self.wide {
                        let mine = try await cluster.client.query(question, db: "t")
                        try requireSameAnswer(
                            mine, try await oracle.client.query(question, db: "t"), "\(when): \(question)")
                    }
                }
                try await write("one")
                try await cluster.b.kill()
                try await write("two")
                try await requireWhole("with b down")
                // b comes back with a backlog; whoever answers meanwhile has all of it.
                let late = (0..<20_000).map { "late,k=\($0 % 50) v=\($0) \($0)\n" }
                for client in [cluster.client, oracle.client] {
                    for part in 0..<4 {
                        let lines = late[(part * 5000)..<((part + 1) * 5000)].joined()
                        try #require(try await client.write(lines, db: "t").status == 204)
                    }
                }
                try cluster.b.launch()
                try await eventually("b is in-sync again", within: .seconds(60)) {
                    do { try await requireWhole("while b catches up") } catch { throw Violation("\(error)") }
                    return try await cluster.gateway.status().node("b").isInSync
                }
                try await cluster.a.kill()
                try await requireWhole("with a down")
                try await write("three")
                try await requireWhole("with a down for a while")
                try await cluster.heal()
            }
        }

        /// What only a node that has everything can answer.
        private static let wide = [
            "SHOW DATABASES", "SHOW MEASUREMENTS", "SHOW MEASUREMENTS WITH MEASUREMENT =~ /m(one|two).*/",
            "SHOW SERIES",
            "SHOW TAG KEYS", "SHOW FIELD KEYS", "SHOW TAG VALUES WITH KEY =~ /t.*/", "SHOW MEASUREMENT CARDINALITY",
            "SELECT * FROM mone0, mtwo0, mthree0", "SELECT count(*) FROM /.*/", "SELECT last(*) FROM /m(two|three).*/",
            "SELECT sum(c) FROM (SELECT count(fone) AS c FROM /mone.*/ GROUP BY tone)",
        ]

        @Test("S3 a dead node is not asked: queries stay fast while it is away")
        func deadNodeIsNotAsked() async throws {
            try await TestCluster.run(.init(["sync_refill": "5s"])) { cluster in
                try #require(try await cluster.client.write("q v=1 1", db: "t").status == 204)
                cluster.b.hang()
                // The write makes the hung node leave the in-sync set.
                try #require(try await cluster.client.write("q v=2 2", db: "t").status == 204)
                try await cluster.gateway.waitUntilOutOfSync("b")
                for _ in 0..<100 {
                    let (reply, took) = try await timed { try await cluster.client.query("SELECT * FROM q", db: "t") }
                    try #require(reply.status == 200)
                    try #require(took < .milliseconds(900), "a query took \(took)")
                }
                try await cluster.heal()
            }
        }

        @Test(
            "A6 A2 a client stops reading and leaves: its query ends on the node, memory and connections stay bounded"
        )
        func clientLeaves() async throws {
            try await TestCluster.run { cluster in
                for batch in 0..<30 {
                    let times = (batch * 10_000)..<((batch + 1) * 10_000)
                    let lines = times.map { "big text=\"0123456789012345678901234567890123456789\",v=\($0) \($0)\n" }
                    try #require(try await cluster.client.write(lines.joined(), db: "t").status == 204)
                }
                let process = try #require(cluster.gateway.process)
                let filesBefore = try #require(process.openFileDescriptors)
                let memoryBefore = try #require(process.peakResidentBytes)
                let question = InfluxClient.target("/query", ["db": "t", "q": "SELECT * FROM big", "chunked": "true"])
                func underWay() async throws -> Int {
                    var count = 0
                    for node in cluster.nodes {
                        let running = try await node.client.query("SHOW QUERIES").text
                        count += running.components(separatedBy: "FROM big").count - 1
                    }
                    return count
                }
                var clients: [RawConnection] = []
                for _ in 0..<8 {
                    let connection = try RawConnection(port: cluster.gateway.port)
                    await connection.send("GET \(question) HTTP/1.1\r\nHost: x\r\n\r\n")
                    _ = await connection.receive { $0.count > 1000 }
                    clients.append(connection)
                }
                try await eventually("the queries of stalled clients run on the nodes") { try await underWay() == 8 }
                let grown = try #require(process.peakResidentBytes) - memoryBefore
                #expect(grown < 64 << 20, "eight stalled answers of 20 MB each took \(grown >> 20) MB")
                for client in clients { client.reset() }
                clients = []
                try await eventually("the nodes end the queries of clients that left") { try await underWay() == 0 }
                try await eventually("their connections are closed") {
                    (process.openFileDescriptors ?? .max) <= filesBefore + 20
                }
            }
        }

        @Test("/ping answers GET and HEAD as InfluxDB does")
        func ping() async throws {
            try await TestCluster.run(db: nil) { cluster in
                for method in [Method.get, .head] {
                    let mine = try await cluster.client.send(method, "/ping")
                    let theirs = try await cluster.a.client.send(method, "/ping")
                    try requireSameAnswer(mine, theirs, "\(method) /ping")
                    #expect(mine.status == 204)
                    #expect(mine.header("X-Influxdb-Version") != nil)
                    #expect(mine.header("Request-Id") == mine.header("X-Request-Id"))
                }
                let verbose = try await cluster.client.send(.get, "/ping?verbose=true")
                #expect([200, 204].contains(verbose.status))
            }
        }
    }
}
