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
        case inLine(QueryGate.Ticket)
        case stepping(StepExecution)
        case done
    }

    private let context: LoopContext
    private let policy: Policy
    private let whenDone: (Outcome) -> Void
    private var state = State.idle
    private var runs = false
    private var keepsAlive: StatementRun?

    init(_ exchange: Exchange, _ context: LoopContext, whenDone: @escaping (Outcome) -> Void) {
        self.context = context
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
            let request = try ClientQuery(head: head, parameters: parameters, nodes: context.settings.nodes)
            let plan = try QueryPlan(text: Array(text.utf8), context: request.context, policy: policy)
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
        let known = context.admission.user(credential, or: response) { [weak self] in self?.refused($0) }
        if let known { refused(known) }
    }

    private func refused(_ admission: Admission) {
        if case .asking = state, case .refused(let response) = admission { end(.refused(response)) }
    }

    private func authorize(_ plan: QueryPlan, _ request: ClientQuery) {
        guard let access = context.access else { return enter(plan, request) }
        state = .asking
        StatementAccess(plan.statements, request.context, request.credential, access) { [weak self] refusal in
            guard let self, case .asking = state else { return }
            if let refusal { end(.refused(refusal)) } else { enter(plan, request) }
        }.start()
    }

    private func enter(_ plan: QueryPlan, _ request: ClientQuery) {
        let line = context.line
        let entry = line.enter { [weak self] isItsTurn in
            guard let self, case .inLine = state else {
                if isItsTurn { line.ended() }
                return
            }
            isItsTurn ? run(plan, request) : crowdedOut()
        }
        switch entry {
        case .runs: run(plan, request)
        case .waits(let ticket): state = .inLine(ticket)
        case .refused: crowdedOut()
        }
    }

    private func crowdedOut() {
        context.figures.crowdedOut.add(1)
        end(.refused(.unavailable("too many queries are under way", retryAfter: 1)))
    }

    private func run(_ plan: QueryPlan, _ request: ClientQuery) {
        runs = true
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
        case .inLine(let ticket): context.line.leave(ticket)
        case .idle, .asking, .done: break
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
        if runs {
            runs = false
            context.line.ended()
        }
    }
}
