// Brings one node up to the log and keeps it there. All on one event loop; what decides is `NodeLanes`, `BatchDelivery`,
// `Settling`, `Health`, `Backoff` and the table of answers, what this file and its extensions add is sending, waiting
// and telling.
//
//   feed --> lanes --> requests in flight --> verdict --> applied / refused / again later
//
// Nothing is sent while the gate is closed. It opens when the node was interviewed, the cluster's control has said from
// where it is fed, and the fence has shown that no earlier request of ours is under way in it (S10):
//
//   closed --interview, decision--> settling --fence clean--> open
//     ^                                |                        |
//     +---- contact lost (a connection broke, the process may be another) ----+
//
// A request is never given up while its connection lives: the node leaves the in-sync set instead, and nobody waits
// for it.

import Cluster
import CommitLog
import LineProtocol
import Logging
import NIOCore
import NodeClient

package final class NodeReplicator {
    package struct Settings: Sendable {
        package var batch = NodeLanes.Limits()
        /// How far a node's records in memory may be ahead of its cursor, in bytes.
        package var lookAhead = 64 << 20
        package var pingInterval: TimeAmount = .seconds(1)
        package var pingMisses = 3
        package var markerInterval: TimeAmount = .seconds(1)
        /// From 0 to 1, new at each call: nodes must not be tried again in step.
        package var jitter: @Sendable () -> Double = { .random(in: 0..<1) }
        /// Which shards the node has open is asked soon after it was attached, then less and less often, down to this.
        package var shardLookInterval: TimeAmount = .seconds(60)
        /// A write that is refused with 500 so often, and for so long, is a reason to ask what the node's shards are.
        package var stubbornFailures = 5
        package var stubbornTime: TimeAmount = .seconds(30)
        package var largestMutationAnswer = 4 << 20
        package var largestRefusalText = 64 << 10
        /// Opens sealed statements.
        package var sealer: (any StatementSealer)?
        /// Points are sent to the node as gzip.
        package var gzip = false

        package init() {}
    }

    /// A batch on its way.
    struct Flight {
        let batch: NodeLanes.Batch
        /// Set when the batch cannot simply be sent as a whole.
        var lines: BatchLines?
        var delivery: BatchDelivery?
        /// What the node said first of the batch.
        var words: Refusal?
        var lacksDatabase = false
        /// Set while the node's counters must show that nothing of it is under way.
        var settling: Settling?
        /// The records whose refused lines await the decision of the set.
        var undecided: Set<Offset> = []
        /// Records of which lines that the set refused were left out from the beginning.
        var excluded: Set<Offset> = []
        /// The statement drops shards.
        var isDrop = false
        /// What is to be reported once the feed has come this far: the set may have decided already.
        var unreported: (refused: [Int: RefusedLines], until: Offset)?
    }

    enum Gate {
        case closed
        case settling(Settling)
        case open
    }

    enum Contact {
        /// The process behind the address may be another than before.
        case unknown
        /// By number: what an earlier one brings is not heard.
        case interviewing(Int)
        /// Interviewed, and nothing has happened since.
        case known
    }

    package let node: NodeIndex
    let name: String
    let eventLoop: any EventLoop
    let pool: NodePool
    private let pingPool: NodePool
    let questions: NodeInterview
    let feed: LogFeed
    let settings: Settings
    let delegate: any ReplicatorDelegate
    let logger: Logger
    package let figures: ReplicatorFigures

    var lanes: NodeLanes
    var flights: [Int: Flight] = [:]
    /// New with each attachment: what belongs to an older one is not heard any more.
    var generation = 0
    var gate = Gate.closed
    /// New with each row of samples.
    var fence = 0
    var contact = Contact.unknown
    /// When a request may last have been left alone on its way: a connection was lost, or the process before this one
    /// ended. Monotonic nanoseconds.
    var lostAt: Int64
    var interviews = 0
    var attachment: NodeAttachment?
    /// An attachment that waits until nothing is in flight any more.
    var nextAttachment: NodeAttachment?
    var isPaused = false
    var requestsInFlight = 0
    private var isPumping = false
    private var pumpsAgain = false

    /// Records below it were sent before the present attachment, perhaps: lanes run ahead of the cursor.
    var fedEnd = Offset.zero
    /// Of the mutations among the records that may have been sent before.
    var replayedLosses: [(offset: Offset, loss: SchemaLoss)] = []
    /// Lines that the set has refused, by record.
    var finals: [Offset: [Range<UInt32>]] = [:]
    /// Records of which this node refused lines, the last ones.
    var refusedHere = RecentOffsets()
    /// Records about whose end the set wants to hear.
    var watched: Set<Offset> = []
    var recent = RecentRefusals()
    var shardGroups = ShardGroups()
    var stubborn: [String: StubbornBatch] = [:]
    var shardLooks = ShardLooks()
    /// Why the feed ended, while the node has not yet applied what came before.
    var feedEnd: (reason: String, lostBefore: Offset?)?

    var backoff = Backoff()
    /// While set, nothing is sent before it fires.
    var pause: Scheduled<Void>?
    private var health: Health
    /// The ping that has no answer yet, and how many there were.
    private var ping: (exchange: NodeExchange, number: Int)?
    private var pingsSent = 0
    private var pings: RepeatedTask?
    private var markers: RepeatedTask?
    var isWritingMarker = false
    /// The newest marker that the node has confirmed under this attachment.
    var lastMarker: Offset?
    var attemptedMarker: Offset?
    private var version = ""
    var isStopped = false

    /// - Parameters:
    ///   - pool: for records; `pingPool` and that of `questions` must be others, so that these never wait behind records.
    package init(
        node: NodeIndex, name: String, eventLoop: any EventLoop, pool: NodePool, pingPool: NodePool,
        questions: NodeInterview, feed: LogFeed, settings: Settings, delegate: any ReplicatorDelegate,
        figures: ReplicatorFigures, logger: Logger
    ) {
        self.node = node
        self.name = name
        self.eventLoop = eventLoop
        self.pool = pool
        self.pingPool = pingPool
        self.questions = questions
        self.feed = feed
        self.settings = settings
        self.delegate = delegate
        self.figures = figures
        self.logger = logger
        lostAt = eventLoop.monotonicNanoseconds
        lanes = NodeLanes(cursor: .zero, limits: settings.batch)
        health = Health(missesUntilDown: settings.pingMisses)
    }

    package func start() {
        eventLoop.assertInEventLoop()
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        pings = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: settings.pingInterval) { _ in
            here.value.sendPing()
        }
        markers = eventLoop.scheduleRepeatedTask(
            initialDelay: settings.markerInterval, delay: settings.markerInterval
        ) { _ in
            here.value.lookAtShards()
            here.value.writeMarker()
        }
        for pool in [pool, pingPool] {
            pool.onConnectionLost = { [weak self] in self?.contactLost(reason: "a connection to it was lost") }
        }
        questions.pool.onConnectionLost = { [weak self] in self?.questionsLost() }
    }

    /// Sends nothing any more; what is under way ends with its connection.
    package func stop() {
        isStopped = true
        pings?.cancel()
        markers?.cancel()
        pause?.cancel()
        for pool in [pool, pingPool, questions.pool] {
            pool.onConnectionLost = nil
            _ = pool.close(force: true)
        }
    }

    // MARK: Records

    func fed(_ event: FeedEvent, generation: Int) {
        guard !isStopped, generation == self.generation else { return }
        switch event {
        case .failed(let reason, let lostBefore):
            feedEnd = (reason, lostBefore)
            reportWhatWasHeldBack()
            tellFeedEnd()
        case .chunk(let chunk):
            var skipped = 0
            for record in chunk.records {
                attachment?.noteFed(record.bytes, at: lanes.end)
                switch record {
                case .item(let item) where item.nodes.contains(node):
                    noteReplayed(item)
                    lanes.enqueue(item)
                case .item(let item):
                    skipped += item.bytes
                    lanes.skip(item.offset)
                case .refusal(let offset, let notice, let nodes, let bytes):
                    skipped += bytes
                    lanes.skip(offset)
                    if nodes.contains(node) { heard(notice) }
                case .gap(let gap):
                    lanes.skip(to: gap.upperBound)
                }
            }
            if skipped > 0 { feed.grant(node, bytes: skipped) }
            tellProgress()
            reportWhatWasHeldBack()
            pump()
        }
    }

    func pump() {
        // What begins may end at once: in turns, not in depth.
        guard !isPumping else {
            pumpsAgain = true
            return
        }
        isPumping = true
        defer { isPumping = false }
        repeat {
            pumpsAgain = false
            guard case .open = gate, pause == nil, !isStopped, !isPaused else { return }
            for batch in lanes.next() { begin(batch) }
        } while pumpsAgain
    }

    // MARK: Success and failure

    func finish(_ id: Int) {
        guard let flight = flights.removeValue(forKey: id), let last = flight.batch.items.last else { return }
        backoff.succeeded()
        lanes.applied(id)
        figures.records.add(flight.batch.items.count)
        figures.lines.add(flight.batch.lines)
        feed.grant(node, bytes: flight.batch.bytes)
        if !watched.isEmpty || !finals.isEmpty { settleRefusals(of: flight) }
        if case .points(let database, _) = last.work {
            if !stubborn.isEmpty { stubborn[database] = nil }
            delegate.applied(node, lane: database, through: last.offset)
        }
        tellProgress()
        pump()
    }

    func tellProgress() {
        guard let attachment else { return }
        delegate.progressed(node, cursor: lanes.cursor, attachment: attachment.number)
        tellFeedEnd()
    }

    /// The log cannot be read further; once the node has applied all before that place, it needs a copy.
    private func tellFeedEnd() {
        guard let (reason, lostBefore) = feedEnd, lanes.isEmpty else { return }
        feedEnd = nil
        delegate.needsCopy(
            node, reason: "the log cannot be read at offset \(lanes.end): \(reason)", lostBefore: lostBefore)
    }

    /// Nothing is known to be applied of the batch: the same records are next in their lane.
    func putBack(_ id: Int) {
        guard flights.removeValue(forKey: id) != nil else { return }
        lanes.failed(id)
    }

    /// The node is left alone for a while.
    func backOff(reason: String, retryAfter: Int64?) {
        figures.failures.add(1)
        delegate.deliveryFailed(node, reason: reason)
        guard pause == nil else { return }
        let nanoseconds = backoff.pause(jitter: settings.jitter(), retryAfter: retryAfter)
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        pause = eventLoop.scheduleTask(in: .nanoseconds(nanoseconds)) { here.value.endPause() }
    }

    func again(_ id: Int, reason: String, retryAfter: Int64?) {
        putBack(id)
        backOff(reason: reason, retryAfter: retryAfter)
    }

    private func endPause() {
        pause?.cancel()
        pause = nil
        pump()
    }

    /// Sends a request of the present attachment; the answer is heard only while that lasts.
    func transmit(_ request: NodeRequest, limit: Int, _ answered: @escaping (CollectedAnswer) -> Void) {
        requestsInFlight += 1
        let generation = generation
        let collector = AnswerCollector(limit: limit) { [weak self] answer in
            guard let self else { return }
            requestsInFlight -= 1
            if !isStopped, generation == self.generation { answered(answer) }
            if requestsInFlight == 0 { becameQuiet() }
        }
        pool.send(request, to: collector)
    }

    // MARK: Health

    /// While the node is trusted a ping is never given up: the end of its connection is what tells of the end of the
    /// process behind it, also when that had hung before and nothing else was under way (S11). A node that is down gets a
    /// new connection each time, because the old one may be dead without knowing.
    private func sendPing() {
        guard !isStopped else { return }
        if let ping {
            pingMissed()
            guard !health.isUp else { return }
            self.ping = nil
            ping.exchange.cancel()
        }
        pingsSent += 1
        let number = pingsSent
        let collector = AnswerCollector(limit: 4096) { [weak self] in self?.pinged($0, number) }
        let limits = ExchangeOptions(firstByteTimeout: settings.pingInterval, idleTimeout: settings.pingInterval)
        ping = (pingPool.send(NodeRequests.ping, to: collector, options: health.isUp ? .neverGiveUp : limits), number)
    }

    private func pinged(_ answer: CollectedAnswer, _ number: Int) {
        guard !isStopped, ping?.number == number else { return }
        ping = nil
        guard case .complete(let answer) = answer, answer.status == 204 || answer.status == 200, answer.isFromInfluxDB
        else {
            pingMissed()
            // What is wrong with a certificate shows here alone: no request ever gets through.
            if pingPool.address.isSecure, case .failed(let failure) = answer {
                delegate.waits(node, reason: "\(failure)")
            }
            return
        }
        let hadMissed = health.misses > 0
        let change = health.answered()
        if version != answer.version || change != nil || hadMissed {
            version = answer.version
            delegate.healthChanged(node, isUp: true, missedPings: 0, version: version)
        }
        if case .unknown = contact { interview() }
        // A node that is back need not wait for the end of a long pause.
        if change == .cameUp || hadMissed {
            backoff.succeeded()
            if pause != nil { endPause() }
        }
    }

    private func pingMissed() {
        if health.missed() == .wentDown { contactLost(reason: "it does not answer pings") }
        delegate.healthChanged(node, isUp: health.isUp, missedPings: health.misses, version: version)
    }
}

extension NodeLanes.Item {
    var content: RecordPayload.Content? { (payload as? RecordPayload)?.content }

    package var points: ByteBuffer? {
        if case .points(let payload) = content { payload } else { nil }
    }

    var redactedStatement: String {
        if case .mutation(let mutation) = content { mutation.redactedStatement } else { "" }
    }
}

/// The last few offsets of something.
struct RecentOffsets {
    private var order = Fifo<Offset>()
    private var members: Set<Offset> = []
    private static let limit = 65_536

    mutating func insert(_ offset: Offset) {
        guard members.insert(offset).inserted else { return }
        order.append(offset)
        if order.count > Self.limit, let oldest = order.popFirst() { members.remove(oldest) }
    }

    func contains(_ offset: Offset) -> Bool { members.contains(offset) }
}
