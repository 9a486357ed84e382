// The figures of the status that are metrics too. A name, once given, keeps its meaning.

enum StatusMetrics {
    /// In the order of their names' first letters; a state that is new to this list is shown as well.
    private static let states = ["catching-up", "in-sync", "needs-copy", "paused", "unattached"]

    static func families(log: StatusReport.LogStatus, nodes: [StatusReport.NodeStatus]) -> [MetricFamily] {
        var families = [
            MetricFamily(
                name: "sluice_node_state", help: "1 for the sync state that the node is in, 0 for the others.",
                kind: .gauge, samples: nodes.flatMap(states)),
            MetricFamily(
                name: "sluice_node_diverged_measurements",
                help: "Measurements that are not read at the node, because it refused what another accepted.",
                kind: .gauge,
                samples: nodes.map { .init(labels: [("node", $0.name)], value: Double($0.diverged?.count ?? 0)) }),
            MetricFamily(
                name: "sluice_node_warnings", help: "What is dangerous about the node; status says it in words.",
                kind: .gauge,
                samples: nodes.map { .init(labels: [("node", $0.name)], value: Double($0.warnings?.count ?? 0)) }),
        ]
        let budgets = nodes.compactMap { node in
            node.delayBudgetLeft.map { MetricFamily.Sample(labels: [("node", node.name)], value: $0) }
        }
        if !budgets.isEmpty {
            families.append(
                MetricFamily(
                    name: "sluice_node_delay_budget_ratio",
                    help: "How much longer the node may slow writes before it leaves the in-sync nodes; 1 is all.",
                    kind: .gauge, samples: budgets))
        }
        if let seconds = log.outageBudgetSeconds {
            families.append(
                MetricFamily(
                    name: "sluice_log_outage_budget_seconds",
                    help: "How long a node may stay away at the present rate before the log is full.", kind: .gauge,
                    samples: [.init(value: Double(seconds))]))
        }
        return families
    }

    private static func states(of node: StatusReport.NodeStatus) -> [MetricFamily.Sample] {
        (states.contains(node.sync) ? states : states + [node.sync]).map { state in
            .init(labels: [("node", node.name), ("state", state)], value: state == node.sync ? 1 : 0)
        }
    }
}
