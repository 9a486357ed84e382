// Which nodes hold which measurements, as an operator says it: by the names of nodes. `Placement` is what comes of it.
import Cluster

package struct ConfiguredPlacement: Equatable, Sendable {
    package enum Target: Hashable, Sendable, CustomStringConvertible {
        case all
        case nodes([String])
        /// nil: over all nodes of the role `normal`.
        case hash(replicas: Int, nodes: [String]?)

        package var description: String {
            switch self {
            case .all: "all nodes"
            case .nodes(let names): names.joined(separator: ", ")
            case .hash(let replicas, let names):
                "hash: \(replicas) of " + (names.map { $0.joined(separator: ", ") } ?? "all normal nodes")
            }
        }
    }

    package struct Pattern: Equatable, Sendable {
        package var match: String
        package var target: Target

        package init(_ match: String, _ target: Target) {
            self.match = match
            self.target = target
        }
    }

    /// Those of one database, or those for all.
    package struct Rules: Equatable, Sendable {
        package var fallback: Target?
        package var measurements: [String: Target] = [:]
        package var patterns: [Pattern] = []

        package init(
            fallback: Target? = nil, measurements: [String: Target] = [:], patterns: [Pattern] = []
        ) {
            self.fallback = fallback
            self.measurements = measurements
            self.patterns = patterns
        }

        var targets: [Target] {
            (fallback.map { [$0] } ?? []) + measurements.values + patterns.map(\.target)
        }
    }

    package var general = Rules()
    package var databases: [String: Rules] = [:]

    package init(general: Rules = Rules(), databases: [String: Rules] = [:]) {
        self.general = general
        self.databases = databases
    }

    var targets: [Target] { general.targets + databases.values.flatMap(\.targets) }

    /// Names of nodes that there are not are passed over: the loader has reported them.
    static func placed(_ target: Target, among nodes: [ConfiguredNode]) -> PlacementTarget {
        let set = { (isIn: (ConfiguredNode) -> Bool) in
            NodeSet(nodes.indices.filter { isIn(nodes[$0]) }.map { NodeIndex($0) })
        }
        return switch target {
        case .all: .all
        case .nodes(let names): .nodes(set { names.contains($0.name) })
        case .hash(let replicas, let names):
            .hash(replicas: replicas, set { names?.contains($0.name) ?? ($0.role == .normal) })
        }
    }
}

extension Configuration {
    /// How many replica sets there can be. - Precondition: the loader found no error.
    package var replicaSetCount: Int { Placement(self).replicaSets.count }
}

extension Placement {
    package init(_ configuration: Configuration) {
        let nodes = configuration.nodes
        let members = nodes.map { Member(name: $0.name, zone: $0.zone, weight: $0.weight) }
        guard let placement = configuration.placement else {
            self.init(everythingOn: members)
            return
        }
        let target = { ConfiguredPlacement.placed($0, among: nodes) }
        let rules = { (rules: ConfiguredPlacement.Rules) in
            PlacementRules(
                measurements: rules.measurements.mapValues(target),
                patterns: rules.patterns.map { .init(NamePattern($0.match), target($0.target)) },
                fallback: rules.fallback.map(target))
        }
        self.init(
            members: members, rules: rules(placement.general), databases: placement.databases.mapValues(rules))
    }
}
