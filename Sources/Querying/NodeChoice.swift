// Which node answers a read: in sync first of all, then one that answers pings at the moment, then the own zone, then
// the one with the least to do. Pure.
//
// All nodes are looked at, not two drawn by lot: what a loop has under way is known exactly, and nodes are few.

import Cluster

package struct NodeChoice: Equatable, Sendable {
    package struct Candidate: Equatable, Sendable {
        package let node: NodeIndex
        /// Its last pings went unanswered: it may hang.
        package let isSuspect: Bool
        package let isInOwnZone: Bool
        /// Reads under way on it.
        package let outstanding: Int

        package init(node: NodeIndex, isSuspect: Bool, isInOwnZone: Bool, outstanding: Int) {
            self.node = node
            self.isSuspect = isSuspect
            self.isInOwnZone = isInOwnZone
            self.outstanding = outstanding
        }
    }

    /// - Parameter turn: any number that grows: equals take turns.
    package static func best(of candidates: [Candidate], turn: Int) -> NodeIndex? {
        let order = candidates.map { ($0.isSuspect ? 1 : 0, $0.isInOwnZone ? 0 : 1, $0.outstanding) }
        guard let least = order.min(by: <) else { return nil }
        let equals = candidates.indices.filter { order[$0] == least }
        return candidates[equals[turn % equals.count]].node
    }
}
