import Cluster
import Querying
import Testing

@Suite("What is done with the statements of a request")
struct QueryPlanTests {
    /// The steps as text: `R` and the number of statements for reads, `M` the kind for mutations, `I`
    /// and the target's database for SELECT INTO.
    private func steps(_ text: String) -> String {
        do throws(QueryPlan.Problem) {
            return try QueryPlan(text: Array(text.utf8)).steps.map { step in
                switch step {
                case .read(_, let count, _, _): "R\(count)"
                case .scatter(let read): "S\(read.sets.count)"
                case .mutation(let statement): "M:\(statement.kind)"
                case .selectInto(let into): "I:\(into.database)"
                case .known(let result): "K:\(String(decoding: result.json, as: UTF8.self))"
                }
            }.joined(separator: " ")
        } catch {
            return "\(error.status) \(error.message)"
        }
    }

    @Test(
        "D1 reads go together, mutations by themselves, in order",
        arguments: [
            ("SELECT * FROM cpu", "R1"),
            ("SELECT * FROM cpu; SHOW DATABASES", "R2"),
            ("SELECT * FROM cpu; DROP MEASUREMENT cpu; SELECT * FROM cpu; SHOW DATABASES", "R1 M:dropMeasurement R2"),
            ("CREATE DATABASE a; CREATE DATABASE b", "M:createDatabase M:createDatabase"),
            ("/* x */ drop measurement cpu -- y", "M:dropMeasurement"),
            ("SELECT * INTO b FROM a", "I:"), ("SELECT * INTO d..b FROM a; SHOW USERS", "I:d R1"),
            (";;", "R0"),
        ]
    )
    func plans(text: String, expected: String) { #expect(steps(text) == expected) }

    @Test("I6 one bad statement, or one that speaks of a single node, and nothing runs")
    func refused() {
        #expect(steps("DROP DATABASE a; SELEC").hasPrefix("400 error parsing query: found SELEC"))
        #expect(steps("CREATE DATABASE a; DROP SHARD 3").hasPrefix("400 DROP SHARD speaks of one node"))
        #expect(steps("KILL QUERY 3").hasPrefix("400 KILL QUERY speaks of one node"))
        #expect(steps("DROP DATABASE a; SELECT $x FROM b").hasPrefix("400 error parsing query"))
    }

    @Test("the text of reads that go together is their own text")
    func texts() throws {
        let plan = try QueryPlan(text: Array("SELECT 'a;b' FROM c ; -- x\nSHOW DATABASES;".utf8))
        guard case .read(let text, 2, _, _) = plan.steps[0] else { return }
        #expect(String(decoding: text, as: UTF8.self) == "SELECT 'a;b' FROM c;\nSHOW DATABASES")
    }
}

@Suite("InfluxDB's answers, taken apart and put together")
struct ResultDocumentTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("results are found whatever is inside them")
    func parts() {
        let tricky = #"{"statement_id":0,"series":[{"name":"}]\"","columns":["a"],"values":[["]}"]]}]}"#
        let document = ResultDocument(bytes("{\"results\":[" + tricky + #",{"statement_id":1}]}"# + "\n"))
        #expect(document?.results == [bytes(tricky), bytes(#"{"statement_id":1}"#)])
        #expect(ResultDocument(bytes(#"{"results":[]}"#))?.results == [])
        for text in ["", "{}", #"{"error":"x"}"#, #"{"results":[{"a":"#, #"{"results":[}"#, #"{"results":[{"a":"\"#] {
            #expect(ResultDocument(bytes(text)) == nil || text == #"{"results":[}"#)
        }
    }

    @Test("results get the numbers that they have in the whole request")
    func numbers() {
        let result = bytes(#"{"statement_id":1,"series":[]}"#)
        #expect(ResultDocument.renumbered(result, by: 3) == bytes(#"{"statement_id":4,"series":[]}"#))
        #expect(ResultDocument.renumbered(bytes("{}"), by: 3) == bytes("{}"))
        let impossible = bytes(#"{"statement_id":9223372036854775807}"#)
        #expect(ResultDocument.renumbered(impossible, by: 3) == impossible)
        let joined = ResultDocument.joined([bytes(#"{"statement_id":0}"#), ResultDocument.error("a <b>", statement: 1)])
        #expect(
            joined == bytes(#"{"results":[{"statement_id":0},{"statement_id":1,"error":"a \u003cb\u003e"}]}"# + "\n")
        )
    }

    @Test("indented as InfluxDB indents")
    func indented() {
        let text = #"{"results":[{"statement_id":0,"series":[],"a":{},"b":"x,{"}]}"# + "\n"
        let expected = """
            {
                "results": [
                    {
                        "statement_id": 0,
                        "series": [],
                        "a": {},
                        "b": "x,{"
                    }
                ]
            }

            """
        #expect(String(decoding: JSONText.indented(bytes(text)), as: UTF8.self) == expected)
    }
}

@Suite("Which node answers")
struct NodeChoiceTests {
    private func candidate(_ node: Int, suspect: Bool = false, own: Bool = true, busy: Int = 0) -> NodeChoice.Candidate
    {
        NodeChoice.Candidate(node: NodeIndex(node), isSuspect: suspect, isInOwnZone: own, outstanding: busy)
    }

    @Test("one that answers pings, then the own zone, then the least busy; equals take turns")
    func order() {
        #expect(NodeChoice.best(of: [], turn: 0) == nil)
        #expect(
            NodeChoice.best(of: [candidate(0, suspect: true), candidate(1, own: false, busy: 9)], turn: 0)
                == NodeIndex(1))
        #expect(NodeChoice.best(of: [candidate(0, own: false), candidate(1, busy: 9)], turn: 0) == NodeIndex(1))
        #expect(NodeChoice.best(of: [candidate(0, busy: 2), candidate(1, busy: 1)], turn: 0) == NodeIndex(1))
        let equals = [candidate(0), candidate(1)]
        #expect((0..<4).map { NodeChoice.best(of: equals, turn: $0) } == [0, 1, 0, 1].map(NodeIndex.init))
    }
}
