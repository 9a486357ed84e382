// Which nodes can answer a read: any, those of one replica set, or several sets of which each has a part (DESIGN:
// "Placement"). Each measurement lies wholly on the nodes of one set; databases and users are on all nodes.

import Cluster
import InfluxQL

/// The nodes that hold all that a read touches.
package struct ReadScope: Equatable, Sendable {
    package var nodes: NodeSet
    /// What is read there, as far as it has names, for people.
    package var measurements: [String]

    package init(_ nodes: NodeSet, measurements: [String] = []) {
        self.nodes = nodes
        self.measurements = measurements
    }

    /// `replica set {c, d}, which holds cpu, mem`
    package func words(_ names: [String]) -> String {
        let nodes = nodes.map { names.indices.contains(Int($0.value)) ? names[Int($0.value)] : "\($0.value)" }
        let set = "replica set {\(nodes.joined(separator: ", "))}"
        guard !measurements.isEmpty else { return set }
        let more = measurements.count > 10 ? " and \(measurements.count - 10) more" : ""
        return "\(set), which holds \(measurements.prefix(10).joined(separator: ", "))\(more)"
    }
}

/// Where a read goes.
package enum ReadRoute: Equatable, Sendable {
    /// Every node knows the answer, or none does.
    case anywhere
    /// It passes through untouched.
    case whole(ReadScope)
    case scattered(ScatteredRead)
    case refused(String)

    /// - Parameters:
    ///   - statement: a read, or a SELECT INTO, with values in the places of its parameters.
    ///   - context: what the request says beside it.
    package init(_ statement: Statement, _ context: StatementContext, _ placement: Placement) {
        self = placement.isUniform ? .anywhere : Router(placement: placement, context: context).route(statement)
    }
}

/// InfluxDB's own figures, which each node has of itself.
private let internalDatabase = "_internal"

private struct Router {
    let placement: Placement
    let context: StatementContext

    func route(_ statement: Statement) -> ReadRoute {
        switch statement.body {
        case .select(let select), .explain(let select, _, _): route(statement, select)
        default: statement.body.clauses == nil ? .anywhere : routeShow(statement)
        }
    }

    /// Where measurements of a database can be, and which of them are named.
    private struct Places {
        var sets: Set<NodeSet> = []
        var names: [String] = []
        /// A regular expression may match in each of several sets.
        var isOpen = false
        /// InfluxDB's own figures are among it: whoever answers has some, of itself.
        var hasInternal = false
    }

    private func places(_ references: [MeasurementReference], database: (MeasurementReference) -> String) -> Places? {
        var places = Places()
        for reference in references {
            let database = database(reference)
            // A node says that a database is missing.
            if database.isEmpty { return nil }
            if database == internalDatabase {
                places.hasInternal = true
                continue
            }
            if case .name(.literal(let name)) = reference.measurement {
                // What no rule places nobody holds.
                guard let set = placement.nodes(database: database, measurement: name) else { continue }
                places.sets.insert(set)
                if !places.names.contains(name) { places.names.append(name) }
            } else {
                let sets = placement.replicaSets(database: database)
                places.sets.formUnion(sets)
                if sets.count > 1 { places.isOpen = true }
            }
        }
        return places
    }

    private func route(_ statement: Statement, _ select: SelectStatement) -> ReadRoute {
        var references: [MeasurementReference] = []
        select.appendMeasurements(to: &references)
        guard let places = places(references, database: { context.name($0.database) }) else { return .anywhere }
        if places.sets.count <= 1, !places.isOpen {
            return places.sets.first.map { .whole(ReadScope($0, measurements: places.names)) } ?? .anywhere
        }
        if places.hasInternal {
            return .refused(
                "_internal is another on each node: it cannot be read beside measurements of several replica sets")
        }
        if statement.kind == .explain || statement.kind == .explainAnalyze {
            return .refused(
                "\(statement.kind.words) over measurements of several replica sets is not supported: each node has a "
                    + "plan of its own")
        }
        if select.hasSubqueries, !places.isOpen { return .refused(ScatteredSelect.subqueryWords(places.names)) }
        return .scattered(ScatteredRead(statement, context, placement, sets: places.sets))
    }

    private func routeShow(_ statement: Statement) -> ReadRoute {
        let database = context.name(statement.database)
        guard !database.isEmpty, database != internalDatabase else { return .anywhere }
        if statement.sources.contains(where: { $0.database.map { context.name($0) != database } == true }) {
            return .refused(
                "\(statement.kind.words) takes its database from ON, not from FROM, where measurements lie on different "
                    + "nodes")
        }
        var references = statement.sources
        if references.isEmpty { references = [MeasurementReference(measurement: .regex(""))] }
        guard let places = places(references, database: { _ in database }) else { return .anywhere }
        if places.sets.count <= 1, !places.isOpen {
            return places.sets.first.map { .whole(ReadScope($0, measurements: places.names)) } ?? .anywhere
        }
        if let reason = ScatteredShow.refusal(statement) { return .refused(reason) }
        return .scattered(ScatteredRead(statement, context, placement, sets: places.sets))
    }
}

extension SelectStatement {
    var hasSubqueries: Bool {
        sources.contains { if case .subquery = $0 { true } else { false } }
    }
}
