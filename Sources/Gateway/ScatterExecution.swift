// One read over several replica sets: asks each set what the plan wants to know, some at a time, and hands the answers back
// to the plan until there is a result. A set that does not answer ends it: there is no answer in part.

import Cluster
import HTTPCodec
import InfluxQL
import NIOCore
import Querying

final class ScatterExecution {
    enum End {
        /// In JSON, numbered from 0.
        case result([UInt8])
        /// The statement's error.
        case failed(String)
        /// The answer if this is the request's first statement.
        case refused(Response)
    }

    private var plan: ScatteredRead
    private let now: Int64
    private let parameters: [String: BoundValue]
    private let request: ClientQuery
    private let isForCSV: Bool
    private let context: LoopContext
    private let whenDone: (End) -> Void

    private var parts: [ScatteredRead.Part] = []
    private var answers: [[UInt8]?] = []
    private var next = 0
    private var reads: [Int: PartRead] = [:]
    /// Of all answers to what was asked last.
    private var bytes = 0
    private var isDone = false
    /// What was asked counts on single nodes.
    private var isCovered = false
    private var isAgain = false
    private(set) var stale = StaleMark()
    /// Takes the last questions, whose answers are rows, in the place of whole answers.
    private let takeRows: (([ScatteredRead.Part]) -> Void)?
    private let settings: ReadExecution.Settings
    private let started: NIODeadline

    /// As many sets are asked at the same time.
    private static let width = 8

    /// - Parameters:
    ///   - now: what `now()` means, in nanoseconds since the epoch.
    ///   - takeRows: called in the place of `whenDone`, by whom reads the rows by itself.
    ///   - whenDone: called once, not from within `start`, and not after `cancel`.
    init(
        _ plan: ScatteredRead, at now: Int64, parameters: [String: BoundValue], request: ClientQuery,
        isForCSV: Bool = false, context: LoopContext, takeRows: (([ScatteredRead.Part]) -> Void)? = nil,
        whenDone: @escaping (End) -> Void
    ) {
        self.plan = plan
        self.now = now
        self.parameters = parameters
        self.request = request
        self.isForCSV = isForCSV
        self.context = context
        self.takeRows = takeRows
        settings = request.settings(context.settings.read)
        started = context.eventLoop.now
        self.whenDone = whenDone
    }

    func start() {
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute {
            let execution = here.value
            if !execution.isDone { execution.begin() }
        }
    }

    /// One node that stands in several sets is asked once; if that goes wrong, each set is asked by itself.
    private func begin() {
        // Rows that are streamed cannot be begun again.
        let available = isAgain || takeRows != nil ? [] : context.available
        isCovered = !available.isEmpty
        take(plan.start(now: now, parameters: parameters, available: available))
    }

    func cancel() {
        isDone = true
        for read in reads.values { read.cancel() }
        reads = [:]
    }

    private func take(_ step: ScatteredRead.Step) {
        switch step {
        case .askForRows(let parts):
            guard let takeRows else { return ask(parts) }
            isDone = true
            takeRows(parts)
        case .ask(let parts): ask(parts)
        case .result(let result): end(.result(result))
        case .failed(let words): end(.failed(words))
        }
    }

    private func ask(_ parts: [ScatteredRead.Part]) {
        self.parts = parts
        answers = Array(repeating: nil, count: parts.count)
        next = 0
        bytes = 0
        goOn()
    }

    private func goOn() {
        while !isDone, reads.count < Self.width, next < parts.count {
            let number = next
            next += 1
            let read = PartRead(
                limit: context.settings.limits.mergedAnswerBytes,
                took: { [weak self] in self?.took($0, number) }, whenDone: { [weak self] in self?.ended($0, number) })
            reads[number] = read
            let part = parts[number]
            read.start(
                ReadExecution(
                    request: request.part(Array(part.text.utf8), isForCSV: isForCSV),
                    footprint: part.footprint(database: request.context.database), targets: context, settings: rest,
                    turn: context.nextTurn(), within: context.within(part.scope), eventLoop: context.eventLoop,
                    logger: context.logger, sink: read),
                context.figures)
        }
        if !isDone, reads.isEmpty { take(plan.take(answers.map { $0 ?? [] })) }
    }

    /// A time for the whole read holds for all questions together.
    private var rest: ReadExecution.Settings {
        var rest = settings
        if let timeout = settings.timeout {
            rest.timeout = max(.milliseconds(1), timeout - (context.eventLoop.now - started))
        }
        return rest
    }

    /// More of an answer came.
    private func took(_ count: Int, _ number: Int) {
        bytes += count
        let limit = context.settings.limits.mergedAnswerBytes
        if bytes > limit {
            end(
                .failed(
                    "the answers of the replica sets take more than \(limit) bytes together: ask for a shorter time or "
                        + "fewer series"))
        }
    }

    private func ended(_ outcome: PartRead.Outcome, _ number: Int) {
        guard !isDone else { return }
        if let read = reads.removeValue(forKey: number) { stale.add(read.stale) }
        switch outcome {
        case .answer(let answer):
            answers[number] = answer
            goOn()
        case .refused(let response):
            guard response.status == 503, isCovered, !isAgain else { return end(.refused(response)) }
            isAgain = true
            for read in reads.values { read.cancel() }
            reads = [:]
            begin()
        }
    }

    private func end(_ end: End) {
        guard !isDone else { return }
        cancel()
        whenDone(end)
    }
}

/// The answer of one set to one question, whole.
private final class PartRead: ReadSink {
    enum Outcome {
        case answer([UInt8])
        case refused(Response)
    }

    private let took: (Int) -> Void
    private let whenDone: (Outcome) -> Void
    private let limit: Int
    private var read: ReadExecution?
    private var figures: GatewayFigures?
    private var status = 0
    private var headers: [(String, String)] = []
    private var body: [UInt8] = []
    private(set) var stale = StaleMark()

    init(limit: Int, took: @escaping (Int) -> Void, whenDone: @escaping (Outcome) -> Void) {
        self.limit = limit
        self.took = took
        self.whenDone = whenDone
    }

    func start(_ read: ReadExecution, _ figures: GatewayFigures) {
        self.figures = figures
        self.read = read
        read.start()
    }

    func cancel() {
        let abandoned = read
        read = nil
        abandoned?.cancel()
    }

    func readBegan(status: Int, headers: HeaderFields) {
        self.status = status
        stale.add(headers)
        for name in ["WWW-Authenticate", "X-Influxdb-Error"] {
            if let value = headers.first(name: name) { self.headers.append((name, value)) }
        }
    }

    func readBody(_ bytes: ByteBuffer) {
        guard read != nil, body.count <= limit else { return }
        body += bytes.readableBytesView
        took(bytes.readableBytes)
    }

    func readEnded() {
        guard read != nil else { return }
        read = nil
        if status == 200 { return whenDone(.answer(body)) }
        whenDone(.refused(Response(status: status, headers: headers, body: ByteBuffer(bytes: body))))
    }

    func readRefused(status: Int, message: String) { unavailable(message) }
    func readBroke(_ reason: String) { unavailable("a node failed: \(reason)") }

    private func unavailable(_ message: String) {
        guard read != nil else { return }
        read = nil
        figures?.failedReads.add(1)
        whenDone(.refused(.unavailable(message, retryAfter: 1)))
    }
}
