// Two writes of the same points, the older in a large batch: whatever happens to the first request on its way, the newer
// values have to stand in the end, and none of the other points may be missing.

import Foundation

package struct Overwrite: Sendable {
    package let measurement: String
    /// Lines of the older write, each a series of its own with one point.
    package var lines = 10_000
    /// The first point's time, in nanoseconds.
    package var time = 1_700_000_000_000_000_000
    /// Put into the older write before (at 0) or after its own lines: lines that are not part of the contest.
    package var before = ""
    package var after = ""

    package init(_ measurement: String, lines: Int = 10_000) {
        self.measurement = measurement
        self.lines = lines
    }

    package var older: String {
        before + (0..<lines).map { line($0, value: 1) }.joined() + after
    }

    /// Overwrites the first, the last and a point in the middle.
    package var newer: String {
        contested.map { line($0, value: 2) }.joined()
    }

    private var contested: Set<Int> { [0, lines / 2, lines - 1] }

    private func line(_ number: Int, value: Int) -> String {
        "\(measurement),s=\(number) v=\(value)i \(time + number)\n"
    }

    /// Throws unless the newer values stand on `node` and no other point is missing.
    package func requireNewest(on node: InfluxNode, db: String) async throws {
        func count(_ value: Int) async throws -> Int {
            let range = "time >= \(time) AND time < \(time + lines)"
            let question = "SELECT count(v) FROM \(quoted(measurement)) WHERE v = \(value) AND \(range)"
            return try await node.client.firstRow(question, db: db)?.first.flatMap { Int($0) } ?? 0
        }
        let (new, old) = (try await count(2), try await count(1))
        if new != contested.count {
            throw TestFailure(
                "on \(node.name) \(new) of \(contested.count) overwritten points of \(measurement) have the newer value"
            )
        }
        if old != lines - contested.count {
            throw TestFailure(
                "on \(node.name) \(old) of \(lines - contested.count) other points of \(measurement) are there")
        }
    }
}
