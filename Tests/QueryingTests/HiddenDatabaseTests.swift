// The gateway's own database does not exist for clients: which statements touch it, and what lists look like without it.
import InfluxQL
import Querying
import Testing

@Suite("The database that clients do not see")
struct HiddenDatabaseTests {
    private func known(_ text: String, db: String = "", params: String = "") throws -> String {
        let plan = try QueryPlan(
            text: Array(text.utf8), parameters: Array(params.utf8), context: StatementContext(database: db))
        return plan.steps.map { step in
            switch step {
            case .known(.error(let words)): words
            case .known(.nothing): "nothing"
            case .known(.zeroCardinality): "0"
            case .read, .scatter, .mutation, .selectInto: "-"
            }
        }.joined(separator: "; ")
    }

    private static let missing = "database not found: _sluice"

    @Test(
        "I1 a statement that touches it is answered as if it were not there",
        arguments: [
            ("SELECT * FROM _sluice..m", "", missing), ("SELECT * FROM \"_sluice\".autogen.m", "", missing),
            ("SELECT * FROM m", "_sluice", missing), ("SELECT * FROM t..m", "_sluice", "-"),
            ("SELECT * FROM t..m, m", "_sluice", missing), ("SELECT * FROM (SELECT * FROM m)", "_sluice", missing),
            ("SELECT * INTO _sluice..x FROM m", "t", missing), ("SELECT * INTO x FROM t..m", "_sluice", missing),
            ("SELECT * INTO _sluice..:MEASUREMENT FROM m", "t", missing), ("SHOW DATABASES", "_sluice", "-"),
            ("SELECT * FROM _SLUICE..m", "", "-"), ("SELECT _sluice FROM _sluice", "t", "-"),
            ("/* _sluice */ SELECT '_sluice..m' FROM m -- _sluice", "t", "-"),
            ("SHOW MEASUREMENTS ON _sluice", "", "nothing"), ("SHOW MEASUREMENTS", "_sluice", "nothing"),
            ("SHOW MEASUREMENTS ON t", "_sluice", "-"), ("SHOW SERIES CARDINALITY", "_sluice", "0"),
            ("SHOW SERIES EXACT CARDINALITY", "_sluice", missing), ("DELETE FROM m", "_sluice", missing),
            ("DROP MEASUREMENT m", "_sluice", missing), ("DROP DATABASE _sluice", "", "nothing"),
            ("CREATE DATABASE _sluice", "", "the name _sluice is taken: Sluice keeps its own marks there"),
            ("CREATE DATABASE t; SELECT * FROM _sluice..m; SHOW DATABASES", "", "-; \(missing); -"),
            ("CREATE CONTINUOUS QUERY c ON t BEGIN SELECT v INTO _sluice..a FROM m END", "", missing),
            ("CREATE CONTINUOUS QUERY c ON t BEGIN SELECT v INTO a FROM _sluice..m END", "", missing),
            ("CREATE CONTINUOUS QUERY c ON t BEGIN SELECT v INTO a FROM m END", "_sluice", missing),
            ("CREATE CONTINUOUS QUERY c ON t BEGIN SELECT v INTO t..a FROM t..m END", "_sluice", "-"),
            ("GRANT READ ON _sluice TO u", "", missing),
            ("CREATE USER _sluice WITH PASSWORD '_sluice'", "_sluice", "-"),
        ]
    )
    func statements(text: String, db: String, expected: String) throws {
        #expect(try known(text, db: db) == expected)
    }

    @Test(
        "I1 a bound parameter does not hide it",
        arguments: [
            (#"{"x":{"identifier":"_sluice"}}"#, missing), (#"{"x":{"ident":"_sluice"}}"#, missing),
            (#"{"x":{"identifier":"\u005f\u0073luice"}}"#, missing),
            (#" { "x" : { "identifier" : "_sluice" } } "#, missing),
            (#"{"x":{"identifier":"t"},"x":{"identifier":"_sluice"}}"#, missing),
            (#"{"x":{"identifier":"_sluice"},"x":{"identifier":"t"}}"#, "-"), (#"{"x":{"identifier":"t"}}"#, "-"),
            (#"{"x":{"identifier":"_sluice"}} more"#, missing),
        ]
    )
    func parameters(params: String, expected: String) throws {
        #expect(try known("SELECT * FROM $x..m", params: params) == expected)
    }

    static let lists: [(HiddenRows.Listing, String, String)] = [
        (
            .rows, #"{"name":"databases","columns":["name"],"values":[["a"],["_sluice"],["b"]]}"#,
            #"{"name":"databases","columns":["name"],"values":[["a"],["b"]]}"#
        ),
        (
            .rows, #"{"name":"databases","columns":["name"],"values":[["_sluice"]]}"#,
            #"{"name":"databases","columns":["name"]}"#
        ),
        (
            .rows, #"{"name":"databases","columns":["name"],"values":[["a\"],[\"_sluice"],["\u003c"]]}"#,
            #"{"name":"databases","columns":["name"],"values":[["a\"],[\"_sluice"],["\u003c"]]}"#
        ),
        (
            .series,
            #"{"name":"a","columns":["name"]},{"name":"_sluice","columns":["name"]},{"name":"b","columns":["x"]}"#,
            #"{"name":"a","columns":["name"]},{"name":"b","columns":["x"]}"#
        ),
        (
            .column, #"{"name":"s","columns":["id","database"],"values":[[1,"_sluice"],[2.50,"a"]]}"#,
            #"{"name":"s","columns":["id","database"],"values":[[2.50,"a"]]}"#
        ),
        (
            .tag,
            #"{"name":"shard","tags":{"database":"_sluice"},"columns":["x"],"values":[[1]]},{"name":"runtime","columns":["y"]}"#,
            #"{"name":"runtime","columns":["y"]}"#
        ),
    ]

    @Test("lists lose its rows and nothing else", arguments: lists)
    func json(listing: HiddenRows.Listing, before: String, after: String) {
        func document(_ series: String) -> String {
            #"{"results":[{"statement_id":0,"series":[["_sluice"]]},{"statement_id":1,"series":["# + series + "]}]}\n"
        }
        let removed = HiddenRows.removed(
            from: Array(document(before).utf8), contentType: "application/json", listings: [1: listing])
        #expect(String(decoding: removed, as: UTF8.self) == document(after))
    }

    @Test("in CSV a line is known by the columns above it")
    func csv() {
        let before = """
            name,tags,name
            databases,,a
            databases,,_sluice

            name,tags,time,name
            databases,,_sluice,"two
            databases,,_sluice
            lines"

            name,tags,name,query
            _sluice,,c,SELECT

            """
        let after = before.replacing("databases,,a\ndatabases,,_sluice\n", with: "databases,,a\n")
            .replacing("_sluice,,c,SELECT\n", with: "")
        let removed = HiddenRows.removed(
            from: Array(before.utf8), contentType: "text/csv", listings: [0: .rows, 2: .series])
        #expect(String(decoding: removed, as: UTF8.self) == after)
    }

    @Test("what is no JSON stays, also where line breaks are wanted", arguments: ["}", "]]}", "[1}}", "\"", "{\"a"])
    func noJSON(_ text: String) {
        for isPretty in [true, false] {
            let kept = HiddenRows.removed(
                from: Array(text.utf8), contentType: "application/json", listings: [0: .rows], isPretty: isPretty)
            let signs = kept.filter { $0 != 0x20 && $0 != 0x0A }
            #expect(String(decoding: signs, as: UTF8.self) == text)
        }
    }

    @Test("MessagePack that is cut off or something else stays as it is")
    func broken() {
        for bytes: [UInt8] in [
            [], [0x81], [0x81, 0xA7] + Array("results".utf8) + [0xDD, 0xFF, 0xFF, 0xFF, 0xFF], [0xC1],
        ] {
            #expect(
                HiddenRows.removed(from: bytes, contentType: "application/x-msgpack", listings: [0: .rows]) == bytes)
        }
    }
}

@Suite("What a statement needs")
struct StatementPrivilegeTests {
    @Test(
        "I6 privileges are those that InfluxDB asks for, in its order",
        arguments: [
            ("CREATE DATABASE x", "admin"), ("DROP MEASUREMENT m", "admin"), ("DELETE FROM m", "W:db"),
            ("DROP SERIES FROM m", "W:db"), ("DROP RETENTION POLICY r ON x", "W:x"),
            ("DROP CONTINUOUS QUERY c ON x", "W:x"),
            ("CREATE RETENTION POLICY r ON x DURATION 1h REPLICATION 1", "admin"),
            ("CREATE CONTINUOUS QUERY c ON x BEGIN SELECT v INTO a FROM y..m END", "R:x"),
            ("CREATE CONTINUOUS QUERY c ON x BEGIN SELECT v INTO y..a FROM m END", "R:x W:y"),
            ("SELECT v FROM m", "R:db"), ("SELECT v FROM m, x..m", "R:db R:x"),
            ("SELECT v INTO a FROM (SELECT v FROM x..m)", "R:x W:db"),
            ("EXPLAIN SELECT v INTO x..a FROM m", "R:db W:x"),
            ("SHOW DATABASES", ""), ("SHOW USERS", "admin"), ("SHOW TAG KEYS ON x FROM y..m", "R:x"),
            ("SHOW QUERIES", "R:db"), ("SET PASSWORD FOR u = 'p'", "admin"), ("SELECT v FROM $p..m", "R:named"),
        ]
    )
    func table(text: String, expected: String) throws {
        let params = #"{"p":{"identifier":"named"}}"#
        let context = StatementContext(database: "db")
        let plan = try QueryPlan(text: Array(text.utf8), parameters: Array(params.utf8), context: context)
        let words = plan.statements.flatMap { $0.privileges(context) }.map { privilege in
            switch privilege {
            case .admin: "admin"
            case .read(let database): "R:\(database)"
            case .write(let database): "W:\(database)"
            }
        }
        #expect(words.joined(separator: " ") == expected)
    }
}
