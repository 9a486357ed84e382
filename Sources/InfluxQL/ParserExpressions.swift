// Expressions, from tokens to trees. Recorded besides: where `now()` is called.
//
// Parentheses and calls recurse, 200 deep at worst, on stacks that may be as small as 512 KB. So what does not recurse
// is never inlined into what does: its variables would make those frames large.

extension StatementParser {
    /// A chain of operands and binary operators.
    mutating func parseExpression() throws(ParseFailure) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw lexer.failure("expressions nest deeper than \(Self.maximumDepth) levels", at: peek())
        }
        let first = try parseOperand()
        guard let operation = Operator(peek().kind) else { return first }
        return try parseOperations(behind: first, operation)
    }

    private mutating func parseOperations(
        behind first: Expression, _ firstOperation: Operator
    ) throws(ParseFailure) -> Expression {
        var chains = OpenChains()
        var operand = first
        var next: Operator? = firstOperation
        while let operation = next {
            take()
            if operation.isComparison || operation.isLogical { conditions += 1 }
            chains.append(operand, operation)
            if operation == .matches || operation == .matchesNot {
                operand = try parseRegexOperand()
            } else {
                operand = try parseOperand()
            }
            next = Operator(peek().kind)
        }
        return chains.finish(with: operand)
    }

    private mutating func parseRegexOperand() throws(ParseFailure) -> Expression {
        switch try expectRegex() {
        case .literal(let pattern): .regex(pattern)
        case .parameter(let name): .parameter(name)
        }
    }

    private mutating func parseOperand() throws(ParseFailure) -> Expression {
        let token = take()
        switch token.kind {
        case .leftParenthesis:
            let inner = try parseExpression()
            try expect(.rightParenthesis)
            return .parenthesized(inner)
        case .identifier, .boundParameter:
            if adjacent(.leftParenthesis) {
                take()
                return try parseCall(named: token)
            }
            return try parseReference(first: token)
        case .keyword(.distinct):
            return try parseDistinct(token)
        case .plus, .minus:
            return try parseSigned(token)
        case .star:
            return .wildcard(try parseWildcardTail())
        default:
            return try literal(token)
        }
    }

    @inline(never)
    private mutating func literal(_ token: Token) throws(ParseFailure) -> Expression {
        let text = lexer.content(of: token)
        switch token.kind {
        case .string: return .string(text)
        case .keyword(.true): return .boolean(true)
        case .keyword(.false): return .boolean(false)
        case .number:
            guard let value = Double(text.utf8.last == UInt8(ascii: ".") ? text + "0" : text), value.isFinite else {
                throw lexer.failure("unable to parse number", at: token)
            }
            return .number(value)
        case .integer:
            if let value = Int64(text) { return .integer(value) }
            guard let value = UInt64(text) else { throw lexer.failure("unable to parse integer", at: token) }
            return .unsigned(value)
        case .durationValue:
            do throws(DurationLiteral.Complaint) {
                return .duration(try DurationLiteral.read(text))
            } catch {
                throw ParseFailure(reason: error.text)
            }
        case .regex:
            // The value of a bound parameter: a regex that is written here is a division.
            try checkRegex(text, at: token)
            return .regex(text)
        case .unboundParameter:
            throw ParseFailure(reason: text.isEmpty ? "empty bound parameter" : "missing parameter: \(text)")
        default:
            throw unexpected(token, expected: ["identifier", "string", "number", "bool"])
        }
    }

    @inline(never)
    private mutating func parseDistinct(_ token: Token) throws(ParseFailure) -> Expression {
        if adjacent(.leftParenthesis) {
            take()
            return try parseCall(named: token)
        }
        guard lexer.whitespaceEnd(at: position) > position else {
            throw peek().gap == .none
                ? unexpected(peek(), expected: ["(", "identifier"])
                : lexer.unexpectedPiece(at: position, expected: ["(", "identifier"])
        }
        return .distinct(try expectName())
    }

    @inline(never)
    private mutating func parseWildcardTail() throws(ParseFailure) -> Wildcard {
        guard let type = try takeTypeSuffix(["field", "tag"]) else { return .all }
        switch type.kind {
        case .keyword(.field): return .fields
        case .keyword(.tag): return .tags
        default: throw unexpected(type, expected: ["field", "tag"])
        }
    }

    /// What a sign stands before. InfluxDB folds it into a literal and multiplies anything else by 1 or -1.
    private mutating func parseSigned(_ sign: Token) throws(ParseFailure) -> Expression {
        let next = peek()
        switch next.kind {
        case .number, .integer, .durationValue, .leftParenthesis, .identifier, .boundParameter: break
        default: throw unexpected(next, expected: ["identifier", "number", "duration", "("])
        }
        let isNegative = sign.kind == .minus
        let before = statement.nowCalls.count
        let operand = try parseOperand()
        if statement.nowCalls.count > before, statement.nowCalls[before].range.lowerBound == next.start {
            statement.nowCalls[before].hasSign = true
        }
        switch operand {
        case .number(let value): return .number(isNegative ? -value : value)
        case .integer(let value): return .integer(isNegative ? 0 &- value : value)
        case .duration(let value): return .duration(isNegative ? 0 &- value : value)
        case .unsigned(let value):
            guard isNegative else { return operand }
            guard value == UInt64(Int64.max) + 1 else {
                throw ParseFailure(reason: "constant -\(value) underflows int64")
            }
            return .integer(.min)
        default:
            return .chain(Chain([.integer(isNegative ? -1 : 1), operand], [.times]))
        }
    }

    /// The arguments of a call; its name and parenthesis are taken.
    private mutating func parseCall(named function: Token) throws(ParseFailure) -> Expression {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw lexer.failure("expressions nest deeper than \(Self.maximumDepth) levels", at: peek())
        }
        var call: Call
        if function.kind == .boundParameter {
            statement.callsParameter = true
            call = Call(.parameter(lexer.content(of: function)))
        } else {
            call = Call(.literal(lowercased(lexer.content(of: function))))
        }
        if let pattern = try acceptRegex() {
            call.arguments.append(.regex(pattern))
        } else {
            // InfluxDB looks for the closing parenthesis behind white space, not behind a comment.
            if peek().kind == .rightParenthesis, peek().gap != .comment {
                take()
                if call.isNamed("now") { statement.nowCalls.append(NowCall(range: function.start..<position)) }
                return .call(call)
            }
            call.arguments.append(try parseExpression())
        }
        while accept(.comma) {
            if let pattern = try acceptRegex() {
                call.arguments.append(.regex(pattern))
            } else {
                call.arguments.append(try parseExpression())
            }
        }
        try expect(.rightParenthesis)
        return .call(call)
    }

    private func lowercased(_ text: String) -> String {
        text.utf8.allSatisfy { ($0 < 0x41 || $0 > 0x5A) && $0 < 0x80 } ? text : text.lowercased()
    }

    /// `name`, and `.segment` and `::type` behind it. Neither may have white space before it.
    @inline(never)
    private mutating func parseReference(first: Token) throws(ParseFailure) -> Expression {
        guard let name = name(of: first) else { throw unexpected(first, expected: ["identifier"]) }
        let next = peek()
        guard next.gap == .none, next.kind == .dot || next.kind == .doubleColon else {
            switch name {
            case .literal(let text): return .reference(Reference(text))
            case .parameter(let parameter): return .parameter(parameter)
            }
        }
        let segments = adjacent(.dot) ? try parseReferenceSegments(first: name) : [name]
        let type = adjacent(.doubleColon) ? try parseDataType() : nil
        let literals = segments.compactMap(\.literal)
        guard literals.count == segments.count else {
            if segments.count == 1, type == nil, case .parameter(let parameter) = name { return .parameter(parameter) }
            return .unboundReference(segments, type)
        }
        return .reference(Reference(literals.joined(separator: "."), type))
    }

    private mutating func parseDataType() throws(ParseFailure) -> DataType? {
        let expected = ["float", "integer", "string", "boolean", "field", "tag"]
        guard let type = try takeTypeSuffix(expected) else { return nil }
        switch type.kind {
        case .keyword(.field): return .field
        case .keyword(.tag): return .tag
        case .identifier:
            switch lexer.content(of: type).lowercased() {
            case "float": return .float
            case "integer": return .integer
            case "unsigned": return .unsigned
            case "string": return .string
            case "boolean": return .boolean
            default:
                throw unexpected(
                    type, expected: ["float", "integer", "unsigned", "string", "boolean", "field", "tag"])
            }
        default: throw unexpected(type, expected: expected)
        }
    }

    private mutating func parseReferenceSegments(first: Name) throws(ParseFailure) -> [Name] {
        var segments = [first]
        scan: while adjacent(.dot) {
            take()
            if position == lexer.bytes.count { endWasRead = true }
            switch rawByte() {
            case UInt8(ascii: "/"), UInt8(ascii: ":"):
                break scan
            case UInt8(ascii: "."):
                segments.append(.literal(""))
            default:
                segments.append(try expectName())
            }
        }
        if segments.count > 3 { throw tooManySegments(segments.map(\.text)) }
        return segments
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

    /// Takes a regex if one starts here, behind white space but not behind a comment: there `/*` is a regex too, and a
    /// wrong one. A parameter whose value is a regex is one too.
    mutating func acceptRegex() throws(ParseFailure) -> String? {
        let start = lexer.whitespaceEnd(at: position)
        if start == lexer.bytes.count { endWasRead = true }
        guard start < lexer.bytes.count else { return nil }
        let token: Token
        switch lexer.bytes[start] {
        case UInt8(ascii: "/"):
            token = lexer.regex(at: start)
            guard token.kind == .regex else { throw lexer.failure("bad regex: ", at: token) }
        case UInt8(ascii: "$"):
            token = lexer.token(at: start)
            guard token.kind == .regex else { return nil }
        default: return nil
        }
        let pattern = lexer.pattern(of: token)
        try checkRegex(pattern, at: token)
        if token.isBound { statement.usesParameters = true }
        skip(to: token.end)
        return pattern
    }

    /// A regex, or a bound parameter in its place.
    mutating func expectRegex() throws(ParseFailure) -> Bindable<String> {
        if let pattern = try acceptRegex() { return .literal(pattern) }
        let token = peek()
        guard token.kind == .boundParameter else { throw unexpected(token, expected: ["regex"]) }
        take()
        return .parameter(lexer.content(of: token))
    }

    private func checkRegex(_ pattern: String, at token: Token) throws(ParseFailure) {
        if let complaint = RegexSyntax.complaint(about: pattern) { throw lexer.failure(complaint, at: token) }
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
