// Waiting for conditions with a deadline, so that no test sleeps and hopes; and the error that tests throw.

import Foundation

/// A failure with a message for the reader of a test report.
package struct TestFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// What must never be seen, not even for a moment: it ends a wait at once.
package struct Violation: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Asks until `condition` gives a value; throws when the deadline passes. An error from `condition` counts as "not yet"
/// and is shown if time runs out.
@discardableResult
package func eventually<T>(
    _ what: String,
    within limit: Duration = .seconds(20),
    every pause: Duration = .milliseconds(10),
    isolation: isolated (any Actor)? = #isolation,
    condition: () async throws -> T?
) async throws -> T {
    let deadline = ContinuousClock.now + limit
    var last: (any Error)?
    while true {
        do {
            if let value = try await condition() { return value }
            last = nil
        } catch let violation as Violation {
            throw violation
        } catch {
            last = error
        }
        guard ContinuousClock.now < deadline else {
            throw TestFailure("not within \(limit): \(what)" + (last.map { " (last error: \($0))" } ?? ""))
        }
        try await Task.sleep(for: pause)
    }
}

/// As above, for a condition that is just true or false.
package func eventually(
    _ what: String,
    within limit: Duration = .seconds(20),
    every pause: Duration = .milliseconds(10),
    isolation: isolated (any Actor)? = #isolation,
    holds condition: () async throws -> Bool
) async throws {
    try await eventually(what, within: limit, every: pause, isolation: isolation) { () async throws -> Bool? in
        try await condition() ? true : nil
    }
}

/// Gives something that need not happen some time to happen; for situations that a test brings about, not for what it
/// requires.
package func moment(
    _ limit: Duration,
    isolation: isolated (any Actor)? = #isolation,
    _ happens: () async throws -> Bool = { false }
) async {
    try? await eventually("it happens", within: limit, every: .milliseconds(1), isolation: isolation, holds: happens)
}

/// How long `body` took, and what it gave.
package func timed<T>(
    isolation: isolated (any Actor)? = #isolation,
    _ body: () async throws -> T
) async rethrows -> (value: T, took: Duration) {
    let start = ContinuousClock.now
    let value = try await body()
    return (value, ContinuousClock.now - start)
}

extension Duration {
    /// In seconds, as a fraction.
    package var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
