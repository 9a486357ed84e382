// What a node holds, in a form that can be held against what another one holds.
//
// InfluxDB lists more than there is: measurements whose points were all dropped or refused, and (inmem only) fields
// whose points are gone. So what counts is points: a field without any does not exist here.

package struct Inventory: Equatable, Sendable {
    package struct Policy: Equatable, Sendable {
        package var name: String
        /// As the node prints them: `168h0m0s`.
        package var duration: String
        package var shardDuration: String
        package var replicas: String
        package var isDefault: Bool
    }

    package struct Subscription: Equatable, Sendable {
        package var policy: String
        package var name: String
        package var mode: String
        package var destinations: String
    }

    package struct User: Equatable, Sendable {
        package var name: String
        package var isAdmin: Bool
        /// Privilege by database; nil: not readable.
        package var grants: [String: String]?
    }

    /// A measurement in one retention policy.
    package struct Measurement: Equatable, Sendable {
        /// `float`, `integer`, ...; more than one where shard groups disagree.
        package var types: [String: Set<String>] = [:]
        /// Points by field; nil: not counted.
        package var points: [String: Int64]?

        package var total: Int64? { points.map { $0.values.reduce(0, &+) } }
    }

    package struct Source: Hashable, Comparable, Sendable, CustomStringConvertible {
        package var database: String
        package var policy: String
        package var measurement: String

        package init(database: String, policy: String, measurement: String) {
            self.database = database
            self.policy = policy
            self.measurement = measurement
        }

        package static func < (left: Source, right: Source) -> Bool {
            (left.database, left.policy, left.measurement) < (right.database, right.policy, right.measurement)
        }

        package var description: String { "database \(database), policy \(policy), measurement \(measurement)" }
    }

    package struct Database: Equatable, Sendable {
        package var policies: [Policy] = []
        /// Statement by name.
        package var continuousQueries: [String: String] = [:]
        package var subscriptions: [Subscription] = []
    }

    /// In the order of creation, as SHOW DATABASES has it.
    package var names: [String] = []
    package var databases: [String: Database] = [:]
    package var measurements: [Source: Measurement] = [:]
    /// By name; nil: not readable.
    package var users: [String: User]?
    /// What could not be read or was not counted, and why.
    package var gaps: [String] = []

    package init() {}

    /// Points of all fields of all measurements that were counted.
    package var countedPoints: Int64 { measurements.values.reduce(0) { $0 &+ ($1.total ?? 0) } }
}

/// One thing in which nodes differ.
package struct InventoryDifference: Equatable, Sendable, CustomStringConvertible {
    package enum Subject: Equatable, Sendable {
        case database(String)
        case policy(database: String, name: String)
        case continuousQuery(database: String, name: String)
        case subscription(database: String, name: String)
        case user(String)
        case measurement(Inventory.Source)
        case fieldType(Inventory.Source, field: String)
        case points(Inventory.Source, field: String)
    }

    package struct Side: Equatable, Sendable {
        package var node: String
        /// What the node has, in words.
        package var has: String
    }

    package var subject: Subject
    package var sides: [Side]

    /// A sentence such as `database x, policy autogen, measurement cpu, field v: a has 1200 points, b has 1180 points`.
    package var description: String {
        "\(subject): " + sides.map { "\($0.node) has \($0.has)" }.joined(separator: ", ")
    }
}

extension InventoryDifference.Subject: CustomStringConvertible {
    package var description: String {
        switch self {
        case .database(let name): "database \(name)"
        case .policy(let database, let name): "database \(database), retention policy \(name)"
        case .continuousQuery(let database, let name): "database \(database), continuous query \(name)"
        case .subscription(let database, let name): "database \(database), subscription \(name)"
        case .user(let name): "user \(name)"
        case .measurement(let source): "\(source)"
        case .fieldType(let source, let field), .points(let source, let field): "\(source), field \(field)"
        }
    }
}
