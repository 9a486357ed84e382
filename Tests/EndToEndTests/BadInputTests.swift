// Input that no well-behaved client sends: a clear answer, never a crash, never half of a request.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct BadInput {
        @Test(
            "A7 I6 bad requests get the reference's answer or a clear 4xx; nothing of them is stored; good ones go on")
        func table() async throws {
            let settings = GatewayProcess.Settings(limits: ["body": "100KB", "inflated_body": "1MB"])
            try await TestCluster.run(settings) { cluster in
                let oracle = try await InfluxNode.started(
                    "oracle",
                    {
                        var settings = InfluxNode.Settings()
                        settings.extra = ["http": "max-body-size = 100000"]
                        return settings
                    }())
                try await oracle.client.execute("CREATE DATABASE t")
                var complaints = Complaints()
                for row in try await Self.rows() {
                    await complaints.check {
                        let mine = try await cluster.client.send(
                            row.method, row.target, headers: row.headers, body: row.body)
                        if let status = row.status {
                            if mine.status != status { throw TestFailure("\(row.name): \(mine)") }
                            if mine.error == nil { throw TestFailure("\(row.name): no error in \(mine)") }
                        } else {
                            let theirs = try await oracle.client.send(
                                row.method, row.target, headers: row.headers, body: row.body)
                            try requireSameAnswer(mine, theirs, row.name)
                        }
                    }
                }
                try complaints.requireNone()
                try await requireSameData([oracle] + cluster.nodes, db: "t")
                #expect(try await cluster.client.write("fine v=1 1", db: "t").status == 204)
            }
        }

        struct Row {
            let name: String
            var method = Method.post
            var target = "/write?db=t"
            var headers: [(String, String)] = []
            var body = InfluxClient.Body.none
            /// Nil: as InfluxDB answers.
            var status: Int?
        }

        static func rows() async throws -> [Row] {
            let line = Array("bad v=1 1\n".utf8)
            let zipped = try await gzip(Array(String(repeating: "bad v=1 1\n", count: 300).utf8))
            let bomb = try await gzip([UInt8](repeating: 0x0a, count: 3_000_000))
            let encoded = [("Content-Encoding", "gzip")]
            var corrupt = zipped
            corrupt[corrupt.count / 2] ^= 0xff
            let large = Array(String(repeating: "bad v=1 1\n", count: 15_000).utf8)
            return [
                Row(name: "GET /write", method: .get), Row(name: "PUT /write", method: .put),
                Row(name: "DELETE /query", method: .delete, target: "/query?q=SHOW+DATABASES"),
                Row(name: "POST /ping", target: "/ping"), Row(name: "unknown path", target: "/nothing"),
                Row(name: "the root", method: .get, target: "/"), Row(name: "trailing slash", target: "/write/?db=t"),
                Row(name: "double slash", method: .get, target: "//ping"),
                Row(name: "OPTIONS", method: .options), Row(name: "OPTIONS", method: .options, target: "/query"),
                Row(name: "OPTIONS with origin", method: .options, headers: [("Origin", "http://grafana")]),
                Row(name: "no db", target: "/write", body: .bytes(line)),
                Row(name: "empty db", target: "/write?db=", body: .bytes(line)),
                Row(name: "no gzip", headers: encoded, body: .bytes(line)),
                Row(name: "gzip without a byte", headers: encoded, body: .bytes([])),
                Row(name: "half of a gzip header", headers: encoded, body: .bytes(Array(zipped.prefix(5)))),
                Row(name: "truncated gzip", headers: encoded, body: .bytes(Array(zipped.dropLast(12))), status: 400),
                Row(name: "damaged gzip", headers: encoded, body: .bytes(corrupt), status: 400),
                Row(
                    name: "damaged checksum", headers: encoded,
                    body: .bytes(zipped.dropLast(8) + [0, 0, 0, 0, 0, 0, 0, 0]),
                    status: 400),
                Row(name: "a small gzip of much", headers: encoded, body: .bytes(bomb), status: 413),
                Row(
                    name: "too large",
                    body: .chunked(
                        stride(from: 0, to: large.count, by: 10_000).map {
                            Array(large[$0..<min($0 + 10_000, large.count)])
                        }), status: 413),
                Row(
                    name: "binary noise",
                    body: .bytes((0..<2000).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ $0 / 7) | 0x80 }),
                    status: 400),
                Row(name: "query without q", method: .get, target: "/query"),
                Row(
                    name: "query, form of another type", target: "/query", headers: [("Content-Type", "text/plain")],
                    body: .bytes(Array("q=SHOW+DATABASES".utf8))),
                Row(
                    name: "query, empty form", target: "/query",
                    headers: [("Content-Type", "application/x-www-form-urlencoded")], body: .bytes([])),
            ]
        }

        @Test(
            "A7 line noise, smuggled lengths and truncated bodies are refused, and nothing of them is stored"
        )
        func wire() async throws {
            try await TestCluster.run { cluster in
                let port = cluster.gateway.port
                func answer(_ bytes: [UInt8], thenEnd: Bool = true) async throws -> String {
                    let connection = try RawConnection(port: port)
                    await connection.send(bytes)
                    if thenEnd { connection.endSending() }
                    return await connection.receiveAnswer(within: .seconds(15))
                }
                let post = "POST /write?db=t HTTP/1.1\r\nHost: x\r\n"
                let line = "wire v=1 1\n"
                let rows: [(name: String, bytes: String, status: String)] = [
                    ("noise", "\u{1}\u{2}nonsense\r\n\r\n", "400"),
                    ("a version of the future", "GET /ping HTTP/7.0\r\nHost: x\r\n\r\n", "505"),
                    ("two lengths", post + "Content-Length: 11\r\nContent-Length: 5\r\n\r\n\(line)", "400"),
                    (
                        "length and chunks", post + "Content-Length: 11\r\nTransfer-Encoding: chunked\r\n\r\n\(line)",
                        "400"
                    ),
                    ("negative length", post + "Content-Length: -1\r\n\r\n\(line)", "400"),
                    ("length that is no number", post + "Content-Length: eleven\r\n\r\n\(line)", "400"),
                    ("bad escape in a query", "GET /query?q=%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400"),
                    (
                        "odd parameters",
                        "POST /write?db=t&&=&%=%zz&precision HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "204"
                    ),
                    ("bad chunk size", post + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n\(line)\r\n0\r\n\r\n", "400"),
                    ("space in a header's name", post + "Content Length: 11\r\n\r\n\(line)", "400"),
                ]
                for row in rows {
                    let text = try await answer(Array(row.bytes.utf8))
                    #expect(text.hasPrefix("HTTP/1.1 \(row.status)"), "\(row.name): \(text.prefix(300))")
                }
                let flood =
                    post + (0..<30_000).map { "X-Header-\($0): \(String(repeating: "y", count: 50))\r\n" }.joined()
                let flooded = try await answer(Array(flood.utf8), thenEnd: false)
                #expect(flooded.hasPrefix("HTTP/1.1 431"), "header flood: \(flooded.prefix(300))")

                // Bodies that stop in the middle: their first lines are whole, and must not be stored all the same.
                for head in [
                    "Content-Length: 1000\r\n\r\n\(line)wire v=2 2\nwire v=3",
                    "Transfer-Encoding: chunked\r\n\r\nb\r\n\(line)\r\n",
                ] {
                    let connection = try RawConnection(port: port)
                    await connection.send(post + head)
                    connection.endSending()
                    let answer = await connection.receive(within: .seconds(5))
                    #expect(!String(decoding: answer.bytes, as: UTF8.self).hasPrefix("HTTP/1.1 2"))
                }
                for _ in 0..<20 {
                    let connection = try RawConnection(port: port)
                    await connection.send(post + "Content-Length: 1000\r\n\r\n\(line)")
                    connection.reset()
                }
                // What the wire carries well is served: pipelining, HTTP/1.0, a body after `Expect`.
                let piped = try RawConnection(port: port)
                await piped.send(
                    post + "Content-Length: 9\r\n\r\nok v=1 1\n" + post
                        + "Content-Length: 9\r\nConnection: close\r\n\r\nok v=2 2\n")
                let both = await piped.receive(within: .seconds(5))
                #expect(String(decoding: both.bytes, as: UTF8.self).components(separatedBy: "HTTP/1.1 204").count == 3)
                let old = try await answer(
                    Array("POST /write?db=t HTTP/1.0\r\nContent-Length: 9\r\n\r\nok v=3 3\n".utf8))
                #expect(old.contains(" 204 "), "\(old)")

                for node in cluster.nodes {
                    #expect(try await node.client.names("SHOW MEASUREMENTS", db: "t") == ["ok"])
                    #expect(try await node.client.count("v", of: "ok", db: "t") == 3)
                }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("A1 clients that send slowly or nothing at all do not keep others waiting")
        func slowClients() async throws {
            try await TestCluster.run { cluster in
                var slow: [RawConnection] = []
                for number in 0..<100 {
                    let connection = try RawConnection(port: cluster.gateway.port)
                    switch number % 3 {
                    case 0: await connection.send("POST /wri")
                    case 1:
                        await connection.send("POST /write?db=t HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nslow")
                    default: break
                    }
                    slow.append(connection)
                }
                for number in 0..<100 {
                    let (reply, took) = try await timed { try await cluster.client.write("m v=1 \(number)", db: "t") }
                    try #require(reply.status == 204)
                    try #require(took < .seconds(1))
                }
                // A slow client that does come to its end is served like any other.
                await slow[0].send("te?db=t HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nslow v=1 1")
                #expect(await slow[0].receiveAnswer().hasPrefix("HTTP/1.1 204"))
            }
        }
    }
}
