// What readers and writers on any loop may know of the cluster: an immutable value, swapped as a whole.

import Cluster
import CommitLog
import NIOConcurrencyHelpers

package struct ClusterSnapshot: Sendable {
    package struct Node: Sendable {
        package var name: String
        package var url: String
        package var zone: String
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

        package init(name: String, url: String, zone: String) {
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

    package subscript(node: NodeIndex) -> Node { nodes[Int(node.value)] }

    /// Nodes that are known to answer pings.
    package var upCount: Int { nodes.count { $0.isUp } }
}

/// The current snapshot. Reading takes an uncontended lock for as long as it takes to copy the value.
package final class ClusterView: Sendable {
    private let box: NIOLockedValueBox<ClusterSnapshot>

    package init(_ snapshot: ClusterSnapshot) { box = NIOLockedValueBox(snapshot) }

    package var current: ClusterSnapshot { box.withLockedValue { $0 } }

    func update(_ change: (inout ClusterSnapshot) -> Void) { box.withLockedValue(change) }
}
