// Which nodes hold which measurements (DESIGN: "Placement"). Pure rules: the same configuration places the same
// measurement on the same nodes in every process, for ever.
//
//   (database, measurement) --> rules of the database, then the general ones: exact name, patterns, default
//                           --> all nodes | a list of nodes | a hash over some nodes --> replica set
//
// A replica set is the set of its nodes. What no rule places is an error to its client (L11).

/// Where a rule puts a measurement.
package enum PlacementTarget: Hashable, Sendable {
    /// Every node, also one that is configured later.
    case all
    case nodes(NodeSet)
    /// So many of these nodes, by rendezvous hashing over database and measurement.
    case hash(replicas: Int, NodeSet)
}

/// The rules of one database, or those for all.
package struct PlacementRules: Equatable, Sendable {
    package struct Pattern: Equatable, Sendable {
        package let name: NamePattern
        package let target: PlacementTarget

        package init(_ name: NamePattern, _ target: PlacementTarget) {
            self.name = name
            self.target = target
        }
    }

    /// By the whole name: `cpu` says nothing about `cpu.load`.
    package var measurements: [String: PlacementTarget]
    /// The first that matches counts.
    package var patterns: [Pattern]
    /// nil: the general rules say it, or nobody.
    package var fallback: PlacementTarget?

    package init(
        measurements: [String: PlacementTarget] = [:], patterns: [Pattern] = [], fallback: PlacementTarget? = nil
    ) {
        self.measurements = measurements
        self.patterns = patterns
        self.fallback = fallback
    }

    package var targets: [PlacementTarget] {
        measurements.values + patterns.map(\.target) + (fallback.map { [$0] } ?? [])
    }
}

package struct Placement: Equatable, Sendable {
    /// A node as far as placement looks at it.
    package struct Member: Equatable, Sendable {
        package let name: String
        package let zone: String
        /// How much of what is hashed it holds, beside others: above 0.
        package let weight: Double

        package init(name: String, zone: String = "", weight: Double = 1) {
            self.name = name
            self.zone = zone
            self.weight = weight
        }
    }

    /// The rule that places a measurement, for people.
    package enum Rule: Equatable, Sendable {
        case measurement
        case pattern(NamePattern)
        case fallback
    }

    package struct Decision: Equatable, Sendable {
        package let nodes: NodeSet
        package let rule: Rule
        /// Of the database's own rules, not of the general ones.
        package let isDatabasesOwn: Bool
        package let target: PlacementTarget
    }

    package let members: [Member]
    package let rules: PlacementRules
    package let databases: [String: PlacementRules]
    /// Every node holds everything, whatever it is.
    package let isUniform: Bool
    private let hashing: RendezvousHash

    package init(members: [Member], rules: PlacementRules, databases: [String: PlacementRules] = [:]) {
        self.members = members
        self.rules = rules
        self.databases = databases
        hashing = RendezvousHash(members)
        isUniform =
            rules.fallback != nil
            && (rules.targets + databases.values.flatMap(\.targets)).allSatisfy { Self.isAll($0, members.count) }
    }

    /// Every node holds everything.
    package init(everythingOn members: [Member]) {
        self.init(members: members, rules: PlacementRules(fallback: .all))
    }

    package var all: NodeSet { .first(members.count) }

    /// - Returns: the nodes that hold the measurement; nil: no rule places it.
    package func nodes(database: String, measurement: String) -> NodeSet? {
        decision(database: database, measurement: measurement)?.nodes
    }

    package func decision(database: String, measurement: String) -> Decision? {
        for (rules, isOwn) in [(own(database), true), (rules, false)] {
            guard let rules, let (rule, target) = Self.match(measurement, rules) else { continue }
            return Decision(
                nodes: nodes(target, database: database, measurement: measurement), rule: rule, isDatabasesOwn: isOwn,
                target: target)
        }
        return nil
    }

    /// All replica sets that a measurement of the database can have; of one that nobody has heard of as well.
    package func replicaSets(database: String) -> Set<NodeSet> {
        let own = own(database)
        // An own default hides all of the general rules.
        let targets = (own?.targets ?? []) + (own?.fallback == nil ? rules.targets : [])
        return targets.reduce(into: []) { $0.formUnion(replicaSets(of: $1)) }
    }

    /// More replica sets than this cannot be looked after: each has acknowledgements, limits and figures of its own.
    package static let mostReplicaSets = 4_096

    /// How many replica sets a target can make, without making them; exact up to 10^15.
    package func replicaSetCount(of target: PlacementTarget) -> Int {
        switch target {
        case .all, .nodes: 1
        case .hash(let replicas, let nodes): hashing.combinationCount(replicas, of: nodes)
        }
    }

    /// All replica sets that there can be. Ask `replicaSetCount` of each target first: there may be very many.
    package var replicaSets: Set<NodeSet> {
        (rules.targets + databases.values.flatMap(\.targets)).reduce(into: []) { $0.formUnion(replicaSets(of: $1)) }
    }

    /// The one replica set of everything in a database, whatever it is called; nil: it depends, or some is not placed.
    package func soleReplicaSet(database: String) -> NodeSet? {
        guard own(database)?.fallback != nil || rules.fallback != nil else { return nil }
        let sets = replicaSets(database: database)
        return sets.count == 1 ? sets.first : nil
    }

    // MARK: Rules

    private func own(_ database: String) -> PlacementRules? { Self.exactly(database, in: databases) }

    private static func match(_ measurement: String, _ rules: PlacementRules) -> (Rule, PlacementTarget)? {
        if let target = exactly(measurement, in: rules.measurements) { return (.measurement, target) }
        if let pattern = rules.patterns.first(where: { $0.name.matches(measurement) }) {
            return (.pattern(pattern.name), pattern.target)
        }
        return rules.fallback.map { (.fallback, $0) }
    }

    /// By bytes, as InfluxDB compares names: for Swift two spellings of é are the same text.
    private static func exactly<Value>(_ name: String, in table: [String: Value]) -> Value? {
        guard let index = table.index(forKey: name), table[index].key.utf8.elementsEqual(name.utf8) else { return nil }
        return table[index].value
    }

    private func nodes(_ target: PlacementTarget, database: String, measurement: String) -> NodeSet {
        switch target {
        case .all: all
        case .nodes(let nodes): nodes
        case .hash(let replicas, let nodes):
            hashing.nodes(replicas, of: nodes, database: database, measurement: measurement)
        }
    }

    private static func isAll(_ target: PlacementTarget, _ count: Int) -> Bool {
        switch target {
        case .all: true
        case .nodes(let nodes): nodes == .first(count)
        case .hash(let replicas, let nodes): nodes == .first(count) && replicas >= count
        }
    }

    /// Those that a target can make.
    package func replicaSets(of target: PlacementTarget) -> Set<NodeSet> {
        switch target {
        case .all: [all]
        case .nodes(let nodes): [nodes]
        case .hash(let replicas, let nodes): Set(hashing.combinations(replicas, of: nodes))
        }
    }
}
