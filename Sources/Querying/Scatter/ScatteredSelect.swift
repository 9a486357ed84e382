// SELECT over several replica sets:
//
//   names    which measurements do the regular expressions in FROM match, in each set
//   columns  which fields and tags with which types does each set have of them, in the times that are read
//   rows     the SELECT with explicit names, columns and types, to each set with its own measurements
//
// With all of that explicit, what InfluxDB does with one measurement does not depend on another: LIMIT, SLIMIT, fill,
// bounds of time and windows count within each. So the series of the parts, put in order by name, are the answer
// (reference: influxql-statements, 3).

import Cluster
import InfluxQL

struct ScatteredSelect: Equatable, Sendable {
    private enum Stage: Equatable, Sendable {
        /// The patterns of each part's statements, in order.
        case names([NamesQuestion])
        case columns(Columns)
        case rows
    }

    private struct NamesQuestion: Equatable, Sendable {
        let set: NodeSet
        let database: String
        let patterns: [String]
    }

    private struct Columns: Equatable, Sendable {
        var scopes: [ReadScope]
        /// The SELECT of each set.
        var selects: [SelectStatement]
        let patterns: [String]
    }

    private struct PatternKey: Hashable {
        let database: String
        let pattern: String
    }

    private var select: SelectStatement
    private let context: StatementContext
    private let placement: SetCover
    private var stage = Stage.rows

    /// - Parameter now: what `now()` means; the statement does not call it any more.
    init(_ select: SelectStatement, _ context: StatementContext, _ placement: SetCover, now: Int64) {
        self.select = select.boundedAbove(now)
        self.context = context
        self.placement = placement
    }

    static func subqueryWords(_ names: [String]) -> String {
        "a SELECT around other SELECTs is not supported over several replica sets"
            + (names.isEmpty ? "" : "; its measurements lie in several: \(names.joined(separator: ", "))")
    }

    // MARK: Names

    mutating func start() -> ScatteredRead.Step {
        var patterns: [String: [String]] = [:]
        var databases: [String] = []
        for reference in references {
            guard case .regex(let pattern) = reference.measurement else { continue }
            let database = context.name(reference.database)
            if patterns[database] == nil { databases.append(database) }
            if patterns[database]?.contains(pattern) != true { patterns[database, default: []].append(pattern) }
        }
        if databases.isEmpty { return askForColumns() }
        var questions: [NamesQuestion] = []
        for database in databases {
            for set in placement.replicaSets(database: database).sorted(by: { $0.bits < $1.bits }) {
                questions.append(NamesQuestion(set: set, database: database, patterns: patterns[database] ?? []))
            }
        }
        stage = .names(questions)
        return .ask(
            questions.map { question in
                let reference = { MeasurementReference(measurement: .regex($0)) }
                let statements = question.patterns.map {
                    "SHOW MEASUREMENTS ON \(Quoting.identifier(question.database)) WITH MEASUREMENT =~ \(reference($0))"
                }
                return ScatteredRead.Part(scope: ReadScope(question.set), text: statements.joined(separator: ";\n"))
            })
    }

    private var references: [MeasurementReference] {
        var list: [MeasurementReference] = []
        select.appendMeasurements(to: &list)
        return list
    }

    mutating func take(_ answers: [[PartResult]]) -> ScatteredRead.Step {
        switch stage {
        case .names(let questions): takeNames(questions, answers)
        case .columns(let columns): takeColumns(columns, answers)
        case .rows: merged(answers)
        }
    }

    /// How many sets what it reads lies in, however many nodes can answer.
    private var sourceSets: Int {
        var sets: Set<NodeSet> = []
        for reference in references {
            guard case .name(.literal(let name)) = reference.measurement else { continue }
            let database = context.name(reference.database)
            if let set = placement.placement.nodes(database: database, measurement: name) { sets.insert(set) }
        }
        return sets.count
    }

    private mutating func takeNames(
        _ questions: [NamesQuestion], _ answers: [[PartResult]]
    ) -> ScatteredRead.Step {
        var names: [PatternKey: [[UInt8]]] = [:]
        guard answers.count == questions.count else { return .failed("a node's answer is missing") }
        for (question, results) in zip(questions, answers) {
            guard results.count == question.patterns.count else { return .failed("a node's answer is missing") }
            for (pattern, result) in zip(question.patterns, results) {
                let key = PatternKey(database: question.database, pattern: pattern)
                for row in result.series.flatMap(\.rows) {
                    guard let name = JSONPieces.elements(of: row).first.flatMap(JSONPieces.string) else { continue }
                    // Nodes stand in several sets, and may hold what was placed on them before.
                    if placement.nodes(database: question.database, measurement: name) == question.set {
                        names[key, default: []].append(Array(name.utf8))
                    }
                }
            }
        }
        select = select.replacingSources { reference in
            guard case .regex(let pattern) = reference.measurement else { return [reference] }
            let key = PatternKey(database: context.name(reference.database), pattern: pattern)
            let matched = (names[key] ?? []).sorted { $0.lexicographicallyPrecedes($1) }
            return matched.map { name in
                var reference = reference
                reference.measurement = .name(.literal(String(decoding: name, as: UTF8.self)))
                return reference
            }
        }
        return askForColumns()
    }

    // MARK: Columns

    private mutating func askForColumns() -> ScatteredRead.Step {
        var scopes: [ReadScope] = []
        var sources: [NodeSet: [Source]] = [:]
        var places: [[UInt8]: Set<NodeSet>] = [:]
        for reference in references {
            guard case .name(.literal(let name)) = reference.measurement,
                let set = placement.nodes(database: context.name(reference.database), measurement: name)
            else { continue }
            places[Array(name.utf8), default: []].insert(set)
            if let index = scopes.firstIndex(where: { $0.nodes == set }) {
                if !scopes[index].measurements.contains(name) { scopes[index].measurements.append(name) }
            } else {
                scopes.append(ReadScope(set, measurements: [name]))
            }
            sources[set, default: []].append(.measurement(reference))
        }
        let names = scopes.flatMap(\.measurements)
        // Whether it can be answered is not to depend on which nodes are there.
        if select.hasSubqueries, sourceSets > 1 { return .failed(Self.subqueryWords(names)) }
        if scopes.count <= 1 {
            // What nobody holds any node may say so of.
            stage = .rows
            let scope = scopes.first ?? ReadScope(placement.all)
            return .askForRows([ScatteredRead.Part(scope: scope, text: "\(select)")])
        }
        if let split = places.filter({ $0.value.count > 1 }).keys.min(by: { $0.lexicographicallyPrecedes($1) }) {
            return .failed(
                "\(String(decoding: split, as: UTF8.self)) is read from databases that lie in several replica sets, and "
                    + "its rows would have to be mixed")
        }
        if let refusal = WildcardExpansion.refusal(select) { return .failed(refusal) }
        let patterns = WildcardExpansion.patterns(of: select)
        let selects = scopes.map { scope in
            var part = select
            part.sources = sources[scope.nodes] ?? []
            return part
        }
        stage = .columns(Columns(scopes: scopes, selects: selects, patterns: patterns))
        let wildcards = [Expression.wildcard(.all)] + patterns.map { .regex($0) }
        return .ask(
            zip(scopes, selects).enumerated()
                .map { index, asked in
                    var questions = wildcards.map { "EXPLAIN \(asked.1.columnQuestion($0))" }
                    // What is wrong with the statement as it was written a node says best, before it looks at data.
                    if index == 0 { questions.append("\(select.ofNothing)") }
                    return ScatteredRead.Part(scope: asked.0, text: questions.joined(separator: ";\n"))
                })
    }

    private mutating func takeColumns(_ columns: Columns, _ answers: [[PartResult]]) -> ScatteredRead.Step {
        var all = ColumnTypes()
        var matches: [String: ColumnTypes] = [:]
        var withColumns: [Int] = []
        guard answers.count == columns.scopes.count else { return .failed("a node's answer is missing") }
        for (index, results) in answers.enumerated() {
            let types = results.prefix(columns.patterns.count + 1).map { ColumnTypes($0) }
            guard types.count == columns.patterns.count + 1, let own = types[0] else {
                return .failed(ColumnTypes.unreadable)
            }
            if !own.isEmpty { withColumns.append(index) }
            all.formUnion(own)
            for (pattern, types) in zip(columns.patterns, types.dropFirst()) {
                guard let types else {
                    return .failed(ColumnTypes.unreadable)
                }
                matches[pattern, default: ColumnTypes()].formUnion(types)
            }
        }
        stage = .rows
        let expansion = WildcardExpansion(all: all, matches: matches)
        guard !withColumns.isEmpty, let explicit = expansion.expanded(select) else {
            return .result(MergedResult.none)
        }
        return .askForRows(
            withColumns.map { index in
                var part = explicit
                part.sources = columns.selects[index].sources
                return ScatteredRead.Part(scope: columns.scopes[index], text: "\(part)")
            })
    }

    // MARK: Rows

    private func merged(_ answers: [[PartResult]]) -> ScatteredRead.Step {
        let series = answers.flatMap { $0.first?.series ?? [] }
        if answers.count == 1 { return .result(MergedResult.of(series.map(\.text))) }
        let isDescending = select.order?.isAscending == false
        return .result(MergedResult.of(Self.sorted(series, isDescending: isDescending).map(\.text)))
    }

    /// By name; of one name as they come.
    static func sorted(_ series: [PartResult.Series], isDescending: Bool) -> [PartResult.Series] {
        let order = series.indices.sorted { left, right in
            let (one, other) = (series[left].name, series[right].name)
            if one == other { return left < right }
            return isDescending ? other.lexicographicallyPrecedes(one) : one.lexicographicallyPrecedes(other)
        }
        return order.map { series[$0] }
    }
}

extension SelectStatement {
    /// With the upper bound that a node would take from its own clock for windows of time.
    fileprivate func boundedAbove(_ now: Int64) -> SelectStatement {
        guard timeGrouping != .none, let bounds = try? timeBounds(now: now), bounds.upper == nil else { return self }
        let bound = Expression.chain(
            Chain([.reference(Reference("time")), .string(Timestamp.rfc3339(now))], [.lessOrEqual]))
        var result = self
        result.condition = condition.map { .chain(Chain([.parenthesized($0), bound], [.and])) } ?? bound
        return result
    }

    /// The same sources and times, which decide what columns there are, and no rows: no series has such a tag.
    func columnQuestion(_ wildcard: Expression) -> SelectStatement {
        var question = SelectStatement()
        question.fields = [Field(wildcard)]
        question.sources = sources
        question.timeZone = timeZone
        let nothing = Expression.chain(Chain([.reference(Reference("_sluice")), .string("-")], [.equal]))
        question.condition = condition.map { .chain(Chain([.parenthesized($0), nothing], [.and])) } ?? nothing
        return question
    }

    /// With names in the place of patterns, in subqueries too.
    fileprivate func replacingSources(
        _ names: (MeasurementReference) -> [MeasurementReference]
    ) -> SelectStatement {
        var result = self
        result.sources = sources.flatMap { source -> [Source] in
            switch source {
            case .measurement(let reference): names(reference).map { .measurement($0) }
            case .subquery(let inner): [.subquery(inner.replacingSources(names))]
            }
        }
        if result.sources.isEmpty { result.sources = [.nothing(like: sources)] }
        return result
    }
}

extension SelectStatement {
    /// The same of measurements that there cannot be.
    fileprivate var ofNothing: SelectStatement {
        var result = self
        result.sources = [.nothing(like: sources)]
        return result
    }
}

extension Source {
    /// A pattern that matches no measurement, in the database and policy of one of these.
    fileprivate static func nothing(like sources: [Source]) -> Source {
        var reference = MeasurementReference(measurement: .regex(#"[^\x00-\x{10FFFF}]"#))
        if case .measurement(let first)? = sources.first {
            reference.database = first.database
            reference.retentionPolicy = first.retentionPolicy
        }
        return .measurement(reference)
    }
}
