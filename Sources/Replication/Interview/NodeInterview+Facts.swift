// What a node shows of itself, and what its databases are.

import Cluster
import NIOCore

/// InfluxDB's own database.
let monitoringDatabase = "_internal"

extension NodeInterview {
    package func facts() -> EventLoopFuture<NodeFacts> {
        // The clock is asked for last, on a connection that is open by then: the less time the answer takes, the better
        // the difference is known.
        let shards = ask("SHOW STATS FOR 'shard'").flatMapErrorThrowing { _ in [] }
        return version().and(ask("SHOW CONTINUOUS QUERIES")).and(shards).assumeIsolated().flatMap { known, shards in
            let start = MonotonicClock.now
            let wall = Self.wallClock()
            return self.ask("SHOW DIAGNOSTICS").map { diagnostics in
                Self.facts(
                    diagnostics, queries: known.1, shards: shards, version: known.0, askedAt: wall,
                    roundTrip: MonotonicClock.now - start)
            }
        }.nonisolated()
    }

    /// What the node calls itself; also the cheapest question that shows whether it is there.
    package func version() -> EventLoopFuture<String> {
        send(NodeRequests.ping, expecting: 204).map(\.version)
    }

    private static func facts(
        _ diagnostics: [QuerySeries], queries: [QuerySeries], shards: [QuerySeries], version: String,
        askedAt wall: Int64, roundTrip: Int64
    ) -> NodeFacts {
        func shown(_ section: String, _ column: String) -> JSONValue? {
            diagnostics.first { $0.name == section }?.first(column)
        }
        let now = shown("system", "currentTime")?.string.flatMap(GoText.time)
        let indexes = Set(shards.compactMap { $0.tags["indexType"] })
        return NodeFacts(
            process: ProcessIdentity(diagnostics: diagnostics),
            version: version,
            clockOffset: now.map { $0 - (wall + roundTrip / 2) },
            roundTrip: roundTrip,
            walFsyncDelay: shown("config-data", "wal-fsync-delay")?.string.flatMap(GoText.duration),
            runsContinuousQueries: shown("config-cqs", "enabled")?.bool,
            continuousQueries: queries.flatMap { database in
                zip(database.column("name") ?? [], database.column("query") ?? []).map { name, query in
                    NodeFacts.ContinuousQuery(
                        database: database.name, name: name.string ?? "", statement: query.string ?? "")
                }
            },
            indexVersion: indexes.isEmpty
                ? shown("config-data", "index-version")?.string : indexes.sorted().joined(separator: "+")
        )
    }

    // MARK: Databases

    /// In the order of their creation, without InfluxDB's own and the gateway's.
    package func userDatabases() -> EventLoopFuture<[String]> {
        ask("SHOW DATABASES").map { series in
            (series.first?.column("name") ?? []).compactMap(\.string)
                .filter { $0 != Marker.database && $0 != monitoringDatabase }
        }
    }

    /// Whether any user database has a measurement. One whose points were all dropped counts: InfluxDB still lists it.
    package func hasData() -> EventLoopFuture<Bool> {
        userDatabases().assumeIsolated().flatMap { self.hasMeasurement(in: $0[...]) }.nonisolated()
    }

    private func hasMeasurement(in databases: ArraySlice<String>) -> EventLoopFuture<Bool> {
        guard let database = databases.first else { return eventLoop.makeSucceededFuture(false) }
        return ask("SHOW MEASUREMENTS LIMIT 1", database: database).assumeIsolated().flatMap { series in
            series.contains { !$0.values.isEmpty }
                ? self.eventLoop.makeSucceededFuture(true) : self.hasMeasurement(in: databases.dropFirst())
        }.nonisolated()
    }
}

extension ProcessIdentity {
    init?(diagnostics: [QuerySeries]) {
        let system = diagnostics.first { $0.name == "system" }
        guard let started = system?.first("started")?.string, !started.isEmpty else { return nil }
        self.init(started: started, pid: system?.first("PID")?.int64)
    }
}
