// Lets all clients rest while the nodes are compared, and lets them go on.

import Synchronization
import TestSupport

package final class Gate: Sendable {
    private struct State {
        var isClosed = false
        var isOver = false
        var running = 0
    }

    private let state = Mutex(State())
    private let failure = Mutex<(any Error)?>(nil)

    package init() {}

    /// Runs `step` again and again until the end, resting while the gate is closed. What it throws ends the run.
    package func loop(_ step: @Sendable () async throws -> Void) async {
        while true {
            let (goes, ends) = state.withLock { state in
                if state.isOver { return (false, true) }
                if state.isClosed { return (false, false) }
                state.running += 1
                return (true, false)
            }
            if ends { return }
            if goes {
                do { try await step() } catch { fail(error) }
                state.withLock { $0.running -= 1 }
            } else {
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    /// Nobody starts a step any more; waits for those under way.
    package func close(within limit: Duration) async throws {
        state.withLock { $0.isClosed = true }
        try await eventually("all clients rest", within: limit) { state.withLock { $0.running == 0 } }
    }

    package func open() { state.withLock { $0.isClosed = false } }
    package func end() { state.withLock { $0.isOver = true } }
    package var isOver: Bool { state.withLock { $0.isOver } }

    package func fail(_ error: any Error) {
        failure.withLock { if $0 == nil { $0 = error } }
        end()
    }

    /// Throws what a client found wrong.
    package func requireNoFailure() throws {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}
