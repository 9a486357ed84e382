// Limits on requests and connections, over real sockets: beyond them 503 with Retry-After, for that user alone.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct AdmissionLimits {
        private static func requireRefused(_ reply: Reply, _ words: String) throws {
            guard reply.status == 503, reply.error == words, reply.header("X-Influxdb-Error") == words,
                let after = reply.header("Retry-After").flatMap({ Int($0) }), after >= 1
            else { throw TestFailure("\(reply) \(reply.headers)") }
        }

        private static func refused(_ reason: String, _ cluster: TestCluster) async throws -> Int {
            Int(try await cluster.gateway.metrics()["sluice_requests_refused_total{reason=\"\(reason)\"}"] ?? -1)
        }

        /// Two users, and nodes that check credentials.
        private static func withUsers(
            _ limits: [String: String],
            body: (TestCluster, _ ann: InfluxClient, _ bob: InfluxClient) async throws -> Void
        ) async throws {
            var node = InfluxNode.Settings()
            node.authentication = true
            var settings = GatewayProcess.Settings(limits: limits)
            settings.node = "username: root, password: r"
            try await TestCluster.run(settings, nodes: ["a"], node: node, db: nil) { node in
                let created = try await node.client.query(
                    "CREATE USER root WITH PASSWORD 'r' WITH ALL PRIVILEGES", method: .post)
                guard created.status == 200 else { throw TestFailure("\(created)") }
                let root = node.client.signedIn("root", "r")
                for statement in [
                    "CREATE DATABASE t", "CREATE USER ann WITH PASSWORD 'a'", "CREATE USER bob WITH PASSWORD 'b'",
                    "GRANT ALL ON t TO ann", "GRANT ALL ON t TO bob",
                ] { try await root.execute(statement) }
            } body: { cluster in
                let ann = cluster.client.signedIn("ann", "a")
                let bob = cluster.client.signedIn("bob", "b")
                // From here on the gateway knows whose credentials these are.
                for client in [ann, bob] {
                    try await eventually("the credential is good") {
                        try await client.write("", db: "t").status == 204
                    }
                }
                try await body(cluster, ann, bob)
            }
        }

        @Test("A10 a user beyond its rate gets 503 with Retry-After, others are served, and /ping always answers")
        func requestRate() async throws {
            try await Self.withUsers(["user_request_rate": "20"]) { cluster, ann, bob in
                var refusal: Reply?
                try await eventually("ann is beyond her rate") {
                    let reply = try await ann.write("m v=1 1", db: "t")
                    if reply.status == 204 { return false }
                    refusal = reply
                    return true
                }
                try Self.requireRefused(try #require(refusal), "this user sends too many requests")
                #expect(try await bob.write("m v=2 2", db: "t").status == 204)
                #expect(try await bob.query("SHOW MEASUREMENTS", db: "t").status == 200)
                for _ in 0..<50 { #expect(try await ann.send(.get, "/ping").status == 204) }
                try await eventually("ann may again") { try await ann.write("m v=3 3", db: "t").status == 204 }
                #expect(try await Self.refused("user_request_rate", cluster) >= 1)
            }
        }

        @Test("I8 nobody spends a user's budget with that user's name and a wrong password")
        func otherPassword() async throws {
            try await Self.withUsers(["user_request_rate": "20"]) { cluster, ann, _ in
                let liar = cluster.client.signedIn("ann", "wrong")
                var counts: [Int: Int] = [:]
                for _ in 0..<200 { counts[try await liar.write("m v=1 1", db: "t").status, default: 0] += 1 }
                #expect(counts[401] ?? 0 >= 1 && counts[503] ?? 0 >= 1 && counts.count == 2, "\(counts)")
                // Every form of the credential, right in the middle of it.
                #expect(try await ann.write("m v=1 1", db: "t").status == 204)
                let end = try await cluster.gateway.status().log.durableEnd
                for _ in 0..<200 { _ = try await liar.write("m v=1 1", db: "t") }
                #expect(try await cluster.gateway.status().log.durableEnd == end)
            }
        }

        @Test("a user beyond its bytes per second waits as long as Retry-After says; a body that began is taken")
        func bytesRate() async throws {
            try await Self.withUsers(["user_bytes_rate": "10KB"]) { _, ann, bob in
                let large = "m s=\"" + String(repeating: "x", count: 25_000) + "\" 1"
                #expect(try await ann.write(large, db: "t").status == 204)
                let refusal = try await ann.write("m v=1 1", db: "t")
                try Self.requireRefused(refusal, "this user sends too many bytes")
                #expect(try await bob.write("m v=1 1", db: "t").status == 204)
                let after = try #require(refusal.header("Retry-After").flatMap { Int($0) })
                #expect((1...3).contains(after))
                let (_, took) = try await timed {
                    try await eventually("ann may again") { try await ann.write("m v=1 1", db: "t").status == 204 }
                }
                #expect(took < .seconds(after) + EndToEnd.slack)
            }
        }

        /// A write that was let in, and whose body does not come.
        private static func hanging(_ port: Int) async throws -> RawConnection {
            let connection = try RawConnection(port: port)
            await connection.send(
                "POST /write?db=t HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n")
            let answer = await connection.receive { $0.starts(with: Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
            guard !answer.closed else { throw TestFailure(String(decoding: answer.bytes, as: UTF8.self)) }
            return connection
        }

        @Test(
            "requests under way are limited as a whole, for each listener and for each user, and end with their connections"
        )
        func inFlight() async throws {
            let port = try FreePort.next()
            let listeners = "[{listen: 127.0.0.1:\(port), limits: {requests: 1, body: 1KB}}]"
            let settings = GatewayProcess.Settings(
                ["listeners": listeners], limits: ["requests": "4", "user_requests": "3"])
            try await TestCluster.run(settings, nodes: ["a"]) { cluster in
                let other = InfluxClient(port: port)
                #expect(
                    try await other.write("m s=\"\(String(repeating: "x", count: 1000))\" 1", db: "t").status == 413)
                var held = [try await Self.hanging(port)]
                var last = try await other.write("m v=1 1", db: "t")
                try Self.requireRefused(last, "too many requests are under way at this address")
                #expect(try await cluster.client.write("m v=1 1", db: "t").status == 204)
                for _ in 0..<2 { held.append(try await Self.hanging(cluster.gateway.port)) }
                last = try await cluster.client.write("m v=1 1", db: "t")
                try Self.requireRefused(last, "too many requests of this user are under way")
                #expect(try await cluster.client.send(.get, "/ping").status == 204)
                held = []
                try await eventually("both take writes again") {
                    let first = try await cluster.client.write("m v=1 1", db: "t")
                    let second = try await other.write("m v=1 1", db: "t")
                    return first.status == 204 && second.status == 204
                }
                for reason in ["listener_requests", "user_requests"] {
                    #expect(try await Self.refused(reason, cluster) >= 1)
                }
            }
        }

        @Test("A10 requests under way over all users have a limit; what says that the gateway works has none")
        func allRequests() async throws {
            try await TestCluster.run(.init(limits: ["requests": "2"]), nodes: ["a"]) { cluster in
                let held = [try await Self.hanging(cluster.gateway.port), try await Self.hanging(cluster.gateway.port)]
                for target in ["/query?q=SHOW+DATABASES", "/write?db=t", "/api/v2/buckets", "/nothing"] {
                    let reply = try await cluster.client.send(target.hasPrefix("/write") ? .post : .get, target)
                    try Self.requireRefused(reply, "too many requests are under way")
                }
                for (target, status) in [("/ping", 204), ("/health", 200), ("/ready", 200), ("/status", 204)] {
                    #expect(try await cluster.client.send(.get, target).status == status, "\(target)")
                }
                #expect(try await Self.refused("requests", cluster) == 4)
                for connection in held { await connection.send("m v=1 1234") }
                for connection in held { #expect(await connection.receiveAnswer().hasPrefix("HTTP/1.1 204")) }
                #expect(try await cluster.client.write("m v=2 2", db: "t").status == 204)
            }
        }

        @Test("A9 connections of a listener have a limit of their own; the others take no part in it")
        func listenerConnections() async throws {
            let port = try FreePort.next()
            let listeners = "[{listen: 127.0.0.1:\(port), limits: {connections: 2}}]"
            try await TestCluster.run(.init(["listeners": listeners]), nodes: ["a"]) { cluster in
                func ping(_ port: Int) async throws -> (connection: RawConnection, answer: String) {
                    let connection = try RawConnection(port: port)
                    await connection.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
                    return (connection, await connection.receiveAnswer())
                }
                var held: [RawConnection] = []
                for _ in 0..<2 {
                    let (connection, answer) = try await ping(port)
                    #expect(answer.hasPrefix("HTTP/1.1 204"))
                    held.append(connection)
                }
                let refused = try await ping(port).answer
                #expect(refused.hasPrefix("HTTP/1.1 503") && refused.contains("Retry-After: 1"), "\(refused)")
                #expect(try await ping(cluster.gateway.port).answer.hasPrefix("HTTP/1.1 204"))
                held.removeLast()
                try await eventually("there is room again") {
                    try await ping(port).answer.hasPrefix("HTTP/1.1 204")
                }
            }
        }

        @Test("A9 connections of one client are limited; one that leaves makes room for another")
        func connections() async throws {
            let settings = GatewayProcess.Settings(limits: ["connections_per_address": "3"])
            try await TestCluster.run(settings, nodes: ["a"]) { cluster in
                // The client's own connections are among the three.
                var held: [RawConnection] = []
                var answer = ""
                for _ in 0..<4 where answer.isEmpty {
                    let connection = try RawConnection(port: cluster.gateway.port)
                    await connection.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
                    let reply = await connection.receiveAnswer()
                    if reply.hasPrefix("HTTP/1.1 503") { answer = reply } else { held.append(connection) }
                }
                #expect(answer.contains("Retry-After: 1") && answer.contains("too many connections"), "\(answer)")
                held = []
                try await eventually("there is room again") {
                    let connection = try RawConnection(port: cluster.gateway.port)
                    await connection.send("GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
                    return await connection.receiveAnswer().hasPrefix("HTTP/1.1 204")
                }
            }
        }

        @Test("the times that clients may take are configured")
        func times() async throws {
            let limits = ["header_timeout": "300ms", "idle_timeout": "1s", "body_timeout": "300ms"]
            try await TestCluster.run(.init(limits: limits), nodes: ["a"]) { cluster in
                for (bytes, answer) in [
                    ("GET /ping HT", "HTTP/1.1 408"), ("", ""),
                    ("POST /write?db=t HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nm", "HTTP/1.1 408"),
                ] {
                    let connection = try RawConnection(port: cluster.gateway.port)
                    await connection.send(bytes)
                    let (received, took) = await timed { await connection.receive(within: .seconds(8)) }
                    #expect(received.closed && took < .seconds(6), "\(bytes)")
                    #expect(String(decoding: received.bytes, as: UTF8.self).hasPrefix(answer), "\(bytes)")
                }
            }
        }
    }
}
