// How many queries run at a time, and how many wait for their turn: first come, first served. A value without clock;
// who waits too long is told so from outside.

import DequeModule

package struct QueryGate: Sendable {
    package struct Limits: Equatable, Sendable {
        package var running: Int
        package var waiting: Int

        package init(running: Int, waiting: Int) {
            self.running = running
            self.waiting = waiting
        }
    }

    /// A place in the line; never given out twice.
    package typealias Ticket = Int

    package enum Entry: Equatable, Sendable {
        case runs
        case waits(Ticket)
        /// The line is full.
        case refused
    }

    private let limits: Limits
    private var line: Deque<Ticket> = []
    private var next: Ticket = 0
    package private(set) var running = 0

    package var waiting: Int { line.count }

    package init(_ limits: Limits) { self.limits = limits }

    package mutating func enter() -> Entry {
        if running < limits.running {
            running += 1
            return .runs
        }
        guard line.count < limits.waiting else { return .refused }
        next += 1
        line.append(next)
        return .waits(next)
    }

    /// A query that ran has ended.
    /// - Returns: who runs now in its place; nil: nobody waits.
    package mutating func ended() -> Ticket? {
        guard let first = line.popFirst() else {
            running -= 1
            return nil
        }
        return first
    }

    /// The client has left, or has waited long enough.
    /// - Returns: false if it does not wait any more.
    package mutating func left(_ ticket: Ticket) -> Bool {
        guard let place = line.firstIndex(of: ticket) else { return false }
        line.remove(at: place)
        return true
    }
}
