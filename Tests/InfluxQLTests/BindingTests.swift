// Bound parameters: each expectation is the statement in a running InfluxDB 1.6.7's query log, or its error.

import Testing

import InfluxQL

private let bindings: [(String, [String: BoundValue], String)] = [
    ("SELECT v FROM d.autogen.$m", ["m": .identifier("cpu")], "SELECT v FROM d.autogen.cpu"),
    ("SELECT v FROM d.autogen.$m", ["m": .identifier("a b")], "SELECT v FROM d.autogen.\"a b\""),
    ("SELECT v FROM d.autogen.$m", ["m": .identifier("select")], "SELECT v FROM d.autogen.\"select\""),
    (
        "SELECT v FROM d.autogen.$m", ["m": .string("cpu")],
        "error parsing query: found cpu, expected identifier at line 1, char 25"
    ),
    (
        "SELECT v FROM d.autogen.$m", ["m": .regex("c.*")],
        "error parsing query: found c.*, expected identifier at line 1, char 25"
    ),
    ("SELECT v FROM $m", ["m": .regex("c.*/x")], "SELECT v FROM /c.*\\/x/"),
    (
        "SELECT v FROM $d.$r.$m", ["d": .identifier("d"), "r": .identifier("autogen"), "m": .identifier("m")],
        "SELECT v FROM d.autogen.m"
    ),
    ("SELECT $f FROM d.autogen.m", ["f": .identifier("v")], "SELECT v FROM d.autogen.m"),
    ("SELECT $f::float FROM d.autogen.m", ["f": .identifier("v")], "SELECT v::float FROM d.autogen.m"),
    ("SELECT $f FROM d.autogen.m", ["f": .string("v")], "SELECT 'v' FROM d.autogen.m"),
    ("SELECT $f FROM d.autogen.m", ["f": .regex("v")], "SELECT /v/ FROM d.autogen.m"),
    ("SELECT $f(v) FROM d.autogen.m", ["f": .identifier("MEAN")], "SELECT mean(v) FROM d.autogen.m"),
    ("SELECT mean($f) FROM d.autogen.m", ["f": .regex("v")], "SELECT mean(/v/) FROM d.autogen.m"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .string("it's")], "SELECT v FROM d.autogen.m WHERE a = 'it\\'s'"),
    (
        "SELECT v FROM d.autogen.m WHERE a = $x", ["x": .string("x' OR '1' = '1")],
        "SELECT v FROM d.autogen.m WHERE a = 'x\\' OR \\'1\\' = \\'1'"
    ),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .integer(5)], "SELECT v FROM d.autogen.m WHERE a = 5"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .number(5.5)], "SELECT v FROM d.autogen.m WHERE a = 5.500"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .integer(-5)], "SELECT v FROM d.autogen.m WHERE a = -5"),
    ("SELECT v FROM d.autogen.m WHERE a = -$x", ["x": .integer(-5)], "SELECT v FROM d.autogen.m WHERE a = 5"),
    ("SELECT v FROM d.autogen.m WHERE a = -$x", ["x": .number(5.5)], "SELECT v FROM d.autogen.m WHERE a = -5.500"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .boolean(true)], "SELECT v FROM d.autogen.m WHERE a = true"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .boolean(false)], "SELECT v FROM d.autogen.m WHERE a = false"),
    (
        "SELECT v FROM d.autogen.m WHERE a = $x", ["x": .invalid("unable to bind parameter with type <nil>")],
        "error parsing query: missing parameter: unable to bind parameter with type <nil>"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a = $x", ["x": .invalid("unable to bind parameter with type []interface {}")],
        "error parsing query: missing parameter: unable to bind parameter with type []interface {}"
    ),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .number(1)], "SELECT v FROM d.autogen.m WHERE a = 1.000"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .number(1.25)], "SELECT v FROM d.autogen.m WHERE a = 1.250"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .integer(7)], "SELECT v FROM d.autogen.m WHERE a = 7"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .string("s")], "SELECT v FROM d.autogen.m WHERE a = 's'"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .identifier("b")], "SELECT v FROM d.autogen.m WHERE a = b"),
    ("SELECT v FROM d.autogen.m WHERE a = $x", ["x": .regex("b")], "SELECT v FROM d.autogen.m WHERE a = /b/"),
    (
        "SELECT v FROM d.autogen.m WHERE a =~ $x", ["x": .regex("^b/c$")],
        "SELECT v FROM d.autogen.m WHERE a =~ /^b\\/c$/"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a =~ $x", ["x": .string("b")],
        "error parsing query: found b, expected regex at line 1, char 38"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a =~ $x", ["x": .regex("(")],
        "error parsing query: error parsing regexp: missing closing ): `(` at line 1, char 38"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a = $x", ["x": .invalid("unknown bind object type: foo")],
        "error parsing query: missing parameter: unknown bind object type: foo"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE time > now() - $x", ["x": .duration("90m")],
        "SELECT v FROM d.autogen.m WHERE time > now() - 90m"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE time > now() - $x", ["x": .duration("1h")],
        "SELECT v FROM d.autogen.m WHERE time > now() - 1h"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE time > now() + $x", ["x": .duration("-90m")],
        "SELECT v FROM d.autogen.m WHERE time > now() + -90m"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE time > now() - $x", ["x": .duration("1q")],
        "error parsing query: invalid duration"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time($x), $y", ["x": .duration("60s"), "y": .identifier("host")],
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m), host"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill($x)", ["x": .integer(5)],
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(5)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill($x)", ["x": .identifier("none")],
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(none)"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill($x)", ["x": .string("none")],
        "error parsing query: expected number argument in fill()"
    ),
    (
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) $x(0)", ["x": .identifier("fill")],
        "SELECT mean(v) FROM d.autogen.m GROUP BY time(1m) fill(0)"
    ),
    ("SELECT v FROM d.autogen.m LIMIT $x", ["x": .integer(5)], "SELECT v FROM d.autogen.m LIMIT 5"),
    (
        "SELECT v FROM d.autogen.m LIMIT $x", ["x": .integer(-5)],
        "error parsing query: LIMIT must be >= 0 at line 1, char 33"
    ),
    (
        "SELECT v FROM d.autogen.m LIMIT $x", ["x": .string("5")],
        "error parsing query: found 5, expected integer at line 1, char 33"
    ),
    (
        "SELECT v FROM d.autogen.m LIMIT $x", ["x": .number(5.0)],
        "error parsing query: found 5, expected integer at line 1, char 33"
    ),
    (
        "SELECT v FROM d.autogen.m ORDER BY $x", ["x": .identifier("time")],
        "SELECT v FROM d.autogen.m ORDER BY time ASC"
    ),
    (
        "SELECT v FROM d.autogen.m ORDER BY $x", ["x": .identifier("v")],
        "error parsing query: only ORDER BY time supported at this time"
    ),
    ("SELECT v FROM d.autogen.m tz($x)", ["x": .string("UTC")], "SELECT v FROM d.autogen.m TZ('UTC')"),
    ("SELECT v AS $x FROM d.autogen.m", ["x": .identifier("y z")], "SELECT v AS \"y z\" FROM d.autogen.m"),
    (
        "SELECT v INTO d.autogen.$x FROM d.autogen.m", ["x": .identifier("y z")],
        "SELECT v INTO d.autogen.\"y z\" FROM d.autogen.m"
    ),
    ("CREATE DATABASE $x", ["x": .identifier("dd")], "CREATE DATABASE dd"),
    (
        "CREATE DATABASE $x", ["x": .string("dd")],
        "error parsing query: found dd, expected identifier at line 1, char 17"
    ),
    (
        "CREATE RETENTION POLICY rr ON d DURATION $x REPLICATION $y", ["x": .duration("2h"), "y": .integer(1)],
        "CREATE RETENTION POLICY rr ON d DURATION 2h REPLICATION 1"
    ),
    (
        "CREATE RETENTION POLICY rr ON d DURATION $x REPLICATION $y", ["x": .duration("-2h"), "y": .integer(1)],
        "CREATE RETENTION POLICY rr ON d DURATION -2h REPLICATION 1"
    ),
    (
        "CREATE RETENTION POLICY rr ON d DURATION 1h REPLICATION $y", ["y": .integer(0)],
        "error parsing query: invalid value 0: must be 1 <= n <= 2147483647 at line 1, char 57"
    ),
    (
        "CREATE RETENTION POLICY rr ON d DURATION $x REPLICATION 1", ["x": .integer(5)],
        "error parsing query: found 5, expected duration at line 1, char 42"
    ),
    ("DROP SHARD $x", ["x": .integer(77)], "DROP SHARD 77"),
    (
        "DROP SHARD $x", ["x": .integer(-77)],
        "error parsing query: strconv.ParseUint: parsing \"-77\": invalid syntax at line 1, char 12"
    ),
    ("KILL QUERY $x", ["x": .integer(777)], "KILL QUERY 777"),
    ("SHOW GRANTS FOR $x", ["x": .identifier("select")], "SHOW GRANTS FOR \"select\""),
    (
        "CREATE USER $x WITH PASSWORD $y", ["x": .identifier("uu"), "y": .string("pp")],
        "CREATE USER uu WITH PASSWORD [REDACTED]"
    ),
    (
        "SET PASSWORD FOR uu = $y", ["y": .identifier("pp")],
        "error parsing query: found pp, expected string at line 1, char 23"
    ),
    ("SHOW STATS FOR $x", ["x": .string("shard")], "SHOW STATS FOR 'shard'"),
    ("DROP MEASUREMENT $x", ["x": .identifier("mm")], "DROP MEASUREMENT mm"),
    (
        "DELETE FROM $x WHERE time < $t", ["x": .identifier("mm"), "t": .string("2020-01-01")],
        "DELETE FROM mm WHERE time < '2020-01-01'"
    ),
    (
        "$x DATABASES", ["x": .identifier("SHOW")],
        "error parsing query: found SHOW, expected SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL at line 1, char 1"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a $x 5", ["x": .identifier("=")],
        "error parsing query: found =, expected ; at line 1, char 35"
    ),
    ("SELECT v FROM d.autogen.m WHERE a = $\"x y\"", ["x y": .integer(5)], "SELECT v FROM d.autogen.m WHERE a = 5"),
    (
        "SELECT v FROM d.autogen.m WHERE a = $x AND b = $y", ["x": .integer(5)],
        "error parsing query: missing parameter: y"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a = $x x", ["x": .string("q")],
        "error parsing query: found x, expected ; at line 1, char 40"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE a = $x $x", ["x": .string("q")],
        "error parsing query: found q, expected ; at line 1, char 40"
    ),
    (
        "SELECT $x $x FROM d.autogen.m", ["x": .boolean(true)],
        "error parsing query: found TRUE, expected FROM at line 1, char 11"
    ),
    ("SELECT v FROM d.autogen.m WHERE a = $", ["x": .integer(5)], "error parsing query: empty bound parameter"),
    (
        "SELECT v FROM $x", ["x": .string("")],
        "error parsing query: found STRING, expected identifier at line 1, char 15"
    ),
    ("SELECT v FROM d.autogen.m GROUP BY $x", ["x": .regex("h")], "SELECT v FROM d.autogen.m GROUP BY /h/"),
    ("SELECT v FROM d.autogen.m WHERE $x", ["x": .boolean(true)], "SELECT v FROM d.autogen.m WHERE true"),
    (
        "SELECT $x v FROM d.autogen.m", ["x": .identifier("distinct")],
        "error parsing query: found v, expected FROM at line 1, char 11"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE time > $t", ["t": .string("2020-01-01T00:00:00Z")],
        "SELECT v FROM d.autogen.m WHERE time > '2020-01-01T00:00:00Z'"
    ),
    (
        "SELECT v FROM d.autogen.m WHERE time > $t", ["t": .integer(1500000000000000000)],
        "SELECT v FROM d.autogen.m WHERE time > 1500000000000000000"
    ),
]

@Test("A value of a bound parameter stands for one token of its kind", arguments: bindings)
func aValueStandsForOneToken(_ text: String, _ parameters: [String: BoundValue], _ expected: String) throws {
    switch Parsed(text, parameters: parameters) {
    case .statements(let statements):
        #expect(statements.map(\.description) == [expected])
        #expect(statements.contains { $0.usesParameters } == text.contains("$"))
    case .unrecognised(let failure):
        #expect(failure.message == expected)
    }
}

@Test("A statement with its values in their places is the statement that is written with them")
func aBoundStatementIsTheWrittenOne() throws {
    let text = "SELECT mean($f) FROM $m WHERE $t = $v AND time > now() - $d GROUP BY time(1m), $t fill($n) LIMIT $l"
    let values: [String: BoundValue] = [
        "f": .identifier("usage"), "m": .identifier("cpu load"), "t": .identifier("host"), "v": .string("a'b"),
        "d": .duration("90m"), "n": .number(0.5), "l": .integer(3),
    ]
    guard case .statements(let bound) = Parsed(text, parameters: values) else {
        Issue.record("refused: \(Parsed(text, parameters: values))")
        return
    }
    let written = try single(
        "SELECT mean(usage) FROM \"cpu load\" WHERE host = 'a\\'b' AND time > now() - 90m "
            + "GROUP BY time(1m), host fill(0.5) LIMIT 3")
    #expect(bound.map(\.body) == [written.body])
}

@Test(
    "Without its values a statement keeps its parameters, also when it is printed",
    arguments: [
        "SELECT $f, $g::float, a.$h, $i(v), -$j FROM $m WHERE a =~ $r AND b = $\"x y\"",
        "SELECT v FROM $d.$r.$m, $d..$m GROUP BY $t, time($i) fill($f) ORDER BY $o ASC LIMIT $l OFFSET $m TZ($z)",
        "SELECT v FROM a $f(0)", "SELECT v INTO $t FROM a", "DROP DATABASE $d", "SHOW STATS FOR $x",
        "CREATE RETENTION POLICY $r ON $d DURATION $x REPLICATION $y SHARD DURATION $z",
        "SHOW TAG VALUES ON $d FROM $m WITH KEY IN ($a, $b)", "SHOW TAG VALUES WITH KEY =~ $r",
        "KILL QUERY $i ON $h", "DROP SHARD $i", "SELECT DISTINCT $f FROM a", "SELECT v AS $x FROM a",
        "CREATE SUBSCRIPTION $s ON $d.$r DESTINATIONS ALL $x, 'y'",
    ])
func parametersAreKept(_ text: String) throws {
    let statement = try single(text)
    #expect(statement.usesParameters)
    #expect(try single(statement.description).body == statement.body)
}
