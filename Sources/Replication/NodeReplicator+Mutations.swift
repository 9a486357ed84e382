// Statements to the node. The head of the answer is no verdict (it comes before the statement is executed): applied
// means that the whole body was read and has no error (D3, reference 9, M10).

import Cluster
import CommitLog
import NIOCore
import NodeClient

extension NodeReplicator {
    func send(_ mutation: MutationRecord, _ id: Int) {
        guard let statement = readable(mutation) else {
            return again(id, reason: "cannot get a statement that was sealed with another key", retryAfter: nil)
        }
        let request = NodeRequests.mutation(
            statement: statement, database: mutation.database, retentionPolicy: mutation.retentionPolicy,
            parameters: mutation.parameters
        )
        let effect = ShardEffect(mutation)
        if case .makes = effect { shardLooks.hurry() }
        guard case .drops(let database, let policy) = effect else { return transmit(request, mutation, id) }
        flights[id]?.isDrop = true
        shardLooks.drops += 1
        let (here, loop, generation) = (NIOLoopBound(self, eventLoop: eventLoop), eventLoop, generation)
        delegate.willDrop(node, database: database, policy: policy) {
            loop.execute {
                let this = here.value
                guard !this.isStopped, generation == this.generation, this.flights[id] != nil else { return }
                guard case .open = this.gate, !this.isPaused else {
                    this.putBack(id)
                    return this.pump()
                }
                this.transmit(request, mutation, id)
            }
        }
    }

    private func transmit(_ request: NodeRequest, _ mutation: MutationRecord, _ id: Int) {
        transmit(request, limit: settings.largestMutationAnswer) { [weak self] in self?.executed(mutation, id, $0) }
    }

    private func readable(_ mutation: MutationRecord) -> String? {
        mutation.isSealed ? try? settings.sealer?.open(mutation.statement) : mutation.statement
    }

    private func executed(_ mutation: MutationRecord, _ id: Int, _ answer: CollectedAnswer) {
        guard let item = flights[id]?.batch.items.first else { return }
        guard case .complete(let answer) = answer else { return lost(id, answer) }
        switch answer.nodeAnswer.mutationVerdict {
        case .executed(let error):
            if answer.isTruncated {
                return again(id, reason: "gave an answer to a mutation that is too large", retryAfter: nil)
            }
            // What is refused, and in which shards things lie, may be different from here on.
            recent.forget(database: nil)
            shardGroups.forget()
            if let error {
                noteRefused(item, words: error)
            } else if item.offset >= attachment?.replayEnd ?? .zero {
                delegate.mutated(node, mutation)
            }
            delegate.answered(
                node, mutation: item.offset, MutationAnswer(status: answer.status, body: answer.body, error: error))
            finish(id)
        case .retry(let reason, let retryAfter):
            again(id, reason: reason, retryAfter: retryAfter)
            // It may go on all the same (a killed DELETE does).
            if answer.status != 429, answer.status != 503 { contactLost(reason: reason) }
        case .misconfigured(let reason):
            again(id, reason: "is misconfigured: \(reason)", retryAfter: nil)
        }
    }

    private func noteRefused(_ item: NodeLanes.Item, words: String) {
        figures.refusedMutations.add(1)
        let isReplay = attachment.map { item.offset < $0.replayEnd } ?? false
        logger.log(
            level: isReplay ? .debug : .warning, "a node refused a mutation",
            metadata: [
                "node": "\(name)", "offset": "\(item.offset.rawValue)", "words": "\(words)",
                "statement": "\(item.redactedStatement)",
            ]
        )
    }
}
