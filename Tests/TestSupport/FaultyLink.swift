// The network between a gateway and one node, as it can go wrong while both live: connections that break in the middle
// of a request, answers that come late, a path that is silent. Real sockets on both sides.

import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A TCP proxy on a port of 127.0.0.1. Connections start without faults; each fault holds until it is changed.
///
/// It understands just enough of HTTP/1.1 to know when a request has been passed on as a whole, so that a test can
/// break a connection at the one moment that matters.
package final class FaultyLink: Sendable {
    package enum Ending: Sendable {
        /// As a process ends that is stopped: what was sent is still delivered.
        case fin
        /// As a host ends that lost its state: what the other side has not read yet may be lost.
        case rst
    }

    /// When a connection is cut by itself.
    package struct Trigger: Sendable {
        package enum Moment: Sendable {
            /// The node's kernel has all of the request; no answer has come.
            case passedOn
            /// The first bytes of its answer were passed on.
            case answering
        }

        package let moment: Moment
        /// Of requests whose head or body (its first 4096 bytes) contain this text.
        package let text: String
        package let ending: Ending

        package init(_ moment: Moment, of text: String, by ending: Ending = .fin) {
            self.moment = moment
            self.text = text
            self.ending = ending
        }
    }

    struct State {
        var answerDelay: TimeAmount = .zero
        var requestDelay: TimeAmount = .zero
        var isSilent = false
        var isRefusing = false
        var trigger: Trigger?
        var triggersLeft = 0
        var silencesAfterTriggers = false
        var cuts = 0
        /// The beginnings of the last requests that were passed on.
        var recent: [[UInt8]] = []
        var pairs: [ObjectIdentifier: LinkedPair] = [:]

        mutating func note(_ request: [UInt8]) {
            if recent.count == 1000 { recent.removeFirst(500) }
            recent.append(request)
        }
    }

    package let port: Int
    private let listener: any Channel
    private let state: Shared

    /// What the connections share with the link, which they may outlive by a moment.
    final class Shared: Sendable {
        let value = Mutex(State())
    }

    package init(to nodePort: Int) async throws {
        let state = Shared()
        self.state = state
        let group = MultiThreadedEventLoopGroup.singleton
        listener = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { front in
                if state.value.withLock({ $0.isRefusing }) { return front.close() }
                // Both ends on one event loop, so that neither waits for a lock of the other.
                return ClientBootstrap(group: front.eventLoop)
                    .connect(host: "127.0.0.1", port: nodePort)
                    .flatMapThrowing { back in
                        let pair = LinkedPair(front: front, back: back, state)
                        try front.pipeline.syncOperations.addHandler(LinkedHandler(pair, side: .front))
                        try back.pipeline.syncOperations.addHandler(LinkedHandler(pair, side: .back))
                    }
            }
            .bind(host: "127.0.0.1", port: FreePort.next()).get()
        guard let port = listener.localAddress?.port else { throw TestFailure("the link has no port") }
        self.port = port
    }

    deinit {
        listener.close(promise: nil)
        cut(.rst)
    }

    package var url: String { "http://127.0.0.1:\(port)" }

    /// Connections that were cut so far, by a call or by a trigger.
    package var cuts: Int { state.value.withLock { $0.cuts } }

    /// Everything that goes in one direction from now on arrives that much later.
    package func delay(answers: Duration = .zero, requests: Duration = .zero) {
        state.value.withLock {
            $0.answerDelay = .nanoseconds(Int64(answers.seconds * 1e9))
            $0.requestDelay = .nanoseconds(Int64(requests.seconds * 1e9))
        }
    }

    /// Nothing passes in either direction, connections stay open: a cable that was pulled.
    package func silence() {
        state.value.withLock { $0.isSilent = true }
    }

    /// The end of `silence` and `refuse`; what was held back is passed on.
    package func restore() {
        let pairs = state.value.withLock { state in
            state.isSilent = false
            state.isRefusing = false
            return Array(state.pairs.values)
        }
        for pair in pairs { pair.passOnLater() }
    }

    /// New connections are closed at once.
    package func refuse() {
        state.value.withLock { $0.isRefusing = true }
    }

    /// Ends all connections on both sides.
    package func cut(_ ending: Ending) {
        for pair in state.value.withLock({ Array($0.pairs.values) }) { pair.cut(ending) }
    }

    /// Cuts the connections of the next `times` requests that match, each at its moment. Replaces the trigger before.
    /// With `thenSilence` nothing passes after the last of them, until `restore`.
    package func cut(_ trigger: Trigger, times: Int, thenSilence: Bool = false) {
        state.value.withLock {
            $0.trigger = trigger
            $0.triggersLeft = times
            $0.silencesAfterTriggers = thenSilence
        }
    }

    /// How often the trigger has yet to fire.
    package var triggersLeft: Int { state.value.withLock { $0.triggersLeft } }

    /// Whole requests passed on to the node that contain `text` (see `Trigger`), out of the last thousand.
    package func requestsPassedOn(of text: String) -> Int {
        let text = Array(text.utf8)
        return state.value.withLock { $0.recent.count { !$0.ranges(of: text).isEmpty } }
    }

    package func disarm() {
        state.value.withLock { $0.triggersLeft = 0 }
    }
}

/// The two connections that make one. Its state belongs to their event loop.
final class LinkedPair: Sendable {
    enum Side { case front, back }

    /// What came in on one side and waits for its time to leave on the other.
    private struct Direction {
        var waiting: [(due: NIODeadline, bytes: ByteBuffer)] = []
        var isEnded = false
    }

    private struct Loop {
        var toNode = Direction()
        var toGateway = Direction()
        var requests = RequestTracker()
        /// The request that is being answered matches the trigger.
        var isMatched = false
        var isClosed = false
    }

    private let front: any Channel
    private let back: any Channel
    private let link: FaultyLink.Shared
    private let loop: NIOLoopBoundBox<Loop>
    private var eventLoop: any EventLoop { front.eventLoop }

    init(front: any Channel, back: any Channel, _ link: FaultyLink.Shared) {
        self.front = front
        self.back = back
        self.link = link
        loop = NIOLoopBoundBox(Loop(), eventLoop: front.eventLoop)
        link.value.withLock { $0.pairs[ObjectIdentifier(self)] = self }
    }

    func received(_ bytes: ByteBuffer, on side: Side) {
        let delay = link.value.withLock { side == .front ? $0.requestDelay : $0.answerDelay }
        let due = NIODeadline.now() + delay
        if side == .front {
            loop.value.toNode.waiting.append((due, bytes))
        } else {
            loop.value.toGateway.waiting.append((due, bytes))
        }
        if delay > .zero { eventLoop.scheduleTask(deadline: due) { self.passOn() } } else { passOn() }
    }

    func ended(_ side: Side) {
        if side == .front { loop.value.toNode.isEnded = true } else { loop.value.toGateway.isEnded = true }
        passOn()
    }

    func passOnLater() { eventLoop.execute { self.passOn() } }

    private func passOn() {
        guard !loop.value.isClosed, !link.value.withLock({ $0.isSilent }) else { return }
        let now = NIODeadline.now()
        while let first = loop.value.toNode.waiting.first, first.due <= now {
            loop.value.toNode.waiting.removeFirst()
            passToNode(first.bytes)
        }
        while let first = loop.value.toGateway.waiting.first, first.due <= now {
            loop.value.toGateway.waiting.removeFirst()
            let isLast = fires(.answering)
            let written = front.writeAndFlush(first.bytes)
            if let isLast { written.whenComplete { _ in self.cut(isLast) } }
        }
        if loop.value.toNode.isEnded, loop.value.toNode.waiting.isEmpty { finish(back) }
        if loop.value.toGateway.isEnded, loop.value.toGateway.waiting.isEmpty { finish(front) }
    }

    private func passToNode(_ bytes: ByteBuffer) {
        let text = link.value.withLock { $0.triggersLeft > 0 ? $0.trigger?.text : nil }
        let isComplete = loop.value.requests.feed(bytes.readableBytesView)
        loop.value.isMatched = text.map { loop.value.requests.contains($0) } ?? false
        let written = back.writeAndFlush(bytes)
        if isComplete { link.value.withLock { $0.note(loop.value.requests.seen) } }
        if isComplete, let ending = fires(.passedOn) { written.whenComplete { _ in self.cut(ending) } }
    }

    /// How the connection is to end now, if the trigger says so.
    private func fires(_ moment: FaultyLink.Trigger.Moment) -> FaultyLink.Ending? {
        guard loop.value.isMatched else { return nil }
        return link.value.withLock { state in
            guard state.triggersLeft > 0, let trigger = state.trigger, trigger.moment == moment else { return nil }
            state.triggersLeft -= 1
            if state.triggersLeft == 0, state.silencesAfterTriggers { state.isSilent = true }
            loop.value.isMatched = false
            return trigger.ending
        }
    }

    /// Closes one side when all that was passed on to it has left, the other now.
    private func finish(_ channel: any Channel) {
        loop.value.isClosed = true
        link.value.withLock { $0.pairs[ObjectIdentifier(self)] = nil }
        let other = channel === front ? back : front
        other.close(promise: nil)
        channel.writeAndFlush(ByteBuffer()).whenComplete { _ in channel.close(promise: nil) }
    }

    func cut(_ ending: FaultyLink.Ending) {
        eventLoop.execute {
            guard !self.loop.value.isClosed else { return }
            self.link.value.withLock { $0.cuts += 1 }
            switch ending {
            case .fin:
                self.finish(self.back)
            case .rst:
                self.loop.value.isClosed = true
                self.link.value.withLock { $0.pairs[ObjectIdentifier(self)] = nil }
                for channel in [self.front, self.back] {
                    // Lingering for no time at all is how a socket is told to end with RST.
                    let options = channel as? any SocketOptionProvider
                    options?.setSoLinger(Glibc.linger(l_onoff: 1, l_linger: 0))
                        .whenComplete { _ in channel.close(promise: nil) }
                }
            }
        }
    }
}

private final class LinkedHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let pair: LinkedPair
    private let side: LinkedPair.Side

    init(_ pair: LinkedPair, side: LinkedPair.Side) {
        self.pair = pair
        self.side = side
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pair.received(unwrapInboundIn(data), on: side)
    }

    func channelInactive(context: ChannelHandlerContext) { pair.ended(side) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// Where requests with `Content-Length` (as the gateway sends them) begin and end in one connection's bytes.
struct RequestTracker {
    private var head: [UInt8] = []
    /// The head of the present request and the beginning of its body.
    private(set) var seen: [UInt8] = []
    /// Bytes of the body that have yet to come; nil within a head.
    private var left: Int?

    /// Whether a request ends with these bytes.
    mutating func feed(_ bytes: some Collection<UInt8>) -> Bool {
        var bytes = bytes[...]
        var isComplete = false
        while !bytes.isEmpty {
            if let left {
                let body = bytes.prefix(left)
                seen += body.prefix(max(0, 4096 - seen.count))
                bytes = bytes.dropFirst(body.count)
                self.left = left - body.count
            } else {
                if head.isEmpty { seen = [] }
                while left == nil, let byte = bytes.popFirst() {
                    head.append(byte)
                    if byte == 10, head.suffix(4) == [13, 10, 13, 10] {
                        left = Self.contentLength(head)
                        seen = head
                        head = []
                    }
                }
            }
            if left == 0 {
                left = nil
                isComplete = bytes.isEmpty
            }
        }
        return isComplete
    }

    /// Whether the request that came last contains `text`.
    func contains(_ text: String) -> Bool { !seen.ranges(of: Array(text.utf8)).isEmpty }

    private static func contentLength(_ head: [UInt8]) -> Int {
        for line in String(decoding: head, as: UTF8.self).split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == "content-length" {
                return Int(parts[1].filter { $0 != " " }) ?? 0
            }
        }
        return 0
    }
}
