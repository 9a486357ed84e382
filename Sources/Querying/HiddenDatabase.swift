// The gateway keeps a database of its own on each node. For clients it does not exist: what they do to it is answered
// here as InfluxDB answers for a database that is not there (found by experiment on 1.6.7).

import Cluster
import InfluxQL

package enum HiddenDatabase {
    package static let name = Marker.database

    /// The answer to a statement that would touch it; nil: it touches others only.
    static func answer(to statement: Statement, _ request: StatementContext) -> KnownResult? {
        let databases = statement.databases(request)
        if case .showMeasurements(let scope?, _, _) = statement.body, scope.database == .all {
            return .error("SHOW MEASUREMENTS of all databases is not supported: name one")
        }
        guard databases.contains(name) else { return nil }
        switch statement.kind {
        case .createDatabase:
            return .error("the name \(name) is taken: Sluice keeps its own marks there")
        case .dropDatabase, .dropRetentionPolicy, .dropContinuousQuery, .showMeasurements:
            return .nothing
        case .showTagKeys, .showTagValues:
            // Their sources' databases mean nothing to InfluxDB.
            return databases.first == name ? notFound : .nothing
        default:
            return statement.body.isEstimate ? .zeroCardinality : notFound
        }
    }

    private static let notFound = KnownResult.error("database not found: \(name)")

    /// What a write gets.
    package static let writeError = "database not found: \"\(name)\""
}

/// The result of a statement that no node needs to be asked about.
package enum KnownResult: Equatable, Sendable {
    case error(String)
    case nothing
    case zeroCardinality

    package var isError: Bool {
        if case .error = self { true } else { false }
    }

    /// As a result of an answer in JSON, numbered from 0.
    package var json: [UInt8] {
        switch self {
        case .error(let message):
            ResultDocument.error(message, statement: 0)
        case .nothing:
            Array(#"{"statement_id":0}"#.utf8)
        case .zeroCardinality:
            Array(#"{"statement_id":0,"series":[{"columns":["cardinality estimation"],"values":[[0]]}]}"#.utf8)
        }
    }
}

extension StatementBody {
    /// Cardinalities that a node has at hand, where it does not ask whether there is such a database.
    fileprivate var isEstimate: Bool {
        switch self {
        case .showSeriesCardinality(let exact, let clauses), .showMeasurementCardinality(let exact, let clauses):
            !exact && clauses.sources.isEmpty
        default: false
        }
    }
}
