// Brings refusals from the commit log into the index: a scan at the start, then only the offsets that the gateway names,
// so that following costs nothing while nothing is refused.
import Dispatch
import Logging
import ServiceLifecycle
import Synchronization

package final class DeadLetterFollower: Service {
    /// How often named offsets are stored and the cursor moves.
    static let interval = DispatchTimeInterval.milliseconds(200)
    /// Named offsets in memory; those that come while there are more are found by reading the log.
    static let mostNamed = 65_536

    private let source: any RefusalSource
    private let index: DeadLetterIndex
    private let logger: Logger
    private let queue = DispatchQueue(label: "sluice.deadletters")
    private let state: Mutex<State>

    private struct State {
        /// Offsets named by the gateway, not stored yet.
        var named: [UInt64] = []
        /// The range in which offsets were named that are not in `named`.
        var unnamed: ClosedRange<UInt64>?
        /// All below it was scanned, or would have been named by now.
        var settledEnd: UInt64
        /// The durable end one interval ago: whoever named a refusal below it has done so by now.
        var previousEnd: UInt64
        var isScanning = true
        var isFailing = false

        mutating func name(_ offset: UInt64) {
            guard named.count >= DeadLetterFollower.mostNamed else { return named.append(offset) }
            let range = unnamed ?? offset...offset
            unnamed = min(range.lowerBound, offset)...max(range.upperBound, offset)
        }

        var lowest: UInt64 { min(named.min() ?? .max, unnamed?.lowerBound ?? .max) }
    }

    package init(source: any RefusalSource, index: DeadLetterIndex, logger: Logger) {
        self.source = source
        self.index = index
        self.logger = logger
        let begin = max(source.indexedEnd ?? source.start, source.start)
        state = Mutex(State(settledEnd: begin, previousEnd: source.durableEnd))
        source.onRefusal { [weak self] offset in
            self?.state.withLock { $0.name(offset) }
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
                try index.attach(log: source.logID)
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
        let next = try read(begin, to: end) { next in
            state.withLock { $0.settledEnd = next }
            source.setIndexedEnd(next)
        }
        // Forgotten before the cursor passes: a crash in between must not bring purged letters back.
        try index.forget(below: max(next, end))
        state.withLock {
            $0.settledEnd = max($0.settledEnd, end)
            $0.isScanning = false
        }
        source.setIndexedEnd(max(next, end))
    }

    /// Stores all refusals of a range; `passed` is called with how far it has come.
    private func read(_ begin: UInt64, to end: UInt64, passed: (UInt64) -> Void) throws -> UInt64 {
        var next = begin
        while next < end {
            let (found, following) = try source.refusals(from: next)
            try index.store(found)
            guard following > next else { break }
            next = following
            passed(next)
        }
        return next
    }

    private func follow() throws {
        let end = source.durableEnd
        let (due, range) = state.withLock { state in (state.named.filter { $0 < end }.sorted(), state.unnamed) }
        try store(due)
        if let range, range.upperBound < end {
            _ = try read(range.lowerBound, to: range.upperBound + 1) { _ in }
            state.withLock { state in if state.unnamed == range { state.unnamed = nil } }
        }
        let settled = state.withLock { state in
            state.settledEnd = max(state.settledEnd, min(state.previousEnd, state.lowest))
            state.previousEnd = end
            return state.settledEnd
        }
        if !due.isEmpty || range != nil { try index.forget(below: settled) }
        source.setIndexedEnd(settled)
    }

    /// Stores the refusals at these offsets: neighbours are read and written together.
    private func store(_ offsets: [UInt64]) throws {
        var rest = offsets[...]
        while let first = rest.first {
            let (found, next) = try source.refusals(from: first)
            let reached = max(next, first + 1)
            let covered = rest.prefix { $0 < reached }
            let due = Set(covered)
            try index.store(found.filter { due.contains($0.recordOffset) })
            rest = rest.dropFirst(covered.count)
            state.withLock { state in state.named.removeAll { due.contains($0) } }
        }
    }
}
