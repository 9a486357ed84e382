// How long one node makes acknowledgements wait that another node would already allow: at most its budget per minute.
// Counted apart from the gateway's own account, from what anybody can see of cursors.

import Cluster
import CommitLog

package struct DelayWatch {
    private struct Moment {
        let time: Int64
        let durableEnd: Offset
        /// By node; nil: acknowledgements do not wait for it.
        let cursors: [Offset?]
    }

    /// Seen so often; more than twice as long in between, and the gateway did not run meanwhile.
    package static let period = 50 * millisecond
    /// As the gateway is set: delays below the grace count for nothing.
    private static let settings = SyncSet.Settings()
    /// One charge, and what sampling misses.
    private static let tolerance = second / 2

    private var moments: [Moment] = []
    private var charges: [[Int64]] = []

    package init() {}

    package mutating func note(_ time: Int64, durableEnd: Offset, cursors: [Offset?]) throws {
        if let last = moments.last, time - last.time > 2 * Self.period { moments = [] }
        moments.append(Moment(time: time, durableEnd: durableEnd, cursors: cursors))
        if moments.count > 64 { moments.removeFirst(16) }
        if charges.isEmpty { charges = cursors.map { _ in [] } }
        for node in cursors.indices {
            charges[node].removeAll { $0 <= time - Self.settings.budgetRefill }
            guard makesOthersWait(node) else { continue }
            charges[node].append(time)
            let waited = Int64(charges[node].count) * Self.period
            if waited > Self.settings.syncTimeout + Self.tolerance {
                throw Violation(
                    "8 isolation",
                    "node \(node) made acknowledgements wait for \(waited / millisecond) ms within a minute, and still does"
                )
            }
        }
    }

    /// Whether it lacks a record that another node took within the grace, longer ago than that.
    private func makesOthersWait(_ node: Int) -> Bool {
        guard let now = moments.last, let missing = now.cursors[node], missing < now.durableEnd else { return false }
        return now.cursors.indices.contains { other in
            guard other != node else { return false }
            // As long as both were waited for without a break.
            let common = moments.reversed().prefix { $0.cursors[node] != nil && $0.cursors[other] != nil }
            guard let applied = common.last(where: { ($0.cursors[other] ?? .zero) > missing }),
                now.time - applied.time > Self.settings.slownessGrace + Self.period
            else { return false }
            let before = common.first { $0.time <= applied.time - Self.settings.slownessGrace }
            return before.map { $0.durableEnd <= missing } ?? false
        }
    }
}
