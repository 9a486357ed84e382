// `sluice log info` and `sluice log dump`: what is in a commit log, without opening it for writing.
import CommitLog
import Foundation
import LineProtocol

package struct LogReport {
    private let inspection: LogInspection

    /// - Parameter dataDirectory: a gateway's data folder, or the log's own folder in it.
    package init(dataDirectory: String) throws {
        let folder =
            FileManager.default.fileExists(atPath: dataDirectory + "/log") ? dataDirectory + "/log" : dataDirectory
        do {
            inspection = try LogInspection(directory: folder)
        } catch {
            throw ServingError("\(error)", advice: "name a gateway's data folder with --data-dir")
        }
    }

    // MARK: info

    package struct Info: Codable, Sendable {
        package struct Segment: Codable, Sendable {
            package var path: String
            package var base: UInt64
            package var end: UInt64
            package var bytes: UInt64
            package var epoch: UInt64
            /// Of a segment that was written anew without what all its nodes had: records left out, by number of
            /// replica set.
            package var leftOut: [String: UInt64]?
        }

        package var id: String
        package var epoch: UInt64
        package var start: UInt64
        package var end: UInt64
        package var closedCleanly: Bool
        package var cursors: [String: UInt64]
        package var segments: [Segment]
        package var damage: [String]
    }

    package var info: Info {
        Info(
            id: "\(inspection.id)", epoch: inspection.epoch, start: inspection.start.rawValue,
            end: inspection.end.rawValue,
            closedCleanly: inspection.closedCleanly, cursors: inspection.cursors.mapValues(\.rawValue),
            segments: inspection.segments.map {
                Info.Segment(
                    path: $0.path, base: $0.base.rawValue, end: $0.end.rawValue, bytes: $0.bytes, epoch: $0.epoch,
                    leftOut: $0.leftOut.map { leftOut in
                        Dictionary(uniqueKeysWithValues: leftOut.sets.map { ("\($0)", $1.count) })
                    })
            },
            damage: inspection.damage.map(\.description)
        )
    }

    package func infoText() -> String {
        let info = info
        var lines = [
            "log      \(info.id), epoch \(info.epoch), \(info.closedCleanly ? "closed in good order" : "open, or not closed in good order")",
            "records  \(StatusText.grouped(info.end - info.start)), offsets \(info.start) to \(info.end) (exclusive)",
            "", "CURSORS AT THE LAST CHECKPOINT",
        ]
        for (name, cursor) in info.cursors.sorted(by: { $0.key < $1.key }) {
            let behind = info.end > cursor ? info.end - cursor : 0
            lines.append("  \(name)  \(cursor)  (\(StatusText.grouped(behind)) records behind)")
        }
        if info.cursors.isEmpty { lines.append("  none") }
        lines.append("")
        var table = TextTable(columns: ["SEGMENT", ">FROM", ">TO", ">SIZE", ">EPOCH", ">LEFT OUT"])
        for segment in info.segments {
            table.add([
                (segment.path as NSString).lastPathComponent, String(segment.base), String(segment.end),
                StatusText.bytes(Int(clamping: segment.bytes)), String(segment.epoch),
                segment.leftOut.map { StatusText.grouped($0.values.reduce(0, +)) } ?? "",
            ])
        }
        lines.append(contentsOf: table.lines())
        lines.append(contentsOf: info.damage.map { "DAMAGE: \($0)" })
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: dump

    /// Hands over one text per record, oldest first. Passwords in statements are never part of it.
    ///
    /// - Parameters:
    ///   - first: offset to begin with; the oldest record when it is older.
    ///   - limit: records at most.
    ///   - withLines: also the points, below their record.
    package func dump(from first: UInt64?, limit: Int, withLines: Bool, to output: (String) -> Void) throws {
        var next = max(first ?? 0, inspection.start.rawValue)
        var left = limit
        while left > 0 {
            let (texts, following) = try LogScan.stretch(
                of: inspection, from: Offset(next), bytes: 1 << 20,
                onDamage: { output("DAMAGE: \($0)\n") },
                onGap: { Self.text(of: $0) },
                pick: { record, body in Self.text(of: record, body: body, withLines: withLines) }
            )
            for text in texts.prefix(left) { output(text) }
            left -= texts.count
            guard following > next else { return }
            next = following
        }
    }

    private static func text(of gap: Range<Offset>) -> String {
        "\(gap.lowerBound)  records up to \(gap.upperBound) (exclusive) were left out: all nodes that they concern have them\n"
    }

    private static func text(of record: RecordView, body: UnsafeRawBufferPointer, withLines: Bool) -> String {
        let head = "\(record.offset)  \(LogScan.text(ofTime: record.appendTime))  "
        do {
            switch record.kind {
            case .points: return head + text(of: try PointsRecord(decoding: body), body: body, withLines: withLines)
            case .mutation: return head + text(of: try MutationRecord(decoding: body))
            case .refusal: return head + text(of: try RefusalRecord(decoding: body), withLines: withLines)
            }
        } catch {
            return head + "UNREADABLE: \(error)\n"
        }
    }

    private static func text(of points: PointsRecord, body: UnsafeRawBufferPointer, withLines: Bool) -> String {
        let precision = Precision(rawValue: points.head.precision).map { "\($0)" } ?? "?"
        var text = "points    db=\(points.head.database)"
        if !points.head.retentionPolicy.isEmpty { text += " rp=\(points.head.retentionPolicy)" }
        if !points.head.user.isEmpty { text += " user=\(points.head.user)" }
        text += " precision=\(precision) lines=\(points.head.lineCount) bytes=\(points.payload.count)\n"
        if withLines {
            text += String(decoding: UnsafeRawBufferPointer(rebasing: body[points.payload]), as: UTF8.self)
        }
        return text
    }

    private static func text(of mutation: MutationRecord) -> String {
        var text = "mutation "
        if !mutation.database.isEmpty { text += " db=\(mutation.database)" }
        if !mutation.user.isEmpty { text += " user=\(mutation.user)" }
        return text + " \(mutation.redactedStatement)\n"
    }

    private static func text(of refusal: RefusalRecord, withLines: Bool) -> String {
        var text = "refusal   db=\(refusal.database) of=\(refusal.target) lines=\(refusal.totalRefused)"
        text += " node=\(refusal.node.isEmpty ? "all" : refusal.node): \(refusal.reason)\n"
        if withLines {
            for line in refusal.lines { text += "  line \(line.number): \(line.text)\n" }
        }
        return text
    }
}
