// Markers on a node: database `_sluice`, measurement `marker`, one point per log at time 0.

import Cluster
import NIOCore
import NodeClient

extension NodeInterview {
    /// All markers on the node, in the order of their logs' ids; none where there is no such database.
    package func markers() -> EventLoopFuture<[Marker]> {
        ask("SELECT epoch, cursor, node FROM \(Self.markerSource) GROUP BY log").flatMapErrorThrowing { error in
            guard let failure = error as? InterviewFailure, failure.saysNotFound else { throw error }
            return []
        }.flatMapThrowing { series in
            try series.map { series throws(InterviewFailure) in
                guard let marker = Marker(series) else {
                    throw InterviewFailure(
                        .unusable,
                        reason: "has a marker that no Sluice wrote, in \(Self.markerSource) of log"
                            + " \(series.tags["log"] ?? "?"); drop that database if nothing else needs it")
                }
                return marker
            }
        }
    }

    /// Writes the marker over the one of its log. The database is created if it is missing, and made anew if the node
    /// cannot open its only shard: what was in it is lost in any case, and nothing else stands there. Fails unless the
    /// node answered 204.
    package func writeMarker(_ marker: Marker) -> EventLoopFuture<Void> {
        let request = Self.writeRequest(marker)
        return send(request, expecting: 204).assumeIsolated().map { _ in }.flatMapError { error in
            guard let failure = error as? InterviewFailure, failure.saysNotFound || failure.saysShardIsDamaged else {
                return self.eventLoop.makeFailedFuture(error)
            }
            let anew = failure.saysShardIsDamaged ? "DROP DATABASE \"\(Marker.database)\"; " : ""
            return self.ask(anew + Self.createStatement).assumeIsolated().flatMap { _ in
                self.send(request, expecting: 204).map { _ in }
            }.nonisolated()
        }.nonisolated()
    }

    /// With a policy of its own words: a node may be configured to make none by itself.
    static let createStatement =
        "CREATE DATABASE \"\(Marker.database)\" WITH DURATION INF REPLICATION 1 NAME \"autogen\""

    private static let markerSource = "\"\(Marker.database)\".\"autogen\".\"marker\""

    static func writeRequest(_ marker: Marker) -> NodeRequest {
        // Log ids are hexadecimal and node names are letters, digits, '.', '_' and '-': nothing needs an escape.
        let line =
            "marker,log=\(marker.logID) epoch=\(Int64(clamping: marker.epoch))i,"
            + "cursor=\(Int64(clamping: marker.cursor))i,node=\"\(marker.node)\" 0"
        return NodeRequests.write(
            database: Marker.database, retentionPolicy: "autogen", precision: "n",
            body: [ByteBuffer(string: line)])
    }
}

extension Marker {
    fileprivate init?(_ series: QuerySeries) {
        guard let log = series.tags["log"], !log.isEmpty,
            let epoch = series.first("epoch")?.int64.flatMap({ UInt64(exactly: $0) }),
            let cursor = series.first("cursor")?.int64.flatMap({ UInt64(exactly: $0) }),
            let node = series.first("node")?.string
        else { return nil }
        self.init(logID: log, epoch: epoch, cursor: cursor, node: node)
    }
}
