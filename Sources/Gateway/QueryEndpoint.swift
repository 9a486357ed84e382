// What happens to a query: its parameters are read as a node reads them, its statements classified by the grammar, and
// then either one node answers the whole, streamed through, or the steps of its plan run one after the other.
//
// Who may is for the nodes to say: reads carry the client's credential to the node that answers them; before anything
// else happens, the gateway asks a node.

import Cluster
import CommitLog
import Logging
import NIOCore
import NIOHTTP1
import NodeClient
import Querying
import Replication

final class QueryEndpoint: Endpoint, ReadSink {
    private enum State {
        case receiving
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
    private var isCounted = false
    private var answerHasBody = true
    /// A read that lists databases: its answer is kept until it is whole, and the gateway's own database taken out.
    private var listed: ListedRead?

    private static let smallForm = 64 << 10

    init(exchange: Exchange, context: LoopContext) {
        self.exchange = exchange
        self.context = context
    }

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
        let request = ClientQuery(head: exchange.head, parameters: parameters)
        guard let text = parameters.statements else {
            return refuse(request, .error(400, "missing required parameter \"q\""))
        }
        guard context.queriesUnderWay < context.settings.limits.concurrentQueries else {
            context.figures.refused.add(1)
            return answer(.unavailable("too many queries are under way", retryAfter: 1))
        }
        let plan: QueryPlan
        do throws(QueryPlan.Problem) {
            plan = try QueryPlan(
                text: text, parameters: parameters.bytes("params") ?? [], context: request.context
            )
        } catch {
            return refuse(request, .error(error.status, error.message))
        }
        context.queryBegan()
        isCounted = true
        context.figures.queries.add(1)
        plan.isOneRead ? read(plan, request) : authorize(plan, request)
    }

    /// The answer to a request that is wrong in itself.
    private func refuse(_ request: ClientQuery, _ response: Response) {
        state = .asking
        let known = context.admission.user(request.credential, or: response) { [weak self] in self?.answer($0) }
        if let known { answer(known) }
    }

    private func answer(_ admission: Admission) {
        if case .asking = state, case .refused(let response) = admission { answer(response) }
    }

    private func read(_ plan: QueryPlan, _ request: ClientQuery) {
        var node = request.whole
        if case .read(_, _, let listings)? = plan.steps.first, !listings.isEmpty {
            let listed = ListedRead(listings: listings, isPretty: request.parameters.isPretty)
            self.listed = listed
            node = request.plain
        }
        let read = ReadExecution(
            request: node, footprint: plan.footprint(database: request.parameters["db"] ?? ""), targets: context,
            settings: context.settings.read, turn: context.nextTurn(),
            eventLoop: context.eventLoop, logger: context.logger, sink: self
        )
        state = .reading(read)
        read.start()
    }

    /// Nothing of a request runs before all of it is allowed (I6).
    private func authorize(_ plan: QueryPlan, _ request: ClientQuery) {
        guard let access = context.access else { return step(plan, request) }
        state = .asking
        StatementAccess(plan.statements, request.context, request.credential, access) { [weak self] refusal in
            guard let self, case .asking = state else { return }
            if let refusal { answer(refusal) } else { step(plan, request) }
        }.start()
    }

    private func step(_ plan: QueryPlan, _ request: ClientQuery) {
        let steps = StepExecution(plan: plan, request: request, context: context) { [weak self] in
            self?.answer($0)
        }
        state = .stepping(steps)
        steps.start()
    }

    // MARK: The answer of one node, streamed through

    func readBegan(status: Int, headers: HTTPHeaders) {
        var passed: [(String, String)] = []
        for (name, value) in headers where Self.passedHeaders.contains(name.lowercased()) {
            passed.append((name, value))
        }
        if headers.contains(name: "X-Sluice-Stale") { context.figures.staleReads.add(1) }
        if let listed { return listed.begin(status, passed) }
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
        exchange.writeBody(bytes)
        if !exchange.isWritable { read.pauseReading() }
    }

    func readEnded() {
        guard case .reading = state else { return }
        if let listed { return answer(listed.response) }
        end()
        exchange.finish()
    }

    func readRefused(status: Int, message: String) {
        context.figures.failedReads.add(1)
        answer(.unavailable(message, retryAfter: 1))
    }

    func readBroke(_ reason: String) {
        guard case .reading = state else { return }
        context.figures.failedReads.add(1)
        context.logger.warning("a node failed in the middle of an answer", metadata: ["reason": "\(reason)"])
        if listed != nil { return answer(.unavailable("a node failed: \(reason)", retryAfter: 1)) }
        end()
        exchange.abort()
    }

    func writabilityChanged(_ isWritable: Bool) {
        guard case .reading(let read) = state else { return }
        if isWritable { read.resumeReading() } else { read.pauseReading() }
    }

    // MARK: Ends

    /// InfluxDB stops a query whose client has gone; so do we, at the node.
    func clientLeft() { leave() }
    func inputClosed() {
        if case .reading = state {
            leave()
            exchange.abort()
        }
    }

    private func leave() {
        switch state {
        case .reading(let read): read.cancel()
        case .stepping(let steps): steps.cancel()
        case .receiving, .asking, .done: break
        }
        end()
    }

    private func answer(_ response: Response) {
        if case .done = state { return }
        end()
        exchange.respond(response)
    }

    private func end() {
        state = .done
        if isCounted {
            isCounted = false
            context.queryEnded()
        }
    }
}

/// A client's query as requests to nodes: always the gateway's own reading of the parameters, so that a node executes
/// exactly what was classified.
struct ClientQuery {
    let parameters: RequestParameters
    let credential: ClientCredential
    let context: StatementContext
    let isGet: Bool
    private let headers: [(String, String)]
    private let credentials: [String]

    init(head: RequestHead, parameters: RequestParameters) {
        self.parameters = parameters
        credential = ClientCredential(head: head, parameters: parameters)
        context = StatementContext(database: parameters["db"] ?? "")
        isGet = head.method == .GET
        var headers = [("Content-Type", "application/x-www-form-urlencoded")]
        for name in ["Authorization", "Accept", "Accept-Encoding", "User-Agent", "X-Request-Id"] {
            if let value = head.headers.first(name: name) { headers.append((name, value)) }
        }
        self.headers = headers
        self.credentials = ["u", "p"].compactMap { name in
            parameters.urlOnly(name).map { "\(name)=\(NodeRequests.percentEncoded($0))" }
        }
    }

    /// What counts in the URL only, in the URL.
    private func target(isPretty: Bool) -> String {
        let pairs = credentials + (isPretty ? ["pretty=true"] : [])
        return pairs.isEmpty ? "/query" : "/query?" + pairs.joined(separator: "&")
    }

    var accept: String { headers.first { $0.0 == "Accept" }?.1 ?? "" }

    /// Everything, for one node to answer.
    var whole: NodeRequest {
        NodeRequest(
            method: .POST, target: target(isPretty: parameters.isPretty), headers: headers,
            body: [ByteBuffer(bytes: parameters.encodedForm())]
        )
    }

    /// Everything, for an answer that is taken apart: not compressed, without line breaks inside.
    var plain: NodeRequest {
        NodeRequest(
            method: .POST, target: target(isPretty: false), headers: headers.filter { $0.0 != "Accept-Encoding" },
            body: [ByteBuffer(bytes: parameters.encodedForm())]
        )
    }

    /// A SELECT whose rows are read as they come.
    func rows(_ text: String) -> NodeRequest {
        let form = parameters.encodedForm(replacing: [
            "q": Array(text.utf8), "chunked": Array("true".utf8), "chunk_size": nil, "async": nil, "epoch": nil,
            "params": nil,
        ])
        return NodeRequest(
            method: .POST, target: target(isPretty: false),
            headers: headers.filter { !["Accept", "Accept-Encoding"].contains($0.0) }
                + [("Accept", "application/x-msgpack")],
            body: [ByteBuffer(bytes: form)]
        )
    }

    /// A part of the statements, as plain JSON that can be put together with other parts.
    func part(_ text: [UInt8]) -> NodeRequest {
        let form = parameters.encodedForm(replacing: ["q": text, "chunked": nil, "chunk_size": nil, "async": nil])
        return NodeRequest(
            method: .POST, target: target(isPretty: false),
            headers: headers.filter { !["Accept", "Accept-Encoding"].contains($0.0) },
            body: [ByteBuffer(bytes: form)]
        )
    }
}

/// An answer with a list of databases in it, until it is whole.
private final class ListedRead {
    private let listings: [Int: HiddenRows.Listing]
    private let isPretty: Bool
    private var status = 0
    private var headers: [(String, String)] = []
    private var body: [UInt8] = []

    init(listings: [Int: HiddenRows.Listing], isPretty: Bool) {
        self.listings = listings
        self.isPretty = isPretty
    }

    func begin(_ status: Int, _ headers: [(String, String)]) {
        self.status = status
        self.headers = headers
    }

    /// False: it is more than the limit.
    func take(_ bytes: ByteBuffer, limit: Int) -> Bool {
        guard body.count + bytes.readableBytes <= limit else { return false }
        body += bytes.readableBytesView
        return true
    }

    var response: Response {
        let contentType = headers.first { $0.0.lowercased() == "content-type" }?.1
        if status == 200 {
            body = HiddenRows.removed(
                from: body, contentType: contentType ?? "", listings: listings, isPretty: isPretty)
        }
        return Response(
            status: status, contentType: contentType, headers: headers.filter { $0.0.lowercased() != "content-type" },
            body: ByteBuffer(bytes: body)
        )
    }
}
