// A batch that a node does not simply take, against a model of such a node: it refuses lines for reasons of their own,
// names them well or badly, and stores whatever it likes of a request that it answers with 400.

import Cluster
import TestThreads
import Testing

/// A node as far as one batch is concerned.
private struct ModelNode {
    enum Answer {
        case taken
        case refused(dropped: Int?, named: [Int])
        case tooLarge
    }

    /// What its words say of the lines that it refuses.
    enum Words: CaseIterable {
        case nothing, some, all, allAndInnocents, anyOfThese
    }

    enum Counting: CaseIterable {
        case right, tooLow, missing, anyOfThese
    }

    /// The point that each line writes.
    let points: [Int]
    let refuses: Set<Int>
    var words = Words.all
    var counting = Counting.right
    /// More lines than these at a time are too many.
    var mostLines = Int.max
    var random = SplitMix(seed: 0)

    private(set) var requests = 0
    private(set) var sent: Set<Int> = []
    /// Lines of requests that it took whole.
    private(set) var whole: Set<Int> = []
    /// The line that each point has its value from.
    private(set) var values: [Int: Int] = [:]

    init(points: [Int], refuses: Set<Int>) {
        self.points = points
        self.refuses = refuses
    }

    mutating func post(_ lines: [Int]) -> Answer {
        requests += 1
        sent.formUnion(lines)
        guard lines.count <= mostLines else { return .tooLarge }
        let bad = lines.filter { refuses.contains($0) }
        if bad.isEmpty {
            whole.formUnion(lines)
            for line in lines { values[points[line]] = line }
            return .taken
        }
        let likelihood = random.next() % 5
        for line in lines where !refuses.contains(line) && random.next() % 4 < likelihood {
            values[points[line]] = line
        }
        return .refused(dropped: dropped(bad.count), named: named(bad, of: lines))
    }

    private mutating func dropped(_ right: Int) -> Int? {
        var counting = counting
        if counting == .anyOfThese { counting = [.right, .tooLow, .missing].randomElement(using: &random)! }
        switch counting {
        case .right: return right
        case .tooLow: return Int.random(in: 0...right, using: &random)
        case .missing, .anyOfThese: return nil
        }
    }

    private mutating func named(_ bad: [Int], of lines: [Int]) -> [Int] {
        var words = words
        if words == .anyOfThese { words = [.nothing, .some, .all, .allAndInnocents].randomElement(using: &random)! }
        switch words {
        case .nothing, .anyOfThese: return []
        case .some: return bad.filter { _ in random.next() % 2 == 0 }
        case .all: return bad
        case .allAndInnocents:
            let bad = Set(bad)
            return lines.filter { bad.contains($0) || random.next() % 4 == 0 }
        }
    }
}

private let refusal = Refusal(status: 400, message: "no")

/// Carries a delivery to its end, or to the limit of requests.
private func deliver(_ delivery: inout BatchDelivery, to node: inout ModelNode, atMost limit: Int) {
    while case .send(let lines) = delivery.next, node.requests < limit {
        #expect(!lines.isEmpty && zip(lines, lines.dropFirst()).allSatisfy { $0 < $1 }, "in the order of the log")
        switch node.post(lines) {
        case .taken: delivery.accepted()
        case .refused(let dropped, let named): delivery.refused(refusal, dropped: dropped, named: named)
        case .tooLarge: delivery.tooLarge()
        }
    }
    #expect(delivery.next == .done, "not at its end after \(node.requests) requests")
}

/// What must hold at the end, whatever happened on the way.
private func check(
    _ delivery: BatchDelivery, _ node: ModelNode, excluded: Set<Int>, _ comment: Comment,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let lines = node.points.indices
    let refused = node.refuses.subtracting(excluded).sorted()
    #expect(delivery.refusedLines.map(\.line) == refused, comment, sourceLocation: sourceLocation)
    #expect(node.sent.isDisjoint(with: excluded), comment, sourceLocation: sourceLocation)
    let stored = lines.filter { !node.refuses.contains($0) && !excluded.contains($0) }
    #expect(node.whole == Set(stored), comment, sourceLocation: sourceLocation)
    var values: [Int: Int] = [:]
    for line in stored { values[node.points[line]] = line }
    #expect(node.values == values, comment, sourceLocation: sourceLocation)
}

@Suite("A batch on its way to one node", .blocking)
struct BatchDeliveryTests {
    @Test(
        "L7 L15 L22 S7 whatever a node refuses and names: the refused lines are found, the others are in, in order",
        arguments: 0..<100)
    func anyNode(group: UInt64) {
        for seed in group * 40..<(group + 1) * 40 {
            var random = SplitMix(seed: seed)
            func share(_ count: Int, of lines: Int) -> Set<Int> {
                let percent = Int.random(in: 0...100, using: &random)
                let likelihood = count == 0 ? 0 : percent / count
                return Set((0..<lines).filter { _ in Int.random(in: 0..<100, using: &random) < likelihood })
            }
            let count = Int.random(in: 1...80, using: &random)
            let points = (0..<count).map { _ in Int.random(in: 0..<6, using: &random) }
            let refuses = share([1, 4, 20].randomElement(using: &random)!, of: count)
            let excluded = share([0, 2, 5].randomElement(using: &random)!, of: count)
            var suspects = share([0, 1, 3].randomElement(using: &random)!, of: count)
            if random.next() % 3 == 0 { suspects.formUnion(refuses) }
            var node = ModelNode(points: points, refuses: refuses)
            node.words = ModelNode.Words.allCases.randomElement(using: &random)!
            node.counting = ModelNode.Counting.allCases.randomElement(using: &random)!
            if random.next() % 3 == 0 { node.mostLines = Int.random(in: 1...count, using: &random) }
            node.random = random

            var delivery = BatchDelivery(lines: count, excluded: excluded, suspects: suspects)
            // By words a dozen rounds and as many of suspects; then each line apart, and all once more, twice.
            deliver(&delivery, to: &node, atMost: 30 + 4 * 2 * count)
            check(delivery, node, excluded: excluded, "seed \(seed)")
        }
    }

    @Test("a batch without refused lines takes one request, also when all of it is like what was refused a moment ago")
    func innocent() {
        for suspects in [0..<0, 0..<100] {
            var node = ModelNode(points: Array(0..<100), refuses: [])
            var delivery = BatchDelivery(lines: 100, suspects: suspects)
            deliver(&delivery, to: &node, atMost: 10)
            check(delivery, node, excluded: [], "\(suspects)")
            #expect(node.requests == 1)
        }
    }

    @Test("nothing is sent when there is nothing to send")
    func nothing() {
        #expect(BatchDelivery(lines: 0).next == .done)
        let excluded = BatchDelivery(lines: 5, excluded: 0..<5, suspects: 0..<2)
        #expect(excluded.next == .done)
        #expect(excluded.refusedLines.isEmpty, "what the set has refused is not reported again")
    }

    @Test(
        "L7 one bad kind of line that the node names costs two more requests, however many lines it has",
        arguments: [1, 2, 50, 2_500, 4_999])
    func oneKind(bad: Int) {
        let refuses = Set((0..<bad).map { $0 * 5_000 / bad })
        var node = ModelNode(points: (0..<5_000).map { $0 % 40 }, refuses: refuses)
        var delivery = BatchDelivery(lines: 5_000)
        deliver(&delivery, to: &node, atMost: 20)
        check(delivery, node, excluded: [], "\(bad)")
        #expect(node.requests == 3)
    }

    @Test("during a storm a batch takes two requests: the innocent lines, and those of the kind that is refused")
    func storm() {
        let refuses = Set((0..<5_000).filter { $0 % 3 == 0 })
        var node = ModelNode(points: (0..<5_000).map { $0 % 40 }, refuses: refuses)
        var delivery = BatchDelivery(lines: 5_000, suspects: refuses)
        deliver(&delivery, to: &node, atMost: 20)
        check(delivery, node, excluded: [], "storm")
        #expect(node.requests == 2)
    }

    @Test("S7 when the storm is over, suspects are taken and all of the batch is sent once more, in order")
    func stormIsOver() {
        var node = ModelNode(points: (0..<5_000).map { $0 % 40 }, refuses: [])
        var delivery = BatchDelivery(lines: 5_000, suspects: stride(from: 0, to: 5_000, by: 3))
        deliver(&delivery, to: &node, atMost: 20)
        check(delivery, node, excluded: [], "over")
        #expect(node.requests == 3)
    }

    @Test("one bad line that the node does not name is found by halves")
    func unnamed() {
        var node = ModelNode(points: (0..<5_000).map { $0 % 40 }, refuses: [3_456])
        node.words = .nothing
        var delivery = BatchDelivery(lines: 5_000)
        deliver(&delivery, to: &node, atMost: 40)
        check(delivery, node, excluded: [], "unnamed")
    }

    @Test("ten kinds of bad lines, each named on its own, cost one request each and two more")
    func manyKinds() {
        // Kinds are told by the remainder: the node speaks of the first line that it refuses.
        let count = 5_000
        var requests = 0
        var delivery = BatchDelivery(lines: count)
        while case .send(let lines) = delivery.next, requests < 100 {
            requests += 1
            guard let first = lines.first(where: { $0 % 100 < 10 }) else {
                delivery.accepted()
                continue
            }
            let named = lines.filter { $0 % 100 == first % 100 }
            delivery.refused(refusal, dropped: lines.count { $0 % 100 < 10 }, named: named)
        }
        #expect(delivery.next == .done)
        #expect(delivery.refusedLines.map(\.line) == (0..<count).filter { $0 % 100 < 10 })
        #expect(requests == 12)
    }

    @Test(
        "S7 many unnamed bad lines, or small requests: innocent suspects do not end up on top of newer lines",
        arguments: [Int.max, 30])
    func innocentSuspects(mostLines: Int) {
        // Even lines of the first half are suspects, and one of them is bad; the same points are written again later.
        let points = (0..<200).map { $0 % 100 }
        let refuses = Set((100..<200).filter { $0 % 4 == 1 } + [10])
        var node = ModelNode(points: points, refuses: refuses)
        node.words = .nothing
        node.mostLines = mostLines
        var delivery = BatchDelivery(lines: 200, suspects: stride(from: 0, to: 100, by: 2))
        deliver(&delivery, to: &node, atMost: 500)
        check(delivery, node, excluded: [], "\(mostLines)")
    }

    @Test("a storm whose lines lie in several shards: the node counts those of one, the requests stay few")
    func stormOverShards() {
        // Each shard has a stretch of the lines; the words count what one of them dropped.
        let refuses = Set((0..<5_000).filter { $0 % 2 == 0 })
        var requests = 0
        var delivery = BatchDelivery(lines: 5_000, suspects: refuses)
        while case .send(let lines) = delivery.next, requests < 20_000 {
            requests += 1
            let bad = lines.filter { refuses.contains($0) }
            guard let first = bad.first else {
                delivery.accepted()
                continue
            }
            delivery.refused(refusal, dropped: bad.count { $0 / 1_250 == first / 1_250 }, named: bad)
        }
        #expect(delivery.next == .done)
        #expect(delivery.refusedLines.map(\.line) == refuses.sorted())
        #expect(requests <= 15)
    }

    @Test("an unknown database refuses all that was not refused before, each line with the words it got")
    func whole() {
        let other = Refusal(status: 404, message: "database not found: \"d\"")
        var delivery = BatchDelivery(lines: 6, excluded: [5], suspects: [1])
        #expect(delivery.next == .send([0, 2, 3, 4]))
        delivery.refused(refusal, dropped: 1)
        #expect(delivery.next == .send([0, 2]))
        delivery.refused(refusal)
        #expect(delivery.next == .send([0]))
        delivery.refused(refusal)
        delivery.refusedWhole(other)
        #expect(delivery.next == .done)
        #expect(delivery.refusedLines.map(\.line) == [0, 1, 2, 3, 4])
        #expect(delivery.refusedLines.last?.refusal == other)
    }

    @Test("a single line that is too large for the node is refused as such")
    func tooLarge() {
        var delivery = BatchDelivery(lines: 2)
        delivery.tooLarge()
        #expect(delivery.next == .send([0]))
        delivery.tooLarge()
        #expect(delivery.next == .send([1]))
        delivery.accepted()
        #expect(delivery.next == .done)
        #expect(delivery.refusedLines.map(\.line) == [0])
        #expect(delivery.refusedLines.first?.refusal.status == 413)
    }
}
