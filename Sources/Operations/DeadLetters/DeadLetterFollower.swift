// Brings refusals from the commit log into the index: a scan at the start, then only the offsets that the gateway names,
// so that following costs nothing while nothing is refused.
import Dispatch
import Logging
import ServiceLifecycle
import Synchronization

package final class DeadLetterFollower: Service {
    /// How often named offsets are stored and the cursor moves.
    static let interval = DispatchTimeInterval.milliseconds(200)

    private let source: any RefusalSource
    private let index: DeadLetterIndex
    private let logger: Logger
    private let queue = DispatchQueue(label: "sluice.deadletters")
    private let state: Mutex<State>

    private struct State {
        /// Offsets named by the gateway, not stored yet.
        var named: [UInt64] = []
        /// All below it was scanned, or would have been named by now.
        var settledEnd: UInt64
        /// The durable end one interval ago: whoever named a refusal below it has done so by now.
        var previousEnd: UInt64
        var isScanning = true
        var isFailing = false
    }

    package init(source: any RefusalSource, index: DeadLetterIndex, logger: Logger) {
        self.source = source
        self.index = index
        self.logger = logger
        let begin = max(source.indexedEnd ?? source.start, source.start)
        state = Mutex(State(settledEnd: begin, previousEnd: source.durableEnd))
        source.onRefusal { [weak self] offset in
            self?.state.withLock { $0.named.append(offset) }
        }
    }

    package func run() async throws {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now(), repeating: Self.interval)
        timer.setEventHandler { [weak self] in self?.step() }
        timer.activate()
        try? await gracefulShutdown()
        timer.cancel()
        await withCheckedContinuation { continuation in
            queue.async {
                self.step()
                continuation.resume()
            }
        }
    }

    /// One round: on the queue only.
    package func step() {
        do {
            if state.withLock({ $0.isScanning }) {
                try scan()
            } else {
                try follow()
            }
            state.withLock { $0.isFailing = false }
        } catch {
            let isNew = state.withLock { state in
                defer { state.isFailing = true }
                return !state.isFailing
            }
            if isNew {
                logger.error("dead letters cannot be indexed, they stay in the log and are tried again: \(error)")
            }
        }
    }

    /// From the cursor to what was durable when the gateway began to name offsets.
    private func scan() throws {
        let (begin, end) = state.withLock { ($0.settledEnd, $0.previousEnd) }
        var next = begin
        while next < end {
            let (found, following) = try source.refusals(from: next)
            try index.store(found)
            guard following > next else { break }
            next = following
            state.withLock { $0.settledEnd = next }
            source.setIndexedEnd(next)
        }
        state.withLock {
            $0.settledEnd = max($0.settledEnd, end)
            $0.isScanning = false
        }
        source.setIndexedEnd(max(next, end))
        try index.forget(below: max(next, end))
    }

    private func follow() throws {
        let end = source.durableEnd
        let due = state.withLock { state in state.named.filter { $0 < end } }.sorted()
        for offset in due {
            let found = try source.refusals(from: offset).found.filter { $0.recordOffset == offset }
            try index.store(found)
            state.withLock { state in state.named.removeAll { $0 == offset } }
        }
        let settled = state.withLock { state in
            state.settledEnd = max(state.settledEnd, min(state.previousEnd, state.named.min() ?? .max))
            state.previousEnd = end
            return state.settledEnd
        }
        source.setIndexedEnd(settled)
        if !due.isEmpty { try index.forget(below: settled) }
    }
}
