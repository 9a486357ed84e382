// The requests of one event loop that wait for nodes. Everything here happens on that loop.

import Cluster
import CommitLog
import NIOCore

/// A request that waits for what the nodes say to its mutation.
package protocol MutationWaiter: AnyObject {
    func answered(_ outcome: MutationOutcome)
}

package final class LoopAcks {
    private var writes: AckTracker
    private var mutations: MutationTracker<any MutationWaiter>
    private var expiry: RepeatedTask?

    package init(nodes: Int, withoutInSyncNode: AckTracker.WithoutInSyncNode) {
        writes = AckTracker(nodes: nodes, withoutInSyncNode: withoutInSyncNode)
        mutations = MutationTracker()
    }

    /// Starts to look for waits that ran out, several times a second.
    package func start(on eventLoop: any EventLoop) {
        eventLoop.assertInEventLoop()
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        expiry = eventLoop.scheduleRepeatedTask(
            initialDelay: .milliseconds(100), delay: .milliseconds(100)
        ) { _ in here.value.expire(now: eventLoop.monotonicNanoseconds) }
    }

    package func stop() { expiry?.cancel() }

    private func expire(now: Int64) { resolve(writes.expire(now: now)) }

    package var waitingWrites: Int { writes.count }
    package var waitingMutations: Int { mutations.count }

    package func wait(
        for offset: Offset, lane database: String, of nodes: NodeSet, minimum: Int, deadline: Int64,
        waiter: any AckWaiter
    ) {
        resolve(writes.add(offset, lane: database, of: nodes, minimum: minimum, deadline: deadline, waiter: waiter))
    }

    package func waitForAnswers(to offset: Offset, waiter: any MutationWaiter) {
        resolve(mutations.add(offset, waiter: waiter))
    }

    func applied(_ node: NodeIndex, lane database: String, through offset: Offset) {
        resolve(writes.applied(node, lane: database, through: offset))
    }

    func refused(_ node: NodeIndex, lane database: String, offset: Offset, _ refusal: Refusal) {
        writes.refused(node, lane: database, offset: offset, refusal)
    }

    func answered(_ node: NodeIndex, offset: Offset, _ answer: MutationAnswer) {
        resolve(mutations.answered(node, offset: offset, answer))
    }

    func setAckSet(_ set: NodeSet) {
        resolve(writes.setAckSet(set))
        resolve(mutations.setAckSet(set))
    }

    private func resolve(_ resolved: [AckTracker.Resolved]) {
        for wait in resolved { wait.waiter.acked(wait.outcome) }
    }

    private func resolve(_ resolved: [MutationTracker<any MutationWaiter>.Resolved]) {
        for wait in resolved { wait.waiter.answered(wait.outcome) }
    }
}
