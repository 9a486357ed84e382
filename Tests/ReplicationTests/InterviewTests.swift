import Cluster
import Foundation
import NIOCore
import NIOPosix
import NodeClient
import Replication
import TestSupport
import Testing

/// Interviews with one node from a test's task.
struct Interviewer: Sendable {
    private let loop: any EventLoop
    private let bound: NIOLoopBoundBox<NodeInterview>

    init(_ url: String, limits: NodeInterview.Limits = .init(), credential: ServiceCredential? = nil) async throws {
        let address = try NodeAddress(parsing: url)
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        self.loop = loop
        bound = try await loop.submit {
            let pool = NodePool(eventLoop: loop, address: address, credential: credential)
            return NIOLoopBoundBox(
                NodeInterview(pool: pool, limits: limits), eventLoop: loop)
        }.get()
    }

    func ask<T: Sendable>(_ question: @escaping @Sendable (NodeInterview) -> EventLoopFuture<T>) async throws -> T {
        try await loop.flatSubmit { question(bound.value) }.get()
    }

    /// The failure of a question that must not succeed.
    func failure<T: Sendable>(
        _ question: @escaping @Sendable (NodeInterview) -> EventLoopFuture<T>
    ) async throws -> InterviewFailure {
        do {
            let answer = try await ask(question)
            throw TestFailure("an answer where a failure was expected: \(answer)")
        } catch let failure as InterviewFailure {
            return failure
        }
    }

    func sample(_ database: String?) async throws -> FenceSample {
        switch try await ask({ $0.fence(database: database) }) {
        case .sample(let sample): return sample
        case .unavailable(let reason): throw TestFailure(reason)
        }
    }
}

/// Which index a node uses must make no difference.
let indexes = ["inmem", "tsi1"]

func started(_ name: String, index: String = "inmem", _ change: (inout InfluxNode.Settings) -> Void = { _ in })
    async throws -> InfluxNode
{
    var settings = InfluxNode.Settings()
    settings.index = index
    change(&settings)
    return try await InfluxNode.started(name, settings)
}

@Suite("An interview with a real influxd", .serialized, .timeLimit(.minutes(3)))
struct InterviewTests {
    @Test("a node shows its process, clock, version, fsync delay and continuous queries")
    func facts() async throws {
        let node = try await started("a") {
            $0.extra["data"] = "wal-fsync-delay = \"1.5s\""
        }
        let client = node.client
        try await client.execute("CREATE DATABASE d")
        try await client.execute(
            "CREATE CONTINUOUS QUERY hourly ON d BEGIN SELECT mean(v) INTO m FROM n GROUP BY time(1h) END")
        let interviewer = try await Interviewer(node.url)
        let facts = try await interviewer.ask { $0.facts() }
        #expect(facts.process?.pid == node.process.map { Int64($0.pid) })
        #expect(facts.version.hasPrefix("1."))
        #expect(facts.walFsyncDelay == 1_500_000_000)
        #expect(facts.runsContinuousQueries == false)
        #expect(facts.continuousQueries.map(\.name) == ["hourly"])
        #expect(facts.continuousQueries.map(\.database) == ["d"])
        #expect(facts.continuousQueries.first?.statement.contains("GROUP BY time(1h)") == true)
        let offset = try #require(facts.clockOffset)
        #expect(abs(offset) <= facts.roundTrip)

        // Whichever way it is asked, the same run of the server is the same process; another run is another.
        let sample = try await interviewer.sample("d")
        #expect(sample.process == facts.process)
        try await node.stop()
        try await node.start()
        let again = try await interviewer.ask { $0.facts() }
        #expect(again.process != nil && again.process != facts.process)
        #expect(try await interviewer.sample("d").process == again.process)
    }

    @Test("the index of a node with many series is known", arguments: indexes)
    func index(index: String) async throws {
        let node = try await started("a", index: index)
        try await node.client.execute("CREATE DATABASE d")
        let body = (0..<40_000).map { "m,h=h\($0) v=1 1" }.joined(separator: "\n")
        try #require(try await node.client.write(body, db: "d").status == 204)
        let interviewer = try await Interviewer(node.url)
        #expect(try await interviewer.ask { $0.facts() }.indexVersion == index)
    }

    @Test("rows, tags, epoch and the node's own words arrive as values")
    func statements() async throws {
        let node = try await started("a")
        try await node.client.execute("CREATE DATABASE d")
        try #require(
            try await node.client.write(
                "m,h=a\\ b i=9223372036854775807i,f=0.1,s=\"ü\\\"\" 1600000000000000001", db: "d"
            ).status == 204)
        let interviewer = try await Interviewer(node.url)
        let series = try await interviewer.ask { $0.ask("SELECT i, f, s FROM m GROUP BY h", database: "d") }
        #expect(series.count == 1)
        #expect(series.first?.tags == ["h": "a b"])
        #expect(series.first?.first("time")?.int64 == 1_600_000_000_000_000_001)
        #expect(series.first?.first("i")?.int64 == .max)
        #expect(series.first?.first("f")?.double == 0.1)
        #expect(series.first?.first("s")?.string == "ü\"")
        #expect(try await interviewer.ask { $0.ask("SELECT x FROM nothing", database: "d") } == [])

        let unknown = try await interviewer.failure { $0.ask("SELECT v FROM m", database: "nope") }
        #expect(unknown.kind == .refused && unknown.reason.contains("database not found: nope"))
        let wrong = try await interviewer.failure { $0.ask("SELEC") }
        #expect(wrong.kind == .refused && wrong.reason.contains("error parsing query"))
        // InfluxDB answers this with plain text under a 200.
        let infinite = try await interviewer.failure { $0.ask("SELECT exp(i) FROM m", database: "d") }
        #expect(infinite.kind == .unusable && infinite.reason.contains("json"))
    }

    @Test("a node that is gone, hangs, is no InfluxDB or wants a password is told apart, in bounded time")
    func trouble() async throws {
        let node = try await started("a")
        var limits = NodeInterview.Limits()
        limits.firstByte = .milliseconds(300)
        limits.idle = .milliseconds(300)
        let interviewer = try await Interviewer(node.url, limits: limits)
        _ = try await interviewer.ask { $0.facts() }
        node.hang()
        defer { node.wakeUp() }
        try await eventually("the server has stopped") {
            do { _ = try await interviewer.ask { $0.version() } } catch { return true }
            return false
        }
        let (hung, took) = try await timed { try await interviewer.failure { $0.facts() } }
        #expect(hung.kind == .unreachable)
        #expect(took < .seconds(5))
        guard case .unavailable = try await interviewer.ask({ $0.fence(database: nil) }) else {
            throw TestFailure("a sample from a node that hangs")
        }
        try await node.kill()
        #expect(try await interviewer.failure { $0.markers() }.kind == .unreachable)

        let locked = try await started("b") { $0.authentication = true }
        let user = "CREATE USER root WITH PASSWORD 'p' WITH ALL PRIVILEGES"
        try #require(try await locked.client.query(user, method: .post).status == 200)
        let stranger = try await Interviewer(locked.url)
        #expect(try await stranger.failure { $0.facts() }.kind == .unauthorized)
        let known = try await Interviewer(
            locked.url, credential: ServiceCredential(username: "root", password: Secret("p")))
        #expect(try await known.ask { $0.facts() }.walFsyncDelay == 0)

        let gateway = try await GatewayLike.answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        let other = try await Interviewer(gateway.url)
        #expect(try await other.failure { $0.ask("SHOW DATABASES") }.kind == .notInfluxDB)
        try await gateway.close()
    }

    @Test("databases of users are listed without the reserved ones, and a node without measurements is empty")
    func databases() async throws {
        let node = try await started("a")
        let interviewer = try await Interviewer(node.url)
        #expect(try await interviewer.ask { $0.userDatabases() } == [])
        #expect(try await interviewer.ask { $0.hasData() } == false)
        try await interviewer.ask {
            $0.writeMarker(Marker(logID: "0f", epoch: 1, cursor: 2, node: "a"))
        }
        try await node.client.execute("CREATE DATABASE z")
        try await node.client.execute("CREATE DATABASE \"_internal\"")
        try await node.client.execute("CREATE DATABASE \"a b\"")
        #expect(try await interviewer.ask { $0.userDatabases() } == ["z", "a b"])
        #expect(try await interviewer.ask { $0.hasData() } == false)
        try #require(try await node.client.write("m v=1", db: "a b").status == 204)
        #expect(try await interviewer.ask { $0.hasData() } == true)
    }

    @Test("S11 a marker is what was written last for its log, beside those of other logs", arguments: indexes)
    func markers(index: String) async throws {
        let node = try await started("a", index: index)
        let interviewer = try await Interviewer(node.url)
        #expect(try await interviewer.ask { $0.markers() } == [])
        let mine = Marker(logID: String(repeating: "a", count: 32), epoch: 3, cursor: 17, node: "n-1.x_y")
        var other = Marker(logID: String(repeating: "b", count: 32), epoch: 1, cursor: 0, node: "b")
        for marker in [mine, other] { try await interviewer.ask { $0.writeMarker(marker) } }
        #expect(try await interviewer.ask { $0.markers() } == [mine, other])
        other.epoch = 2
        other.cursor = 1 << 40
        try await interviewer.ask { [other] in $0.writeMarker(other) }
        try await node.kill()
        try await node.start()
        #expect(try await interviewer.ask { $0.markers() } == [mine, other])

        try #require(try await node.client.write("marker,log=x cursor=1i 0", db: "_sluice").status == 204)
        #expect(try await interviewer.failure { $0.markers() }.reason.contains("no Sluice wrote"))
        try await node.client.execute("DROP DATABASE \"_sluice\"")
        #expect(try await interviewer.ask { $0.markers() } == [])
    }

    @Test("a marker can be written where databases get no retention policy by themselves")
    func withoutDefaultPolicies() async throws {
        let node = try await started("a") { $0.extra["meta"] = "retention-autocreate = false" }
        let interviewer = try await Interviewer(node.url)
        let marker = Marker(logID: "0f", epoch: 1, cursor: 2, node: "a")
        try await interviewer.ask { $0.writeMarker(marker) }
        #expect(try await interviewer.ask { $0.markers() } == [marker])
    }
}

/// Answers every connection with the same bytes.
struct GatewayLike: Sendable {
    let url: String
    private let channel: any Channel

    static func answering(_ bytes: String) async throws -> GatewayLike {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answering(bytes: bytes))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        return GatewayLike(url: "http://127.0.0.1:\(channel.localAddress?.port ?? 0)", channel: channel)
    }

    func close() async throws { try await channel.close() }

    private final class Answering: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let bytes: String

        init(bytes: String) { self.bytes = bytes }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: bytes)), promise: nil)
        }
    }
}
