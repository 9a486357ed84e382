// Who is behind the address, and whether anything of ours is still under way there: interview, attachment, fence,
// marker.

import Cluster
import CommitLog
import NIOCore
import NodeClient

extension NodeReplicator {
    // MARK: Contact

    /// A connection broke: a request on it may still take effect, and the next process at the address may hold other
    /// data. Nothing is sent before both are known (S10, S11).
    func contactLost(reason: String) {
        guard !isStopped else { return }
        lostAt = eventLoop.monotonicNanoseconds
        switch contact {
        case .unknown: return
        case .interviewing:
            // Half of what was said may be another process's word.
            contact = .unknown
        case .known:
            contact = .unknown
            if attachment != nil {
                closeGate()
                delegate.contactLost(node, reason: reason)
            }
        }
        interview()
    }

    /// A connection for questions broke; right after an interview there may be no other. An interview that it spoils waits
    /// for the next ping, so that a node that breaks each connection is not asked without end.
    func questionsLost() {
        if case .interviewing = contact {
            contact = .unknown
        } else {
            contactLost(reason: "a connection to it was lost")
        }
    }

    func closeGate() {
        gate = .closed
        // What waits for a fence of its own begins anew behind the next one.
        for (id, flight) in flights where flight.settling != nil { putBack(id) }
    }

    func interview() {
        guard !isStopped, !isPaused, case .unknown = contact else { return }
        interviews += 1
        let turn = interviews
        contact = .interviewing(turn)
        questions.facts().assumeIsolated().whenComplete { [self] result in
            guard !isStopped, case .interviewing(turn) = contact else { return }
            switch result {
            case .failure(let error): interviewFailed(error)
            case .success(let facts):
                delegate.noted(node, facts)
                if let attachment, let process = attachment.process, process == facts.process {
                    contact = .known
                    reopen()
                } else {
                    askForMarkers(facts, turn)
                }
            }
        }
    }

    private func askForMarkers(_ facts: NodeFacts, _ turn: Int) {
        let answers = questions.markers().and(questions.hasData()).and(questions.shards())
        answers.assumeIsolated().whenComplete { [self] result in
            guard !isStopped, case .interviewing(turn) = contact else { return }
            switch result {
            case .failure(let error): interviewFailed(error)
            case .success(let ((markers, hasData), shards)):
                if let shards, shards.process != facts.process {
                    return interviewFailed(
                        InterviewFailure(.unreachable, reason: "was started again while it was asked what it holds"))
                }
                if shards?.isDropping == true {
                    return interviewFailed(
                        InterviewFailure(
                            .refused,
                            reason: "is at work on a DROP statement: until that is over it cannot be known"
                                + " whether it holds all its data"))
                }
                contact = .known
                delegate.interviewed(
                    node,
                    Interviewed(
                        facts: facts, markers: markers, hasData: hasData, shards: shards, lastMarker: lastMarker,
                        attemptedMarker: attemptedMarker))
            }
        }
    }

    /// The next ping that is answered brings the next try.
    private func interviewFailed(_ error: any Error) {
        contact = .unknown
        delegate.waits(node, reason: "\(error)")
    }

    // MARK: What the cluster's control decides

    /// Feeds the node from here on, as soon as nothing of an earlier attachment is in flight.
    package func attach(_ attachment: NodeAttachment) {
        guard !isStopped else { return }
        detach()
        nextAttachment = attachment
        if requestsInFlight == 0 { becameQuiet() }
    }

    /// Sends nothing until it is attached.
    package func detach() {
        gate = .closed
        generation += 1
        flights = [:]
        attachment = nil
        nextAttachment = nil
        feedEnd = nil
        feed.unsubscribe(node)
    }

    package func setPaused(_ paused: Bool) {
        guard isPaused != paused else { return }
        isPaused = paused
        if paused {
            closeGate()
            contact = .unknown
        } else {
            interview()
        }
    }

    func becameQuiet() {
        guard !isStopped else { return }
        if let next = nextAttachment {
            nextAttachment = nil
            begin(next)
        } else if case .settling = gate {
            sample(fence)
        }
    }

    private func begin(_ next: NodeAttachment) {
        attachment = next
        fedEnd = max(fedEnd, lanes.end)
        attachment?.raiseReplayEnd(to: fedEnd)
        replayedLosses = []
        lanes = NodeLanes(cursor: next.cursor, limits: settings.batch)
        finals = [:]
        watched = []
        refusedHere = RecentOffsets()
        recent = RecentRefusals()
        shardGroups = ShardGroups()
        stubborn = [:]
        shardLooks = ShardLooks()
        lastMarker = nil
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        let loop = eventLoop
        let generation = generation
        feed.subscribe(node, from: next.cursor, room: settings.lookAhead) { event in
            loop.execute { here.value.fed(event, generation: generation) }
        }
        reopen()
    }

    /// The node says whose it is before it gets anything.
    private func reopen() {
        guard !isStopped, let attachment, case .known = contact, case .closed = gate else { return }
        if lastMarker != nil { return settle() }
        guard !isWritingMarker else { return }
        isWritingMarker = true
        attemptedMarker = max(attemptedMarker ?? .zero, attachment.cursor)
        let generation = generation
        questions.writeMarker(marker(attachment.cursor)).assumeIsolated().whenComplete { [self] result in
            isWritingMarker = false
            guard !isStopped else { return }
            guard generation == self.generation else { return reopen() }
            switch result {
            case .success:
                lastMarker = attachment.cursor
                delegate.markerConfirmed(node, attachment.cursor)
                reopen()
            case .failure(let error):
                delegate.waits(node, reason: "cannot write its marker into database _sluice: \(error)")
                let here = NIOLoopBound(self, eventLoop: eventLoop)
                eventLoop.scheduleTask(in: .seconds(1)) { here.value.reopen() }
            }
        }
    }

    // MARK: The fence

    /// Opens the gate once nothing is under way in the node that was not answered.
    private func settle() {
        guard attachment != nil, !isPaused else { return }
        gate = .settling(Settling(.unanswered, process: attachment?.process?.started ?? "", lostAt: lostAt))
        fence += 1
        if requestsInFlight == 0 { sample(fence) }
    }

    private func sample(_ turn: Int) {
        guard turn == fence, case .settling = gate, requestsInFlight == 0 else { return }
        let now = eventLoop.monotonicNanoseconds
        questions.fence(database: nil).assumeIsolated().whenSuccess { [self] reading in
            guard !isStopped, turn == fence, case .settling(var settling) = gate else { return }
            let outcome: Settling.Outcome
            switch reading {
            case .sample(let sample):
                if let process = attachment?.process, process != sample.process {
                    return contactLost(reason: "it was started again")
                }
                outcome = settling.sampled(sample.counts, now: now)
            case .unavailable(let reason):
                outcome = settling.couldNotSample()
                if settling.unreadable >= 3 {
                    delegate.waits(node, reason: "it cannot be known what is still under way in it: it \(reason)")
                }
            }
            switch outcome {
            case .settled:
                gate = .open
                delegate.settled(node)
                pump()
            case .again(let nanoseconds):
                gate = .settling(settling)
                let here = NIOLoopBound(self, eventLoop: eventLoop)
                eventLoop.scheduleTask(in: .nanoseconds(nanoseconds)) { here.value.sample(turn) }
            }
        }
    }

    // MARK: Markers

    private func marker(_ cursor: Offset) -> Marker {
        Marker(logID: delegate.log.id, epoch: delegate.log.epoch, cursor: cursor.rawValue, node: name)
    }

    /// About once a second, if the node has got on: what is durable of its cursor, in order with the data.
    func writeMarker() {
        guard !isStopped, !isWritingMarker, !shardLooks.isLooking, case .open = gate, !isPaused,
            let durable = delegate.durableCursor(node)
        else { return }
        let cursor = min(durable, lanes.cursor)
        // A write that another one's failure is measured by.
        let isTest = stubborn.values.contains { !$0.otherWritesWork }
        if let lastMarker, lastMarker >= cursor, !isTest { return }
        isWritingMarker = true
        attemptedMarker = max(attemptedMarker ?? .zero, cursor)
        let generation = generation
        questions.writeMarker(marker(cursor)).assumeIsolated().whenComplete { [self] result in
            isWritingMarker = false
            guard !isStopped else { return }
            guard generation == self.generation else { return reopen() }
            switch result {
            case .success:
                lastMarker = cursor
                delegate.markerConfirmed(node, cursor)
                for database in stubborn.keys { stubborn[database]?.otherWritesWork = true }
            case .failure(let error):
                logger.debug("a marker was not written", metadata: ["node": "\(name)", "error": "\(error)"])
            }
        }
    }
}

extension FenceSample {
    var counts: FenceCounts {
        FenceCounts(
            process: process.started, unfinishedWrites: unfinishedWrites, activeWrites: activeWrites,
            runningMutations: runningMutations.count
        )
    }
}
