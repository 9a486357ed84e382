// An event loop in virtual time. The gateway's code runs on it unchanged.

import Dispatch
import NIOCore

/// Sendable as ``Scheduler`` is.
package final class SimulatedEventLoop: EventLoop, @unchecked Sendable {
    /// Loops share the process's clock, which does not begin at zero.
    static let clockStart: UInt64 = 1_000_000_000_000

    package let scheduler: Scheduler
    /// The process that it belonged to is gone: nothing runs on it any more.
    package private(set) var isDead = false
    /// While set, nothing runs (SIGSTOP); what is due waits.
    private var isStopped = false
    private var held: [() -> Void] = []
    private var lastTask: Int64 = 0
    /// What a dead process never came to. NIO's debug builds do not let a promise end unkept.
    private var buried: [() -> Void] = []

    package init(scheduler: Scheduler) { self.scheduler = scheduler }

    package var inEventLoop: Bool { scheduler.current === self }
    package var now: NIODeadline { .uptimeNanoseconds(Self.clockStart + UInt64(scheduler.now)) }

    package func execute(_ task: @escaping @Sendable () -> Void) {
        guard !isDead else { return bury(task) }
        // A hop takes some microseconds, and tasks stay in order.
        let delay = inEventLoop ? 1 : Int64.random(in: 0...20 * microsecond, using: &scheduler.random)
        lastTask = max(lastTask, scheduler.now + delay)
        scheduler.at(lastTask) { [self] in run(task) }
    }

    package func scheduleTask<T>(deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        let promise = makePromise(of: T.self)
        let time = Int64(clamping: deadline.uptimeNanoseconds) - Int64(Self.clockStart)
        let ticket = scheduler.at(time) { [self] in
            run {
                do {
                    promise.assumeIsolated().succeed(try task())
                } catch {
                    promise.fail(error)
                }
            }
        }
        return Scheduled(promise: promise) { [scheduler] in scheduler.cancel(ticket) }
    }

    package func scheduleTask<T>(in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        scheduleTask(deadline: now + delay, task)
    }

    /// Runs it as this loop's turn, now or when the process goes on.
    package func run(_ body: @escaping () -> Void) {
        guard !isDead else { return bury(body) }
        guard !isStopped else { return held.append(body) }
        let outer = scheduler.current
        scheduler.current = self
        body()
        scheduler.current = outer
    }

    /// The process ends here.
    package func die() {
        isDead = true
        for body in held { bury(body) }
        held = []
    }

    private func bury(_ body: @escaping () -> Void) {
        assert(
            {
                buried.append(body)
                return true
            }())
    }

    package func stop() { isStopped = true }

    package func goOn() {
        isStopped = false
        let due = held
        held = []
        for body in due { run(body) }
    }

    package func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        preconditionFailure("a simulated loop ends with its process")
    }
}

/// The loops of one process. Sendable as ``Scheduler`` is.
package final class SimulatedEventLoopGroup: EventLoopGroup, @unchecked Sendable {
    package let loops: [SimulatedEventLoop]
    private var turn = 0

    package init(scheduler: Scheduler, loops: Int) {
        self.loops = (0..<loops).map { _ in SimulatedEventLoop(scheduler: scheduler) }
    }

    package func next() -> any EventLoop {
        turn += 1
        return loops[turn % loops.count]
    }

    package func any() -> any EventLoop { loops[0] }
    package func makeIterator() -> EventLoopIterator { EventLoopIterator(loops) }

    package func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        preconditionFailure("simulated loops end with their process")
    }
}
