// SHOW, CREATE, DROP and the rest.

extension StatementParser {
    mutating func statement() throws(ParseFailure) -> Statement {
        if try take("SELECT") { return try select() }
        if try take("SHOW") { return try show() }
        if try take("CREATE") { return try create() }
        if try take("DROP") { return try drop() }
        if try take("DELETE") { return .delete(try deletion()) }
        if try take("ALTER", "RETENTION", "POLICY") {
            let name = try name()
            try expect("ON")
            return .alterPolicy(name, database: try self.name(), try policyOptions())
        }
        if try take("SET", "PASSWORD", "FOR") {
            let user = try name()
            try expect(symbol: "=")
            return .setPassword(user, try string())
        }
        if try take("GRANT") { return try privilege(isGrant: true) }
        if try take("REVOKE") { return try privilege(isGrant: false) }
        throw unexpected()
    }

    // MARK: Show

    private mutating func show() throws(ParseFailure) -> Statement {
        if try take("DATABASES") { return .showDatabases }
        if try take("RETENTION", "POLICIES") { return .showPolicies(try on()) }
        if try take("MEASUREMENTS") {
            let database = try on()
            let limit = try take("LIMIT") ? Int(integer()) : nil
            return .showMeasurements(database: database, limit: limit, offset: try take("OFFSET") ? Int(integer()) : 0)
        }
        if try take("FIELD", "KEYS") { return .showFieldKeys(try showSource()) }
        if try take("SERIES") { return .showSeries(try showSource()) }
        if try take("USERS") { return .showUsers }
        if try take("GRANTS", "FOR") { return .showGrants(try name()) }
        if try take("CONTINUOUS", "QUERIES") { return .showContinuousQueries }
        if try take("SUBSCRIPTIONS") { return .showSubscriptions }
        if try take("SHARDS") { return .showShards }
        if try take("SHARD", "GROUPS") { return .showShardGroups }
        if try take("STATS") { return .showStats(try take("FOR") ? string().string : "") }
        if try take("DIAGNOSTICS") { return .showDiagnostics }
        if try take("QUERIES") { return .showQueries }
        try expect("TAG")
        if try take("KEYS") { return .showTagKeys(try showSource()) }
        try expect("VALUES")
        let source = try showSource()
        try expect("WITH", "KEY")
        if try take("IN") {
            try expect(symbol: "(")
            let keys = try list { parser throws(ParseFailure) in try parser.name() }
            try expect(symbol: ")")
            return .showTagValues(source, keys: keys)
        }
        try expect(symbol: "=")
        return .showTagValues(source, keys: [try name()])
    }

    private mutating func on() throws(ParseFailure) -> Text { try take("ON") ? name() : "" }

    private mutating func showSource() throws(ParseFailure) -> ShowSource {
        var source = ShowSource(database: try on())
        guard try take("FROM") else { return source }
        repeat {
            if try takeAnything() { return source }
            let first = try name()
            if try take(symbol: ".") {
                source.policy = first
                if try takeAnything() { return source }
                source.measurements.append(try name())
            } else {
                source.measurements.append(first)
            }
        } while try take(symbol: ",")
        return source
    }

    // MARK: Databases and policies

    private mutating func create() throws(ParseFailure) -> Statement {
        if try take("DATABASE") {
            let database = try name()
            guard try take("WITH") else { return .createDatabase(database, nil) }
            var options = try policyOptions()
            if try take("NAME") { options.name = try name() }
            return .createDatabase(database, options)
        }
        if try take("RETENTION", "POLICY") {
            let policy = try name()
            try expect("ON")
            return .createPolicy(policy, database: try name(), try policyOptions())
        }
        if try take("USER") {
            let user = try name()
            try expect("WITH", "PASSWORD")
            let password = try string()
            return .createUser(user, password: password, isAdmin: try take("WITH", "ALL", "PRIVILEGES"))
        }
        if try take("CONTINUOUS", "QUERY") {
            let query = try name()
            try expect("ON")
            let database = try name()
            let body = try rest()
            return .createContinuousQuery(
                query, database: database,
                query: "CREATE CONTINUOUS QUERY \(query.identifier) ON \(database.identifier) \(body)")
        }
        try expect("SUBSCRIPTION")
        let subscription = try name()
        let (database, policy) = try policyReference()
        try expect("DESTINATIONS")
        let mode = try take("ALL") ? "ALL" : "ANY"
        if mode == "ANY" { try expect("ANY") }
        let destinations = try list { parser throws(ParseFailure) in try parser.string() }
        return .createSubscription(
            subscription, database: database, policy: policy, mode: mode, destinations: destinations)
    }

    private mutating func policyReference() throws(ParseFailure) -> (database: Text, policy: Text) {
        try expect("ON")
        let database = try name()
        try expect(symbol: ".")
        return (database, try name())
    }

    private mutating func policyOptions() throws(ParseFailure) -> PolicyOptions {
        var options = PolicyOptions()
        while true {
            if try take("DURATION") {
                options.duration = try duration()
            } else if try take("REPLICATION") {
                options.replicas = try integer()
            } else if try take("SHARD", "DURATION") {
                options.shardDuration = try duration()
            } else if try take("DEFAULT") {
                options.isDefault = true
            } else {
                return options
            }
        }
    }

    private mutating func drop() throws(ParseFailure) -> Statement {
        if try take("DATABASE") { return .dropDatabase(try name()) }
        if try take("MEASUREMENT") { return .dropMeasurement(try name()) }
        if try take("SERIES") { return .dropSeries(try deletion()) }
        if try take("USER") { return .dropUser(try name()) }
        if try take("RETENTION", "POLICY") {
            let policy = try name()
            try expect("ON")
            return .dropPolicy(policy, database: try name())
        }
        if try take("CONTINUOUS", "QUERY") {
            let query = try name()
            try expect("ON")
            return .dropContinuousQuery(query, database: try name())
        }
        try expect("SUBSCRIPTION")
        let subscription = try name()
        let (database, policy) = try policyReference()
        return .dropSubscription(subscription, database: database, policy: policy)
    }

    private mutating func deletion() throws(ParseFailure) -> Deletion {
        var deletion = Deletion(measurements: [])
        let hasSource = try take("FROM")
        if hasSource, try !takeAnything() {
            deletion.measurements = try list { parser throws(ParseFailure) in try parser.name() }
        }
        if try take("WHERE") { deletion.condition = try condition() } else if !hasSource { throw unexpected() }
        return deletion
    }

    // MARK: Users

    private mutating func privilege(isGrant: Bool) throws(ParseFailure) -> Statement {
        let kind: String
        if try take("READ") {
            kind = "READ"
        } else if try take("WRITE") {
            kind = "WRITE"
        } else {
            try expect("ALL")
            _ = try take("PRIVILEGES")
            kind = "ALL PRIVILEGES"
        }
        let database = try take("ON") ? name() : nil
        try expect(isGrant ? "TO" : "FROM")
        let user = try name()
        let on = database.map { " ON \($0.identifier)" } ?? ""
        return .setPrivilege(
            user: user, database: database, privilege: isGrant ? kind : nil,
            words: isGrant
                ? "GRANT \(kind)\(on) TO \(user.identifier)" : "REVOKE \(kind)\(on) FROM \(user.identifier)")
    }
}
