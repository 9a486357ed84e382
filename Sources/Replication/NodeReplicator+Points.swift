// Points to the node: a batch is sent as it is; when the node refuses a part of it, `BatchDelivery` says what is sent
// next, and the set decides what becomes of the refused lines.

import Cluster
import CommitLog
import LineProtocol
import NIOCore
import NodeClient

/// A batch that the node answers with 5xx again and again.
struct StubbornBatch {
    let first: Offset
    var failures = 0
    let since: Int64
    /// When the node was asked for its shards; nil: not yet.
    var askedAt: Int64?
    var isAsking = false
    /// The node has taken another write meanwhile.
    var otherWritesWork = false

    /// So many failures, over so long a time, while other writes work: the batch is at fault (A5).
    func isPoison(now: Int64) -> Bool {
        otherWritesWork && failures >= 10 && now - since > 30_000_000_000
    }
}

extension NodeReplicator {
    func begin(_ batch: NodeLanes.Batch) {
        var flight = Flight(batch: batch)
        if case .points(let database, let key) = batch.items.first?.work {
            prepare(&flight, database: database, key: key)
        }
        flights[batch.id] = flight
        if flight.delivery?.next == .done {
            conclude(batch.id)
        } else {
            send(batch.id)
        }
    }

    /// Leaves out what the set has refused, and sets apart what is like lines that were refused a moment ago.
    private func prepare(_ flight: inout Flight, database: String, key: BatchKey) {
        let now = eventLoop.monotonicNanoseconds
        let recent = recent.refusals(database: database, policy: key.retentionPolicy, now: now)
        let hasFinals = !finals.isEmpty && flight.batch.items.contains { finals[$0.offset] != nil }
        guard hasFinals || !recent.isEmpty else { return }
        let lines = BatchLines(flight.batch.items.compactMap(\.points))
        var excluded: [Int] = []
        if hasFinals {
            for (position, item) in flight.batch.items.enumerated() {
                guard let ranges = finals[item.offset] else { continue }
                excluded += lines.excluded(ranges, item: position)
                flight.excluded.insert(item.offset)
            }
        }
        let suspects = lines.matching(rules(recent, for: lines, database: database, key: key, now: now))
        guard !excluded.isEmpty || !suspects.isEmpty else { return }
        flight.lines = lines
        flight.delivery = BatchDelivery(lines: lines.count, excluded: excluded, suspects: suspects)
    }

    /// The kinds whose lines may travel behind the others. What has the wrong type in one shard may be what gives the
    /// field its type in another: a conflict says something of the shard where it was met, of no other one.
    private func rules(
        _ recent: [RecentRefusals.Entry], for lines: BatchLines, database: String, key: BatchKey, now: Int64
    ) -> [RefusalRule] {
        let conflicts = recent.compactMap(\.rule.anyType)
        guard !conflicts.isEmpty else { return recent.map(\.rule) }
        let precision = Precision(rawValue: key.precision)
        let times = precision.map { lines.times(of: conflicts, precision: $0) } ?? []
        let spans = Dictionary(zip(conflicts, times)) { first, _ in first }
        return recent.compactMap { entry in
            guard let conflict = entry.rule.anyType else { return entry.rule }
            guard let span = spans[conflict] ?? nil, let met = entry.times else { return nil }
            let all = min(span.lowerBound, met.lowerBound)...max(span.upperBound, met.upperBound)
            let isOne = shardGroups.isOneShard(all, database: database, policy: key.retentionPolicy, now: now)
            return isOne == true ? entry.rule : nil
        }
    }

    private func send(_ id: Int) {
        guard let flight = flights[id], let first = flight.batch.items.first else { return }
        switch (first.work, first.content) {
        case (.points(let database, let key), .points):
            var body = flight.batch.items.compactMap(\.points)
            if let lines = flight.lines, let delivery = flight.delivery {
                guard case .send(let chosen) = delivery.next else { return conclude(id) }
                if chosen.count < lines.count { body = lines.body(of: chosen) }
            }
            let request = NodeRequests.write(
                database: database, retentionPolicy: key.retentionPolicy,
                precision: Precision(rawValue: key.precision)?.parameter ?? "n", body: body
            )
            encode(request, id) { [weak self] request in
                guard let self else { return }
                figures.batches.add(1)
                transmit(request, limit: 1 << 20) { [weak self] in self?.wrote(id, $0) }
            }
        case (_, .mutation(let mutation)):
            send(mutation, id)
        case (.mutation, .points), (_, nil):
            preconditionFailure("the feed makes the items, and their payloads fit their work")
        }
    }

    // MARK: Verdicts

    private func wrote(_ id: Int, _ answer: CollectedAnswer) {
        guard let flight = flights[id], case .points(let database, _) = flight.batch.items.first?.work else { return }
        guard case .complete(let answer) = answer else { return lost(id, answer) }
        switch answer.nodeAnswer.writeVerdict {
        case .applied:
            accepted(id)
        case .expired(let refusal):
            expired(id, refusal)
        case .linesRefused(let refusal):
            linesRefused(id, refusal, database: database)
        case .recordRefused(let refusal):
            takeApart(id)
            flights[id]?.words = refusal
            flights[id]?.lacksDatabase = refusal.status == 404
            flights[id]?.delivery?.refusedWhole(refusal)
            proceed(id)
        case .tooLarge:
            takeApart(id)
            flights[id]?.delivery?.tooLarge()
            proceed(id)
        case .retry(let reason, let retryAfter):
            failed(id, reason: reason, retryAfter: retryAfter, status: answer.status, database: database)
        case .misconfigured(let reason):
            again(id, reason: "is misconfigured: \(reason)", retryAfter: nil)
        }
    }

    private func takeApart(_ id: Int) {
        guard let flight = flights[id], flight.delivery == nil else { return }
        let lines = BatchLines(flight.batch.items.compactMap(\.points))
        flights[id]?.lines = lines
        flights[id]?.delivery = BatchDelivery(lines: lines.count)
    }

    private func accepted(_ id: Int) {
        guard flights[id]?.delivery != nil else { return finish(id) }
        flights[id]?.delivery?.accepted()
        proceed(id)
    }

    /// Some points are older than the retention policy: they count as applied, but a client that waits is told.
    private func expired(_ id: Int, _ refusal: Refusal) {
        guard let flight = flights[id], let item = flight.batch.items.first else { return }
        let isSingle = flight.batch.items.count == 1
        if !isSingle, flight.delivery == nil, delegate.isWaitedFor(node) {
            flights[id] = nil
            lanes.failed(id, oneByOne: true)
            return pump()
        }
        if isSingle, flight.delivery == nil, case .points(let database, _) = item.work {
            delegate.refused(node, lane: database, offset: item.offset, refusal)
        }
        figures.expired.add(1)
        accepted(id)
    }

    private func linesRefused(_ id: Int, _ refusal: Refusal, database: String) {
        takeApart(id)
        guard let flight = flights[id], let lines = flight.lines, case .send(let sent) = flight.delivery?.next else {
            return
        }
        if flight.words == nil { flights[id]?.words = refusal }
        var named: [Int] = []
        if let rule = RefusalRule(words: refusal.message) {
            named = lines.matching([rule], among: sent)
            if !named.isEmpty, case .points(_, let key) = flight.batch.items[0].work {
                recent.hit(
                    rule, database: database, policy: key.retentionPolicy,
                    times: Precision(rawValue: key.precision).flatMap { lines.times(of: named, precision: $0) },
                    now: eventLoop.monotonicNanoseconds)
            }
        }
        flights[id]?.delivery?.refused(refusal, dropped: DroppedLines.count(in: refusal.message), named: named)
        // A line that cannot be read is refused before anything is stored, and the rest is stored before it is said.
        if refusal.message.hasPrefix("unable to parse") || refusal.message.hasPrefix("partial write: unable to parse") {
            return proceed(id)
        }
        proceedWhenOver(id, sent: sent, database: database)
    }

    /// The next step, or the end.
    private func proceed(_ id: Int) {
        guard let delivery = flights[id]?.delivery else { return }
        if delivery.next == .done { return conclude(id) }
        guard case .open = gate, !isPaused else {
            putBack(id)
            return pump()
        }
        send(id)
    }

    private func failed(_ id: Int, reason: String, retryAfter: Int64?, status: Int, database: String) {
        guard let flight = flights[id], let first = flight.batch.items.first else { return }
        // 429 and 503 come before anything is done.
        guard status != 429, status != 503 else { return again(id, reason: reason, retryAfter: retryAfter) }
        var batch =
            stubborn[database].flatMap { $0.first == first.offset ? $0 : nil }
            ?? StubbornBatch(first: first.offset, since: eventLoop.monotonicNanoseconds)
        batch.failures += 1
        stubborn[database] = batch
        let isAsking = status == 500 && askForShards(id, words: reason, database: database)
        if !isAsking, batch.isPoison(now: eventLoop.monotonicNanoseconds), !NodeAnswer.isShortage(reason) {
            takeApart(id)
            guard case .send(let sent) = flights[id]?.delivery?.next else { return }
            let refusal = Refusal(status: 500, message: reason)
            if flights[id]?.words == nil { flights[id]?.words = refusal }
            flights[id]?.delivery?.refused(refusal)
            return proceedWhenOver(id, sent: sent, database: database)
        }
        backOff(reason: reason, retryAfter: retryAfter)
        settleLane(id, database: database)
    }

    // MARK: The fence of one lane

    /// Goes on at once if the request was the work of one shard, else when the node's shards have finished (M4).
    private func proceedWhenOver(_ id: Int, sent: [Int], database: String) {
        guard let flight = flights[id], let lines = flight.lines, case .points(_, let key) = flight.batch.items[0].work,
            let precision = Precision(rawValue: key.precision), let times = lines.times(of: sent, precision: precision)
        else { return settleLane(id, database: database) }
        let now = eventLoop.monotonicNanoseconds
        switch shardGroups.isOneShard(times, database: database, policy: key.retentionPolicy, now: now) {
        case true?: proceed(id)
        case false?: settleLane(id, database: database)
        case nil where shardGroups.mayAsk(database: database, now: now):
            shardGroups.noteAsked(database: database, now: now)
            flights[id]?.settling = Settling(.answered(database: database), process: "")
            let generation = generation
            questions.ask(ShardGroups.question(database: database)).assumeIsolated().whenComplete { [self] result in
                guard !isStopped, generation == self.generation, flights[id]?.settling != nil else { return }
                flights[id]?.settling = nil
                if case .success(let series) = result {
                    shardGroups.learned(series, database: database, now: eventLoop.monotonicNanoseconds)
                }
                proceedWhenOver(id, sent: sent, database: database)
            }
        case nil: settleLane(id, database: database)
        }
    }

    private func settleLane(_ id: Int, database: String) {
        figures.settlings.add(1)
        flights[id]?.settling = Settling(
            .answered(database: database), process: attachment?.process?.started ?? "")
        sampleLane(id)
    }

    private func sampleLane(_ id: Int) {
        guard !isStopped, let settling = flights[id]?.settling else { return }
        let generation = generation
        questions.fence(database: settling.database).assumeIsolated().whenSuccess { [self] reading in
            guard !isStopped, generation == self.generation, var settling = flights[id]?.settling else { return }
            let outcome: Settling.Outcome
            switch reading {
            case .sample(let sample):
                if let process = attachment?.process, process != sample.process {
                    return contactLost(reason: "it was started again")
                }
                outcome = settling.sampled(sample.counts)
            case .unavailable(let reason):
                outcome = settling.couldNotSample()
                if settling.unreadable == 3 {
                    delegate.deliveryFailed(
                        node, reason: "it cannot be known what is still under way in it: it \(reason)")
                }
            }
            switch outcome {
            case .settled:
                flights[id]?.settling = nil
                settledLane(id)
            case .again(let nanoseconds):
                flights[id]?.settling = settling
                let here = NIOLoopBound(self, eventLoop: eventLoop)
                eventLoop.scheduleTask(in: .nanoseconds(nanoseconds)) {
                    if here.value.generation == generation { here.value.sampleLane(id) }
                }
            }
        }
    }

    private func settledLane(_ id: Int) {
        // What failed waits for the end of the pause.
        if flights[id]?.delivery != nil, pause == nil { return proceed(id) }
        putBack(id)
        pump()
    }

    // MARK: Connections

    func lost(_ id: Int, _ answer: CollectedAnswer) {
        guard case .failed(let failure) = answer else { return }
        putBack(id)
        switch failure {
        case .notSent(let reason): backOff(reason: "cannot be reached: \(reason)", retryAfter: nil)
        case .afterSend(let reason):
            figures.failures.add(1)
            contactLost(reason: "lost the connection: \(reason)")
        case .cancelled: contactLost(reason: "a request to it was cut off")
        }
        pump()
    }
}
