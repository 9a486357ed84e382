// What InfluxDB does that one would not expect: each case with the line of the reference that it comes from, held
// against a real influxd.

import SimulatedInfluxDB
import TestSupport
import Testing

@Suite(.serialized)
struct PeculiarityTests {
    /// Requests in a row; what the last one must say, in the model and in the node.
    private struct Case: CustomStringConvertible {
        var reference: String
        var requests: [InfluxRequest]
        var status: Int
        var words: String
        var description: String { reference }
    }

    private static func write(_ lines: String, _ parameters: [(String, String)] = []) -> InfluxRequest {
        .write(lines, db: "d", parameters)
    }

    private static func query(_ text: String, _ parameters: [(String, String)] = []) -> InfluxRequest {
        .query(text, db: "d", parameters)
    }

    private static let week: Int64 = 604_800_000_000_000

    private static let cases: [Case] = [
        Case(
            reference: "http 5: an unknown database is a 404 with its name quoted",
            requests: [.write("m f=1 1", db: "no\"pe")], status: 404, words: #"database not found: \"no\\\"pe\""#),
        Case(
            reference: "http 5: an unknown retention policy is a 500, also for an empty body",
            requests: [write("", [("rp", "nix")])], status: 500, words: "retention policy not found: nix"),
        Case(
            reference: "http 5: bad lines come before an unknown retention policy when no line is good",
            requests: [write("bad", [("rp", "nix")])], status: 400, words: "unable to parse 'bad': missing fields"),
        Case(
            reference: "http 5: good lines are stored beside bad ones, dropped is always 0",
            requests: [write("bad\nm f=1 1")], status: 400,
            words: "partial write: unable to parse 'bad': missing fields dropped=0"),
        Case(
            reference: "http 5: a type conflict hides what could not be parsed",
            requests: [write("m f=1 1"), write("bad\nm f=\"x\" 1")], status: 400,
            words: #"input field \"f\" on measurement \"m\" is type string, already exists as type float dropped=1"#),
        Case(
            reference: "two types for a new field in one request to a new shard: nothing is stored",
            requests: [write("m,h=1 f=1 1\nm,h=2 f=\"x\" 2")], status: 400, words: #"{"error":"field type conflict"}"#),
        Case(
            reference: "two types for a new field in one request to an old shard: the first wins, on the second try",
            requests: [write("o f=1 1"), write("m,h=1 f=1 1\nm,h=2 f=\"x\" 2"), query("SELECT f FROM m")], status: 200,
            words: #"[["1970-01-01T00:00:00.000000001Z",1]]"#),
        Case(
            reference: "the second try gets the points as the first left them: 3 dropped of 4",
            requests: [write("o f=1 1"), write("z,time=3 f=1 1\nz time=1 1\nz time=1,f=2 2\nz f=1i 2")], status: 400,
            words: "is type integer, already exists as type float dropped=3"),
        Case(
            reference: "http 5: series of refused points stay",
            requests: [write("m f=1 1"), write("m,h=x f=\"x\" 1"), query("SHOW SERIES")], status: 200,
            words: #"[["m"],["m,h=x"]]"#),
        Case(
            reference: "http 9 M7: DELETE keeps types",
            requests: [write("m f=1 1"), query("DELETE FROM m"), write("m f=\"x\" 1")], status: 400,
            words: "already exists as type float dropped=1"),
        Case(
            reference: "http 9 M7: DROP SERIES keeps types",
            requests: [write("m f=1 1"), query("DROP SERIES FROM m"), write("m f=1i 1")], status: 400,
            words: "already exists as type float dropped=1"),
        Case(
            reference: "http 9 M7: SHOW FIELD KEYS lists nothing then",
            requests: [write("m f=1 1"), query("DELETE FROM m"), query("SHOW FIELD KEYS")], status: 200,
            words: #"{"results":[{"statement_id":0}]}"#),
        Case(
            reference: "http 9 M7: DROP MEASUREMENT forgets types, also when no series is left",
            requests: [
                write("m f=1 1"), query("DELETE FROM m"), query("DROP MEASUREMENT m"), write("m f=\"x\" 1"),
            ], status: 204, words: ""),
        Case(
            reference: "http 5: types are those of a shard group",
            requests: [write("m f=1 1"), write("m f=\"x\" \(week)"), query("SHOW FIELD KEYS")], status: 200,
            words: #"[["f","float"],["f","string"]]"#),
        Case(
            reference: "a query reads a field as float before string, and leaves out the rest",
            requests: [write("m f=\"x\" 1\nm f=1 \(week)"), query("SELECT f FROM m", [("epoch", "ns")])], status: 200,
            words: "[[\(week),1]]"),
        Case(
            reference: "a query reads integers of another shard group as floats",
            requests: [write("m f=7i 1\nm f=1.5 \(week)"), query("SELECT f FROM m", [("epoch", "ns")])], status: 200,
            words: "[[1,7],[\(week),1.5]]"),
        Case(
            reference: "http 5: points beyond the retention policy are dropped, the rest is stored",
            requests: [
                query("CREATE RETENTION POLICY r ON d DURATION 1h REPLICATION 1 DEFAULT"),
                write("m f=1 1\nm f=2 9000000000000000000"),
            ], status: 400, words: "partial write: points beyond retention policy dropped=1"),
        Case(
            reference: "http 5: max-values-per-tag counts before the request, and points",
            requests: [
                write("k,t=1 f=1 1\nk,t=2 f=1 1\nk,t=3 f=1 1\nk,t=4 f=1 1\nk,t=5 f=1 1\nk,t=6 f=1 1"),
                write("k,t=8 f=1 1\nk,t=8 f=1 2\nk,t=9 f=1 2\nk,t=1 f=2 2"),
            ], status: 400,
            words: #"max-values-per-tag limit exceeded (6/5): measurement=\"k\" tag=\"t\" value=\"8\" dropped=3"#),
        Case(
            reference: "http 5.1: a newline inside quotes is data",
            requests: [write("m s=\"a\nb\" 1"), query("SELECT s FROM m")], status: 200, words: #""a\nb""#),
        Case(
            reference: "http 5: a bad consistency level comes after the lines were read",
            requests: [write("m f=1 1", [("consistency", "some")])], status: 400, words: "invalid consistency level"),
        Case(
            reference: "http 4: not executed hides the error, later statements are absent",
            requests: [query("SELECT f FROM nix..m; SHOW DATABASES; SHOW DATABASES")], status: 200,
            words: #"{"results":[{"statement_id":0,"error":"not executed"}]}"#),
        Case(
            reference: "http 4: chunked shows the error first",
            requests: [query("SELECT f FROM nix..m; SHOW DATABASES", [("chunked", "true")])], status: 200,
            words: #"{"results":[{"statement_id":0,"error":"database not found: nix"}]}"#),
        Case(
            reference: "influxql 2: dropping the default policy leaves a database without one",
            requests: [query("DROP RETENTION POLICY autogen ON d"), write("m f=1 1")], status: 500,
            words: "retention policy not found: autogen"),
        Case(
            reference: "influxql 2: the same policy as the default is a conflict",
            requests: [
                query("CREATE RETENTION POLICY r ON d DURATION 2h REPLICATION 1"),
                query("CREATE RETENTION POLICY r ON d DURATION 2h REPLICATION 1 DEFAULT"),
            ], status: 200, words: "retention policy conflicts with an existing policy"),
    ]

    @Test("a peculiarity of InfluxDB is the model's too")
    func table() async throws {
        var settings = InfluxNode.Settings()
        settings.extra["data"] = "max-values-per-tag = 5"
        var modelSettings = InfluxServer.Settings()
        modelSettings.maxValuesPerTag = 5
        var pair = try await Pair("peculiar", settings, modelSettings)
        for item in Self.cases {
            try await pair.compare(.query("DROP DATABASE d"))
            try await pair.compare(.query("CREATE DATABASE d"))
            for request in item.requests.dropLast() { try await pair.compare(request) }
            guard let last = item.requests.last else { continue }
            var model = pair.model
            let answer = model.answer(last)
            #expect(
                answer.status == item.status && (item.words.isEmpty || answer.text.contains(item.words)),
                "\(item): \(answer.text)")
            try await pair.compare(last)
        }
        try await pair.node.kill()
    }

    @Test("http 5: a full cache is a 500, and fields and series are made all the same")
    func cacheLimit() async throws {
        var settings = InfluxNode.Settings()
        settings.extra["data"] = "cache-max-memory-size = 300\ncache-snapshot-memory-size = 100000000"
        var modelSettings = InfluxServer.Settings()
        modelSettings.cacheLimit = 300
        var pair = try await Pair("full", settings, modelSettings)
        try await pair.compare(.query("CREATE DATABASE d"))
        let long = String(repeating: "x", count: 500)
        let request = InfluxRequest.write("m,h=a s=\"\(long)\",t=\"\(long)\" 1", db: "d")
        let real = try await pair.node.client.send(.post, "/write?db=d", body: .bytes(request.body))
        let answer = pair.model.answer(request)
        #expect(real.status == 500 && answer.status == 500)
        #expect(real.error?.hasPrefix("engine: cache-max-memory-size exceeded: (") == true, "\(real)")
        #expect(answer.text.contains("engine: cache-max-memory-size exceeded: ("))
        for question in ["SHOW SERIES", "SHOW FIELD KEYS", "SELECT * FROM m"] {
            try await pair.compare(.query(question, db: "d"))
        }
        // Once in the new shard, and then twice.
        let again = try await pair.node.client.send(.post, "/write?db=d", body: .bytes(request.body))
        #expect(again.status == 500 && pair.model.answer(request).status == 500)
        let figures = #""writeReq":3,"writeReqErr":3,"writeReqOk":0"#
        #expect(pair.model.answer(InfluxRequest(method: "GET", path: "/debug/vars")).text.contains(figures))
        let contains = try await pair.node.client.send(.get, "/debug/vars").text.contains(figures)
        #expect(contains)
        try await pair.node.kill()
    }

    @Test("after kill -9 a server holds what it held, types included, and has forgotten series without points")
    func restart() async throws {
        var pair = try await Pair("restarted")
        try await pair.compare(.query("CREATE DATABASE d"))
        for lines in ["m,h=a f=1 1\nm,h=b f=2 2", "m,h=c f=\"x\" 1", "gone f=1 1", "m,h=a f=3 1"] {
            try await pair.compare(.write(lines, db: "d"))
        }
        try await pair.compare(.query("DELETE FROM gone", db: "d"))
        try await pair.node.kill()
        pair.model.kill()
        try await pair.node.start()
        pair.model.start(now: wallClock())
        for question in ["SHOW SERIES", "SHOW FIELD KEYS", "SELECT * FROM m GROUP BY *", "SHOW SHARD GROUPS"] {
            let request = InfluxRequest.query(question, db: "d")
            let real = try await pair.node.client.queryForm(["q": question, "db": "d"])
            #expect(pair.model.answer(request).text == real.text)
        }
        try await pair.compare(.write("gone f=\"x\" 1", db: "d"))
        try await pair.node.kill()
    }
}
