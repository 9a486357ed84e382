// What all clients of a run share, and the two that write and read registers.

import Foundation
import Synchronization
import TestSupport

/// The gateway as clients see it, and where they keep their records.
package struct ClientSide: Sendable {
    let gateway: InfluxClient
    let book: RegisterBook
    let tally: Tally
    let timeline: Timeline
    /// Between a client's answer and its next request.
    let pause: Duration

    func write(_ lines: String, db: String, _ parameters: [String: String] = [:], as client: String) async -> Outcome {
        let outcome: Outcome
        do {
            outcome = Outcome(try await gateway.write(lines, db: db, parameters))
        } catch {
            outcome = Outcome(error)
        }
        tally.add(client, outcome)
        return outcome
    }

    func statement(_ text: String, db: String? = nil, as client: String) async -> Outcome {
        let outcome: Outcome
        do {
            outcome = Outcome(try await gateway.query(text, db: db, method: .post), isStatement: true)
        } catch {
            outcome = Outcome(error)
        }
        tally.add(client, outcome)
        return outcome
    }

    /// An answer that binds: complete, without an error, not marked as stale. Nil when there is none.
    func read(_ question: String, db: String, as client: String) async -> Reply? {
        guard let reply = try? await gateway.query(question, db: db), reply.status == 200, reply.error == nil else {
            tally.add("\(client) failed")
            return nil
        }
        if reply.header("X-Sluice-Stale") != nil {
            tally.add("\(client) stale")
            return nil
        }
        tally.add("\(client) good")
        return reply
    }

    /// After an answer that was no success clients wait a little longer, as agents do.
    func rest(after outcome: Outcome) async {
        if case .acknowledged = outcome {
            if pause > .zero { try? await Task.sleep(for: pause) }
        } else {
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}

/// A client of a run; one step is one request. Steps of a client never overlap.
protocol ChaosClient: Sendable {
    func step() async throws
}

/// State that only one task at a time uses, carried across the steps of a client.
final class Own<Value: Sendable>: Sendable {
    private let value: Mutex<Value>

    init(_ value: Value) {
        self.value = Mutex(value)
    }

    func callAsFunction<T: Sendable>(_ body: (inout sending Value) -> sending T) -> T {
        value.withLock { body(&$0) }
    }
}

/// Overwrites registers: batches over several shard groups, in any precision, to one of several databases.
final class RegisterWriter: ChaosClient {
    static let databases = 3
    static let series = 4
    static let slots = 5

    private struct Batch {
        let value: Int
        let names: [RegisterName]
        let lines: String
        let precision: String
        var attempts = 0
    }

    private struct State {
        var dice: Dice
        var value = 0
        var batch: Batch?
    }

    private let number: Int
    private let side: ClientSide
    private let own: Own<State>

    init(_ number: Int, seed: UInt64, _ side: ClientSide) {
        self.number = number
        self.side = side
        own = Own(State(dice: Dice(seed: seed, for: "writer \(number)")))
    }

    func step() async throws {
        let batch = own { state in
            let batch = state.batch ?? Self.draw(&state, writer: self.number)
            state.batch = batch
            return batch
        }
        let what = "write \(batch.value) attempt \(batch.attempts + 1)"
        side.book.change(batch.names, "\(what) sent") { $0.send(batch.value) }
        let outcome = await side.write(
            batch.lines, db: batch.names[0].databaseName, ["precision": batch.precision], as: "writers")
        switch outcome {
        case .acknowledged:
            side.book.change(batch.names, "\(what) acknowledged") { $0.acknowledge(batch.value) }
            own { $0.batch = nil }
        case .refused(let why):
            throw Violation("a good write to \(batch.names[0].databaseName) got a final no: \(why)\n\(batch.lines)")
        case .notSent(let why):
            side.book.change(batch.names, "\(what) not sent: \(why)") { _ in }
            tryAgain()
        case .unknown(let why):
            side.book.change(batch.names, "\(what) unknown: \(why)") { _ in }
            tryAgain()
        case .open(let why):
            side.book.change(batch.names, "\(what) open: \(why)") { $0.leaveOpen(batch.value) }
            tryAgain()
        }
        await side.rest(after: outcome)
    }

    /// The same bytes again, as agents do; some give up and go on.
    private func tryAgain() {
        own { state in
            state.batch?.attempts += 1
            if state.dice.chance(15) { state.batch = nil }
        }
    }

    private static func draw(_ state: inout State, writer: Int) -> Batch {
        state.value += 1
        let database = Int.random(in: 0..<databases, using: &state.dice)
        var names: [RegisterName] = []
        for series in 0..<self.series {
            for slot in 0..<slots where state.dice.chance(25) {
                names.append(RegisterName(database: database, writer: writer, series: series, slot: slot))
            }
        }
        if names.isEmpty { names = [RegisterName(database: database, writer: writer, series: 0, slot: 0)] }
        names.shuffle(using: &state.dice)
        let (precision, factor) = state.dice.pick([
            ("ns", 1_000_000_000), ("u", 1_000_000), ("ms", 1000), ("s", 1), ("m", -60), ("h", -3600),
        ])
        let lines = names.map { name in
            let time = factor > 0 ? name.seconds * factor : name.seconds / -factor
            return "r,s=\(name.series),w=\(writer) v=\(state.value)i \(time)\n"
        }
        return Batch(value: state.value, names: names, lines: lines.joined(), precision: precision)
    }
}

/// Asks for registers and holds every answer that is not marked as stale to what was acknowledged before the question.
final class RegisterReader: ChaosClient {
    private let writers: Int
    private let side: ClientSide
    private let own: Own<Dice>

    init(_ number: Int, writers: Int, seed: UInt64, _ side: ClientSide) {
        self.writers = writers
        self.side = side
        own = Own(Dice(seed: seed, for: "reader \(number)"))
    }

    func step() async throws {
        let (database, writer, slot) = own { dice in
            (
                Int.random(in: 0..<RegisterWriter.databases, using: &dice),
                Int.random(in: 0..<self.writers, using: &dice), Int.random(in: 0..<RegisterWriter.slots, using: &dice)
            )
        }
        let names = (0..<RegisterWriter.series).map {
            RegisterName(database: database, writer: writer, series: $0, slot: slot)
        }
        let floors = names.map { side.book[$0].floor }
        let sent = side.timeline.elapsed
        let question =
            "SELECT v FROM r WHERE w = '\(writer)' AND time = \(names[0].seconds)s GROUP BY s"
        guard let reply = await side.read(question, db: names[0].databaseName, as: "readers") else {
            return try await Task.sleep(for: .milliseconds(20))
        }
        let found = try SeriesTable(reply)
        for (name, floor) in zip(names, floors) {
            let value = found.value(tags: ["s": "\(name.series)"], time: name.seconds * 1_000_000_000)
            side.book.note([name], "read \(value.map(String.init) ?? "nothing"), asked at \(stamp(sent))")
            if let complaint = side.book[name].complaint(value, floor: floor) {
                throw Violation(
                    """
                    a read of \(name) found \(complaint)
                    the answer: \(reply.headers.filter { $0.name.hasPrefix("X-") }) \(reply)
                    its history:
                    \(side.book.history(of: name))
                    """)
            }
        }
        if side.pause > .zero { try await Task.sleep(for: side.pause) }
    }
}
