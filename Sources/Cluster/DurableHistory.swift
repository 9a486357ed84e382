// How old a backlog is, by this process's own monotonic clock: wall clocks jump, and records of the process before
// this one are simply "old".

import CommitLog

/// Samples of the durable end over the last while.
package struct DurableHistory: Sendable {
    private struct Sample {
        let time: Int64
        let end: Offset
    }

    private var samples = Fifo<Sample>()
    private let reach: Int64

    /// - Parameter reach: how far back ages are told apart, in nanoseconds.
    package init(reach: Int64 = 60_000_000_000) { self.reach = reach }

    /// Notes the durable end. Times (monotonic, nanoseconds) and ends never go back.
    package mutating func note(_ end: Offset, at time: Int64) {
        if let last = samples.last, last.end == end { return }
        samples.append(Sample(time: time, end: end))
        while samples.count > 1, samples[1].time < time - reach { _ = samples.popFirst() }
    }

    /// How long ago the first record at or after `cursor` became durable, in nanoseconds; 0 when there is none.
    /// At the resolution of the notes; never less than the truth by more than one note's distance, and `.max` when it
    /// became durable before the first note.
    package func age(ofBacklogFrom cursor: Offset, at now: Int64) -> Int64 {
        guard let last = samples.last, last.end > cursor else { return 0 }
        let position = samples.partitioningIndex { $0.end <= cursor }
        if position == 0 { return .max }
        return max(0, now - samples[position].time)
    }
}
