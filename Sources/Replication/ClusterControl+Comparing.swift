// At the first attachment of nodes that have data already: what they hold, side by side.

import Cluster
import NIOCore

extension ClusterControl {
    struct Comparison: Sendable {
        /// The most complete, and those that hold the same of what both of them should hold.
        var serving: Set<NodeIndex>
        /// Why the others do not serve.
        var words: [NodeIndex: String]
    }

    /// Reads the inventories of these nodes, at least one, and calls back on the control loop.
    func compare(_ nodes: [NodeIndex], then done: @escaping @Sendable (Comparison) -> Void) {
        let asked = nodes.map { node in
            let promise = control.makePromise(of: Result<Inventory, any Error>.self)
            onReplicator(node) { replicator in
                replicator.questions.inventory().whenComplete { promise.succeed($0) }
            }
            return promise.futureResult
        }
        EventLoopFuture.whenAllSucceed(asked, on: control).whenSuccess { [self] results in
            done(Self.comparison(nodes, results, names: names, placement: settings.placement))
        }
    }

    private static func comparison(
        _ nodes: [NodeIndex], _ results: [Result<Inventory, any Error>], names: [String], placement: Placement?
    ) -> Comparison {
        var read: [(node: NodeIndex, inventory: Inventory)] = []
        var accepted: [(node: NodeIndex, inventory: Inventory)] = []
        var words: [NodeIndex: String] = [:]
        for (node, result) in zip(nodes, results) {
            switch result {
            case .success(let inventory): read.append((node, inventory))
            case .failure(let error): words[node] = "what it holds could not be read (\(error))"
            }
        }
        guard !read.isEmpty else {
            // None could be read: the first in configuration order is as good as any.
            words[nodes[0]] = nil
            return Comparison(serving: [nodes[0]], words: words)
        }
        // The most complete serves, and whoever equals those that serve in what both of them should hold.
        var serving: Set<NodeIndex> = []
        while let best = InventoryComparison.mostComplete(read.map(\.inventory)) {
            let entry = read.remove(at: best)
            let differences = accepted.lazy.map { other in
                InventoryComparison([
                    (names[Int(other.node.value)], other.inventory), (names[Int(entry.node.value)], entry.inventory),
                ]) { source in
                    guard let placement else { return true }
                    let holders = placement.nodes(database: source.database, measurement: source.measurement)
                    return holders.map { $0.contains(other.node) && $0.contains(entry.node) } ?? false
                }
            }
            guard let difference = differences.first(where: { !$0.isEqual }) else {
                serving.insert(entry.node)
                accepted.append(entry)
                continue
            }
            let all = difference.differences.map(\.description) + difference.gaps
            let more = all.count > 3 ? ", and \(all.count - 3) more (sluice doctor shows all)" : ""
            words[entry.node] = all.prefix(3).joined(separator: "; ") + more
        }
        return Comparison(serving: serving, words: words)
    }
}
