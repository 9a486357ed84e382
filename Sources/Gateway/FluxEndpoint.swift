// `POST /api/v2/query`: Flux, passed through untouched to one node in sync that can answer it. A node without Flux says 404
// (before 1.7) or 403 (where it is off); then the next is asked, and if none can, the last one's words are the answer.

import Cluster
import HTTPCodec
import NIOCore
import NIOHTTP1
import NodeClient
import Querying

final class FluxEndpoint: Endpoint, ReadSink {
    private enum State {
        case receiving
        case asking
        case inLine
        case reading(ReadExecution)
        case done
    }

    private let exchange: Exchange
    private let context: LoopContext
    private var state = State.receiving
    private var body = ByteBuffer()
    private let turn: QueryTurn
    /// Who is still to be asked.
    private var nodes: ArraySlice<NodeIndex> = []
    /// What the last one that cannot said.
    private var refusal: Response?
    private var isRefusing = false
    private var lastFailure = "no node is in sync; try again later"

    private static let largestRefusal = 64 << 10

    init(exchange: Exchange, context: LoopContext) {
        self.exchange = exchange
        self.context = context
        turn = QueryTurn(context)
    }

    // MARK: The request

    func body(_ bytes: ByteBuffer) {
        guard case .receiving = state else { return }
        guard body.readableBytes + bytes.readableBytes <= context.settings.limits.formBytes else {
            return respond(.bodyTooLarge)
        }
        body.writeImmutableBuffer(bytes)
    }

    func bodyEnd() {
        guard case .receiving = state else { return }
        guard context.settings.policy(ofListener: exchange.listener) == Policy() else {
            return refuse(.error(403, "policy: Flux is not allowed here, because nobody has read what it does"))
        }
        guard context.settings.placement.isUniform else {
            return refuse(
                .error(400, "Flux is not supported where measurements lie on different nodes: no node has them all"))
        }
        do throws(FluxScan.Refusal) {
            try FluxScan.check(
                Array(body.readableBytesView), contentType: exchange.head.headers.first(name: "Content-Type") ?? "")
        } catch {
            return refuse(.error(error.status, error.message))
        }
        context.figures.queries.add(1)
        authorize()
    }

    /// With users of its own the gateway has to judge, and cannot read Flux: it is for those who may everything.
    private func authorize() {
        guard let access = context.access, !access.nodesJudgeReads else { return enter() }
        state = .asking
        let verdict = access.verdict(.admin, for: credential) { [weak self] in self?.judged($0) }
        if let verdict { judged(verdict) }
    }

    private func judged(_ verdict: AccessVerdict) {
        guard case .asking = state else { return }
        switch verdict {
        case .allowed: enter()
        case .refused(let response, _): respond(response)
        case .unavailable: respond(.accessUnknown)
        }
    }

    private var credential: ClientCredential {
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: "GET", contentType: nil, body: [])
        return ClientCredential(head: exchange.head, parameters: parameters)
    }

    private func enter() {
        state = .inLine
        turn.take(run: { [weak self] in self?.run() }, refuse: { [weak self] in self?.respond($0) })
    }

    private func refuse(_ response: Response) {
        state = .asking
        context.admission.tell(credential, response) { [weak self] response in
            guard let self, case .asking = state else { return }
            respond(response)
        }
    }

    // MARK: Nodes

    private func run() {
        var candidates = context.readable.inSync
        var order: [NodeIndex] = []
        while let best = NodeChoice.best(of: candidates, turn: context.nextTurn()) {
            order.append(best)
            candidates.removeAll { $0.node == best }
        }
        nodes = order[...]
        next()
    }

    private func next() {
        isRefusing = false
        guard let node = nodes.popFirst() else {
            if let refusal { return respond(refusal) }
            context.figures.failedReads.add(1)
            return respond(.unavailable(lastFailure, retryAfter: 1))
        }
        let head = exchange.head
        let carriesCredential = context.nodesJudgeReads
        let headers = ClientCredential.passed(
            ["Accept", "Accept-Encoding", "Content-Type", "User-Agent", "X-Request-Id"], of: head,
            withCredential: carriesCredential)
        let query = carriesCredential && !head.rawQuery.isEmpty ? "?" + head.rawQuery : ""
        let request = NodeRequest(method: .POST, target: head.path + query, headers: headers, body: [body])
        let read = ReadExecution(
            request: request, footprint: ReadFootprint([], database: ""), targets: context,
            settings: context.settings.read, turn: context.nextTurn(),
            only: (node, context.settings.nodes[Int(node.value)].name), eventLoop: context.eventLoop,
            logger: context.logger, sink: self)
        state = .reading(read)
        read.start()
    }

    func readBegan(status: Int, headers: HeaderFields) {
        var passed: [(String, String)] = []
        for (name, value) in headers.pairs where Self.passedHeaders.contains(name.lowercased()) {
            passed.append((name, value))
        }
        if Self.cannot(status) {
            isRefusing = true
            refusal = Response(
                status: status, contentType: headers.first(name: "Content-Type"),
                headers: passed.filter { $0.0.lowercased() != "content-type" })
        } else {
            exchange.startStreaming(status: status, headers: passed)
        }
    }

    /// It has no Flux; or it is the client who may not, which another node says as well.
    private static func cannot(_ status: Int) -> Bool { status == 404 || status == 403 || status >= 500 }

    private static let passedHeaders: Set<String> = [
        "content-type", "content-encoding", "x-influxdb-error", "www-authenticate", "x-content-type-options",
    ]

    func readBody(_ bytes: ByteBuffer) {
        guard case .reading(let read) = state else { return }
        if isRefusing {
            guard let count = refusal?.body.readableBytes, count < Self.largestRefusal else { return }
            refusal?.body.writeImmutableBuffer(bytes)
            return
        }
        exchange.writeBody(bytes)
        if !exchange.isWritable { read.pauseReading() }
    }

    func readEnded() {
        guard case .reading = state else { return }
        if isRefusing { return next() }
        end()
        exchange.finish()
    }

    func readRefused(status: Int, message: String) {
        guard case .reading = state else { return }
        lastFailure = message
        next()
    }

    func readBroke(_ reason: String) {
        guard case .reading = state else { return }
        context.figures.failedReads.add(1)
        if isRefusing { return next() }
        end()
        exchange.abort()
    }

    func writabilityChanged(_ isWritable: Bool) {
        guard case .reading(let read) = state else { return }
        if isWritable { read.resumeReading() } else { read.pauseReading() }
    }

    // MARK: Ends

    func clientLeft() {
        leave()
        end()
    }

    func inputClosed() {
        switch state {
        case .reading, .inLine:
            leave()
            end()
            exchange.abort()
        case .receiving, .asking, .done: break
        }
    }

    private func leave() {
        switch state {
        case .reading(let read): read.cancel()
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
        turn.end()
    }
}
