// `sluice doctor` for people.

import Foundation

package enum DoctorText {
    package static func render(_ report: DoctorReport) -> String {
        var table = TextTable(columns: ["NODE", "VERSION", "INDEX", ">CLOCK", ">DATABASES", ">VALUES", "URL"])
        for node in report.nodes {
            table.add([
                node.name, node.version ?? "?", node.index ?? "?",
                node.clockOffsetMilliseconds.map { "\($0 > 0 ? "+" : "")\($0) ms" } ?? "?",
                node.databases.map(String.init) ?? "?",
                node.points.map { StatusText.grouped(UInt64(max(0, $0))) } ?? "?", node.url,
            ])
        }
        var lines = table.lines() + [""]
        for finding in report.findings {
            lines.append("\(finding.severity.rawValue.uppercased()): \(finding.text)")
            lines.append("    \(finding.advice)")
        }
        if !report.findings.isEmpty { lines.append("") }
        lines.append(summary(report))
        return lines.joined(separator: "\n") + "\n"
    }

    private static func summary(_ report: DoctorReport) -> String {
        let count = report.findings.count { $0.severity > .note }
        let found = count == 0 ? "Nothing to worry about was found" : "\(count) finding(s)"
        let compared = report.comparedBefore.map { "; points before \($0) were compared" } ?? ""
        let missing = report.isComplete ? "" : "; NOT every node could be looked at"
        return found + compared + missing + "."
    }

    /// RFC 3339 in UTC, with as many digits as the second needs.
    static func time(_ nanoseconds: Int64) -> String {
        var seconds = nanoseconds / 1_000_000_000
        var rest = nanoseconds % 1_000_000_000
        if rest < 0 {
            seconds -= 1
            rest += 1_000_000_000
        }
        let text = Date(timeIntervalSince1970: TimeInterval(seconds)).ISO8601Format()
        guard rest > 0 else { return text }
        var digits = String(String(1_000_000_000 + rest).dropFirst())
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(text.dropLast()).\(digits)Z"
    }
}
