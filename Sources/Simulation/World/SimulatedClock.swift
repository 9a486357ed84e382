// The gateway's clocks in a simulation.

import CommitLog

/// Sendable as ``Scheduler`` is.
package final class SimulatedClock: LogClock, @unchecked Sendable {
    /// 2026-01-01T00:00:00Z, when every simulation begins.
    package static let epoch: Int64 = 1_767_225_600 * second

    private let scheduler: Scheduler
    /// The wall clock minus the world's: it jumps.
    package var offset: Int64 = 0

    package init(scheduler: Scheduler) { self.scheduler = scheduler }

    package static func wall(_ time: Int64) -> Int64 { epoch + time }

    package func monotonicNanoseconds() -> UInt64 { SimulatedEventLoop.clockStart + UInt64(scheduler.now) }
    package func wallNanoseconds() -> Int64 { Self.wall(scheduler.now) + offset }
}
