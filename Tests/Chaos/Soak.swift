// Steady load for a long time with a node that flaps: nothing may grow, and no client may notice.

import TestSupport

struct Soak: Sendable {
    let settings: ChaosSettings
    let minutes: Int

    init(_ settings: ChaosSettings, minutes: Int) {
        self.settings = settings
        self.minutes = minutes
    }

    func run() async throws {
        throw TestFailure("not yet")
    }
}
