// A request of version 2 of the API that stands for statements: they are run as if a client had sent them to `/query`,
// with its credential, under its listener's policy, changes through the log.

import InfluxQL
import NIOCore
import Querying

/// Statements of one request. It lives until `whenDone` was called, or until `cancel`.
final class StatementRun {
    enum Outcome {
        /// One for each statement; of the last it may be an error.
        case results([ResultJSON])
        /// Nothing ran.
        case refused(Response)
    }

    private enum State {
        case idle
        case asking
        case inLine
        case stepping(StepExecution)
        case done
    }

    private let context: LoopContext
    private let policy: Policy
    private let whenDone: (Outcome) -> Void
    private var state = State.idle
    private let turn: QueryTurn
    private var keepsAlive: StatementRun?

    init(_ exchange: Exchange, _ context: LoopContext, whenDone: @escaping (Outcome) -> Void) {
        self.context = context
        turn = QueryTurn(context)
        policy = context.settings.policy(ofListener: exchange.listener)
        self.whenDone = whenDone
    }

    /// - Parameter head: of the client's request; its credential counts, nothing else.
    func start(_ text: String, database: String, head: RequestHead) {
        keepsAlive = self
        let original = RequestParameters(urlQuery: head.rawQuery, method: "GET", contentType: nil, body: [])
        var pairs = [("db", database), ("q", text)]
        for name in ["u", "p"] { if let value = original.urlOnly(name) { pairs.append((name, value)) } }
        var head = head
        head.method = .POST
        head.rawQuery = pairs.map { "\($0.0)=\(Self.percentEncoded($0.1))" }.joined(separator: "&")
        for name in ["Accept", "Accept-Encoding", "Content-Type"] { head.headers.remove(name: name) }
        let parameters = RequestParameters(urlQuery: head.rawQuery, method: "POST", contentType: nil, body: [])
        let credential = ClientCredential(head: head, parameters: parameters)
        do throws(QueryPlan.Problem) {
            let request = try ClientQuery(
                head: head, parameters: parameters, nodes: context.settings.nodes,
                carriesCredential: context.nodesJudgeReads)
            let plan = try QueryPlan(
                text: Array(text.utf8), context: request.context, policy: policy, placement: context.settings.placement)
            context.figures.queries.add(1)
            authorize(plan, request)
        } catch {
            if let rule = error.rule { context.refusedByPolicy(rule, error.message) }
            refuse(credential, .error(error.status, error.message))
        }
    }

    private static func percentEncoded(_ text: String) -> String {
        var result: [UInt8] = []
        PercentEncoding.append(Array(text.utf8), to: &result)
        return String(decoding: result, as: UTF8.self)
    }

    /// An answer that a client gets who is a user at all.
    private func refuse(_ credential: ClientCredential, _ response: Response) {
        state = .asking
        context.admission.tell(credential, response) { [weak self] response in
            guard let self, case .asking = state else { return }
            end(.refused(response))
        }
    }

    private func authorize(_ plan: QueryPlan, _ request: ClientQuery) {
        guard let access = context.access else { return enter(plan, request) }
        state = .asking
        access.authorize(plan.statements, request.context, as: request.credential) { [weak self] refusal in
            guard let self, case .asking = state else { return }
            if let refusal { end(.refused(refusal)) } else { enter(plan, request) }
        }
    }

    private func enter(_ plan: QueryPlan, _ request: ClientQuery) {
        state = .inLine
        turn.take(run: { [weak self] in self?.run(plan, request) }, refuse: { [weak self] in self?.end(.refused($0)) })
    }

    private func run(_ plan: QueryPlan, _ request: ClientQuery) {
        let steps = StepExecution(plan: plan, request: request, policy: policy, context: context) { [weak self] in
            self?.answered($0)
        }
        state = .stepping(steps)
        steps.start()
    }

    private func answered(_ response: Response) {
        let body = Array(response.body.readableBytesView)
        guard response.status == 200, let results = ResultJSON(body)?["results"]?.elements else {
            return end(.refused(response))
        }
        end(.results(results))
    }

    /// The client has left. A change that is in the log is carried out all the same.
    func cancel() {
        switch state {
        case .stepping(let steps): steps.cancel()
        case .idle, .asking, .inLine, .done: break
        }
        leave()
    }

    private func end(_ outcome: Outcome) {
        if case .done = state { return }
        leave()
        whenDone(outcome)
    }

    private func leave() {
        state = .done
        keepsAlive = nil
        turn.end()
    }
}
