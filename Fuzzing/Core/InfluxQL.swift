// InfluxQL: a text is parsed or refused; a statement cut out, quoted again or rewritten is the same statement.

import FuzzEngine
import InfluxQL

/// Input: a byte of choices, then the text.
let influxQL = FuzzTarget("influxql") { bytes in
    var input = FuzzInput(bytes)
    let choices = input.byte()
    let text = input.rest()
    let hasParameters = choices & 1 == 1
    checkTokens(of: text)
    _ = RegexSyntax.complaint(about: String(decoding: text, as: UTF8.self))

    switch Parsed(utf8: text, hasParameters: hasParameters) {
    case .unrecognised(let failure):
        demand(failure.line >= 0 && failure.character >= 0 && !failure.message.isEmpty, "\(failure)")
        // A text that InfluxDB refuses without parameters may be good with them, never the other way round.
        if hasParameters, case .statements(let statements) = Parsed(utf8: text, hasParameters: false) {
            demand(statements.isEmpty, "parameters make a good text bad")
        }
    case .statements(let statements):
        var end = 0
        for statement in statements {
            demand(statement.range.lowerBound >= end && statement.range.upperBound <= text.count, "statements overlap")
            demand(isEmpty(text[end..<statement.range.lowerBound]), "something stands between statements")
            end = statement.range.upperBound
            check(statement, hasParameters: hasParameters, moment: moments[Int(choices) / 2 % moments.count])
        }
        demand(isEmpty(text[end...]), "something stands behind the last statement")
    }
    checkTrees(of: text, moment: moments[Int(choices) / 2 % moments.count])
}

/// What is decided on trees, with values in the places of parameters.
private func checkTrees(of text: [UInt8], moment: Int64) {
    guard case .statements(let statements) = Parsed(utf8: text, parameters: parameters) else { return }
    for statement in statements {
        _ = statement.analysis
        _ = try? statement.timeBounds(now: moment)
        _ = statement.namedDatabases
        let printed = statement.body.unredacted
        // Some values of parameters have no spelling.
        if case .statements(let read) = Parsed(printed, parameters: [:]), !statement.usesParameters {
            demand(read.map(\.body) == [statement.body], "printed it is another statement: \(printed)")
        } else {
            demand(statement.usesParameters, "printed it is none: \(printed)")
        }
        if let executable = statement.executable(at: moment, parameters: parameters) {
            guard case .statements(let read) = Parsed(executable, parameters: [:]), read.count == 1 else {
                return demand(false, "what is logged is no statement: \(executable)")
            }
            demand(
                read[0].kind == statement.kind && !read[0].usesParameters, "what is logged is another: \(executable)")
            demand(!read[0].callsNow || executable.contains("now()"), executable)
        }
    }
}

private let parameters: [String: BoundValue] = [
    "p": .identifier("name"), "a": .string("it's\n"), "b": .integer(-5), "c": .number(2.5), "d": .duration("90m"),
    "e": .regex("a/b"), "f": .identifier("now"), "g": .boolean(true), "h": .invalid("no"),
]

private let moments: [Int64] = [0, 1_795_217_070_123_456_789, .max, .min, -1]

/// White space, comments and semicolons only.
private func isEmpty(_ text: ArraySlice<UInt8>) -> Bool {
    let lexer = Lexer(Array(text))
    var token = lexer.token(at: 0)
    while token.kind == .semicolon { token = lexer.token(at: token.end) }
    return token.kind == .endOfText
}

private func checkTokens(of text: [UInt8]) {
    let lexer = Lexer(text)
    var at = 0
    while true {
        let token = lexer.token(at: at)
        demand(token.start >= at && token.end <= text.count, "a token lies outside of the text")
        demand(token.contentStart >= token.start && token.contentStart <= token.end, "content outside of its token")
        if token.kind == .endOfText { return }
        demand(token.end > at, "the lexer stands still")
        switch token.kind {
        case .identifier, .string, .boundParameter:
            let content = lexer.content(of: token)
            let quoted = Lexer(Quoting.identifier(content))
            demand(quoted.content(of: quoted.token(at: 0)) == content, "a quoted name is another name")
            let string = Lexer(Quoting.string(content))
            demand(string.content(of: string.token(at: 0)) == content, "a quoted text is another text")
            let bare = Lexer(Quoting.identifierIfNeeded(content))
            demand(bare.content(of: bare.token(at: 0)) == content, "a name written as needed is another name")
        case .slash:
            let regex = lexer.regex(at: token.start)
            demand(regex.start == token.start && regex.end <= text.count, "a regex lies outside of the text")
            if regex.kind == .regex { _ = lexer.pattern(of: regex) }
        default: break
        }
        at = token.end
    }
}

private func check(_ statement: Statement, hasParameters: Bool, moment: Int64) {
    let alone = parsedAlone(Array(statement.bytes), hasParameters)
    demand(isSame(alone, statement), "a statement cut out of its text is another one: \(statement.text)")
    demand(alone.range == 0..<statement.range.count, "a statement cut out has an edge")
    demand(alone.callsNow == statement.callsNow, "a statement cut out calls now() more or less often")

    let rewritten = statement.replacingNow(with: moment)
    demand(statement.callsNow || rewritten == statement.text, "a statement without now() is rewritten")
    let timeless = parsedAlone(Array(rewritten.utf8), hasParameters)
    demand(isSame(timeless, statement), "now() makes \(statement.text) another statement: \(rewritten)")
    demand(!timeless.callsNow || statement.kind == .createContinuousQuery || rewritten.contains("now()"), rewritten)

    let shown = statement.redacted
    let mayHoldPassword = statement.kind == .createUser || statement.kind == .setPassword
    demand(
        mayHoldPassword || statement.usesParameters || shown == statement.text,
        "something that is no password is hidden")
    demand(!mayHoldPassword || shown.contains("[REDACTED]"), "a password shows: \(shown)")

    demand((statement.kind.effect == .mutation) == (statement.barrier(requestDatabase: "db") != nil), "no barrier")
    _ = statement.barrier(requestDatabase: nil)
    _ = statement.namedDatabases
}

private func parsedAlone(_ text: [UInt8], _ hasParameters: Bool) -> Statement {
    guard case .statements(let statements) = Parsed(utf8: text, hasParameters: hasParameters),
        statements.count == 1, let statement = statements.first
    else {
        demand(false, "not one statement any more: \(String(decoding: text, as: UTF8.self))")
        fatalError()
    }
    return statement
}

/// Alike in everything that decides where it goes.
private func isSame(_ left: Statement, _ right: Statement) -> Bool {
    left.kind == right.kind && left.database == right.database && left.subject == right.subject
        && left.sources == right.sources && left.target == right.target && left.hasOptions == right.hasOptions
        && left.usesParameters == right.usesParameters && left.callsParameter == right.callsParameter
}
