// Which shards a node was seen to have open, so that one that InfluxDB cannot open any more is noticed: it starts all
// the same, answers pings, lists the shard, leaves its data out of every answer without a word, and refuses writes into
// it with 500 for ever, or makes a new, empty one at the next write (reference 6).
//
//   look --> known --look--> known ...            while the node is attached, now and then
//              | the node is asked who it is
//              +--> listed, known, not open: could not be opened, unless all of its data will be delivered again
//
// A shard that was never seen open may be one of the next period, which InfluxDB makes ahead of time and does not open, or
// one that was made since the last look and is damaged: what it holds, if anything, was written since then, and is
// delivered again. A value without I/O or clock.

import CommitLog

/// One shard of one node; the same data is in shards with other numbers on other nodes.
package struct ShardIdentity: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let id: Int64
    package let database: String
    package let policy: String

    package init(id: Int64, database: String, policy: String) {
        self.id = id
        self.database = database
        self.policy = policy
    }

    package static func < (left: ShardIdentity, right: ShardIdentity) -> Bool { left.id < right.id }

    package var description: String { "shard \(id) of \(database)/\(policy)" }
}

/// A shard as `SHOW SHARDS` lists it.
package struct ListedShard: Equatable, Sendable {
    package let shard: ShardIdentity
    /// Of its data, in nanoseconds since 1970.
    package let times: Range<Int64>
    /// The same for people.
    package let period: String

    package init(_ shard: ShardIdentity, times: Range<Int64>, period: String) {
        self.shard = shard
        self.times = times
        self.period = period
    }
}

/// A node's shards at one moment. What is open was read first, then which statements run, then what is listed: so a
/// shard that is dropped meanwhile is either not listed any more, or its statement is still seen.
package struct ShardsSeen: Equatable, Sendable {
    package var process: ProcessIdentity
    package var open: Set<ShardIdentity>
    package var listed: [ListedShard]
    /// A statement that drops shards is under way: what is not open may be dropped.
    package var isDropping: Bool

    package init(
        process: ProcessIdentity, open: Set<ShardIdentity>, listed: [ListedShard], isDropping: Bool = false
    ) {
        self.process = process
        self.open = open
        self.listed = listed
        self.isDropping = isDropping
    }

    var unopened: [ListedShard] { isDropping ? [] : listed.filter { !open.contains($0.shard) } }
}

/// A write that a node has refused with 500 again and again.
package struct StubbornWrite: Equatable, Sendable {
    package var database: String
    /// Empty: the database's default.
    package var policy: String
    /// Of its points, in nanoseconds since 1970; nil: not known.
    package var times: ClosedRange<Int64>?
    /// What the node says to it.
    package var words: String

    package init(database: String, policy: String, times: ClosedRange<Int64>?, words: String) {
        self.database = database
        self.policy = policy
        self.times = times
        self.words = words
    }

    var namedShard: Int64? { OpenShards.unopened(in: words) }

    func concerns(_ listed: ListedShard, isKnown: Bool) -> Bool {
        guard listed.shard.database == database, policy.isEmpty || listed.shard.policy == policy else { return false }
        if let namedShard { return listed.shard.id == namedShard }
        guard isKnown, let times else { return false }
        return listed.times.lowerBound <= times.upperBound && times.lowerBound < listed.times.upperBound
    }
}

/// The shards that a node was seen to have open.
package struct OpenShards: Equatable, Sendable {
    /// The shard that InfluxDB says it could not open: `[shard 7] unexpected end of JSON input`.
    package static func unopened(in words: String) -> Int64? {
        guard let start = words.firstRange(of: "[shard ")?.upperBound else { return nil }
        let digits = words[start...].prefix { $0.isASCII && $0.isNumber }
        return words[digits.endIndex...].hasPrefix("]") ? Int64(digits) : nil
    }

    /// By shard: the node's cursor when it was last seen without it, so that all its data lies in the log from there on;
    /// nil: it may hold anything.
    package private(set) var known: [ShardIdentity: Offset?]
    /// The node's cursor at the last look; nil: none yet.
    package private(set) var lookedAt: Offset?

    package init(known: [ShardIdentity: Offset?] = [:], lookedAt: Offset? = nil) {
        self.known = known
        self.lookedAt = lookedAt
    }

    /// - Parameters:
    ///   - open: all that are open now.
    ///   - cursor: of the node, at the beginning of the look.
    ///   - isSameRun: of the server, as at the look before. A server that was started again may have been put back to an
    ///     older state, so a shard that was not seen before may hold anything.
    package mutating func saw(_ open: Set<ShardIdentity>, at cursor: Offset, isSameRun: Bool = true) {
        var known: [ShardIdentity: Offset?] = [:]
        for shard in open { known[shard] = .some(self.known[shard] ?? (isSameRun ? lookedAt : nil)) }
        self.known = known
        lookedAt = cursor
    }

    /// From where the log has to be delivered, so that shards which are not open, and never were when it was looked, hold
    /// what they should; nil: there are none, or it was never looked.
    package func deliveryStart(for seen: ShardsSeen) -> Offset? {
        seen.unopened.contains { known[$0.shard] == nil } ? lookedAt : nil
    }

    /// What a statement is about to drop; nil: all of the database, or of all databases.
    /// - Returns: whether any was known.
    package mutating func forget(database: String?, policy: String?) -> Bool {
        let left = known.filter { entry in
            if let database, entry.key.database != database { return true }
            if let policy, entry.key.policy != policy { return true }
            return false
        }
        defer { known = left }
        return left.count < known.count
    }

    /// Shards whose data the node no longer shows, and will not get again.
    /// - Parameter offset: from where the log is delivered to it; nil: not at all.
    package func missing(in seen: ShardsSeen, deliveredFrom offset: Offset?) -> [ListedShard] {
        seen.unopened.filter { listed in
            guard let since = known[listed.shard] else { return false }
            if let since, let offset, offset <= since { return false }
            return true
        }
    }

    /// Shards that are the reason for a refusal that does not end.
    package func refusing(_ write: StubbornWrite, in seen: ShardsSeen) -> [ListedShard] {
        seen.unopened.filter { write.concerns($0, isKnown: known[$0.shard] != nil) }
    }

    /// Why a node with such shards needs a copy, for its operator.
    package static func advice(_ shards: [ListedShard], node: String) -> String {
        let first = shards.prefix(3).map(\.shard.description).joined(separator: ", ")
        let more = shards.count > 3 ? " and \(shards.count - 3) more" : ""
        var periods: [String] = []
        for listed in shards.prefix(3) where !periods.contains(listed.period) { periods.append(listed.period) }
        return "InfluxDB could not open \(first)\(more) (see \"Failed to open shard\" in its log): data of"
            + " \(periods.joined(separator: ", "))\(more) is missing there. Copy the data of another node to \(node),"
            + " then say sluice nodes trust \(node); without a copy, that takes it as it is"
    }
}
