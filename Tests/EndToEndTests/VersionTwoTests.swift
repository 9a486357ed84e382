// Clients of version 2 of the API, before nodes of 1.6.7, which have nothing of it.

import Foundation
import Prometheus
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct VersionTwo {
        private func json(_ text: String) -> InfluxClient.Body { .bytes(Array(text.utf8)) }

        @Test("/health and /ready are the gateway's own and need no credential")
        func health() async throws {
            try await TestCluster.run(.init(["no_insync": "refuse"])) { cluster in
                let health = try await cluster.client.send(.get, "/health")
                #expect(health.status == 200)
                #expect(
                    health.text == #"{"checks":[],"message":"ready for queries and writes","name":"influxdb","#
                        + #""status":"pass","version":"1.6.7~rc0"}"#)
                #expect(try await cluster.client.send(.get, "/ready").text == #"{"status":"ready"}"#)
                #expect(try await cluster.client.send(.options, "/health").status == 200)
                #expect(try await cluster.client.send(.post, "/health").status == 405)
                for node in cluster.nodes { try await node.kill() }
                try await eventually("/health says that no write could be answered") {
                    let reply = try await cluster.client.send(.get, "/health")
                    return reply.status == 503 && reply.text.contains(#""status":"fail""#)
                }
                #expect(try await cluster.client.send(.get, "/ready").status == 503)
            }
        }

        @Test("a delete of version 2 removes the same points from every node")
        func delete() async throws {
            try await TestCluster.run { cluster in
                let client = cluster.client
                var lines = ""
                for second in 0..<10 {
                    lines += "m,a=x v=\(second) \(second)000000000\nm,a=y v=\(second) \(second)000000000\n"
                    lines += "n,a=x v=\(second) \(second)000000000\n"
                }
                try #require(try await client.write(lines, db: "t").status == 204)
                let range = #""start":"1970-01-01T00:00:02Z","stop":"1970-01-01T00:00:05Z""#
                let body = json(#"{\#(range),"predicate":"_measurement=\"m\" AND a=\"x\""}"#)
                let reply = try await client.send(.post, "/api/v2/delete?bucket=t/autogen", body: body)
                #expect(reply.status == 204, "\(reply)")
                for node in cluster.nodes {
                    #expect(try await node.client.count("v", of: "m", db: "t") == 17)
                    #expect(try await node.client.count("v", of: "n", db: "t") == 10)
                }
                #expect(
                    try await client.send(.post, "/api/v2/delete?bucket=t", body: json("{\(range)}")).status == 204)
                for node in cluster.nodes { #expect(try await node.client.count("v", of: "n", db: "t") == 7) }
                let refused: [(String, String, Int)] = [
                    ("/api/v2/delete", "{\(range)}", 404), ("/api/v2/delete?bucket=nope/x", "{\(range)}", 404),
                    ("/api/v2/delete?bucket=t", "{}", 400),
                    ("/api/v2/delete?bucket=t", #"{\#(range),"predicate":"a != 'b'"}"#, 400),
                ]
                for (target, body, status) in refused {
                    let reply = try await client.send(.post, target, body: json(body))
                    #expect(
                        reply.status == status && reply.error?.hasPrefix("delete - ") == true, "\(target): \(reply)")
                }
                #expect(try await client.send(.get, "/api/v2/delete").status == 405)
            }
        }

        @Test("buckets are databases and retention policies, created, changed and dropped on every node")
        func buckets() async throws {
            try await TestCluster.run(db: nil) { cluster in
                let client = cluster.client
                func policies(_ database: String) async throws -> String {
                    try await cluster.sameAnswer("SHOW RETENTION POLICIES ON \(database)", db: "")
                }
                let created = try await client.send(
                    .post, "/api/v2/buckets",
                    body: json(#"{"name":"b/one","retentionRules":[{"type":"expire","everySeconds":7200}]}"#))
                #expect(created.status == 201, "\(created)")
                #expect(created.text.contains(#""name":"b/one","rp":"one""#))
                #expect(created.text.contains(#""everySeconds":7200"#))
                #expect(try await policies("b").contains(#"["one","2h0m0s","1h0m0s",1,true]"#))
                let second = json(#"{"name":"b/two","retentionRules":[]}"#)
                #expect(try await client.send(.post, "/api/v2/buckets", body: second).status == 201)
                #expect(try await client.send(.post, "/api/v2/buckets", body: second).status == 422)
                let list = try await client.send(.get, "/api/v2/buckets").text
                #expect(list.hasPrefix(#"{"buckets":[{"id":"b/one""#) && list.contains(#""id":"b/two""#), "\(list)")
                #expect(!list.contains("_sluice"))
                let named = try await client.send(.get, "/api/v2/buckets?name=b/two").text
                #expect(!named.contains("b/one") && named.contains("b/two"))
                #expect(try await client.send(.get, "/api/v2/buckets/b%2Ftwo").text.contains(#""everySeconds":0"#))
                #expect(try await client.send(.get, "/api/v2/buckets/b/nope").status == 404)
                #expect(try await client.send(.delete, "/api/v2/buckets/b/two").status == 204)
                #expect(try await client.send(.delete, "/api/v2/buckets/b/two").status == 404)
                #expect(try await client.send(.delete, "/api/v2/buckets/nope/two").status == 404)
                #expect(try await client.send(.get, "/api/v2/buckets/b%2Fone/labels").status == 405)
                #expect(try await client.send(.put, "/api/v2/buckets").status == 405)
                #expect(try await client.send(.post, "/api/v2/buckets", body: json("{}")).status == 404)
                #expect(try await !policies("b").contains("two"))
            }
        }

        @Test("Flux goes to a node as it is; what could write is refused, and a node without Flux says so itself")
        func flux() async throws {
            try await TestCluster.run { cluster in
                let type = [("Content-Type", "application/vnd.flux")]
                let read = try await cluster.client.send(
                    .post, "/api/v2/query?org=x", headers: type, body: json("buckets()"))
                #expect(read.status == 404 && read.text == "404 page not found\n", "\(read)")
                let write = try await cluster.client.send(
                    .post, "/api/v2/query", headers: type, body: json(#"x |> to(bucket: "t")"#))
                #expect(write.status == 403 && write.error?.contains("/write") == true, "\(write)")
            }
        }

        @Test("remote writes of Prometheus are stored by every node; what no line can say is dropped and said")
        func remoteWrite() async throws {
            try await TestCluster.run(.init(limits: ["body": "4MB", "inflated_body": "4MB"])) { cluster in
                func send(_ series: [[UInt8]]) async throws -> Reply {
                    try await cluster.client.send(
                        .post, "/api/v1/prom/write?db=t", body: .bytes(Snappy.encoded(PrometheusWire.write(series))))
                }
                // Enough for another thread, and for several pieces.
                let many = (0..<20_000).map { number in
                    PrometheusWire.series(
                        [("__name__", "many"), ("n", "\(number % 100)")], [(Double(number), Int64(number))])
                }
                #expect(try await send(many).status == 204)
                for node in cluster.nodes {
                    #expect(try await node.client.count("value", of: "many", db: "t") == 20_000)
                }
                let partial = try await send([
                    PrometheusWire.series([("__name__", "p"), ("path", #"C:\"#)], [(1, 1)]),
                    PrometheusWire.series([("__name__", "p"), ("path", "D:")], [(1, 1)]),
                ])
                #expect(partial.status == 400)
                #expect(
                    partial.error?.hasPrefix("partial write: ") == true && partial.error?.hasSuffix("dropped=1") == true
                )
                for node in cluster.nodes { #expect(try await node.client.count("value", of: "p", db: "t") == 1) }
                let bomb = Snappy.encoded([UInt8](repeating: 0, count: 5_000_000))
                let refused = try await cluster.client.send(.post, "/api/v1/prom/write?db=t", body: .bytes(bomb))
                #expect(refused.status == 413)
            }
        }
    }
}
