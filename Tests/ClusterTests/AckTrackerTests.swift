import Cluster
import CommitLog
import TestThreads
import Testing

private let a = NodeIndex(0)
private let b = NodeIndex(1)
private let c = NodeIndex(2)

private func offset(_ value: Int) -> Offset { Offset(UInt64(value)) }

private final class Client: AckWaiter {
    let value: Int
    init(_ value: Int) { self.value = value }
    func acked(_ outcome: AckOutcome) {}
}

extension [AckTracker.Resolved] {
    fileprivate var values: [Int] { map { ($0.waiter as? Client)?.value ?? -1 } }
}

extension AckTracker {
    fileprivate mutating func add(
        _ value: Int, minimum: Int = 0, lane: String = "db", of nodes: NodeSet = .everybody, deadline: Int64 = .max
    ) -> [Int] {
        add(offset(value), lane: lane, of: nodes, minimum: minimum, deadline: deadline, waiter: Client(value)).values
    }
}

@Suite("Who waits for what", .blocking)
struct AckTrackerTests {
    @Test("S1 a write is acknowledged when every in-sync node has applied it, not before")
    func allInSync() {
        var acks = AckTracker(nodes: 2, ackSet: [a, b])
        #expect(acks.add(0).isEmpty)
        #expect(acks.add(1).isEmpty)
        #expect(acks.applied(a, lane: "db", through: offset(1)).isEmpty)
        #expect(acks.applied(b, lane: "db", through: offset(0)).values == [0])
        #expect(acks.applied(b, lane: "db", through: offset(1)).values == [1])
        #expect(acks.count == 0)
    }

    @Test("what one lane applied says nothing of another lane")
    func lanes() {
        var acks = AckTracker(nodes: 1, ackSet: [a])
        #expect(acks.add(0, lane: "x").isEmpty)
        #expect(acks.applied(a, lane: "y", through: offset(9)).isEmpty)
        #expect(acks.applied(a, lane: "x", through: offset(9)).values == [0])
    }

    @Test("a record waits for the nodes of its replica set alone, and others of its lane do not wait for it")
    func replicaSets() {
        var acks = AckTracker(nodes: 3, ackSet: [a, b, c], withoutInSyncNode: .refuse)
        #expect(acks.add(0, of: [a, b]).isEmpty)
        #expect(acks.add(1, of: [b, c]).isEmpty)
        #expect(acks.add(2, minimum: 2, of: [b, c]).isEmpty)
        #expect(acks.add(3, of: [a, b]).isEmpty)
        #expect(acks.applied(c, lane: "db", through: offset(2)).isEmpty)
        #expect(acks.applied(a, lane: "db", through: offset(3)).isEmpty, "b is waited for too")
        #expect(acks.applied(b, lane: "db", through: offset(1)).values.sorted() == [0, 1])
        #expect(acks.setAckSet([a, c]).values == [3], "the count of the third is not reached without b")
        #expect(acks.applied(b, lane: "db", through: offset(2)).values == [2])
        #expect(acks.add(4, of: [b]).isEmpty == false, "nobody of its set is in sync")
        #expect(acks.add(5, of: [a, b]).isEmpty)
    }

    @Test("A1 a node that leaves is not waited for any more")
    func leaving() {
        var acks = AckTracker(nodes: 2, ackSet: [a, b])
        _ = acks.add(0)
        _ = acks.add(1)
        _ = acks.applied(a, lane: "db", through: offset(0))
        #expect(acks.setAckSet([a]).values == [0])
        #expect(acks.applied(a, lane: "db", through: offset(1)).values == [1])
    }

    @Test("a node that enters is waited for, by writes that already wait too")
    func entering() {
        var acks = AckTracker(nodes: 2, ackSet: [a])
        _ = acks.add(0)
        #expect(acks.setAckSet([a, b]).isEmpty)
        #expect(acks.applied(a, lane: "db", through: offset(0)).isEmpty)
        #expect(acks.applied(b, lane: "db", through: offset(0)).values == [0])
    }

    @Test("one, quorum and all need a number of nodes on top; others behind them do not wait for it")
    func minimums() {
        var acks = AckTracker(nodes: 3, ackSet: [a])
        _ = acks.add(0, minimum: 3)
        _ = acks.add(1, minimum: 2)
        _ = acks.add(2)
        #expect(acks.applied(a, lane: "db", through: offset(2)).values == [2])
        #expect(acks.applied(b, lane: "db", through: offset(2)).values == [1])
        #expect(acks.applied(c, lane: "db", through: offset(0)).values == [0])
    }

    @Test("with no node in sync a durable write is acknowledged, or refused if so configured")
    func noneInSync() {
        var acks = AckTracker(nodes: 2)
        #expect(acks.add(0) == [0])
        var strict = AckTracker(nodes: 2, ackSet: [a], withoutInSyncNode: .refuse)
        #expect(strict.add(0).isEmpty)
        let resolved = strict.setAckSet([])
        #expect(resolved.map(\.outcome) == [.noInSyncNode])
    }

    @Test("S9 of several refusals the client gets that of the first node in configuration order")
    func refusals() {
        var acks = AckTracker(nodes: 2, ackSet: [a, b])
        _ = acks.add(0)
        _ = acks.add(1)
        acks.refused(b, lane: "db", offset: offset(0), Refusal(status: 400, message: "b"))
        acks.refused(a, lane: "db", offset: offset(0), Refusal(status: 400, message: "a"))
        acks.refused(a, lane: "db", offset: offset(7), Refusal(status: 400, message: "not here"))
        _ = acks.applied(a, lane: "db", through: offset(1))
        let resolved = acks.applied(b, lane: "db", through: offset(1))
        #expect(
            resolved.map(\.outcome) == [
                .acknowledged(Refusal(status: 400, message: "a")), .acknowledged(nil),
            ])
    }

    @Test("a wait that runs out is said to have, and leaves the others alone")
    func expiry() {
        var acks = AckTracker(nodes: 2, ackSet: [a, b])
        _ = acks.add(0, deadline: 10)
        _ = acks.add(1, deadline: 20)
        #expect(acks.expire(now: 9).isEmpty)
        #expect(acks.expire(now: 10).map(\.outcome) == [.timedOut])
        _ = acks.applied(a, lane: "db", through: offset(1))
        #expect(acks.applied(b, lane: "db", through: offset(1)).values == [1])
    }

    @Test("random traffic gives the answers of a plain model", arguments: 0..<300)
    func random(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var acks = AckTracker(nodes: 3, ackSet: [a, b])
        var ackSet: NodeSet = [a, b]
        var waiting: [Int: (lane: String, minimum: Int)] = [:]
        var through: [String: [Int]] = ["x": [-1, -1, -1], "y": [-1, -1, -1]]
        var next = 0
        func due() -> Set<Int> {
            Set(
                waiting.filter { value, want in
                    let has = (0..<3).filter { through[want.lane]![$0] >= value }
                    return ackSet.allSatisfy { has.contains(Int($0.value)) } && has.count >= want.minimum
                }.keys
            )
        }
        for _ in 0..<200 {
            var resolved: [Int]
            switch random.next() % 4 {
            case 0, 1:
                let lane = random.next() % 2 == 0 ? "x" : "y"
                let minimum = [0, 0, 1, 2, 3][Int(random.next() % 5)]
                waiting[next] = (lane, minimum)
                resolved = acks.add(next, minimum: minimum, lane: lane)
                next += 1
            case 2:
                let lane = random.next() % 2 == 0 ? "x" : "y"
                let node = Int(random.next() % 3)
                guard next > 0 else { continue }
                let offset = max(through[lane]![node], Int(random.next() % UInt64(next)))
                through[lane]![node] = offset
                resolved = acks.applied(NodeIndex(node), lane: lane, through: Offset(UInt64(offset))).values
            default:
                ackSet = NodeSet(bits: random.next() % 8)
                resolved = acks.setAckSet(ackSet).values
            }
            #expect(Set(resolved) == due())
            for value in resolved { waiting[value] = nil }
            #expect(acks.count == waiting.count)
        }
    }
}

extension NodeSet: ExpressibleByArrayLiteral {
    package init(arrayLiteral elements: NodeIndex...) { self.init(elements) }
}

@Suite("Mutations wait for the answers of all in-sync nodes")
struct MutationTrackerTests {
    private let done = MutationAnswer(status: 200, body: [], error: nil)
    private let refused = MutationAnswer(status: 200, body: [], error: "user already exists")

    @Test("D5 the answers of all in-sync nodes are given, by node")
    func answers() {
        var tracker = MutationTracker<Int>(ackSet: [a, b])
        #expect(tracker.add(offset(3), waiter: 3).isEmpty)
        #expect(tracker.answered(b, offset: offset(3), refused).isEmpty)
        #expect(tracker.answered(b, offset: offset(9), refused).isEmpty)
        let resolved = tracker.answered(a, offset: offset(3), done)
        #expect(resolved.map(\.outcome) == [.answered([(a, done), (b, refused)])])
        #expect(tracker.count == 0)
    }

    @Test("a node that leaves is not waited for; when all leave, that is said")
    func leaving() {
        var tracker = MutationTracker<Int>(ackSet: [a, b])
        _ = tracker.add(offset(0), waiter: 0)
        _ = tracker.answered(a, offset: offset(0), done)
        #expect(tracker.setAckSet([a]).map(\.outcome) == [.answered([(a, done)])])
        _ = tracker.add(offset(1), waiter: 1)
        #expect(tracker.setAckSet([]).map(\.outcome) == [.noNodeLeft])
    }
}
