// How long a node may stay away before the log has no room for what it lacks: the figure that tells an operator
// whether to get up at night.

/// The rate at which the log grows over the last minutes, from samples of bytes appended.
package struct OutageBudget: Sendable {
    private struct Sample {
        let time: Int64
        let bytes: UInt64
    }

    private let window: Int64
    private var samples = Fifo<Sample>()

    /// - Parameter window: over which the rate is taken, in nanoseconds.
    package init(window: Int64 = 300_000_000_000) {
        precondition(window >= 60, "a rate needs time")
        self.window = window
    }

    /// - Parameters:
    ///   - bytes: appended since some fixed moment; a smaller number than before begins anew.
    ///   - now: monotonic nanoseconds. Call it about once a second; more is ignored.
    package mutating func note(bytesAppended bytes: UInt64, at now: Int64) {
        if let last = samples.last {
            if bytes < last.bytes || now < last.time { samples.removeAll() }
        }
        if let last = samples.last, samples.count > 1, now - samples[samples.count - 2].time < window / 300 {
            // Too close to the one before the last: the newest replaces the last.
            samples[samples.count - 1] = Sample(time: max(now, last.time), bytes: bytes)
        } else {
            samples.append(Sample(time: now, bytes: bytes))
        }
        while samples.count > 2, samples[1].time <= now - window { _ = samples.popFirst() }
    }

    /// Bytes per second; nil while that cannot be told: a thirtieth of the window must have passed.
    package var rate: Double? {
        guard let first = samples.first, let last = samples.last, last.time - first.time >= window / 30 else {
            return nil
        }
        return Double(last.bytes - first.bytes) / (Double(last.time - first.time) / 1e9)
    }

    /// Seconds until `room` bytes are used up at the present rate. Nil: there is no load, or it is not known yet.
    package func seconds(room: UInt64) -> Double? {
        guard let rate, rate > 0 else { return nil }
        return Double(room) / rate
    }
}
