// Reads a request's text statement by statement, with the grammar of InfluxDB 1.6 to 1.11 (and what 1.12 adds).

/// A recursive-descent parser that turns whole statements into trees, and keeps where in the text some things stand.
///
/// It follows InfluxDB's own parser production by production, because what the nodes accept is defined by that program
/// and not by its documentation: where a comma may have a comment before it, or a `/` starts a regex, is copied from
/// there. Nesting (parentheses, calls, subqueries) is bounded by `maximumDepth`.
///
/// The files beside this one hold the productions: `ParserSchema`, `ParserShow`, `ParserSelect`, `ParserExpressions`.
/// What they make is in `TreeStatements`, `TreeSelect` and `TreeExpressions`.
struct StatementParser {
    /// InfluxDB has no such limit; no query that a person or a tool writes comes near.
    static let maximumDepth = 200

    let lexer: Lexer
    /// Behind the last token taken.
    private(set) var position = 0
    private var lookahead: Token?
    /// The last token taken.
    private(set) var previous: Token?
    /// InfluxDB's scanner has read the end of the text already; its position then counts one more character.
    var endWasRead = false
    /// The statement being read.
    var statement: Statement
    var depth = 0
    /// Comparisons and logical operators met so far, which a field must not have.
    var conditions = 0

    private let hasParameters: Bool

    init(_ lexer: Lexer, hasParameters: Bool = true) {
        self.lexer = lexer
        self.hasParameters = hasParameters
        statement = Statement(source: lexer.bytes)
    }

    /// Any number of statements between semicolons, empty ones allowed.
    mutating func parseAll() throws(ParseFailure) -> [Statement] {
        if let nul = lexer.bytes.firstIndex(of: 0) {
            let place = Runes.position(in: lexer.bytes, of: nul).at
            throw ParseFailure(
                reason: "found \u{0}, expected text without NUL", line: place.line + 1, character: place.character + 1)
        }
        var statements: [Statement] = []
        var separated = true
        while true {
            let token = peek()
            switch token.kind {
            case .endOfText:
                return statements
            case .semicolon:
                take()
                separated = true
            default:
                guard separated else { throw unexpected(token, expected: [";"]) }
                statement = Statement(source: lexer.bytes)
                statement.body = try parseStatement()
                statement.range = token.start..<position
                statements.append(statement)
                separated = false
            }
        }
    }

    private mutating func parseStatement() throws(ParseFailure) -> StatementBody {
        let token = take()
        guard case .keyword(let keyword) = token.kind else { throw unexpected(token, expected: Self.verbs) }
        switch keyword {
        case .select: return .select(try parseSelect(.top))
        case .delete: return .delete(try parseDelete(.delete))
        case .show: return try parseShow()
        case .create: return try parseCreate()
        case .drop: return try parseDrop()
        case .explain: return try parseExplain()
        case .grant: return try parseGrant()
        case .revoke: return try parseRevoke()
        case .alter: return try parseAlter()
        case .set: return try parseSetPassword()
        case .kill: return try parseKill()
        default: throw unexpected(token, expected: Self.verbs)
        }
    }

    private static let verbs = [
        "SELECT", "DELETE", "SHOW", "CREATE", "DROP", "EXPLAIN", "GRANT", "REVOKE", "ALTER", "SET", "KILL",
    ]

    // MARK: Tokens

    mutating func peek() -> Token {
        if let lookahead { return lookahead }
        var token = lexer.token(at: position)
        if token.kind == .boundParameter, !hasParameters || lexer.content(of: token).isEmpty {
            token.kind = .unboundParameter
        }
        lookahead = token
        return token
    }

    @discardableResult
    mutating func take() -> Token {
        let token = peek()
        position = token.end
        lookahead = nil
        if token.kind != .endOfText { previous = token }
        if token.kind == .boundParameter || token.isBound { statement.usesParameters = true }
        return token
    }

    func unexpected(_ token: Token, expected: [String]) -> ParseFailure {
        var failure = lexer.unexpected(token, expected: expected)
        if token.kind == .endOfText, endWasRead || lexer.readsEnd(previous, before: token) { failure.character += 1 }
        return failure
    }

    /// Goes on behind a token that `lexer` read by other rules (a regex).
    mutating func skip(to offset: Int) {
        position = offset
        lookahead = nil
    }

    mutating func accept(_ keyword: Keyword) -> Bool {
        guard peek().isKeyword(keyword) else { return false }
        take()
        return true
    }

    mutating func accept(_ kind: Token.Kind) -> Bool {
        guard peek().kind == kind else { return false }
        take()
        return true
    }

    /// Words that only later versions reserve.
    mutating func accept(word: StaticString) -> Bool {
        let token = peek()
        guard token.kind == .identifier, !token.isQuoted, !token.isBound, lexer.spells(token, word) else {
            return false
        }
        take()
        return true
    }

    mutating func expect(_ keywords: Keyword...) throws(ParseFailure) {
        for keyword in keywords {
            let token = take()
            guard token.isKeyword(keyword) else { throw unexpected(token, expected: [keyword.rawValue]) }
        }
    }

    mutating func expect(_ kind: Token.Kind) throws(ParseFailure) {
        let token = take()
        guard token.kind == kind else { throw unexpected(token, expected: [kind.symbol]) }
    }

    // MARK: Names and literals. A bound parameter can stand for any of them.

    mutating func expectName() throws(ParseFailure) -> Name {
        let token = take()
        guard let name = name(of: token) else { throw unexpected(token, expected: ["identifier"]) }
        return name
    }

    func name(of token: Token) -> Name? {
        switch token.kind {
        case .identifier: return .literal(lexer.content(of: token))
        case .boundParameter: return .parameter(lexer.content(of: token))
        default: return nil
        }
    }

    /// A text in quotes, and where it stands.
    mutating func expectString() throws(ParseFailure) -> (text: Name, range: Range<Int>) {
        let token = take()
        switch token.kind {
        case .string: return (.literal(lexer.content(of: token)), token.range)
        case .boundParameter: return (.parameter(lexer.content(of: token)), token.range)
        default: throw unexpected(token, expected: ["string"])
        }
    }

    private mutating func expectInteger() throws(ParseFailure) -> Token {
        let token = take()
        guard token.kind == .integer || token.kind == .boundParameter else {
            throw unexpected(token, expected: ["integer"])
        }
        return token
    }

    /// The number behind LIMIT and the like. One that is too large counts as the largest, and 0 as none [1.6.7].
    mutating func parseOptionalInteger(_ keyword: Keyword) throws(ParseFailure) -> Bindable<Int64>? {
        guard accept(keyword) else { return nil }
        let token = try expectInteger()
        let text = lexer.content(of: token)
        guard token.kind == .integer else { return .parameter(text) }
        if text.utf8.first == UInt8(ascii: "-") { throw lexer.failure("\(keyword.rawValue) must be >= 0", at: token) }
        let value = Int64(text) ?? .max
        return value == 0 ? nil : .literal(value)
    }

    /// The id of a shard or a query.
    mutating func expectUnsigned() throws(ParseFailure) -> Bindable<UInt64> {
        let token = try expectInteger()
        let text = lexer.content(of: token)
        guard token.kind == .integer else { return .parameter(text) }
        guard let value = UInt64(text) else {
            let reason = text.utf8.first == UInt8(ascii: "-") ? "invalid syntax" : "value out of range"
            throw lexer.failure("strconv.ParseUint: parsing \"\(text)\": \(reason)", at: token)
        }
        return .literal(value)
    }

    /// A replication factor.
    mutating func expectReplication() throws(ParseFailure) -> Bindable<Int64> {
        let token = try expectInteger()
        let text = lexer.content(of: token)
        guard token.kind == .integer else { return .parameter(text) }
        guard let value = Int64(text) else {
            throw lexer.failure("strconv.Atoi: parsing \"\(text)\": value out of range", at: token)
        }
        guard (1...Int64(Int32.max)).contains(value) else {
            throw lexer.failure("invalid value \(value): must be 1 <= n <= \(Int32.max)", at: token)
        }
        return .literal(value)
    }

    /// A duration in nanoseconds; `INF`, which is 0, where the grammar allows it.
    mutating func expectDuration(orInfinite: Bool = true) throws(ParseFailure) -> Bindable<Int64> {
        let token = take()
        switch token.kind {
        case .boundParameter: return .parameter(lexer.content(of: token))
        case .keyword(.inf) where orInfinite: return .literal(0)
        case .durationValue:
            do throws(DurationLiteral.Complaint) {
                return .literal(try DurationLiteral.read(lexer.content(of: token)))
            } catch {
                throw lexer.failure(error.text, at: token)
            }
        default: throw unexpected(token, expected: ["duration"])
        }
    }
}
