// The rows of a SELECT INTO as a node sends them: whatever comes, and however it is cut, the gateway goes on.

import FuzzEngine
import LineProtocol
import Querying

/// Input: two bytes for where the answer is cut, a byte for the rules, then the answer.
let rows = FuzzTarget("rows") { bytes in
    var input = FuzzInput(bytes)
    let cut = input.number()
    let rules = RowLines.Rules(
        measurement: input.byte() % 2 == 0 ? "m" : nil,
        tagColumns: cut % 5 == 0 ? RowLines.TagColumns(first: 2, tags: ["t"]) : nil)
    let answer = input.rest()
    let middle = min(cut, answer.count)
    let whole = outcome([answer[...]], rules)
    demand(outcome([answer[..<middle], answer[middle...]], rules) == whole, "a cut makes another answer of it")
    var scanner = LineScanner(precision: .nanoseconds, arrivalTime: 0)
    whole.lines.withUnsafeBytes { bytes in
        while case .yielded = scanner.scan(bytes, isFinal: true) {}
    }
}

private struct Outcome: Equatable {
    var lines: [UInt8] = []
    var count = 0
    var failures: [String] = []
    var isComplete = false
}

private func outcome(_ pieces: [ArraySlice<UInt8>], _ rules: RowLines.Rules) -> Outcome {
    var limits = RowStream.Limits()
    limits.unitBytes = 1 << 20
    var stream = RowStream(limits: limits)
    var rows = RowLines(rules)
    var outcome = Outcome()
    do {
        for piece in pieces {
            stream.feed(piece)
            reading: while true {
                switch try stream.next() {
                case .series(let series): try rows.begin(series)
                case .row: try rows.add(stream.row, of: stream.buffer)
                case .failure(let words): outcome.failures.append(words)
                case .needsBytes: break reading
                }
            }
        }
        outcome.isComplete = stream.isComplete
    } catch {
        outcome.failures.append("\(error)")
    }
    outcome.lines = rows.lines.bytes
    outcome.count = rows.lines.lines
    return outcome
}
