// docs/statements.md says of every statement what the code does with it.
import Foundation
import InfluxQL
import Querying
import TestSupport
import Testing

@Test("docs/statements.md has the row of every statement that classifier and presets give")
func documentedStatements() throws {
    let text = try String(contentsOf: ProjectFolder.url.appending(path: "docs/statements.md"), encoding: .utf8)
    let begin = try #require(text.range(of: "<!-- statements begin -->\n"))
    let end = try #require(text.range(of: "<!-- statements end -->"))
    let expected = rows().joined(separator: "\n") + "\n"
    #expect(text[begin.upperBound..<end.lowerBound] == expected, "write this between the two marks:\n\(expected)")
}

private func rows() -> [String] {
    let presets = Policy.Preset.allCases
    let heads = ["statement", "name", "effect", "what Sluice does"] + presets.map { "`\($0.rawValue)`" }
    func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
    return [row(heads), row(heads.map { _ in "---" })]
        + StatementKind.allCases.map { kind in
            row(
                [kind.words, "`\(kind.name)`", effect(kind), treatment(kind)]
                    + presets.map { stance($0.stance(on: kind)) })
        }
}

private func effect(_ kind: StatementKind) -> String {
    switch kind.effect {
    case .read: "read"
    case .mutation: "mutation"
    case .perNode: "per node"
    }
}

private func treatment(_ kind: StatementKind) -> String {
    switch kind.effect {
    case .read where kind.describesOneNode: "one in-sync node answers, of itself"
    case .read where HiddenRows.Listing(kind) != nil: "one in-sync node answers; Sluice's own database is left out"
    case .read: "one in-sync node answers"
    case .mutation where kind == .selectInto: "read from one in-sync node, written through the log"
    case .mutation: "a record in the log, which every node runs in order"
    case .perNode: "refused, unless `X-Sluice-Node` names the node: then that node runs it"
    }
}

private func stance(_ stance: Policy.Preset.Stance) -> String {
    switch stance {
    case .allowed: "yes"
    case .refused: "no"
    case .oneMeasurement: "one measurement"
    }
}
