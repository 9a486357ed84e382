// Which shards a node has open, and which it lists. A shard that InfluxDB could not open is not among its statistics,
// yet SHOW SHARDS goes on to list it (measured on 1.6.7).

import Cluster
import NIOCore
import NIOHTTP1
import NodeClient

extension NodeInterview {
    /// Nil where the node never shows them: neither `/debug/vars` nor statistics, or with lists that it cuts.
    package func shards() -> EventLoopFuture<ShardsSeen?> {
        openShards().assumeIsolated().flatMap { process, open in
            self.ask("SHOW QUERIES").assumeIsolated().flatMap { queries in
                self.ask("SHOW SHARDS").map { shards in
                    let statements = (queries.first?.column("query") ?? []).compactMap(\.string)
                    return .some(
                        ShardsSeen(
                            process: process, open: open, listed: shards.flatMap(Self.listed),
                            isDropping: statements.contains { $0.dropsShards }))
                }
            }.nonisolated()
        }.flatMapErrorThrowing { error in
            guard let failure = error as? InterviewFailure, !failure.mayPass,
                failure.kind == .refused || failure.kind == .unusable
            else { throw error }
            return nil
        }.nonisolated()
    }

    /// The shards with statistics, without those of InfluxDB's own database.
    package func openShards() -> EventLoopFuture<(ProcessIdentity, Set<ShardIdentity>)> {
        send(NodeRequest(method: .GET, target: "/debug/vars")).flatMapThrowing { answer in
            let document = try answer.document(about: "/debug/vars") { $0 == "system" || $0.hasPrefix("shard") }
            return try Self.openShards(variables: document)
        }.assumeIsolated().flatMapError { closed in
            guard let failure = closed as? InterviewFailure, failure.kind != .unreachable else {
                return self.eventLoop.makeFailedFuture(closed)
            }
            return self.statistics("SHOW STATS FOR 'shard'").map { process, stats in
                let shards = stats.filter { $0.name == "shard" }
                return (process, Set(shards.compactMap { series in ShardIdentity { series.tags[$0] } }))
            }
        }.nonisolated()
    }

    package static func openShards(
        variables: JSONValue
    ) throws(InterviewFailure) -> (ProcessIdentity, Set<ShardIdentity>) {
        let shards = (variables.members ?? []).map(\.value).filter { $0["name"]?.string == "shard" }
        let open = shards.compactMap { shard in ShardIdentity { shard["tags"]?[$0]?.string } }
        return (try ProcessIdentity(variables: variables), Set(open))
    }

    /// One series of `SHOW SHARDS`.
    private static func listed(_ series: QuerySeries) -> [ListedShard] {
        guard let ids = series.column("id"), let databases = series.column("database"),
            let policies = series.column("retention_policy"), let starts = series.column("start_time"),
            let ends = series.column("end_time")
        else { return [] }
        return ids.indices.compactMap { row in
            guard let id = ids[row].int64, let database = databases[row].string, database != monitoringDatabase,
                let policy = policies[row].string, let start = starts[row].string, let end = ends[row].string
            else { return nil }
            let (first, last) = (GoText.time(start) ?? .min, GoText.time(end) ?? .max)
            return ListedShard(
                ShardIdentity(id: id, database: database, policy: policy), times: first..<max(first, last),
                period: "\(day(start)) to \(day(end))")
        }
    }

    private static func day(_ time: String) -> Substring {
        time.hasSuffix("T00:00:00Z") ? time.prefix(10) : Substring(time)
    }
}

extension ShardIdentity {
    fileprivate init?(tag: (String) -> String?) {
        guard let id = tag("id").flatMap({ Int64($0) }), let database = tag("database"),
            database != monitoringDatabase, let policy = tag("retentionPolicy")
        else { return nil }
        self.init(id: id, database: database, policy: policy)
    }
}

extension String {
    /// As the node prints a statement that runs.
    fileprivate var dropsShards: Bool {
        ["DROP DATABASE ", "DROP RETENTION POLICY ", "DROP SHARD "].contains { mentions($0) }
    }
}
