// SHOW over several replica sets. Every set is asked for all that it has; of its answer only counts what placement puts
// there, because a node may stand in several sets, and may still hold what was placed on it before.

import Cluster
import InfluxQL

struct ScatteredShow: Equatable, Sendable {
    /// What becomes of the parts.
    private enum Merge: Equatable, Sendable {
        /// Series by measurement, sorted; a limit counts within each.
        case measurements
        /// SHOW MEASUREMENTS: one list of names.
        case names
        /// SHOW SERIES: one list of keys, by measurement.
        case keys
        /// How many measurements have a row.
        case count(column: String)
        /// How many names there are in the lists.
        case countNames
        /// One number: the sum of the rows of all measurements.
        case sum
    }

    private let database: String
    private let placement: SetCover
    private let limits: RowLimits
    private let merge: Merge
    private let parts: [ScatteredRead.Part]
    private let sets: [NodeSet]
    /// What to ask before: of which names in the condition each set knows fields.
    private var columnQuestions: [ScatteredRead.Part] = []
    private var conditionNames: Set<String> = []

    /// Why a statement cannot be answered; nil: it can.
    static func refusal(_ statement: Statement) -> String? {
        guard case .showMeasurementCardinality(_, let clauses) = statement.body, !clauses.dimensions.isEmpty else {
            return nil
        }
        return "\(statement.kind.words) with GROUP BY over several replica sets is not supported: count the rows of "
            + "SHOW SERIES CARDINALITY with the same GROUP BY"
    }

    init(_ body: StatementBody, database: String, _ placement: SetCover, sets: [NodeSet]) {
        self.database = database
        self.placement = placement
        let clauses = body.clauses ?? ShowClauses()
        limits = clauses.limits
        var whole = clauses
        whole.limits = RowLimits()
        var asked = body
        var text: String?
        switch body {
        case .showMeasurements(let scope, let measurement, _):
            merge = .names
            asked = .showMeasurements(scope, measurement, whole)
        case .showSeries:
            merge = .keys
            asked = .showSeries(whole)
        case .showMeasurementCardinality(let exact, _) where !exact && whole.isOnlyDatabase && clauses == whole:
            merge = .countNames
            text = "SHOW MEASUREMENTS ON \(Quoting.identifier(database))"
        case .showMeasurementCardinality:
            merge = .count(column: "count")
            asked = .showSeriesCardinality(exact: true, whole)
        case .showSeriesCardinality(let exact, _) where !exact && whole.isOnlyDatabase && clauses == whole:
            // Each node estimates over all that it holds: of nodes in several sets that would count twice.
            merge = .sum
            asked = .showSeriesCardinality(exact: true, whole)
        default: merge = .measurements
        }
        let sources = clauses.sources
        let names = sources.compactMap { source -> String? in
            if case .name(.literal(let name)) = source.measurement { name } else { nil }
        }
        var parts: [ScatteredRead.Part] = []
        var askedSets: [NodeSet] = []
        var columnQuestions: [ScatteredRead.Part] = []
        for set in sets {
            let isThere = { placement.nodes(database: database, measurement: $0) == set }
            let own = sources.filter { source in
                if case .name(.literal(let name)) = source.measurement { isThere(name) } else { true }
            }
            if !sources.isEmpty, own.isEmpty { continue }
            let scope = ReadScope(set, measurements: names.filter(isThere))
            parts.append(ScatteredRead.Part(scope: scope, text: text ?? "\(asked.with(sources: own))"))
            askedSets.append(set)
            columnQuestions.append(ScatteredRead.Part(scope: scope, text: Self.columnQuestion(own, database)))
        }
        self.parts = parts
        self.sets = askedSets
        // Counts are made by a SELECT, in which a name is a field for all measurements if it is one for any.
        if body.countsBySelect, let condition = whole.condition {
            conditionNames = condition.names
            self.columnQuestions = columnQuestions
        }
    }

    private static func columnQuestion(_ sources: [MeasurementReference], _ database: String) -> String {
        var question = SelectStatement()
        question.fields = [Field(.wildcard(.all))]
        let all = [MeasurementReference(measurement: .regex(".*"))]
        question.sources = (sources.isEmpty ? all : sources)
            .map { source in
                var source = source
                source.database = .literal(database)
                return .measurement(source)
            }
        return "EXPLAIN \(question.columnQuestion(.wildcard(.all)))"
    }

    mutating func start() -> ScatteredRead.Step { .ask(columnQuestions.isEmpty ? parts : columnQuestions) }

    mutating func take(_ results: [PartResult]) -> ScatteredRead.Step {
        if columnQuestions.isEmpty { return merged(results) }
        columnQuestions = []
        var types: [ColumnTypes] = []
        for result in results {
            guard let own = ColumnTypes(result) else { return .failed(ColumnTypes.unreadable) }
            types.append(own)
        }
        if let name = conditionNames.sorted().first(where: { name in types.contains { $0.isField(name) } }) {
            return .failed("\(name) in WHERE is a field: a count over several replica sets can tell tags only")
        }
        return .ask(parts)
    }

    private func merged(_ results: [PartResult]) -> ScatteredRead.Step {
        guard results.count == sets.count else { return .failed("a node's answer is missing") }
        switch merge {
        case .measurements: return .result(MergedResult.of(bySet(results).map(\.text)))
        case .names:
            let names = self.names(results).map { $0.row }
            return .result(MergedResult.of(name: "measurements", column: "name", rows: limited(names)))
        case .keys: return .result(MergedResult.of(name: "", column: "key", rows: limited(keys(results))))
        case .count(let column):
            let count = Set(bySet(results).map(\.name)).count
            guard count > 0, (limits.offset?.literal ?? 0) == 0 else { return .result(MergedResult.none) }
            return number(count, column)
        case .countNames: return number(names(results).count, Self.estimate)
        case .sum: return sum(bySet(results))
        }
    }

    private static let estimate = "cardinality estimation"

    private func isPlaced(_ measurement: [UInt8], on set: NodeSet) -> Bool {
        placement.nodes(database: database, measurement: String(decoding: measurement, as: UTF8.self)) == set
    }

    private func bySet(_ results: [PartResult]) -> [PartResult.Series] {
        let series = zip(results, sets).flatMap { result, set in
            result.series.filter { isPlaced($0.name, on: set) }
        }
        return ScatteredSelect.sorted(series, isDescending: false)
    }

    private func names(_ results: [PartResult]) -> [(name: [UInt8], row: ArraySlice<UInt8>)] {
        var found: [(name: [UInt8], row: ArraySlice<UInt8>)] = []
        for (result, set) in zip(results, sets) {
            for row in result.series.flatMap(\.rows) {
                guard let text = JSONPieces.elements(of: row).first.flatMap(JSONPieces.string) else { continue }
                let name = Array(text.utf8)
                if isPlaced(name, on: set) { found.append((name, row)) }
            }
        }
        return found.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// By measurement; of one measurement in the node's order.
    private func keys(_ results: [PartResult]) -> [ArraySlice<UInt8>] {
        var found: [(name: [UInt8], row: ArraySlice<UInt8>)] = []
        for (result, set) in zip(results, sets) {
            var last: (name: [UInt8], isPlaced: Bool)?
            for row in result.series.flatMap(\.rows) {
                guard let key = JSONPieces.elements(of: row).first.flatMap(JSONPieces.string) else { continue }
                let name = Self.measurement(ofKey: key)
                if last?.name != name { last = (name, isPlaced(name, on: set)) }
                if last?.isPlaced == true { found.append((name, row)) }
            }
        }
        // A stable order is wanted, and `sort` promises none.
        let order = found.indices.sorted { left, right in
            let (one, other) = (found[left].name, found[right].name)
            return one == other ? left < right : one.lexicographicallyPrecedes(other)
        }
        return order.map { found[$0].row }
    }

    /// `a\ b,host=x` is a series of `a b`.
    static func measurement(ofKey key: String) -> [UInt8] {
        var name: [UInt8] = []
        var bytes = Array(key.utf8)[...]
        while let byte = bytes.popFirst() {
            if byte == UInt8(ascii: ",") { break }
            if byte == UInt8(ascii: "\\"), let next = bytes.first,
                next == UInt8(ascii: ",") || next == UInt8(ascii: " ") || next == UInt8(ascii: "=")
            {
                name.append(next)
                bytes.removeFirst()
            } else {
                name.append(byte)
            }
        }
        return name
    }

    private func limited(_ rows: [ArraySlice<UInt8>]) -> ArraySlice<ArraySlice<UInt8>> {
        let rest = rows.dropFirst(Int(limits.offset?.literal ?? 0))
        guard let limit = limits.limit?.literal, limit > 0 else { return rest }
        return rest.prefix(Int(limit))
    }

    private func sum(_ series: [PartResult.Series]) -> ScatteredRead.Step {
        var sum = 0
        for row in series.flatMap(\.rows) {
            guard let text = JSONPieces.elements(of: row).last, let count = Int(String(decoding: text, as: UTF8.self))
            else { return .failed("a node's count is no number") }
            sum += count
        }
        return number(sum, Self.estimate)
    }

    private func number(_ count: Int, _ column: String) -> ScatteredRead.Step {
        .result(MergedResult.of(name: "", column: column, rows: [Array("[\(count)]".utf8)[...]]))
    }
}

extension ShowClauses {
    fileprivate var isOnlyDatabase: Bool {
        var rest = self
        rest.database = nil
        return rest == ShowClauses()
    }
}

extension Expression {
    fileprivate var names: Set<String> {
        if case .reference(let reference) = self { return reference.isTime ? [] : [reference.name] }
        return children.reduce(into: []) { $0.formUnion($1.names) }
    }
}

extension StatementBody {
    fileprivate var countsBySelect: Bool {
        switch self {
        case .showSeriesCardinality, .showMeasurementCardinality, .showTagKeyCardinality, .showTagValuesCardinality,
            .showFieldKeyCardinality:
            true
        default: false
        }
    }

    /// A SHOW of these measurements.
    fileprivate func with(sources: [MeasurementReference]) -> StatementBody {
        guard var clauses else { return self }
        clauses.sources = sources
        switch self {
        case .showFieldKeys: return .showFieldKeys(clauses)
        case .showFieldKeyCardinality(let exact, _): return .showFieldKeyCardinality(exact: exact, clauses)
        case .showSeries: return .showSeries(clauses)
        case .showSeriesCardinality(let exact, _): return .showSeriesCardinality(exact: exact, clauses)
        case .showTagKeys: return .showTagKeys(clauses)
        case .showTagKeyCardinality(let exact, _): return .showTagKeyCardinality(exact: exact, clauses)
        case .showTagValues: return .showTagValues(clauses)
        case .showTagValuesCardinality(let exact, _): return .showTagValuesCardinality(exact: exact, clauses)
        default: return self
        }
    }
}
