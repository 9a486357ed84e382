// The SHOW statements.

extension StatementParser {
    mutating func parseShow() throws(ParseFailure) {
        let token = take()
        guard case .keyword(let keyword) = token.kind else { throw unexpected(token, expected: Self.shown) }
        switch keyword {
        case .continuous:
            try expect(.queries)
            statement.kind = .showContinuousQueries
        case .databases: statement.kind = .showDatabases
        case .diagnostics:
            statement.kind = .showDiagnostics
            if accept(.for) { try expectString() }
        case .field: try parseShowField()
        case .grants:
            try expect(.for)
            statement.kind = .showGrants
            statement.subject = try expectName()
        case .measurement: try parseShowMeasurementCardinality()
        case .measurements: try parseShowMeasurements()
        case .queries: statement.kind = .showQueries
        case .retention:
            try expect(.policies)
            statement.kind = .showRetentionPolicies
            try parseOn()
        case .series: try parseShowSeries()
        case .shard:
            try expect(.groups)
            statement.kind = .showShardGroups
        case .shards: statement.kind = .showShards
        case .stats:
            statement.kind = .showStats
            if accept(.for) { try expectString() }
        case .subscriptions: statement.kind = .showSubscriptions
        case .tag: try parseShowTag()
        case .users: statement.kind = .showUsers
        default: throw unexpected(token, expected: Self.shown)
        }
    }

    private static let shown = [
        "CONTINUOUS", "DATABASES", "DIAGNOSTICS", "FIELD", "GRANTS", "MEASUREMENT", "MEASUREMENTS", "QUERIES",
        "RETENTION", "SERIES", "SHARD", "SHARDS", "STATS", "SUBSCRIPTIONS", "TAG", "USERS",
    ]

    private mutating func parseShowField() throws(ParseFailure) {
        let token = take()
        switch token.kind {
        case .keyword(.key):
            statement.kind = .showFieldKeyCardinality
            try expectExactCardinality()
            try parseCardinalityTail()
        case .keyword(.keys):
            statement.kind = .showFieldKeys
            // Some versions take any token at all for the database here, a semicolon or half a string included, and go on
            // behind it. None of those texts means anything, and no two versions agree on them: they are refused.
            try parseOn()
            try parseOptionalSources()
            try parseOrderBy()
            try parseLimits(.limit, .offset)
        default: throw unexpected(token, expected: ["KEY", "KEYS"])
        }
    }

    private mutating func parseShowMeasurementCardinality() throws(ParseFailure) {
        let token = take()
        statement.kind = .showMeasurementCardinality
        switch token.kind {
        case .keyword(.exact): try expect(.cardinality)
        case .keyword(.cardinality): break
        default: throw unexpected(token, expected: ["EXACT", "CARDINALITY"])
        }
        try parseCardinalityTail()
    }

    private mutating func parseShowMeasurements() throws(ParseFailure) {
        statement.kind = .showMeasurements
        if accept(.on) {
            // `ON db.rp` and `ON *.*` are 1.10's.
            if !accept(.star) { statement.database = try expectName() }
            if accept(.dot), !accept(.star) { _ = try expectName() }
        }
        if accept(.with) {
            try expect(.measurement)
            let token = take()
            guard token.kind == .equal || token.kind == .matches else {
                throw unexpected(token, expected: ["=", "=~"])
            }
            try parseSource(subqueries: false)
        }
        try parseCondition()
        try parseOrderBy()
        try parseLimits(.limit, .offset)
    }

    private mutating func parseShowSeries() throws(ParseFailure) {
        statement.kind = .showSeries
        _ = accept(.exact)
        if accept(.cardinality) {
            statement.kind = .showSeriesCardinality
            try parseCardinalityTail()
            return
        }
        try parseOn()
        try parseOptionalSources()
        try parseCondition()
        try parseOrderBy()
        try parseLimits(.limit, .offset)
    }

    private mutating func parseShowTag() throws(ParseFailure) {
        let token = take()
        switch token.kind {
        case .keyword(.key):
            statement.kind = .showTagKeyCardinality
            try expectExactCardinality()
            try parseCardinalityTail()
        case .keyword(.keys):
            statement.kind = .showTagKeys
            try parseOn()
            try parseOptionalSources()
            if peek().isKeyword(.with) { try parseWithKey() }
            try parseCondition()
            try parseOrderBy()
            try parseLimits(.limit, .offset, .slimit, .soffset)
        case .keyword(.values):
            let exact = accept(.exact)
            if exact { try expect(.cardinality) }
            let cardinality = exact || accept(.cardinality)
            statement.kind = cardinality ? .showTagValuesCardinality : .showTagValues
            try parseOn()
            try parseOptionalSources()
            try parseWithKey()
            try parseCondition()
            if cardinality { try parseDimensions() } else { try parseOrderBy() }
            try parseLimits(.limit, .offset)
        default: throw unexpected(token, expected: ["KEY", "KEYS", "VALUES"])
        }
    }

    // MARK: What they share

    private mutating func expectExactCardinality() throws(ParseFailure) {
        let exact = accept(.exact)
        let token = take()
        guard token.isKeyword(.cardinality) else {
            throw unexpected(token, expected: exact ? ["CARDINALITY"] : ["EXACT", "CARDINALITY"])
        }
    }

    private mutating func parseCardinalityTail() throws(ParseFailure) {
        if statement.kind == .showTagValuesCardinality { return }
        try parseOn()
        try parseOptionalSources()
        try parseCondition()
        try parseDimensions()
        try parseLimits(.limit, .offset)
    }

    private mutating func parseWithKey() throws(ParseFailure) {
        try expect(.with, .key)
        let token = take()
        switch token.kind {
        case .keyword(.in):
            try expect(.leftParenthesis)
            repeat { _ = try expectName() } while accept(.comma)
            try expect(.rightParenthesis)
        case .equal, .notEqual:
            _ = try expectName()
        case .matches, .matchesNot:
            guard try acceptRegex() != nil || accept(.boundParameter) else {
                throw unexpected(peek(), expected: ["regex"])
            }
        default: throw unexpected(token, expected: ["IN", "=", "=~"])
        }
    }

    private mutating func parseOn() throws(ParseFailure) {
        if accept(.on) { statement.database = try expectName() }
    }

    private mutating func parseOptionalSources() throws(ParseFailure) {
        if accept(.from) { try parseSources(subqueries: false) }
    }

    private mutating func parseLimits(_ keywords: Keyword...) throws(ParseFailure) {
        for keyword in keywords { try parseOptionalInteger(keyword) }
    }
}
