// How many points a node holds of a measurement, over which periods, and whether they are the same points.

import Cluster
import HTTPCodec
import InfluxQL
import NIOCore
import NIOHTTP1
import NodeClient

/// A stretch of time in nanoseconds since 1970; the end does not belong to it.
package struct TimeRange: Hashable, Sendable {
    package var start: Int64
    package var end: Int64

    package init(start: Int64, end: Int64) {
        self.start = start
        self.end = end
    }
}

extension NodeInterview {
    /// Points by field; fields without points are left out.
    package func points(
        of source: Inventory.Source, before end: Int64? = nil, within time: TimeAmount
    ) -> EventLoopFuture<[String: Int64]> {
        let condition = end.map { " WHERE time < \($0)" } ?? ""
        return asking("SELECT count(*) FROM \(source.quoted)\(condition)", within: time).map { series in
            series.first.map { $0.counts(row: 0) } ?? [:]
        }
    }

    /// Points of all fields by period, by the period's start; periods without points are left out.
    ///
    /// - Parameter period: in nanoseconds; periods are aligned to 1970 as `GROUP BY time()` does.
    package func points(
        of source: Inventory.Source, in range: TimeRange, per period: Int64, within time: TimeAmount
    ) -> EventLoopFuture<[Int64: [String: Int64]]> {
        let statement =
            "SELECT count(*) FROM \(source.quoted) WHERE time >= \(range.start) AND time < \(range.end)"
            + " GROUP BY time(\(period)ns) fill(none)"
        return asking(statement, within: time).map { series in
            var periods: [Int64: [String: Int64]] = [:]
            for series in series {
                for (row, time) in (series.column("time") ?? []).enumerated() {
                    guard let time = time.int64 else { continue }
                    periods[time] = series.counts(row: row)
                }
            }
            return periods.filter { !$0.value.isEmpty }
        }
    }

    /// The times of the first and the last point before `end`; nil where there is none.
    package func extent(
        of source: Inventory.Source, before end: Int64, within time: TimeAmount
    ) -> EventLoopFuture<TimeRange?> {
        func edge(_ order: String) -> EventLoopFuture<Int64?> {
            asking(
                "SELECT * FROM \(source.quoted) WHERE time < \(end) ORDER BY time \(order) LIMIT 1", within: time
            ).map { $0.first?.first("time")?.int64 }
        }
        return edge("ASC").and(edge("DESC")).map { first, last in
            guard let first, let last else { return nil }
            return TimeRange(start: first, end: last &+ 1)
        }
    }

    package func tagKeys(of source: Inventory.Source) -> EventLoopFuture<[String]> {
        let database = Quoting.identifier(source.database)
        let statement =
            "SHOW TAG KEYS ON \(database) FROM \(Quoting.identifier(source.policy)).\(Quoting.identifier(source.measurement))"
        return ask(statement).map { ($0.first?.column("tagKey") ?? []).compactMap(\.string) }
    }

    /// A digest of all points of a measurement in a range, streamed: InfluxDB answers a raw SELECT over the same points
    /// with the same bytes, whatever the order of writes or the index (reference, 7). Fields and tags must be the same
    /// on all nodes that are compared: a node also lists such as no point has any more.
    package func digest(
        of source: Inventory.Source, fields: [String], tags: [String], in range: TimeRange, within time: TimeAmount
    ) -> EventLoopFuture<UInt64> {
        let columns = fields.map { Quoting.identifier($0) + "::field" }.joined(separator: ", ")
        let groups = tags.isEmpty ? "" : " GROUP BY " + tags.map(Quoting.identifier).joined(separator: ", ")
        let statement =
            "SELECT \(columns) FROM \(source.quoted) WHERE time >= \(range.start) AND time < \(range.end)\(groups)"
        let form = "q=\(NodeRequests.percentEncoded(statement))&epoch=ns&chunked=true&chunk_size=5000"
        let promise = eventLoop.makePromise(of: UInt64.self)
        send(
            NodeRequest(
                method: .POST, target: "/query",
                headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
                body: [ByteBuffer(string: form)]),
            to: DigestReceiver(promise: promise), idle: time)
        return promise.futureResult
    }

    /// A statement that may take as long as `time`; nothing where there is no such database or policy.
    private func asking(_ statement: String, within time: TimeAmount) -> EventLoopFuture<[QuerySeries]> {
        let usual = limits
        limits.idle = time
        defer { limits = usual }
        return ask(statement).flatMapErrorThrowing { error in
            guard let failure = error as? InterviewFailure, failure.saysNotFound else { throw error }
            return []
        }
    }
}

extension Inventory.Source {
    /// As a source in a statement.
    var quoted: String { [database, policy, measurement].map(Quoting.identifier).joined(separator: ".") }
}

extension QuerySeries {
    /// The columns `count_FIELD` of a row that are above zero, by field.
    fileprivate func counts(row: Int) -> [String: Int64] {
        var counts: [String: Int64] = [:]
        for (index, column) in columns.enumerated() where column.hasPrefix("count_") && index < values[row].count {
            if let count = values[row][index].int64, count > 0 { counts[String(column.dropFirst(6))] = count }
        }
        return counts
    }
}

/// FNV-1a over the whole body; an error in it is a failure.
private final class DigestReceiver: NodeResponseReceiver {
    private let promise: EventLoopPromise<UInt64>
    private var status = 0
    private var digest: UInt64 = 0xcbf2_9ce4_8422_2325
    /// The last document so far: InfluxDB reports an error in one of its own.
    private var lastLine: [UInt8] = []

    private static let longestError = 64 << 10

    init(promise: EventLoopPromise<UInt64>) { self.promise = promise }

    func responseHead(status: Int, headers: HeaderFields) { self.status = status }

    func responseBody(_ bytes: ByteBuffer) {
        bytes.withUnsafeReadableBytes { bytes in
            for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x100_0000_01b3 }
        }
        let view = bytes.readableBytesView
        // The newline at the end of a document does not begin another.
        if let newline = view.dropLast().lastIndex(of: UInt8(ascii: "\n")) {
            lastLine = Array(view[(newline + 1)...].prefix(Self.longestError))
        } else {
            if lastLine.last == UInt8(ascii: "\n") { lastLine = [] }
            lastLine += view.prefix(max(0, Self.longestError - lastLine.count))
        }
    }

    func responseEnd() {
        if let error = ResponseErrors(lastLine).first {
            promise.fail(InterviewFailure(.refused, reason: "said \"\(error)\" while its points were read"))
        } else if status != 200 {
            promise.fail(InterviewFailure(.refused, reason: "answered \(status) while its points were read"))
        } else {
            promise.succeed(digest)
        }
    }

    func responseFailed(_ failure: NodeFailure) {
        promise.fail(InterviewFailure(.unreachable, reason: "was lost while its points were read: \(failure)"))
    }
}
