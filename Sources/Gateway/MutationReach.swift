// Whose data a statement changes. Every node gets every statement: what it does not hold it has nothing to change of. But
// somebody who holds it must be there to say what came of it.

import Cluster
import InfluxQL

extension Statement {
    /// The replica sets of the data that it changes; none: it changes the schema, which all nodes have.
    func changedSets(by placement: Placement, requestDatabase: String) -> Set<NodeSet> {
        let database = database?.literal ?? requestDatabase
        switch kind {
        case .dropMeasurement:
            guard let name = subject?.literal else { return placement.replicaSets(database: database) }
            return placement.nodes(database: database, measurement: name).map { [$0] } ?? []
        case .delete, .dropSeries:
            var sets: Set<NodeSet> = []
            for source in sources {
                guard case .name(let name) = source.measurement, let name = name.literal else {
                    return placement.replicaSets(database: database)
                }
                if let nodes = placement.nodes(database: database, measurement: name) { sets.insert(nodes) }
            }
            return sources.isEmpty ? placement.replicaSets(database: database) : sets
        default:
            return []
        }
    }
}
