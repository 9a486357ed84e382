// Parsing what was printed gives the same tree: over a table of every production, and over statements made up at
// random.

import Testing

import InfluxQL

/// Besides those of the other tables.
private let moreStatements = [
    "SHOW MEASUREMENTS ON d WITH MEASUREMENT = cpu",
    "SHOW MEASUREMENTS ON \"a b\" WITH MEASUREMENT =~ /c.*/ WHERE a = 'b'",
    "SHOW MEASUREMENTS ON \"a b\".\"c d\" LIMIT 1", "SHOW MEASUREMENTS ON *.rp", "SHOW MEASUREMENTS ON d.*",
    "SHOW MEASUREMENTS WITH MEASUREMENT = d.rp.cpu", "SHOW MEASUREMENTS WITH MEASUREMENT =~ d../x\\/y/",
    "SHOW TAG KEYS ON d FROM cpu WHERE a='b' ORDER BY ASC LIMIT 1 OFFSET 1 SLIMIT 1 SOFFSET 1",
    "SHOW TAG KEYS WITH KEY IN (\"a b\", c) WHERE x = 1", "SHOW TAG KEYS FROM /x/, \"y z\" ORDER BY time DESC",
    "SHOW TAG VALUES ON d FROM cpu WITH KEY = host", "SHOW TAG VALUES WITH KEY != \"a b\" WHERE a = 'b' LIMIT 1",
    "SHOW TAG VALUES WITH KEY =~ /a\\/b/ ORDER BY DESC OFFSET 2", "SHOW TAG VALUES WITH KEY !~ /a/",
    "SHOW TAG VALUES FROM a, /b/, c.d, e..f WITH KEY IN (host, \"dc 1\", \"select\")",
    "SHOW TAG KEY EXACT CARDINALITY ON d FROM cpu WHERE a = 'b' GROUP BY x, /y/, * LIMIT 1 OFFSET 2",
    "SHOW TAG VALUES EXACT CARDINALITY FROM cpu WITH KEY IN (x, y) WHERE a = 'b' GROUP BY y LIMIT 3",
    "SHOW FIELD KEYS FROM d.rp.cpu, /x/ ORDER BY time DESC LIMIT 1", "SHOW FIELD KEY EXACT CARDINALITY FROM a",
    "SHOW SERIES FROM cpu WHERE a =~ /b/ AND c != 'd' LIMIT 3 OFFSET 4", "SHOW SERIES EXACT CARDINALITY WHERE a = 'b'",
    "SHOW MEASUREMENT EXACT CARDINALITY FROM a WHERE b = 'c' GROUP BY d", "SHOW STATS FOR ''", "SHOW GRANTS FOR \"\"",
    "CREATE DATABASE d WITH SHARD DURATION INF", "CREATE DATABASE d WITH SHARD DURATION 0s NAME \"\"",
    "CREATE DATABASE d WITH DURATION 1ns", "CREATE DATABASE d WITH DURATION 90061s REPLICATION 3 NAME \"default\"",
    "CREATE DATABASE d WITH DURATION 1h FUTURE LIMIT 2h PAST LIMIT INF NAME x",
    "CREATE RETENTION POLICY r ON d DURATION 1500ms REPLICATION 2147483647 SHARD DURATION 90s DEFAULT FUTURE LIMIT 1m",
    "ALTER RETENTION POLICY r ON d PAST LIMIT 1h FUTURE LIMIT 2h", "ALTER RETENTION POLICY r ON d SHARD DURATION 0s",
    "ALTER RETENTION POLICY \"select\" ON \"from\" DEFAULT REPLICATION 2",
    "CREATE CONTINUOUS QUERY q ON d RESAMPLE EVERY 0s FOR 1h30m BEGIN SELECT v INTO x FROM y END",
    "SELECT distinct /**/ v, count(DISTINCT\t--\n w) FROM x",
    "CREATE CONTINUOUS QUERY \"a\\nb\" ON \"c\\\"d\" BEGIN SELECT f(v) INTO e.:MEASUREMENT FROM (SELECT v FROM y) "
        + "GROUP BY $t END",
    "CREATE SUBSCRIPTION \"\" ON \"a.b\".\"c d\" DESTINATIONS ANY 'it\\'s', 'a\\nb'",
    "CREATE USER \"\" WITH PASSWORD '' WITH ALL PRIVILEGES", "SET PASSWORD FOR \"a\\\\b\" = 'c\\\\d\\'e'",
    "GRANT WRITE ON \"a b\" TO \"select\"", "REVOKE WRITE ON d FROM \"\"", "KILL QUERY 18446744073709551615 ON \"\"",
    "DELETE FROM rp.cpu, rp./x/ WHERE (time > 5)", "DROP SERIES FROM \"\" WHERE a = '' OR b =~ //",
    "DROP SUBSCRIPTION \"a b\" ON \"c d\".\"e f\"", "DROP RETENTION POLICY \"default\" ON \"d-1\"",
    "EXPLAIN VERBOSE SELECT v FROM a", "EXPLAIN ANALYZE VERBOSE SELECT v INTO b FROM a",
    "SELECT \"\", \"\"::tag, a..b, a.\"\".b FROM \"\"",
    "SELECT v AS \"\", w AS \"as\" FROM \"from\" WHERE \"where\" = 1",
    "SELECT a.::float, \"time\", \"TIME\" FROM b", "SELECT v FROM a.b.c, a.\"b\"", "SELECT \"é\" FROM \"ä\"",
    "SELECT v INTO \"\" FROM a", "SELECT v INTO a.b.\"\" FROM a", "SELECT v INTO $d.:MEASUREMENT FROM a",
    "SELECT a / -b, a * -b * c, a % +b, a & -(b), a - -b, -a / -b, -(-(-a)), +(+a) FROM m",
    "SELECT a / -f(b) + -c * -d - -5 / -5.5 FROM m", "SELECT (a / -b) / -$c FROM m",
    "SELECT 0.1, 0.12, 0.1234, 1.0, 100000.0, 123456789012345678901234567890.0, 0.000000000000000000001 FROM m",
    "SELECT 9007199254740993.0, 0.30000000000000004, 179769313486231570000000000000000000000.0 FROM m",
    "SELECT -9223372036854775808, 9223372036854775808, 106751d, 2562047h47m16s854ms775u807ns FROM m",
    "SELECT \"distinct\"(v), DISTINCT \"select\", distinct(v), count(DISTINCT $f) FROM m",
    "SELECT \"É\"(v), f(/a\\/b/, *, 'c', 5m, true) FROM m", "SELECT *::tag, /\\//, f(*::field) FROM m",
    "SELECT v FROM m WHERE a IN b OR c IN d AND e", "SELECT v FROM m WHERE (a AND (b OR c)) = (d =~ /e/) AND f",
    "SELECT v FROM m WHERE a = b = c != d AND e < f > g", "SELECT v FROM m WHERE a AND b AND c OR d OR e AND f",
    "SELECT v FROM m WHERE a - b - c + d = e * f / g AND h & i | j ^ k > 0",
    "SELECT v FROM m WHERE host = '\\'; DROP DATABASE x; --' AND a = \"b\\\"c\\\\d\\ne\"",
    "SELECT v FROM m WHERE a =~ /\\\\x/ OR b =~ /[\\/]+\\./", "SELECT v FROM m WHERE 'a' = 'b\\\\'",
    "SELECT f(v) FROM m GROUP BY time(1m), time(2m), /x/, *, a::tag, (b), c + 1",
    "SELECT f(v) FROM m GROUP BY time(1m, now()), time(1h, '2020-01-01')", "SELECT f(v) FROM m fill(0.5) LIMIT 1",
    "SELECT f(v) FROM m fill(-0.0)", "SELECT f(v) FROM m fill(-5.0) ORDER BY $o", "SELECT f(v) FROM m fill($f) tz($z)",
    "SELECT v FROM m LIMIT 0 OFFSET 0 SLIMIT 0 SOFFSET 0", "SELECT v FROM m tz('it\\'s') ",
    "SELECT v FROM (SELECT v FROM (SELECT v FROM a, b.c, /d/ WHERE e = 1 GROUP BY * LIMIT 5 tz('UTC')) fill(1)), f",
    "SELECT v FROM (SELECT v INTO x FROM a ORDER BY DESC SLIMIT 1), (SELECT w FROM b)",
]

@Test("The tables have at least 300 statements")
func theTablesAreLarge() {
    #expect(normalForms.count + spellings.map(\.1.count).reduce(0, +) + moreStatements.count >= 300)
}

@Test("Parsing what was printed gives the same tree")
func printingAndParsingGivesTheSameTree() {
    for text in normalForms.map(\.0) + spellings.flatMap(\.1) + moreStatements { checkRoundTrip(text) }
}

@Test("Statements made up at random are read back as they were, in normal form and in any spacing")
func randomStatementsAreReadBack() {
    var writer = StatementWriter(seed: 20_260_101)
    var accepted = 0
    for _ in 0..<3_000 {
        let text = writer.statement()
        guard case .statements = Parsed(text) else {
            Issue.record("refused: \(text): \(Parsed(text))")
            return
        }
        accepted += 1
        checkRoundTrip(text)
    }
    #expect(accepted == 3_000)
}

private func checkRoundTrip(_ text: String) {
    guard case .statements(let statements) = Parsed(text), statements.count == 1 else {
        Issue.record("refused: \(text): \(Parsed(text))")
        return
    }
    let printed = statements[0].body.unredacted
    guard case .statements(let again) = Parsed(printed) else {
        Issue.record("\(text)\nprinted: \(printed)\n\(Parsed(printed))")
        return
    }
    #expect(again.map(\.body) == [statements[0].body], "\(text)\nprinted: \(printed)")
    #expect(again.map(\.body.unredacted) == [printed])
    #expect(again.map(\.kind) == [statements[0].kind])
}

/// Writes statements by the grammar, with names and texts that need care.
private struct StatementWriter {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    private mutating func below(_ limit: Int) -> Int {
        // SplitMix64
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ mixed >> 31) >> 1) % limit
    }

    private mutating func one(_ list: [String]) -> String { list[below(list.count)] }
    private mutating func maybe(_ text: String) -> String { below(2) == 0 ? text : "" }
    private mutating func maybe(_ write: (inout Self) -> String) -> String { below(2) == 0 ? write(&self) : "" }

    private mutating func list(_ write: (inout Self) -> String) -> String {
        (0...below(3)).map { _ in write(&self) }.joined(separator: one([", ", " , ", ",\n"]))
    }

    private mutating func name() -> String {
        one([
            "a", "b", "host", "cpu_1", "\"a b\"", "\"select\"", "\"é\"", "\"a\\\"b\"", "\"a\\\\b\"", "\"a\\nb\"",
            "\"1\"", "$p",
            "$\"q r\"", "\"\"", "x\"y\"",
        ])
    }

    private mutating func string() -> String {
        one(["''", "'a'", "'a b'", "'it\\'s'", "'a\\\\b'", "'a\\nb'", "'é;--'"])
    }
    private mutating func regex() -> String { one(["/a/", "//", "/a\\/b/", "/[a-z]+\\.x$/", "/(a|b)/", "/'\"/"]) }
    private mutating func duration() -> String {
        one(["1ns", "5u", "7ms", "10s", "90m", "36h", "7d", "2w", "1h30m", "0s"])
    }
    private mutating func integer() -> String { one(["0", "1", "42", "007", "9223372036854775807"]) }

    private mutating func literal() -> String {
        switch below(7) {
        case 0: string()
        case 1: integer()
        case 2: one(["0.5", "1.0", ".25", "3.", "0.00001", "12345.678901", "18446744073709551615"])
        case 3: one(["true", "FALSE"])
        default: duration()
        }
    }

    private mutating func reference() -> String {
        name() + maybe { "." + $0.name() } + (below(4) == 0 ? "::" + one(["float", "tag", "field", "string"]) : "")
    }

    private mutating func operand(_ depth: Int) -> String {
        switch below(depth > 3 ? 4 : 9) {
        case 0, 1: return reference()
        case 2: return literal()
        case 3: return one(["-", "+", "- ", "+ "]) + one(["5", "a", "0.5", "7m", "f(x)", "(b)", "\"a b\"", "$p"])
        case 4, 5: return "(" + expression(depth + 1, conditions: true) + ")"
        case 6: return one(["-", "+"]) + "(" + expression(depth + 1, conditions: true) + ")"
        default:
            let arguments =
                below(5) == 0 ? "" : list { $0.below(5) == 0 ? $0.regex() : $0.expression(depth + 1, conditions: true) }
            return one(["mean", "MAX", "\"a b\"", "now", "$f"]) + "(" + arguments + ")"
        }
    }

    private mutating func expression(_ depth: Int, conditions: Bool) -> String {
        var text = operand(depth)
        for _ in 0..<below(4) {
            if conditions, below(5) == 0 {
                text += one([" =~ ", "!~"]) + regex()
            } else {
                let operation =
                    conditions && below(2) == 0
                    ? one([" AND ", " or ", " = ", "!=", "<>", " < ", "<=", ">", " >= "])
                    : one([" + ", " - ", "*", " / ", "%", " & ", "|", " ^ "])
                text += operation + operand(depth)
            }
        }
        return text
    }

    /// Fields take no comparisons, also not deep inside.
    private mutating func field() -> String {
        let expression: String
        switch below(6) {
        case 0: expression = one(["*", "*::field", "*::tag"])
        case 1: expression = regex()
        case 2: expression = one(["DISTINCT ", "distinct\t"]) + name()
        default:
            expression = (0...below(3)).map { _ in arithmeticOperand() }.joined(
                separator: one(["+", " - ", "*", " / "]))
        }
        return expression + (below(4) == 0 ? " AS " + name() : "")
    }

    private mutating func arithmeticOperand() -> String {
        switch below(5) {
        case 0: literal()
        case 1: "(" + reference() + one([" + ", " / ", " % "]) + one(["-", ""]) + reference() + ")"
        case 2:
            one(["mean", "top", "distinct"]) + "(" + list { $0.below(3) == 0 ? $0.literal() : $0.reference() } + ")"
        default: one(["", "-", "+ "]) + reference()
        }
    }

    private mutating func measurement() -> String {
        let last = below(4) == 0 ? regex() : name()
        switch below(4) {
        case 0: return name() + "." + last
        case 1: return name() + "." + name() + "." + last
        case 2: return name() + ".." + last
        default: return last
        }
    }

    private mutating func condition() -> String { maybe { " WHERE " + $0.expression(0, conditions: true) } }
    private mutating func limits() -> String {
        maybe { " LIMIT " + $0.integer() } + maybe { " OFFSET " + $0.integer() }
    }
    private mutating func order() -> String { maybe(one([" ORDER BY time", " order by DESC", " ORDER BY time DESC"])) }

    private mutating func select(_ depth: Int, target: String) -> String {
        let sources = list {
            depth < 3 && $0.below(4) == 0 ? "(" + $0.select(depth + 1, target: "") + ")" : $0.measurement()
        }
        let dimensions = maybe {
            " GROUP BY " + $0.one(["time(1m)", "time(90s, 5s)", "TIME(1h)"]) + $0.maybe { ", " + $0.name() }
                + $0.maybe(", *")
                + $0.maybe(", /x\\/y/")
        }
        return "SELECT " + list { $0.field() } + target + " FROM " + sources + condition() + dimensions
            + maybe(one([" fill(null)", " fill(none)", " FILL(-1)", " fill(0.5)", " fill(2.0)", " fill(linear)"]))
            + order()
            + limits() + maybe { " SLIMIT " + $0.integer() } + maybe(" tz('Europe/Berlin')")
    }

    private mutating func onAndFrom() -> String {
        maybe { " ON " + $0.name() } + maybe { " FROM " + $0.list { $0.measurement() } }
    }

    mutating func statement() -> String {
        switch below(16) {
        case 0...6:
            return select(0, target: maybe { " INTO " + $0.one(["a", "\"a b\"", "r.:MEASUREMENT", "d..x", "d.r.x"]) })
        case 7:
            return "CREATE CONTINUOUS QUERY " + name() + " ON " + name() + maybe(" RESAMPLE EVERY 10s FOR 1h")
                + " BEGIN "
                + "SELECT mean(v) INTO x FROM " + measurement() + condition() + " GROUP BY time(1m), host END"
        case 8:
            return "SHOW TAG VALUES" + onAndFrom() + " WITH KEY " + one(["= ", "!= "]) + name() + condition() + limits()
        case 9: return "SHOW TAG VALUES" + onAndFrom() + " WITH KEY IN (" + list { $0.name() } + ")" + order()
        case 10:
            return "SHOW " + one(["SERIES", "TAG KEY", "FIELD KEY", "MEASUREMENT"]) + " EXACT CARDINALITY" + onAndFrom()
                + condition()
                + limits()
        case 11: return one(["DELETE", "DROP SERIES"]) + " FROM " + name() + ", " + regex() + condition()
        case 12:
            return "CREATE RETENTION POLICY " + name() + " ON " + name() + " DURATION " + duration() + " REPLICATION 1"
                + maybe { " SHARD DURATION " + $0.duration() } + maybe(" DEFAULT")
        case 13: return "CREATE USER " + name() + " WITH PASSWORD " + string() + maybe(" WITH ALL PRIVILEGES")
        case 14: return one(["GRANT READ ON ", "GRANT ALL ON "]) + name() + " TO " + name()
        default:
            return "CREATE SUBSCRIPTION " + name() + " ON " + name() + "." + name() + " DESTINATIONS ALL "
                + list { $0.string() }
        }
    }
}
