// Tests that hold their thread (wait for the disk, for another thread, or calculate for seconds) run on threads of their
// own. The pool of Swift concurrency has one thread per core: two such tests on two cores, and nothing that is `async`
// gets on, in whatever suite, before they end.

import Foundation
import Testing

/// `@Suite(.blocking)`: for suites whose tests hold their thread.
package struct BlockingTests: SuiteTrait, TestTrait, TestScoping {
    package var isRecursive: Bool { true }

    package func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }

    package func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(Threads.shared) { try await function() }
    }
}

extension Trait where Self == BlockingTests {
    package static var blocking: Self { Self() }
}

/// As many threads as there are cores, which take turns with what they are given.
private final class Threads: TaskExecutor {
    static let shared = Threads(count: ProcessInfo.processInfo.activeProcessorCount)

    /// Only while `lock` is held. A lock of C, because the thread sanitizer does not see what `Mutex` orders.
    private nonisolated(unsafe) var jobs: [UnownedJob] = []
    private let lock = NSLock()
    private let work = DispatchSemaphore(value: 0)

    init(count: Int) {
        for number in 0..<count {
            let thread = Thread { [self] in run() }
            thread.name = "blocking \(number)"
            // As much as a main thread has: tests may go deep.
            thread.stackSize = 8 << 20
            thread.start()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        lock.withLock { jobs.append(job) }
        work.signal()
    }

    private func run() {
        while true {
            work.wait()
            let job = lock.withLock { jobs.removeFirst() }
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
