import Cluster
import Operations
import Replication
import Testing

@Suite("What sluice doctor makes of what nodes show")
struct DoctorFindingsTests {
    private func facts(_ change: (inout NodeFacts) -> Void = { _ in }) -> NodeFacts {
        var facts = NodeFacts()
        facts.version = "1.6.7"
        facts.clockOffset = 1_000_000
        facts.roundTrip = 2_000_000
        facts.walFsyncDelay = 0
        facts.runsContinuousQueries = true
        facts.continuousQueries = []
        facts.indexVersion = "tsi1"
        change(&facts)
        return facts
    }

    private func kinds(_ nodes: NodeFacts...) -> [String] {
        DoctorFindings.servers(zip(["a", "b", "c"], nodes).map { ($0, $1) }).map(\.kind)
    }

    @Test("nodes that fit together give nothing to say, and what is not shown is not held against a node")
    func fitting() {
        #expect(kinds(facts(), facts()) == [])
        #expect(kinds(NodeFacts(), NodeFacts()) == [])
        #expect(kinds(facts(), facts { $0.indexVersion = nil }) == [])
    }

    @Test("versions and index types that differ are warnings with the names of the nodes")
    func mixture() {
        #expect(kinds(facts(), facts { $0.version = "1.8.10" }) == ["version"])
        #expect(kinds(facts(), facts { $0.indexVersion = "inmem" }) == ["index"])
        let findings = DoctorFindings.servers([("a", facts()), ("b", facts { $0.version = "1.8.10" })])
        #expect(findings.first?.text.contains("a has 1.6.7, b has 1.8.10") == true)
    }

    @Test("a clock counts as wrong above 200 ms, and only by what is certain")
    func clocks() {
        #expect(kinds(facts { $0.clockOffset = 201_000_001 }) == ["clock"])
        #expect(kinds(facts { $0.clockOffset = -300_000_000 }) == ["clock"])
        #expect(kinds(facts { $0.clockOffset = 200_000_000 }) == [])
        let far = facts {
            $0.clockOffset = 300_000_000
            $0.roundTrip = 400_000_000
        }
        #expect(kinds(far) == [])
    }

    @Test("D8 a continuous query that several nodes run is found; one that one of them runs is not")
    func continuousQueries() {
        let query = NodeFacts.ContinuousQuery(database: "d", name: "q", statement: "")
        let running = facts { $0.continuousQueries = [query] }
        let idle = facts {
            $0.continuousQueries = [query]
            $0.runsContinuousQueries = false
        }
        #expect(kinds(running, running, running) == ["continuous_query"])
        #expect(kinds(running, idle, idle) == [])
        #expect(kinds(idle, idle) == [])
    }

    @Test("two urls of one server, and a late fsync, are found")
    func others() {
        let server = facts { $0.process = ProcessIdentity(started: "2026-01-01T00:00:00Z", pid: 1) }
        #expect(kinds(server, server) == ["same_server"])
        #expect(kinds(server, facts { $0.process = ProcessIdentity(started: "2026-01-01T00:00:01Z", pid: 1) }) == [])
        #expect(kinds(facts { $0.walFsyncDelay = 100_000_000 }) == ["fsync"])
    }

    @Test("markers are told, and those of several gateways are a warning")
    func markers() {
        let one = Marker(logID: "1", epoch: 1, cursor: 5, node: "a")
        let two = Marker(logID: "2", epoch: 1, cursor: 5, node: "a")
        #expect(DoctorFindings.markers([("a", []), ("b", [])]) == [])
        #expect(DoctorFindings.markers([("a", [one]), ("b", [one])]).allSatisfy { $0.severity == .note })
        #expect(DoctorFindings.markers([("a", [one]), ("b", [two])]).contains { $0.kind == "gateways" })
    }
}
