// Who waits for what: the requests of one event loop between "durable" and "acknowledged". A value without I/O: the
// loop feeds it what became durable and what nodes applied, and answers the clients it returns.
//
// Within one lane a node applies in log order, so "applied through offset o" settles every record up to o that concerns
// it. Records of one lane, one replica set and one minimum count therefore form a queue that is answered from its head,
// in constant time per record and node.
//
// Order of events that the caller guarantees: a record is added (it became durable) before anything about it arrives
// from a node.

import CommitLog

/// What a node said to a record that it did not take whole.
package struct Refusal: Equatable, Sendable {
    /// The status that InfluxDB's client would have seen: 400, 404 or 500.
    package let status: Int
    /// The node's own words.
    package let message: String

    package init(status: Int, message: String) {
        self.status = status
        self.message = message
    }
}

/// How a wait ends.
package enum AckOutcome: Equatable, Sendable {
    /// Every node that had to apply it did; `refusal` is the word of the first node (in configuration order) that
    /// refused a part.
    case acknowledged(Refusal?)
    /// The time ran out; the record stays in the log and will be applied.
    case timedOut
    /// No node of the set is in sync any more, and the configuration wants that said.
    case noInSyncNode
}

/// A write that waits for its record to be applied.
package protocol AckWaiter: AnyObject {
    func acked(_ outcome: AckOutcome)
}

package struct AckTracker {
    package struct Resolved {
        package let waiter: any AckWaiter
        package let outcome: AckOutcome
    }

    /// What to do while no node is in sync.
    package enum WithoutInSyncNode: Sendable { case acknowledge, refuse }

    private struct Pending {
        let offset: Offset
        let deadline: Int64
        let waiter: any AckWaiter
    }

    /// What records of one queue wait for alike.
    private struct Demand: Hashable {
        let nodes: NodeSet
        let minimum: Int
    }

    /// The waiting records of one lane and one demand, oldest first.
    private struct Queue {
        var pending = Fifo<Pending>()
        /// How many records left the queue so far; record at position p has number `passed + p`.
        var passed = 0
        /// Per node: the number below which it has applied everything.
        var applied: [Int]

        init(nodes: Int) { applied = Array(repeating: 0, count: nodes) }
    }

    private struct Lane {
        var queues: [Demand: Queue] = [:]
    }

    private let nodes: Int
    private let withoutInSyncNode: WithoutInSyncNode
    private var lanes: [String: Lane] = [:]
    private var refusals: [Offset: [NodeIndex: Refusal]] = [:]
    private(set) package var ackSet: NodeSet
    /// How many records wait.
    private(set) package var count = 0

    /// - Parameter nodes: how many nodes are configured.
    package init(nodes: Int, ackSet: NodeSet = NodeSet(), withoutInSyncNode: WithoutInSyncNode = .acknowledge) {
        self.nodes = nodes
        self.ackSet = ackSet
        self.withoutInSyncNode = withoutInSyncNode
    }

    /// Adds a record that is durable now. Offsets of one lane must come in increasing order.
    /// - Parameters:
    ///   - nodes: its replica set.
    ///   - minimum: how many of them must have applied it at the least, beside all that are in the ack set.
    ///   - deadline: monotonic nanoseconds.
    package mutating func add(
        _ offset: Offset, lane database: String, of nodes: NodeSet, minimum: Int, deadline: Int64,
        waiter: any AckWaiter
    ) -> [Resolved] {
        count += 1
        let demand = Demand(nodes: nodes, minimum: minimum)
        lanes[database, default: Lane()].queues[demand, default: Queue(nodes: self.nodes)].pending.append(
            Pending(offset: offset, deadline: deadline, waiter: waiter)
        )
        // No node can have applied it yet, so only a write that waits for none is settled already.
        guard minimum == 0, ackSet.isDisjoint(with: nodes),
            var queue = lanes[database]?.queues.removeValue(forKey: demand)
        else { return [] }
        let resolved = settle(&queue, demand)
        put(queue, lane: database, demand)
        return resolved
    }

    /// A node has applied all records of a lane up to and including `offset` that concern it.
    package mutating func applied(_ node: NodeIndex, lane database: String, through offset: Offset) -> [Resolved] {
        guard let demands = lanes[database]?.queues.keys.filter({ $0.nodes.contains(node) }) else { return [] }
        var resolved: [Resolved] = []
        for demand in demands {
            guard var queue = lanes[database]?.queues.removeValue(forKey: demand) else { continue }
            var number = max(queue.applied[Int(node.value)], queue.passed)
            let end = queue.passed + queue.pending.count
            while number < end, queue.pending[number - queue.passed].offset <= offset { number += 1 }
            queue.applied[Int(node.value)] = number
            resolved += settle(&queue, demand)
            put(queue, lane: database, demand)
        }
        return resolved
    }

    /// A node refused (a part of) a record; must come before `applied` for it. Records that do not wait here are
    /// none of our business.
    package mutating func refused(_ node: NodeIndex, lane database: String, offset: Offset, _ refusal: Refusal) {
        guard let queues = lanes[database]?.queues.values else { return }
        let waitsHere = queues.contains { queue in
            let position = queue.pending.partitioningIndex { $0.offset < offset }
            return position < queue.pending.count && queue.pending[position].offset == offset
        }
        if waitsHere { refusals[offset, default: [:]][node] = refusal }
    }

    /// The nodes to wait for from now on, records that already wait included.
    package mutating func setAckSet(_ set: NodeSet) -> [Resolved] {
        ackSet = set
        return revisitAll()
    }

    /// Gives up what has waited past its deadline.
    package mutating func expire(now: Int64) -> [Resolved] {
        var resolved: [Resolved] = []
        for (database, lane) in lanes {
            for (demand, var queue) in lane.queues {
                while let first = queue.pending.first, first.deadline <= now {
                    resolved.append(pop(&queue, outcome: .timedOut))
                }
                put(queue, lane: database, demand)
            }
        }
        return resolved
    }

    private mutating func revisitAll() -> [Resolved] {
        var resolved: [Resolved] = []
        for (database, lane) in lanes {
            for (demand, var queue) in lane.queues {
                resolved += settle(&queue, demand)
                put(queue, lane: database, demand)
            }
        }
        return resolved
    }

    private mutating func put(_ queue: Queue, lane database: String, _ demand: Demand) {
        if queue.pending.isEmpty {
            lanes[database]?.queues[demand] = nil
            if lanes[database]?.queues.isEmpty == true { lanes[database] = nil }
        } else {
            lanes[database, default: Lane()].queues[demand] = queue
        }
    }

    /// Answers from the head all that have what they wait for.
    private mutating func settle(_ queue: inout Queue, _ demand: Demand) -> [Resolved] {
        var resolved: [Resolved] = []
        let end = queue.passed + queue.pending.count
        var settledEnd = end
        let awaited = ackSet.intersection(demand.nodes)
        for node in awaited { settledEnd = min(settledEnd, queue.applied[Int(node.value)]) }
        var outcome: AckOutcome?
        if demand.minimum > 0 {
            let descending = queue.applied.sorted(by: >)
            settledEnd = min(settledEnd, demand.minimum <= descending.count ? descending[demand.minimum - 1] : 0)
        } else if awaited.isEmpty, withoutInSyncNode == .refuse {
            // What some node applied is applied; the rest is said to be without a node.
            settledEnd = end
            outcome = .noInSyncNode
        }
        while queue.passed < settledEnd {
            let applied = queue.applied.contains { $0 > queue.passed }
            resolved.append(pop(&queue, outcome: applied ? nil : outcome))
        }
        return resolved
    }

    /// - Parameter outcome: nil: acknowledged.
    private mutating func pop(_ queue: inout Queue, outcome: AckOutcome?) -> Resolved {
        guard let first = queue.pending.popFirst() else { preconditionFailure("a queue was popped that is empty") }
        queue.passed += 1
        count -= 1
        let verdicts = refusals.isEmpty ? nil : refusals.removeValue(forKey: first.offset)
        if let outcome { return Resolved(waiter: first.waiter, outcome: outcome) }
        let refusal = verdicts?.min { $0.key < $1.key }?.value
        return Resolved(waiter: first.waiter, outcome: .acknowledged(refusal))
    }
}
