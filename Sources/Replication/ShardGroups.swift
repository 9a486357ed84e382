// Whether a write was the work of one shard: then a 400 is the end of it; over several, others may still be at work
// when it comes (reference 9, M4).

/// A node's shard groups, as `SHOW SHARD GROUPS` lists them; times in nanoseconds.
struct ShardGroups {
    struct Group {
        let start: Int64
        /// Exclusive.
        let end: Int64
    }

    private var groups: [String: (list: [Group], learnedAt: Int64)] = [:]
    private var askedAt: [String: Int64] = [:]
    /// Policies and groups may be changed behind the gateway: the list is not believed for longer than this.
    private static let memory: Int64 = 5_000_000_000

    mutating func learned(_ list: [Group], database: String, now: Int64) {
        groups[database] = (list, now)
    }

    mutating func forget() {
        groups = [:]
        askedAt = [:]
    }

    /// Nil: it is not known; ask the node, if it was not asked a moment ago.
    func isOneShard(_ times: ClosedRange<Int64>, database: String, now: Int64) -> Bool? {
        guard let (list, learnedAt) = groups[database], now - learnedAt < Self.memory else { return nil }
        // Of any policy: which one a write goes to is the node's knowledge.
        let isCut = list.contains { group in
            (group.start > times.lowerBound && group.start <= times.upperBound)
                || (group.end > times.lowerBound && group.end <= times.upperBound)
        }
        if isCut { return false }
        return list.contains { $0.start <= times.lowerBound && times.upperBound < $0.end } ? true : nil
    }

    func mayAsk(database: String, now: Int64) -> Bool {
        guard let asked = askedAt[database] else { return true }
        return now - asked > Self.memory / 5
    }

    mutating func noteAsked(database: String, now: Int64) { askedAt[database] = now }
}
