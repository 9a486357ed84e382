// What is on a server's disk: databases, retention policies, shards with their field types and points.
//
// Values all the way down, so that a copy of a data folder costs nothing until one of the two changes.

package struct InfluxDisk: Sendable {
    var databases: [Database] = []
    var users: [User] = []
    var shards: [Int: Shard] = [:]
    /// Shards that are listed and cannot be opened, by number; they are not in `shards`.
    var damaged: [Int: ShardDamage] = [:]
    var lastGroup = 0
    var lastShard = 0

    /// A server that was never started.
    package init() {}

    /// `inmem` builds its index from points.
    mutating func forgetEmptySeries() {
        for (id, shard) in shards {
            for (name, measurement) in shard.measurements {
                for (key, series) in measurement.series where !series.hasPoints {
                    shards[id]?.measurements[name]?.series[key] = nil
                }
            }
        }
    }

    func database(_ name: Text) -> Int? { databases.firstIndex { $0.name == name } }

    func policy(_ name: Text, of database: Text) -> Policy? {
        self.database(database).flatMap { databases[$0].policy(name) }.map { $0.1 }
    }

    /// Of all policies, in the order of their numbers.
    func shards(of database: Text) -> [Int] {
        guard let index = self.database(database) else { return [] }
        return databases[index].policies.flatMap { $0.groups.map(\.shard) }.sorted()
    }
}

/// What a kill at a bad moment can do to a shard (reference 6).
package enum ShardDamage: Sendable {
    /// To its index (`tsi1`): it is never opened again, and each write into it is a 500.
    case index
    /// To its points: at the next start it is not opened. The write after that, or the start after that, makes it anew.
    case points
    /// So it was left by the start.
    case pointsPutAside
}

struct User: Sendable {
    var name: Text
    var password: Text
    var isAdmin: Bool
    /// By database.
    var privileges: [Text: String] = [:]
}

struct Database: Sendable {
    var name: Text
    var policies: [Policy] = []
    var defaultPolicy: Text = ""
    var continuousQueries: [(name: Text, query: String)] = []

    func policy(_ name: Text) -> (Int, Policy)? {
        policies.firstIndex { $0.name == name }.map { ($0, policies[$0]) }
    }
}

/// A retention policy; times in nanoseconds.
struct Policy: Sendable {
    struct Subscription: Sendable {
        var name: Text
        var mode: String
        var destinations: [Text]
    }

    var name: Text
    /// Zero: for ever.
    var duration: Int64
    var shardDuration: Int64
    var replicas: Int64
    /// By end, then by start.
    var groups: [ShardGroup] = []
    var subscriptions: [Subscription] = []

    func group(at time: Int64) -> ShardGroup? { groups.first { $0.start <= time && time < $0.end } }
}

struct ShardGroup: Sendable {
    var id: Int
    var shard: Int
    var start: Int64
    /// Exclusive.
    var end: Int64
}

struct Shard: Sendable {
    var id: Int
    var database: Text
    var policy: Text
    var measurements: [Text: Measurement] = [:]
    /// What the cache holds since it was last written out.
    var cacheBytes = 0
}

/// A measurement in one shard. Types outlive series: DELETE and DROP SERIES keep them (reference 9, M7).
struct Measurement: Sendable {
    var types: [Text: FieldType] = [:]
    /// By key. Those of refused points are there too, without points.
    var series: [Text: Series] = [:]

    var isIndexed: Bool { !series.isEmpty }
    var tagKeys: Set<Text> { series.values.reduce(into: []) { $0.formUnion($1.tags.map(\.key)) } }
}

struct Series: Sendable {
    var tags: [Tag]
    var columns: [Text: Column] = [:]

    func tag(_ key: Text) -> Text { tags.first { $0.key == key }?.value ?? "" }
    var hasPoints: Bool { columns.contains { !$0.value.times.isEmpty } }
}

struct Tag: Hashable, Sendable {
    var key: Text
    var value: Text
}

/// The values of one field of one series in one shard, by time.
struct Column: Sendable {
    var times: [Int64] = []
    var values: [FieldValue] = []

    mutating func set(_ value: FieldValue, at time: Int64) {
        guard let last = times.last, time <= last else {
            times.append(time)
            values.append(value)
            return
        }
        let index = lowerBound(time)
        if times[index] == time {
            values[index] = value
        } else {
            times.insert(time, at: index)
            values.insert(value, at: index)
        }
    }

    mutating func remove(_ range: ClosedRange<Int64>) {
        let indices = indices(in: range)
        guard !indices.isEmpty else { return }
        times.removeSubrange(indices)
        values.removeSubrange(indices)
    }

    func indices(in range: ClosedRange<Int64>) -> Range<Int> {
        let start = lowerBound(range.lowerBound)
        let end = range.upperBound == .max ? times.count : lowerBound(range.upperBound + 1)
        return start..<max(start, end)
    }

    func value(at time: Int64) -> FieldValue? {
        let index = lowerBound(time)
        return index < times.count && times[index] == time ? values[index] : nil
    }

    /// The first index whose time is not before `time`.
    private func lowerBound(_ time: Int64) -> Int {
        var low = 0
        var high = times.count
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
