// Brings one node up to the log and keeps it there. All on one event loop; what decides is `NodeLanes`, `Health`,
// `Backoff` and the table of answers, what this file adds is sending, waiting and telling.
//
//   feed --> lanes --> requests in flight --> verdict --> applied / refused / again later
//
// A request is never given up while its connection lives: the node leaves the in-sync set instead, and nobody waits
// for it. A request whose connection broke is sent once more at once (the node may have closed an idle connection);
// if that fails too, the node is left alone for a while and its lanes go on from the same records.

import Cluster
import CommitLog
import LineProtocol
import Logging
import NIOCore
import NodeClient

/// What a replicator tells the rest of the gateway; called on the replicator's loop.
package protocol ReplicatorDelegate: AnyObject, Sendable {
    func applied(_ node: NodeIndex, lane database: String, through offset: Offset)
    func refused(_ node: NodeIndex, lane database: String, offset: Offset, _ refusal: Refusal)
    func answered(_ node: NodeIndex, mutation offset: Offset, _ answer: MutationAnswer)
    func progressed(_ node: NodeIndex, cursor: Offset)
    func deliveryFailed(_ node: NodeIndex, reason: String)
    func healthChanged(_ node: NodeIndex, isUp: Bool, missedPings: Int, version: String)
    func needsCopy(_ node: NodeIndex, reason: String)
    /// Writes the refusal to the log; `whenDurable` is called on the replicator's loop. False: the log is not taking
    /// it now, try again.
    func record(_ refusal: RefusalRecord, whenDurable: @escaping (Bool) -> Void)
    /// Whether clients may be waiting for what this node says.
    func isWaitedFor(_ node: NodeIndex) -> Bool
}

package final class NodeReplicator {
    package struct Settings: Sendable {
        package var batch = NodeLanes.Limits()
        /// How far a node's records in memory may be ahead of its cursor, in bytes.
        package var lookAhead = 64 << 20
        package var pingInterval: TimeAmount = .seconds(1)
        package var pingMisses = 3
        package var largestMutationAnswer = 4 << 20
        package var largestRefusalText = 64 << 10
        /// Opens sealed statements.
        package var sealer: (any StatementSealer)?

        package init() {}
    }

    /// A batch on its way.
    private struct Flight {
        let batch: NodeLanes.Batch
        /// Set while the refused lines of a single record are looked for.
        var search: LineSearch?
        var connectionLosses = 0
    }

    package let node: NodeIndex
    private let name: String
    private let eventLoop: any EventLoop
    private let pool: NodePool
    private let pingPool: NodePool
    private let feed: LogFeed
    private let settings: Settings
    private let delegate: any ReplicatorDelegate
    private let logger: Logger

    /// False: the log cannot bring it up to date; it is only pinged.
    private let hasLog: Bool
    private var lanes: NodeLanes
    private var flights: [Int: Flight] = [:]
    private var health: Health
    private var backoff = Backoff()
    /// While set, nothing is sent before it fires.
    private var pause: Scheduled<Void>?
    private var isPinging = false
    private var pings: RepeatedTask?
    private var version = ""
    private var isStopped = false
    package let figures: ReplicatorFigures

    /// - Parameters:
    ///   - cursor: where its backlog begins; nil: the log does not hold it.
    ///   - pool: for records; `pingPool` must be another one, so that a ping never waits behind records.
    package init(
        node: NodeIndex, name: String, eventLoop: any EventLoop, pool: NodePool, pingPool: NodePool, feed: LogFeed,
        cursor: Offset?, settings: Settings, delegate: any ReplicatorDelegate, figures: ReplicatorFigures,
        logger: Logger
    ) {
        self.node = node
        self.name = name
        self.eventLoop = eventLoop
        self.pool = pool
        self.pingPool = pingPool
        self.feed = feed
        self.settings = settings
        self.delegate = delegate
        self.figures = figures
        self.logger = logger
        hasLog = cursor != nil
        lanes = NodeLanes(cursor: cursor ?? .zero, limits: settings.batch)
        health = Health(missesUntilDown: settings.pingMisses)
    }

    package func start() {
        eventLoop.assertInEventLoop()
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        if hasLog {
            feed.subscribe(node, from: lanes.cursor, room: settings.lookAhead) { event in
                loop.execute { here.value.fed(event) }
            }
        }
        pings = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: settings.pingInterval) { _ in
            here.value.ping()
        }
    }

    /// Sends nothing any more; what is under way ends with its connection.
    package func stop() {
        isStopped = true
        pings?.cancel()
        pause?.cancel()
        _ = pool.close(force: true)
        _ = pingPool.close(force: true)
    }

    /// Whether requests are under way.
    package var isIdle: Bool { flights.isEmpty }

    // MARK: Records

    private func fed(_ event: FeedEvent) {
        guard !isStopped else { return }
        switch event {
        case .failed(let reason):
            delegate.needsCopy(node, reason: "the log cannot be read at offset \(lanes.end): \(reason)")
        case .chunk(let chunk):
            var skipped = 0
            for record in chunk.records {
                switch record {
                case .item(let item): lanes.enqueue(item)
                case .other(let offset, let bytes):
                    skipped += bytes
                    lanes.skip(offset)
                }
            }
            if skipped > 0 { feed.grant(node, bytes: skipped) }
            delegate.progressed(node, cursor: lanes.cursor)
            pump()
        }
    }

    private func pump() {
        guard pause == nil, !isStopped else { return }
        for batch in lanes.next() {
            flights[batch.id] = Flight(batch: batch)
            send(batch.id)
        }
    }

    private func send(_ id: Int) {
        guard let flight = flights[id], let first = flight.batch.items.first else { return }
        switch (first.work, first.content) {
        case (.points(let database, let key), .points(let payload)):
            let body = flight.search?.slice(of: payload).map { [$0] } ?? flight.batch.items.compactMap(\.points)
            let request = NodeRequests.write(
                database: database, retentionPolicy: key.retentionPolicy,
                precision: Precision(rawValue: key.precision)?.parameter ?? "n",
                body: body
            )
            figures.batches.add(1)
            pool.send(request, to: AnswerCollector(limit: 1 << 20) { [weak self] in self?.wrote(id, $0) })
        case (_, .mutation(let mutation)):
            guard let statement = readable(mutation) else {
                return again(
                    id, reason: "cannot get a statement that was sealed with another key",
                    retryAfter: nil)
            }
            let request = NodeRequests.mutation(
                statement: statement, database: mutation.database,
                retentionPolicy: mutation.retentionPolicy, parameters: mutation.parameters
            )
            pool.send(
                request,
                to: AnswerCollector(limit: settings.largestMutationAnswer) { [weak self] in self?.executed(id, $0) }
            )
        case (.mutation, .points), (_, nil):
            preconditionFailure("the feed makes the items, and their payloads fit their work")
        }
    }

    private func readable(_ mutation: MutationRecord) -> String? {
        mutation.isSealed ? try? settings.sealer?.open(mutation.statement) : mutation.statement
    }

    // MARK: Answers to points

    private func wrote(_ id: Int, _ answer: CollectedAnswer) {
        guard !isStopped, let flight = flights[id] else { return }
        guard case .complete(let answer) = answer else { return lost(id, answer) }
        let isSingle = flight.batch.items.count == 1
        switch answer.nodeAnswer.writeVerdict {
        case .applied:
            accepted(id)
        case .expired(let refusal):
            if !isSingle && delegate.isWaitedFor(node) { return oneByOne(id) }
            if flight.search == nil, let item = flight.batch.items.first, case .points(let database, _) = item.work,
                isSingle
            {
                delegate.refused(node, lane: database, offset: item.offset, refusal)
            }
            figures.expired.add(1)
            accepted(id)
        case .linesRefused(let refusal):
            isSingle ? searchRefused(id, refusal) : oneByOne(id)
        case .recordRefused(let refusal):
            isSingle ? refuseWhole(id, refusal) : oneByOne(id)
        case .tooLarge:
            isSingle ? searchTooLarge(id) : oneByOne(id)
        case .retry(let reason, let retryAfter):
            again(id, reason: reason, retryAfter: retryAfter)
        case .misconfigured(let reason):
            again(id, reason: "is misconfigured: \(reason)", retryAfter: nil)
        }
    }

    /// The request's lines are in: the batch is, or the search goes on.
    private func accepted(_ id: Int) {
        guard flights[id]?.search != nil else { return finish(id) }
        flights[id]?.search?.state.accepted()
        continueSearch(id)
    }

    private func searchRefused(_ id: Int, _ refusal: Refusal) {
        guard let flight = flights[id], let item = flight.batch.items.first, let payload = item.points else { return }
        if flight.search != nil {
            flights[id]?.search?.state.refused(refusal)
        } else {
            flights[id]?.search = LineSearch(payload: payload, refusal: refusal)
        }
        continueSearch(id)
    }

    private func searchTooLarge(_ id: Int) {
        guard let flight = flights[id], let payload = flight.batch.items.first?.points else { return }
        if flight.search == nil {
            let refusal = Refusal(status: 413, message: "Request Entity Too Large")
            flights[id]?.search = LineSearch(payload: payload, refusal: refusal, wordsAreForClient: false)
        } else {
            flights[id]?.search?.state.tooLarge()
        }
        continueSearch(id)
    }

    private func refuseWhole(_ id: Int, _ refusal: Refusal) {
        guard let flight = flights[id], let payload = flight.batch.items.first?.points else { return }
        let search = flight.search ?? LineSearch(payload: payload, refusal: refusal)
        concludeRefusal(
            id, words: refusal,
            refused: [RefusalSearch.Refused(lines: 0..<search.lines.count, refusal: refusal)], search: search
        )
    }

    private func continueSearch(_ id: Int) {
        guard let search = flights[id]?.search else { return }
        switch search.state.next {
        case .send: send(id)
        case .done(let refused) where refused.isEmpty: finish(id)
        case .done(let refused):
            let words = search.wordsAreForClient ? search.words : refused[0].refusal
            concludeRefusal(id, words: words, refused: refused, search: search)
        }
    }

    /// The refused lines become a durable record before the cursor passes them; then waiting clients hear of it.
    private func concludeRefusal(
        _ id: Int, words: Refusal, refused: [RefusalSearch.Refused], search: LineSearch
    ) {
        guard let item = flights[id]?.batch.items.first, case .points(let database, let key) = item.work else { return }
        let record = search.record(
            refused: refused, of: item.offset, node: name, database: database, key: key,
            textLimit: settings.largestRefusalText
        )
        figures.refusedLines.add(refused.reduce(0) { $0 + $1.lines.count })
        delegate.record(record) { [weak self] isDurable in
            guard let self, !isStopped else { return }
            guard isDurable else { return again(id, reason: "its refusals cannot be logged now", retryAfter: nil) }
            delegate.refused(node, lane: database, offset: item.offset, words)
            finish(id)
        }
    }

    private func oneByOne(_ id: Int) {
        flights[id] = nil
        lanes.failed(id, oneByOne: true)
        pump()
    }

    // MARK: Answers to mutations

    private func executed(_ id: Int, _ answer: CollectedAnswer) {
        guard !isStopped, let item = flights[id]?.batch.items.first else { return }
        guard case .complete(let answer) = answer else { return lost(id, answer) }
        switch answer.nodeAnswer.mutationVerdict {
        case .executed(let error):
            if answer.isTruncated {
                return again(id, reason: "gave an answer to a mutation that is too large", retryAfter: nil)
            }
            if let error {
                figures.refusedMutations.add(1)
                logger.warning(
                    "a node refused a mutation",
                    metadata: [
                        "node": "\(name)", "offset": "\(item.offset.rawValue)", "words": "\(error)",
                        "statement": "\(item.redactedStatement)",
                    ]
                )
            }
            delegate.answered(
                node, mutation: item.offset,
                MutationAnswer(status: answer.status, body: answer.body, error: error)
            )
            finish(id)
        case .retry(let reason, let retryAfter):
            again(id, reason: reason, retryAfter: retryAfter)
        case .misconfigured(let reason):
            again(id, reason: "is misconfigured: \(reason)", retryAfter: nil)
        }
    }

    // MARK: Success and failure

    private func finish(_ id: Int) {
        guard let flight = flights.removeValue(forKey: id), let last = flight.batch.items.last else { return }
        backoff.succeeded()
        lanes.applied(id)
        figures.records.add(flight.batch.items.count)
        figures.lines.add(flight.batch.lines)
        feed.grant(node, bytes: flight.batch.bytes)
        if case .points(let database, _) = last.work {
            delegate.applied(node, lane: database, through: last.offset)
        }
        delegate.progressed(node, cursor: lanes.cursor)
        pump()
    }

    private func lost(_ id: Int, _ answer: CollectedAnswer) {
        guard case .failed(let failure) = answer else { return }
        switch failure {
        case .afterSend(let reason):
            flights[id]?.connectionLosses += 1
            if flights[id]?.connectionLosses == 1 { return send(id) }
            again(id, reason: "lost the connection: \(reason)", retryAfter: nil)
        case .notSent(let reason):
            again(id, reason: "cannot be reached: \(reason)", retryAfter: nil)
        case .cancelled:
            again(id, reason: "was cut off", retryAfter: nil)
        }
    }

    private func again(_ id: Int, reason: String, retryAfter: Int64?) {
        flights[id] = nil
        lanes.failed(id)
        figures.failures.add(1)
        delegate.deliveryFailed(node, reason: reason)
        guard pause == nil else { return }
        let nanoseconds = backoff.pause(jitter: .random(in: 0..<1), retryAfter: retryAfter)
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        pause = eventLoop.scheduleTask(in: .nanoseconds(nanoseconds)) { here.value.endPause() }
    }

    private func endPause() {
        pause?.cancel()
        pause = nil
        pump()
    }

    // MARK: Health

    private func ping() {
        guard !isStopped else { return }
        if isPinging { return pingMissed() }
        isPinging = true
        pingPool.send(
            NodeRequests.ping, to: AnswerCollector(limit: 4096) { [weak self] in self?.pinged($0) },
            options: ExchangeOptions(firstByteTimeout: settings.pingInterval, idleTimeout: settings.pingInterval)
        )
    }

    private func pinged(_ answer: CollectedAnswer) {
        guard !isStopped else { return }
        isPinging = false
        guard case .complete(let answer) = answer, answer.status == 204 || answer.status == 200, answer.isFromInfluxDB
        else { return pingMissed() }
        let hadMissed = health.misses > 0
        let change = health.answered()
        if version != answer.version || change != nil || hadMissed {
            version = answer.version
            delegate.healthChanged(node, isUp: true, missedPings: 0, version: version)
        }
        // A node that is back need not wait for the end of a long pause.
        if change == .cameUp || hadMissed {
            backoff.succeeded()
            if pause != nil { endPause() }
        }
    }

    private func pingMissed() {
        _ = health.missed()
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
