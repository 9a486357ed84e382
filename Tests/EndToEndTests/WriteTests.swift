// What a client that writes sees, with both nodes up: InfluxDB's own answers, and the same points on all nodes.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Writes {
        @Test("L16 L17 L18 every write is answered as InfluxDB answers it, and leaves the same points")
        func oracle() async throws {
            try await TestCluster.run { cluster in
                let oracle = try await InfluxNode.started("oracle")
                try await oracle.client.execute("CREATE DATABASE t")
                for client in [cluster.client, oracle.client] {
                    try await client.execute("CREATE RETENTION POLICY short ON t DURATION 1h REPLICATION 1")
                }
                var complaints = Complaints()
                for row in Self.table {
                    await complaints.check {
                        let target = InfluxClient.target("/write", row.parameters)
                        let body = InfluxClient.Body.bytes(Array(row.body.utf8))
                        let mine = try await cluster.client.send(.post, target, body: body)
                        let theirs = try await oracle.client.send(.post, target, body: body)
                        try requireSameAnswer(mine, theirs, "POST \(target) \(row.body.debugDescription)")
                    }
                }
                try complaints.requireNone()
                try await requireSameData([oracle] + cluster.nodes, db: "t")
            }
        }

        struct Row {
            let parameters: [String: String]
            let body: String

            init(_ body: String, _ parameters: [String: String] = ["db": "t"]) {
                self.parameters = parameters
                self.body = body
            }
        }

        static let table: [Row] = [
            Row("m v=1 1700000000000000000"),
            Row("m,host=a,region=b v=1,w=2i,x=\"s\",y=true 1700000000000000000\nm v=3 1700000001000000000\n"),
            Row(""), Row("\n\n"), Row("# a comment\n"), Row("# a comment\nm v=4 1700000002000000000"),
            // L15, L17: one bad line among good ones; only bad ones.
            Row("m v=5 1700000003000000000\nbad line here\nm v=6 1700000004000000000"),
            Row("bad line here"), Row("m v=\nm =1\n,x v=1"), Row("m v=1 abc"), Row("m v=1i2 5"), Row("m v=\"open 5"),
            Row("m v=1 1700000005000000000\r\nm v=2 1700000006000000000\n"),
            // L16: a newline inside a quoted string.
            Row("m text=\"line one\nline two\" 1700000007000000000\nm v=7 1700000008000000000"),
            // L18: times before 1970 and at the edges.
            Row("m v=8 -1"), Row("m v=9 -1700000000000000000"), Row("m v=1 0"),
            Row("m v=1 9223372036854775806"), Row("m v=1 9223372036854775807"), Row("m v=1 -9223372036854775807"),
            // Refused by the storage: another field type, alone and among good lines; a tag named time.
            Row("m v=\"text\" 1700000009000000000"),
            Row("m v=10 1700000010000000000\nm v=\"text\" 1700000011000000000\nn v=11 1700000012000000000"),
            Row("m,time=x v=1 1700000013000000000"), Row("m time=1 1700000014000000000"),
            Row("m time=1,v=12 1700000015000000000"),
            // Retention: too old on arrival.
            Row("old v=1 1700000000000000000", ["db": "t", "rp": "short"]),
            Row("m,a=x\\ y,b=\\,\\= v\\ 1=1,z=\"q\\\"q\\\\\" 1700000016000000000"),
            Row("tägs,ü=é v=\"日本語\" 1700000017000000000"),
            Row("m,b=1,a=2 v=1 1700000018000000000\nm,a=2,b=1 v=2 1700000018000000000"),
            Row("m v=1,v=2 1700000019000000000"), Row("m,a=1,a=2 v=1 1700000020000000000"),
            // Parameters.
            Row("m v=1 1", [:]), Row("m v=1 1", ["db": ""]), Row("m v=1 1", ["db": "nope"]),
            Row("m v=1 1", ["db": "quo\"te"]), Row("m v=1 1", ["db": "t", "rp": "norp"]),
            Row("m v=1 1700000021000000000", ["db": "t", "consistency": "one"]),
            Row("m v=1 1700000021000000000", ["db": "t", "consistency": "sometimes"]),
            Row("m v=1 1700000021000000000", ["db": "t", "rp": "autogen"]),
            Row("m v=1 1700000021000000000", ["db": "t", "unknown": "x"]),
        ]

        @Test("S5 every precision means the time that InfluxDB takes it for, with or without a retention policy")
        func precisions() async throws {
            let units = [
                "": 1, "n": 1, "ns": 1, "u": 1000, "ms": 1_000_000, "s": 1_000_000_000,
                "m": 60_000_000_000, "h": 3_600_000_000_000,
            ]
            try await TestCluster.run { cluster in
                for (precision, unit) in units {
                    let number = 1_700_000_000_000_000_000 / unit
                    let parameters = precision.isEmpty ? [:] : ["precision": precision, "rp": "autogen"]
                    let reply = try await cluster.client.write("p,k=x\(precision) v=1 \(number)", db: "t", parameters)
                    try #require(reply.status == 204, "\(precision): \(reply)")
                    for node in cluster.nodes {
                        let rows = try await node.client.rows("SELECT v FROM p WHERE k='x\(precision)'", db: "t")
                        #expect(rows.map { $0[0] } == ["\(number * unit)"], "precision \(precision) on \(node.name)")
                    }
                }
            }
        }

        @Test("S8 a point without a time gets one and the same on all nodes: the request's arrival, in its precision")
        func stamps() async throws {
            try await TestCluster.run { cluster in
                for precision in ["ns", "ms", "s"] {
                    let before = Date().timeIntervalSince1970
                    let lines = "now,k=a v=1\nnow,k=b v=2\nnow,k=c v=3 5\n"
                    let reply = try await cluster.client.write(lines, db: "t", ["precision": precision])
                    try #require(reply.status == 204)
                    let after = Date().timeIntervalSince1970
                    _ = try await cluster.sameAnswer("SELECT * FROM now")
                    let rows = try await cluster.a.client.rows("SELECT v FROM now WHERE k='a' OR k='b'", db: "t")
                    let times = Set(rows.suffix(2).map { String($0[0]) })
                    #expect(times.count == 1, "all lines of one request share one time")
                    let time = Double(times.first ?? "0")! / 1e9
                    #expect(time > before - 1.001 && time < after + 0.001, "\(before) \(time) \(after)")
                    if precision == "s" { #expect(times.first?.hasSuffix("000000000") == true) }
                    if precision == "ms" { #expect(times.first?.hasSuffix("000000") == true) }
                    try await cluster.client.execute("DROP MEASUREMENT now", db: "t")
                }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("gzip and chunked bodies, as Telegraf sends them, are stored like plain ones")
        func telegraf() async throws {
            try await TestCluster.run { cluster in
                let lines = (0..<2000).map { "z,n=\($0 % 7) v=\($0)i \(1_700_000_000_000_000_000 + $0)\n" }
                let plain = Array(lines.joined().utf8)
                let zipped = try await gzip(plain)
                func pieces(_ bytes: [UInt8], of size: Int) -> [[UInt8]] {
                    stride(from: 0, to: bytes.count, by: size).map { Array(bytes[$0..<min($0 + size, bytes.count)]) }
                }
                let encoded = [("Content-Encoding", "gzip")]
                let bodies: [(String, [(String, String)], InfluxClient.Body)] = [
                    ("plain", [], .bytes(plain)), ("chunked", [], .chunked(pieces(plain, of: 1000))),
                    ("gzip", encoded, .bytes(zipped)), ("gzip in chunks", encoded, .chunked(pieces(zipped, of: 100))),
                    ("gzip byte by byte", encoded, .chunked(pieces(zipped, of: 1))),
                ]
                for (name, headers, body) in bodies {
                    let reply = try await cluster.client.send(.post, "/write?db=t", headers: headers, body: body)
                    try #require(reply.status == 204, "\(name): \(reply)")
                    for node in cluster.nodes {
                        #expect(try await node.client.count("v", of: "z", db: "t") == 2000, "\(name)")
                    }
                    try await cluster.client.execute("DROP MEASUREMENT z", db: "t")
                }
            }
        }

        @Test("the write API of 2.x stores into database and retention policy")
        func version2() async throws {
            try await TestCluster.run { cluster in
                try await cluster.client.execute("CREATE RETENTION POLICY long ON t DURATION INF REPLICATION 1")
                let rows: [(target: String, status: Int, error: String?)] = [
                    ("/api/v2/write?bucket=t&precision=s", 204, nil),
                    ("/api/v2/write?bucket=t/long&precision=s&org=whoever", 204, nil),
                    ("/api/v2/write?bucket=t/&precision=s", 204, nil),
                    ("/api/v2/write?bucket=nope", 404, #"database not found: "nope""#),
                    (
                        "/api/v2/write", 404,
                        #"bucket name "" is missing a slash; not in "database/retention-policy" format"#
                    ),
                    ("/api/v2/write?bucket=/x", 404, #"bucket name "/x" is in db/rp form but has an empty database"#),
                    ("/api/v2/write?bucket=t&precision=m", 400, #"invalid precision "m" (use ns, us, ms or s)"#),
                ]
                for row in rows {
                    let body = InfluxClient.Body.bytes(Array("two v=1 1700000000".utf8))
                    let reply = try await cluster.client.send(.post, row.target, body: body)
                    #expect(reply.status == row.status, "\(row.target): \(reply)")
                    #expect(reply.error == row.error, "\(row.target)")
                }
                for policy in ["autogen", "long"] {
                    let answer = try await cluster.sameAnswer("SELECT v FROM t.\(policy).two")
                    #expect(answer.contains("1700000000000000000"), "\(policy): \(answer)")
                }
            }
        }

        @Test(
            "L15 L17 refused lines: the client gets InfluxDB's words, other lines are stored, dead letters keep the rest"
        )
        func refusedLines() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("c v=1.5 1", db: "t").status == 204)
                let lines = (2...50).map { $0 == 25 ? "c v=\"text\" 25" : "c v=\($0) \($0)" }.joined(separator: "\n")
                let reply = try await cluster.client.write(lines, db: "t")
                #expect(reply.status == 400)
                #expect(
                    reply.error?.hasPrefix("partial write: field type conflict: input field \"v\" on measurement \"c\"")
                        == true)
                for node in cluster.nodes {
                    #expect(try await node.client.count("v", of: "c", db: "t") == 49)
                }
                try await requireSameData(cluster.nodes, db: "t")
                let letters = try await eventually("the refused line is a dead letter") {
                    let letters = try await cluster.gateway.deadLetters(db: "t")
                    return letters.deadLetters.isEmpty ? nil : letters.deadLetters
                }
                #expect(Set(letters.map(\.line)) == ["c v=\"text\" 25"], "once, for the whole set")
                #expect(letters.first?.reason.contains("field type conflict") == true)
                let list = try await GatewayProcess.run(
                    ["deadletters", "list", "--admin", cluster.gateway.admin.base, "--db", "t"])
                #expect(list.status == .exited(0), "\(list.errors)")
                #expect(list.output.contains("field type conflict"), "\(list.output)")
            }
        }

        @Test("L14 a request over many measurements reaches every node but for the lines that this node refuses")
        func manyMeasurements() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("c v=1.5 1", db: "t").status == 204)
                // Behind the gateway's back b learns another type.
                try #require(try await cluster.b.client.write("own v=\"text\" 1", db: "t").status == 204)
                var lines = (0..<60).map { "m\($0) v=\($0) \($0)" }
                lines[10] = "c v=\"a conflict on all nodes\" 2"
                lines[30] = "no point at all"
                lines[50] = "own v=1 2"
                let reply = try await cluster.client.write(lines.joined(separator: "\n"), db: "t")
                #expect(reply.status == 400 && reply.error?.contains("type conflict") == true, "\(reply)")
                try await cluster.gateway.waitUntilDrained()
                for node in cluster.nodes {
                    for number in 0..<60 where ![10, 30, 50].contains(number) {
                        #expect(try await node.client.count("v", of: "m\(number)", db: "t") == 1, "\(node.name)")
                    }
                    #expect(try await node.client.count("v", of: "c", db: "t") == 1)
                }
                #expect(try await cluster.a.client.firstRow("SELECT v FROM own", db: "t") == ["1"])
                #expect(try await cluster.gateway.status().node("b").diverged == ["t.own"])
            }
        }

        @Test("A5 lines at which a node's handler panics, and names that break its answer's head, hold up nobody")
        func poison() async throws {
            try await TestCluster.run { cluster in
                // Exactly 100 tags make 1.6.7 answer 500, every time.
                let tags = (0..<100).map { ",t\($0)=x" }.joined()
                let reply = try await cluster.client.write("good v=1 1\nmany\(tags) v=1 2\ngood v=3 3", db: "t")
                #expect(reply.status == 500 && reply.error == "Internal Server Error", "\(reply)")
                // A refused name comes back in a header field of the node's answer.
                #expect(try await cluster.client.write("c\u{1} v=1 1", db: "t").status == 204)
                let conflict = try await cluster.client.write("c\u{1} v=\"text\" 2\ngood v=4 4", db: "t")
                #expect(conflict.status == 400, "\(conflict)")
                #expect(try await cluster.client.write("good v=5 5", db: "t").status == 204)
                for node in cluster.nodes {
                    #expect(try await node.client.count("v", of: "good", db: "t") == 4)
                }
                let letters = try await eventually("both lines are dead letters, once for the whole set") {
                    let letters = try await cluster.gateway.deadLetters(db: "t").deadLetters
                    return letters.count == 2 ? letters : nil
                }
                #expect(Set(letters.map(\.line)) == ["many\(tags) v=1 2", "c\u{1} v=\"text\" 2"])
            }
        }

        @Test("L7 a refusal hits the lines of its own client only, also when many clients' points travel together")
        func refusalAmongMany() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("r v=1 1", db: "t").status == 204)
                let client = cluster.client
                let statuses = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                    for number in 0..<200 {
                        let value = number % 10 == 3 ? "\"text\"" : "\(number)"
                        group.addTask {
                            (number, try await client.write("r,n=\(number) v=\(value) \(number)", db: "t").status)
                        }
                    }
                    return try await group.reduce(into: [Int: Int]()) { $0[$1.0] = $1.1 }
                }
                for (number, status) in statuses {
                    #expect(status == (number % 10 == 3 ? 400 : 204), "client \(number)")
                }
                for node in cluster.nodes {
                    #expect(try await node.client.count("v", of: "r", db: "t") == 181)
                }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }
    }
}

/// Compressed by the system's gzip.
func gzip(_ bytes: [UInt8]) async throws -> [UInt8] {
    let folder = try TemporaryFolder("sluice-gzip")
    let file = folder.url.appendingPathComponent("body")
    try Data(bytes).write(to: file)
    let process = try ChildProcess(name: "gzip", arguments: ["/usr/bin/gzip", file.path], logFolder: folder.url)
    guard try await process.waitForExit() == .exited(0) else { throw TestFailure(process.log()) }
    return Array(try Data(contentsOf: file.appendingPathExtension("gz")))
}
