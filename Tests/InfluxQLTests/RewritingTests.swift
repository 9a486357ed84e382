// now() becomes a literal, passwords become [REDACTED], names are quoted; nothing else of the text changes.

import Testing

import InfluxQL

private let moment: Int64 = 1_795_217_070_123_456_789
private let literal = "'2026-11-20T23:24:30.123456789Z'"

@Test(
    "Each call of now() becomes the literal of one moment, and nothing else does",
    arguments: [
        ("DELETE WHERE time < now()", "DELETE WHERE time < @"),
        ("DELETE WHERE time < now() - 1h AND time > NOW( ) - 2h", "DELETE WHERE time < @ - 1h AND time > @ - 2h"),
        ("DELETE WHERE time < nOw(\t\r\n )", "DELETE WHERE time < @"),
        ("DELETE WHERE time < \"now\"() - 1h", "DELETE WHERE time < @ - 1h"),
        ("DELETE WHERE time < x\"now\"()", "DELETE WHERE time < @"),
        ("DELETE WHERE 1h + (now() - 2h) < time", "DELETE WHERE 1h + (@ - 2h) < time"),
        (
            "DELETE FROM \"now()\" WHERE \"now\" = 'now()' /* now() */ AND a =~ /now()/ -- now()\n AND time < now()",
            "DELETE FROM \"now()\" WHERE \"now\" = 'now()' /* now() */ AND a =~ /now()/ -- now()\n AND time < @"
        ),
        ("DELETE WHERE time < 0 - -now() AND time > + now()", "DELETE WHERE time < 0 - -(@) AND time > + (@)"),
        ("DELETE WHERE time < known() AND a = now", "DELETE WHERE time < known() AND a = now"),
        ("DELETE WHERE time < now(1)", "DELETE WHERE time < now(1)"),
        (
            "SELECT v INTO b FROM (SELECT v FROM a WHERE time > now() - 1d) WHERE time < now()",
            "SELECT v INTO b FROM (SELECT v FROM a WHERE time > @ - 1d) WHERE time < @"
        ),
        (
            "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT v INTO x FROM y WHERE time > now() - 1h END",
            "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT v INTO x FROM y WHERE time > now() - 1h END"
        ),
        (
            "SELECT mean(v) INTO b FROM a WHERE time < now() GROUP BY time(1h, now())",
            "SELECT mean(v) INTO b FROM a WHERE time < @ GROUP BY time(1h, 1470123456789ns)"
        ),
        (
            "SELECT mean(v) INTO b FROM a GROUP BY host, time(1m, (now())), dc",
            "SELECT mean(v) INTO b FROM a GROUP BY host, time(1m, (30123456789ns)), dc"
        ),
    ])
func nowBecomesALiteral(_ text: String, _ expected: String) throws {
    let statement = try single(text)
    let pieces = expected.split(separator: "@", omittingEmptySubsequences: false)
    #expect(statement.replacingNow(with: moment) == pieces.joined(separator: literal))
    #expect(statement.callsNow == (statement.replacingNow(with: moment) != text))
    // What was rewritten is still the same statement, without the call.
    let again = try single(statement.replacingNow(with: moment))
    #expect(again.kind == statement.kind)
    #expect(again.callsNow == false)
}

@Test("A call through a bound parameter, which may be now(), is told")
func aCallThroughAParameterIsTold() throws {
    #expect(try single("DELETE WHERE time < $f()").callsParameter)
    #expect(try single("DELETE WHERE time < $f").callsParameter == false)
    // With its value it is a call as any other.
    guard case .statements(let bound) = Parsed("DELETE WHERE time < $f()", parameters: ["f": .identifier("Now")]) else {
        Issue.record("refused")
        return
    }
    #expect(bound.map { $0.replacingNow(with: moment) } == ["DELETE WHERE time < " + literal])
    #expect(bound.map(\.callsParameter) == [false])
}

@Test(
    "Times are written in RFC 3339 with nine digits",
    arguments: [
        (0, "1970-01-01T00:00:00.000000000Z"), (1, "1970-01-01T00:00:00.000000001Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
        (1_709_251_199_999_999_999, "2024-02-29T23:59:59.999999999Z"),
        (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
        (Int64.max, "2262-04-11T23:47:16.854775807Z"), (Int64.min, "1677-09-21T00:12:43.145224192Z"),
    ] as [(Int64, String)])
func timesAreWritten(_ nanoseconds: Int64, _ text: String) {
    #expect(Timestamp.rfc3339(nanoseconds) == text)
}

@Test(
    "I5 a password never shows in a redacted statement",
    arguments: [
        ("CREATE USER u WITH PASSWORD 'secret'", "CREATE USER u WITH PASSWORD [REDACTED]"),
        (
            "create user \"u\" with /* */ password\n'se\\'cret' with all privileges",
            "create user \"u\" with /* */ password\n[REDACTED] with all privileges"
        ),
        ("SET PASSWORD FOR \"PASSWORD = 'x'\"='secret'", "SET PASSWORD FOR \"PASSWORD = 'x'\"=[REDACTED]"),
        ("SET PASSWORD FOR u = $p", "SET PASSWORD FOR u = [REDACTED]"), ("DROP USER u", "DROP USER u"),
    ])
func aPasswordNeverShows(_ text: String, _ redacted: String) throws {
    #expect(try single(text).redacted == redacted)
}

@Test("Quoted names and texts are read back as they were")
func quotedNamesAreReadBack() {
    for name in ["a", "select", "a b", "a\"b", "a\\b", "a'b", "a\nb", "", "é", "1a", "_1", "a.b", "$a"] {
        let identifier = Lexer(Quoting.identifier(name))
        #expect(identifier.content(of: identifier.token(at: 0)) == name)
        let string = Lexer(Quoting.string(name))
        #expect(string.content(of: string.token(at: 0)) == name)
    }
    #expect(Quoting.identifierIfNeeded("cpu_1") == "cpu_1")
    #expect(Quoting.identifierIfNeeded("select") == "\"select\"")
    #expect(Quoting.identifierIfNeeded("a b") == "\"a b\"")
}
