// A server on a free loopback port that answers each request as a test says, and the pool that talks to it.
import Glibc
import HTTPCodec
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NodeClient
import TestSupport
import Testing

/// Waits for something that is certain to come.
func eventually(
    within seconds: Double = 10, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
) {
    let end = NIODeadline.now() + .nanoseconds(Int64(seconds * 1e9))
    while !condition() {
        guard NIODeadline.now() < end else {
            Issue.record("not within \(seconds) s", sourceLocation: sourceLocation)
            return
        }
        usleep(1000)
    }
}

/// How an exchange went.
struct Outcome: Equatable, Sendable {
    enum Ending: Equatable, Sendable { case end, notSent, afterSend, cancelled }

    var status: Int?
    var body = ""
    var ending: Ending
}

extension NodeRequest {
    static func write(_ body: String) -> NodeRequest {
        NodeRequest(method: .POST, target: "/write?db=d", body: [ByteBuffer(string: body)])
    }
}

/// An exchange under way.
struct Running: Sendable {
    var exchange: NIOLoopBound<NodeExchange>
    var outcome: EventLoopFuture<Outcome>
    var received: NIOLockedValueBox<Int>
}

/// Collects a response. Bodies larger than a few bytes are only counted.
private final class Collector: NodeResponseReceiver {
    let promise: EventLoopPromise<Outcome>
    let received: NIOLockedValueBox<Int>
    let pausesAtBody: Bool
    var exchange: NodeExchange?
    private var outcome = Outcome(ending: .end)
    private var isOver = false

    init(promise: EventLoopPromise<Outcome>, received: NIOLockedValueBox<Int>, pausesAtBody: Bool) {
        self.promise = promise
        self.received = received
        self.pausesAtBody = pausesAtBody
    }

    func responseHead(status: Int, headers: HeaderFields) {
        #expect(!isOver && outcome.status == nil)
        outcome.status = status
    }

    func responseBody(_ bytes: ByteBuffer) {
        #expect(!isOver && outcome.status != nil)
        if pausesAtBody, received.withLockedValue({ $0 }) == 0 {
            exchange?.pauseReading()
        }
        received.withLockedValue { $0 += bytes.readableBytes }
        if outcome.body.utf8.count < 100 {
            outcome.body += String(buffer: bytes)
        }
    }

    func responseEnd() { end(.end) }

    func responseFailed(_ failure: NodeFailure) {
        switch failure {
        case .notSent: end(.notSent)
        case .afterSend: end(.afterSend)
        case .cancelled: end(.cancelled)
        }
    }

    private func end(_ ending: Outcome.Ending) {
        #expect(!isOver)
        isOver = true
        exchange = nil
        outcome.ending = ending
        promise.succeed(outcome)
    }
}

/// Sends the next request from within the end of the last, as a lane does.
final class Chain: NodeResponseReceiver {
    let pool: NodePool
    let promise: EventLoopPromise<Int>
    private let rounds: Int
    private var done = 0

    init(pool: NodePool, rounds: Int, promise: EventLoopPromise<Int>) {
        self.pool = pool
        self.rounds = rounds
        self.promise = promise
    }

    func start() { pool.send(.write("\(done)"), to: self) }
    func responseHead(status: Int, headers: HeaderFields) {}
    func responseBody(_ bytes: ByteBuffer) {}

    func responseEnd() {
        done += 1
        if done == rounds {
            promise.succeed(done)
        } else {
            start()
        }
    }

    func responseFailed(_ failure: NodeFailure) { promise.fail(failure) }
}

/// What a test's script can do with a connection, on the server's event loop.
final class NodeSide {
    private let channel: any Channel

    init(channel: any Channel) { self.channel = channel }

    func answer(_ text: String) { answer(ByteBuffer(string: text)) }
    func answer(_ bytes: ByteBuffer) { channel.writeAndFlush(bytes, promise: nil) }
    func close() { channel.close(promise: nil) }

    func reset() {
        (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { _ in }
        close()
    }

    func after(_ time: TimeAmount, _ body: @escaping (NodeSide) -> Void) {
        _ = channel.eventLoop.assumeIsolated().scheduleTask(in: time) { body(self) }
    }
}

/// Takes requests apart just far enough to know where they end.
private final class NodeHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let script: @Sendable (NodeSide) -> Void
    private let node: TestNode.Shared
    private let readsBodies: Bool
    private var bytes = ByteBuffer()

    init(script: @escaping @Sendable (NodeSide) -> Void, node: TestNode.Shared, readsBodies: Bool) {
        self.script = script
        self.node = node
        self.readsBodies = readsBodies
    }

    func channelActive(context: ChannelHandlerContext) {
        node.accepted.withLockedValue { $0 += 1 }
        let bound = NIOLoopBound(context.channel, eventLoop: context.eventLoop)
        node.newest.withLockedValue { $0 = bound }
    }

    func channelInactive(context: ChannelHandlerContext) {
        node.closed.withLockedValue { $0 += 1 }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes.writeImmutableBuffer(unwrapInboundIn(data))
        while let request = next() {
            node.requests.withLockedValue { $0.append(request) }
            script(NodeSide(channel: context.channel))
            if !readsBodies {
                context.channel.setOption(.autoRead, value: false).whenComplete { _ in }
                bytes.clear()
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if (error as? IOError)?.errnoCode == ECONNRESET { node.resets.withLockedValue { $0 += 1 } }
        context.close(promise: nil)
    }

    private func next() -> String? {
        guard let end = bytes.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8)) else {
            return nil
        }
        let head = String(decoding: bytes.readableBytesView[..<end.upperBound], as: UTF8.self)
        let length =
            head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
            .flatMap { Int($0.dropFirst(16)) } ?? 0
        return bytes.readString(length: head.utf8.count + (readsBodies ? length : 0))
    }
}

struct TestNode {
    final class Shared: Sendable {
        let accepted = NIOLockedValueBox(0)
        let closed = NIOLockedValueBox(0)
        let resets = NIOLockedValueBox(0)
        let requests = NIOLockedValueBox<[String]>([])
        let newest = NIOLockedValueBox<NIOLoopBound<any Channel>?>(nil)
    }

    let port: Int
    private let shared: Shared
    private let pool: NIOLoopBound<NodePool>
    private let listener: any Channel

    var accepted: Int { shared.accepted.withLockedValue { $0 } }
    var closed: Int { shared.closed.withLockedValue { $0 } }
    /// Connections that did not end in order.
    var resets: Int { shared.resets.withLockedValue { $0 } }
    var requests: [String] { shared.requests.withLockedValue { $0 } }

    /// Bytes that the newest connection's server side could not write yet.
    var unwritten: Int? {
        guard let channel = shared.newest.withLockedValue({ $0 }) else {
            return nil
        }
        return try? channel.eventLoop.submit {
            try channel.value.syncOptions?.getOption(.bufferedWritableBytes)
        }.wait()
    }

    /// The newest connection reads again.
    func readOn() throws {
        guard let channel = shared.newest.withLockedValue({ $0 }) else { return }
        try channel.eventLoop.submit { try channel.value.syncOptions?.setOption(.autoRead, value: true) }.wait()
    }

    /// Runs a script for every request; everything is stopped when the body returns or throws.
    static func run(
        limits: NodePoolLimits = NodePoolLimits(), basePath: String = "", readsBodies: Bool = true,
        credential: ServiceCredential? = nil, _ script: @escaping @Sendable (NodeSide) -> Void,
        test: (TestNode) throws -> Void
    ) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        defer { #expect(throws: Never.self) { try group.syncShutdownGracefully() } }
        let shared = Shared()
        let listener = try ServerBootstrap(group: group.next())
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NodeHandler(script: script, node: shared, readsBodies: readsBodies))
                }
            }
            .bind(host: "127.0.0.1", port: FreePort.next()).wait()
        let port = try #require(listener.localAddress?.port)
        let loop = group.next()
        let pool = try loop.submit {
            let address = NodeAddress(host: "127.0.0.1", port: port, basePath: basePath)
            return NIOLoopBound(
                NodePool(eventLoop: loop, address: address, limits: limits, credential: credential), eventLoop: loop)
        }.wait()
        let node = TestNode(port: port, shared: shared, pool: pool, listener: listener)
        try test(node)
        try node.onLoop { $0.close(force: true) }.wait()
        #expect(try node.figures() == NodePoolFigures(open: 0, connecting: 0, busy: 0, waiting: 0))
    }

    func stop() throws { try listener.close().wait() }

    func onLoop<T: Sendable>(_ body: @escaping @Sendable (NodePool) throws -> T) throws -> T {
        let pool = pool
        return try pool.eventLoop.submit { try body(pool.value) }.wait()
    }

    func figures() throws -> NodePoolFigures { try onLoop { $0.figures } }

    func begin(
        _ request: NodeRequest, options: ExchangeOptions = .neverGiveUp, pausesAtBody: Bool = false
    ) throws -> Running {
        try onLoop { pool in
            let promise = pool.eventLoop.makePromise(of: Outcome.self)
            let received = NIOLockedValueBox(0)
            let collector = Collector(promise: promise, received: received, pausesAtBody: pausesAtBody)
            let exchange = pool.send(request, to: collector, options: options)
            collector.exchange = exchange
            return Running(
                exchange: NIOLoopBound(exchange, eventLoop: pool.eventLoop), outcome: promise.futureResult,
                received: received)
        }
    }

    func send(_ request: NodeRequest, options: ExchangeOptions = .neverGiveUp) throws -> Outcome {
        try begin(request, options: options).outcome.wait()
    }
}
