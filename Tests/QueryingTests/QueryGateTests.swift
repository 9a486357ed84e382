// Who runs, who waits, who is sent away.
import Querying
import Testing

@Suite("The gate before the queries")
struct QueryGateTests {
    @Test("as many as may run do; others wait in line, up to a limit, and get their turn in order")
    func order() {
        var gate = QueryGate(QueryGate.Limits(running: 2, waiting: 2))
        var entries = [gate.enter(), gate.enter()]
        #expect(entries == [.runs, .runs])
        entries = [gate.enter(), gate.enter(), gate.enter()]
        #expect(entries == [.waits(1), .waits(2), .refused])
        #expect(gate.ended() == 1)
        #expect(gate.running == 2 && gate.waiting == 1)
        #expect(gate.enter() == .waits(3))
        #expect(gate.ended() == 2)
        #expect(gate.ended() == 3)
        #expect(gate.ended() == nil)
        #expect(gate.ended() == nil)
        #expect(gate.running == 0)
    }

    @Test("who leaves the line makes room in it, and is not called any more")
    func leaving() {
        var gate = QueryGate(QueryGate.Limits(running: 1, waiting: 3))
        let entries = (0..<4).map { _ in gate.enter() }
        #expect(entries == [.runs, .waits(1), .waits(2), .waits(3)])
        #expect(gate.left(2) == true)
        #expect(gate.left(2) == false)
        #expect(gate.enter() == .waits(4))
        #expect(gate.ended() == 1)
        #expect(gate.left(1) == false)
        #expect(gate.ended() == 3)
        #expect(gate.ended() == 4)
    }

    @Test("no line at all: more than may run are refused")
    func noLine() {
        var gate = QueryGate(QueryGate.Limits(running: 1, waiting: 0))
        let entries = [gate.enter(), gate.enter()]
        #expect(entries == [.runs, .refused])
        #expect(gate.ended() == nil)
    }

    @Test("whatever happens, never more run than may, and nobody is forgotten")
    func anyOrder() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            let limits = QueryGate.Limits(
                running: .random(in: 1...4, using: &random), waiting: .random(in: 0...5, using: &random))
            var gate = QueryGate(limits)
            var running = 0
            var line: [QueryGate.Ticket] = []
            for _ in 0..<300 {
                switch Int.random(in: 0..<5, using: &random) {
                case 0, 1:
                    switch gate.enter() {
                    case .runs:
                        #expect(line.isEmpty)
                        running += 1
                    case .waits(let ticket): line.append(ticket)
                    case .refused: #expect(running == limits.running && line.count == limits.waiting)
                    }
                case 2 where !line.isEmpty:
                    let ticket = line.remove(at: .random(in: 0..<line.count, using: &random))
                    #expect(gate.left(ticket) == true)
                default:
                    guard running > 0 else { continue }
                    if let next = gate.ended() {
                        #expect(next == line.removeFirst())
                    } else {
                        #expect(line.isEmpty)
                        running -= 1
                    }
                }
                #expect(gate.running == running && gate.waiting == line.count && running <= limits.running)
            }
        }
    }
}
