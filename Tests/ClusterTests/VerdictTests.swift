import Cluster
import TestThreads
import Testing

@Suite("What a node's answer means")
struct VerdictTests {
    static let writes: [(Int, Bool, String, String)] = [
        (204, true, "", "applied"),
        (204, false, "", "misconfigured"),
        (200, true, "", "misconfigured"),
        (400, true, "partial write: field type conflict: input field \"v\" ... dropped=1", "lines"),
        (400, true, "partial write: max-values-per-tag limit exceeded (3/3) dropped=1", "lines"),
        (400, true, "unable to parse 'x': missing fields", "lines"),
        (400, true, "partial write: points beyond retention policy dropped=1", "expired"),
        (400, true, "partial write: shard 3 is pending deletion dropped=2", "retry"),
        (404, true, "database not found: \"nope\"", "record"),
        (404, true, "404 page not found", "misconfigured"),
        (500, true, "retention policy not found: norp", "record"),
        (500, true, "engine: cache-max-memory-size exceeded: (670/500)", "retry"),
        (500, true, "timeout", "retry"),
        (500, true, "Internal Server Error\n", "lines"),
        (500, true, "write failed", "retry"),
        (503, true, "request throttled, queue full", "retry"),
        (429, false, "", "retry"),
        (502, false, "bad gateway", "retry"),
        (413, true, "Request Entity Too Large", "too large"),
        (401, true, "authorization failed", "misconfigured"),
        (403, true, "\"u\" user is not authorized to write", "misconfigured"),
        (301, false, "", "misconfigured"),
    ]

    @Test("L1 a write counts as applied only after an InfluxDB's 204", arguments: writes)
    func write(status: Int, isInfluxDB: Bool, message: String, meaning: String) {
        let verdict = NodeAnswer(status: status, isFromInfluxDB: isInfluxDB, message: message).writeVerdict
        let word =
            switch verdict {
            case .applied: "applied"
            case .linesRefused: "lines"
            case .recordRefused: "record"
            case .expired: "expired"
            case .tooLarge: "too large"
            case .retry: "retry"
            case .misconfigured: "misconfigured"
            }
        #expect(word == meaning)
    }

    @Test("a node that does not let the gateway in says what to add to the configuration")
    func access() {
        let unknown = NodeAnswer(status: 401, isFromInfluxDB: true, message: "authorization failed")
        let weak = NodeAnswer(status: 403, isFromInfluxDB: true, message: "u not authorized to execute")
        for answer in [unknown, weak] {
            #expect(answer.writeVerdict == .misconfigured(reason: answer.accessAdvice))
            #expect(answer.mutationVerdict == .misconfigured(reason: answer.accessAdvice))
        }
        #expect(unknown.accessAdvice.contains("answered 401 (authorization failed)"))
        #expect(unknown.accessAdvice.contains("\"username: NAME\" and \"password_file: FILE\""))
        #expect(weak.accessAdvice.contains("grant it ALL PRIVILEGES"))
    }

    @Test(
        "D3 a mutation's verdict is in its body",
        arguments: [
            (200, "", "done"),
            (200, "user already exists", "refused"),
            (200, "query engine shutdown", "retry"),
            (200, "max-concurrent-queries limit exceeded(1, 1)", "retry"),
            (400, "error parsing query: found EOF", "refused"),
            (401, "authorization failed", "misconfigured"),
            (500, "", "retry"),
            (503, "", "retry"),
        ]
    )
    func mutation(status: Int, message: String, meaning: String) {
        let verdict = NodeAnswer(status: status, isFromInfluxDB: true, message: message).mutationVerdict
        let word =
            switch verdict {
            case .executed(nil): "done"
            case .executed: "refused"
            case .retry: "retry"
            case .misconfigured: "misconfigured"
            }
        #expect(word == meaning)
    }

    @Test(
        "the errors of an answer are found wherever they are, and nowhere else",
        arguments: [
            (#"{"results":[{"statement_id":0}]}"# + "\n", [], true),
            (#"{"results":[{"statement_id":0,"error":"a \"b\" \u003c"}]}"#, [#"a "b" <"#], true),
            (#"{"error":"x"}"#, ["x"], true),
            (#"{"results":[{"series":[{"name":"error","columns":["error"],"values":[["error"]]}]}]}"#, [], true),
            (#"{"results":[{"series":[{"tags":{"error":"t"}}]}]}"#, [], true),
            (#"{"results":[{"statement_id":0},{"statement_id":1,"error":"b"}]}"#, ["b"], true),
            (#"{"results":[{"statement_id":0}]}{"results":[{"error":"2"}]}"#, ["2"], true),
            (#"{"results":[{"statement_id":0,"#, [], false),
            ("", [], false),
            ("404 page not found\n", [], false),
            (#"{"error":"\ud83d\ude00 \ud83d"}"#, ["\u{1F600} \u{FFFD}"], true),
            (#"{"error":"\ud83d\u0041"}"#, ["\u{FFFD}A"], true),
        ]
    )
    func errors(text: String, errors: [String], isComplete: Bool) {
        let found = ResponseErrors(Array(text.utf8))
        #expect(found.errors == errors)
        #expect(found.isComplete == isComplete)
    }

    @Test("hostile JSON is no trouble")
    func hostile() {
        for text in [
            "[", "{", "{\"", "{\"a\":", "[[[", String(repeating: "[", count: 100_000), "{\"a\" 1}", "\\", "\"\\u12",
        ] {
            #expect(!ResponseErrors(Array(text.utf8)).isComplete)
        }
    }
}

@Suite("Finding the refused lines of a record", .blocking)
struct RefusalSearchTests {
    private let refusal = Refusal(status: 400, message: "no")

    @Test(
        "L7 L22 exactly the refused lines are found; every other line was in a request that was taken whole",
        arguments: 0..<200)
    func finds(seed: UInt64) {
        var random = SplitMix(seed: seed)
        let count = Int(random.next() % 40) + 1
        var bad = Set((0..<count).filter { _ in random.next() % 6 == 0 })
        if bad.isEmpty { bad = [Int(random.next() % UInt64(count))] }
        var search = RefusalSearch(lines: count, refusal: refusal)
        var taken: [Int] = []
        var steps = 0
        while case .send(let range) = search.next {
            steps += 1
            if bad.isDisjoint(with: range) {
                taken += range
                search.accepted()
            } else {
                search.refused(refusal)
            }
        }
        guard case .done(let refused) = search.next else { return }
        #expect(Set(refused.flatMap(\.lines)) == bad)
        #expect(taken == (0..<count).filter { !bad.contains($0) }, "each once, in order")
        #expect(steps <= 2 * bad.count * 7 + 2)
    }

    @Test("A5 the search is bounded: what is left when the budget is used up is refused in pieces")
    func bounded() {
        var search = RefusalSearch(lines: 1000, refusal: refusal, budget: 10)
        var steps = 0
        while case .send = search.next {
            steps += 1
            search.refused(refusal)
        }
        guard case .done(let refused) = search.next else { return }
        #expect(refused.flatMap(\.lines).sorted() == Array(0..<1000))
        #expect(steps < 40)
    }
}

@Suite("Health, pauses and levels")
struct SmallTests {
    @Test("down after three misses in a row, up at the first answer")
    func health() {
        var health = Health(missesUntilDown: 3)
        #expect(!health.isUp)
        #expect(health.answered() == .cameUp)
        #expect(health.missed() == nil)
        #expect(health.missed() == nil)
        #expect(health.answered() == nil)
        #expect((0..<3).map { _ in health.missed() } == [nil, nil, .wentDown])
        #expect(!health.isUp)
        #expect(health.answered() == .cameUp)
    }

    @Test("A4 pauses double up to a limit, with jitter, and not below what the node asked for")
    func backoff() {
        var backoff = Backoff(first: 100, limit: 1000)
        #expect((0..<6).map { _ in backoff.pause(jitter: 1) } == [100, 200, 400, 800, 1000, 1000])
        #expect(backoff.pause(jitter: 0) == 500)
        #expect(backoff.pause(jitter: 0, retryAfter: 3000) == 3000)
        backoff.succeeded()
        #expect(backoff.pause(jitter: 0) == 50)
    }

    @Test("a client can raise the level, never lower it, unless so configured")
    func levels() {
        let raise = ConsistencyParameter.raise
        #expect(raise.level(requested: .one, configured: .insync) == .one)
        #expect(raise.level(requested: .any, configured: .insync) == .insync)
        #expect(raise.level(requested: nil, configured: .quorum) == .quorum)
        #expect(ConsistencyParameter.honour.level(requested: .any, configured: .all) == .any)
        #expect(ConsistencyParameter.ignore.level(requested: .all, configured: .any) == .any)
        #expect(AckLevel.allCases.map { $0.minimumNodes(ofConfigured: 4) } == [0, 0, 1, 3, 4])
    }

    @Test(
        "nodes that name their own shards in the same error agree",
        arguments: [
            ("shard 2: no", "shard 4: no", true), ("shard 2: no", "shard 4: yes", false), ("no", "no", true),
            ("shard 2: no", "no", true), ("shard x: no", "shard y: no", false), (nil, nil, true), ("no", nil, false),
        ] as [(String?, String?, Bool)])
    func shards(one: String?, other: String?, expected: Bool) {
        #expect(NodeAnswer.isSameReason(one, other) == expected)
    }
}
