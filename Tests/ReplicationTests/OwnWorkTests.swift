// What is said of continuous queries and subscriptions that nodes run by themselves.
import Replication
import Testing

@Suite("What nodes do by themselves")
struct OwnWorkTests {
    private static let second: Int64 = 1_000_000_000
    private let query = OwnWork.Item(.continuousQuery, database: "t", name: "cq")
    private let subscription = OwnWork.Item(.subscription, database: "t", name: "sub")

    @Test("a node that was away may have missed windows, if it has continuous queries")
    func absence() {
        var work = OwnWork()
        work.left(at: 0)
        work.left(at: 5 * Self.second)
        #expect(work.remarks.isEmpty)
        work.items = [subscription]
        #expect(work.remarks.isEmpty)
        work.items = [subscription, query]
        #expect(work.remarks.map { $0.prefix(44) } == ["was not in sync since 1970-01-01T00:00:00Z: "])
        work.entered(at: 60 * Self.second)
        work.entered(at: 90 * Self.second)
        #expect(
            work.remarks == [
                "was not in sync from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z: its continuous queries may have missed "
                    + "windows or worked on part of the data (t.cq); run their SELECT INTO for that time through Sluice"
            ])
        work.left(at: 100 * Self.second)
        #expect(work.absence == OwnWork.Absence(from: 100 * Self.second))
    }

    @Test("a node that entered without having left was not away")
    func start() {
        var work = OwnWork()
        work.items = [query]
        work.entered(at: 1)
        #expect(work.absence == nil && work.remarks.isEmpty)
    }

    @Test("what was there before is listed as long as it is there, and remembered")
    func older() {
        var work = OwnWork()
        work.older = [subscription, query]
        #expect(work.remarks.isEmpty)
        work.items = [query, subscription, OwnWork.Item(.continuousQuery, database: "t", name: "new")]
        #expect(
            work.remarks == [
                "runs by itself what was there before Sluice: t.cq, subscription t.sub; other nodes may have none or others"
            ])
        var memory = NodeMemory()
        memory.olderWork = [query, subscription, OwnWork.Item(.continuousQuery, database: "a b", name: "\u{e9} %\n")]
        #expect(NodeMemory(decoding: memory.encoded) == memory)
    }
}
