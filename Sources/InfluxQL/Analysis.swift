// What a statement touches and what it costs, from its tree: what policy, planning and privileges decide by.

/// Facts about a statement. Of a statement with bound parameters they are those of the names that are written; analyse
/// the statement with its values (`Parsed(_:parameters:)`) where it matters.
package struct StatementAnalysis: Hashable, Sendable {
    package var kind: StatementKind
    /// What is read or deleted from, with database and retention policy where they are given, subqueries included.
    package var reads: [MeasurementReference]
    /// The databases that are read, deleted from or spoken of; nil in the set is that of the request. Empty for
    /// statements that have to do with none (SHOW USERS).
    package var databases: Set<Name?>
    /// The target of INTO.
    package var target: MeasurementReference?
    /// It means every measurement of its database, because it names none.
    fileprivate var meansAll = false
    /// A function other than `time` or `now` is called in the fields of the SELECT or of a subquery.
    package var aggregates = false
    /// `GROUP BY time(...)`, here or in a subquery.
    package var groupsByTime = false
    /// `SELECT *`, `SELECT /re/`, `mean(*)`, here or in a subquery: the columns depend on all data read.
    package var hasFieldWildcard = false
    /// `GROUP BY *` or `/re/`, here or in a subquery.
    package var hasDimensionWildcard = false
    /// How many SELECTs stand inside each other: 1 for a SELECT without subqueries, 0 for a statement without SELECT.
    package var nestingDepth = 0
    /// `now()` is called, or a function whose name is a parameter. A continuous query calls it at each run.
    package var callsNow = false
    /// Where a result is cut off: LIMIT of the outermost SELECT, if it is given as a number.
    package var limit: Int64?

    package var effect: StatementKind.Effect { kind.effect }

    /// The retention policies that are read; nil in the set is the database's default.
    package var retentionPolicies: Set<Name?> { Set(reads.map(\.retentionPolicy)) }
}

extension Statement {
    package var analysis: StatementAnalysis {
        var reads = sources
        if case .dropMeasurement(let name) = body { reads = [MeasurementReference(measurement: .name(name))] }
        var databases = Set(reads.map { $0.database ?? database })
        if reads.isEmpty, database != nil || body.meansAllWithoutSources { databases.insert(database) }
        var analysis = StatementAnalysis(kind: kind, reads: reads, databases: databases, target: target)
        analysis.meansAll = reads.isEmpty && body.meansAllWithoutSources
        if let select = body.select { analysis.add(select, depth: 1) }
        analysis.callsNow = !nowCalls.isEmpty || callsParameter
        if case .select(let select) = body { analysis.limit = select.limits.limit?.literal }
        return analysis
    }

    /// The times that the statement reads or deletes, as far as its conditions say; nil for statements without a
    /// condition on points.
    /// - Throws: what a node would say when it runs the statement.
    package func timeBounds(now: Int64) throws(ConditionFailure) -> TimeBounds? {
        switch body {
        case .delete(let deletion), .dropSeries(let deletion): try deletion.condition?.timeBounds(now: now) ?? .all
        default:
            if let select = body.select {
                try select.timeBounds(now: now)
            } else if let clauses = body.clauses {
                try clauses.condition?.timeBounds(now: now) ?? .all
            } else {
                nil
            }
        }
    }
}

extension StatementAnalysis {
    fileprivate mutating func add(_ select: SelectStatement, depth: Int) {
        nestingDepth = max(nestingDepth, depth)
        for field in select.fields {
            if !hasFieldWildcard { hasFieldWildcard = field.expression.contains(where: \.isWildcard) }
            if !aggregates { aggregates = field.expression.contains(where: \.isAggregate) }
        }
        for dimension in select.dimensions {
            switch dimension {
            case .wildcard, .regex: hasDimensionWildcard = true
            case .call(let call) where call.isNamed("time"): groupsByTime = true
            default: break
            }
        }
        for case .subquery(let inner) in select.sources { add(inner, depth: depth + 1) }
    }
}

extension Expression {
    fileprivate var isWildcard: Bool {
        switch self {
        case .wildcard, .regex: true
        default: false
        }
    }

    /// `DISTINCT v` becomes a call when it runs.
    fileprivate var isAggregate: Bool {
        switch self {
        case .call(let call): !call.isNamed("now") && !call.isNamed("time")
        case .distinct: true
        default: false
        }
    }
}

extension StatementAnalysis {
    /// How many measurements are named, each counted once; nil where the number depends on the data or on a parameter:
    /// a regex, or no FROM in a statement that then means all.
    package var measurementCount: Int? {
        if meansAll { return nil }
        if reads.count == 1, case .name(.literal) = reads[0].measurement { return 1 }
        var names: Set<MeasurementReference> = []
        for reference in reads {
            guard case .name(.literal) = reference.measurement else { return nil }
            names.insert(reference)
        }
        return names.count
    }
}

extension StatementBody {
    /// Whether the statement means every measurement of its database if it names none.
    fileprivate var meansAllWithoutSources: Bool {
        switch self {
        case .delete, .dropSeries: true
        default: clauses != nil
        }
    }
}
