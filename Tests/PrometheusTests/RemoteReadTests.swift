// Remote reads as InfluxQL: whatever stands in a matcher, it is one SELECT, and the matcher's text is only ever text.

import InfluxQL
import Prometheus
import TestSupport
import Testing

struct RemoteReadTests {
    private func statement(_ matchers: [(UInt64, String, String)], _ start: Int64 = 1, _ end: Int64 = 2) throws
        -> ReadStatement
    {
        try RemoteRead(PrometheusWire.read([PrometheusWire.query(matchers, from: start, to: end)]))
            .statement(database: "d", retentionPolicy: "")
    }

    @Test(
        "Matchers become conditions on tags, that for the name the source",
        arguments: [
            ([(0, "__name__", "up")], #"FROM "d".."up" WHERE time >= 1000000 AND time <= 2000000 GROUP BY *"#),
            (
                [(0, "__name__", "up"), (1, "job", "it's"), (2, "a", "x/y|z"), (3, "b", #"\d\\/"#)],
                #"FROM "d".."up" WHERE "job"::tag != 'it\'s' AND "a"::tag =~ /x\/y|z/ AND "b"::tag !~ /\d\x5c\//"#
                    + " AND time >= 1000000 AND time <= 2000000 GROUP BY *"
            ),
            ([(2, "__name__", "u.*")], #"FROM "d"../u.*/ WHERE time >= 1000000 AND time <= 2000000 GROUP BY *"#),
            (
                [(0, "job", "a")],
                #"FROM "d"../.*/ WHERE "job"::tag = 'a' AND time >= 1000000 AND time <= 2000000 GROUP BY *"#
            ),
        ] as [([(UInt64, String, String)], String)])
    func statements(matchers: [(UInt64, String, String)], text: String) throws {
        #expect(try statement(matchers).text == #"SELECT "value"::field "# + text)
    }

    @Test("A time that is not after 1970 is no bound")
    func bounds() throws {
        #expect(try statement([(0, "__name__", "up")], -5, 0).text.hasSuffix(#".."up" GROUP BY *"#))
    }

    @Test("What SELECT cannot say of names is asked before, and sorted out of the rows")
    func names() throws {
        let not = try statement([(0, "job", "a"), (1, "__name__", "up"), (3, "__name__", "x|y")])
        #expect(not.questions == [#"SHOW MEASUREMENTS ON "d" WITH MEASUREMENT =~ /x|y/"#])
        #expect(not.keeps("down", lists: [["x1"]]))
        #expect(!not.keeps("up", lists: [["x1"]]))
        #expect(!not.keeps("x1", lists: [["x1"]]))
        let both = try statement([(0, "__name__", "up"), (2, "__name__", "u")])
        #expect(both.keeps("up", lists: [["up", "u"]]) && !both.keeps("u", lists: [["up", "u"]]))
        #expect(!both.keeps("up", lists: [[]]))
    }

    @Test(
        "Nothing in a matcher comes out of its quotes",
        arguments: [
            "'", "\"", #"\"#, "/", #"\/"#, "\n", #"\'"#, #"\\'"#, "; DROP DATABASE d", "' OR 1=1 --", "/ OR x =~ /",
            #"a\\"#, "[/]", #"[\/]"#, "a;b", "--", "/*", "\u{0}", "é",
        ])
    func quotes(text: String) throws {
        for kind in UInt64(0)...3 {
            for matchers in [
                [(kind, "__name__", text)], [(0, "__name__", "up"), (kind, "job", text)], [(0, text, "x")],
            ] {
                guard let read = try? statement(matchers) else {
                    #expect(kind >= 2 && text.hasSuffix(#"\"#))
                    continue
                }
                for question in read.questions + [read.text] {
                    guard case .statements(let parsed) = Parsed(question) else {
                        // A regular expression that is none, and a byte that ends InfluxQL's texts.
                        #expect(kind >= 2 || text == "\u{0}")
                        continue
                    }
                    #expect(parsed.count == 1)
                    #expect(parsed[0].kind == .select || parsed[0].kind == .showMeasurements)
                }
            }
        }
    }

    @Test("Requests without matchers, of several queries, and of unknown kinds of matchers are refused")
    func refused() {
        let query = PrometheusWire.query([(0, "__name__", "up")], from: 0, to: 1)
        let one = RemoteRead.Problem(message: "Prometheus read endpoint currently only supports one query at a time")
        #expect(throws: one) { try RemoteRead([]) }
        #expect(throws: one) { try RemoteRead(PrometheusWire.read([query, query])) }
        #expect(throws: RemoteRead.Problem(message: "expected matcher")) {
            try RemoteRead(PrometheusWire.read([PrometheusWire.query([], from: 0, to: 1)]))
        }
        #expect(throws: RemoteRead.Problem(message: "unknown match type 7")) {
            try RemoteRead(PrometheusWire.read([PrometheusWire.query([(7, "a", "b")], from: 0, to: 1)]))
        }
        #expect(throws: RemoteRead.Problem(message: "unexpected EOF")) { try RemoteRead([0xFF, 0xFF]) }
    }
}
