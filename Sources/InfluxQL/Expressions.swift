// Expressions: recognised, not kept. What is kept is where `now()` is called.

extension StatementParser {
    /// A chain of operands and binary operators.
    /// - Returns: the comparisons and logical operators in it, weakest binding last, for the one error that names one.
    @discardableResult
    mutating func parseExpression() throws(ParseFailure) -> Token? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw lexer.failure("expressions nest deeper than \(Self.maximumDepth) levels", at: peek())
        }
        var comparison = try parseOperand()
        while true {
            let token = peek()
            guard token.isOperator else { return comparison }
            take()
            if token.isComparison || token.isKeyword(.and) || token.isKeyword(.or) {
                comparison = weaker(token, comparison)
            }
            if token.kind == .matches || token.kind == .matchesNot {
                guard try acceptRegex() != nil || accept(.boundParameter) else {
                    throw unexpected(peek(), expected: ["regex"])
                }
            } else if let inner = try parseOperand() {
                comparison = comparison ?? inner
            }
        }
    }

    private func weaker(_ new: Token, _ old: Token?) -> Token {
        guard let old else { return new }
        func strength(_ token: Token) -> Int { token.isKeyword(.or) ? 1 : token.isKeyword(.and) ? 2 : 3 }
        return strength(new) <= strength(old) ? new : old
    }

    private mutating func parseOperand() throws(ParseFailure) -> Token? {
        let token = take()
        switch token.kind {
        case .leftParenthesis:
            let comparison = try parseExpression()
            try expect(.rightParenthesis)
            return comparison
        case .identifier, .boundParameter:
            if adjacent(.leftParenthesis) {
                take()
                return try parseCall(named: token)
            }
            try parseReferenceTail(first: token)
        case .unboundParameter:
            let name = lexer.content(of: token)
            throw ParseFailure(reason: name.isEmpty ? "empty bound parameter" : "missing parameter: \(name)")
        case .keyword(.distinct):
            if adjacent(.leftParenthesis) {
                take()
                return try parseCall(named: token)
            }
            guard peek().gap == .whitespace else {
                throw peek().gap == .none
                    ? unexpected(peek(), expected: ["(", "identifier"])
                    : lexer.unexpectedPiece(at: position, expected: ["(", "identifier"])
            }
            _ = try expectName()
        case .string, .number, .keyword(.true), .keyword(.false):
            break
        case .integer:
            if UInt64(lexer.content(of: token)) == nil { throw lexer.failure("unable to parse integer", at: token) }
        case .durationValue:
            if let complaint = DurationLiteral.complaint(about: lexer.content(of: token)) {
                throw ParseFailure(reason: complaint)
            }
        case .star:
            if adjacent(.doubleColon), let type = try takeTypeSuffix(["field", "tag"]), !type.isKeyword(.field),
                !type.isKeyword(.tag)
            {
                throw unexpected(type, expected: ["field", "tag"])
            }
        case .plus, .minus:
            return try parseSigned(token)
        default:
            throw unexpected(token, expected: ["identifier", "string", "number", "bool"])
        }
        return nil
    }

    private mutating func parseSigned(_ sign: Token) throws(ParseFailure) -> Token? {
        let next = peek()
        switch next.kind {
        case .integer where sign.kind == .minus:
            if let magnitude = UInt64(lexer.content(of: next)), magnitude > UInt64(Int64.max) + 1 {
                throw ParseFailure(reason: "constant -\(magnitude) underflows int64")
            }
            return try parseOperand()
        case .number, .integer, .durationValue, .leftParenthesis, .identifier, .boundParameter:
            let before = statement.nowCalls.count
            let comparison = try parseOperand()
            if statement.nowCalls.count > before, statement.nowCalls[before].range.lowerBound == next.start {
                statement.nowCalls[before].hasSign = true
            }
            return comparison
        default:
            throw unexpected(next, expected: ["identifier", "number", "duration", "("])
        }
    }

    /// The arguments of a call; its name and parenthesis are taken.
    private mutating func parseCall(named function: Token) throws(ParseFailure) -> Token? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw lexer.failure("expressions nest deeper than \(Self.maximumDepth) levels", at: peek())
        }
        calls += 1
        let start = function.start
        var arguments = 0
        var firstArgument = start..<start
        defer { lastCall = Call(range: start..<position, argumentCount: arguments, firstArgument: firstArgument) }
        if function.kind == .boundParameter { statement.callsParameter = true }
        var comparison: Token?
        if let regex = try acceptRegex() {
            firstArgument = regex.range
        } else {
            // InfluxDB looks for the closing parenthesis behind white space, not behind a comment.
            if peek().kind == .rightParenthesis, peek().gap != .comment {
                take()
                if function.kind == .identifier, lexer.spells(function, "now") {
                    statement.nowCalls.append(NowCall(range: function.start..<position))
                }
                return nil
            }
            let first = peek().start
            comparison = try parseExpression()
            firstArgument = first..<position
        }
        arguments = 1
        while accept(.comma) {
            arguments += 1
            guard try acceptRegex() == nil else { continue }
            let inner = try parseExpression()
            comparison = comparison ?? inner
        }
        try expect(.rightParenthesis)
        return comparison
    }

    /// `.segment` and `::type` behind a name. Neither may have white space before it.
    private mutating func parseReferenceTail(first: Token) throws(ParseFailure) {
        if adjacent(.dot) { try parseReferenceSegments(first: first) }
        guard adjacent(.doubleColon) else { return }
        let expected = ["float", "integer", "string", "boolean", "field", "tag"]
        guard let type = try takeTypeSuffix(expected) else { return }
        switch type.kind {
        case .keyword(.field), .keyword(.tag): return
        case .identifier:
            let known = ["float", "integer", "unsigned", "string", "boolean"]
            guard known.contains(lexer.content(of: type).lowercased()) else {
                throw unexpected(type, expected: known + ["field", "tag"])
            }
        default: throw unexpected(type, expected: expected)
        }
    }

    private mutating func parseReferenceSegments(first: Token) throws(ParseFailure) {
        var segments = [lexer.content(of: first)]
        scan: while adjacent(.dot) {
            take()
            if position == lexer.bytes.count { endWasRead = true }
            switch rawByte() {
            case UInt8(ascii: "/"), UInt8(ascii: ":"):
                break scan
            case UInt8(ascii: "."):
                segments.append("")
            default:
                let token = take()
                guard name(of: token) != nil else { throw unexpected(token, expected: ["identifier"]) }
                segments.append(lexer.content(of: token))
            }
        }
        if segments.count > 3 { throw tooManySegments(segments) }
    }

    /// The token behind `::`, if there is a `::`. Nothing may stand around it.
    private mutating func takeTypeSuffix(_ expected: [String]) throws(ParseFailure) -> Token? {
        guard adjacent(.doubleColon) else { return nil }
        take()
        guard peek().gap == .none else { throw lexer.unexpectedPiece(at: position, expected: expected) }
        return take()
    }

    func tooManySegments(_ segments: [String]) -> ParseFailure {
        let joined = segments.enumerated().map { index, segment in
            index == segments.count - 1
                ? Quoting.identifierIfNeeded(segment) : segment.isEmpty ? "" : Quoting.identifier(segment)
        }.joined(separator: ".")
        return ParseFailure(reason: "too many segments in \(joined)", line: 1, character: 1)
    }

    // MARK: Where a regex may stand

    /// Takes a regex if one starts here, behind white space but not behind a comment: there `/*` is a regex too, and a wrong one.
    mutating func acceptRegex() throws(ParseFailure) -> Token? {
        let start = lexer.whitespaceEnd(at: position)
        if start == lexer.bytes.count { endWasRead = true }
        guard start < lexer.bytes.count, lexer.bytes[start] == UInt8(ascii: "/") else { return nil }
        let token = lexer.regex(at: start)
        guard token.kind == .regex else { throw lexer.failure("bad regex: ", at: token) }
        if let complaint = RegexSyntax.complaint(about: lexer.pattern(of: token)) {
            throw lexer.failure(complaint, at: token)
        }
        skip(to: token.end)
        return token
    }

    /// Whether the next token is `kind` with nothing before it, not even a comment.
    mutating func adjacent(_ kind: Token.Kind) -> Bool {
        let token = peek()
        return token.kind == kind && token.gap == .none
    }

    /// The byte behind the last token taken; 0 at the end.
    func rawByte() -> UInt8 {
        position < lexer.bytes.count ? lexer.bytes[position] : 0
    }
}
