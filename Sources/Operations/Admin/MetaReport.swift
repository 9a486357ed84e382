// What /meta says: who is there and which node holds what, for programs that route by themselves or watch a cluster. Keys
// are only ever added.
import Foundation

package struct MetaReport: Codable, Equatable, Sendable {
    package struct Gateway: Codable, Equatable, Sendable {
        /// Of its log: two gateways never have the same.
        package var logId: String
        package var epoch: UInt64
        package var version: String
        package var zone: String
        /// Addresses where InfluxDB clients are served.
        package var listen: [String]
    }

    package struct Node: Codable, Equatable, Sendable {
        package var name: String
        package var url: String
        package var zone: String
        /// `normal`, `write-only` or `async`.
        package var role: String
        package var weight: Double
        /// `up` or `down`.
        package var health: String
        /// As in the status: `in-sync`, `catching-up`, `needs-copy`, `unattached` or `paused`.
        package var sync: String
        /// Why it is not in-sync.
        package var reason: String?
        /// Records that it has not applied.
        package var backlog: UInt64
    }

    /// One rule; the first that matches counts.
    package struct Rule: Codable, Equatable, Sendable {
        /// Of this database alone; nil: of all.
        package var database: String?
        /// Exactly this measurement.
        package var measurement: String?
        /// Measurements that match; neither this nor `measurement`: all that are left.
        package var pattern: String?
        /// Those that hold it, or of which the hash chooses.
        package var nodes: [String]
        /// By hash: how many of `nodes` hold each measurement.
        package var replicas: Int?
    }

    /// This one, as far as it knows of any.
    package var gateways: [Gateway]
    package var nodes: [Node]
    /// The rules of single databases come before the general ones.
    package var placement: [Rule]

    package init(
        configuration: Configuration, log: StatusReport.LogStatus, nodes: [StatusReport.NodeStatus], listen: [String]
    ) {
        gateways = [
            Gateway(
                logId: log.id, epoch: log.epoch, version: SluiceVersion.current, zone: configuration.zone,
                listen: listen)
        ]
        self.nodes = nodes.map { node in
            let configured = configuration.nodes.first { $0.name == node.name }
            return Node(
                name: node.name, url: node.url, zone: node.zone, role: (configured?.role ?? .normal).rawValue,
                weight: configured?.weight ?? 1, health: node.health, sync: node.sync, reason: node.reason,
                backlog: node.backlog)
        }
        let placement = configuration.placement ?? ConfiguredPlacement(general: .init(fallback: .all))
        self.placement =
            placement.databases.sorted { $0.key < $1.key }
            .flatMap { Rule.of($0.value, database: $0.key, configuration) }
            + Rule.of(placement.general, database: nil, configuration)
    }
}

extension MetaReport.Rule {
    /// In the order in which they are asked.
    fileprivate static func of(
        _ rules: ConfiguredPlacement.Rules, database: String?, _ configuration: Configuration
    ) -> [Self] {
        func rule(_ target: ConfiguredPlacement.Target, measurement: String? = nil, pattern: String? = nil) -> Self {
            let all = configuration.nodes.map(\.name)
            let (nodes, replicas): ([String], Int?)
            switch target {
            case .all: (nodes, replicas) = (all, nil)
            case .nodes(let names): (nodes, replicas) = (names, nil)
            case .hash(let count, let names):
                (nodes, replicas) = (names ?? configuration.nodes.filter { $0.role == .normal }.map(\.name), count)
            }
            return Self(
                database: database, measurement: measurement, pattern: pattern, nodes: nodes, replicas: replicas)
        }
        return rules.measurements.sorted { $0.key < $1.key }.map { rule($0.value, measurement: $0.key) }
            + rules.patterns.map { rule($0.target, pattern: $0.match) }
            + (rules.fallback.map { [rule($0)] } ?? [])
    }
}
