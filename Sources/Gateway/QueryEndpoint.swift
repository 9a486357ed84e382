// What happens to a query: its parameters are read as a node reads them, its statements classified by the grammar, and
// then either one node answers the whole, streamed through, or the steps of its plan run one after the other.

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
        case reading(ReadExecution)
        case stepping(StepExecution)
        case done
    }

    private let exchange: Exchange
    private let context: LoopContext
    private var state = State.receiving
    private var form = ByteBuffer()
    private var formIsTooLarge = false
    private var isCounted = false
    private var answerHasBody = true

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
        }
    }

    func bodyEnd() {
        guard case .receiving = state else { return }
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: exchange.head.method.rawValue,
            contentType: exchange.head.headers.first(name: "Content-Type"), body: Array(form.readableBytesView)
        )
        form = ByteBuffer()
        guard let text = parameters.statements else {
            return answer(.error(400, "missing required parameter \"q\""))
        }
        guard context.queriesUnderWay < context.settings.limits.concurrentQueries else {
            context.figures.refused.add(1)
            return answer(.unavailable("too many queries are under way", retryAfter: 1))
        }
        let plan: QueryPlan
        do throws(QueryPlan.Problem) {
            plan = try QueryPlan(text: text, hasParameters: parameters["params"]?.isEmpty == false)
        } catch {
            return answer(.error(error.status, error.message))
        }
        context.queryBegan()
        isCounted = true
        context.figures.queries.add(1)
        let request = ClientQuery(head: exchange.head, parameters: parameters)
        if plan.isOneRead {
            let read = ReadExecution(
                request: request.whole, targets: context, settings: context.settings.read, turn: context.nextTurn(),
                eventLoop: context.eventLoop, logger: context.logger, sink: self
            )
            state = .reading(read)
            read.start()
        } else {
            let steps = StepExecution(plan: plan, request: request, context: context) { [weak self] in
                self?.answer($0)
            }
            state = .stepping(steps)
            steps.start()
        }
    }

    // MARK: The answer of one node, streamed through

    func readBegan(status: Int, headers: HTTPHeaders) {
        var passed: [(String, String)] = []
        for (name, value) in headers where Self.passedHeaders.contains(name.lowercased()) {
            passed.append((name, value))
        }
        if headers.contains(name: "X-Sluice-Stale") { context.figures.staleReads.add(1) }
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
        exchange.writeBody(bytes)
        if !exchange.isWritable { read.pauseReading() }
    }

    func readEnded() {
        guard case .reading = state else { return }
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
        case .receiving, .done: break
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
    private let headers: [(String, String)]
    private let credentials: [String]

    init(head: RequestHead, parameters: RequestParameters) {
        self.parameters = parameters
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

    /// Everything, for one node to answer.
    var whole: NodeRequest {
        NodeRequest(
            method: .POST, target: target(isPretty: parameters.isPretty), headers: headers,
            body: [ByteBuffer(bytes: parameters.encodedForm())]
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
