// SELECT INTO taken apart: the text that a node gets, where the points go, and the answer.
import InfluxQL
import Querying
import Testing

@Suite("SELECT INTO in two halves")
struct SelectIntoTests {
    /// 2026-11-21T12:00:00Z
    private static let now: Int64 = 1_795_262_400_000_000_000

    private func into(_ query: String, db: String = "t", params: String = "") throws -> (SelectInto, QueryPlan) {
        let plan = try QueryPlan(
            text: Array(query.utf8), parameters: Array(params.utf8), context: StatementContext(database: db))
        let into: SelectInto? = if case .selectInto(let into) = plan.steps[0] { into } else { nil }
        return (try #require(into), plan)
    }

    private func halves(_ query: String, params: String = "") throws -> SelectInto.Halves {
        let (into, plan) = try into(query, params: params)
        return try into.halves(at: Self.now, parameters: plan.parameters)
    }

    @Test(
        "the node gets the SELECT without INTO, the same but for that",
        arguments: [
            ("SELECT v INTO x FROM m", "SELECT v FROM m"),
            (
                "select mean(v) as a into o.r.x from t..m where time>=0 group by time(1m),* fill(0) limit 5 tz('UTC')",
                nil
            ),
            ("SELECT * INTO o..:MEASUREMENT FROM /a.*/ GROUP BY *", "SELECT * FROM /a.*/ GROUP BY *"),
            (
                "SELECT v INTO x FROM m WHERE time > now() - 1h",
                "SELECT v FROM m WHERE time > '2026-11-21T12:00:00.000000000Z' - 1h"
            ),
            ("SELECT a INTO x FROM (SELECT mean(v) AS a FROM m GROUP BY h)", nil),
            ("SELECT top(v, h, k, 2), i, h INTO x FROM m", "SELECT top(v, h, k, 2), i, h AS h FROM m"),
        ] as [(String, String?)])
    func text(_ query: String, _ expected: String?) throws {
        let halves = try halves(query)
        if let expected { #expect(halves.text == expected) }
        guard case .statements(let original) = Parsed(query), case .select(var select) = original[0].body,
            case .statements(let read) = Parsed(halves.text), case .select(let sent) = read[0].body
        else {
            Issue.record("\(halves.text)")
            return
        }
        #expect(sent.target == nil)
        guard !query.contains("now()"), !query.contains("top(") else { return }
        select.target = nil
        #expect(sent == select)
    }

    @Test(
        "the target is what the statement says, then what the request says",
        arguments: [
            ("SELECT v INTO x FROM m", "t", nil, "x"), ("SELECT v INTO r.x FROM m", "t", "r", "x"),
            ("SELECT v INTO o.r.x FROM m", "o", "r", "x"), ("SELECT v INTO o..x FROM m", "o", nil, "x"),
            ("SELECT v INTO o.r.:MEASUREMENT FROM m", "o", "r", nil), ("SELECT v INTO \"\" FROM m", "t", nil, nil),
            ("SELECT v INTO \"a b\" FROM m", "t", nil, "a b"),
        ] as [(String, String, String?, String?)])
    func target(_ query: String, _ database: String, _ policy: String?, _ measurement: String?) throws {
        let into = try into(query).0
        #expect(into.database == database && into.retentionPolicy == policy)
        #expect(try halves(query).rules.measurement == measurement)
    }

    @Test("bound parameters have their values in both halves")
    func parameters() throws {
        let halves = try halves(
            "SELECT v INTO $x FROM m WHERE h = $h AND v > $v", params: #"{"x":{"identifier":"a b"},"h":"it's","v":5}"#)
        #expect(halves.text == #"SELECT v FROM m WHERE h = 'it\'s' AND v > 5"#)
        #expect(halves.rules.measurement == "a b")
    }

    @Test(
        "where top() and bottom() put their tags",
        arguments: [
            ("SELECT top(v, 2) INTO x FROM m", nil),
            ("SELECT top(v, h, 2) INTO x FROM m", .init(first: 2, tags: ["h"])),
            ("SELECT i, bottom(v, h, k, 2) INTO x FROM m", .init(first: 3, tags: ["h", "k"])),
            ("SELECT time, top(v, h, 2) INTO x FROM m", .init(first: 2, tags: ["h"])),
            ("SELECT max(v), h INTO x FROM m", nil),
        ] as [(String, RowLines.TagColumns?)])
    func tagColumns(_ query: String, _ expected: RowLines.TagColumns?) throws {
        #expect(try halves(query).rules.tagColumns == expected)
    }

    @Test(
        "it can be run again where it does not read what it writes",
        arguments: [
            ("SELECT v INTO x FROM m", true), ("SELECT v INTO x FROM m, (SELECT v FROM r.n)", true),
            ("SELECT v INTO m FROM m", false), ("SELECT v INTO r.m FROM m", false),
            ("SELECT v INTO x FROM m, (SELECT v FROM x)", false), ("SELECT v INTO x FROM /m/", false),
            ("SELECT v INTO r.:MEASUREMENT FROM m", false),
        ])
    func repeatable(_ query: String, _ expected: Bool) throws { #expect(try into(query).0.isRepeatable == expected) }

    @Test("a wildcard beside the tags of top() is refused")
    func wildcard() throws {
        #expect(throws: SelectInto.Problem.self) { try halves("SELECT top(v, h, 2), * INTO x FROM m") }
    }

    @Test("the statement in warnings has every name in full")
    func normalized() throws {
        let query = "SELECT v INTO x FROM m, r.n, (SELECT v FROM o..p)"
        #expect(
            try into(query).0.normalized(StatementContext(database: "t"), requestPolicy: "") { "default of \($0)" }
                == "SELECT v INTO t.\"default of t\".x FROM t.\"default of t\".m, t.r.n, (SELECT v FROM o.\"default of o\".p)"
        )
        #expect(
            try into("SELECT v INTO x FROM m").0.normalized(StatementContext(database: "t"), requestPolicy: "r") { _ in
                "d"
            } == "SELECT v INTO t.r.x FROM t.r.m")
    }

    @Test("the answer in each format, as 1.6.7 gives it")
    func formats() throws {
        let plain = SelectInto.result(written: 3, isEpoch: false)
        #expect(
            String(decoding: plain, as: UTF8.self)
                == #"{"statement_id":0,"series":[{"name":"result","columns":["time","written"],"values":[["1970-01-01T00:00:00Z",3]]}]}"#
        )
        let csv = try #require(ResultDocument.withoutReads([plain, plain], accept: "application/csv"))
        #expect(csv.contentType == "text/csv")
        #expect(
            String(decoding: csv.body, as: UTF8.self)
                == "name,tags,time,written\nresult,,0,3\n\nname,tags,time,written\nresult,,0,3\n")
        let packed = try #require(ResultDocument.withoutReads([plain], accept: "application/x-msgpack"))
        let head: [UInt8] = [0x81, 0xA7] + Array("results".utf8) + [0x91, 0x82, 0xAC]
        #expect(packed.body.starts(with: head))
        #expect(packed.body.suffix(18) == [0x91, 0x92, 0xC7, 0x0C, 5] + [UInt8](repeating: 0, count: 12) + [3])
        let epoch = SelectInto.result(written: 200, isEpoch: true, warning: "w")
        let other = try #require(ResultDocument.withoutReads([epoch], accept: "application/x-msgpack"))
        #expect(other.body.suffix(6) == [0x91, 0x92, 0, 0xD1, 0, 200])
        #expect(ResultDocument.withoutReads([plain], accept: "") == nil)
        let large = try #require(
            ResultDocument.withoutReads(
                [SelectInto.result(written: 5_000_000_000, isEpoch: true)], accept: "application/x-msgpack"))
        #expect(large.body.suffix(10) == [0, 0xD3, 0, 0, 0, 1, 0x2A, 0x05, 0xF2, 0])
        // Rows that a client has called so are rows.
        let negative = SelectInto.result(written: -5, isEpoch: true)
        #expect(ResultDocument.withoutReads([negative], accept: "application/x-msgpack") == nil)
        let read = Array(#"{"statement_id":0,"series":[{"name":"m","columns":["time","v"],"values":[[0,3]]}]}"#.utf8)
        #expect(ResultDocument.withoutReads([plain, read], accept: "text/csv") == nil)
    }
}
