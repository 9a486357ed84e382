// SELECT with all its clauses, EXPLAIN around it, and the clauses that other statements share with it.

extension StatementParser {
    enum SelectContext {
        case top
        case explain
        case subquery
        case continuousQuery
    }

    mutating func parseExplain() throws(ParseFailure) {
        statement.kind = accept(.analyze) ? .explainAnalyze : .explain
        _ = accept(word: "verbose")
        try expect(.select)
        try parseSelect(.explain)
    }

    /// Everything behind the word SELECT.
    mutating func parseSelect(_ context: SelectContext) throws(ParseFailure) {
        let callsBefore = calls
        try parseFields()
        let isAggregate = calls > callsBefore
        try parseTarget(context)
        try expect(.from)
        try parseSources(subqueries: true)
        try parseCondition()
        let groupsByTime = try parseDimensions()
        try parseFill()
        try parseOrderBy()
        for keyword in [Keyword.limit, .offset, .slimit, .soffset] { try parseOptionalInteger(keyword) }
        try parseTimeZone()
        if context == .continuousQuery, isAggregate, !groupsByTime {
            throw unexpected(previous ?? peek(), expected: ["GROUP BY time(...)"])
        }
    }

    private mutating func parseFields() throws(ParseFailure) {
        while true {
            if try acceptRegex() == nil {
                let start = peek()
                if let comparison = try parseExpression() {
                    let place = Runes.position(in: lexer.bytes, of: start.start).at
                    throw ParseFailure(
                        reason: "invalid operator \(lexer.spelling(of: comparison)) in SELECT clause at line "
                            + "\(place.line + 1), char \(place.character + 1); operator is intended for WHERE clause")
                }
            }
            if accept(.as) {
                _ = try expectName()
                // Behind an alias InfluxDB does not look past a comment for the comma.
                guard peek().kind == .comma, peek().gap != .comment else { return }
            }
            guard accept(.comma) else { return }
        }
    }

    private mutating func parseTarget(_ context: SelectContext) throws(ParseFailure) {
        guard accept(.into) else {
            if context == .continuousQuery { throw unexpected(peek(), expected: ["INTO"]) }
            return
        }
        var segments = try parseSegments(behind: try expectName())
        var sameAsSource = false
        // `:MEASUREMENT` may follow behind white space or a comment, as InfluxDB has it.
        let colon = segments.endsWithDot ? position : lexer.pieceEnd(at: position)
        if colon == lexer.bytes.count { endWasRead = true }
        if segments.names.count < 3, colon < lexer.bytes.count, lexer.bytes[colon] == UInt8(ascii: ":") {
            try expect(.colon)
            try expect(.measurement)
            sameAsSource = true
            segments.names.append(.literal(""))
        }
        guard context != .subquery else { return }
        if context == .top { statement.kind = .selectInto }
        statement.target = reference(segments.names, regex: nil)
        if sameAsSource { statement.target?.measurement = .sameAsSource }
    }

    // MARK: Sources

    mutating func parseSources(subqueries: Bool) throws(ParseFailure) {
        repeat {
            try parseSource(subqueries: subqueries)
        } while accept(.comma)
    }

    mutating func parseSource(subqueries: Bool) throws(ParseFailure) {
        if let regex = try acceptRegex() {
            statement.sources.append(reference([], regex: regex))
            return
        }
        if subqueries, accept(.leftParenthesis) {
            depth += 1
            defer { depth -= 1 }
            guard depth <= Self.maximumDepth else {
                throw lexer.failure("subqueries nest deeper than \(Self.maximumDepth) levels", at: peek())
            }
            try expect(.select)
            try parseSelect(.subquery)
            try expect(.rightParenthesis)
            return
        }
        let first = try expectName()
        guard adjacent(.dot) else {
            // The usual source is one name; it costs no list.
            try checkRegexBehindName()
            statement.sources.append(MeasurementReference(measurement: .name(first)))
            return
        }
        let segments = try parseSegments(behind: first)
        if segments.names.count < 3 {
            if !segments.endsWithDot {
                try checkRegexBehindName()
            } else if let regex = try acceptRegex() {
                statement.sources.append(reference(segments.names, regex: regex))
                return
            }
        }
        statement.sources.append(reference(segments.names, regex: nil))
    }

    /// InfluxDB looks for a regex one piece too late behind a source's name, so a `/` behind the next one, be it white
    /// space or a semicolon, is an error: `FROM cpu /* comment */` among others.
    private mutating func checkRegexBehindName() throws(ParseFailure) {
        let next = lexer.pieceEnd(at: position)
        if next == lexer.bytes.count { endWasRead = true }
        guard next > position, next < lexer.bytes.count, lexer.bytes[next] == UInt8(ascii: "/") else { return }
        throw peek().start == position
            ? unexpected(peek(), expected: ["regex"]) : lexer.unexpectedPiece(at: position, expected: ["regex"])
    }

    /// Names joined by dots. Stops behind a dot that a regex or a colon follows.
    private mutating func parseSegments(behind first: Name) throws(ParseFailure) -> (names: [Name], endsWithDot: Bool) {
        var names = [first]
        while adjacent(.dot) {
            take()
            if position == lexer.bytes.count { endWasRead = true }
            switch rawByte() {
            case UInt8(ascii: "/"), UInt8(ascii: ":"):
                if names.count > 3 { throw tooManySegments(names.map { $0.literal ?? "" }) }
                return (names, true)
            case UInt8(ascii: "."): names.append(.literal(""))
            default: names.append(try expectName())
            }
        }
        if names.count > 3 { throw tooManySegments(names.map { $0.literal ?? "" }) }
        return (names, false)
    }

    private func reference(_ names: [Name], regex: Token?) -> MeasurementReference {
        func given(_ index: Int) -> Name? {
            index >= 0 && names[index] != .literal("") ? names[index] : nil
        }
        guard let regex else {
            return MeasurementReference(
                database: given(names.count - 3), retentionPolicy: given(names.count - 2),
                measurement: .name(names[names.count - 1]))
        }
        return MeasurementReference(
            database: given(names.count - 2), retentionPolicy: given(names.count - 1),
            measurement: .regex(lexer.pattern(of: regex)))
    }

    // MARK: Clauses

    @discardableResult
    mutating func parseCondition() throws(ParseFailure) -> Bool {
        guard accept(.where) else { return false }
        try parseExpression()
        return true
    }

    /// - Returns: whether one of the dimensions is `time(...)`.
    @discardableResult
    mutating func parseDimensions() throws(ParseFailure) -> Bool {
        guard accept(.group) else { return false }
        try expect(.by)
        var byTime = false
        while true {
            if try acceptRegex() != nil {
                // Behind a regex InfluxDB does not look past white space for the comma.
                guard adjacent(.comma) else { return byTime }
            } else {
                let first = peek()
                let isTime = first.kind == .identifier && lexer.spells(first, "time")
                let isCall = first.end < lexer.bytes.count && lexer.bytes[first.end] == UInt8(ascii: "(")
                if isTime && isCall || first.kind == .boundParameter { byTime = true }
                let before = statement.nowCalls.count
                try parseExpression()
                if isTime, statement.nowCalls.count > before, let call = lastCall {
                    let length = DurationLiteral.nanoseconds(Runes.text(of: lexer.bytes, call.firstArgument)) ?? 0
                    for index in before..<statement.nowCalls.count { statement.nowCalls[index].interval = length }
                }
            }
            guard accept(.comma) else { return byTime }
        }
    }

    /// `fill(...)`: null, none, previous, linear, or a number.
    private mutating func parseFill() throws(ParseFailure) {
        guard let call = try parseCallClause("fill") else { return }
        guard call.argumentCount == 1 else {
            throw ParseFailure(
                reason: "fill requires an argument, e.g.: 0, null, none, previous, linear")
        }
        let token = lexer.token(at: call.firstArgument.lowerBound)
        if token.kind == .boundParameter { return }
        if token.kind == .identifier, token.end == call.firstArgument.upperBound,
            ["null", "none", "previous", "linear"].contains(lexer.content(of: token))
        {
            return
        }
        let isSigned = token.kind == .plus || token.kind == .minus
        let number = isSigned ? lexer.token(at: token.end) : token
        guard number.kind == .integer || number.kind == .number, number.end == call.firstArgument.upperBound else {
            throw ParseFailure(reason: "expected number argument in fill()")
        }
    }

    /// `tz('...')`. Whether there is such a time zone is for the node to say.
    private mutating func parseTimeZone() throws(ParseFailure) {
        guard let call = try parseCallClause("tz") else { return }
        guard call.argumentCount == 1 else { throw ParseFailure(reason: "tz requires exactly one argument") }
        let token = lexer.token(at: call.firstArgument.lowerBound)
        guard token.kind == .string || token.kind == .boundParameter, token.end == call.firstArgument.upperBound else {
            throw ParseFailure(reason: "expected string argument in tz()")
        }
    }

    /// A clause that looks like a call; nil if it is not here. A bound parameter in call position may stand for its name.
    private mutating func parseCallClause(_ name: StaticString) throws(ParseFailure) -> Call? {
        let token = peek()
        let isNamed = token.kind == .identifier && lexer.spells(token, name)
        let mayBeNamed =
            token.kind == .boundParameter && token.end < lexer.bytes.count
            && lexer.bytes[token.end] == UInt8(ascii: "(")
        guard isNamed || mayBeNamed else { return nil }
        lastCall = nil
        try parseExpression()
        guard let call = lastCall, call.range == token.start..<position else {
            throw ParseFailure(reason: "\(name) must be a function call")
        }
        return mayBeNamed ? nil : call
    }

    mutating func parseOrderBy() throws(ParseFailure) {
        guard accept(.order) else { return }
        try expect(.by)
        let token = take()
        switch token.kind {
        case .keyword(.asc), .keyword(.desc): break
        case .identifier, .boundParameter:
            if !accept(.asc) { _ = accept(.desc) }
            if token.kind == .identifier, lexer.content(of: token) != "time" {
                throw ParseFailure(reason: "only ORDER BY time supported at this time")
            }
        default: throw unexpected(token, expected: ["identifier", "ASC", "DESC"])
        }
        guard accept(.comma) else { return }
        _ = try expectName()
        throw ParseFailure(reason: "only ORDER BY time supported at this time")
    }

    mutating func parseOptionalInteger(_ keyword: Keyword) throws(ParseFailure) {
        guard accept(keyword) else { return }
        _ = try expectInteger()
    }
}
