// A client that writes and deletes in a measurement and databases of its own, one request at a time, and always knows
// what must be there.

import Foundation
import TestSupport

/// What the mutator's measurement must hold.
struct MutatorModel: Sendable {
    /// A database of its own, dropped and created again (under the same name) now and then.
    var databaseNumber = 0
    var database: String { "scratch\(databaseNumber)" }
    var isCreated = false
    /// Values by time, all of series `s=0`.
    var points: [Int: Int] = [:]
    /// A request was given up that somebody may still carry out: nothing can be said of this database any more.
    var isOpen = false
    /// The request under way, or one whose end is not known; it is sent again until it is.
    var pending: Step?
    var stepNumber = 0

    enum Step: Sendable {
        case write([Int: Int])
        case delete(Range<Int>)
        case dropMeasurement
        case dropDatabase
        case createDatabase
    }

    static let times = 400
    static let firstTime = 1_700_000_000_000_000_000
    /// So that the points lie in several shard groups.
    static let spacing = 3_600_000_000_000

    mutating func draw(_ dice: inout Dice) -> Step {
        stepNumber += 1
        if !isCreated { return .createDatabase }
        switch Int.random(in: 0..<100, using: &dice) {
        case 0..<70:
            var points: [Int: Int] = [:]
            let start = Int.random(in: 0..<Self.times, using: &dice)
            for time in start..<min(Self.times, start + Int.random(in: 1...60, using: &dice)) {
                points[time] = stepNumber
            }
            return .write(points)
        case 70..<88:
            let start = Int.random(in: 0..<Self.times, using: &dice)
            return .delete(start..<min(Self.times, start + Int.random(in: 1...150, using: &dice)))
        case 88..<95: return .dropMeasurement
        default: return .dropDatabase
        }
    }

    /// After `step` took effect.
    mutating func apply(_ step: Step) {
        switch step {
        case .write(let new): points.merge(new) { $1 }
        case .delete(let range): points = points.filter { !range.contains($0.key) }
        case .dropMeasurement: points = [:]
        case .dropDatabase:
            points = [:]
            isCreated = false
        case .createDatabase: isCreated = true
        }
    }

    /// What is wrong with what was read; with a step whose end is not known, before or after it are both right.
    func complaint(_ found: [Int: Int]) -> String? {
        if isOpen || found == points { return nil }
        if let pending {
            var after = self
            after.apply(pending)
            if found == after.points { return nil }
        }
        let missing = points.filter { found[$0.key] == nil }.keys.sorted()
        let extra = found.filter { points[$0.key] == nil }.keys.sorted()
        let other = points.filter { found[$0.key] != nil && found[$0.key] != $0.value }.keys.sorted()
        return """
            \(database): \(found.count) points where \(points.count) are due; missing \(missing.prefix(20)), \
            too many \(extra.prefix(20)), of another value \(other.prefix(20)) \
            (\(other.prefix(5).map { "\(found[$0] ?? 0) for \(points[$0] ?? 0)" })); pending: \(pending.map { "\($0)" } ?? "-")
            """
    }

    static func points(_ table: SeriesTable) -> [Int: Int] {
        var points: [Int: Int] = [:]
        for (key, value) in table.values {
            if case .integer(let value) = value { points[(key.time - firstTime) / spacing] = value }
        }
        return points
    }

    static func time(_ number: Int) -> Int { firstTime + number * spacing }
}

final class Mutator: ChaosClient {
    private struct State {
        var dice: Dice
        var model = MutatorModel()
        var history: [String] = []

        mutating func note(_ text: String) {
            history.append(text)
            if history.count > 200 { history.removeFirst(100) }
        }
    }

    private let side: ClientSide
    private let own: Own<State>

    init(seed: UInt64, _ side: ClientSide) {
        self.side = side
        own = Own(State(dice: Dice(seed: seed, for: "mutator")))
    }

    var model: MutatorModel { own { $0.model } }
    var history: String { own { $0.history.suffix(60).joined(separator: "\n") } }

    /// At rest: a step whose end was not known took effect, or it never will.
    func settle(_ found: [Int: Int], databaseExists: Bool) {
        own { state in
            guard let pending = state.model.pending else { return }
            var after = state.model
            after.apply(pending)
            let happened: Bool
            switch pending {
            case .createDatabase: happened = databaseExists
            case .dropDatabase: happened = !databaseExists
            case .write, .delete, .dropMeasurement: happened = found == after.points
            }
            if happened { state.model.apply(pending) }
            state.model.pending = nil
            if state.model.isOpen { Self.leave(&state) }
        }
    }

    func step() async throws {
        let (step, database) = own { state in
            if state.model.isOpen { Self.leave(&state) }
            let step = state.model.pending ?? state.model.draw(&state.dice)
            state.model.pending = step
            return (step, state.model.database)
        }
        let sent = side.timeline.elapsed
        let outcome = await send(step, database)
        own {
            $0.note("\(stamp(sent)) \(Self.text(step, database)): \(outcome)")
            if case .acknowledged = outcome {
                $0.model.apply(step)
                $0.model.pending = nil
            }
            if case .open = outcome { $0.model.isOpen = true }
        }
        if case .refused(let why) = outcome {
            throw Violation("\(Self.text(step, database)) got a final no: \(why)\n\(history)")
        }
        if case .acknowledged = outcome, own({ $0.dice.chance(40) && $0.model.isCreated }) { try await readBack() }
        await side.rest(after: outcome)
    }

    private func readBack() async throws {
        let model = model
        let sent = side.timeline.elapsed
        guard let reply = await side.read("SELECT v FROM m", db: model.database, as: "mutator reads") else { return }
        let found = MutatorModel.points(try SeriesTable(reply))
        if let complaint = model.complaint(found) {
            throw Violation("a read at \(stamp(sent)) found in \(complaint)\nhistory:\n\(history)")
        }
    }

    private func send(_ step: MutatorModel.Step, _ database: String) async -> Outcome {
        switch step {
        case .write(let points):
            let lines = points.sorted { $0.key < $1.key }.map { time, value in
                "m,s=0 v=\(value)i \(MutatorModel.time(time))\n"
            }
            return await side.write(lines.joined(), db: database, as: "mutator")
        case .delete, .dropMeasurement:
            return await side.statement(Self.text(step, database), db: database, as: "mutator")
        case .dropDatabase, .createDatabase:
            return await side.statement(Self.text(step, database), as: "mutator")
        }
    }

    private static func text(_ step: MutatorModel.Step, _ database: String) -> String {
        switch step {
        case .write(let points):
            "write to \(database) of \(points.count) points from \(points.keys.min() ?? 0), v=\(points.values.first ?? 0)"
        case .delete(let range):
            """
            DELETE FROM m WHERE time >= \(MutatorModel.time(range.lowerBound)) AND time < \
            \(MutatorModel.time(range.upperBound))
            """
        case .dropMeasurement: "DROP MEASUREMENT m"
        case .dropDatabase: "DROP DATABASE \(database)"
        case .createDatabase: "CREATE DATABASE \(database)"
        }
    }

    /// Goes on in a database that nobody has heard of.
    private static func leave(_ state: inout State) {
        state.model = MutatorModel(databaseNumber: state.model.databaseNumber + 1, stepNumber: state.model.stepNumber)
    }
}
