// At the first attachment of nodes that have data already: what they hold, side by side.

import Cluster
import NIOCore

extension ClusterControl {
    struct Comparison: Sendable {
        /// Those that hold the same, the most complete among them.
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
            done(Self.comparison(nodes, results, names: names))
        }
    }

    private static func comparison(
        _ nodes: [NodeIndex], _ results: [Result<Inventory, any Error>], names: [String]
    ) -> Comparison {
        var read: [(node: NodeIndex, inventory: Inventory)] = []
        var words: [NodeIndex: String] = [:]
        for (node, result) in zip(nodes, results) {
            switch result {
            case .success(let inventory): read.append((node, inventory))
            case .failure(let error): words[node] = "what it holds could not be read (\(error))"
            }
        }
        guard let best = InventoryComparison.mostComplete(read.map(\.inventory)) else {
            // None could be read: the first in configuration order is as good as any.
            words[nodes[0]] = nil
            return Comparison(serving: [nodes[0]], words: words)
        }
        let reference = read[best]
        var serving: Set<NodeIndex> = [reference.node]
        for entry in read where entry.node != reference.node {
            let comparison = InventoryComparison([
                (names[Int(reference.node.value)], reference.inventory),
                (names[Int(entry.node.value)], entry.inventory),
            ])
            if comparison.isEqual {
                serving.insert(entry.node)
            } else {
                let all = comparison.differences.map(\.description) + comparison.gaps
                let more = all.count > 3 ? ", and \(all.count - 3) more (sluice doctor shows all)" : ""
                words[entry.node] = all.prefix(3).joined(separator: "; ") + more
            }
        }
        return Comparison(serving: serving, words: words)
    }
}
