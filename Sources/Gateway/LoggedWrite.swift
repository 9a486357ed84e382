// One batch of points on its way, for whoever has one: split by replica set, into the log, onto the disk, to the nodes.
//
//   append --> durable --> acked      each part by itself, all in one entry of the log
//                            all parts: ended, with the verdict that one InfluxDB would have given

import Cluster
import CommitLog
import NIOCore
import Replication

/// Hears once how a write ended; on the same event loop, and never within `append`.
protocol LoggedWriteOwner: AnyObject {
    func ended(_ end: LoggedWrite.End)
}

/// Its parts keep it and its owner alive until the end.
final class LoggedWrite {
    enum End {
        /// It is in the log, and that is what became of it there.
        case acked(AckOutcome)
        case notLogged(LogError)
    }

    /// Why nothing was logged.
    enum Problem: Error {
        case log(LogError)
        /// What the write asks for cannot be had now, in words.
        case unreachable(String)
    }

    private let context: LoopContext
    private let level: AckLevel
    private let timeout: TimeAmount
    private let owner: any LoggedWriteOwner
    private var verdicts = SplitVerdict()

    /// - Parameter timeout: how long it waits for nodes once it is durable.
    init(_ level: AckLevel, timeout: TimeAmount, context: LoopContext, owner: any LoggedWriteOwner) {
        self.level = level
        self.timeout = timeout
        self.context = context
        self.owner = owner
    }

    /// Why a level cannot be reached now; known before anything is logged, so that clients which retry do not fill the
    /// log with copies.
    static func obstacle(to level: AckLevel, of nodes: NodeSet, _ context: LoopContext) -> String? {
        let minimum = minimum(for: level, of: nodes, context)
        let needsOneInSync = level != .any && context.settings.withoutInSyncNode == .refuse
        guard minimum > 0 || needsOneInSync else { return nil }
        let snapshot = context.view.current
        if minimum > 0 {
            let fed = snapshot.fed.intersection(nodes).intersection(context.waitedFor).count
            if fed < minimum {
                return "consistency \(level.rawValue) needs \(minimum) nodes\(place(nodes, context)), \(fed) answer"
            }
        }
        if needsOneInSync, snapshot.ackSet.isDisjoint(with: nodes) {
            return "no node\(place(nodes, context)) is in sync"
        }
        return nil
    }

    /// How many of a replica set's nodes have to have applied a record at the least.
    private static func minimum(for level: AckLevel, of nodes: NodeSet, _ context: LoopContext) -> Int {
        level.minimumNodes(ofConfigured: nodes.intersection(context.waitedFor).count)
    }

    private static func place(_ nodes: NodeSet, _ context: LoopContext) -> String {
        nodes == context.settings.placement.all ? "" : " of \(context.names(nodes))"
    }

    /// `writePayload` fills exactly `payloadBytes`. When this throws, the owner hears nothing.
    func append(
        _ head: PointsRecord.Head, payloadBytes: Int, writePayload: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(Problem) {
        switch context.placement.route(head.database) {
        case .whole(let nodes):
            try check(nodes)
            let number = try number(of: nodes)
            let part = Part(self, 0, database: head.database, nodes: nodes)
            verdicts.awaited = 1
            try append(part, head, payloadBytes: payloadBytes, number, endsEntry: true, writePayload)
        case .byMeasurement(let key):
            let payload = [UInt8](unsafeUninitializedCapacity: payloadBytes) { bytes, count in
                writePayload(
                    UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(bytes)[..<payloadBytes]))
                count = payloadBytes
            }
            try append(split: payload, head, key)
        }
    }

    private func append(
        split payload: [UInt8], _ head: PointsRecord.Head, _ key: PlacementCache.Key
    ) throws(Problem) {
        let split = payload.withUnsafeBytes {
            PayloadSplit($0, database: head.database, key, cache: &context.placement)
        }
        var numbers: [UInt16] = []
        for part in split.parts {
            try check(part.nodes)
            numbers.append(try number(of: part.nodes))
        }
        verdicts.awaited = split.parts.count
        if let unplaced = split.unplaced {
            context.figures.unplacedLines.add(unplaced.lines)
            verdicts.addUnplaced(lines: unplaced.lines, measurement: unplaced.measurement)
            if split.parts.isEmpty { return endLater() }
        }
        for (index, lines) in split.parts.enumerated() {
            let part = Part(self, index, database: head.database, nodes: lines.nodes)
            let head = PointsRecord.Head(
                database: head.database, retentionPolicy: head.retentionPolicy, precision: head.precision,
                lineCount: UInt32(lines.lines))
            let isLast = index == split.parts.count - 1
            try append(part, head, payloadBytes: lines.bytes, numbers[index], endsEntry: isLast) { room in
                payload.withUnsafeBytes { lines.write($0, into: room) }
            }
        }
    }

    private func check(_ nodes: NodeSet) throws(Problem) {
        if let reason = Self.obstacle(to: level, of: nodes, context) { throw .unreachable(reason) }
    }

    private func number(of nodes: NodeSet) throws(Problem) -> UInt16 {
        if let number = context.replicaSets.number(of: nodes) { return number }
        throw .unreachable("the table of replica sets is not on disk yet")
    }

    private func append(
        _ part: Part, _ head: PointsRecord.Head, payloadBytes: Int, _ number: UInt16, endsEntry: Bool,
        _ writePayload: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(Problem) {
        do throws(LogError) {
            try context.loopLog.append(
                points: head, payloadBytes: payloadBytes, replicaSet: number, endsEntry: endsEntry, waiter: part,
                writePayload: writePayload)
        } catch {
            if case .full(.part(_, let backlog, _)) = error {
                throw .unreachable(
                    "the log has no more room for nodes that lag behind: it keeps \(backlog) bytes for "
                        + context.names(part.nodes))
            }
            throw .log(error)
        }
        context.figures.writtenLines.add(Int(head.lineCount))
        context.figures.writtenBytes.add(payloadBytes)
    }

    private func endLater() {
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { here.value.owner.ended(.acked(here.value.verdicts.outcome)) }
    }

    private func acked(_ outcome: AckOutcome, of part: Int) {
        verdicts.add(outcome, of: part)
        if verdicts.awaited == 0 { owner.ended(.acked(verdicts.outcome)) }
    }

    /// One entry: all parts are told the same.
    private func notDurable(_ error: LogError) {
        verdicts.awaited -= 1
        if verdicts.awaited == 0 { owner.ended(.notLogged(error)) }
    }

    /// The lines for one replica set.
    private final class Part: AppendWaiter, AckWaiter {
        private let write: LoggedWrite
        private let number: Int
        private let database: String
        let nodes: NodeSet

        init(_ write: LoggedWrite, _ number: Int, database: String, nodes: NodeSet) {
            self.write = write
            self.number = number
            self.database = database
            self.nodes = nodes
        }

        func durable(at offset: Offset) {
            if write.level == .any { return acked(.acknowledged(nil)) }
            let context = write.context
            context.acks.wait(
                for: offset, lane: database, of: nodes,
                minimum: LoggedWrite.minimum(for: write.level, of: nodes, context),
                deadline: context.eventLoop.monotonicNanoseconds + write.timeout.nanoseconds, waiter: self)
        }

        func notDurable(_ error: LogError) { write.notDurable(error) }
        func acked(_ outcome: AckOutcome) { write.acked(outcome, of: number) }
    }
}
