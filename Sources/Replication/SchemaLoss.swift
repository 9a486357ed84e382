// What a statement makes a node forget: after it, a line that the node took before may be refused, and the other way
// round.

import Cluster
import CommitLog
import InfluxQL

extension MutationRecord {
    /// Its statement; nil: this version does not read it.
    var parsed: Statement? {
        guard case .statements(let statements) = Parsed(redactedStatement), statements.count == 1 else { return nil }
        return statements[0]
    }
}

enum SchemaLoss: Equatable, Sendable {
    /// Field types survive DELETE and DROP SERIES (reference 9, M7).
    case nothing
    case measurement(String, database: String)
    case database(String)
    /// Some of a database: what its retention policy held.
    case partOf(database: String)
    case unknown

    init(_ mutation: MutationRecord) {
        guard let statement = mutation.parsed else {
            self = .unknown
            return
        }
        switch statement.kind {
        case .dropDatabase:
            let name = statement.database?.literal ?? statement.subject?.literal
            self = name.map { .database($0) } ?? .unknown
        case .dropMeasurement:
            self = statement.subject?.literal.map { .measurement($0, database: mutation.database) } ?? .unknown
        case .dropRetentionPolicy, .dropShard:
            if case .database(let name) = mutation.scope { self = .partOf(database: name) } else { self = .unknown }
        // Points that are written inside the node bring types of their own.
        case .selectInto: self = .unknown
        default: self = .nothing
        }
    }

    /// Nothing is left of it.
    func isWhole(of place: DivergedMeasurement) -> Bool {
        switch self {
        case .measurement(let name, let database): name == place.measurement && database == place.database
        case .database(let name): name == place.database
        case .nothing, .partOf, .unknown: false
        }
    }

    func mayConcern(_ measurement: String, of database: String) -> Bool {
        switch self {
        case .nothing: false
        case .measurement(let name, database): name == measurement
        case .measurement: false
        case .database(let name), .partOf(let name): name == database
        case .unknown: true
        }
    }
}
