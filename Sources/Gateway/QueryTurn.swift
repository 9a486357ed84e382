// One query's place among those of its event loop: from when it comes until it has ended, however it ends.

import Querying

/// Confined to its event loop.
final class QueryTurn {
    private enum State {
        case outside
        /// Too many others run.
        case inLine(QueryGate.Ticket)
        case running
        case over
    }

    private let line: QueryLine
    private let figures: GatewayFigures
    private var state = State.outside

    init(_ context: LoopContext) {
        line = context.line
        figures = context.figures
    }

    private var isInLine: Bool { if case .inLine = state { true } else { false } }

    /// Asks for a turn.
    /// - Parameters:
    ///   - run: the turn has come, at once or later; not after `end`.
    ///   - refuse: there is none, and this is the answer.
    func take(run: @escaping () -> Void, refuse: @escaping (Response) -> Void) {
        func decided(_ isItsTurn: Bool) {
            guard isItsTurn else {
                state = .over
                figures.crowdedOut.add(1)
                return refuse(.unavailable("too many queries are under way", retryAfter: 1))
            }
            state = .running
            run()
        }
        let entry = line.enter { [self] isItsTurn in
            if isInLine {
                decided(isItsTurn)
            } else if isItsTurn {
                line.ended()
            }
        }
        switch entry {
        case .runs: decided(true)
        case .waits(let ticket): state = .inLine(ticket)
        case .refused: decided(false)
        }
    }

    /// The query has ended, or nobody wants it any more.
    func end() {
        let former = state
        state = .over
        switch former {
        case .inLine(let ticket): line.leave(ticket)
        case .running: line.ended()
        case .outside, .over: break
        }
    }
}
