import Cluster
import Replication
import TestThreads
import Testing

@Suite("What readers know of the cluster", .blocking)
struct SnapshotTests {
    @Test("S1 an async node stands in only while it lags by no more than is stated, others as long as they are asked")
    func standIns() {
        let second: Int64 = 1_000_000_000
        var snapshot = ClusterSnapshot(
            nodes: [("a", .normal), ("b", .async), ("c", .async)].map { name, role in
                ClusterSnapshot.Node(name: name, url: "", zone: "", role: role)
            })
        snapshot.fallbacks = [NodeIndex(2), NodeIndex(0), NodeIndex(1)]
        for (index, age) in [(0, 500 * second), (1, 300 * second), (2, 301 * second)] as [(Int, Int64)] {
            snapshot.nodes[index].backlogAge = age
        }
        #expect(snapshot.standIns(asyncLag: 300 * second).map { $0.node } == [NodeIndex(0), NodeIndex(1)])
        #expect(
            snapshot.standIns(asyncLag: 400 * second).map { $0.node } == [NodeIndex(2), NodeIndex(0), NodeIndex(1)])
        #expect(snapshot.standIns(asyncLag: 0).map { $0.age } == [500 * second])
    }
}
