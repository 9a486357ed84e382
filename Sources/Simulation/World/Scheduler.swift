// The only source of time and chance in a simulation: a queue of events in virtual time, and one seeded generator.

import HeapModule
import SimulatedDisk

extension SplitMix {
    /// A time between the bounds, small ones as likely as large ones in proportion.
    package mutating func time(_ range: ClosedRange<Int64>) -> Int64 {
        let low = range.lowerBound.magnitude.leadingZeroBitCount
        let high = range.upperBound.magnitude.leadingZeroBitCount
        let top = Int64(1) << (63 - Int64.random(in: Int64(high)...Int64(low), using: &self))
        return min(range.upperBound, max(range.lowerBound, Int64.random(in: top / 2...max(1, top), using: &self)))
    }
}

/// Runs events in the order of their times, those of one moment in the order in which they were planned.
///
/// Everything in a simulation happens on the one thread that runs its scheduler. That is why this, and the other classes
/// here that the gateway's code gets hold of, may say that they are Sendable without a lock.
package final class Scheduler: @unchecked Sendable {
    /// A planned event; cancelling it is all that can be done with it.
    package struct Ticket: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private struct Event: Comparable {
        let time: Int64
        let ticket: Ticket
        let action: () -> Void

        static func < (a: Event, b: Event) -> Bool {
            a.time != b.time ? a.time < b.time : a.ticket.number < b.ticket.number
        }
        static func == (a: Event, b: Event) -> Bool { a.ticket == b.ticket }
    }

    /// Nanoseconds since the simulation began.
    package private(set) var now: Int64 = 0
    package var random: SplitMix
    /// Whose turn it is; nil: the world's own.
    package internal(set) var current: SimulatedEventLoop?
    package private(set) var steps = 0
    private var events = Heap<Event>()
    private var cancelled: Set<Ticket> = []
    private var nextNumber: UInt64 = 0

    package init(seed: UInt64) { random = SplitMix(seed: seed) }

    @discardableResult
    package func at(_ time: Int64, _ action: @escaping () -> Void) -> Ticket {
        let ticket = Ticket(number: nextNumber)
        nextNumber += 1
        events.insert(Event(time: max(time, now), ticket: ticket, action: action))
        return ticket
    }

    @discardableResult
    package func after(_ delay: Int64, _ action: @escaping () -> Void) -> Ticket { at(now + delay, action) }

    package func cancel(_ ticket: Ticket) { cancelled.insert(ticket) }

    /// Runs the next event; false: there is none.
    package func step() -> Bool {
        while let event = events.popMin() {
            if cancelled.remove(event.ticket) != nil { continue }
            now = event.time
            steps += 1
            event.action()
            return true
        }
        return false
    }
}

package let microsecond: Int64 = 1_000
package let millisecond: Int64 = 1_000_000
package let second: Int64 = 1_000_000_000
