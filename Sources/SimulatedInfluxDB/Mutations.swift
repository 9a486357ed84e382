// What changes data and schema.

extension InfluxServer {
    // MARK: Data, shard by shard

    /// Why it cannot even begin.
    func refusal(of statement: Statement, _ task: QueryTask) -> String? {
        switch statement {
        case .delete, .dropMeasurement, .dropSeries:
            if case .dropSeries(let deletion) = statement, deletion.condition?.hasTime == true {
                return "DROP SERIES doesn't support time in WHERE clause"
            }
            // DROP MEASUREMENT and a deletion without FROM name no source that would be looked up before.
            if task.database.isEmpty, case .delete(let deletion) = statement, !deletion.measurements.isEmpty {
                return "database name required"
            }
            if task.database.isEmpty, case .dropSeries(let deletion) = statement, !deletion.measurements.isEmpty {
                return "database name required"
            }
            return disk.database(task.database) == nil ? "database not found: \(task.database)" : nil
        default: return nil
        }
    }

    /// The last one comes first.
    func shardsConcerned(by statement: Statement, _ task: QueryTask) -> [Int] {
        switch statement {
        case .delete, .dropMeasurement, .dropSeries: disk.shards(of: task.database).reversed()
        case .dropDatabase(let name): disk.shards(of: name).reversed()
        case .dropPolicy(let name, let database):
            (disk.policy(name, of: database)?.groups ?? []).map(\.shard).sorted().reversed()
        default: []
        }
    }

    mutating func change(_ shard: Int, _ statement: Statement, now: Int64) {
        switch statement {
        case .delete(let deletion), .dropSeries(let deletion): delete(deletion, from: shard, now: now)
        case .dropMeasurement(let name):
            disk.shards[shard]?.measurements[name] = nil
            process?.leftovers[disk.shards[shard]?.database ?? ""]?[name] = nil
        case .dropDatabase, .dropPolicy:
            if case .dropPolicy = statement, !settings.hasTSI, let dropped = disk.shards[shard] {
                for (name, measurement) in dropped.measurements {
                    for (key, series) in measurement.series {
                        process?.leftovers[dropped.database, default: [:]][name, default: [:]][key] = series.tags
                    }
                }
            }
            disk.shards[shard] = nil
            process?.shards[shard] = nil
            unsynced[shard] = nil
        default: break
        }
    }

    /// Series without points left go; the types of the fields stay.
    private mutating func delete(_ deletion: Deletion, from id: Int, now: Int64) {
        guard let shard = disk.shards[id] else { return }
        let range = deletion.condition?.range(now: now) ?? -PointsReader.largestTime...PointsReader.largestTime
        for (name, measurement) in shard.measurements
        where deletion.measurements.isEmpty || deletion.measurements.contains(name) {
            for (key, series) in measurement.series {
                if let condition = deletion.condition, !condition.holds(for: series) { continue }
                for field in series.columns.keys {
                    disk.shards[id]?.measurements[name]?.series[key]?.columns[field]?.remove(range)
                }
                if disk.shards[id]?.measurements[name]?.series[key]?.hasPoints != true {
                    disk.shards[id]?.measurements[name]?.series[key] = nil
                }
            }
        }
        for (name, leftovers) in process?.leftovers[shard.database] ?? [:]
        where deletion.measurements.isEmpty || deletion.measurements.contains(name) {
            for (key, tags) in leftovers where deletion.condition?.holds(for: Series(tags: tags)) != false {
                process?.leftovers[shard.database]?[name]?[key] = nil
            }
        }
    }

    // MARK: Schema

    mutating func execute(_ statement: Statement, _ task: QueryTask, now: Int64) throws(StatementFailure)
        -> StatementResult
    {
        switch statement {
        case .delete, .dropMeasurement, .dropSeries: break
        case .createDatabase(let name, let options): try createDatabase(name, options)
        case .dropDatabase(let name):
            disk.databases.removeAll { $0.name == name }
            process?.leftovers[name] = nil
            for index in disk.users.indices { disk.users[index].privileges[name] = nil }
        case .createPolicy(let name, let database, let options): try createPolicy(name, database, options)
        case .alterPolicy(let name, let database, let options): try alterPolicy(name, database, options)
        case .dropPolicy(let name, let database):
            if let index = disk.database(database) { disk.databases[index].policies.removeAll { $0.name == name } }
        case .createUser(let name, let password, let isAdmin):
            if let user = disk.users.first(where: { $0.name == name }) {
                if user.password != password || user.isAdmin != isAdmin {
                    throw StatementFailure(message: "user already exists")
                }
            } else {
                disk.users.append(User(name: name, password: password, isAdmin: isAdmin))
            }
        case .dropUser(let name): disk.users.remove(at: try user(name))
        case .setPassword(let name, let password): disk.users[try user(name)].password = password
        case .setPrivilege(let name, let database, let privilege, _):
            let user = try user(name)
            if let database {
                _ = try known(database)
                disk.users[user].privileges[database] = privilege ?? "NO PRIVILEGES"
            } else {
                disk.users[user].isAdmin = privilege != nil
            }
        case .createContinuousQuery(let name, let database, let query):
            let index = try known(database)
            if let other = disk.databases[index].continuousQueries.first(where: { $0.name == name }) {
                if other.query.lowercased() != query.lowercased() {
                    throw StatementFailure(message: "continuous query already exists")
                }
            } else {
                disk.databases[index].continuousQueries.append((name, query))
            }
        case .dropContinuousQuery(let name, let database):
            disk.databases[try known(database)].continuousQueries.removeAll { $0.name == name }
        case .createSubscription(let name, let database, let policy, let mode, let destinations):
            let (database, policy) = try known(policy, of: database)
            if disk.databases[database].policies[policy].subscriptions.contains(where: { $0.name == name }) {
                throw StatementFailure(message: "subscription already exists")
            }
            disk.databases[database].policies[policy].subscriptions.append(
                Policy.Subscription(name: name, mode: mode, destinations: destinations))
        case .dropSubscription(let name, let database, let policy):
            let (database, policy) = try known(policy, of: database)
            guard
                let index = disk.databases[database].policies[policy].subscriptions
                    .firstIndex(where: { $0.name == name })
            else { throw StatementFailure(message: "subscription not found") }
            disk.databases[database].policies[policy].subscriptions.remove(at: index)
        case .select(let select): return try self.select(select, task, now: now)
        default: return try show(statement, task, now: now)
        }
        return StatementResult()
    }

    func known(_ database: Text) throws(StatementFailure) -> Int {
        guard let index = disk.database(database) else {
            throw StatementFailure(message: "database not found: \(database)")
        }
        return index
    }

    private func known(_ policy: Text, of database: Text) throws(StatementFailure) -> (Int, Int) {
        let database = try known(database)
        guard let (index, _) = disk.databases[database].policy(policy) else {
            throw StatementFailure(message: "retention policy not found: \(policy)")
        }
        return (database, index)
    }

    private func user(_ name: Text) throws(StatementFailure) -> Int {
        guard let index = disk.users.firstIndex(where: { $0.name == name }) else {
            throw StatementFailure(message: "user not found")
        }
        return index
    }

    private func checkName(_ name: Text) throws(StatementFailure) {
        if name.isEmpty || name == "." || name == ".." || name.bytes.contains(Byte.slash)
            || name.bytes.contains(Byte.backslash)
        {
            throw StatementFailure(message: "invalid name")
        }
    }

    private mutating func createDatabase(_ name: Text, _ options: PolicyOptions?) throws(StatementFailure) {
        try checkName(name)
        let known = disk.database(name)
        guard let options else {
            if known != nil { return }
            let policy = Policy(name: "autogen", duration: 0, shardDuration: 7 * GoText.day, replicas: 1)
            disk.databases.append(Database(name: name, policies: [policy], defaultPolicy: "autogen"))
            return
        }
        if let name = options.name { try checkName(name) }
        try checkDuration(options.duration)
        let policy = Policy(name: options.name ?? "autogen", options)
        guard let known, !disk.databases[known].policies.isEmpty else {
            try checkDurations(policy)
            if let known {
                disk.databases[known].policies.append(policy)
                disk.databases[known].defaultPolicy = policy.name
            } else {
                disk.databases.append(Database(name: name, policies: [policy], defaultPolicy: policy.name))
            }
            return
        }
        let conflict = StatementFailure(message: "retention policy conflicts with an existing policy")
        guard let (_, other) = disk.databases[known].policy(policy.name) else { throw conflict }
        if let duration = options.duration, duration != other.duration { throw conflict }
        if let replicas = options.replicas, replicas != other.replicas { throw conflict }
        let shardDuration = Policy.shardDuration(options.shardDuration ?? 0, of: other.duration)
        // Without a duration of its own the statement is content with any.
        if shardDuration != other.shardDuration { throw conflict }
        if disk.databases[known].defaultPolicy != policy.name { throw conflict }
    }

    private mutating func createPolicy(
        _ name: Text, _ database: Text, _ options: PolicyOptions
    ) throws(StatementFailure) {
        try checkName(name)
        try checkDuration(options.duration)
        let policy = Policy(name: name, options)
        try checkDurations(policy)
        let index = try known(database)
        if let (_, other) = disk.databases[index].policy(name) {
            if (other.duration, other.replicas, other.shardDuration)
                != (policy.duration, policy.replicas, policy.shardDuration)
            {
                throw StatementFailure(message: "retention policy already exists")
            }
            if options.isDefault, disk.databases[index].defaultPolicy != name {
                throw StatementFailure(message: "retention policy conflicts with an existing policy")
            }
            return
        }
        disk.databases[index].policies.append(policy)
        if options.isDefault { disk.databases[index].defaultPolicy = name }
    }

    private mutating func alterPolicy(
        _ name: Text, _ database: Text, _ options: PolicyOptions
    ) throws(StatementFailure) {
        let (database, index) = try known(name, of: database)
        try checkDuration(options.duration)
        var policy = disk.databases[database].policies[index]
        let duration = options.duration ?? policy.duration
        if options.duration != nil || options.shardDuration != nil, duration > 0,
            duration < options.shardDuration ?? policy.shardDuration
        {
            throw StatementFailure(message: "retention policy duration must be greater than the shard duration")
        }
        policy.duration = duration
        policy.replicas = options.replicas ?? policy.replicas
        if let shardDuration = options.shardDuration {
            policy.shardDuration = Policy.shardDuration(shardDuration, of: duration)
        }
        disk.databases[database].policies[index] = policy
        if options.isDefault { disk.databases[database].defaultPolicy = name }
    }

    private func checkDuration(_ duration: Int64?) throws(StatementFailure) {
        if let duration, duration != 0, duration < GoText.hour {
            throw StatementFailure(message: "retention policy duration must be at least 1h0m0s")
        }
    }

    private func checkDurations(_ policy: Policy) throws(StatementFailure) {
        if policy.duration > 0, policy.duration < policy.shardDuration {
            throw StatementFailure(message: "retention policy duration must be greater than the shard duration")
        }
    }
}

extension Policy {
    init(name: Text, _ options: PolicyOptions) {
        let duration = options.duration ?? 0
        self.init(
            name: name, duration: duration,
            shardDuration: Self.shardDuration(options.shardDuration ?? 0, of: duration),
            replicas: options.replicas ?? 1)
    }

    /// What a policy gets that asks for `wanted` (zero: for none) and keeps points for `duration`.
    static func shardDuration(_ wanted: Int64, of duration: Int64) -> Int64 {
        if wanted > 0 { return max(wanted, GoText.hour) }
        if duration == 0 || duration >= 180 * GoText.day { return 7 * GoText.day }
        return duration >= 2 * GoText.day ? GoText.day : GoText.hour
    }
}
