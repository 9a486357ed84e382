// What connections cost, and what those get who keep them busy without saying anything of worth.

import Foundation
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Connections {
        @Test("I8 ten thousand idle connections cost at most 100 MB, and others are served as before")
        func idle() async throws {
            let count = 10_000
            // The gateway inherits it.
            try IdleConnections.raiseFileLimit(to: count + 2000)
            let settings = GatewayProcess.Settings(limits: ["connections": "\(count + 1000)"])
            try await TestCluster.run(settings) { cluster in
                func served() async throws -> Duration {
                    let start = ContinuousClock.now
                    let reply = try await cluster.client.write("m v=1 1", db: "t")
                    let count = try await cluster.client.count("v", of: "m", db: "t")
                    if reply.status != 204 || count != 1 { throw TestFailure("a client among others: \(reply)") }
                    return ContinuousClock.now - start
                }
                for _ in 0..<20 { _ = try await served() }
                let process = try #require(cluster.gateway.process)
                let before = try #require(process.residentBytes)
                let ping = "GET /ping HTTP/1.1\r\nHost: h\r\nUser-Agent: telegraf\r\n\r\n"
                var crowd: IdleConnections? = try await IdleConnections.open(
                    count, port: cluster.gateway.port, request: ping)
                let cost = try #require(process.residentBytes) - before
                print("10,000 idle connections: \(cost / 1_000_000) MB, \(cost / count) bytes each")
                #expect(cost <= 100_000_000, "\(cost) bytes")
                let descriptors = try #require(process.openFileDescriptors)
                #expect(descriptors >= count)
                for _ in 0..<20 {
                    let took = try await served()
                    #expect(took < .seconds(2))
                }
                #expect(crowd?.open == count)
                crowd = nil
                try await eventually("their descriptors are free again", within: .seconds(60)) {
                    process.openFileDescriptors.map { $0 < 200 } ?? false
                }
                // A slow machine is so busy with their ends that it misses the nodes' pings.
                try await cluster.gateway.waitUntilInSync()
                _ = try await served()
            }
        }

        @Test("the gateway opens as many files as it is allowed, and says when that is too few")
        func openFiles() async throws {
            var settings = GatewayProcess.Settings(limits: ["connections": "500"])
            for (hard, warns) in [(700, true), (900, false)] {
                settings.openFiles = (128, hard)
                try await TestCluster.run(settings, nodes: ["a"]) { cluster in
                    let crowd = try await IdleConnections.open(
                        400, port: cluster.gateway.port, request: "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n")
                    #expect(crowd.open == 400)
                    #expect(try await cluster.client.write("m v=1 1", db: "t").status == 204)
                    let warnings = try cluster.gateway.errorLines().filter { $0.contains("may open fewer files") }
                    #expect(warnings.count == (warns ? 1 : 0), "\(warnings)")
                    if warns { #expect(warnings[0].contains("allowed=700") && warnings[0].contains("needed=756")) }
                }
            }
        }

        @Test("I8 clients that send a byte a second are cut off, while others are served")
        func slowHead() async throws {
            try await TestCluster.run { cluster in
                let head = Array(
                    "POST /write?db=t HTTP/1.1\r\nHost: h\r\nX-Slow: \(String(repeating: "a", count: 60))".utf8)
                try await withThrowingTaskGroup(of: Duration.self) { group in
                    for _ in 0..<100 {
                        let connection = try RawConnection(port: cluster.gateway.port)
                        group.addTask {
                            let start = ContinuousClock.now
                            for byte in head {
                                await connection.send([byte])
                                let received = await connection.receive(within: .seconds(1))
                                guard received.closed || !received.bytes.isEmpty else { continue }
                                let answer = String(decoding: received.bytes, as: UTF8.self)
                                #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 408 "), "\(answer)")
                                return ContinuousClock.now - start
                            }
                            throw TestFailure("a head of \(head.count) bytes may take \(ContinuousClock.now - start)")
                        }
                    }
                    var slowest = Duration.zero
                    let isOver = Flag()
                    async let others: Duration = Self.slowestWrite(cluster.client, until: isOver)
                    for try await took in group { slowest = max(slowest, took) }
                    isOver.set()
                    // Ten seconds from the first byte on.
                    #expect(slowest < .seconds(15), "\(slowest)")
                    let waited = try await others
                    #expect(waited < .seconds(2), "a write of another client took \(waited)")
                }
            }
        }

        private static func slowestWrite(_ client: InfluxClient, until isOver: Flag) async throws -> Duration {
            var slowest = Duration.zero
            var count = 0
            while !isOver.isSet {
                count += 1
                let (reply, took) = try await timed { try await client.write("m v=\(count) \(count)", db: "t") }
                if reply.status != 204 { throw TestFailure("a write of another client: \(reply)") }
                slowest = max(slowest, took)
                try await Task.sleep(for: .milliseconds(20))
            }
            return slowest
        }

        private static let password = "flood-Pa55word"

        @Test("I8 I6 a flood of requests without a good credential grows neither log nor memory, and keeps nobody out")
        func flood() async throws {
            var node = InfluxNode.Settings()
            node.authentication = true
            var settings = GatewayProcess.Settings()
            settings.node = "username: root, password: \(Self.password)"
            try await TestCluster.run(
                settings, node: node, db: nil,
                prepare: { node in
                    try await node.client.execute(
                        "CREATE USER root WITH PASSWORD '\(Self.password)' WITH ALL PRIVILEGES")
                },
                body: { cluster in
                    let root = cluster.client.signedIn("root", Self.password)
                    try await root.execute("CREATE DATABASE t")
                    #expect(try await root.write("m v=1 1", db: "t").status == 204)
                    let process = try #require(cluster.gateway.process)
                    let flood = Flood(cluster.client)
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<50 {
                            group.addTask { await flood.flow() }
                        }
                        // What fifty connections, caches and buffers need once is there after the first seconds.
                        try await Task.sleep(for: .seconds(5))
                        let memory = try #require(process.residentBytes)
                        let end = try await cluster.gateway.status().log.durableEnd
                        let bytes = try await cluster.gateway.status().log.bytesUsed
                        let lines = try cluster.gateway.errorLines().count
                        let sent = flood.sent
                        try await Task.sleep(for: EndToEnd.isLong ? .seconds(60) : .seconds(10))
                        let good = try await timed { try await root.query("SELECT * FROM m", db: "t") }
                        let grown = try #require(process.residentBytes) - memory
                        flood.end()
                        try await group.waitForAll()
                        let all = flood.answers
                        print(
                            "flood: \(all), \(flood.sent - sent) after warm-up, "
                                + "\(grown) bytes more, a good query took \(good.took)")
                        #expect(good.value.status == 200 && good.took < .seconds(10), "\(good)")
                        // 503: the nodes check a password in a tenth of a second, so not all can be asked.
                        #expect(Set(all.keys).isSubset(of: [0, 401, 503]), "\(all)")
                        #expect(all[401] ?? 0 > 100)
                        #expect(grown < 20_000_000, "\(grown) bytes")
                        let after = try await cluster.gateway.status()
                        #expect(after.log.durableEnd == end && after.log.bytesUsed <= bytes, "\(after)")
                        #expect(try cluster.gateway.errorLines().count < lines + 100)
                    }
                    #expect(try await root.write("m v=2 2", db: "t").status == 204)
                    for node in cluster.nodes {
                        let client = node.client.signedIn("root", Self.password)
                        #expect(try await client.names("SHOW MEASUREMENTS", db: "t") == ["m"])
                        #expect(
                            try await client.names("SHOW DATABASES").filter { $0 != "_sluice" && $0 != "_internal" }
                                == ["t"])
                    }
                })
        }
    }
}

/// Clients that nobody invited.
private final class Flood: Sendable {
    private let client: InfluxClient
    private let count = Atomic(0)
    private let counts = Mutex<[Int: Int]>([:])
    private let isOver = Flag()

    init(_ client: InfluxClient) { self.client = client }

    var sent: Int { count.load(ordering: .relaxed) }
    /// By status; 0: the connection was closed without one, which is what a large body may get.
    var answers: [Int: Int] { counts.withLock { $0 } }

    func end() { isOver.set() }

    /// One client, until the end.
    func flow() async {
        while !isOver.isSet, !Task.isCancelled {
            let number = count.add(1, ordering: .relaxed).newValue
            let (target, headers, body) = Self.uninvited(number)
            let isChunked = headers.contains { $0.0 == "Transfer-Encoding" }
            let reply = try? await client.send(
                .post, target, headers: headers.filter { $0.0 != "Transfer-Encoding" },
                body: isChunked ? .chunked([body, body]) : body.isEmpty ? .none : .bytes(body))
            counts.withLock { $0[reply?.status ?? 0, default: 0] += 1 }
        }
    }

    /// Requests of which none may do anything: no credential, a wrong one, one that is none.
    private static func uninvited(_ number: Int) -> (target: String, headers: [(String, String)], body: [UInt8]) {
        func basic(_ text: String) -> [(String, String)] {
            [("Authorization", "Basic " + Data(text.utf8).base64EncodedString())]
        }
        let line = Array("flood,n=\(number) v=1 \(number)\n".utf8)
        let many = Array(repeatElement(line, count: 2000).joined())
        let query = "/query?db=t&q=" + InfluxClient.percent("SELECT * FROM m WHERE n = '\(number)'")
        return switch number % 12 {
        case 0: ("/write?db=t", [], line)
        case 1: ("/write?db=t", basic("nobody\(number):x"), line)
        case 2: ("/write?db=t", basic("root:wrong\(number % 24)"), line)
        case 3: ("/write?db=t&u=guess\(number)&p=guess", [], line)
        case 4: ("/write?db=db\(number)", [("Authorization", "Nonsense \(number)")], line)
        case 5: ("/api/v2/write?bucket=t&precision=ns", [("Authorization", "Token a:\(number)")], line)
        case 6: ("/write?db=t", [("Transfer-Encoding", "chunked"), ("X-\(number)", "y")], many)
        case 7: ("/write?db=t", [("Authorization", "Bearer a.b.\(number)")], many)
        case 8: (query, [], [])
        case 9: (query, basic("nobody\(number):x"), [])
        case 10: ("/query?q=CREATE+DATABASE+flood\(number)", basic("guess:\(number)"), [])
        default: ("/query?u=root&p=guess\(number % 24)&q=DROP+DATABASE+t", [], [])
        }
    }
}
