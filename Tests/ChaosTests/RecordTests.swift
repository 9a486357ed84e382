// What the clients of a chaos run may conclude from their records: a check that is wrong would find nothing, or too much.

import Chaos
import Testing

@Suite("What a reader may see of a point that was written several times")
struct RegisterTests {
    private func register(_ events: (inout Register) -> Void) -> Register {
        var register = Register()
        events(&register)
        return register
    }

    @Test("an acknowledged value, or a later one that was sent, and nothing else")
    func read() {
        let register = register {
            $0.send(3)
            $0.acknowledge(3)
            $0.send(5)
        }
        #expect(register.complaint(3, floor: 3) == nil)
        #expect(register.complaint(5, floor: 3) == nil)
        #expect(register.complaint(2, floor: 3) != nil, "older than what was acknowledged")
        #expect(register.complaint(6, floor: 3) != nil, "nobody sent it")
        #expect(register.complaint(nil, floor: 3) != nil, "lost")
        #expect(register.complaint(nil, floor: 0) == nil, "the first write may have come after the read")
    }

    @Test("at rest: the last acknowledged value or an unknown one after it; unknown ones before it are overtaken")
    func atRest() {
        let register = register {
            $0.send(1)
            $0.send(2)
            $0.acknowledge(2)
            $0.send(4)
        }
        #expect(register.complaintAtRest(2) == nil)
        #expect(register.complaintAtRest(4) == nil)
        #expect(register.complaintAtRest(1) != nil)
        #expect(register.complaintAtRest(3) != nil)
        #expect(register.complaintAtRest(nil) != nil)
    }

    @Test("a request that somebody still holds may land on top of a later one, until all is at rest")
    func open() {
        var register = register {
            $0.send(1)
            $0.leaveOpen(1)
            $0.send(2)
            $0.acknowledge(2)
        }
        #expect(register.complaint(1, floor: 2) == nil)
        #expect(register.complaintAtRest(1) == nil)
        register.settle(at: 2)
        #expect(register.complaint(1, floor: 2) != nil)
    }

    @Test("what stands there at rest is what was promised from then on")
    func settled() {
        var register = register {
            $0.send(1)
            $0.acknowledge(1)
            $0.send(7)
        }
        register.settle(at: 7)
        #expect(register.floor == 7)
        #expect(register.complaintAtRest(1) != nil)
    }
}

@Suite("Faults that are drawn from a seed")
struct FaultPlanTests {
    private func draw(_ count: Int, seed: UInt64, _ kinds: [FaultKind] = FaultKind.allCases) -> [Fault] {
        var plan = FaultPlan(seed: seed, kinds: kinds, nodes: 3, pause: 0...1)
        return (0..<count).map { _ in plan.next().fault }
    }

    @Test("the same seed draws the same faults, another one others")
    func seeds() {
        #expect(draw(50, seed: 7) == draw(50, seed: 7))
        #expect(draw(50, seed: 7) != draw(50, seed: 8))
    }

    @Test("every kind comes up, on every node, and only kinds that were asked for")
    func kinds() {
        let faults = draw(1000, seed: 1)
        #expect(Set(faults.map(\.kind)) == Set(FaultKind.allCases))
        #expect(Set(faults.map(\.node)) == [0, 1, 2])
        #expect(Set(draw(100, seed: 1, [.cut]).map(\.kind)) == [.cut])
    }
}

@Suite("The straight line through samples")
struct TrendTests {
    @Test("its slope is by how much they grow")
    func slope() throws {
        let trend = try #require(Trend((0..<10).map { (x: Double($0), y: 5 + 2 * Double($0)) }))
        #expect(abs(trend.slope - 2) < 1e-9)
        #expect(abs(trend.start - 5) < 1e-9)
        #expect(Trend([(x: 1, y: 1)]) == nil)
    }
}
