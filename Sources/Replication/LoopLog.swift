// One event loop's way into the commit log: appends without waiting, and hears of its records in the order in which it
// appended them.

import Cluster
import CommitLog
import NIOCore

/// Whoever appended a record and waits for it to be durable.
package protocol AppendWaiter: AnyObject {
    func durable(at offset: Offset)
    func notDurable(_ error: LogError)
}

package final class LoopLog {
    private let appender: LogAppender
    private let eventLoop: any EventLoop
    /// The loop's present turn ends with a word to the log.
    private var isRingDue = false
    private var waiting = CircularBuffer<any AppendWaiter>()
    /// Of the entry that has not ended.
    private var openRecords = 0
    /// Told of every refusal that became durable: the index of dead letters is not in the way of data.
    private let refusalDurable: @Sendable (Offset) -> Void

    private init(appender: LogAppender, eventLoop: any EventLoop, refusalDurable: @escaping @Sendable (Offset) -> Void)
    {
        self.appender = appender
        self.eventLoop = eventLoop
        self.refusalDurable = refusalDurable
    }

    /// Must be called on `eventLoop`.
    package static func make(
        log: CommitLog, eventLoop: any EventLoop, refusalDurable: @escaping @Sendable (Offset) -> Void
    ) -> LoopLog {
        eventLoop.preconditionInEventLoop()
        let box = NIOLoopBoundBox<LoopLog?>(nil, eventLoop: eventLoop)
        let appender = log.makeAppender { completion in
            eventLoop.execute { box.value?.completed(completion) }
        }
        let loopLog = LoopLog(appender: appender, eventLoop: eventLoop, refusalDurable: refusalDurable)
        box.value = loopLog
        return loopLog
    }

    /// How many records are on their way to the disk.
    package var waitingCount: Int { waiting.count }

    /// Appends points; `writePayload` fills exactly `payloadBytes`. What is appended within one turn of the loop goes to
    /// the disk together.
    /// - Parameters:
    ///   - endsEntry: false: what is appended next belongs to them; after a crash both are there, or none. An error then
    ///     drops both, and nobody hears of either but by it.
    package func append(
        points head: PointsRecord.Head, payloadBytes: Int, replicaSet: UInt16, endsEntry: Bool = true,
        waiter: any AppendWaiter, writePayload: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(LogError) {
        do throws(LogError) {
            try appender.append(
                points: head, payloadBytes: payloadBytes, replicaSet: replicaSet, endsEntry: endsEntry,
                isLast: false, writePayload: writePayload)
        } catch {
            waiting.removeLast(openRecords)
            openRecords = 0
            throw error
        }
        waiting.append(waiter)
        openRecords = endsEntry ? 0 : openRecords + 1
        if endsEntry { ringAtEndOfTurn() }
    }

    private func ringAtEndOfTurn() {
        guard !isRingDue else { return }
        isRingDue = true
        eventLoop.assumeIsolated().execute {
            self.isRingDue = false
            self.appender.ring()
        }
    }

    /// Appends a record that is an entry of its own, for all nodes.
    package func append(_ body: some RecordBody, waiter: any AppendWaiter) throws(LogError) {
        try appender.append(body, replicaSet: ReplicaSetNumbers.all)
        waiting.append(waiter)
    }

    /// Appends them as one entry: after a crash all of them are there, or none.
    package func append(_ refusals: [RefusalRecord], replicaSet: UInt16, whenDurable: @escaping (Bool) -> Void) {
        guard let last = refusals.indices.last else { return whenDurable(true) }
        do throws(LogError) {
            for (index, refusal) in refusals.enumerated() {
                try appender.append(refusal, replicaSet: replicaSet, endsEntry: index == last)
            }
        } catch {
            return whenDurable(false)
        }
        let told = refusalDurable
        for index in refusals.indices {
            waiting.append(
                ClosureWaiter { result in
                    if case .success(let offset) = result { told(offset) }
                    if index == last { whenDurable((try? result.get()) != nil) }
                })
        }
    }

    private func completed(_ completion: CommitLog.Completion) {
        switch completion {
        case .durable(let first, let count):
            for index in 0..<count { waiting.popFirst()?.durable(at: first.advanced(by: index)) }
        case .failed(let error, let count):
            for _ in 0..<count { waiting.popFirst()?.notDurable(error) }
        }
    }
}

private final class ClosureWaiter: AppendWaiter {
    private let whenDone: (Result<Offset, LogError>) -> Void

    init(_ whenDone: @escaping (Result<Offset, LogError>) -> Void) { self.whenDone = whenDone }

    func durable(at offset: Offset) { whenDone(.success(offset)) }
    func notDurable(_ error: LogError) { whenDone(.failure(error)) }
}
