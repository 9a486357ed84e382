// Fewer questions where replica sets overlap: one node that stands in several sets is asked once for all of them. With
// hashing over 8 nodes and 2 replicas there are 28 sets, and 7 or fewer nodes that cover them.

import Cluster

/// Placement as one read sees it: sets that share an available node count as one, the nodes that they share.
struct SetCover: Equatable, Sendable {
    let placement: Placement
    private var shared: [NodeSet: NodeSet] = [:]

    /// - Parameters:
    ///   - sets: that the read needs.
    ///   - available: who can answer now, the most welcome first; empty: each set counts by itself.
    init(_ placement: Placement, sets: [NodeSet] = [], available: [NodeIndex] = []) {
        self.placement = placement
        var rest = sets
        while !rest.isEmpty {
            let counts = available.map { node in rest.count { $0.contains(node) } }
            guard let most = counts.max(), most > 0, let index = counts.firstIndex(of: most) else { return }
            let group = rest.filter { $0.contains(available[index]) }
            let common = group.reduce(placement.all) { $0.intersection($1) }
            for set in group { shared[set] = common }
            rest.removeAll { $0.contains(available[index]) }
        }
    }

    func nodes(database: String, measurement: String) -> NodeSet? {
        placement.nodes(database: database, measurement: measurement).map(cover)
    }

    func replicaSets(database: String) -> Set<NodeSet> {
        Set(placement.replicaSets(database: database).map(cover))
    }

    func covering(_ sets: [NodeSet]) -> [NodeSet] {
        Set(sets.map(cover)).sorted { $0.bits < $1.bits }
    }

    private func cover(_ set: NodeSet) -> NodeSet { shared[set] ?? set }

    var all: NodeSet { placement.all }
}
