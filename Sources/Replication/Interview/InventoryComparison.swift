// Holds what several nodes hold against each other. Two nodes are equal only where both were read: what was not
// compared is said.

package struct InventoryComparison: Equatable, Sendable {
    package let differences: [InventoryDifference]
    /// What was not compared, and why.
    package let gaps: [String]

    /// Everything was compared and nothing differs.
    package var isEqual: Bool { differences.isEmpty && gaps.isEmpty }

    /// - Parameter isShared: whether all of these nodes should hold a measurement; others are not compared.
    package init(
        _ nodes: [(node: String, inventory: Inventory)], isShared: (Inventory.Source) -> Bool = { _ in true }
    ) {
        var comparing = Comparing(nodes: nodes)
        comparing.compareAll(isShared)
        differences = comparing.differences
        gaps = comparing.gaps
    }

    /// The position of the node with the most points, then the most measurements, then the first; nil of none.
    package static func mostComplete(_ inventories: [Inventory]) -> Int? {
        func weight(_ inventory: Inventory) -> (Int64, Int, Int) {
            (inventory.countedPoints, inventory.measurements.count, inventory.names.count)
        }
        return inventories.indices.reduce(nil) { best, index in
            guard let best else { return index }
            return weight(inventories[index]) > weight(inventories[best]) ? index : best
        }
    }
}

private struct Comparing {
    typealias Subject = InventoryDifference.Subject

    let nodes: [(node: String, inventory: Inventory)]
    var differences: [InventoryDifference] = []
    var gaps: [String] = []

    init(nodes: [(node: String, inventory: Inventory)]) {
        self.nodes = nodes
        gaps = nodes.flatMap { node, inventory in inventory.gaps.map { "\(node): \($0)" } }
    }

    /// Compares what each node has, given as text; nil: nothing.
    private mutating func compare(_ subject: Subject, _ text: (Inventory) -> String?) {
        let texts = nodes.map { text($0.inventory) }
        guard Set(texts).count > 1 else { return }
        differences.append(
            InventoryDifference(
                subject: subject,
                sides: zip(nodes, texts).map { .init(node: $0.node, has: $1 ?? "none") }))
    }

    mutating func compareAll(_ isShared: (Inventory.Source) -> Bool) {
        for database in names(of: { $0.names }) {
            compare(.database(database)) { $0.databases[database] == nil ? nil : "it" }
            guard nodes.allSatisfy({ $0.inventory.databases[database] != nil }) else { continue }
            compareSchema(of: database)
        }
        compareUsers()
        var sources: Set<Inventory.Source> = []
        for node in nodes { sources.formUnion(node.inventory.measurements.keys) }
        for source in sources.sorted() where isShared(source) { compare(source) }
    }

    /// In the order in which they first occur.
    private func names(of list: (Inventory) -> [String]) -> [String] {
        var seen: Set<String> = []
        return nodes.flatMap { list($0.inventory) }.filter { seen.insert($0).inserted }
    }

    private mutating func compareSchema(of database: String) {
        for name in names(of: { $0.databases[database]?.policies.map(\.name) ?? [] }) {
            compare(.policy(database: database, name: name)) { inventory in
                inventory.databases[database]?.policies.first { $0.name == name }.map { policy in
                    "DURATION \(policy.duration) SHARD DURATION \(policy.shardDuration) REPLICATION \(policy.replicas)"
                        + (policy.isDefault ? " DEFAULT" : "")
                }
            }
        }
        for name in names(of: { $0.databases[database]?.continuousQueries.keys.sorted() ?? [] }) {
            compare(.continuousQuery(database: database, name: name)) {
                $0.databases[database]?.continuousQueries[name].map { "\"\($0)\"" }
            }
        }
        for name in names(of: { $0.databases[database]?.subscriptions.map(\.name) ?? [] }) {
            compare(.subscription(database: database, name: name)) { inventory in
                inventory.databases[database]?.subscriptions.first { $0.name == name }.map {
                    "\($0.mode) on \($0.policy) to \($0.destinations)"
                }
            }
        }
    }

    private mutating func compareUsers() {
        guard nodes.allSatisfy({ $0.inventory.users != nil }) else { return }
        for name in names(of: { ($0.users ?? [:]).keys.sorted() }) {
            let areReadable = nodes.allSatisfy { node in node.inventory.users?[name].map { $0.grants != nil } ?? true }
            compare(.user(name)) { inventory in
                guard let user = inventory.users?[name] else { return nil }
                let grants = areReadable ? (user.grants ?? [:]).sorted { $0.key < $1.key } : []
                let all = (user.isAdmin ? ["all privileges"] : []) + grants.map { "\($1) on \($0)" }
                return all.isEmpty ? "the user without privileges" : all.joined(separator: " and ")
            }
        }
    }

    private mutating func compare(_ source: Inventory.Source) {
        let all = nodes.map { $0.inventory.measurements[source] }
        guard all.allSatisfy({ $0.map { $0.points != nil } ?? true }) else {
            // Only listed on some node: whether points stand behind it is not known.
            return compareListed(source)
        }
        let points = all.map { measurement in
            let counted = measurement.flatMap(\.points) ?? [:]
            return counted.filter { $0.value > 0 }
        }
        guard points.allSatisfy({ !$0.isEmpty }) || points.allSatisfy(\.isEmpty) else {
            return compare(.measurement(source)) { inventory in
                let total = inventory.measurements[source]?.total ?? 0
                return total > 0 ? "\(total) points" : nil
            }
        }
        for field in Set(points.flatMap(\.keys)).sorted() {
            compare(.points(source, field: field)) { inventory in
                "\(inventory.measurements[source]?.points?[field] ?? 0) points"
            }
            let haveAll = points.allSatisfy { $0[field] != nil }
            if haveAll { compareTypes(source, field) }
        }
    }

    private mutating func compareListed(_ source: Inventory.Source) {
        compare(.measurement(source)) { $0.measurements[source] == nil ? nil : "it" }
        guard nodes.allSatisfy({ $0.inventory.measurements[source] != nil }) else { return }
        for field in Set(nodes.flatMap { $0.inventory.measurements[source]?.types.keys.map { $0 } ?? [] }).sorted() {
            compareTypes(source, field)
        }
    }

    private mutating func compareTypes(_ source: Inventory.Source, _ field: String) {
        compare(.fieldType(source, field: field)) {
            $0.measurements[source]?.types[field].map { "type \($0.sorted().joined(separator: " and "))" }
        }
    }
}
