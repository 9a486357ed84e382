// Who waits for the next checkpoint without blocking.

package struct CheckpointRequests {
    package typealias Tell = @Sendable (Result<Void, LogError>) -> Void

    private var waiting: [Tell] = []
    private var isClosed = false

    /// False: the last checkpoint is over.
    mutating func add(_ tell: @escaping Tell) -> Bool {
        guard !isClosed else { return false }
        waiting.append(tell)
        return true
    }

    mutating func take() -> [Tell] {
        defer { waiting = [] }
        return waiting
    }

    mutating func close() -> [Tell] {
        isClosed = true
        return take()
    }
}
