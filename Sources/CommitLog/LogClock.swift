// Time is a parameter of the log, so that tests own it.

import Glibc

package protocol LogClock: Sendable {
    /// Never goes back; for durations only.
    func monotonicNanoseconds() -> UInt64
    /// Since 1970 UTC; may jump.
    func wallNanoseconds() -> Int64
}

package struct SystemClock: LogClock {
    package init() {}

    package func monotonicNanoseconds() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    package func wallNanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
