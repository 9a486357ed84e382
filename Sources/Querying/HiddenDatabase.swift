// The gateway keeps a database of its own on each node. For clients it does not exist: what they do to it is answered
// here as InfluxDB answers for a database that is not there (found by experiment on 1.6.7).

import Cluster
import InfluxQL

package enum HiddenDatabase {
    package static let name = Marker.database

    /// The answer to a statement that would touch it; nil: it touches others only.
    static func answer(to statement: Statement, _ request: StatementContext) -> KnownResult? {
        let databases = statement.databases(request)
        guard databases.contains(name) || databases.contains(nil) else { return nil }
        // Parameters that a node may read differently cannot be seen through.
        if !databases.contains(name) { return .error("database not found") }
        switch statement.kind {
        case .createDatabase:
            return .error("the name \(name) is taken: Sluice keeps its own marks there")
        case .dropDatabase, .dropRetentionPolicy, .dropContinuousQuery, .showMeasurements:
            return .nothing
        case .showTagKeys, .showTagValues:
            // Their sources' databases mean nothing to InfluxDB.
            return databases.first == name ? notFound : .nothing
        case .showSeriesCardinality, .showMeasurementCardinality:
            let isEstimate = statement.sources.isEmpty && !statement.text.uppercased().contains("EXACT")
            return isEstimate ? .zeroCardinality : notFound
        default:
            return notFound
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
