// InfluxDB has no fence: a request that was given up may take effect later. What it does have is counters of what is
// under way.
//
// A shard counts each write when it begins (`writeReq`) and when it ends (`writeReqOk`, `writeReqErr`). Measured on
// 1.6.7: a write that ends with an error of the index, such as a field that another write creates with another type in
// the same moment, is never counted as ended, so that the difference stays above zero until the server restarts.
// Where a difference shows, the server's own stacks decide (`/debug/pprof/goroutine`): if no goroutine is in the write
// path while the counters stand still, the difference is what the server forgot, and is taken off from then on.

import Cluster
import NIOCore
import NIOHTTP1
import NodeClient

extension NodeInterview {
    /// One sample of what is under way.
    ///
    /// - Parameter database: whose shards are counted; nil: all but InfluxDB's own.
    package func fence(database: String?) -> EventLoopFuture<FenceReading> {
        counters(of: database).and(ask("SHOW QUERIES")).assumeIsolated().flatMap { counters, queries in
            let statements = (queries.first?.column("query") ?? []).compactMap(\.string)
                .filter { $0 != "SHOW QUERIES" }
            self.forgotten.belong(to: counters.process)
            let unfinished = self.forgotten.unfinished(in: counters)
            let sample = FenceSample(
                process: counters.process, unfinishedWrites: unfinished, activeWrites: counters.activeWrites,
                runningStatements: statements)
            if unfinished == 0 { return self.eventLoop.makeSucceededFuture(.sample(sample)) }
            return self.confirm(counters, of: database).assumeIsolated().map { isForgotten in
                guard isForgotten else { return .sample(sample) }
                self.forgotten.remember(counters)
                var sample = sample
                sample.unfinishedWrites = 0
                return .sample(sample)
            }.nonisolated()
        }.flatMapError { error in
            self.eventLoop.makeSucceededFuture(.unavailable(reason: "\(error)"))
        }.nonisolated()
    }

    /// Whether the unfinished writes exist in the counters only: no goroutine writes, and the counters are the same
    /// before and after that was seen.
    private func confirm(_ before: WriteCounters, of database: String?) -> EventLoopFuture<Bool> {
        send(NodeRequest(method: .GET, target: "/debug/pprof/goroutine?debug=1")).assumeIsolated()
            .flatMap { answer in
                guard answer.body.starts(with: Array("goroutine profile:".utf8)),
                    !Self.writePath.contains(where: { answer.body.mentions($0) })
                else { return self.eventLoop.makeSucceededFuture(false) }
                return self.counters(of: database).map { $0.process == before.process && $0.shards == before.shards }
            }
            .flatMapError { _ in self.eventLoop.makeSucceededFuture(false) }.nonisolated()
    }

    /// Functions that a write is in, from the request to the shard.
    private static let writePath = [
        "httpd.(*Handler).serveWrite", "httpd.(*Handler).servePromWrite", "httpd.(*Handler).serveWriteV",
        "coordinator.(*PointsWriter).WritePoints", "coordinator.(*PointsWriter).writeToShard",
        "tsdb.(*Store).WriteToShard", "tsdb.(*Shard).WritePoints",
    ]

    private func counters(of database: String?) -> EventLoopFuture<WriteCounters> {
        send(NodeRequest(method: .GET, target: "/debug/vars")).flatMapThrowing { answer in
            // A node with many shards shows megabytes, of which a few members count.
            let document = try answer.document(about: "/debug/vars") { key in
                key == "system" || key.hasPrefix("shard") || key.hasPrefix("httpd")
            }
            return try WriteCounters(variables: document, database: database)
        }.assumeIsolated().flatMapError { closed in
            self.statistics("SHOW STATS").flatMapThrowing { process, stats in
                try WriteCounters(process, stats: stats, database: database)
            }.flatMapErrorThrowing { error in
                throw InterviewFailure(
                    .refused,
                    reason: "shows neither /debug/vars (\(closed)) nor SHOW STATS (\(error)), so nobody can know what"
                        + " is under way in it; open one of them")
            }
        }.nonisolated()
    }

    /// What a node without `/debug/vars` shows, and of which process. The start time comes first: if the server restarts
    /// in between, it is the figures that are new.
    func statistics(_ question: String) -> EventLoopFuture<(ProcessIdentity, [QuerySeries])> {
        ask("SHOW DIAGNOSTICS").assumeIsolated().flatMap { diagnostics in
            self.ask(question).flatMapThrowing { stats in
                guard let process = ProcessIdentity(diagnostics: diagnostics) else {
                    throw InterviewFailure(.unusable, reason: "no start time in SHOW DIAGNOSTICS")
                }
                return (process, stats)
            }
        }.nonisolated()
    }
}

extension ProcessIdentity {
    /// From `/debug/vars`.
    init(variables: JSONValue) throws(InterviewFailure) {
        guard let started = variables["system"]?["started"]?.string else {
            throw InterviewFailure(.unusable, reason: "no start time in /debug/vars")
        }
        self.init(started: started)
    }
}

/// The counters of writes at one moment.
package struct WriteCounters: Equatable, Sendable {
    struct Shard: Equatable, Sendable {
        var begun: Int64
        var ended: Int64
        var unfinished: Int64 { max(0, begun - ended) }
    }

    package var process: ProcessIdentity
    /// By path of the shard, which names database, policy and number.
    var shards: [String: Shard] = [:]
    var activeWrites = 0

    /// From `/debug/vars`.
    package init(variables: JSONValue, database: String?) throws(InterviewFailure) {
        process = try ProcessIdentity(variables: variables)
        for member in variables.members ?? [] {
            let entry = member.value
            guard let name = entry["name"]?.string, let values = entry["values"] else { continue }
            try add(name, tag: { entry["tags"]?[$0]?.string }, value: { values[$0]?.int64 }, of: database)
        }
    }

    /// From `SHOW STATS`.
    init(_ process: ProcessIdentity, stats: [QuerySeries], database: String?) throws(InterviewFailure) {
        self.process = process
        for series in stats {
            try add(series.name, tag: { series.tags[$0] }, value: { series.first($0)?.int64 }, of: database)
        }
    }

    private mutating func add(
        _ name: String, tag: (String) -> String?, value: (String) -> Int64?, of database: String?
    ) throws(InterviewFailure) {
        switch name {
        case "httpd":
            guard let active = value("writeReqActive") else {
                throw InterviewFailure(.unusable, reason: "no writeReqActive among its figures")
            }
            activeWrites = activeWrites.addingClamped(Int(clamping: active))
        case "shard":
            guard let owner = tag("database"), database == nil ? owner != monitoringDatabase : owner == database
            else { return }
            guard let begun = value("writeReq"), let ok = value("writeReqOk"), let failed = value("writeReqErr"),
                let path = tag("path") ?? tag("id"), begun >= 0, ok >= 0, failed >= 0
            else { throw InterviewFailure(.unusable, reason: "no counters of writes in a shard's figures") }
            shards[path] = Shard(begun: begun, ended: ok.addingClamped(failed))
        default: return
        }
    }
}

/// What the counters of one run of the server will never take back.
package struct ForgottenWrites {
    private var process: ProcessIdentity?
    private var shards: [String: Int64] = [:]

    package init() {}

    package mutating func belong(to process: ProcessIdentity) {
        if self.process != process { shards = [:] }
        self.process = process
    }

    package mutating func remember(_ counters: WriteCounters) {
        for (path, shard) in counters.shards where shard.unfinished > 0 { shards[path] = shard.unfinished }
    }

    /// Writes under way, what was forgotten taken off.
    package func unfinished(in counters: WriteCounters) -> Int {
        counters.shards.reduce(0) { sum, entry in
            sum.addingClamped(Int(clamping: max(0, entry.value.unfinished - (shards[entry.key] ?? 0))))
        }
    }
}

extension FixedWidthInteger {
    /// The sum, or the largest or smallest number there is: what a node counts may be anything.
    fileprivate func addingClamped(_ other: Self) -> Self {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
