// Whether a write was the work of one shard: then a 400 is the end of it; over several, others may still be at work
// when it comes (reference 9, M4).

import InfluxQL

/// A node's shard groups, as `SHOW SHARD GROUPS` lists them; times in nanoseconds.
struct ShardGroups {
    struct Group {
        let policy: String
        let start: Int64
        /// Exclusive.
        let end: Int64
    }

    private struct Knowledge {
        let groups: [Group]
        let defaultPolicy: String?
        let learnedAt: Int64
    }

    private var known: [String: Knowledge] = [:]
    private var askedAt: [String: Int64] = [:]
    /// Policies and groups may be changed behind the gateway: the list is not believed for longer than this.
    private static let memory: Int64 = 5_000_000_000

    static func question(database: String) -> String {
        "SHOW SHARD GROUPS; SHOW RETENTION POLICIES ON \(Quoting.identifier(database))"
    }

    /// - Parameter series: The answer to `question`.
    mutating func learned(_ series: [QuerySeries], database: String, now: Int64) {
        var groups: [Group] = []
        var defaultPolicy: String?
        for list in series {
            if let databases = list.column("database"), let policies = list.column("retention_policy"),
                let starts = list.column("start_time"), let ends = list.column("end_time")
            {
                for (index, name) in databases.enumerated() where name.string == database {
                    if let policy = policies[index].string, let start = starts[index].string.flatMap(GoText.time),
                        let end = ends[index].string.flatMap(GoText.time)
                    {
                        groups.append(Group(policy: policy, start: start, end: end))
                    }
                }
            } else if let names = list.column("name"), let defaults = list.column("default") {
                defaultPolicy = zip(names, defaults).first { $0.1.bool == true }?.0.string
            }
        }
        known[database] = Knowledge(groups: groups, defaultPolicy: defaultPolicy, learnedAt: now)
    }

    mutating func forget() {
        known = [:]
        askedAt = [:]
    }

    /// Nil: it is not known; ask the node, if it was not asked a moment ago.
    /// - Parameter policy: As the write named it; empty: the default one.
    func isOneShard(_ times: ClosedRange<Int64>, database: String, policy: String, now: Int64) -> Bool? {
        guard let known = known[database], now - known.learnedAt < Self.memory,
            let policy = policy.isEmpty ? known.defaultPolicy : policy
        else { return nil }
        let groups = known.groups.filter { $0.policy == policy }
        let isCut = groups.contains { group in
            (group.start > times.lowerBound && group.start <= times.upperBound)
                || (group.end > times.lowerBound && group.end <= times.upperBound)
        }
        if isCut { return false }
        return groups.contains { $0.start <= times.lowerBound && times.upperBound < $0.end } ? true : nil
    }

    func mayAsk(database: String, now: Int64) -> Bool {
        guard let asked = askedAt[database] else { return true }
        return now - asked > Self.memory / 5
    }

    mutating func noteAsked(database: String, now: Int64) { askedAt[database] = now }
}
