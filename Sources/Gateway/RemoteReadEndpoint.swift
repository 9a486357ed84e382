// A remote read of Prometheus: its matchers become one SELECT, which a node in sync answers, or one of each replica set that
// has some of it, and the rows become samples.
//
// InfluxDB before 1.9 asks for a user only; here a user needs READ on the database, as for the SELECT itself.

import Cluster
import HTTPCodec
import InfluxQL
import NIOCore
import NodeClient
import Prometheus
import Querying

final class RemoteReadEndpoint: Endpoint, ReadSink {
    private enum State {
        case receiving
        case asking
        case inLine
        case reading(ReadExecution)
        /// Several replica sets are asked what there is.
        case scattering(ScatterExecution)
        case done
    }

    private let exchange: Exchange
    private let context: LoopContext
    private var state = State.receiving
    private var body = ByteBuffer()
    private let turn: QueryTurn
    private var request: ClientQuery?
    private var statement: ReadStatement?
    private var plans: [QueryPlan] = []
    /// What is being read: an index into `plans`, the last of which is the SELECT.
    private var step = 0
    /// What of the last one is still to be read, of one replica set after the other.
    private var parts: ArraySlice<ScatteredRead.Part> = []
    /// The answers to the statement's questions.
    private var lists: [Set<String>] = []
    private var answer = RemoteReadAnswer()
    private var rows = 0

    // Of the node's answer under way.
    private var status = 0
    private var isMessagePack = false
    private var otherBody: [UInt8] = []
    private var stream = RowStream()
    private var isKept = false
    private var timeColumn = 0
    private var valueColumn = 0

    /// Prometheus sends some hundred bytes.
    private static let largestRequest = 1 << 20
    private static let largestOtherBody = 64 << 10

    init(exchange: Exchange, context: LoopContext) {
        self.exchange = exchange
        self.context = context
        turn = QueryTurn(context)
    }

    private var policy: Policy { context.settings.policy(ofListener: exchange.listener) }

    // MARK: The request

    func body(_ bytes: ByteBuffer) {
        guard case .receiving = state else { return }
        guard body.readableBytes + bytes.readableBytes <= Self.largestRequest else { return respond(.bodyTooLarge) }
        body.writeImmutableBuffer(bytes)
    }

    func bodyEnd() {
        guard case .receiving = state else { return }
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: "POST", contentType: nil, body: [])
        let credential = ClientCredential(head: exchange.head, parameters: parameters)
        do {
            let message = try body.withUnsafeReadableBytes { bytes in
                try Snappy.decoded(bytes, limit: Self.largestRequest)
            }
            body = ByteBuffer()
            let read = try RemoteRead(message)
            let database = parameters["db"] ?? ""
            guard !database.isEmpty else { throw RemoteRead.Problem(message: "no database") }
            let statement = try read.statement(
                database: database, retentionPolicy: parameters["rp"] ?? "")
            for text in statement.questions + [statement.text] { plans.append(try plan(text)) }
            self.statement = statement
            request = try ClientQuery(
                head: exchange.head, parameters: parameters, nodes: context.settings.nodes,
                carriesCredential: context.nodesJudgeReads)
        } catch let failure as Snappy.Failure {
            if case .tooLarge = failure { return respond(.bodyTooLarge) }
            return refuse(credential, .error(400, failure.words))
        } catch let problem as RemoteRead.Problem {
            return refuse(credential, .error(400, problem.message))
        } catch let problem as QueryPlan.Problem {
            if let rule = problem.rule { context.refusedByPolicy(rule, problem.message) }
            return refuse(credential, .error(problem.status, problem.message))
        } catch {
            return refuse(credential, .error(400, "\(error)"))
        }
        context.figures.queries.add(1)
        authorize(credential)
    }

    /// One statement that reads, and nothing else, whatever stood in the matchers.
    private func plan(_ text: String) throws -> QueryPlan {
        let plan: QueryPlan
        do {
            plan = try QueryPlan(text: Array(text.utf8), policy: policy, placement: context.settings.placement)
        } catch {
            throw error.status == 400 ? RemoteRead.Problem(message: Self.regexWords(error.message)) : error
        }
        if case .known? = plan.steps.first { throw RemoteRead.Problem(message: "no database") }
        guard plan.isReadOnly, plan.statements.count == 1 else {
            throw RemoteRead.Problem(message: "the matchers cannot be said in InfluxQL")
        }
        return plan
    }

    /// InfluxDB says what is wrong with a regular expression, not where it would stand in InfluxQL.
    private static func regexWords(_ message: String) -> String {
        guard let start = message.firstRange(of: "error parsing regexp: ") else { return message }
        let words = message[start.lowerBound...]
        return String(words.firstRange(of: " at line ").map { words[..<$0.lowerBound] } ?? words)
    }

    private func refuse(_ credential: ClientCredential, _ response: Response) {
        state = .asking
        context.admission.tell(credential, response) { [weak self] response in
            guard let self, case .asking = state else { return }
            respond(response)
        }
    }

    private func authorize(_ credential: ClientCredential) {
        guard let access = context.access else { return enter() }
        state = .asking
        let statements = plans.flatMap(\.statements)
        access.authorize(statements, StatementContext(), as: credential) { [weak self] refusal in
            guard let self, case .asking = state else { return }
            if let refusal { respond(refusal) } else { enter() }
        }
    }

    private func enter() {
        state = .inLine
        turn.take(run: { [weak self] in self?.next() }, refuse: { [weak self] in self?.respond($0) })
    }

    // MARK: Reading

    private func next() {
        guard let request, step < plans.count else { return finish() }
        let plan = plans[step]
        if step < plans.count - 1 { lists.append([]) }
        switch plan.steps.first {
        case .scatter(let scattered): scatter(scattered, request)
        case .read(let text, _, _, let within):
            read(String(decoding: text, as: UTF8.self), plan.footprint(database: ""), within)
        default: respond(.error(500, "a remote read became no read"))
        }
    }

    private func read(_ text: String, _ footprint: ReadFootprint, _ within: ReadScope?) {
        guard let request else { return }
        status = 0
        otherBody = []
        stream = RowStream()
        isKept = false
        let read = ReadExecution(
            request: request.rows(text), footprint: footprint, targets: context,
            settings: request.settings(context.settings.read), turn: context.nextTurn(), only: request.node,
            within: context.within(within), eventLoop: context.eventLoop, logger: context.logger, sink: self)
        state = .reading(read)
        read.start()
    }

    // MARK: Several replica sets

    private func scatter(_ plan: ScatteredRead, _ request: ClientQuery) {
        let execution = ScatterExecution(
            plan, at: context.log.clock.wallNanoseconds(), parameters: [:], request: request, context: context,
            takeRows: { [weak self] in self?.readParts($0[...]) }, whenDone: { [weak self] in self?.scattered($0) })
        state = .scattering(execution)
        execution.start()
    }

    private func readParts(_ rest: ArraySlice<ScatteredRead.Part>) {
        guard case .scattering(let execution) = state else { return }
        if execution.stale.age != nil { context.figures.staleReads.add(1) }
        parts = rest
        nextPart()
    }

    private func nextPart() {
        guard let part = parts.popFirst() else {
            step += 1
            return next()
        }
        read(part.text, part.footprint(database: ""), part.scope)
    }

    /// A list of names; or there are no rows.
    private func scattered(_ end: ScatterExecution.End) {
        guard case .scattering = state else { return }
        switch end {
        case .result(let result):
            let json = ResultJSON(result)
            if let words = json?["error"]?.string { return respond(.error(400, Self.storageWords(words))) }
            if step < plans.count - 1 {
                let rows = (json?["series"]?.elements ?? []).flatMap { $0["values"]?.elements ?? [] }
                lists[lists.count - 1] = Set(rows.compactMap { $0.elements.first?.string })
            }
            step += 1
            next()
        case .failed(let words): respond(.error(400, words))
        case .refused(let response):
            switch response.status {
            case 401: respond(.unauthorized(response.words))
            case 503: respond(response)
            default: respond(.error(response.status, response.words))
            }
        }
    }

    // MARK: Rows

    func readBegan(status: Int, headers: HeaderFields) {
        self.status = status
        isMessagePack = headers.first(name: "Content-Type") == "application/x-msgpack"
        if headers.contains(name: "X-Sluice-Stale") { context.figures.staleReads.add(1) }
    }

    func readBody(_ bytes: ByteBuffer) {
        guard case .reading(let read) = state else { return }
        guard status == 200, isMessagePack else {
            otherBody += bytes.readableBytesView.prefix(Self.largestOtherBody - otherBody.count)
            return
        }
        stream.feed(bytes.readableBytesView)
        do {
            while case let event = try stream.next(), event != .needsBytes { try take(event) }
            guard answer.bytes + stream.buffer.count <= context.settings.limits.mixedAnswerBytes else {
                throw RemoteRead.Problem(
                    message: "the answer takes more than \(context.settings.limits.mixedAnswerBytes) bytes: ask for a "
                        + "shorter time or fewer series")
            }
            if let maximumRows = policy.maximumRows, rows > maximumRows {
                context.refusedByPolicy(policy.tooManyRows.rule, policy.tooManyRows.message)
                read.cancel()
                respond(.error(403, policy.tooManyRows.message))
            }
        } catch {
            read.cancel()
            let words = (error as? RemoteRead.Problem)?.message ?? (error as? RowStream.Problem)?.reason
            respond(.error(400, words ?? "\(error)"))
        }
    }

    private func take(_ event: RowStream.Event) throws {
        let isList = step < plans.count - 1
        switch event {
        case .series(let series):
            guard !isList else { return }
            isKept = statement?.keeps(String(decoding: series.name, as: UTF8.self), lists: lists) ?? false
            guard isKept else { return }
            guard let time = series.columns.firstIndex(of: Array("time".utf8)), series.columns.count == 2 else {
                throw RemoteRead.Problem(message: "a node's answer has other columns than time and value")
            }
            timeColumn = time
            valueColumn = 1 - time
            answer.begin(measurement: series.name, tags: series.tags.map { ($0.key, $0.value) })
        case .row:
            rows += 1
            if isList {
                if case .text(let range)? = stream.row.first {
                    lists[lists.count - 1].insert(String(decoding: stream.buffer[range], as: UTF8.self))
                }
            } else if isKept, case .time(let time) = stream.row[timeColumn],
                case .float(let value) = stream.row[valueColumn]
            {
                answer.add(time: time, value: value)
            }
        case .failure(let words): throw RemoteRead.Problem(message: Self.storageWords(words))
        case .needsBytes: break
        }
    }

    /// What InfluxDB's storage says in the place of what its queries say.
    private static func storageWords(_ words: String) -> String {
        if words.hasPrefix("database not found") { return "no database" }
        if words.hasPrefix("retention policy not found") { return "invalid retention policy" }
        return words
    }

    func readEnded() {
        guard case .reading = state else { return }
        guard status == 200, isMessagePack else {
            let words = ResponseErrors(otherBody).first ?? "a node answered \(status) without rows in MessagePack"
            return respond(status == 401 ? .unauthorized(words) : .error(status == 200 ? 500 : status, words))
        }
        guard stream.isComplete else { return readBroke("its answer is cut off") }
        nextPart()
    }

    func readRefused(status: Int, message: String) {
        context.figures.failedReads.add(1)
        respond(.unavailable(message, retryAfter: 1))
    }

    func readBroke(_ reason: String) {
        context.figures.failedReads.add(1)
        respond(.unavailable("a node failed: \(reason)", retryAfter: 1))
    }

    // MARK: Ends

    private func finish() {
        do {
            let body = ByteBuffer(bytes: try answer.encoded())
            respond(
                Response(
                    status: 200, contentType: "application/x-protobuf", headers: [("Content-Encoding", "snappy")],
                    body: body))
        } catch {
            respond(.error(500, "\(error)"))
        }
    }

    func clientLeft() {
        leave()
        end()
    }

    func inputClosed() {
        switch state {
        case .reading, .scattering, .inLine:
            leave()
            end()
            exchange.abort()
        case .receiving, .asking, .done: break
        }
    }

    private func leave() {
        switch state {
        case .reading(let read): read.cancel()
        case .scattering(let execution): execution.cancel()
        case .receiving, .asking, .inLine, .done: break
        }
    }

    private func respond(_ response: Response) {
        if case .done = state { return }
        end()
        exchange.respond(response)
    }

    private func end() {
        state = .done
        answer = RemoteReadAnswer()
        turn.end()
    }
}
