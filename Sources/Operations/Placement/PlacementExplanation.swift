// Where measurements lie and which rule says so: `sluice placement explain`.
import Cluster

package struct PlacementExplanation: Encodable, Equatable, Sendable {
    package struct Node: Encodable, Equatable, Sendable {
        package let name: String
        package let zone: String
        package let role: String
    }

    package struct Rule: Encodable, Equatable, Sendable {
        /// As in the configuration: `placement.databases.iot.measurements.cpu`; nil: there is no `placement`.
        package let name: String?
        /// Where it puts measurements, for people.
        package let target: String
    }

    package struct Measurement: Encodable, Equatable, Sendable {
        package let measurement: String
        /// Empty: no rule places it, and its points are refused.
        package let nodes: [Node]
        package let rule: Rule?
    }

    package let database: String
    package let measurements: [Measurement]

    /// Of all measurements.
    package var isPlaced: Bool { measurements.allSatisfy { $0.rule != nil } }

    package init(of measurements: [String], database: String, configuration: Configuration) {
        let placement = Placement(configuration)
        self.database = database
        self.measurements = measurements.map { name in
            guard let decision = placement.decision(database: database, measurement: name) else {
                return Measurement(measurement: name, nodes: [], rule: nil)
            }
            let nodes = decision.nodes.map { configuration.nodes[Int($0.value)] }
            return Measurement(
                measurement: name, nodes: nodes.map { Node(name: $0.name, zone: $0.zone, role: $0.role.rawValue) },
                rule: Self.rule(decision, database, name, configuration))
        }
    }

    private static func rule(
        _ decision: Placement.Decision, _ database: String, _ measurement: String, _ configuration: Configuration
    ) -> Rule {
        guard let placement = configuration.placement else {
            return Rule(name: nil, target: ConfiguredPlacement.Target.all.description)
        }
        let rules = decision.isDatabasesOwn ? placement.databases[database] : placement.general
        let prefix = decision.isDatabasesOwn ? "placement.databases.\(database)" : "placement"
        let (name, target): (String, ConfiguredPlacement.Target?) =
            switch decision.rule {
            case .measurement: ("measurements.\(measurement)", rules?.measurements[measurement])
            case .pattern(let pattern):
                ("patterns.\"\(pattern)\"", rules?.patterns.first { $0.match == pattern.text }?.target)
            case .fallback: ("default", rules?.fallback)
            }
        return Rule(name: "\(prefix).\(name)", target: target?.description ?? "")
    }

    /// For people.
    package var text: String {
        var table = TextTable(columns: ["MEASUREMENT", "NODES", "RULE"])
        for entry in measurements {
            let nodes = entry.nodes.map { node in
                let remarks = [node.zone, node.role == NodeRole.normal.rawValue ? "" : node.role]
                let said = remarks.filter { !$0.isEmpty }.joined(separator: ", ")
                return said.isEmpty ? node.name : "\(node.name) (\(said))"
            }
            let rule =
                entry.rule.map { rule in rule.name.map { "\($0): \(rule.target)" } ?? "none: all nodes hold everything"
                }
                ?? "no rule places it: its points are refused"
            table.add([entry.measurement, nodes.isEmpty ? "-" : nodes.joined(separator: ", "), rule])
        }
        return table.lines().joined(separator: "\n") + "\n"
    }
}
