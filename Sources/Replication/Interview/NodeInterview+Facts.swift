// What a node shows of itself, and what its databases are.

import Cluster
import NIOCore
import NIOHTTP1
import NodeClient

/// InfluxDB's own database.
let monitoringDatabase = "_internal"

extension NodeInterview {
    package func facts() -> EventLoopFuture<NodeFacts> {
        // The clock is asked for last, on a connection that is open by then: the less time the answer takes, the better
        // the difference is known.
        let eventLoop = eventLoop
        let lists = ask("SHOW CONTINUOUS QUERIES").and(ask("SHOW SUBSCRIPTIONS"))
        return version().and(lists).and(indexVersion()).assumeIsolated().flatMap { known, index in
            let start = eventLoop.monotonicNanoseconds
            let wall = self.clock.wallNanoseconds()
            return self.ask("SHOW DIAGNOSTICS").map { diagnostics in
                Self.facts(
                    diagnostics, queries: known.1.0, subscriptions: known.1.1, index: index, version: known.0,
                    askedAt: wall,
                    roundTrip: eventLoop.monotonicNanoseconds - start)
            }
        }.nonisolated()
    }

    /// What the node calls itself; also the cheapest question that shows whether it is there.
    package func version() -> EventLoopFuture<String> {
        send(NodeRequests.ping, expecting: 204).map(\.version)
    }

    private static func facts(
        _ diagnostics: [QuerySeries], queries: [QuerySeries], subscriptions: [QuerySeries], index: String?,
        version: String, askedAt wall: Int64, roundTrip: Int64
    ) -> NodeFacts {
        func shown(_ section: String, _ column: String) -> JSONValue? {
            diagnostics.first { $0.name == section }?.first(column)
        }
        let now = shown("system", "currentTime")?.string.flatMap(GoText.time)
        var facts = NodeFacts()
        facts.process = ProcessIdentity(diagnostics: diagnostics)
        facts.version = version
        facts.clockOffset = now.map { NodeFacts.clockOffset(of: $0, askedAt: wall, roundTrip: roundTrip) }
        facts.roundTrip = roundTrip
        facts.walFsyncDelay = shown("config-data", "wal-fsync-delay")?.string.flatMap(GoText.duration)
        facts.runsContinuousQueries = shown("config-cqs", "enabled")?.bool
        facts.indexVersion = index ?? shown("config-data", "index-version")?.string
        for database in queries {
            for (name, statement) in zip(database.column("name") ?? [], database.column("query") ?? []) {
                facts.continuousQueries.append(
                    NodeFacts.ContinuousQuery(
                        database: database.name, name: name.string ?? "", statement: statement.string ?? ""))
            }
        }
        for database in subscriptions {
            facts.subscriptions += (database.column("name") ?? []).map {
                OwnWork.Item(.subscription, database: database.name, name: $0.string ?? "")
            }
        }
        return facts
    }

    /// From the statistics of the shards (1.7 and later); where they do not say, from what the server's profile of its
    /// memory mentions, which is much or nothing: small databases leave no trace in it.
    private func indexVersion() -> EventLoopFuture<String?> {
        ask("SHOW STATS FOR 'shard'").assumeIsolated().flatMap { shards in
            let types = Set(shards.compactMap { $0.tags["indexType"] })
            if !types.isEmpty { return self.eventLoop.makeSucceededFuture(types.sorted().joined(separator: "+")) }
            return self.send(NodeRequest(method: .GET, target: "/debug/pprof/heap?debug=1")).map { profile in
                let used = ["inmem", "tsi1"].filter { profile.body.mentions("/index/\($0).(*") }
                return used.isEmpty ? nil : used.joined(separator: "+")
            }
        }.flatMapError { _ in self.eventLoop.makeSucceededFuture(nil) }.nonisolated()
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
