// One SELECT INTO: the rows of one node, as they come, become points for the log, batch by batch.
//
//   check target --> read --> batch --> log --> acked by the nodes --+--> result
//                      ^                                             |
//                      +---------------------------------------------+
//
// While one batch waits for the nodes the next is filled; then the node is not read any further. So memory is two
// batches and what the sockets hold, however much is copied.

import Cluster
import CommitLog
import HTTPCodec
import InfluxQL
import LineProtocol
import NIOCore
import Querying
import Replication

final class SelectIntoExecution: ReadSink, LoggedWriteOwner {
    enum End {
        /// In JSON, numbered from 0.
        case result([UInt8])
        /// The statement's error; what was written before it stays.
        case failed(String)
        /// Nothing was written; the answer if this is the request's first statement.
        case refused(Response)
    }

    private let statement: SelectInto
    private let now: Int64
    private let parameters: [String: BoundValue]
    private let footprint: ReadFootprint
    private let request: ClientQuery
    private let context: LoopContext
    private let whenDone: (End) -> Void

    private var read: ReadExecution?
    private var status = 0
    private var isMessagePack = false
    /// The body of an answer that is no rows.
    private var otherBody: [UInt8] = []
    private var stream = RowStream()
    private var rows = RowLines(RowLines.Rules())
    /// Nothing more comes from the node; how it ends once what is under way is written.
    private var ending: End?
    private var isReadOver = false
    private var isPaused = false
    private var isPolicyKnown = false
    /// Points that wait for the nodes, or for what a node says of the retention policy.
    private var underWay = 0
    private var written = 0
    /// It ended for a reason that will pass.
    private var isInterrupted = false
    private var isDone = false

    /// As many points as InfluxDB itself writes at once for INTO [1.6.7]: so its error says the same of the same points.
    private static let batchPoints = 10_000
    private static let batchBytes = 1 << 20
    /// How long a batch waits for the nodes. A client's write waits less, because agents give up; here nobody does, and
    /// giving up would cost the whole statement.
    private static let ackTimeout = TimeAmount.seconds(30)
    /// How long a node may compute without a row to show for it: what takes minutes is what INTO is made for.
    private static let idleTimeout = TimeAmount.minutes(30)
    private static let largestOtherBody = 64 << 10

    /// - Parameters:
    ///   - now: what `now()` means, in nanoseconds since the epoch.
    ///   - parameters: the values of bound parameters.
    ///   - whenDone: called once, not from within `start`, and not after `cancel`.
    init(
        _ statement: SelectInto, at now: Int64, parameters: [String: BoundValue], footprint: ReadFootprint,
        request: ClientQuery, context: LoopContext, whenDone: @escaping (End) -> Void
    ) {
        self.statement = statement
        self.now = now
        self.parameters = parameters
        self.footprint = footprint
        self.request = request
        self.context = context
        self.whenDone = whenDone
    }

    /// InfluxDB looks at the database of the target before anything else, at its retention policy when it writes.
    func start() {
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute { here.value.checkDatabase() }
    }

    func cancel() {
        isDone = true
        read?.cancel()
        read = nil
    }

    private func checkDatabase() {
        guard !isDone else { return }
        guard !statement.database.isEmpty else { return finish(.failed("database name required")) }
        let admission = context.admission.existing(statement.database) { [weak self] in self?.databaseKnown($0) }
        if let admission { databaseKnown(admission) }
    }

    private func databaseKnown(_ admission: Admission) {
        guard !isDone else { return }
        if case .refused(let response) = admission {
            return finish(
                response.status == 404 ? .failed("database not found: \(statement.database)") : .refused(response))
        }
        if let reason = context.writeObstacle(in: statement.database) {
            context.figures.refused.add(1)
            return finish(.refused(.unavailable(reason, retryAfter: 1)))
        }
        do throws(SelectInto.Problem) {
            let halves = try statement.halves(at: now, parameters: parameters)
            rows = RowLines(halves.rules)
            // What a node lacks would be lacking in the copy for good.
            var settings = request.settings(context.settings.read)
            settings.allowStale = false
            settings.leastIdleTimeout = Self.idleTimeout
            let read = ReadExecution(
                request: request.rows(halves.text), footprint: footprint, targets: context, settings: settings,
                turn: context.nextTurn(), within: context.within(statement.within), eventLoop: context.eventLoop,
                logger: context.logger, sink: self
            )
            self.read = read
            read.start()
        } catch {
            finish(.failed(error.message))
        }
    }

    // MARK: Rows in

    func readBegan(status: Int, headers: HeaderFields) {
        self.status = status
        isMessagePack = headers.first(name: "Content-Type") == "application/x-msgpack"
    }

    func readBody(_ bytes: ByteBuffer) {
        guard !isDone, ending == nil else { return }
        guard status == 200, isMessagePack else {
            otherBody += bytes.readableBytesView.prefix(Self.largestOtherBody - otherBody.count)
            return
        }
        stream.feed(bytes.readableBytesView)
        work()
    }

    func readEnded() {
        read = nil
        isReadOver = true
        guard !isDone, ending == nil else { return }
        if status != 200 || !isMessagePack {
            let words =
                ResponseErrors(otherBody).first
                ?? "a node answered \(status) without rows in MessagePack, which InfluxDB speaks from 1.4 on"
            // Refused as a whole: what a node says to that is the client's answer (401, 403, 400).
            return end(
                status == 200 ? .failed(words) : .refused(status == 401 ? .unauthorized(words) : .error(status, words)))
        }
        work()
    }

    func readRefused(status: Int, message: String) {
        read = nil
        context.figures.failedReads.add(1)
        end(.refused(.unavailable(message, retryAfter: 1)))
    }

    func readBroke(_ reason: String) {
        read = nil
        context.figures.failedReads.add(1)
        interrupted("a node failed in the middle of the rows: \(reason)")
    }

    /// Reads on until a batch is full while another is under way, or until there is nothing to read.
    private func work() {
        while !isDone, ending == nil {
            if rows.lines.lines >= Self.batchPoints || rows.lines.bytes.count >= Self.batchBytes {
                guard underWay == 0 else { return pause() }
                write()
                continue
            }
            do {
                switch try stream.next() {
                case .series(let series): try rows.begin(series)
                case .row: try rows.add(stream.row, of: stream.buffer)
                case .failure(let words):
                    // What is not written yet stays unwritten, as in InfluxDB.
                    rows.lines.removeAll()
                    end(.failed(words))
                case .needsBytes:
                    if isReadOver { readOver() } else { resume() }
                    return
                }
            } catch let problem as RowLines.Problem {
                end(.failed(problem.reason))
            } catch {
                end(.failed("a node's answer is not understood: \((error as? RowStream.Problem)?.reason ?? "")"))
            }
        }
    }

    private func readOver() {
        guard stream.isComplete else { return interrupted("a node's answer is cut off") }
        guard underWay == 0 else { return }
        if rows.lines.isEmpty { finish(result) } else { write() }
    }

    private func pause() {
        guard !isPaused else { return }
        isPaused = true
        read?.pauseReading()
    }

    private func resume() {
        guard isPaused else { return }
        isPaused = false
        read?.resumeReading()
    }

    // MARK: Points out

    private func write() {
        underWay = rows.lines.lines
        if isPolicyKnown { return log() }
        let policy = retentionPolicy
        var admission = context.admission.known(to: statement.database, retentionPolicy: policy)
        if admission == nil {
            admission = context.admission.admit(to: statement.database, retentionPolicy: policy) { [weak self] in
                self?.policyKnown($0)
            }
        }
        if let admission { policyKnown(admission) }
    }

    private var retentionPolicy: String { statement.retentionPolicy ?? request.parameters["rp"] ?? "" }

    private func policyKnown(_ admission: Admission) {
        guard !isDone else { return }
        switch admission {
        case .admitted:
            isPolicyKnown = true
            log()
        case .refused(let response):
            underWay = 0
            end(response.status == 503 ? .refused(response) : .failed(response.words))
        }
    }

    /// The lines are read back as a client's are before they are logged: what line protocol cannot say is noticed here,
    /// not by the nodes.
    private func log() {
        var scanner = LineScanner(precision: .nanoseconds, arrivalTime: 0)
        let text = rows.lines.bytes
        text.withUnsafeBytes { bytes in
            while case .yielded = scanner.scan(bytes, isFinal: true) {}
        }
        let result = scanner.result
        guard result.badLines == 0, result.lines == underWay else {
            underWay = 0
            return end(.failed("a row cannot be said in line protocol: \(result.failureMessage)"))
        }
        let head = PointsRecord.Head(
            database: statement.database, retentionPolicy: retentionPolicy,
            precision: Precision.nanoseconds.rawValue, lineCount: UInt32(underWay)
        )
        do throws(LoggedWrite.Problem) {
            let write = LoggedWrite(context.settings.ack, timeout: Self.ackTimeout, context: context, owner: self)
            try write.append(head, payloadBytes: result.payloadLength) { room in
                _ = text.withUnsafeBytes { result.writePayload(of: $0, into: room) }
            }
            rows.lines.removeAll()
        } catch {
            switch error {
            case .log(let error): ended(.notLogged(error))
            case .unreachable(let reason):
                underWay = 0
                context.figures.refused.add(1)
                end(.refused(.unavailable(reason, retryAfter: 1)))
            }
        }
    }

    func ended(_ end: LoggedWrite.End) {
        guard !isDone else { return }
        let count = underWay
        underWay = 0
        switch end {
        case .notLogged(let error): return self.end(.refused(.notLogged(error, figures: context.figures)))
        case .acked(.acknowledged(nil)):
            written += count
            context.figures.acknowledged.add(1)
        case .acked(.acknowledged(let refusal?)):
            // InfluxDB's queries name a missing database without quotes, its writes with them.
            return self.end(
                .failed(refusal.status == 404 ? "database not found: \(statement.database)" : refusal.message))
        case .acked(.timedOut):
            context.figures.timedOut.add(1)
            return interrupted(
                "timeout: not all nodes in sync have confirmed the last \(count) points; they are in the log and will "
                    + "be applied")
        case .acked(.noInSyncNode):
            return interrupted("no node is in sync; the last \(count) points are in the log and will be applied")
        }
        if let ending { return finish(ending) }
        work()
    }

    // MARK: Ends

    private func interrupted(_ words: String) {
        isInterrupted = true
        end(.failed(words))
    }

    /// Ends when what is under way is written.
    private func end(_ end: End) {
        guard !isDone else { return }
        read?.cancel()
        read = nil
        rows.lines.removeAll()
        ending = ending ?? end
        if underWay == 0, let ending { finish(ending) }
    }

    private func finish(_ end: End) {
        guard !isDone else { return }
        isDone = true
        read?.cancel()
        read = nil
        whenDone(told(end))
    }

    /// An error that will pass says how much was done before it. Points are idempotent: unless it reads what it writes,
    /// the statement can be run again.
    private func told(_ end: End) -> End {
        guard written > 0 else { return end }
        let advice =
            " (\(written) points were written before"
            + (statement.isRepeatable ? "; running the statement again is safe)" : ")")
        switch end {
        case .failed(let words) where isInterrupted: return .failed(words + advice)
        case .refused(let response): return .failed(response.words + advice)
        case .failed, .result: return end
        }
    }

    private var result: End {
        let parameters = request.parameters
        var warning: String?
        if request.isGet {
            let text = statement.normalized(request.context, requestPolicy: parameters["rp"] ?? "") { database in
                context.schema.read { $0.defaultPolicy(of: database) } ?? ""
            }
            warning = "deprecated use of '\(text)' in a read only context, please use a POST request instead"
        }
        return .result(
            SelectInto.result(written: written, isEpoch: !(parameters["epoch"] ?? "").isEmpty, warning: warning))
    }
}

extension Response {
    /// The error in the body.
    var words: String { ResponseErrors(Array(body.readableBytesView)).first ?? "status \(status)" }
}
