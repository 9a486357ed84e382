// One batch of points on its way, for whoever has one: into the log, onto the disk, to the nodes.
//
//   append --> durable --> acked

import Cluster
import CommitLog
import NIOCore
import Replication

/// Hears once how a write ended; on the same event loop.
protocol LoggedWriteOwner: AnyObject {
    func ended(_ end: LoggedWrite.End)
}

/// Keeps itself and its owner alive until the end.
final class LoggedWrite: AppendWaiter, AckWaiter {
    enum End {
        /// It is in the log, and that is what became of it there.
        case acked(AckOutcome)
        case notLogged(LogError)
    }

    private let context: LoopContext
    private let level: AckLevel
    private let timeout: TimeAmount
    private let owner: any LoggedWriteOwner
    private var database = ""

    /// - Parameter timeout: how long it waits for nodes once it is durable.
    init(_ level: AckLevel, timeout: TimeAmount, context: LoopContext, owner: any LoggedWriteOwner) {
        self.level = level
        self.timeout = timeout
        self.context = context
        self.owner = owner
    }

    /// Why a level cannot be reached now; known before anything is logged, so that clients which retry do not fill the
    /// log with copies.
    static func obstacle(to level: AckLevel, _ context: LoopContext) -> String? {
        let minimum = level.minimumNodes(ofConfigured: context.settings.nodes.count)
        let snapshot = context.view.current
        if minimum > 0, snapshot.fedCount < minimum {
            return "consistency \(level.rawValue) needs \(minimum) nodes, \(snapshot.fedCount) answer"
        }
        if level != .any, context.settings.withoutInSyncNode == .refuse, snapshot.ackSet.isEmpty {
            return "no node is in sync"
        }
        return nil
    }

    /// `writePayload` fills exactly `payloadBytes`. When this throws, the owner hears nothing.
    func append(
        _ head: PointsRecord.Head, payloadBytes: Int, writePayload: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(LogError) {
        database = head.database
        try context.loopLog.append(
            points: head, payloadBytes: payloadBytes, waiter: self, writePayload: writePayload)
        context.figures.writtenLines.add(Int(head.lineCount))
        context.figures.writtenBytes.add(payloadBytes)
    }

    func durable(at offset: Offset) {
        if level == .any { return acked(.acknowledged(nil)) }
        context.acks.wait(
            for: offset, lane: database, minimum: level.minimumNodes(ofConfigured: context.settings.nodes.count),
            deadline: context.eventLoop.monotonicNanoseconds + timeout.nanoseconds, waiter: self
        )
    }

    func notDurable(_ error: LogError) { owner.ended(.notLogged(error)) }
    func acked(_ outcome: AckOutcome) { owner.ended(.acked(outcome)) }
}
