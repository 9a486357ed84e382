// A request that does more than read: its steps one after the other, as one InfluxDB runs statements. The first error
// ends it; what follows is reported as "not executed" under its own number (as InfluxDB 1.9.4 and later do).

import Cluster
import CommitLog
import HTTPCodec
import InfluxQL
import NIOCore
import NodeClient
import Querying
import Replication

final class StepExecution: AppendWaiter, MutationWaiter, ReadSink {
    private let plan: QueryPlan
    private let request: ClientQuery
    private let policy: Policy
    private let context: LoopContext
    private let answer: (Response) -> Void
    private var position = 0
    /// How many statements are done.
    private var statementsDone = 0
    private var results: [[UInt8]] = []
    private var read: ReadExecution?
    private var into: SelectIntoExecution?
    private var scatter: ScatterExecution?
    /// Of merged results, by number: how they are cut into chunks.
    private var chunkStyles: [Int: ResultChunks.Style] = [:]
    private var stale = StaleMark()
    private var readStatus = 0
    private var readBytes: [UInt8] = []
    /// Over all steps.
    private var rows = 0
    private var rowCounter = RowCounter(.json)
    private var isDone = false
    private var keepsAlive: StepExecution?
    /// What the mutation under way does to what all loops know.
    private var change: SchemaChange?
    /// The first mutation's now: one value for the whole request.
    private let now: Int64

    init(
        plan: QueryPlan, request: ClientQuery, policy: Policy, context: LoopContext,
        answer: @escaping (Response) -> Void
    ) {
        self.plan = plan
        self.request = request
        self.policy = policy
        self.context = context
        now = context.log.clock.wallNanoseconds()
        self.answer = answer
    }

    /// It keeps itself alive until it is done: an asynchronous request has no endpoint any more.
    func start() {
        keepsAlive = self
        next()
    }

    func cancel() {
        isDone = true
        keepsAlive = nil
        read?.cancel()
        read = nil
        into?.cancel()
        into = nil
        scatter?.cancel()
        scatter = nil
    }

    /// A node is at work on a read.
    var isReading: Bool { read != nil || into != nil || scatter != nil }

    private var isAsync: Bool { request.parameters["async"] == "true" }

    private func next() {
        guard !isDone else { return }
        guard position < plan.steps.count else { return finish() }
        switch plan.steps[position] {
        case .read(let text, _, _, let within):
            readBytes = []
            rows += rowCounter.rows
            rowCounter = RowCounter(.json)
            let read = ReadExecution(
                request: request.part(text, isForCSV: rendersCSV),
                footprint: plan.footprint(database: request.context.database),
                targets: context, settings: request.settings(context.settings.read),
                turn: context.nextTurn(), only: request.node, within: context.within(within),
                eventLoop: context.eventLoop, logger: context.logger, sink: self
            )
            self.read = read
            read.start()
        case .scatter(let read): run(read)
        case .mutation(let statement):
            if isKnown(statement) { took(.nothing) } else { log(statement) }
        case .selectInto(let into): run(into)
        case .known(let result):
            took(result)
        }
    }

    /// InfluxDB answers an asynchronous request before it looks at it.
    private func run(_ statement: SelectInto) {
        if isAsync { answer(.noContent) }
        let footprint = plan.footprint(database: request.context.database)
        let into = SelectIntoExecution(
            statement, at: now, parameters: plan.parameters, footprint: footprint, request: request, context: context
        ) { [weak self] in self?.ended($0) }
        self.into = into
        into.start()
    }

    private func ended(_ end: SelectIntoExecution.End) {
        into = nil
        guard !isDone else { return }
        switch end {
        case .result(let result):
            results.append(ResultDocument.renumbered(result, by: statementsDone))
            statementsDone += 1
            position += 1
            next()
        case .failed(let words): failedStatement(words)
        case .refused(let response): failed(response, words: response.words)
        }
    }

    private func run(_ read: ScatteredRead) {
        // Nobody hears of its rows.
        if isAsync { return took(.nothing) }
        let scatter = ScatterExecution(
            read, at: now, parameters: plan.parameters, request: request, isForCSV: rendersCSV, context: context
        ) { [weak self] in self?.ended($0, read) }
        self.scatter = scatter
        scatter.start()
    }

    private func ended(_ end: ScatterExecution.End, _ read: ScatteredRead) {
        if let scatter { note(scatter.stale) }
        scatter = nil
        guard !isDone else { return }
        switch end {
        case .result(let result):
            let document = ResultDocument.joined([result])
            var counter = RowCounter(.json)
            document.withUnsafeBytes { counter.takeAll($0) }
            rows += counter.rows
            if let maximumRows = policy.maximumRows, rows + rowCounter.rows > maximumRows {
                let refusal = policy.tooManyRows
                context.refusedByPolicy(refusal.rule, refusal.message)
                return failedStatement(refusal.message)
            }
            chunkStyles[statementsDone] = read.chunkStyle
            guard let whole = ResultDocument(document) else { return failedStatement("a merged answer is no JSON") }
            took(whole, hasError: ResponseErrors(Array(result.prefix(4096))).first != nil)
        case .failed(let words):
            // CSV has no place for errors, and a refusal must not pass for an answer without rows.
            rendersCSV ? respond(.error(400, words)) : failedStatement(words)
        case .refused(let response): failed(response, words: response.words)
        }
    }

    /// In CSV there are rows only; a request that changes things is answered in JSON.
    private var rendersCSV: Bool {
        request.wantsCSV && plan.isReadOnly
            && plan.steps.contains { if case .scatter = $0 { true } else { false } }
    }

    private func took(_ result: KnownResult) {
        results.append(warned(ResultDocument.renumbered(result.json, by: statementsDone)))
        statementsDone += 1
        position += 1
        // An asynchronous request is answered when its first record is durable; here there may be none.
        if isAsync, !isDone { answer(.noContent) }
        if result.isError { finish() } else { next() }
    }

    /// `CREATE DATABASE` of one that exists changes nothing: agents send it at every start (A11).
    private func isKnown(_ statement: Statement) -> Bool {
        guard statement.kind == .createDatabase, !statement.hasOptions, let name = statement.subject?.literal,
            !context.view.current.readSet.isEmpty, context.schema.read({ $0.database(name) }) == .exists
        else { return false }
        context.figures.knownDatabases.add(1)
        return true
    }

    /// InfluxDB does what a GET says, and complains; of DELETE it does not.
    private func warned(_ result: [UInt8]) -> [UInt8] {
        guard request.isGet, case .mutation(let statement) = plan.steps[position], statement.kind != .delete else {
            return result
        }
        return ResultDocument.withReadOnlyWarning(result, statement: "\(statement.body)")
    }

    /// One step's results, numbered from 0.
    private func took(_ document: ResultDocument, hasError: Bool) {
        results += document.results.map { warned(ResultDocument.renumbered($0, by: statementsDone)) }
        statementsDone += plan.steps[position].statements
        position += 1
        if hasError { finish() } else { next() }
    }

    /// Of the first step the answer to the request, of a later one the error of its statement.
    private func failed(_ response: Response, words: String) {
        position == 0 ? respond(response) : failedStatement(words)
    }

    private func finish() {
        let all = plan.steps.reduce(0) { $0 + $1.statements }
        while results.count < all {
            results.append(ResultDocument.error("not executed", statement: results.count))
        }
        if let (contentType, body) = ResultDocument.withoutReads(results, accept: request.accept) {
            return respond(Response(status: 200, contentType: contentType, body: ByteBuffer(bytes: body)))
        }
        if rendersCSV {
            return respond(
                Response(status: 200, contentType: "text/csv", body: ByteBuffer(bytes: ResultCSV.body(results))))
        }
        // For a client that wants chunks each result is one, and merged ones are several.
        let documents =
            request.isChunked
            ? results.enumerated()
                .flatMap { number, result in
                    ResultChunks.documents(result, size: request.chunkSize, style: chunkStyles[number] ?? .whole)
                } : [ResultDocument.joined(results)]
        let body = documents.flatMap { request.parameters.isPretty ? JSONText.indented($0) : $0 }
        respond(Response(status: 200, body: ByteBuffer(bytes: body)))
    }

    private func respond(_ response: Response) {
        guard !isDone else { return }
        isDone = true
        keepsAlive = nil
        var response = response
        stale.mark(&response)
        answer(response)
    }

    // MARK: Mutations

    private func log(_ statement: Statement) {
        // A mutation needs a node that can say what it thinks of it; known before logging.
        guard !context.view.current.ackSet.isEmpty else {
            context.figures.refused.add(1)
            let message = "no node is in sync: a statement that changes data cannot be answered now"
            return failed(.unavailable(message, retryAfter: 1), words: message)
        }
        let database = request.context.database
        let changed = statement.changedSets(by: context.settings.placement, requestDatabase: database)
        if let silent = changed.filter({ context.view.current.ackSet.isDisjoint(with: $0) }).map(context.names).min() {
            context.figures.refused.add(1)
            let message =
                "no node of \(silent) is in sync: a statement that changes what they hold cannot be answered now"
            return failed(.unavailable(message, retryAfter: 1), words: message)
        }
        guard let text = statement.executable(at: now, parameters: plan.parameters) else {
            return failedStatement(
                "a statement that changes data cannot take this value from a parameter: it has no spelling in InfluxQL")
        }
        var sealed: String?
        if statement.hasSecrets, let sealer = context.settings.replicator.sealer {
            do {
                sealed = try sealer.seal(text)
            } catch {
                return failedStatement("the statement cannot be sealed for the log: \(error)")
            }
        }
        let record = MutationRecord(
            statement: sealed ?? text, database: database,
            retentionPolicy: request.parameters["rp"] ?? "",
            scope: statement.barrier(requestDatabase: database).logScope,
            redactedStatement: statement.redacted, isSealed: sealed != nil
        )
        change = SchemaChange(statement, context.schema)
        guard change?.takesAway == true else { return append(record) }
        let here = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.log.checkpoint { result in
            here.eventLoop.execute { here.value.forgot(result, record) }
        }
    }

    private func forgot(_ result: Result<Void, LogError>, _ record: MutationRecord) {
        if case .failure(let error) = result { return notDurable(error) }
        guard !isDone else {
            change?.notLogged()
            return
        }
        append(record)
    }

    private func append(_ record: MutationRecord) {
        do throws(LogError) {
            try context.loopLog.append(record, waiter: self)
            context.figures.mutations.add(1)
        } catch {
            notDurable(error)
        }
    }

    func durable(at offset: Offset) {
        change?.logged(at: offset)
        context.acks.waitForAnswers(to: offset, waiter: self)
        if isAsync, !isDone { answer(.noContent) }
    }

    func notDurable(_ error: LogError) {
        change?.notLogged()
        if position == 0 { return respond(.notLogged(error, figures: context.figures)) }
        failedStatement("\(error)")
    }

    func answered(_ outcome: MutationOutcome) {
        if case .answered = outcome { change?.done() }
        guard !isDone else { return }
        switch outcome {
        case .noNodeLeft:
            let words =
                "timeout: every in-sync node left before it answered; the statement is in the log and will be applied"
            failed(.error(500, words), words: words)
        case .answered(let answers):
            let first = answers[0].answer
            if answers.contains(where: {
                !NodeAnswer.isSameReason($0.answer.error, first.error)
            }) {
                let words = answers.map { pair in
                    "\(context.settings.nodes[Int(pair.node.value)].name): \(pair.answer.error ?? "done")"
                }
                let message = "nodes differ: " + words.joined(separator: "; ")
                context.logger.error("nodes differ over a mutation", metadata: ["words": "\(message)"])
                return failedStatement(message)
            }
            guard first.status == 200, let document = ResultDocument(first.body) else {
                return failed(
                    Response(status: first.status, body: ByteBuffer(bytes: first.body)), words: first.error ?? "")
            }
            took(document, hasError: first.error != nil)
        }
    }

    private func failedStatement(_ message: String) {
        results.append(ResultDocument.error(message, statement: statementsDone))
        statementsDone += 1
        finish()
    }

    // MARK: Reads

    func readBegan(status: Int, headers: HeaderFields) {
        readStatus = status
        var part = StaleMark()
        part.add(headers)
        note(part)
    }

    private func note(_ part: StaleMark) {
        if part.age != nil { context.figures.staleReads.add(1) }
        stale.add(part)
    }

    func readBody(_ bytes: ByteBuffer) {
        guard readBytes.count + bytes.readableBytes <= context.settings.limits.mixedAnswerBytes else {
            read?.cancel()
            read = nil
            return failedStatement(
                "the answer to a request that mixes reads and changes is larger than "
                    + "\(context.settings.limits.mixedAnswerBytes) bytes: send the reads by themselves"
            )
        }
        readBytes += bytes.readableBytesView
        countRows(bytes)
    }

    private func countRows(_ bytes: ByteBuffer) {
        guard let maximumRows = policy.maximumRows, readStatus == 200, !isDone else { return }
        bytes.withUnsafeReadableBytes { rowCounter.takeAll($0) }
        guard rows + rowCounter.rows > maximumRows else { return }
        read?.cancel()
        read = nil
        let refusal = policy.tooManyRows
        context.refusedByPolicy(refusal.rule, refusal.message)
        failedStatement(refusal.message)
    }

    func readEnded() {
        read = nil
        guard !isDone else { return }
        if readStatus == 200, case .read(_, _, let listings, _) = plan.steps[position], !listings.isEmpty {
            readBytes = HiddenRows.removed(
                from: readBytes, contentType: "application/json", listings: listings,
                isShown: context.shownDatabases(to: request.credential))
        }
        guard readStatus == 200, let document = ResultDocument(readBytes) else {
            return failed(
                Response(status: readStatus, body: ByteBuffer(bytes: readBytes)),
                words: ResponseErrors(readBytes).first ?? "a read failed")
        }
        took(document, hasError: ResponseErrors(readBytes).first != nil)
    }

    func readRefused(status: Int, message: String) {
        read = nil
        context.figures.failedReads.add(1)
        failed(.unavailable(message, retryAfter: 1), words: message)
    }

    func readBroke(_ reason: String) {
        read = nil
        context.figures.failedReads.add(1)
        let words = "a node failed: \(reason)"
        failed(.unavailable(words, retryAfter: 1), words: words)
    }
}

extension Optional where Wrapped == BarrierScope {
    /// The barrier as the log keeps it; nil, which no mutation has, is the widest.
    var logScope: MutationRecord.Scope {
        switch self {
        case .schema: .schema
        case .database(let name): .database(name)
        case .databaseAndSchema(let name): .databaseAndSchema(name)
        case .everything, nil: .everything
        }
    }
}
