// Whole statements as text, in InfluxDB's normal form.

extension StatementBody: CustomStringConvertible {
    /// The statement in InfluxDB's normal form, a password as `[REDACTED]`.
    package var description: String {
        var printer = Printer()
        printer.write(self)
        return printer.text
    }

    /// The same with the password, so that a node can run it.
    package var unredacted: String {
        var printer = Printer(showsPasswords: true)
        printer.write(self)
        return printer.text
    }
}

extension Statement: CustomStringConvertible {
    package var description: String { body.description }
}

extension Printer {
    fileprivate mutating func write(_ body: StatementBody) {
        switch body {
        case .select(let select): write(select)
        case .explain(let select, let analyze, let verbose):
            text += "EXPLAIN " + (analyze ? "ANALYZE " : "") + (verbose ? "VERBOSE " : "")
            write(select)
        case .showContinuousQueries, .showDatabases, .showDiagnostics, .showFieldKeys, .showFieldKeyCardinality,
            .showGrants, .showMeasurements, .showMeasurementCardinality, .showQueries, .showRetentionPolicies,
            .showSeries, .showSeriesCardinality, .showShardGroups, .showShards, .showStats, .showSubscriptions,
            .showTagKeys, .showTagKeyCardinality, .showTagValues, .showTagValuesCardinality, .showUsers:
            writeShow(body)
        case .createContinuousQuery(let query): write(query)
        case .createDatabase(let name, let options): writeCreateDatabase(name, options)
        case .createRetentionPolicy(let name, let database, let options):
            writePolicy("CREATE", name, database, options)
        case .alterRetentionPolicy(let name, let database, let options): writePolicy("ALTER", name, database, options)
        case .createSubscription(let name, let mode, let destinations):
            text += "CREATE SUBSCRIPTION "
            write(name)
            text += " DESTINATIONS \(mode.rawValue) "
            writeList(destinations) { $0.writeString($1) }
        case .createUser(let user, let password, let isAdmin):
            write("CREATE USER ", user)
            text += " WITH PASSWORD "
            writePassword(password)
            if isAdmin { text += " WITH ALL PRIVILEGES" }
        case .setPassword(let user, let password):
            write("SET PASSWORD FOR ", user)
            text += " = "
            writePassword(password)
        case .dropContinuousQuery(let name, let database): writeDrop("CONTINUOUS QUERY", name, database)
        case .dropDatabase(let name): writeDrop("DATABASE", name)
        case .dropMeasurement(let name): writeDrop("MEASUREMENT", name)
        case .dropRetentionPolicy(let name, let database): writeDrop("RETENTION POLICY", name, database)
        case .dropSeries(let deletion): write("DROP SERIES", deletion)
        case .dropShard(let id):
            text += "DROP SHARD "
            write(id)
        case .dropSubscription(let name):
            text += "DROP SUBSCRIPTION "
            write(name)
        case .dropUser(let name): writeDrop("USER", name)
        case .delete(let deletion): write("DELETE", deletion)
        case .grant(let privilege, let database, let user): write("GRANT", privilege, database, "TO", user)
        case .grantAdmin(let user): write("GRANT", .all, nil, "TO", user)
        case .revoke(let privilege, let database, let user): write("REVOKE", privilege, database, "FROM", user)
        case .revokeAdmin(let user): write("REVOKE", .all, nil, "FROM", user)
        case .killQuery(let id, let host):
            text += "KILL QUERY "
            write(id)
            write(" ON ", host)
        }
    }

    // MARK: SHOW

    private mutating func writeShow(_ body: StatementBody) {
        text += "SHOW "
        switch body {
        case .showContinuousQueries: text += "CONTINUOUS QUERIES"
        case .showDatabases: text += "DATABASES"
        case .showDiagnostics(let module): writeModule("DIAGNOSTICS", module)
        case .showFieldKeys(let clauses): write("FIELD KEYS", clauses)
        case .showFieldKeyCardinality(let exact, let clauses): writeCardinality("FIELD KEY", exact, clauses)
        case .showGrants(let user): write("GRANTS FOR ", user)
        case .showMeasurements(let scope, let measurement, let clauses):
            text += "MEASUREMENTS"
            write(scope)
            if let measurement {
                text += " WITH MEASUREMENT "
                if case .regex = measurement.measurement { text += "=~ " } else { text += "= " }
                write(measurement)
            }
            write("", clauses)
        case .showMeasurementCardinality(let exact, let clauses): writeCardinality("MEASUREMENT", exact, clauses)
        case .showQueries: text += "QUERIES"
        case .showRetentionPolicies(let database):
            text += "RETENTION POLICIES"
            write(" ON ", database)
        case .showSeries(let clauses): write("SERIES", clauses)
        case .showSeriesCardinality(let exact, let clauses): writeCardinality("SERIES", exact, clauses)
        case .showShardGroups: text += "SHARD GROUPS"
        case .showShards: text += "SHARDS"
        case .showStats(let module): writeModule("STATS", module)
        case .showSubscriptions: text += "SUBSCRIPTIONS"
        case .showTagKeys(let clauses): write("TAG KEYS", clauses)
        case .showTagKeyCardinality(let exact, let clauses): writeCardinality("TAG KEY", exact, clauses)
        case .showTagValues(let clauses): write("TAG VALUES", clauses)
        case .showTagValuesCardinality(let exact, let clauses): writeCardinality("TAG VALUES", exact, clauses)
        default: text += "USERS"
        }
    }

    private mutating func writeModule(_ words: String, _ module: Name?) {
        text += words
        guard let module else { return }
        text += " FOR "
        writeString(module)
    }

    private mutating func writeCardinality(_ words: String, _ exact: Bool, _ clauses: ShowClauses) {
        write(words + (exact ? " EXACT" : "") + " CARDINALITY", clauses)
    }

    private mutating func write(_ words: String, _ clauses: ShowClauses) {
        text += words
        write(" ON ", clauses.database)
        writeSources(clauses.sources)
        write(clauses.key)
        writeCondition(clauses.condition)
        writeDimensions(clauses.dimensions)
        write(clauses.order)
        write(clauses.limits)
    }

    private mutating func writeSources(_ sources: [MeasurementReference]) {
        guard !sources.isEmpty else { return }
        text += " FROM "
        writeList(sources) { $0.write($1) }
    }

    private mutating func write(_ scope: MeasurementScope?) {
        guard let scope else { return }
        text += " ON "
        writeScopePart(scope.database)
        guard let retentionPolicy = scope.retentionPolicy else { return }
        text += "."
        writeScopePart(retentionPolicy)
    }

    private mutating func writeScopePart(_ part: MeasurementScope.Part) {
        switch part {
        case .name(let name): write(name)
        case .all: text += "*"
        }
    }

    private mutating func write(_ key: TagKeyFilter?) {
        guard let key else { return }
        text += " WITH KEY "
        switch key {
        case .equal(let name): write("= ", name)
        case .notEqual(let name): write("!= ", name)
        case .oneOf(let names):
            text += "IN ("
            writeList(names) { $0.write($1) }
            text += ")"
        case .matches(let pattern): writePattern("=~ ", pattern)
        case .matchesNot(let pattern): writePattern("!~ ", pattern)
        }
    }

    private mutating func writePattern(_ word: String, _ pattern: Bindable<String>) {
        text += word
        switch pattern {
        case .literal(let pattern): writeRegex(pattern)
        case .parameter(let name): writeParameter(name)
        }
    }

    // MARK: Statements that change things

    private mutating func write(_ query: ContinuousQuery) {
        write("CREATE CONTINUOUS QUERY ", query.name)
        write(" ON ", query.database)
        if query.resampleEvery != nil || query.resampleFor != nil { text += " RESAMPLE" }
        writeDuration(" EVERY ", query.resampleEvery)
        writeDuration(" FOR ", query.resampleFor)
        text += " BEGIN "
        write(query.select)
        text += " END"
    }

    private mutating func writeCreateDatabase(_ name: Name, _ options: RetentionOptions?) {
        write("CREATE DATABASE ", name)
        guard let options else { return }
        text += " WITH"
        // InfluxDB writes a bare WITH if the only option says nothing; it could not read that.
        if options == RetentionOptions() { text += " SHARD DURATION 0s" }
        writeDuration(" DURATION ", options.duration, Literals.clockDuration)
        write(" REPLICATION ", options.replication)
        writeDuration(" SHARD DURATION ", options.shardDuration, Literals.clockDuration)
        writeWriteLimits(options)
        write(" NAME ", options.name)
    }

    private mutating func writePolicy(_ verb: String, _ name: Name, _ database: Name, _ options: RetentionOptions) {
        write("\(verb) RETENTION POLICY ", name)
        write(" ON ", database)
        writeDuration(" DURATION ", options.duration)
        write(" REPLICATION ", options.replication)
        writeDuration(" SHARD DURATION ", options.shardDuration)
        if options.isDefault { text += " DEFAULT" }
        writeWriteLimits(options)
    }

    private mutating func writeWriteLimits(_ options: RetentionOptions) {
        writeDuration(" FUTURE LIMIT ", options.futureLimit)
        writeDuration(" PAST LIMIT ", options.pastLimit)
    }

    private mutating func write(_ name: SubscriptionName) {
        write(name.name)
        write(" ON ", name.database)
        write(".", name.retentionPolicy)
    }

    private mutating func writePassword(_ password: Name) {
        if showsPasswords { writeString(password) } else { text += "[REDACTED]" }
    }

    private mutating func writeDrop(_ words: String, _ name: Name, _ database: Name? = nil) {
        write("DROP \(words) ", name)
        write(" ON ", database)
    }

    private mutating func write(_ words: String, _ deletion: Deletion) {
        text += words
        writeSources(deletion.sources)
        writeCondition(deletion.condition)
    }

    private mutating func write(
        _ verb: String, _ privilege: GrantedPrivilege, _ database: Name?, _ direction: String, _ user: Name
    ) {
        text += "\(verb) \(privilege.rawValue)"
        write(" ON ", database)
        write(" \(direction) ", user)
    }
}
