// A client that writes each point once, as most do, and counts what it was promised.

import Synchronization
import TestSupport

/// The requests of all appenders in the present round. A point's time says who sent it and in which request.
final class AppendBook: Sendable {
    struct Request: Hashable, Sendable, Comparable {
        let writer: Int
        let number: Int

        static func < (one: Request, other: Request) -> Bool {
            (one.writer, one.number) < (other.writer, other.number)
        }
    }

    struct Round: Sendable {
        var number = 0
        var acknowledged: Set<Request> = []
        var unknown: Set<Request> = []
        var open: Set<Request> = []
        var measurement: String { "app\(number)" }
    }

    static let lines = 10
    static let db = "c0"
    private let state = Mutex(Round())

    var round: Round { state.withLock { $0 } }

    func note(_ request: Request, _ body: (inout Round, Request) -> Void) {
        state.withLock { body(&$0, request) }
    }

    /// A new measurement, so that a round's check does not grow with the rounds before. Returns the round before.
    func nextRound() -> Round {
        state.withLock { state in
            let last = state
            state = Round(number: last.number + 1)
            return last
        }
    }

    static func point(_ request: Request, _ line: Int) -> (time: Int, value: Int) {
        let number = request.number * lines + line
        return (1_700_000_000_000_000_000 + number * 1000 + request.writer, number * 7 + request.writer)
    }

    /// What is wrong with the points that a node holds of a round.
    static func complaint(_ table: SeriesTable, _ round: Round) -> String? {
        var expected = round.acknowledged
        for (key, value) in table.values {
            guard let writer = key.tags["w"].flatMap({ Int($0) }) else { return "a point without a writer: \(key)" }
            let number = (key.time - 1_700_000_000_000_000_000) / 1000
            let request = Request(writer: writer, number: number / lines)
            let isSent = round.acknowledged.contains(request) || round.unknown.contains(request)
            guard isSent || round.open.contains(request) else { return "a point that nobody sent: \(key) \(value)" }
            let point = point(request, number % lines)
            guard point.time == key.time, value == .integer(point.value) else {
                return "a point with a value that nobody sent: \(key) \(value), sent was \(point.value)"
            }
        }
        expected = expected.filter { request in
            !(0..<lines).allSatisfy { line in
                let tags = ["w": "\(request.writer)"]
                return table.values[.init(tags: tags, time: point(request, line).time)] != nil
            }
        }
        if let first = expected.min() {
            return "\(expected.count) acknowledged requests are missing, the first is \(first)"
        }
        return nil
    }
}

final class Appender: ChaosClient {
    private struct State {
        var dice: Dice
        var next = 0
        var request: AppendBook.Request?
        var round = 0
    }

    private let number: Int
    private let side: ClientSide
    private let appends: AppendBook
    private let own: Own<State>

    init(_ number: Int, seed: UInt64, _ side: ClientSide, _ appends: AppendBook) {
        self.number = number
        self.side = side
        self.appends = appends
        own = Own(State(dice: Dice(seed: seed, for: "appender \(number)")))
    }

    func step() async throws {
        let round = appends.round.number
        let request = own { state in
            if state.round != round { (state.request, state.round) = (nil, round) }
            if let request = state.request { return request }
            state.next += 1
            let request = AppendBook.Request(writer: self.number, number: state.next)
            state.request = request
            return request
        }
        let measurement = "app\(round)"
        let lines = (0..<AppendBook.lines).map { line in
            let point = AppendBook.point(request, line)
            return "\(measurement),w=\(number) v=\(point.value)i \(point.time)\n"
        }
        appends.note(request) { $0.unknown.insert($1) }
        let outcome = await side.write(lines.joined(), db: AppendBook.db, as: "appenders")
        switch outcome {
        case .acknowledged:
            appends.note(request) { book, request in
                book.unknown.remove(request)
                book.acknowledged.insert(request)
            }
            own { $0.request = nil }
        case .refused(let why): throw Violation("a good write of \(request) got a final no: \(why)")
        case .notSent, .unknown: giveUpSometimes()
        case .open:
            appends.note(request) { $0.open.insert($1) }
            giveUpSometimes()
        }
        await side.rest(after: outcome)
    }

    private func giveUpSometimes() {
        own { state in
            if state.dice.chance(10) { state.request = nil }
        }
    }
}
