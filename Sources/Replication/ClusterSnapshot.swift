// What readers and writers on any loop may know of the cluster: an immutable value, swapped as a whole.

import Cluster
import CommitLog
import NIOConcurrencyHelpers

package struct ClusterSnapshot: Sendable {
    package struct Node: Sendable {
        package var name: String
        package var url: String
        package var zone: String
        package var role: NodeRole
        package var isUp = false
        package var missedPings = 0
        package var state = SyncState.catchingUp
        package var cursor = Offset(rawValue: 0)
        /// How old the oldest record is that the node lacks, in nanoseconds; `.max`: from before this start.
        package var backlogAge: Int64 = 0
        /// As the node's answers say; empty before the first.
        package var version = ""
        /// The last reason why it was not in sync or not reachable; empty when there is none.
        package var trouble = ""
        /// Why it is not in sync; empty when it is, or only has a backlog.
        package var obstacle = ""
        /// What is left of its delay budget, 0 to 1.
        package var budgetLeft = 1.0
        /// What a person should look at, though nothing is wrong now.
        package var warnings: [String] = []
        /// What it runs by itself.
        package var ownWork = OwnWork()

        package init(name: String, url: String, zone: String, role: NodeRole = .normal) {
            self.role = role
            self.name = name
            self.url = url
            self.zone = zone
        }
    }

    package var nodes: [Node]
    package var readSet = NodeSet()
    package var ackSet = NodeSet()
    /// Who may answer when no node is in sync, the most advanced first.
    package var fallbacks: [NodeIndex] = []
    package var durableEnd = Offset(rawValue: 0)

    /// What must not be read on some node.
    package var divergences: [Divergence] = []
    /// How long the log can take records at the present rate, in seconds; nil: there is no load.
    package var outageBudget: Double?

    package init(nodes: [Node]) { self.nodes = nodes }

    package subscript(node: NodeIndex) -> Node { nodes[Int(node.value)] }

    /// Who may answer when no node is in sync, and how old the oldest record is that it lacks; the most advanced first.
    /// - Parameter asyncLag: nodes of the role async are read only while they lag by no more; nanoseconds.
    package func standIns(asyncLag: Int64) -> [(node: NodeIndex, age: Int64)] {
        fallbacks.map { (node: $0, age: self[$0].backlogAge) }
            .filter { self[$0.node].role != .async || $0.age <= asyncLag }
    }

    /// Nodes that are known to answer pings.
    package var upCount: Int { nodes.count { $0.isUp } }
    /// Nodes that answer and are fed: what is written now reaches them soon.
    package var fed: NodeSet {
        NodeSet(nodes.indices.filter { nodes[$0].isUp && nodes[$0].state.isFed }.map(NodeIndex.init))
    }
}

/// A measurement that is not read on a node, because it took, or refused, what others did not.
package struct Divergence: Hashable, Sendable {
    package let node: NodeIndex
    package let place: DivergedMeasurement
}

/// The current snapshot. Reading takes an uncontended lock for as long as it takes to copy the value.
package final class ClusterView: Sendable {
    private let box: NIOLockedValueBox<ClusterSnapshot>

    package init(_ snapshot: ClusterSnapshot) { box = NIOLockedValueBox(snapshot) }

    package var current: ClusterSnapshot { box.withLockedValue { $0 } }

    func update(_ change: (inout ClusterSnapshot) -> Void) { box.withLockedValue(change) }
}
