// The log's only means between threads, beside atomics: a value under a lock, and a bell to sleep by.

import CPlatform
import Glibc
import Synchronization

/// A value that is reached only under a lock.
///
/// `@unchecked Sendable`: `state` is private and touched only between lock and unlock of `mutex`, so no two threads
/// ever reach it at once; `mutex` itself is made for many threads and lives as long as this object.
package final class Guarded<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var state: State

    package init(_ state: sending State) {
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        self.state = state
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    package func withLock<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure)
        -> Result
    {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}

/// One thread sleeps until somebody rings. Rings while it is awake are remembered, as one.
///
/// `@unchecked Sendable`: the pointers never change, what they point to is made for many threads, and `rung` is atomic.
final class Bell: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private let rung = Atomic(false)

    init() {
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Costs one atomic exchange while an earlier ring is still unheard.
    func ring() {
        guard !rung.exchange(true, ordering: .acquiringAndReleasing) else { return }
        // Whoever is about to sleep has seen the ring, or sleeps once the lock is free; signalled after it, it does not
        // wake up to a lock that is held.
        pthread_mutex_lock(mutex)
        pthread_mutex_unlock(mutex)
        pthread_cond_signal(condition)
    }

    /// Whether it was rung since the last call; for whoever does not sleep.
    func take() -> Bool { rung.exchange(false, ordering: .acquiringAndReleasing) }

    /// Sleeps until rung, or until the time is over.
    func wait(atMost limit: Duration? = nil) {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        guard let limit else {
            while !rung.exchange(false, ordering: .acquiringAndReleasing) {
                pthread_cond_wait(condition, mutex)
            }
            return
        }
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        let (seconds, attoseconds) = limit.components
        let nanoseconds = deadline.tv_nsec + Int(attoseconds / 1_000_000_000)
        deadline.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
        deadline.tv_nsec = nanoseconds % 1_000_000_000
        while !rung.exchange(false, ordering: .acquiringAndReleasing) {
            if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT { return }
        }
    }
}

/// A thread of the log's own, because it blocks in file calls.
struct LogThread: Sendable {
    private let thread: pthread_t

    /// Runs the body on a new thread with all signals blocked. Traps if the system has no thread left, which at
    /// start is a wrong configuration and later never happens.
    init(name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(ThreadStart(name: name, body: body))
        var thread = pthread_t()
        let code = pthread_create(&thread, nil, Self.run, start.toOpaque())
        precondition(code == 0, "cannot start a thread: errno \(code)")
        self.thread = thread
    }

    func join() {
        pthread_join(thread, nil)
    }

    private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        guard let argument else { return nil }
        let start = Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue()
        cplatform_name_thread(start.name)
        cplatform_block_signals()
        start.body()
        return nil
    }

    private final class ThreadStart: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
