// The shards that a node was seen to have open, as they are kept beside the log's cursors: as text.

import Cluster
import CommitLog

extension OpenShards {
    package static func noteName(_ node: String) -> String { "shards/" + node }

    /// A line says the node's cursor at the last look; each other one database, policy, cursor (`-`: may hold anything)
    /// and numbers. Where there is not room for all, the oldest are left out: what is written to is what breaks.
    package var encoded: [UInt8] {
        struct Place: Hashable {
            let database: String
            let policy: String
            let since: Offset?
        }
        var places: [Place: [Int64]] = [:]
        var length = 100
        for (shard, since) in known.sorted(by: { $0.key > $1.key }) {
            let place = Place(database: shard.database, policy: shard.policy, since: since)
            if places[place] == nil { length += 30 + 3 * (place.database.utf8.count + place.policy.utf8.count) }
            length += 1 + "\(shard.id)".utf8.count
            if length > NodeMemory.longestNote { break }
            places[place, default: []].append(shard.id)
        }
        var lines = lookedAt.map { ["looked \($0.rawValue)"] } ?? []
        for (place, ids) in places {
            let name = NodeRequests.percentEncoded(place.database) + " " + NodeRequests.percentEncoded(place.policy)
            let since = place.since.map { "\($0.rawValue)" } ?? "-"
            lines.append("open \(name) \(since) " + ids.map { "\($0)" }.joined(separator: ","))
        }
        return Array(lines.sorted().joined(separator: "\n").utf8)
    }

    package init(decoding bytes: [UInt8]) {
        var known: [ShardIdentity: Offset?] = [:]
        var lookedAt: Offset?
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            switch (words.first, words.count) {
            case ("looked", 2): lookedAt = UInt64(words[1]).map { Offset($0) }
            case ("open", 5):
                let (database, policy) = (NodeRequests.decoded(words[1]), NodeRequests.decoded(words[2]))
                for id in words[4].split(separator: ",").compactMap({ Int64($0) }) {
                    known[ShardIdentity(id: id, database: database, policy: policy)] = .some(
                        UInt64(words[3]).map { Offset($0) })
                }
            default: break
            }
        }
        self.init(known: known, lookedAt: lookedAt)
    }
}
