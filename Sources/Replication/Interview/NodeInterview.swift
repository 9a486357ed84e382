// Asks one node about itself, in bounded time: what it is, what is under way in it, how far it has come, what it
// holds. Whoever decides on the answers does not see HTTP.

import Cluster
import CommitLog
import NIOCore
import NodeClient

/// Confined to the event loop of its pool; every future completes there and fails with `InterviewFailure`.
package final class NodeInterview {
    package struct Limits: Sendable {
        /// Until the answer begins. InfluxDB sends the head of a query's answer before it executes it.
        package var firstByte: TimeAmount = .seconds(3)
        /// Between two pieces of the answer; also how long one statement may take.
        package var idle: TimeAmount = .seconds(3)
        package var answerBytes = 64 << 20

        package init() {}
    }

    package let pool: NodePool
    package var limits: Limits
    let clock: any LogClock
    /// Writes that the node's counters will show as unfinished for ever; see `fence`.
    var forgotten = ForgottenWrites()

    /// - Parameter clock: its wall time is what the node's is compared with.
    package init(pool: NodePool, limits: Limits = Limits(), clock: any LogClock = SystemClock()) {
        self.pool = pool
        self.limits = limits
        self.clock = clock
    }

    package var eventLoop: any EventLoop { pool.eventLoop }

    // MARK: Statements

    /// Executes one statement, times as nanoseconds. An `error` in the answer is a failure with the node's words, and
    /// so is an answer that the node's own limits have cut.
    package func ask(_ statement: String, database: String = "") -> EventLoopFuture<[QuerySeries]> {
        var form = "q=" + NodeRequests.percentEncoded(statement) + "&epoch=ns"
        if !database.isEmpty { form += "&db=" + NodeRequests.percentEncoded(database) }
        let request = NodeRequest(
            method: .POST, target: "/query",
            headers: [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")],
            body: [ByteBuffer(string: form)]
        )
        return send(request).flatMapThrowing { answer in
            try Self.series(of: answer, to: statement)
        }
    }

    private static func series(
        of answer: CollectedAnswer.Answer, to statement: String
    ) throws(InterviewFailure) -> [QuerySeries] {
        let document = try answer.document(about: statement)
        guard let results = document["results"]?.array else {
            throw InterviewFailure(.unusable, reason: "an answer without results to \(statement)")
        }
        var all: [QuerySeries] = []
        for result in results {
            if let error = result["error"]?.string {
                throw InterviewFailure(
                    .refused, reason: "said \"\(error)\" to \(statement)", mayPass: NodeAnswer.isTransient(error))
            }
            for series in result["series"]?.array ?? [] {
                // Later series may be missing without a word once one was cut (reference, 4).
                guard series["partial"]?.bool != true else {
                    throw InterviewFailure(
                        .unusable, reason: "cut its answer to \(statement): max-row-limit is set in its configuration")
                }
                all.append(QuerySeries(series))
            }
        }
        return all
    }

    // MARK: Requests

    /// An answer with status 2xx from an InfluxDB 1.x.
    func send(_ request: NodeRequest, expecting status: Int = 200) -> EventLoopFuture<CollectedAnswer.Answer> {
        let what = "\(request.method) \(request.target.prefix { $0 != "?" })"
        let promise = eventLoop.makePromise(of: CollectedAnswer.Answer.self)
        let collector = AnswerCollector(limit: limits.answerBytes) { answer in
            promise.completeWith(Result { try answer.checked(status: status, what: what) })
        }
        send(request, to: collector, idle: limits.idle)
        return promise.futureResult
    }

    func send(_ request: NodeRequest, to receiver: any NodeResponseReceiver, idle: TimeAmount) {
        eventLoop.assertInEventLoop()
        pool.send(
            request, to: receiver, options: ExchangeOptions(firstByteTimeout: limits.firstByte, idleTimeout: idle))
    }
}

extension CollectedAnswer {
    fileprivate func checked(status: Int, what: String) throws(InterviewFailure) -> Answer {
        let answer: Answer
        switch self {
        case .complete(let complete): answer = complete
        case .failed(.notSent(let reason)):
            throw InterviewFailure(.unreachable, reason: "cannot be reached: \(reason)")
        case .failed(.afterSend(let reason)):
            throw InterviewFailure(.unreachable, reason: "gave no answer to \(what): \(reason)")
        case .failed(.cancelled):
            throw InterviewFailure(.unreachable, reason: "was not asked to the end: \(what)")
        }
        guard answer.isFromInfluxDB else {
            throw InterviewFailure(
                .notInfluxDB,
                reason: "answered \(answer.status) to \(what) without X-Influxdb-Version: is this an InfluxDB 1.x?")
        }
        guard !answer.isTruncated else {
            throw InterviewFailure(.unusable, reason: "answered \(what) with more than \(answer.body.count) bytes")
        }
        guard answer.status == status else {
            let words = answer.nodeAnswer.message
            if words.contains("create admin user first") {
                throw InterviewFailure(
                    .unauthorized,
                    reason: "has authentication switched on and no user yet: make the gateway's account on it first, "
                        + "CREATE USER name WITH PASSWORD '...' WITH ALL PRIVILEGES")
            }
            if [401, 403].contains(answer.status) {
                throw InterviewFailure(.unauthorized, reason: answer.nodeAnswer.accessAdvice)
            }
            throw InterviewFailure(
                .refused, reason: "answered \(answer.status) to \(what): \(words.prefix(500))",
                mayPass: answer.status >= 500 || answer.status == 429)
        }
        return answer
    }
}

extension CollectedAnswer.Answer {
    func document(
        about what: String, keeping: ((String) -> Bool)? = nil
    ) throws(InterviewFailure) -> JSONValue {
        do {
            return try JSONValue(parsing: body, keeping: keeping)
        } catch {
            let start = String(decoding: body.prefix(200), as: UTF8.self)
            throw InterviewFailure(.unusable, reason: "answered \(what) with \(error): \(start)")
        }
    }
}

extension QuerySeries {
    fileprivate init(_ json: JSONValue) {
        var tags: [String: String] = [:]
        for tag in json["tags"]?.members ?? [] { tags[tag.key] = tag.value.string ?? "" }
        self.init(
            name: json["name"]?.string ?? "", tags: tags,
            columns: (json["columns"]?.array ?? []).map { $0.string ?? "" },
            values: (json["values"]?.array ?? []).map { $0.array ?? [] })
    }
}
