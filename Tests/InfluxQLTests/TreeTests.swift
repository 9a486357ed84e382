// Expressions become the trees that InfluxDB builds, however long or deep they are.

import Glibc
import Testing

import InfluxQL

/// An expression with a pair of brackets for each pair of operands.
private func bracketed(_ expression: Expression) -> String {
    switch expression {
    case .chain(let chain):
        let pair = chain.lastPair
        return "[\(bracketed(pair.left)) \(pair.operator.rawValue) \(bracketed(pair.right))]"
    case .parenthesized(let inner): return "(\(bracketed(inner)))"
    case .call(let call): return "\(call.name.literal ?? "$")(\(call.arguments.map(bracketed).joined(separator: ", ")))"
    default: return expression.description
    }
}

private func condition(_ text: String) throws -> Expression {
    try #require(try single("SELECT v FROM m WHERE " + text).body.select?.condition)
}

@Test(
    "Operators bind by precedence and from the left, signs before all of them",
    arguments: [
        ("a", "a"), ("a + b * c", "[a + [b * c]]"), ("a * b + c", "[[a * b] + c]"), ("a - b - c", "[[a - b] - c]"),
        ("a / b * c % d & e", "[[[[a / b] * c] % d] & e]"), ("a | b ^ c + d", "[[[a | b] ^ c] + d]"),
        ("a = b AND c = d OR e = f", "[[[a = b] AND [c = d]] OR [e = f]]"),
        ("a OR b AND c OR d", "[[a OR [b AND c]] OR d]"), ("a = b + c * d", "[a = [b + [c * d]]]"),
        ("a + b = c < d", "[[[a + b] = c] < d]"), ("a AND b OR c AND d", "[[a AND b] OR [c AND d]]"),
        ("(a OR b) AND c", "[([a OR b]) AND c]"), ("a & b | c & d", "[[a & b] | [c & d]]"),
        ("a * b + c * d = e AND f", "[[[[a * b] + [c * d]] = e] AND f]"),
        ("-a", "[-1 * a]"), ("+a", "[1 * a]"), ("-a * b", "[[-1 * a] * b]"), ("-a + b", "[[-1 * a] + b]"),
        ("a - -b", "[a - [-1 * b]]"), ("a / -b", "[a / [-1 * b]]"), ("a / -b * c", "[[a / [-1 * b]] * c]"),
        ("a + -b * c", "[a + [[-1 * b] * c]]"), ("-(a)", "[-1 * (a)]"), ("-f(a) + 1", "[[-1 * f(a)] + 1]"),
        ("-5", "-5"), ("- 5.5", "-5.500"), ("-5m", "-5m"), ("a -5", "[a - 5]"), ("a - - 5", "[a - -5]"),
        ("-9223372036854775808", "-9223372036854775808"), ("a IN b AND c", "[a IN [b AND c]]"),
        ("host =~ /a/ AND b !~ /c/", "[[host =~ /a/] AND [b !~ /c/]]"),
        ("now() - 1h < time", "[[now() - 1h] < time]"), ("f(a + b, c)", "f([a + b], c)"),
    ])
func operatorsBindByPrecedence(_ text: String, _ expected: String) throws {
    #expect(bracketed(try condition(text)) == expected)
}

@Test("Literals keep their types")
func literalsKeepTheirTypes() throws {
    #expect(
        try condition("f(1, 1.0, 9223372036854775808, 90m, 'a', true, /x/, a::tag, *, -0.5)")
            == .call(
                Call(
                    .literal("f"),
                    [
                        .integer(1), .number(1), .unsigned(9_223_372_036_854_775_808), .duration(5_400_000_000_000),
                        .string("a"), .boolean(true), .regex("x"), .reference(Reference("a", .tag)), .wildcard(.all),
                        .number(-0.5),
                    ])))
    #expect(Parsed("SELECT 1\(String(repeating: "0", count: 400)).0 FROM m") != Parsed("SELECT 1.0 FROM m"))
    #expect(
        Parsed("SELECT 1\(String(repeating: "0", count: 400)).0 FROM m")
            == .unrecognised(ParseFailure(reason: "unable to parse number", line: 1, character: 8)))
}

@Test("A SELECT keeps all its clauses")
func aSelectKeepsItsClauses() throws {
    let select = try #require(
        try single(
            "SELECT mean(v) AS m INTO d.r.t FROM a, (SELECT w FROM b) WHERE x = 1 GROUP BY time(1m), h fill(3) "
                + "ORDER BY time DESC LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4 tz('Asia/Tokyo')"
        ).body.select)
    #expect(select.fields == [Field(.call(Call(.literal("mean"), [.reference(Reference("v"))])), alias: .literal("m"))])
    #expect(select.target?.description == "d.r.t")
    #expect(select.sources.count == 2)
    #expect(select.condition?.description == "x = 1")
    #expect(select.dimensions.map(\.description) == ["time(1m)", "h"])
    #expect(select.fill == .value(.integer(3)))
    #expect(select.order?.isAscending == false)
    #expect(select.limits.limit == .literal(1))
    #expect(select.limits.seriesOffset == .literal(4))
    #expect(select.timeZone == .name("Asia/Tokyo"))
    #expect(select.nested.map(\.depth) == [0, 1])
}

@Test("A chain of ten thousand terms is one node, whatever its operators")
func aLongChainIsOneNode() throws {
    for operation in [" AND ", " OR ", " - ", "*"] {
        let text = Array(repeating: "a", count: 10_000).joined(separator: operation)
        guard case .chain(let chain) = try condition(text) else {
            Issue.record("no chain")
            return
        }
        #expect(chain.operands.count == 10_000)
        #expect(chain.operands.allSatisfy { $0 == .reference(Reference("a")) })
    }
}

@Test("The deepest and longest texts are parsed, printed, compared and freed on a small stack")
func deepTreesFitSmallStacks() throws {
    func repeated(_ piece: String, _ count: Int) -> String { String(repeating: piece, count: count) }
    let condition = "SELECT v FROM m WHERE "
    let texts = [
        condition + repeated("(", 198) + "a" + repeated(")", 198),
        condition + repeated("a IN a OR a AND a = a + a * (", 198) + "a" + repeated(")", 198),
        condition + repeated("a / -(", 198) + "a" + repeated(")", 198),
        condition + repeated("a OR a AND a = a + a * f(", 98) + "a" + repeated(")", 98),
        "SELECT v FROM " + repeated("(SELECT v FROM ", 199) + "m" + repeated(")", 199),
        condition + "a" + repeated(" AND a = 1 OR b - 1", 3_000),
    ]
    // Unoptimised code has frames many times as large.
    #if DEBUG
        let stack = 16 << 20
    #else
        let stack = 512 << 10
    #endif
    for text in texts {
        let isSame = onThread(withStackOf: stack) {
            guard case .statements(let statements) = Parsed(text) else { return false }
            guard case .statements(let again) = Parsed(statements[0].description) else { return false }
            return again[0].body == statements[0].body && again[0].body.hashValue == statements[0].body.hashValue
        }
        #expect(isSame, "\(text.prefix(60))")
    }
}

private final class Work: Sendable {
    let run: @Sendable () -> Bool

    init(_ run: @escaping @Sendable () -> Bool) { self.run = run }
}

/// Runs `work` on a thread of its own and waits for it.
private func onThread(withStackOf bytes: Int, _ work: @escaping @Sendable () -> Bool) -> Bool {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setstacksize(&attributes, bytes)
    defer { pthread_attr_destroy(&attributes) }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Work(work)).toOpaque()
    let status = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
            return work.run() ? UnsafeMutableRawPointer(bitPattern: 1) : nil
        }, argument)
    guard status == 0 else { return false }
    var result: UnsafeMutableRawPointer?
    pthread_join(thread, &result)
    return result != nil
}

@Test("What a dashboard query costs is printed")
func aDashboardQueryIsTimed() {
    let text =
        "SELECT mean(\"usage_idle\") FROM \"cpu\" WHERE \"host\" =~ /^a$/ AND time >= now() - 6h "
        + "GROUP BY time(1m), \"host\" fill(null)"
    let bytes = Array(text.utf8)
    let clock = ContinuousClock()
    let best = (0..<5).map { _ in
        clock.measure { for _ in 0..<1_000 { _ = Parsed(utf8: bytes) } }
    }.min()
    print("A dashboard query is parsed in \((best ?? .zero) / 1_000)")
}
