// What placement makes of a list of measurements: how many each node holds, and what a change of rules or nodes moves.

/// How many of some measurements of one database each node holds.
package struct PlacementTally: Equatable, Sendable {
    /// Of each node, in the order of the placement's members.
    package private(set) var held: [Int]
    package private(set) var measurements = 0
    /// How many measurements no rule places, or none but on nodes that there are not.
    package private(set) var unplaced = 0
    /// One of them.
    package private(set) var firstUnplaced: String?

    package init(of placement: Placement, database: String, measurements: some Sequence<String>) {
        held = Array(repeating: 0, count: placement.members.count)
        for name in measurements {
            self.measurements += 1
            guard let nodes = placement.nodes(database: database, measurement: name), !nodes.isEmpty else {
                unplaced += 1
                firstUnplaced = firstUnplaced ?? name
                continue
            }
            for node in nodes { held[Int(node.value)] += 1 }
        }
    }

    /// Over all nodes.
    package var copies: Int { held.reduce(0, +) }
}

/// What would have to be copied if one placement took the place of another.
package struct PlacementMoves: Equatable, Sendable {
    /// How many measurements some node would have to receive.
    package private(set) var measurements = 0
    /// What each node would receive, in the order of the members of the new placement.
    package private(set) var received: [Int]
    /// How many measurements would have fewer copies than now.
    package private(set) var thinned = 0

    /// Nodes are the same when their names are.
    package init(
        from old: Placement, to new: Placement, database: String, measurements: some Sequence<String>
    ) {
        received = Array(repeating: 0, count: new.members.count)
        let names = old.members.map(\.name)
        let before = new.members.map { member in names.firstIndex(of: member.name).map { NodeIndex($0) } }
        for name in measurements {
            let held = old.nodes(database: database, measurement: name) ?? NodeSet()
            let wanted = new.nodes(database: database, measurement: name) ?? NodeSet()
            let missing = wanted.filter { node in before[Int(node.value)].map { !held.contains($0) } ?? true }
            for node in missing { received[Int(node.value)] += 1 }
            if !missing.isEmpty { self.measurements += 1 }
            if wanted.count < held.count { thinned += 1 }
        }
    }

    /// Over all nodes.
    package var copies: Int { received.reduce(0, +) }
}
