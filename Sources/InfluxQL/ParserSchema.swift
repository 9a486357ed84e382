// The statements that change things, SELECT ... INTO apart.

extension StatementParser {
    mutating func parseCreate() throws(ParseFailure) -> StatementBody {
        let token = take()
        switch token.kind {
        case .keyword(.continuous):
            try expect(.query)
            return .createContinuousQuery(try parseCreateContinuousQuery())
        case .keyword(.database): return try parseCreateDatabase()
        case .keyword(.user): return try parseCreateUser()
        case .keyword(.retention):
            try expect(.policy)
            return try parseCreateRetentionPolicy()
        case .keyword(.subscription): return try parseCreateSubscription()
        default:
            throw unexpected(
                token, expected: ["CONTINUOUS", "DATABASE", "USER", "RETENTION", "SUBSCRIPTION"])
        }
    }

    mutating func parseDrop() throws(ParseFailure) -> StatementBody {
        let token = take()
        switch token.kind {
        case .keyword(.continuous):
            try expect(.query)
            let name = try parseNameOnDatabase()
            return .dropContinuousQuery(name.name, database: name.database)
        case .keyword(.database): return .dropDatabase(try expectName())
        case .keyword(.measurement): return .dropMeasurement(try expectName())
        case .keyword(.retention):
            try expect(.policy)
            let name = try parseNameOnDatabase()
            return .dropRetentionPolicy(name.name, database: name.database)
        case .keyword(.series): return .dropSeries(try parseDelete(.dropSeries))
        case .keyword(.shard): return .dropShard(try expectUnsigned())
        case .keyword(.subscription): return .dropSubscription(try parseNameOnPolicy())
        case .keyword(.user): return .dropUser(try expectName())
        default:
            throw unexpected(
                token,
                expected: [
                    "CONTINUOUS", "DATABASE", "MEASUREMENT", "RETENTION", "SERIES", "SHARD", "SUBSCRIPTION", "USER",
                ])
        }
    }

    /// DELETE and DROP SERIES, behind their words.
    mutating func parseDelete(_ kind: StatementKind) throws(ParseFailure) -> Deletion {
        var deletion = Deletion()
        let first = peek()
        if accept(.from) {
            deletion.sources = try parseMeasurements()
            // 1.12 takes a retention policy in DELETE; older nodes refuse it themselves.
            for source in deletion.sources.reversed() {
                if source.retentionPolicy != nil, kind == .dropSeries || source.database != nil {
                    throw ParseFailure(reason: "retention policy not supported", line: 1, character: 1)
                }
                if source.database != nil {
                    throw ParseFailure(reason: "database not supported", line: 1, character: 1)
                }
            }
        }
        deletion.condition = try parseCondition()
        guard !deletion.sources.isEmpty || deletion.condition != nil else {
            throw unexpected(first, expected: ["FROM", "WHERE"])
        }
        return deletion
    }

    // MARK: Databases and what hangs on them

    private mutating func parseCreateDatabase() throws(ParseFailure) -> StatementBody {
        let database = try expectName()
        guard accept(.with) else { return .createDatabase(database, nil) }
        var options = RetentionOptions()
        let first = peek()
        let start = position
        if accept(.duration) { options.duration = try expectDuration() }
        if accept(.replication) { options.replication = try expectReplication() }
        if accept(.shard) {
            try expect(.duration)
            options.shardDuration = nonzero(try expectDuration())
        }
        try parseWriteLimits(&options)
        if accept(.name) {
            let name = try expectName()
            if name != .literal("") { options.name = name }
        }
        guard position > start else {
            throw unexpected(first, expected: ["DURATION", "NAME", "REPLICATION", "SHARD"])
        }
        return .createDatabase(database, options)
    }

    private func nonzero(_ duration: Bindable<Int64>) -> Bindable<Int64>? {
        duration == .literal(0) ? nil : duration
    }

    /// `FUTURE LIMIT d` and `PAST LIMIT d` are 1.12's.
    private mutating func parseWriteLimits(_ options: inout RetentionOptions) throws(ParseFailure) {
        if accept(word: "future") {
            try expect(.limit)
            options.futureLimit = try expectDuration()
        }
        if accept(word: "past") {
            try expect(.limit)
            options.pastLimit = try expectDuration()
        }
    }

    private mutating func parseCreateRetentionPolicy() throws(ParseFailure) -> StatementBody {
        let name = try parseNameOnDatabase()
        var options = RetentionOptions()
        try expect(.duration)
        options.duration = try expectDuration()
        try expect(.replication)
        options.replication = try expectReplication()
        if accept(.shard) { options.shardDuration = nonzero(try parseShardDuration()) }
        options.isDefault = accept(.default)
        try parseWriteLimits(&options)
        return .createRetentionPolicy(name.name, database: name.database, options)
    }

    private mutating func parseShardDuration() throws(ParseFailure) -> Bindable<Int64> {
        try expect(.duration)
        if peek().isKeyword(.inf) { throw lexer.failure("invalid duration INF for shard duration", at: peek()) }
        return try expectDuration()
    }

    mutating func parseAlter() throws(ParseFailure) -> StatementBody {
        try expect(.retention, .policy)
        let name = accept(.default) ? .literal("default") : try expectName()
        try expect(.on)
        let database = try expectName()
        var options = RetentionOptions()
        var found: [Keyword] = []
        while true {
            let token = peek()
            guard case .keyword(let keyword) = token.kind,
                [.duration, .replication, .shard, .default].contains(keyword)
            else {
                let start = position
                try parseWriteLimits(&options)
                if position > start {
                    found.append(.limit)
                    continue
                }
                if found.isEmpty {
                    throw unexpected(token, expected: ["DURATION", "REPLICATION", "SHARD", "DEFAULT"])
                }
                return .alterRetentionPolicy(name, database: database, options)
            }
            if found.contains(keyword) { throw lexer.failure("found duplicate \(keyword.rawValue) option", at: token) }
            found.append(keyword)
            take()
            switch keyword {
            case .duration: options.duration = try expectDuration()
            case .replication: options.replication = try expectReplication()
            case .shard: options.shardDuration = try parseShardDuration()
            default: options.isDefault = true
            }
        }
    }

    private mutating func parseCreateContinuousQuery() throws(ParseFailure) -> ContinuousQuery {
        let name = try parseNameOnDatabase()
        var every: Bindable<Int64>?
        var until: Bindable<Int64>?
        if accept(.resample) {
            if accept(.every) { every = nonzero(try expectDuration(orInfinite: false)) }
            if accept(.for) { until = nonzero(try expectDuration(orInfinite: false)) }
            if every == nil, until == nil { throw unexpected(peek(), expected: ["EVERY", "FOR"]) }
        }
        try expect(.begin, .select)
        let select = try parseSelect(.continuousQuery)
        if select.callsFunctions { try requireInterval(select.timeGrouping) }
        try expect(.end)
        let query = ContinuousQuery(
            name: name.name, database: name.database, resampleEvery: every, resampleFor: until, select: select)
        try check(query)
        return query
    }

    /// InfluxDB names another token than the last in some of these errors: it counts white space as one.
    private mutating func requireInterval(_ grouping: TimeGrouping) throws(ParseFailure) {
        var expected = ["GROUP BY time(...)"]
        switch grouping {
        case .unknown: return
        case .interval(let length) where length != 0: return
        case .invalid(let reason): expected.append(reason)
        default: break
        }
        throw unexpected(previous ?? peek(), expected: expected)
    }

    private func check(_ query: ContinuousQuery) throws(ParseFailure) {
        var interval: Int64 = 0
        switch query.select.timeGrouping {
        case .invalid(let reason): throw ParseFailure(reason: reason)
        case .unknown: return
        case .interval(let length): interval = length
        case .none: break
        }
        guard case .literal(let until)? = query.resampleFor else { return }
        switch query.resampleEvery {
        case .literal(let every): interval = max(interval, every)
        case .parameter: return
        case nil: break
        }
        guard interval <= until else {
            throw ParseFailure(
                reason: "FOR duration must be >= GROUP BY time duration: must be a minimum of "
                    + "\(Literals.duration(interval)), got \(Literals.duration(until))")
        }
    }

    private mutating func parseCreateSubscription() throws(ParseFailure) -> StatementBody {
        let name = try parseNameOnPolicy()
        try expect(.destinations)
        let token = take()
        guard token.isKeyword(.all) || token.isKeyword(.any) else { throw unexpected(token, expected: ["ALL", "ANY"]) }
        var destinations: [Name] = []
        repeat { destinations.append(try expectString().text) } while accept(.comma)
        return .createSubscription(name, token.isKeyword(.all) ? .all : .any, destinations: destinations)
    }

    /// `name ON db`
    private mutating func parseNameOnDatabase() throws(ParseFailure) -> (name: Name, database: Name) {
        let name = try expectName()
        try expect(.on)
        return (name, try expectName())
    }

    /// `name ON db.rp`, with nothing around the dot's left side.
    private mutating func parseNameOnPolicy() throws(ParseFailure) -> SubscriptionName {
        let name = try parseNameOnDatabase()
        let dot = peek()
        guard adjacent(.dot) else {
            throw dot.gap == .none
                ? unexpected(dot, expected: ["."]) : lexer.unexpectedPiece(at: position, expected: ["."])
        }
        take()
        return SubscriptionName(name: name.name, database: name.database, retentionPolicy: try expectName())
    }

    // MARK: Users

    private mutating func parseCreateUser() throws(ParseFailure) -> StatementBody {
        let user = try expectName()
        try expect(.with, .password)
        let password = try expectPassword()
        let isAdmin = accept(.with)
        if isAdmin { try expect(.all, .privileges) }
        return .createUser(user, password: password, isAdmin: isAdmin)
    }

    mutating func parseSetPassword() throws(ParseFailure) -> StatementBody {
        try expect(.password, .for)
        let user = try expectName()
        try expect(.equal)
        return .setPassword(user: user, password: try expectPassword())
    }

    private mutating func expectPassword() throws(ParseFailure) -> Name {
        let (password, range) = try expectString()
        statement.secrets.append(range)
        return password
    }

    mutating func parseGrant() throws(ParseFailure) -> StatementBody {
        let (privilege, database, user) = try parsePrivilege(.to)
        guard let database else { return .grantAdmin(user: user) }
        return .grant(privilege, database: database, user: user)
    }

    mutating func parseRevoke() throws(ParseFailure) -> StatementBody {
        let (privilege, database, user) = try parsePrivilege(.from)
        guard let database else { return .revokeAdmin(user: user) }
        return .revoke(privilege, database: database, user: user)
    }

    /// Without a database it is the privilege of an administrator.
    private mutating func parsePrivilege(
        _ direction: Keyword
    ) throws(ParseFailure) -> (privilege: GrantedPrivilege, database: Name?, user: Name) {
        let token = take()
        let privilege: GrantedPrivilege
        switch token.kind {
        case .keyword(.read): privilege = .read
        case .keyword(.write): privilege = .write
        case .keyword(.all):
            privilege = .all
            _ = accept(.privileges)
        default: throw unexpected(token, expected: ["READ", "WRITE", "ALL [PRIVILEGES]"])
        }
        let next = take()
        var database: Name?
        if next.isKeyword(.on) {
            database = try expectName()
            try expect(direction)
        } else if privilege != .all || !next.isKeyword(direction) {
            throw unexpected(next, expected: privilege == .all ? ["ON", direction.rawValue] : ["ON"])
        }
        return (privilege, database, try expectName())
    }

    mutating func parseKill() throws(ParseFailure) -> StatementBody {
        try expect(.query)
        let id = try expectUnsigned()
        let host = accept(.on) ? try expectName() : nil
        return .killQuery(id, host: host == .literal("") ? nil : host)
    }
}
