import Cluster
import CommitLog
import TestThreads
import Testing

private typealias Lanes = NodeLanes

private final class Tag: Sendable {
    let value: Int
    init(_ value: Int) { self.value = value }
}

extension NodeLanes.Item {
    fileprivate var tag: Int { (payload as? Tag)?.value ?? -1 }
}

private func points(_ offset: Int, _ database: String, policy: String = "", lines: Int = 1, bytes: Int = 10)
    -> Lanes.Item
{
    Lanes.Item(
        offset: Offset(UInt64(offset)),
        work: .points(database: database, BatchKey(retentionPolicy: policy, precision: 0)), lines: lines, bytes: bytes,
        payload: Tag(offset)
    )
}

private func mutation(_ offset: Int, _ scope: LaneScope) -> Lanes.Item {
    Lanes.Item(offset: Offset(UInt64(offset)), work: .mutation(scope), lines: 0, bytes: 10, payload: Tag(offset))
}

extension NodeLanes.Batch {
    fileprivate var offsets: [Int] { items.map(\.tag) }
}

@Suite("The order in which one node gets the records", .blocking)
struct NodeLanesTests {
    @Test("records of one database and policy are joined, one request in flight per database")
    func joins() {
        var lanes = Lanes(cursor: .zero)
        for offset in 0..<3 { lanes.enqueue(points(offset, "a")) }
        let first = lanes.next()
        #expect(first.map(\.offsets) == [[0, 1, 2]])
        lanes.enqueue(points(3, "a"))
        lanes.enqueue(points(4, "b"))
        let second = lanes.next()
        #expect(second.map(\.offsets) == [[4]], "another database does not wait")
        #expect(lanes.cursor == .zero)
        lanes.applied(second[0].id)
        #expect(lanes.cursor == .zero, "the cursor is the contiguous prefix")
        lanes.applied(first[0].id)
        #expect(lanes.cursor == Offset(3))
        #expect(lanes.next().map(\.offsets) == [[3]])
    }

    @Test("S6 databases whose names only look the same are never joined")
    func alike() {
        var lanes = Lanes(cursor: .zero)
        lanes.enqueue(points(0, "caf\u{e9}"))
        lanes.enqueue(points(1, "cafe\u{301}"))
        let batches = lanes.next()
        #expect(batches.allSatisfy { $0.offsets.count == 1 })
    }

    @Test("a batch ends at another policy, at the limit of lines and at the limit of bytes")
    func batchEnds() {
        var lanes = Lanes(cursor: .zero, limits: .init(lines: 10, bytes: 100))
        lanes.enqueue(points(0, "a", lines: 6))
        lanes.enqueue(points(1, "a", lines: 6))
        lanes.enqueue(points(2, "a", policy: "p"))
        lanes.enqueue(points(3, "a", policy: "p", bytes: 95))
        lanes.enqueue(points(4, "a", policy: "p", bytes: 500))
        var sent: [[Int]] = []
        while let batch = lanes.next().first {
            sent.append(batch.offsets)
            lanes.applied(batch.id)
        }
        #expect(sent == [[0], [1], [2], [3], [4]])
        #expect(lanes.isEmpty && lanes.heldBytes == 0)
    }

    @Test("a mutation waits for all before it in its lane and holds up all behind it")
    func barrier() {
        var lanes = Lanes(cursor: .zero)
        lanes.enqueue(points(0, "a"))
        lanes.enqueue(mutation(1, .database("a")))
        lanes.enqueue(points(2, "a"))
        lanes.enqueue(points(3, "b"))
        let first = lanes.next()
        #expect(Set(first.map(\.offsets)) == [[0], [3]])
        #expect(lanes.next().isEmpty)
        lanes.applied(first.first { $0.offsets == [0] }!.id)
        let second = lanes.next()
        #expect(second.map(\.offsets) == [[1]])
        lanes.applied(second[0].id)
        #expect(lanes.next().map(\.offsets) == [[2]])
    }

    @Test("CREATE DATABASE is in order with its database and with the schema, others go on")
    func twoLanes() {
        var lanes = Lanes(cursor: .zero)
        lanes.enqueue(mutation(0, .schema))
        lanes.enqueue(points(1, "a"))
        lanes.enqueue(mutation(2, .databaseAndSchema("a")))
        lanes.enqueue(points(3, "a"))
        lanes.enqueue(mutation(4, .databaseAndSchema("b")))
        lanes.enqueue(points(5, "c"))
        let first = lanes.next()
        #expect(Set(first.map(\.offsets)) == [[0], [1], [5]])
        lanes.applied(first.first { $0.offsets == [0] }!.id)
        #expect(lanes.next().isEmpty, "2 still waits for 1 in its database, and 4 for 2 in the schema")
        lanes.applied(first.first { $0.offsets == [1] }!.id)
        let second = lanes.next()
        #expect(second.map(\.offsets) == [[2]])
        lanes.applied(second[0].id)
        #expect(Set(lanes.next().map(\.offsets)) == [[3], [4]])
    }

    @Test("a mutation whose reach is unknown waits for all lanes and holds up all lanes")
    func everything() {
        var lanes = Lanes(cursor: .zero)
        lanes.enqueue(points(0, "a"))
        lanes.enqueue(points(1, "b"))
        lanes.enqueue(mutation(2, .everything))
        lanes.enqueue(mutation(3, .everything))
        lanes.enqueue(points(4, "a"))
        let first = lanes.next()
        #expect(first.count == 2)
        lanes.applied(first[0].id)
        #expect(lanes.next().isEmpty)
        lanes.applied(first[1].id)
        let second = lanes.next()
        #expect(second.map(\.offsets) == [[2]])
        #expect(lanes.next().isEmpty)
        lanes.failed(second[0].id)
        let again = lanes.next()
        #expect(again.map(\.offsets) == [[2]])
        lanes.applied(again[0].id)
        let third = lanes.next()
        #expect(third.map(\.offsets) == [[3]])
        lanes.applied(third[0].id)
        #expect(lanes.next().map(\.offsets) == [[4]])
    }

    @Test("L4 what failed is next again, in the same place")
    func failure() {
        var lanes = Lanes(cursor: .zero)
        for offset in 0..<3 { lanes.enqueue(points(offset, "a")) }
        let batch = lanes.next()[0]
        lanes.enqueue(points(3, "a"))
        lanes.failed(batch.id)
        #expect(lanes.cursor == .zero)
        #expect(lanes.next().map(\.offsets) == [[0, 1, 2, 3]])
    }

    @Test("L7 the records of a refused batch go one by one, those behind it are joined again")
    func oneByOne() {
        var lanes = Lanes(cursor: .zero)
        for offset in 0..<3 { lanes.enqueue(points(offset, "a")) }
        let batch = lanes.next()[0]
        for offset in 3..<5 { lanes.enqueue(points(offset, "a")) }
        lanes.failed(batch.id, oneByOne: true)
        var sent: [[Int]] = []
        while let batch = lanes.next().first {
            sent.append(batch.offsets)
            lanes.applied(batch.id)
        }
        #expect(sent == [[0], [1], [2], [3, 4]])
    }

    @Test("records of other replica sets only move the cursor")
    func skipped() {
        var lanes = Lanes(cursor: Offset(7))
        lanes.skip(Offset(7))
        #expect(lanes.cursor == Offset(8))
        lanes.enqueue(points(8, "a"))
        lanes.skip(Offset(9))
        #expect(lanes.cursor == Offset(8))
        lanes.applied(lanes.next()[0].id)
        #expect(lanes.cursor == Offset(10) && lanes.isEmpty)
    }

    @Test("what the log left out moves the cursor too, however much it is")
    func gaps() {
        var lanes = Lanes(cursor: .zero)
        lanes.skip(to: Offset(1 << 40))
        #expect(lanes.cursor == Offset(1 << 40) && lanes.isEmpty)
        lanes.enqueue(points(1 << 40, "a"))
        lanes.skip(to: Offset(1 << 50))
        lanes.enqueue(points(1 << 50, "b"))
        #expect(lanes.cursor == Offset(1 << 40))
        #expect(!lanes.isDone(Offset(1 << 40)) && lanes.isDone(Offset(1 << 41)) && !lanes.isDone(Offset(1 << 50)))
        for batch in lanes.next() { lanes.applied(batch.id) }
        #expect(lanes.cursor == Offset((1 << 50) + 1))
    }

    @Test("a record is done when it is applied or does not concern the node, also ahead of the cursor")
    func done() {
        var lanes = Lanes(cursor: Offset(10))
        func done(_ range: Range<UInt64>) -> [UInt64] { range.filter { lanes.isDone(Offset($0)) } }
        #expect(done(0..<20) == Array(0..<10), "what has not come yet is not")
        lanes.enqueue(points(10, "a"))
        lanes.skip(Offset(11))
        lanes.enqueue(points(12, "b"))
        lanes.enqueue(mutation(13, .everything))
        #expect(done(8..<20) == [8, 9, 11])
        let batches = lanes.next()
        #expect(done(8..<20) == [8, 9, 11], "in flight is not done")
        lanes.applied(batches.first { $0.offsets == [12] }!.id)
        #expect(done(8..<20) == [8, 9, 11, 12])
        lanes.failed(batches.first { $0.offsets == [10] }!.id)
        #expect(done(8..<20) == [8, 9, 11, 12])
        lanes.applied(lanes.next()[0].id)
        #expect(lanes.cursor == Offset(13))
        #expect(done(8..<20) == [8, 9, 10, 11, 12])
        lanes.applied(lanes.next()[0].id)
        #expect(done(8..<20) == Array(8..<14))
    }

    @Test(
        "D6 random traffic with failures: every record once, each lane in log order, barriers respected",
        arguments: 0..<200)
    func random(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var lanes = Lanes(cursor: .zero, limits: .init(lines: 4, bytes: 1000))
        let count = 60
        var items: [Lanes.Item] = []
        for offset in 0..<count {
            let database = ["a", "b", "c"][Int(random.next() % 3)]
            switch random.next() % 10 {
            case 0: items.append(mutation(offset, .database(database)))
            case 1: items.append(mutation(offset, .databaseAndSchema(database)))
            case 2: items.append(mutation(offset, .schema))
            case 3 where random.next() % 3 == 0: items.append(mutation(offset, .everything))
            default: items.append(points(offset, database, policy: ["", "p"][Int(random.next() % 2)]))
            }
        }
        var entered = 0
        var flying: [Lanes.Batch] = []
        var applied: [Int] = []
        while applied.count < count {
            if entered < count, random.next() % 2 == 0 {
                lanes.enqueue(items[entered])
                entered += 1
            }
            flying += lanes.next()
            for (index, batch) in flying.enumerated() {
                for other in flying[(index + 1)...] {
                    #expect(!conflict(batch.items[0].work, other.items[0].work), "two of one lane in flight")
                }
            }
            guard !flying.isEmpty, random.next() % 3 != 0 else { continue }
            let batch = flying.remove(at: Int(random.next() % UInt64(flying.count)))
            switch random.next() % 4 {
            case 0: lanes.failed(batch.id)
            case 1: lanes.failed(batch.id, oneByOne: true)
            default:
                for item in batch.items {
                    let earlier = items[..<item.tag].filter { conflict($0.work, item.work) }.map(\.tag)
                    #expect(Set(earlier).isSubset(of: applied), "\(item.tag) overtook \(earlier)")
                    applied.append(item.tag)
                }
                lanes.applied(batch.id)
            }
            let done = (0..<count).filter { lanes.isDone(Offset(UInt64($0))) }
            #expect(done == applied.sorted())
            let prefix = (0..<count).first { !applied.contains($0) } ?? count
            #expect(lanes.cursor <= Offset(UInt64(prefix)))
            if flying.isEmpty { #expect(lanes.cursor == Offset(UInt64(prefix))) }
        }
        #expect(applied.sorted() == Array(0..<count))
        #expect(lanes.cursor == Offset(UInt64(count)) && lanes.heldBytes == 0)
    }

    private func conflict(_ a: Lanes.Work, _ b: Lanes.Work) -> Bool {
        let (a, b) = (reach(a), reach(b))
        return a.contains("*") || b.contains("*") || !a.isDisjoint(with: b)
    }

    private func reach(_ work: Lanes.Work) -> Set<String> {
        switch work {
        case .points(let database, _), .mutation(.database(let database)): ["db " + database]
        case .mutation(.databaseAndSchema(let database)): ["db " + database, "schema"]
        case .mutation(.schema): ["schema"]
        case .mutation(.everything): ["*"]
        }
    }
}

/// A small generator that gives the same numbers for the same seed.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
