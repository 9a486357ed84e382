// The policies that most gateways need, by name: for each kind of statement whether it may run, and in which shape.

import InfluxQL

extension Policy {
    /// The raw value is how a configuration writes it.
    package enum Preset: String, CaseIterable, Sendable {
        /// Everything.
        case open
        /// Whatever changes neither data nor schema nor a node's work.
        case readOnly = "read-only"
        /// What dashboards ask while they draw and while they are edited, and no more.
        case dashboards
        /// One statement on one measurement: SELECT, SHOW and DELETE.
        case strict
    }
}

extension Policy.Preset {
    /// What a preset says of a kind of statement.
    package enum Stance: Equatable, Sendable {
        case allowed
        case refused
        /// Allowed for one measurement that is named in FROM, without a SELECT inside.
        case oneMeasurement
    }

    /// `dashboards` and `strict` are lists of what is allowed: a kind that is new here is refused until it is added.
    package func stance(on kind: StatementKind) -> Stance {
        switch self {
        case .open: .allowed
        case .readOnly: kind.effect == .read ? .allowed : .refused
        case .dashboards: Self.forDashboards.contains(kind) ? .allowed : .refused
        case .strict: Self.onOneMeasurement.contains(kind) ? .oneMeasurement : .refused
        }
    }

    /// Points by line protocol, which is no statement.
    package var allowsWrites: Bool {
        switch self {
        case .open, .strict: true
        case .readOnly, .dashboards: false
        }
    }

    /// What it is called when it refuses; `open` never does.
    package var rule: Policy.Rule? { Policy.Rule(rawValue: rawValue) }

    /// Panels and annotations are SELECTs; variables and editors list databases, policies, measurements, tags, fields
    /// and series, and count them.
    private static let forDashboards: Set<StatementKind> = [
        .select, .explain, .explainAnalyze, .showDatabases, .showRetentionPolicies, .showMeasurements,
        .showMeasurementCardinality, .showSeries, .showSeriesCardinality, .showTagKeys, .showTagKeyCardinality,
        .showTagValues, .showTagValuesCardinality, .showFieldKeys, .showFieldKeyCardinality,
    ]

    /// The SHOW statements here are those with a FROM.
    private static let onOneMeasurement: Set<StatementKind> = [
        .select, .delete, .showMeasurementCardinality, .showSeries, .showSeriesCardinality, .showTagKeys,
        .showTagKeyCardinality, .showTagValues, .showTagValuesCardinality, .showFieldKeys, .showFieldKeyCardinality,
    ]

    /// - Parameter kind: as what the statement is judged; its own, or SELECT INTO for an INTO inside.
    func objection(to statement: Statement, as kind: StatementKind) -> String? {
        switch stance(on: kind) {
        case .allowed: return nil
        case .refused: return "\(kind.words) is not allowed here"
        case .oneMeasurement:
            if let select = statement.body.select, select.nested.count > 1 {
                return "a SELECT inside another is not allowed here"
            }
            let sources = statement.sources
            if sources.count == 1, case .name(.literal(let name)) = sources[0].measurement, !name.isEmpty { return nil }
            return "\(kind.words) is allowed here for one measurement only, which FROM must name"
        }
    }
}
