// The SHOW statements.

extension StatementParser {
    mutating func parseShow() throws(ParseFailure) -> StatementBody {
        let token = take()
        guard case .keyword(let keyword) = token.kind else { throw unexpected(token, expected: Self.shown) }
        switch keyword {
        case .continuous:
            try expect(.queries)
            return .showContinuousQueries
        case .databases: return .showDatabases
        case .diagnostics: return .showDiagnostics(module: try parseModule())
        case .field: return try parseShowField()
        case .grants:
            try expect(.for)
            return .showGrants(user: try expectName())
        case .measurement: return try parseShowMeasurementCardinality()
        case .measurements: return try parseShowMeasurements()
        case .queries: return .showQueries
        case .retention:
            try expect(.policies)
            return .showRetentionPolicies(database: accept(.on) ? try expectName() : nil)
        case .series: return try parseShowSeries()
        case .shard:
            try expect(.groups)
            return .showShardGroups
        case .shards: return .showShards
        case .stats: return .showStats(module: try parseModule())
        case .subscriptions: return .showSubscriptions
        case .tag: return try parseShowTag()
        case .users: return .showUsers
        default: throw unexpected(token, expected: Self.shown)
        }
    }

    private static let shown = [
        "CONTINUOUS", "DATABASES", "DIAGNOSTICS", "FIELD", "GRANTS", "MEASUREMENT", "MEASUREMENTS", "QUERIES",
        "RETENTION", "SERIES", "SHARD", "SHARDS", "STATS", "SUBSCRIPTIONS", "TAG", "USERS",
    ]

    private mutating func parseModule() throws(ParseFailure) -> Name? {
        guard accept(.for) else { return nil }
        let module = try expectString().text
        return module == .literal("") ? nil : module
    }

    private mutating func parseShowField() throws(ParseFailure) -> StatementBody {
        let token = take()
        switch token.kind {
        case .keyword(.key):
            let exact = try expectExactCardinality()
            return .showFieldKeyCardinality(exact: exact, try parseCardinalityTail())
        case .keyword(.keys):
            // Some versions take any token at all for the database here, a semicolon or half a string included, and go
            // on behind it. None of those texts means anything, and no two versions agree on them: they are refused.
            var clauses = try parseOnAndFrom()
            clauses.order = try parseOrderBy()
            clauses.limits = try parseLimits(.limit, .offset)
            return .showFieldKeys(clauses)
        default: throw unexpected(token, expected: ["KEY", "KEYS"])
        }
    }

    private mutating func parseShowMeasurementCardinality() throws(ParseFailure) -> StatementBody {
        let token = take()
        switch token.kind {
        case .keyword(.exact): try expect(.cardinality)
        case .keyword(.cardinality): break
        default: throw unexpected(token, expected: ["EXACT", "CARDINALITY"])
        }
        return .showMeasurementCardinality(exact: token.isKeyword(.exact), try parseCardinalityTail())
    }

    private mutating func parseShowMeasurements() throws(ParseFailure) -> StatementBody {
        var scope: MeasurementScope?
        if accept(.on) {
            // `ON db.rp` and `ON *.*` are 1.10's.
            scope = MeasurementScope(database: try parseScopePart(), retentionPolicy: nil)
            if accept(.dot) { scope?.retentionPolicy = try parseScopePart() }
        }
        var measurement: MeasurementReference?
        if accept(.with) {
            try expect(.measurement)
            let token = take()
            guard token.kind == .equal || token.kind == .matches else {
                throw unexpected(token, expected: ["=", "=~"])
            }
            measurement = try parseMeasurement()
        }
        var clauses = ShowClauses()
        clauses.condition = try parseCondition()
        clauses.order = try parseOrderBy()
        clauses.limits = try parseLimits(.limit, .offset)
        return .showMeasurements(scope, measurement, clauses)
    }

    private mutating func parseScopePart() throws(ParseFailure) -> MeasurementScope.Part {
        accept(.star) ? .all : .name(try expectName())
    }

    private mutating func parseShowSeries() throws(ParseFailure) -> StatementBody {
        let exact = accept(.exact)
        if accept(.cardinality) { return .showSeriesCardinality(exact: exact, try parseCardinalityTail()) }
        var clauses = try parseOnAndFrom()
        clauses.condition = try parseCondition()
        clauses.order = try parseOrderBy()
        clauses.limits = try parseLimits(.limit, .offset)
        return .showSeries(clauses)
    }

    private mutating func parseShowTag() throws(ParseFailure) -> StatementBody {
        let token = take()
        switch token.kind {
        case .keyword(.key):
            let exact = try expectExactCardinality()
            return .showTagKeyCardinality(exact: exact, try parseCardinalityTail())
        case .keyword(.keys):
            var clauses = try parseOnAndFrom()
            if peek().isKeyword(.with) { clauses.key = try parseWithKey() }
            clauses.condition = try parseCondition()
            clauses.order = try parseOrderBy()
            clauses.limits = try parseLimits(.limit, .offset, .slimit, .soffset)
            return .showTagKeys(clauses)
        case .keyword(.values):
            let exact = accept(.exact)
            if exact { try expect(.cardinality) }
            let cardinality = exact || accept(.cardinality)
            var clauses = try parseOnAndFrom()
            clauses.key = try parseWithKey()
            clauses.condition = try parseCondition()
            if cardinality { clauses.dimensions = try parseDimensions() } else { clauses.order = try parseOrderBy() }
            clauses.limits = try parseLimits(.limit, .offset)
            return cardinality ? .showTagValuesCardinality(exact: exact, clauses) : .showTagValues(clauses)
        default: throw unexpected(token, expected: ["KEY", "KEYS", "VALUES"])
        }
    }

    // MARK: What they share

    private mutating func expectExactCardinality() throws(ParseFailure) -> Bool {
        let exact = accept(.exact)
        let token = take()
        guard token.isKeyword(.cardinality) else {
            throw unexpected(token, expected: exact ? ["CARDINALITY"] : ["EXACT", "CARDINALITY"])
        }
        return exact
    }

    private mutating func parseCardinalityTail() throws(ParseFailure) -> ShowClauses {
        var clauses = try parseOnAndFrom()
        clauses.condition = try parseCondition()
        clauses.dimensions = try parseDimensions()
        clauses.limits = try parseLimits(.limit, .offset)
        return clauses
    }

    private mutating func parseWithKey() throws(ParseFailure) -> TagKeyFilter {
        try expect(.with, .key)
        let token = take()
        switch token.kind {
        case .keyword(.in):
            try expect(.leftParenthesis)
            var names: [Name] = []
            repeat { names.append(try expectName()) } while accept(.comma)
            try expect(.rightParenthesis)
            return .oneOf(names)
        case .equal: return .equal(try expectName())
        case .notEqual: return .notEqual(try expectName())
        case .matches: return .matches(try expectRegex())
        case .matchesNot: return .matchesNot(try expectRegex())
        default: throw unexpected(token, expected: ["IN", "=", "=~"])
        }
    }

    private mutating func parseOnAndFrom() throws(ParseFailure) -> ShowClauses {
        var clauses = ShowClauses()
        if accept(.on) { clauses.database = try expectName() }
        if accept(.from) { clauses.sources = try parseMeasurements() }
        return clauses
    }
}
