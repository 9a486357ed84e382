// What happens to a query: its parameters are read as a node reads them, its statements classified by the grammar, and
// then either one node answers the whole, streamed through, or the steps of its plan run one after the other.
//
// Who may is for the nodes to say: reads carry the client's credential to the node that answers them; before anything
// else happens, the gateway asks a node. With users of its own, the gateway says it, of reads too.

import Cluster
import CommitLog
import HTTPCodec
import InfluxQL
import Logging
import NIOCore
import NodeClient
import Querying
import Replication

final class QueryEndpoint: Endpoint, ReadSink {
    private enum State {
        case receiving
        /// Too many others run.
        case inLine
        /// A node is being asked whether the client may.
        case asking
        case reading(ReadExecution)
        case stepping(StepExecution)
        case done
    }

    private let exchange: Exchange
    private let context: LoopContext
    private var state = State.receiving
    private var form = ByteBuffer()
    private var formIsTooLarge = false
    private var isUserAsked = false
    private let turn: QueryTurn
    private var answerHasBody = true
    /// The node that the client named.
    private var answeringNode: String?
    /// A read that lists databases: its answer is kept until it is whole, and the gateway's own database taken out.
    private var listed: ListedRead?
    /// A read whose rows are counted on their way.
    private var limited: LimitedAnswer?
    private var isPretty = false
    /// An answer of the gateway's own, or one that it has read on its way, for a client that accepts gzip.
    private var compressed: GzipAnswer?
    private var stream: GzipStream?

    private static let smallForm = 64 << 10

    init(exchange: Exchange, context: LoopContext) {
        self.exchange = exchange
        self.context = context
        turn = QueryTurn(context)
    }

    private var policy: Policy { context.settings.policy(ofListener: exchange.listener) }

    // MARK: Receiving

    func body(_ bytes: ByteBuffer) {
        guard case .receiving = state, !formIsTooLarge else { return }
        // A larger form is read to its end and counts as absent, as in InfluxDB.
        if form.readableBytes + bytes.readableBytes > context.settings.limits.formBytes {
            formIsTooLarge = true
            form = ByteBuffer()
        } else {
            form.writeImmutableBuffer(bytes)
            askForUser()
        }
    }

    /// Nobody's large form is kept (I8).
    private func askForUser() {
        guard let access = context.access, !isUserAsked, form.readableBytes > Self.smallForm else { return }
        isUserAsked = true
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: "GET", contentType: nil, body: [])
        let credential = ClientCredential(head: exchange.head, parameters: parameters)
        exchange.pauseReading()
        let verdict = access.verdict(.user, for: credential) { [weak self] in self?.userAnswered($0) }
        if let verdict { userAnswered(verdict) }
    }

    private func userAnswered(_ verdict: AccessVerdict) {
        exchange.resumeReading()
        guard case .receiving = state else { return }
        switch verdict {
        case .allowed: break
        case .refused(let response, _): answer(response)
        case .unavailable: answer(.accessUnknown)
        }
    }

    func bodyEnd() {
        guard case .receiving = state else { return }
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: exchange.head.method.rawValue,
            contentType: exchange.head.headers.first(name: "Content-Type"), body: Array(form.readableBytesView)
        )
        form = ByteBuffer()
        let request: ClientQuery
        do throws(QueryPlan.Problem) {
            request = try ClientQuery(
                head: exchange.head, parameters: parameters, nodes: context.settings.nodes,
                carriesCredential: context.nodesJudgeReads)
        } catch {
            let credential = ClientCredential(head: exchange.head, parameters: parameters)
            return refuse(credential, .error(error.status, error.message))
        }
        guard let text = parameters.statements else {
            return refuse(request.credential, .error(400, "missing required parameter \"q\""))
        }
        let plan: QueryPlan
        do throws(QueryPlan.Problem) {
            plan = try QueryPlan(
                text: text, parameters: parameters.bytes("params") ?? [], context: request.context,
                policy: policy, placement: context.settings.placement
            )
        } catch {
            if let rule = error.rule { context.refusedByPolicy(rule, error.message) }
            return refuse(request.credential, .error(error.status, error.message))
        }
        context.figures.queries.add(1)
        state = .inLine
        turn.take(run: { [weak self] in self?.run(plan, request) }, refuse: { [weak self] in self?.answer($0) })
    }

    private func run(_ plan: QueryPlan, _ request: ClientQuery) {
        plan.isOneRead && context.nodesJudgeReads ? read(plan, request) : authorize(plan, request)
    }

    /// The answer to a request that is wrong in itself.
    private func refuse(_ credential: ClientCredential, _ response: Response) {
        state = .asking
        context.admission.tell(credential, response) { [weak self] response in
            guard let self, case .asking = state else { return }
            answer(response)
        }
    }

    private func read(_ plan: QueryPlan, _ request: ClientQuery) {
        var node = request.whole
        var within: ReadScope?
        var listings: [Int: HiddenRows.Listing] = [:]
        if case .read(_, _, let listed, let scope)? = plan.steps.first { (listings, within) = (listed, scope) }
        if !listings.isEmpty {
            let listed = ListedRead(
                listings: listings, isPretty: request.parameters.isPretty,
                isShown: context.shownDatabases(to: request.credential))
            self.listed = listed
            node = request.plain
        } else if let maximumRows = policy.maximumRows {
            limited = LimitedAnswer(
                maximumRows: maximumRows, maximumBytes: context.settings.limits.mixedAnswerBytes,
                isChunked: request.isChunked)
            isPretty = request.parameters.isPretty
            node = request.uncompressed
        }
        let read = ReadExecution(
            request: node, footprint: plan.footprint(database: request.context.database), targets: context,
            settings: request.settings(context.settings.read), turn: context.nextTurn(), only: request.node,
            within: context.within(within), eventLoop: context.eventLoop, logger: context.logger, sink: self
        )
        if let node = request.node {
            answeringNode = node.name
            tellOfChanges(plan, of: node.name)
        }
        state = .reading(read)
        read.start()
    }

    /// What changes one node only is no record of the log; this is all that is left of it.
    private func tellOfChanges(_ plan: QueryPlan, of node: String) {
        for statement in plan.statements where statement.kind.effect == .perNode {
            context.logger.warning(
                "a statement is sent to one node by a client's wish",
                metadata: ["node": "\(node)", "statement": "\(statement)"])
        }
    }

    /// Nothing of a request runs before all of it is allowed (I6).
    private func authorize(_ plan: QueryPlan, _ request: ClientQuery) {
        guard let access = context.access else { return step(plan, request) }
        state = .asking
        access.authorize(plan.statements, request.context, as: request.credential) { [weak self] refusal in
            guard let self, case .asking = state else { return }
            if let refusal { return answer(refusal) }
            plan.isOneRead ? read(plan, request) : step(plan, request)
        }
    }

    private func step(_ plan: QueryPlan, _ request: ClientQuery) {
        let steps = StepExecution(plan: plan, request: request, policy: policy, context: context) { [weak self] in
            self?.answer($0)
        }
        state = .stepping(steps)
        steps.start()
    }

    // MARK: The answer of one node, streamed through

    func readBegan(status: Int, headers: HeaderFields) {
        var passed: [(String, String)] = []
        for (name, value) in headers.pairs where Self.passedHeaders.contains(name.lowercased()) {
            passed.append((name, value))
        }
        if let answeringNode { passed.append((NamedNode.header, answeringNode)) }
        if headers.contains(name: "X-Sluice-Stale") { context.figures.staleReads.add(1) }
        if let listed { return listed.begin(status, passed) }
        if let limited, status == 200 { return limited.begin(status, passed) }
        limited = nil
        answerHasBody = status != 204 && status != 304
        if answerHasBody {
            exchange.startStreaming(status: status, headers: passed)
        } else {
            answer(Response(status: status, headers: passed))
        }
    }

    private static let passedHeaders: Set<String> = [
        "content-type", "content-encoding", "x-influxdb-error", "www-authenticate", "x-sluice-stale",
    ]

    func readBody(_ bytes: ByteBuffer) {
        guard case .reading(let read) = state else { return }
        if let listed {
            guard !listed.take(bytes, limit: context.settings.limits.mixedAnswerBytes) else { return }
            read.cancel()
            return answer(.error(500, "the answer is too large to take the gateway's own database out of a list in it"))
        }
        if let limited { return pass(bytes, limited, read) }
        exchange.writeBody(bytes)
        if !exchange.isWritable { read.pauseReading() }
    }

    private func pass(_ bytes: ByteBuffer, _ limited: LimitedAnswer, _ read: ReadExecution) {
        switch limited.take(bytes) {
        case .pass(let bytes):
            guard bytes.readableBytes > 0 else { return }
            begin(limited)
            write(bytes)
            if !exchange.isWritable { read.pauseReading() }
        case .stop(let bytes, let isTooLarge):
            read.cancel()
            let refusal = isTooLarge ? policy.tooManyBytes : policy.tooManyRows
            context.refusedByPolicy(refusal.rule, refusal.message)
            guard limited.hasBegun || bytes.readableBytes > 0 else { return answer(.error(403, refusal.message)) }
            begin(limited)
            write(bytes)
            write(limited.lastDocument(refusal.message, isPretty: isPretty))
            end()
            finish()
        }
    }

    private func begin(_ limited: LimitedAnswer) {
        guard !limited.hasBegun else { return }
        limited.hasBegun = true
        var headers = limited.headers
        if limited.status == 200, exchange.head.acceptsGzip {
            stream = GzipStream()
            headers.append(("Content-Encoding", "gzip"))
        }
        exchange.startStreaming(status: limited.status, headers: headers)
    }

    /// A piece of a limited answer; the client can read all of it at once.
    private func write(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        exchange.writeBody(stream?.encode(bytes, .flushed) ?? bytes)
    }

    private func finish() {
        if let stream { exchange.writeBody(stream.encode(ByteBuffer(), .finished)) }
        exchange.finish()
    }

    func readEnded() {
        guard case .reading = state else { return }
        if let listed {
            let response = listed.response
            if let refusal = policy.refusal(ofRows: response) {
                context.refusedByPolicy(refusal.rule, refusal.message)
                return answer(.error(403, refusal.message))
            }
            return answer(response)
        }
        if let limited {
            if !limited.hasBegun, exchange.head.acceptsGzip { return answer(limited.response) }
            begin(limited)
            write(limited.held)
        }
        end()
        finish()
    }

    func readRefused(status: Int, message: String) {
        context.figures.failedReads.add(1)
        answer(.unavailable(message, retryAfter: 1))
    }

    func readBroke(_ reason: String) {
        guard case .reading = state else { return }
        context.figures.failedReads.add(1)
        context.logger.warning("a node failed in the middle of an answer", metadata: ["reason": "\(reason)"])
        if listed != nil || limited?.hasBegun == false {
            return answer(.unavailable("a node failed: \(reason)", retryAfter: 1))
        }
        end()
        exchange.abort()
    }

    func writabilityChanged(_ isWritable: Bool) {
        compressed?.writabilityChanged(isWritable)
        guard case .reading(let read) = state else { return }
        if isWritable { read.resumeReading() } else { read.pauseReading() }
    }

    // MARK: Ends

    /// InfluxDB stops a query whose client has gone; so do we, at the node.
    func clientLeft() { leave() }
    func inputClosed() {
        switch state {
        case .reading, .inLine:
            leave()
            exchange.abort()
        case .stepping(let steps):
            // A change is in the log, and its client may still want to know what became of it.
            guard steps.isReading else { return }
            leave()
            exchange.abort()
        case .receiving, .asking, .done: break
        }
    }

    private func leave() {
        switch state {
        case .reading(let read): read.cancel()
        case .stepping(let steps): steps.cancel()
        case .receiving, .inLine, .asking, .done: break
        }
        end()
    }

    private func answer(_ response: Response) {
        if case .done = state { return }
        end()
        compressed = GzipAnswer(response, exchange)
        if let compressed { compressed.start() } else { exchange.respond(response) }
    }

    private func end() {
        state = .done
        turn.end()
    }
}
