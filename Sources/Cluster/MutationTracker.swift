// Mutations between "durable" and "answered": each waits for the answers of all in-sync nodes, however long they take
// (InfluxDB has no time-out for them either), and is answered with what the nodes said.

import CommitLog

/// One node's complete answer to a mutation.
package struct MutationAnswer: Equatable, Sendable {
    package let status: Int
    package let body: [UInt8]
    /// The node's error, if any.
    package let error: String?

    package init(status: Int, body: [UInt8], error: String?) {
        self.status = status
        self.body = body
        self.error = error
    }
}

package enum MutationOutcome: Equatable, Sendable {
    /// By node, in configuration order; never empty.
    case answered([(node: NodeIndex, answer: MutationAnswer)])
    /// Every in-sync node left before it answered; the mutation is in the log and will be applied.
    case noNodeLeft

    package static func == (a: MutationOutcome, b: MutationOutcome) -> Bool {
        switch (a, b) {
        case (.noNodeLeft, .noNodeLeft): true
        case (.answered(let a), .answered(let b)): a.elementsEqual(b) { $0 == $1 }
        default: false
        }
    }
}

package struct MutationTracker<Waiter> {
    package struct Resolved {
        package let waiter: Waiter
        package let outcome: MutationOutcome
    }

    private struct Pending {
        let waiter: Waiter
        var answers: [NodeIndex: MutationAnswer] = [:]
    }

    private var pending: [Offset: Pending] = [:]
    private var ackSet: NodeSet

    package init(ackSet: NodeSet = NodeSet()) { self.ackSet = ackSet }

    package var count: Int { pending.count }

    package mutating func add(_ offset: Offset, waiter: Waiter) -> [Resolved] {
        pending[offset] = Pending(waiter: waiter)
        return settle([offset])
    }

    /// Answers to mutations that do not wait here are none of our business.
    package mutating func answered(_ node: NodeIndex, offset: Offset, _ answer: MutationAnswer) -> [Resolved] {
        guard pending[offset] != nil else { return [] }
        pending[offset]?.answers[node] = answer
        return settle([offset])
    }

    package mutating func setAckSet(_ set: NodeSet) -> [Resolved] {
        ackSet = set
        return settle(pending.keys.sorted())
    }

    private mutating func settle(_ offsets: [Offset]) -> [Resolved] {
        var resolved: [Resolved] = []
        for offset in offsets {
            guard let entry = pending[offset] else { continue }
            let answered = NodeSet(entry.answers.keys)
            guard ackSet.isSubset(of: answered) else { continue }
            pending[offset] = nil
            let answers = entry.answers.sorted { $0.key < $1.key }.map { (node: $0.key, answer: $0.value) }
            resolved.append(
                Resolved(waiter: entry.waiter, outcome: answers.isEmpty ? .noNodeLeft : .answered(answers))
            )
        }
        return resolved
    }
}
