// SHOW: schema, index and what the server knows of itself.

extension InfluxServer {
    mutating func show(
        _ statement: Statement, _ task: QueryTask, now: Int64
    ) throws(StatementFailure) -> StatementResult {
        switch statement {
        case .showDatabases:
            return one("databases", ["name"], disk.databases.map { [.text($0.name)] })
        case .showPolicies(let name): return try policies(of: name.isEmpty ? task.database : name)
        case .showMeasurements(let name, let limit, let offset):
            let database = name.isEmpty ? task.database : name
            if database.isEmpty { throw StatementFailure(message: "database name required") }
            let names = measurements(ofAllOf: database).map(\.name).dropFirst(offset)
            let rows = names.prefix(limit.flatMap { $0 > 0 ? $0 : nil } ?? .max).map { [Cell.text($0)] }
            return rows.isEmpty ? StatementResult() : one("measurements", ["name"], rows)
        case .showFieldKeys(let source): return try fieldKeys(source, task)
        case .showTagKeys(let source): return try tagKeys(source, task)
        case .showTagValues(let source, let keys): return try tagValues(source, keys, task)
        case .showSeries(let source): return try series(source, task)
        case .showUsers: return one("", ["user", "admin"], disk.users.map { [.text($0.name), .boolean($0.isAdmin)] })
        case .showGrants(let name):
            guard let user = disk.users.first(where: { $0.name == name }) else {
                throw StatementFailure(message: "user not found")
            }
            let grants = user.privileges.sorted { $0.key < $1.key }
            return one("", ["database", "privilege"], grants.map { [.text($0.key), .text(Text($0.value))] })
        case .showContinuousQueries:
            return StatementResult(
                series: disk.databases.map { database in
                    ResultSeries(
                        name: database.name, columns: ["name", "query"],
                        values: database.continuousQueries.map { [.text($0.name), .text(Text($0.query))] })
                })
        case .showSubscriptions: return subscriptions
        case .showShards: return shards
        case .showShardGroups: return shardGroups
        case .showStats(let module): return stats(module, now: now)
        case .showDiagnostics: return diagnostics(now: now)
        case .showQueries: return queries(now: now)
        default: preconditionFailure("everything else is a mutation or a SELECT")
        }
    }

    func one(_ name: Text, _ columns: [Text], _ values: [[Cell]]) -> StatementResult {
        StatementResult(series: [ResultSeries(name: name, columns: columns, values: values)])
    }

    // MARK: Schema

    private func policies(of name: Text) throws(StatementFailure) -> StatementResult {
        if name.isEmpty { throw StatementFailure(message: "database name required") }
        let database = disk.databases[try known(name)]
        let rows = database.policies.map { policy -> [Cell] in
            [
                .text(policy.name), .text(Text(GoText.duration(policy.duration))),
                .text(Text(GoText.duration(policy.shardDuration))), .integer(policy.replicas),
                .boolean(policy.name == database.defaultPolicy),
            ]
        }
        return one("", ["name", "duration", "shardGroupDuration", "replicaN", "default"], rows)
    }

    private var subscriptions: StatementResult {
        var result = StatementResult()
        for database in disk.databases {
            let rows = database.policies.flatMap { policy in
                policy.subscriptions.map { subscription -> [Cell] in
                    [
                        .text(policy.name), .text(subscription.name), .text(Text(subscription.mode)),
                        .list(subscription.destinations),
                    ]
                }
            }
            if rows.isEmpty { continue }
            let columns: [Text] = ["retention_policy", "name", "mode", "destinations"]
            result.series.append(ResultSeries(name: database.name, columns: columns, values: rows))
        }
        return result
    }

    private func span(of group: ShardGroup, _ policy: Policy) -> [Cell] {
        let expiry = group.end.addingReportingOverflow(policy.duration)
        return [group.start, group.end, expiry.overflow ? .max : expiry.partialValue]
            .map { .text(Text(GoText.time($0, places: false))) }
    }

    private var shardGroups: StatementResult {
        let rows = disk.databases.flatMap { database in
            database.policies.flatMap { policy in
                policy.groups.map { group -> [Cell] in
                    [.integer(Int64(group.id)), .text(database.name), .text(policy.name)] + span(of: group, policy)
                }
            }
        }
        return one(
            "shard groups", ["id", "database", "retention_policy", "start_time", "end_time", "expiry_time"], rows)
    }

    private var shards: StatementResult {
        let columns: [Text] = [
            "id", "database", "retention_policy", "shard_group", "start_time", "end_time", "expiry_time", "owners",
        ]
        return StatementResult(
            series: disk.databases.map { database in
                let rows = database.policies.flatMap { policy in
                    policy.groups.map { group -> [Cell] in
                        [
                            .integer(Int64(group.shard)), .text(database.name), .text(policy.name),
                            .integer(Int64(group.id)),
                        ] + span(of: group, policy) + [.text("")]
                    }
                }
                return ResultSeries(name: database.name, columns: columns, values: rows)
            })
    }

    // MARK: The index

    private func measurements(ofAllOf database: Text) -> [(name: Text, series: [Text: [Tag]])] {
        let shards = disk.shards(of: database)
        // Without a shard nobody asks the index.
        return measurements(of: shards, and: shards.isEmpty ? [:] : process?.leftovers[database] ?? [:])
    }

    /// Measurements that some of the shards list, with the series in these shards, sorted.
    private func measurements(
        of shards: [Int], and leftovers: [Text: [Text: [Tag]]] = [:]
    ) -> [(name: Text, series: [Text: [Tag]])] {
        var found = leftovers.filter { !$0.value.isEmpty }
        for shard in shards {
            for (name, measurement) in disk.shards[shard]?.measurements ?? [:] where measurement.isIndexed {
                for (key, series) in measurement.series { found[name, default: [:]][key] = series.tags }
            }
        }
        return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func database(_ source: ShowSource, _ task: QueryTask) throws(StatementFailure) -> Int {
        let name = source.database.isEmpty ? task.database : source.database
        if name.isEmpty { throw StatementFailure(message: "database name required") }
        return try known(name)
    }

    private func fieldKeys(_ source: ShowSource, _ task: QueryTask) throws(StatementFailure) -> StatementResult {
        let (database, policy) = try resolved(source.database, source.policy, task)
        var types: [Text: Set<[Text]>] = [:]
        for group in disk.databases[database].policies[policy].groups {
            for (name, measurement) in disk.shards[group.shard]?.measurements ?? [:]
            where isIndexed(name, in: group.shard) {
                if !source.measurements.isEmpty, !source.measurements.contains(name) { continue }
                for (field, type) in measurement.types { types[name, default: []].insert([field, Text("\(type)")]) }
            }
        }
        var result = StatementResult(shape: .rows)
        result.series = types.sorted { $0.key < $1.key }.map { name, types in
            let rows = types.sorted { $0.lexicographicallyPrecedes($1) }.map { $0.map { Cell.text($0) } }
            return ResultSeries(name: name, columns: ["fieldKey", "fieldType"], values: rows)
        }
        return result
    }

    /// All retention policies together, whatever the source says.
    private func listed(
        _ source: ShowSource, _ task: QueryTask
    ) throws(StatementFailure) -> [(name: Text, series: [Text: [Tag]])] {
        let database = try database(source, task)
        return measurements(ofAllOf: disk.databases[database].name).filter {
            source.measurements.isEmpty || source.measurements.contains($0.name)
        }
    }

    private func tagKeys(_ source: ShowSource, _ task: QueryTask) throws(StatementFailure) -> StatementResult {
        var result = StatementResult(shape: .seriesBySeries)
        for (name, series) in try listed(source, task) {
            let keys = Set(series.values.flatMap { $0.map(\.key) }).sorted()
            if keys.isEmpty { continue }
            result.series.append(ResultSeries(name: name, columns: ["tagKey"], values: keys.map { [.text($0)] }))
        }
        return result
    }

    private func tagValues(
        _ source: ShowSource, _ keys: [Text], _ task: QueryTask
    ) throws(StatementFailure) -> StatementResult {
        var result = StatementResult(shape: .seriesBySeries)
        for (name, series) in try listed(source, task) {
            let pairs = Set(series.values.flatMap { $0.filter { keys.contains($0.key) } })
                .sorted { ($0.key, $0.value) < ($1.key, $1.value) }
            if pairs.isEmpty { continue }
            result.series.append(
                ResultSeries(
                    name: name, columns: ["key", "value"], values: pairs.map { [.text($0.key), .text($0.value)] }))
        }
        return result
    }

    private func series(_ source: ShowSource, _ task: QueryTask) throws(StatementFailure) -> StatementResult {
        let (database, policy) = try resolved(source.database, source.policy, task)
        // The one index of `inmem` knows no policies.
        let listed =
            settings.hasTSI
            ? measurements(of: disk.databases[database].policies[policy].groups.map(\.shard))
            : measurements(ofAllOf: disk.databases[database].name)
        let keys =
            listed
            .filter { source.measurements.isEmpty || source.measurements.contains($0.name) }
            .flatMap { $0.series.keys }.sorted()
        if keys.isEmpty { return StatementResult(shape: .rows) }
        let row = ResultSeries(columns: ["key"], values: keys.map { [.text($0)] })
        return StatementResult(series: [row], shape: .rows)
    }

    // MARK: What runs

    private func queries(now: Int64) -> StatementResult {
        let rows = (process?.queries ?? []).map { query -> [Cell] in
            var duration = max(0, now - query.since)
            duration -=
                duration % (duration >= GoText.second ? GoText.second : duration >= 1_000_000 ? 1_000_000 : 1000)
            return [
                .integer(Int64(query.id)), .text(Text(query.text)), .text(Text(query.database)),
                .text(Text(GoText.duration(duration))), .text(query.isKilled ? "killed" : "running"),
            ]
        }
        return one("", ["qid", "query", "database", "duration", "status"], rows)
    }
}
