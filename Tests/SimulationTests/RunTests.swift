import CommitLog
import Simulation
import TestSupport
import Testing

@Suite("Simulation")
struct RunTests {
    /// What it says, and whether it found nothing.
    private func simulate(_ arguments: [String]) async throws -> (text: String, isFine: Bool) {
        let run = try await GatewayProcess.run(arguments, of: "sluice-sim", within: .seconds(300))
        return (run.output + run.errors, run.status == .exited(0))
    }

    @Test("L3 L8 S1 S7 S10 S11 A1 whatever breaks, nothing acknowledged is lost, and no read goes back")
    func holds() async throws {
        let runs = try await simulate(["run", "--runs", "60", "--operations", "1000", "--faults", "15"])
        #expect(runs.isFine && runs.text.contains("60 runs, 60000 operations"), "\(runs.text)")
    }

    @Test("the same seed tells the same story, to the last word")
    func repeats() async throws {
        let story = ["replay", "7", "--no-shrink", "--operations", "500", "--faults", "15", "--lines", "1000000"]
        let (first, second) = (try await simulate(story), try await simulate(story))
        #expect(first.isFine && first.text.count > 10_000, "\(first.text.prefix(1000))")
        #expect(first.text == second.text)
    }

    @Test("a node that gets what is not in the log, and a promise that is broken, are found")
    func finds() throws {
        var registers = Registers()
        let register = Register(database: "da", measurement: "ma", series: "0", time: 1)
        try registers.apply(Offset(0), .points(database: "da", lines: ["ma,s=0 v=1i 1"]))
        try registers.apply(Offset(1), .points(database: "da", lines: ["ma,s=0 v=2i 1"]))
        try registers.apply(Offset(2), .mutation(statement: "DROP MEASUREMENT ma", database: "da"))
        #expect(registers.mayShow(register, 1, floor: Offset(0)) && registers.mayShow(register, 2, floor: Offset(0)))
        #expect(!registers.mayShow(register, 1, floor: Offset(1)) && registers.mayShow(register, 2, floor: Offset(1)))
        #expect(registers.mayShow(register, nil, floor: Offset(1)) && !registers.mayShow(register, 2, floor: Offset(2)))
        #expect(!registers.mayShow(register, 3, floor: Offset(0)) && registers.isKnown(2) && !registers.isKnown(3))
        let lost = LoadLine(register: register, value: 9, isBad: false)
        #expect(throws: (any Error).self) { try registers.acknowledged([lost]) }
        #expect(throws: (any Error).self) {
            try registers.apply(Offset(3), .points(database: "da", lines: ["x y=1 1"]))
        }
    }
}
