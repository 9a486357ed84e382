// What happens to a write, from its first byte to its answer:
//
//   admit --> receive (decode, scan, bounded) --> append --> durable --> acked --> answer
//
// Who may and whether there is such a database is settled before the body is read and before anything is logged.
// Bad lines are cut out and reported as InfluxDB reports them, lines without a time get the request's (S8), and
// nothing is answered 2xx before it is durable (L8).

import Cluster
import CommitLog
import ContentCoding
import LineProtocol
import NIOCore
import Replication
import Synchronization

final class WriteEndpoint: Endpoint, LoggedWriteOwner {
    private enum State {
        /// A node is being asked whether the write may go on; at most one read's worth of body is here.
        case admitting
        case receiving
        case working
        /// A remote write is being made into lines, on another thread.
        case decoding
        /// The body is scanned, and a node is being asked about its retention policy.
        case verifying
        case waiting
        case done
    }

    private let exchange: Exchange
    private let context: LoopContext
    private let target: WriteTarget
    private var scanner: LineScanner
    private var inflater: InflaterBox?
    /// nil: the body is line protocol, or has become it.
    private var remoteWrite: RemoteWriteDecoding?
    /// What of a remote write no line can say.
    private var remoteLoss: RemoteWriteDecoding.Loss?
    private var text = ByteBuffer()
    /// What is not decoded yet of a gzip body or a remote write.
    private var compressed = ByteBuffer()
    private var receivedBytes = 0
    /// Bytes of this request in `figures.bodyBytes`.
    private var accounted = 0
    private var state = State.admitting
    private var level = AckLevel.insync
    private var isComplete = false

    /// Bodies up to this size are scanned in one go when they are complete.
    private static let smallBody = 64 << 10

    init(exchange: Exchange, context: LoopContext, target: WriteTarget) {
        self.exchange = exchange
        self.context = context
        self.target = target
        let now = context.log.clock.wallNanoseconds()
        scanner = LineScanner(
            precision: target.precision, arrivalTime: target.precision.truncate(nanosecondsSinceEpoch: now)
        )
        if target.isRemoteWrite {
            remoteWrite = RemoteWriteDecoding(limit: context.settings.limits.inflatedBytes)
        } else if exchange.head.headers.first(name: "Content-Encoding") == "gzip" {
            inflater = InflaterBox(limit: context.settings.limits.inflatedBytes)
        }
        context.figures.writes.add(1)
    }

    // MARK: Admitting

    /// False: the answer could be given from the head alone.
    func start(_ credential: @autoclosure () -> ClientCredential) -> Bool {
        var admission = context.admission.known(to: target.database, credential())
        if admission == nil {
            admission = context.admission.admit(to: target.database, credential()) { [weak self] in self?.admitted($0) }
        }
        switch admission {
        case .admitted?:
            state = .receiving
            return !refuseFromHead()
        case .refused(let response)?:
            refuse(response)
            return false
        case nil:
            exchange.pauseReading()
            return true
        }
    }

    private func admitted(_ admission: Admission) {
        guard state == .admitting else { return }
        if case .refused(let response) = admission { return refuse(response) }
        guard !refuseFromHead() else { return }
        state = .working
        work()
    }

    private func refuseFromHead() -> Bool {
        if let length = exchange.head.contentLength, length > context.bodyBytes[exchange.listener] {
            answer(.bodyTooLarge)
            return true
        }
        return false
    }

    // MARK: Receiving

    func body(_ bytes: ByteBuffer) {
        // Also while at work: what was read before reading was paused still arrives.
        guard state == .receiving || state == .working || state == .admitting else { return }
        receivedBytes += bytes.readableBytes
        guard receivedBytes <= context.bodyBytes[exchange.listener] else {
            return answer(.bodyTooLarge)
        }
        if inflater == nil, remoteWrite == nil {
            // The usual body came in one read, and is scanned where it lies.
            if text.readableBytes == 0 { text = bytes } else { text.writeImmutableBuffer(bytes) }
        } else {
            compressed.writeImmutableBuffer(bytes)
        }
        if state == .receiving { work() }
    }

    func bodyEnd() {
        guard state == .receiving || state == .working || state == .admitting else { return }
        isComplete = true
        if state == .receiving { work() }
    }

    /// One turn: decodes and scans a bounded piece, so that one large body does not stop the loop.
    private func work() {
        guard inflate(), account() else { return }
        if let remoteWrite { return isComplete ? decode(remoteWrite) : receive() }
        let isAllHere = isComplete && inflater == nil
        guard isAllHere || text.readableBytes > Self.smallBody else {
            return compressed.readableBytes > 0 ? yield() : receive()
        }
        switch text.withUnsafeReadableBytes({ scanner.scan($0, isFinal: isAllHere) }) {
        case .needsMoreBytes: compressed.readableBytes > 0 || isComplete ? yield() : receive()
        case .yielded: yield()
        case .finished: append()
        }
    }

    /// False: the body is no gzip, and that was answered.
    private func inflate() -> Bool {
        guard let inflater else { return true }
        do throws(Inflater.Failure) {
            let isDone = try inflater.inflate(&compressed, into: &text, budget: LineScanner.defaultBudget)
            if isDone, isComplete {
                try inflater.finish()
                self.inflater = nil
            }
            return true
        } catch {
            refuse(error)
            return false
        }
    }

    private func decode(_ decoding: RemoteWriteDecoding) {
        state = .decoding
        let packed = compressed
        compressed = ByteBuffer()
        decoding.start(packed, on: context) { [weak self] in self?.decoded($0) }
    }

    private func decoded(_ result: RemoteWriteDecoding.Result) {
        guard state == .decoding else { return }
        switch result {
        case .refused(let response): refuse(response)
        case .lines(let lines, let loss):
            remoteWrite = nil
            remoteLoss = loss
            text = lines
            state = .working
            work()
        }
    }

    /// Goes on in a later turn of the loop.
    private func yield() {
        if state == .receiving { exchange.pauseReading() }
        state = .working
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute {
            if here.value.state == .working { here.value.work() }
        }
    }

    private func receive() {
        guard state == .working else { return }
        state = .receiving
        if !isComplete { exchange.resumeReading() }
    }

    private func account() -> Bool {
        let held = text.readableBytes + compressed.readableBytes
        let grown = held - accounted
        accounted = held
        let all = context.figures.bodyBytes.add(grown, ordering: .relaxed).newValue
        guard all <= context.settings.limits.bodiesInMemory else {
            unavailable("too many bytes of request bodies are in memory")
            return false
        }
        return true
    }

    // MARK: Logging

    private func append() {
        let result = scanner.result
        context.figures.badLines.add(result.badLines)
        do throws(WriteTarget.Problem) {
            level = try target.level(
                context.settings.consistencyParameter, configured: context.settings.ack
            )
        } catch {
            return answer(.error(error.status, error.message))
        }
        if result.lines == 0, result.badLines > 0 { return answer(.error(400, bytes: result.failureMessageBytes)) }
        let database = target.database
        let policy = target.retentionPolicy
        state = .verifying
        var admission = context.admission.known(to: database, retentionPolicy: policy)
        if admission == nil {
            admission = context.admission.admit(to: database, retentionPolicy: policy) { [weak self] in
                self?.verified($0)
            }
        }
        if let admission { verified(admission) }
    }

    private func verified(_ admission: Admission) {
        guard state == .verifying else { return }
        switch admission {
        case .admitted: log()
        case .refused(let response): refuse(response)
        }
    }

    private func log() {
        let result = scanner.result
        guard result.lines > 0 else { return answer(remoteLoss?.response ?? .noContent) }
        let head = PointsRecord.Head(
            database: target.database, retentionPolicy: target.retentionPolicy,
            precision: target.precision.rawValue, lineCount: UInt32(result.lines)
        )
        do throws(LoggedWrite.Problem) {
            let body = text
            let write = LoggedWrite(level, timeout: context.settings.ackTimeout, context: context, owner: self)
            try write.append(head, payloadBytes: result.payloadLength) { room in
                _ = body.withUnsafeReadableBytes { result.writePayload(of: $0, into: room) }
            }
        } catch {
            switch error {
            case .log(let error): return notLogged(error)
            case .unreachable(let reason): return unavailable(reason)
            }
        }
        state = .waiting
        forgetBody()
    }

    // MARK: Answering

    func ended(_ end: LoggedWrite.End) {
        guard state == .waiting else { return }
        switch end {
        case .acked(let outcome): acked(outcome)
        case .notLogged(let error): notLogged(error)
        }
    }

    private func acked(_ outcome: AckOutcome) {
        switch outcome {
        case .acknowledged(let refusal?):
            answer(.error(refusal.status, refusal.message))
        case .acknowledged(nil):
            let result = scanner.result
            if result.badLines > 0 {
                answer(.error(400, bytes: result.failureMessageBytes))
            } else if let remoteLoss {
                answer(remoteLoss.response)
            } else {
                context.figures.acknowledged.add(1)
                answer(.noContent)
            }
        case .timedOut:
            context.figures.timedOut.add(1)
            answer(.error(500, "timeout"))
        case .noInSyncNode:
            unavailable("no node is in sync; the write is in the log and will be applied")
        }
    }

    private func refuse(_ response: Response) {
        if response.status == 503 { context.figures.refused.add(1) }
        answer(response)
    }

    private func refuse(_ failure: Inflater.Failure) {
        if case .tooLarge = failure { return answer(.bodyTooLarge) }
        answer(.error(400, failure.words))
    }

    private func notLogged(_ error: LogError) { answer(.notLogged(error, figures: context.figures)) }

    private func unavailable(_ message: String) {
        context.figures.refused.add(1)
        answer(.unavailable(message, retryAfter: 1))
    }

    private func answer(_ response: Response) {
        guard state != .done else { return }
        state = .done
        forgetBody()
        exchange.respond(response)
    }

    private func forgetBody() {
        text = ByteBuffer()
        compressed = ByteBuffer()
        _ = context.figures.bodyBytes.subtract(accounted, ordering: .relaxed)
        accounted = 0
    }

    /// What is in the log stays there and is applied; only nobody is told any more.
    func clientLeft() {
        guard state != .done else { return }
        state = .done
        forgetBody()
    }
}

/// A class around the decoder, which is a value that cannot be copied.
private final class InflaterBox {
    private var inflater: Inflater

    init(limit: Int) { inflater = Inflater(limit: limit) }

    func inflate(
        _ input: inout ByteBuffer, into output: inout ByteBuffer, budget: Int
    ) throws(Inflater.Failure) -> Bool {
        try inflater.inflate(&input, into: &output, budget: budget)
    }

    func finish() throws(Inflater.Failure) { try inflater.finish() }
}

extension Response {
    /// The answer to a request that the log did not take. Nothing transient is ever a 4xx (A10, L10).
    static func notLogged(_ error: LogError, figures: GatewayFigures) -> Response {
        switch error {
        case .tooLarge:
            return .bodyTooLarge
        case .full:
            figures.refused.add(1)
            return .unavailable("\(error)", retryAfter: 10)
        case .overloaded:
            figures.refused.add(1)
            return .unavailable("\(error)", retryAfter: 1)
        case .closed:
            figures.refused.add(1)
            return .unavailable("the gateway is stopping", retryAfter: 1)
        default:
            return .error(500, "\(error)")
        }
    }
}
