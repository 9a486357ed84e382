// Reads a request's text statement by statement, with the grammar of InfluxDB 1.6 to 1.11 (and what 1.12 adds).

/// A recursive-descent parser that recognises whole statements and keeps of them what routing needs.
///
/// It follows InfluxDB's own parser production by production, because what the nodes accept is defined by that program and
/// not by its documentation: where a comma may have a comment before it, or a `/` starts a regex, is copied from there.
/// Nesting (parentheses, calls, subqueries) is bounded by `maximumDepth`.
///
/// The files beside this one hold the productions: `SchemaStatements`, `ShowStatements`, `SelectStatement`, `Expressions`.
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
    /// Function calls met so far: tells an aggregate from a raw query.
    var calls = 0
    /// The call that ended last.
    var lastCall: Call?

    struct Call {
        /// From the function's name to behind the parenthesis.
        var range: Range<Int>
        var argumentCount: Int
        var firstArgument: Range<Int>
    }

    private let hasParameters: Bool

    init(_ lexer: Lexer, hasParameters: Bool = true) {
        self.lexer = lexer
        self.hasParameters = hasParameters
        statement = Statement(kind: .select, source: lexer.bytes)
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
                statement = Statement(kind: .select, source: lexer.bytes)
                try parseStatement()
                statement.range = token.start..<position
                statements.append(statement)
                separated = false
            }
        }
    }

    private mutating func parseStatement() throws(ParseFailure) {
        let token = take()
        guard case .keyword(let keyword) = token.kind else { throw unexpected(token, expected: Self.verbs) }
        switch keyword {
        case .select: try parseSelect(.top)
        case .delete: try parseDelete(.delete)
        case .show: try parseShow()
        case .create: try parseCreate()
        case .drop: try parseDrop()
        case .explain: try parseExplain()
        case .grant: try parseGrant()
        case .revoke: try parseRevoke()
        case .alter: try parseAlter()
        case .set: try parseSetPassword()
        case .kill: try parseKill()
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
        if token.kind == .boundParameter { statement.usesParameters = true }
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
        guard token.kind == .identifier, !token.isQuoted, lexer.spells(token, word) else { return false }
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

    @discardableResult
    mutating func expectString() throws(ParseFailure) -> Token {
        let token = take()
        guard token.kind == .string || token.kind == .boundParameter else {
            throw unexpected(token, expected: ["string"])
        }
        return token
    }

    mutating func expectInteger() throws(ParseFailure) -> Token {
        let token = take()
        guard token.kind == .integer || token.kind == .boundParameter else {
            throw unexpected(token, expected: ["integer"])
        }
        return token
    }

    /// The id of a shard or a query.
    mutating func expectUnsigned() throws(ParseFailure) {
        let token = try expectInteger()
        let text = lexer.content(of: token)
        if token.kind == .integer, UInt64(text) == nil {
            throw lexer.failure("strconv.ParseUint: parsing \"\(text)\": value out of range", at: token)
        }
    }

    /// A replication factor.
    mutating func expectReplication() throws(ParseFailure) {
        let token = try expectInteger()
        guard token.kind == .integer else { return }
        let text = lexer.content(of: token)
        guard let value = Int(text) else {
            throw lexer.failure("strconv.Atoi: parsing \"\(text)\": value out of range", at: token)
        }
        guard (1...Int(Int32.max)).contains(value) else {
            throw lexer.failure("invalid value \(value): must be 1 <= n <= \(Int32.max)", at: token)
        }
    }

    /// A duration; `INF` where the grammar allows it.
    mutating func expectDuration(orInfinite: Bool = true) throws(ParseFailure) {
        let token = take()
        switch token.kind {
        case .boundParameter: return
        case .keyword(.inf) where orInfinite: return
        case .durationValue:
            if let complaint = DurationLiteral.complaint(about: lexer.content(of: token)) {
                throw lexer.failure(complaint, at: token)
            }
        default: throw unexpected(token, expected: ["duration"])
        }
    }
}
