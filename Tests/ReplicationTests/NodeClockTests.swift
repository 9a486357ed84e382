// Clocks as nodes show them: also such as no machine has. None may be more than a sentence for the operator.

import Testing

import Replication

@Suite("The clocks of nodes")
struct NodeClockTests {
    /// 2026-11-21, in nanoseconds.
    private static let now: Int64 = 1_795_219_200_000_000_000

    @Test(
        "a time is read as the server prints it, to the nanosecond, as far as 64 bits go",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2026-11-21T00:00:00.5Z", now + 500_000_000),
            ("1969-12-31T23:59:59.999999999Z", -1), ("2000-02-29T12:00:00Z", 951_825_600_000_000_000),
            ("2262-04-11T23:47:16.854775807Z", .max), ("2262-04-11T23:47:16.854775808Z", nil),
            ("2262-04-11T23:47:16.999999999Z", nil), ("2262-04-11T23:47:17Z", nil), ("9999-12-31T23:59:59Z", nil),
            ("1677-09-21T00:12:44Z", -9_223_372_036_000_000_000), ("1677-09-21T00:12:43Z", nil),
            ("0000-01-01T00:00:00Z", nil), ("0001-01-01T00:00:00Z", nil), ("2026-13-01T00:00:00Z", nil),
            ("2026-11-21T00:00:00.1234567890Z", nil), ("2026-11-21T00:00:00+01:00", nil), ("", nil), ("Z", nil),
        ] as [(String, Int64?)])
    func times(_ text: String, _ expected: Int64?) {
        #expect(GoText.time(text) == expected)
    }

    @Test(
        "a duration of any length is a number or none",
        arguments: [
            ("168h0m0s", 604_800_000_000_000), ("1.5s", 1_500_000_000), ("0s", 0), ("0", 0), ("100µs", 100_000),
            ("9999999999999999999h", nil), ("9223372036854775807ns", nil),
            (String(repeating: "9", count: 400) + "s", nil),
            ("1..5s", nil), ("s", nil), ("5", nil), ("-5s", nil), ("", nil),
        ] as [(String, Int64?)])
    func durations(_ text: String, _ expected: Int64?) {
        #expect(GoText.duration(text) == expected)
    }

    @Test(
        "a clock of any year is so far off, and the operator is told, once it is certain",
        arguments: [
            (shown: now, roundTrip: 0, offset: 0, certain: 0), (now + 5, 10, 0, 0), (now + 700, 400, 500, 300),
            (now - 700, 400, -900, 700), (now + 100, 1000, -400, 0), (0, 0, -now, now),
            (.max, 0, .max - now, .max - now), (.min, 0, .min, .max), (.min, .max, .min, .max - .max / 2),
            // The first fits, and its size does not.
            (.min + now, 0, .min, .max), (.min + now + 1, 0, .min + 1, .max),
        ] as [(shown: Int64, roundTrip: Int64, offset: Int64, certain: Int64)])
    func offsets(shown: Int64, roundTrip: Int64, offset: Int64, certain: Int64) {
        var facts = NodeFacts()
        facts.roundTrip = roundTrip
        facts.clockOffset = NodeFacts.clockOffset(of: shown, askedAt: Self.now, roundTrip: roundTrip)
        #expect(facts.clockOffset == offset)
        #expect(facts.certainSkew == certain)
        #expect(NodeWarnings.of(facts, beside: [], clockSkew: 299).count == (certain > 299 ? 1 : 0))
    }

    @Test("a clock that is not shown is none")
    func unknown() {
        #expect(NodeFacts().certainSkew == nil)
        #expect(NodeWarnings.of(NodeFacts(), beside: [], clockSkew: 0) == [])
    }
}
