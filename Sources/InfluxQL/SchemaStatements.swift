// The statements that change things, SELECT ... INTO apart.

extension StatementParser {
    mutating func parseCreate() throws(ParseFailure) {
        let token = take()
        switch token.kind {
        case .keyword(.continuous):
            try expect(.query)
            try parseCreateContinuousQuery()
        case .keyword(.database): try parseCreateDatabase()
        case .keyword(.user): try parseCreateUser()
        case .keyword(.retention):
            try expect(.policy)
            try parseCreateRetentionPolicy()
        case .keyword(.subscription): try parseCreateSubscription()
        default:
            throw unexpected(
                token, expected: ["CONTINUOUS", "DATABASE", "USER", "RETENTION", "SUBSCRIPTION"])
        }
    }

    mutating func parseDrop() throws(ParseFailure) {
        let token = take()
        switch token.kind {
        case .keyword(.continuous):
            try expect(.query)
            statement.kind = .dropContinuousQuery
            try parseNameOnDatabase()
        case .keyword(.database):
            statement.kind = .dropDatabase
            statement.subject = try expectName()
            statement.database = statement.subject
        case .keyword(.measurement):
            statement.kind = .dropMeasurement
            statement.subject = try expectName()
        case .keyword(.retention):
            try expect(.policy)
            statement.kind = .dropRetentionPolicy
            try parseNameOnDatabase()
        case .keyword(.series): try parseDelete(.dropSeries)
        case .keyword(.shard):
            statement.kind = .dropShard
            try expectUnsigned()
        case .keyword(.subscription):
            statement.kind = .dropSubscription
            try parseNameOnPolicy()
        case .keyword(.user):
            statement.kind = .dropUser
            statement.subject = try expectName()
        default:
            throw unexpected(
                token,
                expected: [
                    "CONTINUOUS", "DATABASE", "MEASUREMENT", "RETENTION", "SERIES", "SHARD", "SUBSCRIPTION", "USER",
                ])
        }
    }

    /// DELETE and DROP SERIES, behind their words.
    mutating func parseDelete(_ kind: StatementKind) throws(ParseFailure) {
        statement.kind = kind
        let first = peek()
        let hasSources = accept(.from)
        if hasSources {
            try parseSources(subqueries: false)
            // 1.12 takes a retention policy in DELETE; older nodes refuse it themselves.
            for source in statement.sources.reversed() {
                if source.retentionPolicy != nil, kind == .dropSeries || source.database != nil {
                    throw ParseFailure(reason: "retention policy not supported", line: 1, character: 1)
                }
                if source.database != nil {
                    throw ParseFailure(reason: "database not supported", line: 1, character: 1)
                }
            }
        }
        let hasCondition = try parseCondition()
        guard hasSources || hasCondition else { throw unexpected(first, expected: ["FROM", "WHERE"]) }
    }

    // MARK: Databases and what hangs on them

    private mutating func parseCreateDatabase() throws(ParseFailure) {
        statement.kind = .createDatabase
        statement.subject = try expectName()
        statement.database = statement.subject
        guard accept(.with) else { return }
        statement.hasOptions = true
        let first = peek()
        let start = position
        if accept(.duration) { try expectDuration() }
        if accept(.replication) { try expectReplication() }
        if accept(.shard) {
            try expect(.duration)
            try expectDuration()
        }
        try parseWriteLimit("future")
        try parseWriteLimit("past")
        if accept(.name) { _ = try expectName() }
        guard position > start else {
            throw unexpected(first, expected: ["DURATION", "NAME", "REPLICATION", "SHARD"])
        }
    }

    /// `FUTURE LIMIT d` and `PAST LIMIT d` are 1.12's.
    private mutating func parseWriteLimit(_ word: StaticString) throws(ParseFailure) {
        guard accept(word: word) else { return }
        try expect(.limit)
        try expectDuration()
    }

    private mutating func parseCreateRetentionPolicy() throws(ParseFailure) {
        statement.kind = .createRetentionPolicy
        try parseNameOnDatabase()
        try expect(.duration)
        try expectDuration()
        try expect(.replication)
        try expectReplication()
        if accept(.shard) { try parseShardDuration() }
        _ = accept(.default)
        try parseWriteLimit("future")
        try parseWriteLimit("past")
    }

    private mutating func parseShardDuration() throws(ParseFailure) {
        try expect(.duration)
        if peek().isKeyword(.inf) { throw lexer.failure("invalid duration INF for shard duration", at: peek()) }
        try expectDuration()
    }

    mutating func parseAlter() throws(ParseFailure) {
        try expect(.retention, .policy)
        statement.kind = .alterRetentionPolicy
        if accept(.default) {
            statement.subject = .literal("default")
        } else {
            statement.subject = try expectName()
        }
        try expect(.on)
        statement.database = try expectName()
        var found: [Keyword] = []
        while true {
            let token = peek()
            guard case .keyword(let keyword) = token.kind,
                [.duration, .replication, .shard, .default].contains(keyword)
            else {
                let start = position
                try parseWriteLimit("future")
                try parseWriteLimit("past")
                if position > start {
                    found.append(.limit)
                    continue
                }
                if found.isEmpty {
                    throw unexpected(token, expected: ["DURATION", "REPLICATION", "SHARD", "DEFAULT"])
                }
                return
            }
            if found.contains(keyword) { throw lexer.failure("found duplicate \(keyword.rawValue) option", at: token) }
            found.append(keyword)
            take()
            switch keyword {
            case .duration: try expectDuration()
            case .replication: try expectReplication()
            case .shard: try parseShardDuration()
            default: break
            }
        }
    }

    private mutating func parseCreateContinuousQuery() throws(ParseFailure) {
        statement.kind = .createContinuousQuery
        try parseNameOnDatabase()
        if accept(.resample) {
            let every = accept(.every)
            if every { try expectDuration(orInfinite: false) }
            let until = accept(.for)
            if until { try expectDuration(orInfinite: false) }
            if !every, !until { throw unexpected(peek(), expected: ["EVERY", "FOR"]) }
        }
        try expect(.begin, .select)
        try parseSelect(.continuousQuery)
        try expect(.end)
    }

    private mutating func parseCreateSubscription() throws(ParseFailure) {
        statement.kind = .createSubscription
        try parseNameOnPolicy()
        try expect(.destinations)
        let mode = take()
        guard mode.isKeyword(.all) || mode.isKeyword(.any) else { throw unexpected(mode, expected: ["ALL", "ANY"]) }
        repeat { try expectString() } while accept(.comma)
    }

    /// `name ON db`
    private mutating func parseNameOnDatabase() throws(ParseFailure) {
        statement.subject = try expectName()
        try expect(.on)
        statement.database = try expectName()
    }

    /// `name ON db.rp`, with nothing around the dot's left side.
    private mutating func parseNameOnPolicy() throws(ParseFailure) {
        try parseNameOnDatabase()
        let dot = peek()
        guard adjacent(.dot) else {
            throw dot.gap == .none
                ? unexpected(dot, expected: ["."]) : lexer.unexpectedPiece(at: position, expected: ["."])
        }
        take()
        _ = try expectName()
    }

    // MARK: Users

    private mutating func parseCreateUser() throws(ParseFailure) {
        statement.kind = .createUser
        statement.subject = try expectName()
        try expect(.with, .password)
        statement.secrets.append(try expectString().range)
        guard accept(.with) else { return }
        try expect(.all, .privileges)
    }

    mutating func parseSetPassword() throws(ParseFailure) {
        try expect(.password, .for)
        statement.kind = .setPassword
        statement.subject = try expectName()
        try expect(.equal)
        statement.secrets.append(try expectString().range)
    }

    mutating func parseGrant() throws(ParseFailure) { try parsePrivileges(.grant, admin: .grantAdmin, .to) }

    mutating func parseRevoke() throws(ParseFailure) { try parsePrivileges(.revoke, admin: .revokeAdmin, .from) }

    private mutating func parsePrivileges(
        _ kind: StatementKind, admin: StatementKind, _ direction: Keyword
    ) throws(ParseFailure) {
        let privilege = take()
        var all = false
        switch privilege.kind {
        case .keyword(.read), .keyword(.write): break
        case .keyword(.all):
            all = true
            _ = accept(.privileges)
        default: throw unexpected(privilege, expected: ["READ", "WRITE", "ALL [PRIVILEGES]"])
        }
        let token = take()
        if token.isKeyword(.on) {
            statement.kind = kind
            statement.database = try expectName()
            try expect(direction)
        } else if all, token.isKeyword(direction) {
            statement.kind = admin
        } else {
            throw unexpected(token, expected: all ? ["ON", direction.rawValue] : ["ON"])
        }
        statement.subject = try expectName()
    }

    mutating func parseKill() throws(ParseFailure) {
        try expect(.query)
        statement.kind = .killQuery
        try expectUnsigned()
        if accept(.on) { _ = try expectName() }
    }
}
