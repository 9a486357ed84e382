// Reads over several replica sets, step by step: what is asked, and what is made of the answers.

import Cluster
import Querying
import Testing

private struct NotExpected: Error {}

@Suite("A read over several replica sets")
struct ScatteredReadTests {
    private static let names = ["a", "b", "c", "d"]

    private static func set(_ names: String) -> NodeSet {
        NodeSet(names.compactMap { name in Self.names.firstIndex(of: String(name)).map { NodeIndex($0) } })
    }

    /// `cpu`, `load` and what has no name here on a and b, `mem` on c and d, `net` on b and c; in the database `one` all on d.
    private static let placement = Placement(
        members: names.map { Placement.Member(name: $0) },
        rules: PlacementRules(
            measurements: ["mem": .nodes(set("cd")), "net": .nodes(set("bc"))], fallback: .nodes(set("ab"))),
        databases: ["one": PlacementRules(fallback: .nodes(set("d")))])

    private func steps(_ text: String, db: String = "t") -> String {
        do throws(QueryPlan.Problem) {
            let context = StatementContext(database: db)
            let plan = try QueryPlan(text: Array(text.utf8), context: context, placement: Self.placement)
            return plan.steps.map { step in
                switch step {
                case .read(_, let count, _, let within):
                    "R\(count)" + (within.map { " " + $0.words(Self.names) } ?? "")
                case .scatter(let read): "S " + read.sets.map(words).joined(separator: " ")
                case .selectInto(let into): "I" + (into.within.map { " " + $0.words(Self.names) } ?? "")
                case .mutation, .known: "-"
                }
            }.joined(separator: "; ")
        } catch {
            return error.message
        }
    }

    private func words(_ set: NodeSet) -> String { set.map { Self.names[Int($0.value)] }.joined() }

    @Test(
        "what lies in one set goes there whole, the schema to anybody, and the rest is scattered or refused",
        arguments: [
            ("SELECT v FROM cpu", "R1 replica set {a, b}, which holds cpu"),
            ("SELECT v FROM cpu, load", "R1 replica set {a, b}, which holds cpu, load"),
            ("SELECT v FROM cpu, mem", "S ab cd"),
            ("SELECT v FROM /m/", "S ab bc cd"),
            ("SELECT v FROM one..mem, one../x/", "R1 replica set {d}, which holds mem"),
            ("SELECT v FROM one..mem, cpu", "S ab d"),
            ("SELECT v FROM _internal..runtime", "R1"),
            ("SELECT v FROM _internal..runtime, mem", "R1 replica set {c, d}, which holds mem"),
            (
                "SELECT v FROM _internal..runtime, mem, cpu",
                "_internal is another on each node: it cannot be read beside measurements of several replica sets"
            ),
            ("SELECT max(v) FROM (SELECT v FROM mem)", "R1 replica set {c, d}, which holds mem"),
            (
                "SELECT max(v) FROM (SELECT v FROM mem), cpu",
                "a SELECT around other SELECTs is not supported over several replica sets; its measurements lie in "
                    + "several: mem, cpu"
            ),
            ("SELECT max(v) FROM (SELECT v FROM /x/)", "S ab bc cd"),
            (
                "SHOW DATABASES; SELECT v FROM mem; SELECT v FROM net; SHOW USERS",
                "R2 replica set {c, d}, which holds mem; "
                    + "R2 replica set {b, c}, which holds net"
            ),
            ("SHOW TAG KEYS FROM cpu", "R1 replica set {a, b}, which holds cpu"),
            ("SHOW TAG KEYS", "S ab bc cd"), ("SHOW TAG KEYS ON one", "R1 replica set {d}"),
            (
                "SHOW TAG KEYS FROM one..cpu, mem",
                "SHOW TAG KEYS takes its database from ON, not from FROM, where measurements lie on different nodes"
            ),
            ("SHOW MEASUREMENTS WITH MEASUREMENT = mem", "R1 replica set {c, d}, which holds mem"),
            ("SHOW STATS; SHOW RETENTION POLICIES", "R2"),
            ("EXPLAIN SELECT v FROM mem", "R1 replica set {c, d}, which holds mem"),
            (
                "EXPLAIN SELECT v FROM mem, cpu",
                "EXPLAIN over measurements of several replica sets is not supported: each "
                    + "node has a plan of its own"
            ),
            ("SELECT v INTO x FROM mem", "I replica set {c, d}, which holds mem"),
            (
                "SELECT v INTO x FROM mem, cpu",
                "SELECT INTO reads from one replica set, and what this one reads lies in "
                    + "several: write one statement for each measurement"
            ),
        ])
    func routes(text: String, expected: String) { #expect(steps(text) == expected) }

    // MARK: Conversations

    /// Runs a statement with these answers, each round a dictionary by set. Without line ends: what was asked, and the end.
    private func conversation(_ text: String, _ rounds: [[String: String]]) throws -> [String] {
        let plan = try QueryPlan(
            text: Array(text.utf8), context: StatementContext(database: "t"), placement: Self.placement)
        guard case .scatter(var read)? = plan.steps.first else { return ["not scattered"] }
        var said: [String] = []
        var rounds = rounds[...]
        var step = read.start(now: 1_000_000_000)
        while true {
            switch step {
            case .ask(let parts), .askForRows(let parts):
                said += parts.map { "\(words($0.scope.nodes)): \($0.text.replacing("\n", with: " "))" }
                guard let round = rounds.popFirst() else { return said }
                step = read.take(
                    parts.map { part in
                        Array("{\"results\":[\(round[words(part.scope.nodes)] ?? "")]}\n".utf8)
                    })
            case .result(let result): return said + [String(decoding: result, as: UTF8.self)]
            case .failed(let reason): return said + ["failed: \(reason)"]
            }
        }
    }

    private func explained(_ fields: String, _ id: Int = 0) -> String {
        #"{"statement_id":\#(id),"series":[{"columns":["QUERY PLAN"],"values":[["EXPRESSION: x"],"#
            + #"["AUXILIARY FIELDS: \#(fields)"],["NUMBER OF SHARDS: 2"]]}]}"#
    }

    private func row(_ name: String, _ value: String = "1") -> String {
        #"{"name":"\#(name)","columns":["time","v"],"values":[[1,\#(value)]]}"#
    }

    private func result(_ series: String...) -> String {
        #"{"statement_id":0,"series":[\#(series.joined(separator: ","))]}"#
    }

    private static let none = #"{"statement_id":0}"#
    private static let never = #"/[^\x00-\x{10FFFF}]/"#

    @Test(
        "a SELECT asks for columns, then for rows with columns and types spelled out, and puts series in order by name")
    func select() throws {
        let said = try conversation(
            "SELECT *, max(v) AS x FROM mem, cpu WHERE host = 'a' AND time > now() - 1s",
            [
                [
                    "ab": explained("host::tag, v::integer") + "," + Self.none,
                    "cd": explained("host::string, v::float"),
                ],
                ["ab": result(row("cpu")), "cd": result(row("mem"))],
            ])
        let condition = "WHERE host = 'a' AND time > '1970-01-01T00:00:01.000000000Z' - 1s"
        let question = "WHERE (host = 'a' AND time > '1970-01-01T00:00:01.000000000Z' - 1s) AND _sluice = '-'"
        let typed = "WHERE host::string = 'a' AND time > '1970-01-01T00:00:01.000000000Z' - 1s"
        let columns = "host::string, host::tag, v::float, max(v::float) AS x"
        #expect(
            said == [
                "cd: EXPLAIN SELECT * FROM mem \(question); SELECT *, max(v) AS x FROM \(Self.never) \(condition)",
                "ab: EXPLAIN SELECT * FROM cpu \(question)",
                "cd: SELECT \(columns) FROM mem \(typed)", "ab: SELECT \(columns) FROM cpu \(typed)",
                result(row("cpu"), row("mem")),
            ])
    }

    @Test("patterns ask for names first; of a node's answer only counts what is placed on the set")
    func patterns() throws {
        func names(_ names: String...) -> String {
            let rows = names.map { "[\"\($0)\"]" }.joined(separator: ",")
            return result(#"{"name":"measurements","columns":["name"],"values":[\#(rows)]}"#)
        }
        let said = try conversation(
            "SELECT mean(/v/) FROM /m|n/ GROUP BY /h/ ORDER BY time DESC",
            [
                // b has net beside cpm, and c has an old mem beside net.
                ["ab": names("cpm", "net"), "bc": names("mem", "net"), "cd": names("mem")],
                [
                    "ab": explained("host::tag, v::float") + "," + explained("v::float", 1) + ","
                        + explained("host::tag", 2) + "," + Self.none,
                    "bc": explained("s::string") + "," + Self.none + "," + Self.none,
                    "cd": Self.none + "," + Self.none + "," + Self.none,
                ],
                ["ab": result(row("cpm")), "bc": result(row("net"))],
            ])
        #expect(
            said.prefix(3)
                == ["ab", "bc", "cd"].map { "\($0): SHOW MEASUREMENTS ON \"t\" WITH MEASUREMENT =~ /m|n/" }[...])
        #expect(
            said[3].hasPrefix(
                "ab: EXPLAIN SELECT * FROM cpm WHERE _sluice = '-'; EXPLAIN SELECT /v/ FROM cpm WHERE _sluice = '-'; EXPLAIN "
                    + "SELECT /h/ FROM cpm WHERE"))
        // mem has no columns in the times that are read.
        #expect(
            said.suffix(3) == [
                "ab: SELECT mean(v::float) AS mean_v FROM cpm GROUP BY host ORDER BY time DESC",
                "bc: SELECT mean(v::float) AS mean_v FROM net GROUP BY host ORDER BY time DESC",
                result(row("net"), row("cpm")),
            ])
    }

    @Test("when all that matches lies in one set, the SELECT goes there with its names")
    func oneSet() throws {
        let names = result(#"{"name":"measurements","columns":["name"],"values":[["mem"]]}"#)
        let said = try conversation(
            "SELECT max(m) FROM (SELECT mean(v) AS m FROM /m/ GROUP BY host)",
            [["ab": Self.none, "bc": Self.none, "cd": names], ["cd": result(row("mem"))]])
        #expect(
            said.suffix(2) == [
                "cd: SELECT max(m) FROM (SELECT mean(v) AS m FROM mem GROUP BY host)", result(row("mem")),
            ])
    }

    @Test("windows of time end at one moment on all nodes")
    func now() throws {
        let said = try conversation(
            "SELECT count(v) FROM cpu, mem WHERE host = 'a' OR v > 1 GROUP BY time(1s)",
            [["ab": explained("v::float") + "," + Self.none, "cd": explained("v::float")]])
        #expect(
            said.last == "cd: SELECT count(v::float) FROM mem WHERE (host = 'a' OR v::float > 1) AND time <= "
                + "'1970-01-01T00:00:01.000000000Z' GROUP BY time(1s)")
    }

    @Test("one node that stands in several sets is asked once for all of them, if it can answer")
    func cover() throws {
        let plan = try QueryPlan(
            text: Array("SHOW MEASUREMENTS".utf8), context: StatementContext(database: "t"), placement: Self.placement)
        guard case .scatter(let scattered)? = plan.steps.first else { throw NotExpected() }
        func asked(_ available: String) -> String {
            var read = scattered
            let nodes = available.compactMap { name in Self.names.firstIndex(of: String(name)).map { NodeIndex($0) } }
            guard case .ask(let parts) = read.start(now: 0, available: nodes) else { return "" }
            return parts.map { words($0.scope.nodes) }.joined(separator: " ")
        }
        #expect(asked("") == "ab bc cd")
        #expect(asked("abcd") == "b cd")
        #expect(asked("cadb") == "ab c")
        #expect(asked("ad") == "ab bc cd")
        #expect(asked("c") == "ab c")
        // Each answer still counts for what is placed where it was given.
        var read = scattered
        guard case .ask = read.start(now: 0, available: [NodeIndex(1), NodeIndex(2)]) else { throw NotExpected() }
        func list(_ names: String...) -> [UInt8] {
            let rows = names.map { "[\"\($0)\"]" }.joined(separator: ",")
            let series = #"{"name":"measurements","columns":["name"],"values":[\#(rows)]}"#
            return Array("{\"results\":[\(result(series))]}".utf8)
        }
        let merged = read.take([list("cpu", "net"), list("mem", "net")])
        guard case .result(let bytes) = merged else { throw NotExpected() }
        #expect(String(decoding: bytes, as: UTF8.self).contains(#"[["cpu"],["mem"],["net"]]"#))
    }

    @Test("what a node cannot do, or has cut off, is no answer")
    func failures() throws {
        let columns = ["ab": explained("v::float") + "," + Self.none, "cd": explained("v::float")]
        let error = #"{"statement_id":0,"error":"shard gone"}"#
        #expect(try conversation("SELECT v FROM cpu, mem", [columns, ["ab": Self.none, "cd": error]]).last == error)
        let cut =
            #"{"statement_id":0,"series":[{"name":"mem","columns":["time","v"],"values":[[1,1]],"partial":true}]}"#
        #expect(
            try conversation("SELECT v FROM cpu, mem", [columns, ["ab": Self.none, "cd": cut]]).last
                == "failed: a node cuts its answers off at its max-row-limit: raise it, or set it to 0")
        #expect(
            try conversation("SELECT v FROM cpu, mem", [["ab": "", "cd": ""]]).last
                == "failed: a node's answer has no results")
        #expect(
            try conversation("SELECT mean(*) + 1 FROM cpu, mem", []).last
                == "failed: a wildcard inside of an expression (mean(*) + 1) is not supported over several replica sets"
        )
        #expect(
            try conversation("SELECT v FROM cpu, one..cpu", []).last
                == "failed: cpu is read from databases that lie in several replica sets, and its rows would have to be mixed"
        )
    }

    @Test("SHOW: lists are merged, sorted and cut; counts are counts of what is placed where it was found")
    func show() throws {
        func list(_ column: String, _ rows: String..., name: String = "") -> String {
            let values = rows.map { "[\"\($0)\"]" }.joined(separator: ",")
            let head = name.isEmpty ? "" : "\"name\":\"\(name)\","
            return result("{\(head)\"columns\":[\"\(column)\"],\"values\":[\(values)]}")
        }
        func names(_ rows: String...) -> [String: String] {
            [
                "ab": list("name", "cpu", "load", "net", name: "measurements"), "bc": list("name", "load", "net"),
                "cd": list("name", "mem"),
            ]
        }
        #expect(
            try conversation("SHOW MEASUREMENTS LIMIT 2 OFFSET 1", [names()]) == [
                "ab: SHOW MEASUREMENTS", "bc: SHOW MEASUREMENTS", "cd: SHOW MEASUREMENTS",
                list("name", "load", "mem", name: "measurements"),
            ])
        #expect(
            try conversation("SHOW MEASUREMENT CARDINALITY", [names()]).last
                == result(#"{"columns":["cardinality estimation"],"values":[[4]]}"#))
        #expect(
            try conversation(
                "SHOW SERIES LIMIT 4",
                [
                    [
                        "ab": list("key", "cpu,h=a", "cpu!,h=a", "net,h=x"), "bc": list("key", "net"),
                        "cd": list("key", "mem"),
                    ]
                ]
            ).last == list("key", "cpu,h=a", "cpu!,h=a", "mem", "net"))
        let counts = [
            "ab": result(
                #"{"name":"cpu","columns":["count"],"values":[[2]]}"#,
                #"{"name":"net","columns":["count"],"values":[[9]]}"#),
            "bc": result(#"{"name":"net","columns":["count"],"values":[[3]]}"#), "cd": Self.none,
        ]
        #expect(
            try conversation("SHOW SERIES CARDINALITY", [counts])
                == ["ab", "bc", "cd"].map { "\($0): SHOW SERIES EXACT CARDINALITY" } + [
                    result(#"{"columns":["cardinality estimation"],"values":[[5]]}"#)
                ])
        #expect(
            try conversation("SHOW MEASUREMENT EXACT CARDINALITY FROM cpu, mem, net", [counts])
                == [
                    "ab: SHOW SERIES EXACT CARDINALITY FROM cpu", "bc: SHOW SERIES EXACT CARDINALITY FROM net",
                    "cd: SHOW SERIES EXACT CARDINALITY FROM mem", result(#"{"columns":["count"],"values":[[2]]}"#),
                ])
        #expect(
            try conversation(
                "SHOW TAG KEY CARDINALITY WHERE host = 'a'",
                [["ab": explained("host::tag, v::float"), "bc": explained("host::float"), "cd": Self.none]]
            ).last == "failed: host in WHERE is a field: a count over several replica sets can tell tags only")
    }

    @Test("chunks and CSV are cut from a merged result as a node cuts them")
    func forms() {
        let merged = Array(
            #"{"statement_id":2,"series":[{"name":"a,b","tags":{"h":"x y","z":""},"columns":["time","v"],"values":"#
                .appending(
                    #"[[1,1.5e+21],[2,-3e-07],[3,null]]},{"name":"c","columns":["time","v"],"values":[[4,"q\"r"]]}]}"#
                )
                .utf8)
        let documents = ResultChunks.documents(merged, size: 2, style: .rows).map {
            String(decoding: $0, as: UTF8.self)
        }
        let head = #"{"results":[{"statement_id":2,"series":["#
        let first = #"{"name":"a,b","tags":{"h":"x y","z":""},"columns":["time","v"],"values":"#
        #expect(
            documents == [
                head + first + #"[[1,1.5e+21],[2,-3e-07]],"partial":true}],"partial":true}]}"# + "\n",
                head + first + #"[[3,null]]}],"partial":true}]}"# + "\n",
                head + #"{"name":"c","columns":["time","v"],"values":[[4,"q\"r"]]}]}]}"# + "\n",
            ])
        #expect(ResultChunks.documents(merged, size: 2, style: .series).count == 2)
        #expect(
            String(decoding: ResultCSV.body([merged]), as: UTF8.self) == """
                name,tags,time,v
                "a,b",h=x\\ y,1,1500000000000000000000
                "a,b",h=x\\ y,2,-0.0000003
                "a,b",h=x\\ y,3,
                c,,4,"q""r"

                """)
    }
}
