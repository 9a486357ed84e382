// A client whose lines are partly of the wrong type: what it is told, what is stored and what becomes a dead letter must
// agree to the line.

import Synchronization
import TestSupport

final class BadClient: ChaosClient {
    static let db = "bad"
    static let measurement = "b"
    /// In three shard groups.
    private static let bases = [0, 30, 60].map { 1_700_000_000_000_000_000 + $0 * 86_400_000_000_000 }

    struct Book: Sendable {
        /// Times of good points; each has its number as its value.
        var acknowledged: [Int: Int] = [:]
        var sent: [Int: Int] = [:]
        /// Lines of the wrong type: all that were sent, those whose client was told, and those of requests that were
        /// answered 204 because no node was in sync.
        var bad: Set<String> = []
        var told: Set<String> = []
        var accepted: Set<String> = []
        /// Lines that the gateway has listed as refused so far.
        var deadLetters: Set<String> = []
    }

    private struct Batch {
        let good: [(time: Int, value: Int)]
        let bad: [String]
        let lines: String
    }

    private struct State {
        var dice: Dice
        var number = 0
        var batch: Batch?
        var book = Book()
    }

    private let side: ClientSide
    private let own: Own<State>

    init(seed: UInt64, _ side: ClientSide) {
        self.side = side
        own = Own(State(dice: Dice(seed: seed, for: "bad client")))
    }

    var book: Book { own { $0.book } }

    /// Lines that make `v` an integer in each shard group.
    static var first: String { bases.map { "\(measurement) v=0i \($0)\n" }.joined() }
    static func isFirst(_ time: Int) -> Bool { bases.contains(time) }

    func step() async throws {
        let batch = own { state in
            let batch = state.batch ?? Self.draw(&state)
            state.batch = batch
            for point in batch.good { state.book.sent[point.time] = point.value }
            state.book.bad.formUnion(batch.bad)
            return batch
        }
        let outcome: Outcome
        var isPartial = false
        do {
            let reply = try await side.gateway.write(batch.lines, db: Self.db)
            isPartial = reply.status == 400 && reply.text.contains("partial write: field type conflict")
            if isPartial, batch.bad.isEmpty { throw Violation("good lines were refused: \(reply)\n\(batch.lines)") }
            outcome = isPartial ? .acknowledged : Outcome(reply)
        } catch let violation as Violation {
            throw violation
        } catch {
            outcome = Outcome(error)
        }
        side.tally.add("bad client", outcome)
        if case .refused(let why) = outcome { throw Violation("an answer that InfluxDB would not give: \(why)") }
        if case .acknowledged = outcome {
            own { [isPartial] state in
                for point in batch.good { state.book.acknowledged[point.time] = point.value }
                if isPartial {
                    state.book.told.formUnion(batch.bad)
                } else {
                    state.book.accepted.formUnion(batch.bad)
                }
                state.batch = nil
            }
        }
        await side.rest(after: outcome)
        try? await Task.sleep(for: .milliseconds(200))
    }

    private static func draw(_ state: inout State) -> Batch {
        var good: [(time: Int, value: Int)] = []
        var bad: [String] = []
        var lines: [String] = []
        // A refusal within a batch over several shard groups costs the lane a tenth of a second (nothing may be sent
        // before the other groups are written), so that such batches are rare.
        let isWide = state.dice.chance(20)
        let base = state.dice.pick(bases)
        for _ in 0..<Int.random(in: 2...6, using: &state.dice) {
            state.number += 1
            let time = (isWide ? state.dice.pick(bases) : base) + state.number * 1000
            if state.dice.chance(20) {
                bad.append("\(measurement) v=\"text\(state.number)\" \(time)")
                lines.append(bad[bad.count - 1])
            } else {
                good.append((time, state.number))
                lines.append("\(measurement) v=\(state.number)i \(time)")
            }
        }
        return Batch(good: good, bad: bad, lines: lines.joined(separator: "\n"))
    }

    /// What is wrong with the points that a node holds.
    static func complaint(_ table: SeriesTable, _ book: Book) -> String? {
        for (key, value) in table.values where !isFirst(key.time) {
            guard let sent = book.sent[key.time], value == .integer(sent) else {
                return "a point that nobody sent as a good one: \(key.time) \(value)"
            }
        }
        let missing = book.acknowledged.filter { table.value(tags: [:], time: $0.key) != $0.value }
        if let first = missing.min(by: { $0.key < $1.key }) {
            return "\(missing.count) acknowledged points are missing, the first is v=\(first.value)i \(first.key)"
        }
        return nil
    }

    func note(deadLetters: [String]) {
        own { $0.book.deadLetters.formUnion(deadLetters) }
    }

    /// What is wrong with the dead letters.
    static func complaint(_ book: Book) -> String? {
        if let odd = book.deadLetters.subtracting(book.bad).first {
            return "a dead letter that was a good line: \(odd)"
        }
        let missing = book.told.union(book.accepted).subtracting(book.deadLetters)
        guard let first = missing.min() else { return nil }
        return """
            \(missing.count) refused lines are no dead letters: \(first); \
            \(missing.intersection(book.accepted).count) of them were answered 204
            """
    }
}
