// Dead letters for people: the list of reasons, the list of lines, and what a retry or a purge would do.

package enum DeadLetterText {
    package static func render(_ summary: DeadLetterSummary) -> String {
        guard !summary.reasons.isEmpty else { return none(total: summary.total) }
        var table = TextTable(columns: [
            "DATABASE", "MEASUREMENT", ">KEPT", ">REFUSED", "FIRST", "LAST", "REASON",
        ])
        for reason in summary.reasons {
            table.add([
                printable(reason.database), reason.measurement.isEmpty ? "(several)" : printable(reason.measurement),
                grouped(reason.kept), grouped(reason.refused), reason.first, reason.last, printable(reason.reason),
            ])
        }
        var lines = table.lines() + [""]
        for reason in summary.reasons.prefix(5) {
            let place = [reason.database, reason.measurement].filter { !$0.isEmpty }.map { printable($0) }
            lines.append("\(place.joined(separator: " ")): for example  \(printable(reason.example, limit: 100))")
        }
        lines += [
            "", "\(grouped(summary.total)) lines were refused since the index began.",
            "sluice deadletters list --lines shows single lines, sluice deadletters retry --help how to write them again.",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    package static func render(_ list: DeadLetterList) -> String {
        guard !list.deadLetters.isEmpty else { return none(total: list.total) }
        var table = TextTable(columns: [">ID", "TIME", "REFUSED BY", "DATABASE", "MEASUREMENT", "REASON"])
        for letter in list.deadLetters {
            table.add([
                String(letter.id), letter.time, refusedBy(letter), printable(letter.database),
                printable(letter.measurement), printable(letter.reason),
            ])
        }
        return table.lines().joined(separator: "\n") + "\n\n\(grouped(list.total)) lines were refused since the index "
            + "began; sluice deadletters show ID prints one.\n"
    }

    package static func render(_ letter: DeadLetter) -> String {
        """
        refused    \(letter.time)
        by         \(refusedBy(letter))
        database   \(printable(letter.database))
        policy     \(letter.retentionPolicy.isEmpty ? "the default" : printable(letter.retentionPolicy))
        precision  \(letter.precision ?? "not known")
        record     \(letter.offset), line \(letter.lineNumber)
        reason     \(printable(letter.reason))

        \(letter.line)

        """
    }

    package static func render(_ plan: RetryPlan) -> String {
        var lines: [String] = []
        if !plan.parts.isEmpty {
            var table = TextTable(columns: ["DATABASE", "POLICY", "MEASUREMENT", ">LINES", "REFUSED FOR"])
            for part in plan.parts {
                table.add([
                    printable(part.database),
                    part.retentionPolicy.isEmpty ? "default" : printable(part.retentionPolicy),
                    printable(part.measurement), grouped(part.lines), printable(part.reason),
                ])
            }
            lines += table.lines() + [""]
        }
        for part in plan.parts where part.stillConflicting > 0 {
            lines.append(
                "\(grouped(part.stillConflicting)) of \(grouped(part.lines)) lines of \(printable(part.measurement)) would be "
                    + "refused again, the conflict still stands: \(part.conflicts.map { printable($0) }.joined(separator: "; "))"
            )
        }
        if !plan.knowsFieldTypes {
            lines.append("The gateway did not say all types of fields, so more lines than these may be refused again.")
        }
        if plan.withoutPrecision > 0 {
            lines.append(
                "\(grouped(plan.withoutPrecision)) lines stay: an older version did not keep the unit of their timestamps."
            )
        }
        if plan.notText > 0 {
            lines.append("\(grouped(plan.notText)) lines stay: they are not UTF-8 and were not kept byte for byte.")
        }
        if plan.refusedByOneNode > 0 {
            lines.append(
                "\(grouped(plan.refusedByOneNode)) lines were refused by one node alone: the others have them already.")
        }
        guard plan.lines > 0 else { return (lines + ["Nothing would be written."]).joined(separator: "\n") + "\n" }
        lines.append(
            "\(grouped(plan.lines)) lines would be written, with their own timestamps, as if they came now: where a newer "
                + "value of the same point was written since, the old one would replace it.")
        return lines.joined(separator: "\n") + "\n"
    }

    package static func render(_ outcome: RetryOutcome) -> String {
        var parts = ["\(grouped(outcome.taken)) lines were taken"]
        if outcome.refusedAgain > 0 {
            parts.append("\(grouped(outcome.refusedAgain)) were refused again and stay with the new reason")
        }
        if outcome.left > 0 { parts.append("\(grouped(outcome.left)) were not written and stay") }
        return parts.joined(separator: "; ") + ".\n"
    }

    private static func none(total: Int) -> String {
        total == 0 ? "No dead letters.\n" : "None of \(grouped(total)) refused lines is kept under this selection.\n"
    }

    private static func refusedBy(_ letter: DeadLetter) -> String { letter.node.isEmpty ? "all nodes" : letter.node }

    private static func grouped(_ number: Int) -> String { StatusText.grouped(UInt64(max(0, number))) }

    /// Names and texts come from clients: control characters must not reach a terminal.
    static func printable(_ text: String, limit: Int = 300) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(limit) {
            let isControl = scalar.value < 0x20 || (0x7f..<0xa0).contains(scalar.value)
            result += isControl ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
        return text.unicodeScalars.count > limit ? result + "…" : result
    }
}
