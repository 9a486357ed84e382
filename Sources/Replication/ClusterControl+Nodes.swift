// From where each node is fed, and whether at all: what interviews, the gateway's memory and the operator say comes
// together here, and is decided by `Attachment`.

import Cluster
import CommitLog
import Logging
import NIOCore

/// What the control keeps of one node.
struct NodeControl {
    var memory: NodeMemory
    /// What it was seen to have open.
    var shards: OpenShards
    /// What it said last.
    var interviewed: Interviewed?
    /// What it showed of itself last.
    var facts: NodeFacts?
    /// The run of its server that is fed.
    var process: ProcessIdentity?
    var isAttached = false
    /// Shown as down, though it is only paused: a fire drill.
    var isDrill = false
    var pauseEnd: Scheduled<Void>?
    var isBeingGivenUp = false
    /// Records below it may be lost to this node: an operator who took it as it is past lost records has said so.
    var toleratesLossBelow = Offset.zero

    init(memory: NodeMemory, shards: OpenShards) {
        self.memory = memory
        self.shards = shards
    }
}

/// The first nodes of a log: nobody knows yet what the truth is.
struct FirstAttach {
    /// Nodes that may become part of it, by what they said.
    var candidates: [NodeIndex: Interviewed] = [:]
    var patience: Scheduled<Void>?
    var isComparing = false
}

extension ClusterControl {
    static let genesisNote = "genesis"
    /// Before a node's name: the cursor of its newest confirmed marker. No node can have such a name.
    package static let markerCursor = "/marker/"

    /// Whether the log began when no node had data; nil: it has not begun.
    private var beganEmpty: Bool? {
        commitLog.note(Self.genesisNote).map { $0 == Array("empty".utf8) }
    }

    /// What was known of the nodes when the gateway ran last.
    func recall() {
        for (index, node) in state.value.nodes.enumerated() {
            let node = (index: NodeIndex(index), memory: node.memory)
            if let reason = node.memory.needsCopy {
                perform(state.value.sync.needsCopy(node.index, reason: reason))
            } else if commitLog.cursor(name(node.index)) == nil, commitLog.start == .zero {
                // Whatever it is found to be, the log is kept for it.
                commitLog.setCursor(name(node.index), to: .zero)
            }
            if let reason = node.memory.paused { beginPause(node.index, reason: reason) }
        }
        publishDivergences()
    }

    func remember(_ node: NodeIndex, then done: (@Sendable (Bool) -> Void)? = nil) {
        let memory = state.value.nodes[Int(node.value)].memory
        do {
            try commitLog.setNote(NodeMemory.noteName(name(node)), memory.isEmpty ? nil : memory.encoded)
        } catch {
            logger.error(
                "a fact about a node cannot be kept", metadata: ["node": "\(name(node))", "error": "\(error)"])
        }
        guard let done else { return }
        commitLog.checkpoint { [control] result in
            let isDurable = (try? result.get()) != nil
            control.execute { done(isDurable) }
        }
    }

    // MARK: Interviews

    package func noted(_ node: NodeIndex, _ facts: NodeFacts) {
        onControl { [self] in
            state.value.nodes[Int(node.value)].facts = facts
            let others = state.value.nodes.enumerated().compactMap { index, other in
                other.facts.flatMap { NodeIndex(index) == node ? nil : (name: names[index], facts: $0) }
            }
            let warnings = NodeWarnings.of(facts, beside: others, clockSkew: settings.clockSkew)
            let before = view.current[node].warnings
            let items = facts.ownWork
            let older = state.value.nodes[Int(node.value)].memory.olderWork
            view.update {
                $0.nodes[Int(node.value)].warnings = warnings
                $0.nodes[Int(node.value)].ownWork.items = items
                $0.nodes[Int(node.value)].ownWork.older = older
            }
            for warning in warnings where !before.contains(warning) {
                logger.warning("\(warning)", metadata: ["node": "\(name(node))"])
            }
        }
    }

    package func interviewed(_ node: NodeIndex, _ interviewed: Interviewed) {
        onControl { [self] in
            state.value.nodes[Int(node.value)].interviewed = interviewed
            judge(node, interviewed, isTrusted: false)
            if beganEmpty == nil, state.value.nodes.allSatisfy({ $0.interviewed != nil }) { begin() }
        }
    }

    private func situation(_ node: NodeIndex, _ interviewed: Interviewed, isTrusted: Bool) -> Attachment.Situation {
        let own = state.value.nodes[Int(node.value)]
        var situation = Attachment.Situation(
            node: name(node), logID: log.id, epoch: log.epoch, logStart: commitLog.start, horizon: horizon,
            durableEnd: commitLog.durableEnd, cursor: commitLog.cursor(name(node)))
        situation.holdsAllHistory = beganEmpty != false && commitLog.start == .zero
        situation.markers = interviewed.markers
        situation.isEmpty = !interviewed.hasData
        situation.process = interviewed.facts.process
        situation.formerProcess = own.process
        situation.lastMarker =
            (interviewed.lastMarker ?? commitLog.cursor(Self.markerCursor + name(node)))?.rawValue
        situation.attemptedMarker = interviewed.attemptedMarker?.rawValue
        situation.shards = interviewed.shards
        situation.knownShards = own.shards
        situation.isTrusted = isTrusted
        for (index, other) in state.value.nodes.enumerated() where NodeIndex(index) != node {
            // Who is not fed may still be the same server.
            situation.peers.append(
                .init(name: names[index], process: other.process ?? other.interviewed?.facts.process))
        }
        return situation
    }

    private func judge(_ node: NodeIndex, _ interviewed: Interviewed, isTrusted: Bool) {
        let attachment = Attachment(situation(node, interviewed, isTrusted: isTrusted))
        for warning in attachment.warnings { addWarning(node, warning) }
        if let reason = state.value.nodes[Int(node.value)].memory.needsCopy, !isTrusted {
            // A copy of another node that was put there says so itself.
            guard case .rewind(let offset, let words) = attachment.verdict,
                interviewed.markers.contains(where: { $0.logID == log.id && $0.node != name(node) })
            else { return perform(state.value.sync.needsCopy(node, reason: reason)) }
            return attach(node, at: offset, interviewed, reason: words)
        }
        switch attachment.verdict {
        case .hold(let reason):
            hold(node, reason: reason)
        case .needsCopy(let reason):
            giveUp(node, reason: reason)
        case .attach, .rewind, .compareInventories:
            if beganEmpty == nil { return consider(node, interviewed) }
            switch attachment.verdict {
            case .attach(let offset): attach(node, at: offset, interviewed, reason: nil)
            case .rewind(let offset, let reason): attach(node, at: offset, interviewed, reason: reason)
            default:
                hold(
                    node,
                    reason: "\(name(node)) has data of its own, and this gateway has been at work without it. See what "
                        + "differs (sluice doctor); then say sluice nodes trust \(name(node)) to take it as it is, or "
                        + "copy the data of another node to it")
            }
        }
    }

    private func addWarning(_ node: NodeIndex, _ warning: String) {
        guard !view.current[node].warnings.contains(warning) else { return }
        view.update { $0.nodes[Int(node.value)].warnings.append(warning) }
        logger.warning("\(warning)", metadata: ["node": "\(name(node))"])
    }

    // MARK: Decisions

    func hold(_ node: NodeIndex, reason: String) {
        perform(state.value.sync.detached(node, reason: reason))
        leaveAttachment(node)
        logger.error("a node is not read and gets nothing", metadata: ["node": "\(name(node))", "reason": "\(reason)"])
    }

    private func leaveAttachment(_ node: NodeIndex) {
        state.value.nodes[Int(node.value)].isAttached = false
        state.value.nodes[Int(node.value)].process = nil
        forgetReports(of: node)
        onReplicator(node) { $0.detach() }
    }

    /// Feeds the node from an offset on.
    /// - Parameter reason: why that is not where its cursor stood; nil: it is, or nearly.
    private func attach(_ node: NodeIndex, at offset: Offset, _ interviewed: Interviewed, reason: String?) {
        let index = Int(node.value)
        let before = commitLog.cursor(name(node)) ?? .zero
        guard commitLog.setCursor(name(node), to: offset) else {
            return giveUp(node, reason: "the log no longer holds what \(name(node)) lacks, from record \(offset) on")
        }
        let isRewind =
            reason != nil || state.value.nodes[index].isAttached || (offset < before && before > horizon)
        if let reason {
            logger.warning("a node is fed anew", metadata: ["node": "\(name(node))", "reason": "\(reason)"])
        }
        let isKnownAgain = state.value.nodes[index].memory.needsCopy != nil
        state.value.nodes[index].memory.needsCopy = nil
        state.value.nodes[index].isAttached = true
        state.value.nodes[index].isBeingGivenUp = false
        let former = state.value.nodes[index].process
        state.value.nodes[index].process = interviewed.facts.process
        if isKnownAgain { remember(node) }
        noteShards(
            node, interviewed, at: offset, isNew: reason != nil || isKnownAgain,
            isSameRun: former != nil && former == interviewed.facts.process)
        forgetReports(of: node)
        let readable = max(horizon, isRewind ? max(before, offset) : offset)
        perform(state.value.sync.attached(node, cursor: offset, horizon: readable))
        // Nothing may take effect any more of what another process sent, or this one to another server.
        perform(state.value.sync.unsettled(node, reason: "it is not known yet whether it is still at work"))
        let attachment = NodeAttachment(
            number: state.value.sync.members[index].attachment, cursor: offset, process: interviewed.facts.process,
            replayEnd: isRewind ? max(before, horizon) : horizon,
            replayBytes: isRewind ? .max : settings.replayBytes)
        // Its marker must not say more than the log knows after a crash.
        commitLog.checkpoint { [self] result in
            if case .failure(let error) = result {
                logger.warning("a cursor could not be made durable", metadata: ["error": "\(error)"])
            }
            onControl { [self] in
                guard state.value.nodes[index].isAttached,
                    state.value.sync.members[index].attachment == attachment.number
                else { return }
                onReplicator(node) { $0.attach(attachment) }
            }
        }
    }

    package func needsCopy(_ node: NodeIndex, reason: String, lostBefore: Offset?) {
        onControl { [self] in
            let own = state.value.nodes[Int(node.value)]
            if let lostBefore, lostBefore <= own.toleratesLossBelow, own.isAttached, let interviewed = own.interviewed {
                let words = "\(reason); skipped by the operator's word that took \(name(node)) as it is"
                return attach(node, at: lostBefore, interviewed, reason: words)
            }
            giveUp(node, reason: reason, keeping: lostBefore)
        }
    }

    /// The log will not bring the node up to date. That is durable before anything is deleted that it lacks.
    /// - Parameter offset: what lies above it is kept all the same, until room is short: an operator may trust the node.
    func giveUp(_ node: NodeIndex, reason: String, keeping offset: Offset? = nil) {
        let index = Int(node.value)
        logger.error(
            "a node needs a copy: the log cannot bring it up to date",
            metadata: ["node": "\(name(node))", "reason": "\(reason)"])
        view.update { $0.nodes[index].trouble = reason }
        state.value.nodes[index].memory.needsCopy = reason
        state.value.nodes[index].isBeingGivenUp = true
        perform(state.value.sync.needsCopy(node, reason: reason))
        leaveAttachment(node)
        state.value.nodes[index].shards = OpenShards()
        keepShards(node)
        makeDurable(node, keeping: offset)
    }

    /// Whether another node makes the log keep what nobody may have yet.
    private func isKept(forOthersThan node: NodeIndex) -> Bool {
        state.value.nodes.indices.contains { index in
            index != Int(node.value) && state.value.nodes[index].memory.needsCopy == nil
                && commitLog.cursor(names[index]) != nil
        }
    }

    /// Forgets the node's cursors once it is durable that it needs a copy, however long that takes. Not if it is the
    /// last one: then the log keeps everything, because there may be no other copy of it (L20).
    private func makeDurable(_ node: NodeIndex, keeping offset: Offset?) {
        let index = Int(node.value)
        remember(node) { [self] isDurable in
            guard state.value.nodes[index].memory.needsCopy != nil else { return }
            guard isDurable else {
                control.scheduleTask(in: .seconds(1)) { [weak self] in self?.makeDurable(node, keeping: offset) }
                return
            }
            // Behind whatever the replicator has said of its progress.
            onReplicator(node) { [self] _ in
                onControl { [self] in
                    guard state.value.nodes[index].memory.needsCopy != nil else { return }
                    commitLog.removeCursor(Self.markerCursor + name(node))
                    if let kept = offset ?? (isKept(forOthersThan: node) ? nil : commitLog.start) {
                        state.value.nodes[index].isBeingGivenUp = false
                        commitLog.setCursor(name(node), to: kept)
                    } else {
                        commitLog.removeCursor(name(node))
                    }
                }
            }
        }
    }

    package func markerConfirmed(_ node: NodeIndex, _ cursor: Offset) {
        commitLog.setCursor(Self.markerCursor + name(node), to: cursor)
    }

    // MARK: The first attachment

    private func consider(_ node: NodeIndex, _ interviewed: Interviewed) {
        commitLog.setCursor(name(node), to: commitLog.start)
        state.value.firstAttach.candidates[node] = interviewed
        perform(state.value.sync.detached(node, reason: "waiting for the other nodes, to compare what they hold"))
        if state.value.firstAttach.patience == nil {
            state.value.firstAttach.patience = control.scheduleTask(in: settings.firstAttachPatience) {
                [weak self] in self?.begin()
            }
        }
    }

    /// Everybody has been heard, or has had the time to be.
    private func begin() {
        guard beganEmpty == nil, !state.value.firstAttach.isComparing else { return }
        let candidates = state.value.firstAttach.candidates
        guard !candidates.isEmpty else { return }
        let withData = candidates.filter(\.value.hasData).keys.sorted()
        if withData.isEmpty { return attachFirst(candidates, serving: Set(candidates.keys), words: [:], isEmpty: true) }
        if candidates.count == 1 || withData.count == 1 {
            return attachFirst(candidates, serving: [withData[0]], words: [:], isEmpty: false)
        }
        state.value.firstAttach.isComparing = true
        compare(withData) { [self] comparison in
            state.value.firstAttach.isComparing = false
            // An operator may have decided meanwhile.
            guard beganEmpty == nil else { return }
            attachFirst(
                state.value.firstAttach.candidates, serving: comparison.serving, words: comparison.words,
                isEmpty: false)
        }
    }

    /// What a node runs by itself when it is first seen was not made through the log.
    private func noteOlderWork(_ node: NodeIndex, _ facts: NodeFacts) {
        let older = Set(facts.ownWork)
        guard !older.isEmpty else { return }
        state.value.nodes[Int(node.value)].memory.olderWork = older
        view.update { $0.nodes[Int(node.value)].ownWork.older = older }
        remember(node)
    }

    private func attachFirst(
        _ candidates: [NodeIndex: Interviewed], serving: Set<NodeIndex>, words: [NodeIndex: String], isEmpty: Bool
    ) {
        state.value.firstAttach.patience?.cancel()
        state.value.firstAttach = FirstAttach()
        do {
            try commitLog.setNote(Self.genesisNote, Array((isEmpty ? "empty" : "data").utf8))
        } catch {
            logger.error("how the log began cannot be kept", metadata: ["error": "\(error)"])
        }
        commitLog.checkpoint { [self] _ in
            control.execute { [self] in
                for (node, interviewed) in candidates.sorted(by: { $0.key < $1.key }) {
                    noteOlderWork(node, interviewed.facts)
                    if serving.contains(node) {
                        attach(node, at: commitLog.start, interviewed, reason: nil)
                    } else if interviewed.hasData {
                        hold(
                            node,
                            reason: "\(name(node)) holds other data than "
                                + "\(serving.sorted().map { name($0) }.joined(separator: ", ")): "
                                + "\(words[node] ?? "it could not be compared"). Only the most complete is read. Say "
                                + "sluice nodes trust \(name(node)) to take it as it is, or copy the data to it")
                    } else {
                        giveUp(
                            node,
                            reason: "\(name(node)) is new and empty, and other nodes have data that the log does not "
                                + "hold; copy the data of another node to it, then say sluice nodes trust \(name(node))"
                        )
                    }
                }
            }
        }
    }

    // MARK: The operator

    /// Leaves the node alone until `resume`; its backlog is kept.
    /// - Parameter asFailure: show it as down, for a fire drill.
    package func pause(_ node: NodeIndex, asFailure: Bool, for time: TimeAmount?) -> EventLoopFuture<Void> {
        control.submit { [self] in
            let reason =
                asFailure
                ? "a fire drill: it is treated as if it had failed, until: sluice nodes resume \(name(node))"
                : "paused by an operator, until: sluice nodes resume \(name(node))"
            let index = Int(node.value)
            state.value.nodes[index].isDrill = asFailure
            state.value.nodes[index].pauseEnd?.cancel()
            state.value.nodes[index].pauseEnd = nil
            if time == nil {
                state.value.nodes[index].memory.paused = reason
                remember(node)
            }
            // A pause without an end is not shortened by one that has one.
            if let time, state.value.nodes[index].memory.paused == nil {
                state.value.nodes[index].pauseEnd = control.scheduleTask(in: time) { [weak self] in
                    self?.endPause(node)
                }
            }
            beginPause(node, reason: reason)
        }
    }

    package func resume(_ node: NodeIndex) -> EventLoopFuture<Void> {
        control.submit { [self] in endPause(node) }
    }

    private func beginPause(_ node: NodeIndex, reason: String) {
        perform(state.value.sync.paused(node, reason: reason))
        onReplicator(node) { $0.setPaused(true) }
    }

    private func endPause(_ node: NodeIndex) {
        let index = Int(node.value)
        guard state.value.sync.members[index].isPaused else { return }
        state.value.nodes[index].pauseEnd?.cancel()
        state.value.nodes[index].pauseEnd = nil
        state.value.nodes[index].isDrill = false
        if state.value.nodes[index].memory.paused != nil {
            state.value.nodes[index].memory.paused = nil
            remember(node)
        }
        // It may have been changed meanwhile: not read before it was asked.
        if state.value.nodes[index].isAttached {
            perform(state.value.sync.unsettled(node, reason: "it was paused, and is asked what it holds"))
        }
        perform(state.value.sync.resumed(node))
        onReplicator(node) { $0.setPaused(false) }
    }

    /// Why a node cannot be trusted now.
    package struct TrustProblem: Error, CustomStringConvertible {
        package let description: String
    }

    /// Takes the node as it is, on an operator's word. Says what that means; does it unless `dryRun`.
    package func trust(_ node: NodeIndex, dryRun: Bool) -> EventLoopFuture<String> {
        control.submit { [self] in
            let index = Int(node.value)
            let own = state.value.nodes[index]
            let name = name(node)
            if own.isAttached, own.memory.diverged.isEmpty {
                throw TrustProblem(description: "\(name) is in use already; there is nothing to trust")
            }
            if own.isAttached {
                let count = own.memory.diverged.count
                if !dryRun {
                    state.value.nodes[index].memory.diverged = []
                    publishDivergences()
                    remember(node)
                }
                return "\(name) is read again for the \(count) measurements that were found to differ"
            }
            guard let interviewed = own.interviewed else {
                throw TrustProblem(description: "\(name) has not answered since the gateway started; start it first")
            }
            let attachment = Attachment(situation(node, interviewed, isTrusted: true))
            // Not again over what has rotted.
            let kept = own.memory.needsCopy == nil ? .zero : commitLog.cursor(name) ?? .zero
            guard case .attach(let start) = attachment.verdict else {
                if case .rewind(let start, let reason) = attachment.verdict {
                    let offset = max(start, kept)
                    if !dryRun { trusted(node, at: offset, interviewed) }
                    return "\(reason); it is fed from record \(offset) on"
                }
                if case .hold(let reason) = attachment.verdict { throw TrustProblem(description: reason) }
                throw TrustProblem(description: "\(name) cannot be trusted as it is")
            }
            let offset = max(start, kept)
            if !dryRun { trusted(node, at: offset, interviewed) }
            let left = commitLog.durableEnd.rawValue - offset.rawValue
            return "\(name) is taken as it is and fed from record \(offset) on (\(left) records are waiting); what it "
                + "lacks from before stays missing there, and what it has too much stays"
        }
    }

    private func trusted(_ node: NodeIndex, at offset: Offset, _ interviewed: Interviewed) {
        // One word is enough for all that has rotted until now.
        if state.value.nodes[Int(node.value)].memory.needsCopy != nil {
            state.value.nodes[Int(node.value)].toleratesLossBelow = commitLog.durableEnd
        }
        state.value.nodes[Int(node.value)].memory.diverged = []
        publishDivergences()
        attach(node, at: offset, interviewed, reason: "an operator trusts it as it is")
        remember(node)
        guard beganEmpty == nil else { return }
        try? commitLog.setNote(Self.genesisNote, Array("data".utf8))
        let waiting = state.value.firstAttach.candidates
        state.value.firstAttach.patience?.cancel()
        state.value.firstAttach = FirstAttach()
        for (other, said) in waiting where other != node { judge(other, said, isTrusted: false) }
    }

    // MARK: Several times a second

    func doChores() {
        let figures = commitLog.figures
        state.value.outage.note(bytesAppended: figures.bytes, at: control.monotonicNanoseconds)
        let left = state.value.outage.seconds(room: figures.roomBytes)
        view.update { $0.outageBudget = left }
        tellLogWhatIsFinished(figures)
        relievePressure()
        sets.keep(in: commitLog, logger: logger)
        if let lowest = commitLog.cursors.values.min() { state.value.court.forgetVerdicts(below: lowest) }
    }
}
