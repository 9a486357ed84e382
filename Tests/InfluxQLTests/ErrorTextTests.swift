// The words of parse errors: each expectation is what a running InfluxDB 1.6.7 answered.

import Testing

import InfluxQL

private let verbs = "SELECT, DELETE, SHOW, CREATE, DROP, EXPLAIN, GRANT, REVOKE, ALTER, SET, KILL"
private let shown =
    "CONTINUOUS, DATABASES, DIAGNOSTICS, FIELD, GRANTS, MEASUREMENT, MEASUREMENTS, QUERIES, RETENTION, SERIES, SHARD, "
    + "SHARDS, STATS, SUBSCRIPTIONS, TAG, USERS"

private let errors: [(String, String)] = [
    ("SELECT v FROM cpu GROUP BY /x/ , host", "found ,, expected ; at line 1, char 32"),
    ("SELECT a AS b /*c*/, d FROM cpu", "found ,, expected FROM at line 1, char 20"),
    ("SELECT v FROM cpu ORDER BY time, x", "only ORDER BY time supported at this time"),
    ("SHOW FIELD KEYS ON 5 FROM cpu", "found 5, expected identifier at line 1, char 20"),
    ("SHOW FIELD KEYS ON ; ; SHOW DATABASES", "found ;, expected identifier at line 1, char 20"),
    ("SHOW FIELD KEYS ON \"\\q;SHOW DATABASES;--\"", "found \\q, expected identifier at line 1, char 22"),
    ("SHOW FIELD KEYS ON 'abc", "found abc, expected identifier at line 1, char 19"),
    ("SHOW STATS FOR x", "found x, expected string at line 1, char 16"),
    (
        "CREATE CONTINUOUS QUERY a ON d RESAMPLE BEGIN SELECT mean(v) INTO y FROM x GROUP BY time(1m) END",
        "found BEGIN, expected EVERY, FOR at line 1, char 41"
    ),
    ("CREATE DATABASE dd WITH NAME x DURATION 1d", "found DURATION, expected ; at line 1, char 32"),
    (
        "CREATE RETENTION POLICY rp ON d DURATION INF REPLICATION 0",
        "invalid value 0: must be 1 <= n <= 2147483647 at line 1, char 58"
    ),
    (
        "CREATE RETENTION POLICY rp ON d DURATION 1h REPLICATION 1 SHARD DURATION INF",
        "invalid duration INF for shard duration at line 1, char 74"
    ),
    ("CREATE SUBSCRIPTION s ON d .rp DESTINATIONS ANY 'x'", "found  , expected . at line 1, char 27"),
    ("CREATE USER u WITH PASSWORD \"p\"", "found p, expected string at line 1, char 29"),
    ("ALTER RETENTION POLICY rp ON d DEFAULT DEFAULT", "found duplicate DEFAULT option at line 1, char 40"),
    ("DROP SERIES", "found EOF, expected FROM, WHERE at line 1, char 13"),
    ("DELETE", "found EOF, expected FROM, WHERE at line 1, char 8"),
    ("DELETE FROM d..cpu", "database not supported at line 1, char 1"),
    (
        "KILL QUERY 99999999999999999999999",
        "strconv.ParseUint: parsing \"99999999999999999999999\": value out of range at line 1, char 12"
    ),
    (
        "DROP SHARD 99999999999999999999999",
        "strconv.ParseUint: parsing \"99999999999999999999999\": value out of range at line 1, char 12"
    ),
    ("SHOW DATABASES SHOW USERS", "found SHOW, expected ; at line 1, char 16"),
    ("SELECT v\nFROM cpu\r\nWHERE a = 'x\ny'", "found x, expected identifier, string, number, bool at line 3, char 10"),
    (
        "SHOW\u{b}DATABASES",
        "found \u{b}, expected \(shown) at line 1, char 5"
    ),
    (
        "SHOW\u{a0}DATABASES",
        "found \u{a0}, expected \(shown) at line 1, char 5"
    ),
    (
        "SHOW\u{feff}DATABASES",
        "found \u{feff}, expected \(shown) at line 1, char 5"
    ),
    (
        "\u{feff}SHOW DATABASES",
        "found \u{feff}, expected \(verbs) at line 1, char 1"
    ),
    ("SHOW FIELD KEYS ON 'abc\nFROM cpu", "found abc, expected identifier at line 1, char 19"),
    ("SHOW FIELD KEYS ON 'abc\r\nFROM cpu", "found abc, expected identifier at line 1, char 19"),
    ("SHOW FIELD KEYS ON \"\\é;SHOW DATABASES", "found \\é, expected identifier at line 1, char 22"),
    ("SELECT 'é' , x y FROM", "found y, expected FROM at line 1, char 16"),
    ("SELECT v FROM cpu WHERE a = 'é' AND b ! c", "found !, expected ; at line 1, char 39"),
    ("SELECT v FROM cpu WHERE a = '\\q'", "found \\q, expected identifier, string, number, bool at line 1, char 31"),
    ("SELECT 5µ, 5u, 5ms, 1h30m, 5ns, 5n FROM cpu", "invalid duration"),
    ("SELECT 5x FROM cpu", "invalid duration"),
    (
        "SELECT (a = b) + (c > d) FROM m",
        "invalid operator > in SELECT clause at line 1, char 8; operator is intended for WHERE clause"
    ),
    ("SELECT 99999999999999999999 FROM cpu", "unable to parse integer at line 1, char 8"),
    ("SELECT -9223372036854775809 FROM cpu", "constant -9223372036854775809 underflows int64"),
    ("SELECT 10000000w FROM cpu", "overflowed duration 10000000w: choose a smaller duration or INF"),
    (
        "SHOW /*",
        "found ILLEGAL, expected \(shown) at line 1, char 6"
    ),
    (
        "SHOW /*/",
        "found ILLEGAL, expected \(shown) at line 1, char 6"
    ),
    (
        "SHOW -",
        "found -, expected \(shown) at line 1, char 6"
    ),
    (
        "SELECT now(/**/) FROM x",
        "error parsing regexp: missing argument to repetition operator: `*` at line 1, char 11"
    ),
    ("SELECT now(--\n) FROM x", "found ), expected identifier, string, number, bool at line 2, char 1"),
    (
        "SELECT f(/*x*/ a) FROM x",
        "error parsing regexp: missing argument to repetition operator: `*` at line 1, char 9"
    ),
    (
        "SELECT\"v\"FROM\"cpu\"",
        "found v, expected \(verbs) at line 1, char 1"
    ),
    (
        "DROP\"x\"",
        "found x, expected \(verbs) at line 1, char 1"
    ),
    ("SELECT v FROM cpu /* c */", "found  , expected regex at line 1, char 18"),
    ("SELECT v FROM cpu;/* c */SHOW DATABASES", "found ;, expected regex at line 1, char 18"),
    ("SELECT v FROM a . b", "found ., expected ; at line 1, char 17"),
    ("SELECT v FROM a.b.c.d", "too many segments in \"a\".\"b\".\"c\".d at line 1, char 1"),
    ("SELECT v FROM a...b", "too many segments in \"a\"...b at line 1, char 1"),
    ("SELECT v FROM a..", "found EOF, expected identifier at line 1, char 19"),
    ("SELECT v FROM a./x", "bad regex:  at line 1, char 16"),
    ("SELECT v FROM /x", "bad regex:  at line 1, char 14"),
    ("SELECT v FROM /x\n/", "bad regex:  at line 1, char 14"),
    ("SELECT a.b.c.d FROM x", "too many segments in \"a\".\"b\".\"c\".d at line 1, char 1"),
    ("SELECT a./x/ FROM x", "found FROM, expected identifier, string, number, bool at line 1, char 14"),
    (
        "SELECT a::foo FROM x",
        "found foo, expected float, integer, unsigned, string, boolean, field, tag at line 1, char 11"
    ),
    ("SELECT a ::float FROM x", "found ::, expected FROM at line 1, char 10"),
    ("SELECT a:: float FROM x", "found  , expected float, integer, string, boolean, field, tag at line 1, char 11"),
    ("SELECT *::foo FROM x", "found foo, expected field, tag at line 1, char 11"),
    ("SELECT distinct/**/v FROM x", "found , expected (, identifier at line 1, char 16"),
    ("SELECT distinct 'v' FROM x", "found v, expected identifier at line 1, char 16"),
    ("SELECT distinct, v FROM x", "found ,, expected (, identifier at line 1, char 16"),
    ("SELECT $ FROM y", "empty bound parameter"),
    ("SELECT v FROM x WHERE a = $\"b c", "found $b c, expected identifier, string, number, bool at line 1, char 27"),
    ("SELECT v FROM x WHERE a =~ b", "found b, expected regex at line 1, char 28"),
    ("SELECT v FROM x WHERE a =~ 'b'", "found b, expected regex at line 1, char 27"),
    ("SELECT v FROM x WHERE a = (b", "found EOF, expected ) at line 1, char 30"),
    ("SELECT v FROM x WHERE a = b)", "found ), expected ; at line 1, char 28"),
    ("SELECT v FROM (SELECT v FROM x", "found EOF, expected ) at line 1, char 32"),
    ("SELECT v FROM (x)", "found x, expected SELECT at line 1, char 16"),
    ("SELECT v FROM (SHOW DATABASES)", "found SHOW, expected SELECT at line 1, char 16"),
    ("DELETE FROM (SELECT v FROM x)", "found (, expected identifier at line 1, char 13"),
    ("SELECT v FROM x fill", "fill must be a function call"),
    ("SELECT v FROM x fill 0", "fill must be a function call"),
    ("SELECT v FROM x fill(0) + 1", "fill must be a function call"),
    ("SELECT v FROM x fill()", "fill requires an argument, e.g.: 0, null, none, previous, linear"),
    ("SELECT v FROM x fill(a)", "expected number argument in fill()"),
    ("SELECT v FROM x FILL(NONE)", "expected number argument in fill()"),
    ("SELECT v FROM x tz()", "tz requires exactly one argument"),
    ("SELECT v FROM x tz(5)", "expected string argument in tz()"),
    ("SELECT v FROM x tz", "tz must be a function call"),
    ("SELECT v INTO x.y.z.w FROM a", "too many segments in \"x\".\"y\".\"z\".w at line 1, char 1"),
    ("SELECT v INTO 'x' FROM a", "found x, expected identifier at line 1, char 14"),
    ("SELECT v INTO /x/ FROM a", "found /, expected identifier at line 1, char 15"),
    ("SELECT v INTO x./y/ FROM a", "found /, expected FROM at line 1, char 17"),
    ("SELECT v INTO a.b.c.:MEASUREMENT FROM c", "found :, expected FROM at line 1, char 21"),
    ("SELECT v INTO :MEASUREMENT FROM c", "found :, expected identifier at line 1, char 15"),
    ("SELECT v INTO a:MEASUREMENT FROM c", "found :, expected FROM at line 1, char 16"),
    ("SELECT v INTO a.:MEASUREMENTS FROM c", "found MEASUREMENTS, expected MEASUREMENT at line 1, char 18"),
    ("SELECT v INTO a FROM c INTO d", "found INTO, expected ; at line 1, char 24"),
    ("SELECT INTO a FROM c", "found INTO, expected identifier, string, number, bool at line 1, char 8"),
    ("SELECT v INTO a", "found EOF, expected FROM at line 1, char 17"),
    (
        "SELECT v = 1 FROM c",
        "invalid operator = in SELECT clause at line 1, char 8; operator is intended for WHERE clause"
    ),
    (
        "SELECT f(v > 1) FROM c",
        "invalid operator > in SELECT clause at line 1, char 8; operator is intended for WHERE clause"
    ),
    (
        "SELECT v > 1 OR v < 2 FROM c",
        "invalid operator OR in SELECT clause at line 1, char 8; operator is intended for WHERE clause"
    ),
    (
        "SELECT v + (a = b) * 2 FROM c",
        "invalid operator = in SELECT clause at line 1, char 8; operator is intended for WHERE clause"
    ),
    ("SELECT v FROM c WHERE", "found EOF, expected identifier, string, number, bool at line 1, char 23"),
    ("SELECT v FROM c GROUP", "found EOF, expected BY at line 1, char 23"),
    ("SELECT v FROM c GROUP BY", "found EOF, expected identifier, string, number, bool at line 1, char 26"),
    ("SELECT v FROM c LIMIT", "found EOF, expected integer at line 1, char 23"),
    ("SELECT v FROM c LIMIT 1.5", "found 1.5, expected integer at line 1, char 23"),
    ("SELECT v FROM c LIMIT 1 LIMIT 2", "found LIMIT, expected ; at line 1, char 25"),
    ("SELECT v FROM c OFFSET 1 LIMIT 2", "found LIMIT, expected ; at line 1, char 26"),
    ("SELECT v FROM c ORDER BY time DESC, time", "only ORDER BY time supported at this time"),
    ("SELECT v FROM c ORDER BY 'time'", "found time, expected identifier, ASC, DESC at line 1, char 25"),
    ("SELECT v FROM c ORDER time", "found time, expected BY at line 1, char 23"),
    ("ALTER RETENTION POLICY rp ON d SHARD DURATION INF", "invalid duration INF for shard duration at line 1, char 47"),
    ("ALTER RETENTION POLICY rp ON d DURATION 5", "found 5, expected duration at line 1, char 41"),
    ("ALTER RETENTION POLICY rp ON d DURATION x", "found x, expected duration at line 1, char 41"),
    (
        "ALTER RETENTION POLICY rp ON d REPLICATION 5000000000",
        "invalid value 5000000000: must be 1 <= n <= 2147483647 at line 1, char 44"
    ),
    (
        "ALTER RETENTION POLICY rp ON d REPLICATION 50000000000000000000",
        "strconv.Atoi: parsing \"50000000000000000000\": value out of range at line 1, char 44"
    ),
    ("CREATE DATABASE", "found EOF, expected identifier at line 1, char 17"),
    ("CREATE DATABASE 'x'", "found x, expected identifier at line 1, char 16"),
    ("CREATE DATABASE select", "found SELECT, expected identifier at line 1, char 17"),
    ("CREATE DATABASE d WITH DEFAULT", "found DEFAULT, expected DURATION, NAME, REPLICATION, SHARD at line 1, char 24"),
    ("CREATE DATABASE d x", "found x, expected ; at line 1, char 19"),
    ("CREATE USER u", "found EOF, expected WITH at line 1, char 15"),
    ("CREATE USER u WITH", "found EOF, expected PASSWORD at line 1, char 20"),
    ("CREATE USER u WITH PASSWORD 'p' WITH ALL", "found EOF, expected PRIVILEGES at line 1, char 42"),
    ("GRANT", "found EOF, expected READ, WRITE, ALL [PRIVILEGES] at line 1, char 7"),
    ("GRANT ALL", "found EOF, expected ON, TO at line 1, char 11"),
    ("GRANT ALL ON", "found EOF, expected identifier at line 1, char 14"),
    ("GRANT x ON d TO u", "found x, expected READ, WRITE, ALL [PRIVILEGES] at line 1, char 7"),
    ("GRANT ALL FROM u", "found FROM, expected ON, TO at line 1, char 11"),
    ("REVOKE ALL TO u", "found TO, expected ON, FROM at line 1, char 12"),
    ("SET PASSWORD u = 'x'", "found u, expected FOR at line 1, char 14"),
    ("SET PASSWORD FOR u 'x'", "found x, expected = at line 1, char 19"),
    ("SET PASSWORD FOR u = x", "found x, expected string at line 1, char 22"),
    ("KILL 5", "found 5, expected QUERY at line 1, char 6"),
    ("KILL QUERY 5 ON", "found EOF, expected identifier at line 1, char 17"),
    ("KILL QUERY -5", "found -, expected integer at line 1, char 12"),
    (
        "INSERT cpu v=1",
        "found INSERT, expected \(verbs) at line 1, char 1"
    ),
    (
        "SHOW SERVERS",
        "found SERVERS, expected \(shown) at line 1, char 6"
    ),
    ("SHOW TAG", "found EOF, expected KEY, KEYS, VALUES at line 1, char 10"),
    ("SHOW TAG VALUES", "found EOF, expected WITH at line 1, char 17"),
    ("SHOW TAG VALUES WITH", "found EOF, expected KEY at line 1, char 22"),
    ("SHOW TAG VALUES WITH KEY", "found EOF, expected IN, =, =~ at line 1, char 26"),
    ("SHOW TAG VALUES WITH KEY IN host", "found host, expected ( at line 1, char 29"),
    ("SHOW TAG VALUES WITH KEY IN (host", "found EOF, expected ) at line 1, char 35"),
    ("SHOW TAG VALUES WITH KEY IN ()", "found ), expected identifier at line 1, char 30"),
    ("SHOW TAG VALUES WITH KEY =~ x", "found x, expected regex at line 1, char 29"),
    ("SHOW TAG VALUES WITH KEY < x", "found <, expected IN, =, =~ at line 1, char 26"),
    ("SHOW TAG VALUES EXACT", "found EOF, expected CARDINALITY at line 1, char 23"),
    ("SHOW MEASUREMENTS WITH MEASUREMENT < cpu", "found <, expected =, =~ at line 1, char 36"),
    ("SHOW MEASUREMENTS WITH x", "found x, expected MEASUREMENT at line 1, char 24"),
    ("SHOW MEASUREMENTS ON", "found EOF, expected identifier at line 1, char 22"),
    ("SHOW RETENTION", "found EOF, expected POLICIES at line 1, char 16"),
    ("SHOW GRANTS", "found EOF, expected FOR at line 1, char 13"),
    ("SHOW GRANTS FOR", "found EOF, expected identifier at line 1, char 17"),
    ("SHOW SERIES FROM", "found EOF, expected identifier at line 1, char 18"),
    ("SHOW SERIES FROM (SELECT v FROM x)", "found (, expected identifier at line 1, char 18"),
    ("SHOW STATS FOR", "found EOF, expected string at line 1, char 16"),
    ("CREATE CONTINUOUS QUERY a ON d BEGIN SELECT v FROM x END", "found FROM, expected INTO at line 1, char 47"),
    (
        "CREATE CONTINUOUS QUERY a ON d BEGIN SELECT mean(v) INTO y FROM x END",
        "found x, expected GROUP BY time(...) at line 1, char 65"
    ),
    (
        "CREATE CONTINUOUS QUERY z ON d RESAMPLE FOR 1m BEGIN SELECT mean(v) INTO y FROM x GROUP BY time(5m) END",
        "FOR duration must be >= GROUP BY time duration: must be a minimum of 5m, got 1m"
    ),
    (
        "CREATE CONTINUOUS QUERY z ON d RESAMPLE EVERY 10m FOR 7m BEGIN SELECT v INTO y FROM x GROUP BY time(5m) END",
        "FOR duration must be >= GROUP BY time duration: must be a minimum of 10m, got 7m"
    ),
    (
        "CREATE CONTINUOUS QUERY z4 ON d RESAMPLE EVERY 0s BEGIN SELECT v INTO y FROM x END",
        "found BEGIN, expected EVERY, FOR at line 1, char 51"
    ),
    (
        "CREATE CONTINUOUS QUERY z5 ON d BEGIN SELECT mean(v) INTO y FROM x GROUP BY time(0s) END",
        "found ), expected GROUP BY time(...) at line 1, char 84"
    ),
    (
        "CREATE CONTINUOUS QUERY z6 ON d BEGIN SELECT mean(v) INTO y FROM x GROUP BY time(5) END",
        "found ), expected GROUP BY time(...), time dimension must have duration argument at line 1, char 83"
    ),
    (
        "CREATE CONTINUOUS QUERY z7 ON d BEGIN SELECT mean(v) INTO y FROM x GROUP BY time(1m,2m,3m) END",
        "found ), expected GROUP BY time(...), time dimension expected 1 or 2 arguments at line 1, char 90"
    ),
    (
        "CREATE CONTINUOUS QUERY z8 ON d BEGIN SELECT v INTO y FROM x GROUP BY time() END",
        "time dimension expected 1 or 2 arguments"
    ),
    ("CREATE CONTINUOUS QUERY a ON d BEGIN SELECT v INTO y FROM x", "found EOF, expected END at line 1, char 61"),
    ("CREATE CONTINUOUS QUERY a ON d BEGIN SELECT v INTO y FROM x; END", "found ;, expected END at line 1, char 60"),
    ("CREATE CONTINUOUS QUERY a ON d BEGIN DROP DATABASE x END", "found DROP, expected SELECT at line 1, char 38"),
    (
        "CREATE CONTINUOUS QUERY a ON d RESAMPLE EVERY x BEGIN SELECT v INTO y FROM x END",
        "found x, expected duration at line 1, char 47"
    ),
    ("CREATE SUBSCRIPTION s ON d.rp DESTINATIONS 'x'", "found x, expected ALL, ANY at line 1, char 43"),
    ("CREATE SUBSCRIPTION s ON d.rp DESTINATIONS ALL", "found EOF, expected string at line 1, char 48"),
    ("CREATE SUBSCRIPTION s ON d/**/.rp DESTINATIONS ALL 'x'", "found , expected . at line 1, char 27"),
    ("DROP SUBSCRIPTION s ON d", "found EOF, expected . at line 1, char 26"),
    ("DROP SUBSCRIPTION s ON d.rp.x", "found ., expected ; at line 1, char 28"),
    ("DROP CONTINUOUS QUERY a", "found EOF, expected ON at line 1, char 25"),
    ("DROP MEASUREMENT", "found EOF, expected identifier at line 1, char 18"),
    ("DROP MEASUREMENT /x/", "found /, expected identifier at line 1, char 18"),
    ("DROP MEASUREMENT a.b", "found ., expected ; at line 1, char 19"),
    ("DROP SERIES FROM a.b", "retention policy not supported at line 1, char 1"),
    ("DROP SERIES FROM a.b.c", "retention policy not supported at line 1, char 1"),
    ("DELETE x", "found x, expected FROM, WHERE at line 1, char 8"),
    ("DELETE FROM", "found EOF, expected identifier at line 1, char 13"),
    ("EXPLAIN", "found EOF, expected SELECT at line 1, char 9"),
    ("EXPLAIN SHOW DATABASES", "found SHOW, expected SELECT at line 1, char 9"),
    ("SELECT v FROM x WHERE NOT a", "found a, expected ; at line 1, char 27"),
    ("SELECT v FROM x WHERE a = 'b' c", "found c, expected ; at line 1, char 31"),
    ("SELECT 1.5.5 FROM x", "found .5, expected FROM at line 1, char 11"),
    ("SELECT 1.e FROM x", "found e, expected FROM at line 1, char 10"),
    ("SELECT 1e5 FROM x", "invalid duration"),
    ("SELECT 0x10 FROM x", "invalid duration"),
    ("SELECT _a, a_1, 1a FROM x", "invalid duration"),
    ("SELECT π FROM x", "found π, expected identifier, string, number, bool at line 1, char 8"),
    ("SELECT é FROM x", "found é, expected identifier, string, number, bool at line 1, char 8"),
    ("SELECT `v` FROM x", "found `, expected identifier, string, number, bool at line 1, char 8"),
    ("SELECT v FROM x\\", "found \\, expected ; at line 1, char 16"),
    ("SELECT # FROM x", "found #, expected identifier, string, number, bool at line 1, char 8"),
    ("SELECT v FROM x WHERE a == b", "found =, expected identifier, string, number, bool at line 1, char 26"),
    ("SELECT v FROM x WHERE a => b", "found >, expected identifier, string, number, bool at line 1, char 26"),
    ("SELECT v FROM x WHERE a ~ b", "found ~, expected ; at line 1, char 25"),
    ("SELECT v, FROM x", "found FROM, expected identifier, string, number, bool at line 1, char 11"),
    ("SELECT , v FROM x", "found ,, expected identifier, string, number, bool at line 1, char 8"),
    ("SELECT FROM x", "found FROM, expected identifier, string, number, bool at line 1, char 8"),
    ("SELECT v v FROM x", "found v, expected FROM at line 1, char 10"),
    ("SELECT v AS FROM x", "found FROM, expected identifier at line 1, char 13"),
    ("SELECT v AS 'x' FROM x", "found x, expected identifier at line 1, char 12"),
    ("SELECT v FROM x y", "found y, expected ; at line 1, char 17"),
    ("SELECT v FROM x AS y", "found AS, expected ; at line 1, char 17"),
    ("SELECT v FROM x,", "found EOF, expected identifier at line 1, char 18"),
    ("SELECT v FROM 'x'", "found x, expected identifier at line 1, char 14"),
    ("SELECT v FROM 5", "found 5, expected identifier at line 1, char 15"),
    ("SELECT v FROM select", "found SELECT, expected identifier at line 1, char 15"),
    ("SELECT v FROM x WHERE time > now ()", "found (, expected ; at line 1, char 34"),
    ("SELECT v FROM x WHERE a = - -b", "found -, expected identifier, number, duration, ( at line 1, char 29"),
    ("SELECT v FROM x WHERE a = -'b'", "found b, expected identifier, number, duration, ( at line 1, char 27"),
    ("SELECT v FROM x WHERE a = -true", "found TRUE, expected identifier, number, duration, ( at line 1, char 28"),
    (
        "SELECT v FROM x WHERE a = -distinct(b)",
        "found DISTINCT, expected identifier, number, duration, ( at line 1, char 28"
    ),
    ("SELECT f( v ) , g ( v ) FROM x", "found (, expected FROM at line 1, char 19"),
    ("SELECT f(v FROM x", "found FROM, expected ) at line 1, char 12"),
    ("SELECT f(v,) FROM x", "found ), expected identifier, string, number, bool at line 1, char 12"),
    ("SELECT f(,v) FROM x", "found ,, expected identifier, string, number, bool at line 1, char 10"),
    ("SELECT f(/a/ b) FROM x", "found b, expected ) at line 1, char 14"),
    ("SELECT a.f(v) FROM x", "found (, expected FROM at line 1, char 11"),
    (
        "x",
        "found x, expected \(verbs) at line 1, char 1"
    ),
    (
        "SHOW",
        "found EOF, expected \(shown) at line 1, char 6"
    ),
    ("CREATE", "found EOF, expected CONTINUOUS, DATABASE, USER, RETENTION, SUBSCRIPTION at line 1, char 8"),
    (
        "DROP",
        "found EOF, expected CONTINUOUS, DATABASE, MEASUREMENT, RETENTION, SERIES, SHARD, SUBSCRIPTION, USER at line 1, char 6"
    ),
    ("ALTER", "found EOF, expected RETENTION at line 1, char 7"),
    ("SHOW FIELD", "found EOF, expected KEY, KEYS at line 1, char 12"),
    ("SHOW MEASUREMENT", "found EOF, expected EXACT, CARDINALITY at line 1, char 18"),
    ("SHOW SHARD", "found EOF, expected GROUPS at line 1, char 12"),
    ("SHOW TAG KEY", "found EOF, expected EXACT, CARDINALITY at line 1, char 14"),
    ("SHOW FIELD KEY", "found EOF, expected EXACT, CARDINALITY at line 1, char 16"),
    ("SET", "found EOF, expected PASSWORD at line 1, char 5"),
    ("SELECT", "found EOF, expected identifier, string, number, bool at line 1, char 8"),
    ("ALTER RETENTION POLICY a ON b", "found EOF, expected DURATION, REPLICATION, SHARD, DEFAULT at line 1, char 31"),
    ("DROP SHARD x", "found x, expected integer at line 1, char 12"),
    ("SELECT v\n\n  FROM é é", "found é, expected identifier at line 3, char 8"),
    ("SELECT v FROM x WHERE a = 'é' 'b'", "found b, expected ; at line 1, char 30"),
]

@Test("A text that is not InfluxQL is refused in InfluxDB's own words", arguments: errors)
func aTextIsRefusedInInfluxDBsWords(_ text: String, _ message: String) {
    guard case .unrecognised(let failure) = Parsed(text) else {
        Issue.record("accepted: \(text)")
        return
    }
    #expect(failure.message == "error parsing query: " + message)
}

@Test("A failure without a position has none in its message")
func aFailureWithoutAPosition() {
    #expect(ParseFailure(reason: "no").message == "error parsing query: no")
    #expect(ParseFailure(reason: "no", line: 2, character: 3).message == "error parsing query: no at line 2, char 3")
}

@Test(
    "A regular expression that Go does not compile is refused in Go's words",
    arguments: [
        ("(", "missing closing ): `(`"), ("a)b", "unexpected ): `a)b`"),
        ("*", "missing argument to repetition operator: `*`"),
        ("a|*?", "missing argument to repetition operator: `*?`"), ("a**", "invalid nested repetition operator: `**`"),
        ("a+?+", "invalid nested repetition operator: `+?+`"), ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{5,2}", "invalid repeat count: `{5,2}`"), ("[a", "missing closing ]: `[a`"),
        ("[]", "missing closing ]: `[]`"),
        ("[z-a]", "invalid character class range: `z-a`"), ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        ("[i-\\12]", "invalid character class range: `i-\\12`"), ("\\8", "invalid escape sequence: `\\8`"),
        ("\\E", "invalid escape sequence: `\\E`"), ("\\xg1", "invalid escape sequence: `\\xg1`"),
        ("(?!a)", "invalid or unsupported Perl syntax: `(?!`"),
        ("(?i-)", "invalid or unsupported Perl syntax: `(?i-)`"),
        ("(?P<n", "invalid named capture: `(?P<n`"), ("(?P<>a)", "invalid named capture: `(?P<>`"),
        ("\\pX", "invalid character class range: `\\pX`"),
    ])
func aWrongRegularExpressionIsRefused(_ pattern: String, _ complaint: String) {
    #expect(RegexSyntax.complaint(about: pattern) == "error parsing regexp: " + complaint)
}

@Test(
    "A regular expression that Go compiles is taken",
    arguments: [
        "", "a|b|", "^(web|db)[0-9]+\\.example$", "()", "(|a)*", "^*", "a{2}b{1,}c{1,3}?", "a{,3}", "a{01}", "{", "}",
        "]", "[]a]",
        "[^]a-]", "[a\\d-]", "[[:alpha:][:^digit:]_]", "[\\pL\\d]", "\\p{Greek}\\PN", "\\Q*(\\E+", "\\Qabc",
        "\\x41\\x{1F600}",
        "\\012\\12\\0", "(?i)a(?s-m:b)", "(?P<name_1>a)", "(?:a)", "\\A\\b\\B\\z", "é+", "[é-ü]", "\\.\\_\\-", "a*?",
        "(a+)+",
    ])
func aRegularExpressionIsTaken(_ pattern: String) {
    #expect(RegexSyntax.complaint(about: pattern) == nil)
}

@Test(
    "A bound parameter is an error in a request that has no parameters",
    arguments: [
        ("SELECT v FROM a WHERE b = $x", "missing parameter: x"), ("SELECT $\"b c\" FROM a", "missing parameter: b c"),
        ("DROP DATABASE $x", "found $x, expected identifier at line 1, char 15"),
        ("SELECT v FROM a WHERE b =~ $x", "found $x, expected regex at line 1, char 28"),
        ("SELECT v FROM a LIMIT $x", "found $x, expected integer at line 1, char 23"),
    ])
func aParameterWithoutAValue(_ text: String, _ message: String) {
    guard case .unrecognised(let failure) = Parsed(text, hasParameters: false) else {
        Issue.record("accepted: \(text)")
        return
    }
    #expect(failure.message == "error parsing query: " + message)
    guard case .statements = Parsed(text) else {
        Issue.record("refused: \(text)")
        return
    }
}
