// One read: choose a node, hold its head back until its first bytes are known not to be its dying words, then stream
// through untouched; before that moment a node that fails is replaced and the client never knows.
//
//            choose            first good bytes            end
//   waiting --------> trying ------------------> streaming -----> done
//      ^                 |  node failed, left the read set, or said dying words
//      +-----------------+

import Cluster
import ContentCoding
import HTTPCodec
import Logging
import NIOCore
import NodeClient

/// Where the answer goes; on the same event loop.
package protocol ReadSink: AnyObject {
    func readBegan(status: Int, headers: HeaderFields)
    func readBody(_ bytes: ByteBuffer)
    func readEnded()
    /// Nothing was said to the client yet: answer with this.
    func readRefused(status: Int, message: String)
    /// The node failed in the middle: the client must see that the answer is cut off.
    func readBroke(_ reason: String)
}

/// What reads need to know of the cluster; on the same event loop.
package protocol ReadTargets: AnyObject {
    /// The nodes that may be read now.
    var readable: ReadableNodes { get }
    /// The nodes that hold some of what a read touches otherwise than others do.
    func diverged(_ footprint: ReadFootprint) -> NodeSet
    func pool(for node: NodeIndex) -> NodePool
    func began(on node: NodeIndex)
    func ended(on node: NodeIndex)
    /// What the node has of its own in the place of the general time-outs.
    func timeouts(of node: NodeIndex) -> NodeTimeouts
    /// Nanoseconds that the node lacks; nil: it is in sync; `.max`: nobody knows.
    func staleness(of node: NodeIndex) -> Int64?
}

/// How long a read waits for one node; nil: as for all.
package struct NodeTimeouts: Equatable, Sendable {
    package var firstByte: TimeAmount?
    package var idle: TimeAmount?

    package init(firstByte: TimeAmount? = nil, idle: TimeAmount? = nil) {
        self.firstByte = firstByte
        self.idle = idle
    }
}

extension ReadTargets {
    package func timeouts(of node: NodeIndex) -> NodeTimeouts { NodeTimeouts() }
}

package struct ReadableNodes: Sendable {
    package var inSync: [NodeChoice.Candidate]
    /// When none is in sync: who may answer all the same, the most advanced first, with what it lacks in nanoseconds.
    package var stale: [(node: NodeIndex, age: Int64)]
    /// Whether some node answers pings: it may be in sync soon.
    package var anyUp: Bool
    /// The gateway has started so recently that waiting beats being stale.
    package var isStarting: Bool

    package init(
        inSync: [NodeChoice.Candidate], stale: [(node: NodeIndex, age: Int64)], anyUp: Bool, isStarting: Bool
    ) {
        self.inSync = inSync
        self.stale = stale
        self.anyUp = anyUp
        self.isStarting = isStarting
    }
}

package final class ReadExecution {
    package struct Settings: Sendable {
        package var firstByteTimeout: TimeAmount = .minutes(2)
        package var idleTimeout: TimeAmount = .minutes(5)
        /// A node has at least this, whatever is set for all or for it.
        package var leastIdleTimeout = TimeAmount.zero
        /// For the whole read, waiting included; nil: as long as bytes come.
        package var timeout: TimeAmount?
        /// How long a read waits for a node to be in sync before it is stale or refused.
        package var waitForSync: TimeAmount = .milliseconds(500)
        package var waitForSyncAtStart: TimeAmount = .seconds(10)
        package var allowStale = true

        package init() {}
    }

    private enum State {
        case waiting(since: NIODeadline)
        case trying(NodeIndex)
        case streaming(NodeIndex)
        case done
    }

    private let request: NodeRequest
    private let footprint: ReadFootprint
    private let targets: any ReadTargets
    private let settings: Settings
    /// The node that is to answer, in sync or not; nil: whoever is in sync.
    private let only: (node: NodeIndex, name: String)?
    /// The nodes that hold what is read, and how a message calls them; nil: all.
    private let within: (nodes: NodeSet, words: String)?
    private let eventLoop: any EventLoop
    private let logger: Logger
    private weak var sink: (any ReadSink)?

    private var state: State
    private var tried = NodeSet()
    fileprivate var attempts = 0
    private var exchange: NodeExchange?
    private var turn: Int
    /// Nanoseconds that the answering node lacks; nil: it is in sync.
    private var staleness: Int64?
    private var watch: RepeatedTask?
    private var end: Scheduled<Void>?

    private var head: (status: Int, headers: HeaderFields)?
    private var heldBack: [ByteBuffer] = []
    private var lastFailure = ""

    /// - Parameters:
    ///   - turn: any number that grows from read to read.
    ///   - only: the node that is to answer, in sync or not, with its own words; nil: whoever is in sync.
    ///   - within: the nodes that hold what is read, and how a message calls them; nil: all.
    package init(
        request: NodeRequest, footprint: ReadFootprint, targets: any ReadTargets, settings: Settings, turn: Int,
        only: (node: NodeIndex, name: String)? = nil, within: (nodes: NodeSet, words: String)? = nil,
        eventLoop: any EventLoop, logger: Logger, sink: any ReadSink
    ) {
        self.only = only
        self.within = within
        self.request = request
        self.footprint = footprint
        self.targets = targets
        self.settings = settings
        self.turn = turn
        self.eventLoop = eventLoop
        self.logger = logger
        self.sink = sink
        state = .waiting(since: eventLoop.now)
    }

    package func start() {
        if let timeout = settings.timeout {
            let here = NIOLoopBound(self, eventLoop: eventLoop)
            end = eventLoop.scheduleTask(in: timeout) { here.value.timedOut(timeout) }
        }
        choose(since: eventLoop.now)
    }

    private func timedOut(_ timeout: TimeAmount) {
        let words = "the query took longer than \(timeout.nanoseconds / 1_000_000) ms"
        let abandoned = exchange
        exchange = nil
        switch state {
        case .waiting, .trying: refuse(words)
        case .streaming:
            finish()
            sink?.readBroke(words)
        case .done: break
        }
        abandoned?.cancel()
    }

    /// The client left: the node need not go on.
    package func cancel() {
        finish()
        exchange?.cancel()
        exchange = nil
    }

    package func pauseReading() { exchange?.pauseReading() }
    package func resumeReading() { exchange?.resumeReading() }

    // MARK: Choosing

    private func choose(since: NIODeadline) {
        if let only {
            guard attempts == 0 else { return refuse("node \(only.name) failed: \(lastFailure)") }
            staleness = targets.staleness(of: only.node)
            return attempt(only.node)
        }
        guard attempts < NodeSet.capacity else { return refuse("every node failed: \(lastFailure)") }
        let readable = self.readable
        let diverged = targets.diverged(footprint)
        let candidates = readable.inSync.filter { !tried.contains($0.node) && !diverged.contains($0.node) }
        if let node = NodeChoice.best(of: candidates, turn: turn) {
            staleness = nil
            return attempt(node)
        }
        if !readable.inSync.isEmpty, readable.inSync.allSatisfy({ diverged.contains($0.node) }) {
            return refuse(
                "what is read here differs between nodes, and no node in sync is known to hold it rightly: "
                    + "see sluice status")
        }
        if !readable.inSync.isEmpty {
            // All in-sync nodes failed this read; what they said is the answer.
            return refuse("every in-sync node failed: \(lastFailure)")
        }
        let bound = readable.isStarting ? settings.waitForSyncAtStart : settings.waitForSync
        let mayWait = readable.anyUp || readable.isStarting
        if mayWait, eventLoop.now - since < bound { return lookAgain(since: since) }
        if settings.allowStale,
            let (node, age) = readable.stale.first(where: {
                !tried.contains($0.node) && !diverged.contains($0.node)
            })
        {
            staleness = age
            logger.warning("a read is answered by a node that is not in sync", metadata: ["node": "\(node)"])
            return attempt(node)
        }
        refuse(
            tried.isEmpty
                ? "no node is in sync; try again later" : "no node is in sync, and others failed: \(lastFailure)"
        )
    }

    private var readable: ReadableNodes {
        var readable = targets.readable
        guard let nodes = within?.nodes else { return readable }
        readable.inSync.removeAll { !nodes.contains($0.node) }
        readable.stale.removeAll { !nodes.contains($0.node) }
        return readable
    }

    private func lookAgain(since: NIODeadline) {
        state = .waiting(since: since)
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(20)) {
            if case .waiting(let since) = here.value.state { here.value.choose(since: since) }
        }
    }

    private func attempt(_ node: NodeIndex) {
        attempts += 1
        tried.insert(node)
        state = .trying(node)
        head = nil
        heldBack = []
        targets.began(on: node)
        watchReadSet(node)
        let own = targets.timeouts(of: node)
        exchange = targets.pool(for: node)
            .send(
                request, to: Attempt(number: attempts, read: self),
                options: ExchangeOptions(
                    firstByteTimeout: own.firstByte ?? settings.firstByteTimeout,
                    idleTimeout: max(own.idle ?? settings.idleTimeout, settings.leastIdleTimeout)
                )
            )
    }

    /// A node that leaves the read set before it began to answer is replaced: it may hang.
    private func watchReadSet(_ node: NodeIndex) {
        guard watch == nil, staleness == nil, only == nil else { return }
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        watch = eventLoop.scheduleRepeatedTask(initialDelay: .milliseconds(250), delay: .milliseconds(250)) { _ in
            let read = here.value
            guard case .trying(let node) = read.state, read.staleness == nil else { return }
            let readable = read.readable.inSync
            if !readable.isEmpty, !readable.contains(where: { $0.node == node }) {
                read.replace(node, reason: "left the in-sync set before it answered")
            }
        }
    }

    private func replace(_ node: NodeIndex, reason: String) {
        lastFailure = reason
        let abandoned = exchange
        exchange = nil
        targets.ended(on: node)
        state = .waiting(since: eventLoop.now)
        abandoned?.cancel()
        choose(since: eventLoop.now)
    }

    private func refuse(_ message: String) {
        finish()
        sink?.readRefused(status: 503, message: within.map { "\($0.words): \(message)" } ?? message)
    }

    private func finish() {
        switch state {
        case .trying(let node), .streaming(let node): targets.ended(on: node)
        case .waiting, .done: break
        }
        state = .done
        watch?.cancel()
        watch = nil
        end?.cancel()
        end = nil
    }

    // MARK: The node's answer

    fileprivate func responseHead(status: Int, headers: HeaderFields) {
        guard case .trying(let node) = state else { return }
        let isUsable = status < 500 && status != 429 && headers.contains(name: "X-Influxdb-Version")
        guard isUsable || only != nil else {
            return replace(node, reason: "a node answered \(status)")
        }
        head = (status, headers)
    }

    fileprivate func responseBody(_ bytes: ByteBuffer) {
        switch state {
        case .trying(let node):
            heldBack.append(bytes)
            guard let head, let words = FirstWords(of: heldBack, headers: head.headers) else { return }
            if words.areDying, only == nil { return replace(node, reason: "a node is stopping") }
            beginStreaming(node)
        case .streaming:
            sink?.readBody(bytes)
        case .waiting, .done:
            break
        }
    }

    fileprivate func responseEnd() {
        if case .trying(let node) = state { beginStreaming(node) }
        guard case .streaming = state else { return }
        finish()
        exchange = nil
        sink?.readEnded()
    }

    fileprivate func responseFailed(_ failure: NodeFailure) {
        switch state {
        case .trying(let node): replace(node, reason: "\(failure)")
        case .streaming:
            finish()
            sink?.readBroke("\(failure)")
        case .waiting, .done: break
        }
    }

    private func beginStreaming(_ node: NodeIndex) {
        guard let head else { return }
        state = .streaming(node)
        watch?.cancel()
        watch = nil
        var headers = head.headers
        if let staleness { headers.add("X-Sluice-Stale", Self.seconds(staleness)) }
        sink?.readBegan(status: head.status, headers: headers)
        for bytes in heldBack { sink?.readBody(bytes) }
        heldBack = []
    }

    /// Whole seconds, rounded up; `unknown` when what the node lacks is from before this start.
    private static func seconds(_ nanoseconds: Int64) -> String {
        nanoseconds == .max ? "unknown" : "\((nanoseconds + 999_999_999) / 1_000_000_000)s"
    }
}

/// One node's try at a read: what a node says that was given up on is not heard any more.
private final class Attempt: NodeResponseReceiver {
    private let number: Int
    private let read: ReadExecution

    init(number: Int, read: ReadExecution) {
        self.number = number
        self.read = read
    }

    private var current: ReadExecution? { read.attempts == number ? read : nil }

    func responseHead(status: Int, headers: HeaderFields) { current?.responseHead(status: status, headers: headers) }
    func responseBody(_ bytes: ByteBuffer) { current?.responseBody(bytes) }
    func responseEnd() { current?.responseEnd() }
    func responseFailed(_ failure: NodeFailure) { current?.responseFailed(failure) }
}

/// The beginning of an answer's body, as text.
struct FirstWords {
    let areDying: Bool

    /// `{"results":[{"error":` in MessagePack: an error stands alone in its result [1.6.7].
    private static let messagePackError =
        [0x81, 0xA7] + Array("results".utf8) + [0x91, 0x81, 0xA5] + Array("error".utf8)

    /// nil: too little is here to tell.
    init?(of pieces: [ByteBuffer], headers: HeaderFields) {
        let isGzip = headers.first(name: "Content-Encoding")?.lowercased() == "gzip"
        var bytes: [UInt8] = []
        for piece in pieces { bytes += piece.readableBytesView.prefix(4096 - min(bytes.count, 4096)) }
        if isGzip {
            guard let inflated = Inflater.beginning(of: bytes, limit: 1024), !inflated.isEmpty else {
                // Not gzip after all, or not enough of it: a node's last words are short and come whole.
                if bytes.count >= 4096 { areDying = false } else { return nil }
                return
            }
            bytes = inflated
        }
        if bytes.isEmpty { return nil }
        let text = String(decoding: bytes.prefix(1024), as: UTF8.self)
        // Whom somebody killed is to stay dead: no other node begins anew.
        guard NodeAnswer.isTransient(text), !text.mentions("query interrupted") else {
            areDying = false
            return
        }
        let isMessagePack = headers.first(name: "Content-Type") == "application/x-msgpack"
        areDying = isMessagePack ? bytes.starts(with: Self.messagePackError) : text.mentions("\"error\"")
    }
}
