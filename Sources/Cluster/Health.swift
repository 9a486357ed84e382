// Whether a node answers at all. Health says nothing about its data: that is the sync state (S2).

/// Up or down from pings alone: down after a number of misses in a row, up again at the first answer.
package struct Health: Equatable, Sendable {
    package enum Change: Equatable, Sendable { case cameUp, wentDown }

    /// False until the first answer: a node that was never reached is not up.
    package private(set) var isUp = false
    /// Pings in a row without an answer; it goes on counting while the node is down.
    package private(set) var misses = 0
    private let missesUntilDown: Int

    package init(missesUntilDown: Int = 3) {
        precondition(missesUntilDown > 0)
        self.missesUntilDown = missesUntilDown
    }

    package mutating func answered() -> Change? {
        misses = 0
        guard !isUp else { return nil }
        isUp = true
        return .cameUp
    }

    package mutating func missed() -> Change? {
        misses += 1
        guard isUp, misses >= missesUntilDown else { return nil }
        isUp = false
        return .wentDown
    }
}
