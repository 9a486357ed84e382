// What was done to the processes and what was seen, in the order of time: the first thing to read after a violation.

import Foundation
import Synchronization
import TestSupport

package final class Timeline: Sendable {
    private let start = ContinuousClock.now
    private let lines = Mutex<[String]>([])
    private let isVerbose: Bool

    package init(isVerbose: Bool) {
        self.isVerbose = isVerbose
    }

    package var elapsed: Duration { ContinuousClock.now - start }

    package func note(_ text: String) {
        let line = stamp(elapsed) + " " + text
        lines.withLock { $0.append(line) }
        if isVerbose { FileHandle.standardError.write(Data((line + "\n").utf8)) }
    }

    /// For what has no place in the story of faults.
    package func say(_ text: String) {
        lines.withLock { $0.append(stamp(elapsed) + " " + text) }
        FileHandle.standardError.write(Data((stamp(elapsed) + " " + text + "\n").utf8))
    }

    package func tail(_ count: Int) -> String {
        lines.withLock { $0.suffix(count).joined(separator: "\n") }
    }

    package var all: String { lines.withLock { $0.joined(separator: "\n") } }
}

/// Seconds since the start of a run, to the millisecond.
func stamp(_ time: Duration) -> String {
    String(format: "%9.3f", time.seconds)
}
