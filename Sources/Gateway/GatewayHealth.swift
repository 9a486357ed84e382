// What load balancers and version 2 clients ask before they send anything: `/health` and `/ready`, the gateway's own.

import Cluster
import NIOCore
import Querying

extension LoopContext {
    /// Why a write at the configured level could not be answered now; nil: it could.
    private var obstacle: String? {
        let figures = log.figures
        if figures.isPoisoned { return "the commit log cannot be written" }
        if figures.isFull { return "the commit log is full" }
        if let reason = writeObstacle(of: settings.placement.replicaSets) { return reason }
        guard view.current.ackSet.isEmpty, settings.ack != .any,
            settings.ack != .insync || settings.withoutInSyncNode == .refuse
        else { return nil }
        return "no node is in sync"
    }

    /// Why nothing can be written to a database at the configured level now; nil: some or all can be.
    func writeObstacle(in database: String) -> String? {
        writeObstacle(of: settings.placement.replicaSets(database: database))
    }

    private func writeObstacle(of sets: Set<NodeSet>) -> String? {
        let reasons = sets.map { LoggedWrite.obstacle(to: settings.ack, of: $0, self) }
        return reasons.contains(nil) ? nil : reasons.compactMap { $0 }.min()
    }

    /// As InfluxDB 1.8 says it.
    var health: Response {
        let obstacle = obstacle
        let fields = [
            ("checks", Array("[]".utf8)),
            ("message", JSONText.quoted(obstacle ?? "ready for queries and writes")),
            ("name", JSONText.quoted("influxdb")),
            ("status", JSONText.quoted(obstacle == nil ? "pass" : "fail")),
            ("version", JSONText.quoted(version)),
        ]
        return Self.answer(fields, isGood: obstacle == nil)
    }

    /// In the form of InfluxDB 2.
    var readiness: Response {
        let obstacle = obstacle
        var fields = [("status", JSONText.quoted(obstacle == nil ? "ready" : "not ready"))]
        if let obstacle { fields.append(("message", JSONText.quoted(obstacle))) }
        return Self.answer(fields, isGood: obstacle == nil)
    }

    private static func answer(_ fields: [(name: String, value: [UInt8])], isGood: Bool) -> Response {
        let members = fields.map { JSONText.quoted($0.name) + Array(":".utf8) + $0.value }
        let body = Array("{".utf8) + members.joined(separator: Array(",".utf8)) + Array("}".utf8)
        var response = Response.json(ByteBuffer(bytes: body), status: isGood ? 200 : 503)
        if !isGood { response.headers.append(("Retry-After", "1")) }
        return response
    }
}
