// `sluice status` for people.

package enum StatusText {
    package static func render(_ report: StatusReport) -> String {
        let log = report.log
        let limit = log.bytesLimit.map { " of \(bytes($0))" } ?? ""
        var lines = [
            "sluice \(report.version), up \(DurationText.render(.seconds(report.uptimeSeconds))), "
                + (report.ready.isReady ? "ready" : "NOT READY: \(report.ready.reason)"),
            "clients  \(report.listen.joined(separator: ", "))",
            "log      \(grouped(log.durableEnd - log.start)) records, \(bytes(log.bytesUsed))\(limit), epoch \(log.epoch)"
                + (log.outageBudgetSeconds.map { ", lasts \(roughly(seconds: $0)) at this rate" } ?? "")
                + (log.state == "open" ? "" : ", \(log.state.uppercased())"),
        ]
        if report.deadLetters > 0 {
            lines.append("refused  \(grouped(UInt64(report.deadLetters))) lines; see sluice deadletters list")
        }
        lines.append("")
        return lines.joined(separator: "\n") + "\n" + nodes(report.nodes)
    }

    /// The table of nodes, and below it what is to be said of each.
    package static func nodes(_ nodes: [StatusReport.NodeStatus]) -> String {
        var table = TextTable(columns: ["NODE", "SYNC", "HEALTH", ">BACKLOG", ">CURSOR", "VERSION", "URL"])
        for node in nodes {
            table.add([
                node.name, node.sync, node.health, grouped(node.backlog), grouped(node.cursor), node.version ?? "?",
                node.url,
            ])
        }
        return (table.lines() + nodes.flatMap(remarks)).joined(separator: "\n") + "\n"
    }

    private static func remarks(on node: StatusReport.NodeStatus) -> [String] {
        var lines: [String] = []
        if let reason = node.reason, !reason.isEmpty { lines.append("\(node.name): \(node.sync): \(reason)") }
        if let error = node.lastError, node.health != "up" || !node.isInSync {
            lines.append("\(node.name): last error: \(error)")
        }
        if let left = node.delayBudgetLeft, left < 0.995 {
            lines.append(
                "\(node.name): has slowed writes; \(Int((left * 100).rounded())) % of its delay budget is left")
        }
        if let diverged = node.diverged, !diverged.isEmpty {
            let shown = diverged.prefix(10).joined(separator: ", ")
            let more = diverged.count > 10 ? " and \(diverged.count - 10) more" : ""
            lines.append("\(node.name): differs from the others, not read there: \(shown)\(more)")
        }
        lines += (node.ownWork ?? []).map { "\(node.name): \($0)" }
        return lines + (node.warnings ?? []).map { "\(node.name): warning: \($0)" }
    }

    /// Seconds as a person says them: `45s`, `12m`, `5h`, `3d`.
    package static func roughly(seconds: Int) -> String {
        switch seconds {
        case ..<120: "\(seconds)s"
        case ..<7_200: "\(seconds / 60)m"
        case ..<172_800: "\(seconds / 3_600)h"
        default: "\(seconds / 86_400)d"
        }
    }

    /// 1234567 as 1,234,567.
    package static func grouped(_ number: UInt64) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    /// Binary units with one decimal.
    package static func bytes(_ count: Int) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB"]
        var value = Double(count)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        let rounded = (value * 10).rounded() / 10
        return unit == 0 || rounded == rounded.rounded()
            ? "\(Int(rounded)) \(units[unit])" : "\(rounded) \(units[unit])"
    }
}

/// Columns as wide as their widest cell; a heading that begins with `>` is set flush right.
package struct TextTable {
    private let headings: [String]
    private let isRight: [Bool]
    private var rows: [[String]] = []

    package init(columns: [String]) {
        isRight = columns.map { $0.hasPrefix(">") }
        headings = columns.map { $0.hasPrefix(">") ? String($0.dropFirst()) : $0 }
    }

    package mutating func add(_ row: [String]) {
        precondition(row.count == headings.count, "a row has as many cells as the table has columns")
        rows.append(row)
    }

    package func lines() -> [String] {
        let all = [headings] + rows
        let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                line += (column == 0 ? "" : "  ") + (isRight[column] ? padding + cell : cell + padding)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
