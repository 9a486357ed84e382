// SELECT with all its clauses, EXPLAIN around it, and the clauses that other statements share with it.

extension StatementParser {
    enum SelectContext {
        case top
        case subquery
        case continuousQuery
    }

    mutating func parseExplain() throws(ParseFailure) -> StatementBody {
        let analyze = accept(.analyze)
        let verbose = accept(word: "verbose")
        try expect(.select)
        return .explain(try parseSelect(.top), analyze: analyze, verbose: verbose)
    }

    /// Everything behind the word SELECT.
    ///
    /// Subqueries come back here, 200 deep at worst, and some threads have stacks of 512 KB: what recurses is kept
    /// apart from the clauses, whose variables would make its frames large.
    mutating func parseSelect(_ context: SelectContext) throws(ParseFailure) -> SelectStatement {
        var select = SelectStatement()
        try parseSelectHead(&select, context)
        repeat { try parseSource(&select.sources) } while accept(.comma)
        try parseSelectTail(&select)
        return select
    }

    @inline(never)
    private mutating func parseSelectHead(
        _ select: inout SelectStatement, _ context: SelectContext
    ) throws(ParseFailure) {
        try parseFields(&select)
        select.target = try parseTarget(context)
        try expect(.from)
    }

    @inline(never)
    private mutating func parseSelectTail(_ select: inout SelectStatement) throws(ParseFailure) {
        select.condition = try parseCondition()
        select.dimensions = try parseDimensions()
        select.fill = try parseFill()
        select.order = try parseOrderBy()
        select.limits = try parseLimits(.limit, .offset, .slimit, .soffset)
        select.timeZone = try parseTimeZone()
    }

    private mutating func parseFields(_ select: inout SelectStatement) throws(ParseFailure) {
        while true {
            var field: Field
            if let pattern = try acceptRegex() {
                field = Field(.regex(pattern))
            } else {
                let start = peek()
                let before = conditions
                field = Field(try parseExpression())
                if conditions > before, let operation = field.expression.lastCondition {
                    let place = Runes.position(in: lexer.bytes, of: start.start).at
                    throw ParseFailure(
                        reason: "invalid operator \(operation.rawValue) in SELECT clause at line "
                            + "\(place.line + 1), char \(place.character + 1); operator is intended for WHERE clause")
                }
            }
            let hasAlias = accept(.as)
            if hasAlias {
                let alias = try expectName()
                if alias != .literal("") { field.alias = alias }
            }
            select.fields.append(field)
            // Behind an alias InfluxDB does not look past a comment for the comma.
            guard peek().kind == .comma, !hasAlias || peek().gap != .comment else { return }
            take()
        }
    }

    private mutating func parseTarget(_ context: SelectContext) throws(ParseFailure) -> MeasurementReference? {
        guard accept(.into) else {
            if context == .continuousQuery { throw unexpected(peek(), expected: ["INTO"]) }
            return nil
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
        var target = reference(segments.names, regex: nil)
        if sameAsSource { target.measurement = .sameAsSource }
        return target
    }

    // MARK: Sources

    private mutating func parseSource(_ sources: inout [Source]) throws(ParseFailure) {
        if try appendRegexSource(&sources) { return }
        guard accept(.leftParenthesis) else { return try appendNamedSource(&sources) }
        sources.append(.subquery(try parseSubquery()))
    }

    @inline(never)
    private mutating func appendRegexSource(_ sources: inout [Source]) throws(ParseFailure) -> Bool {
        guard let regex = try acceptRegex() else { return false }
        sources.append(.measurement(reference([], regex: regex)))
        return true
    }

    @inline(never)
    private mutating func appendNamedSource(_ sources: inout [Source]) throws(ParseFailure) {
        sources.append(.measurement(try parseNamedMeasurement()))
    }

    private mutating func parseSubquery() throws(ParseFailure) -> SelectStatement {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw lexer.failure("subqueries nest deeper than \(Self.maximumDepth) levels", at: peek())
        }
        try expect(.select)
        let select = try parseSelect(.subquery)
        try expect(.rightParenthesis)
        return select
    }

    /// A list of measurements where no subquery may stand.
    mutating func parseMeasurements() throws(ParseFailure) -> [MeasurementReference] {
        var list: [MeasurementReference] = []
        repeat { list.append(try parseMeasurement()) } while accept(.comma)
        return list
    }

    mutating func parseMeasurement() throws(ParseFailure) -> MeasurementReference {
        if let regex = try acceptRegex() { return reference([], regex: regex) }
        return try parseNamedMeasurement()
    }

    private mutating func parseNamedMeasurement() throws(ParseFailure) -> MeasurementReference {
        let first = try expectName()
        guard adjacent(.dot) else {
            // The usual source is one name; it costs no list.
            try checkRegexBehindName()
            return MeasurementReference(measurement: .name(first))
        }
        let segments = try parseSegments(behind: first)
        if segments.names.count < 3 {
            if !segments.endsWithDot {
                try checkRegexBehindName()
            } else if let regex = try acceptRegex() {
                return reference(segments.names, regex: regex)
            }
        }
        return reference(segments.names, regex: nil)
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
                if names.count > 3 { throw tooManySegments(names.map(\.text)) }
                return (names, true)
            case UInt8(ascii: "."): names.append(.literal(""))
            default: names.append(try expectName())
            }
        }
        if names.count > 3 { throw tooManySegments(names.map(\.text)) }
        return (names, false)
    }

    private func reference(_ names: [Name], regex: String?) -> MeasurementReference {
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
            measurement: .regex(regex))
    }

    // MARK: Clauses

    mutating func parseCondition() throws(ParseFailure) -> Expression? {
        accept(.where) ? try parseExpression() : nil
    }

    mutating func parseDimensions() throws(ParseFailure) -> [Expression] {
        guard accept(.group) else { return [] }
        try expect(.by)
        var dimensions: [Expression] = []
        while true {
            if let pattern = try acceptRegex() {
                dimensions.append(.regex(pattern))
                // Behind a regex InfluxDB does not look past white space for the comma.
                guard adjacent(.comma) else { return dimensions }
            } else {
                let before = statement.nowCalls.count
                let dimension = try parseExpression()
                if statement.nowCalls.count > before, case .call(let call) = dimension, call.isNamed("time") {
                    var interval: Int64 = 0
                    if case .duration(let length)? = call.arguments.first { interval = length }
                    for index in before..<statement.nowCalls.count { statement.nowCalls[index].interval = interval }
                }
                dimensions.append(dimension)
            }
            guard accept(.comma) else { return dimensions }
        }
    }

    /// `fill(...)`: null, none, previous, linear, or a number.
    private mutating func parseFill() throws(ParseFailure) -> Fill {
        guard let call = try parseCallClause("fill") else { return .null }
        guard call.name.literal != nil else { return .unbound(call) }
        guard call.arguments.count == 1 else {
            throw ParseFailure(
                reason: "fill requires an argument, e.g.: 0, null, none, previous, linear")
        }
        switch call.arguments[0] {
        case .parameter(let name): return .parameter(name)
        case .reference(Reference("null")): return .null
        case .reference(Reference("none")): return .none
        case .reference(Reference("previous")): return .previous
        case .reference(Reference("linear")): return .linear
        case .integer, .number: return .value(call.arguments[0])
        default: throw ParseFailure(reason: "expected number argument in fill()")
        }
    }

    /// `tz('...')`. Whether there is such a time zone is for the node to say.
    private mutating func parseTimeZone() throws(ParseFailure) -> TimeZoneClause? {
        guard let call = try parseCallClause("tz") else { return nil }
        guard call.name.literal != nil else { return .unbound(call) }
        guard call.arguments.count == 1 else { throw ParseFailure(reason: "tz requires exactly one argument") }
        switch call.arguments[0] {
        case .string(let name): return .name(name.isEmpty ? "UTC" : name)
        case .parameter(let name): return .parameter(name)
        default: throw ParseFailure(reason: "expected string argument in tz()")
        }
    }

    /// A clause that looks like a call; nil if it is not here. A bound parameter in call position may stand for its
    /// name.
    private mutating func parseCallClause(_ name: StaticString) throws(ParseFailure) -> Call? {
        let token = peek()
        let isNamed = token.kind == .identifier && lexer.spells(token, name)
        let mayBeNamed =
            token.kind == .boundParameter && token.end < lexer.bytes.count
            && lexer.bytes[token.end] == UInt8(ascii: "(")
        guard isNamed || mayBeNamed else { return nil }
        guard case .call(let call) = try parseExpression() else {
            throw ParseFailure(reason: "\(name) must be a function call")
        }
        return call
    }

    mutating func parseOrderBy() throws(ParseFailure) -> Order? {
        guard accept(.order) else { return nil }
        try expect(.by)
        let token = take()
        var order = Order(name: nil, isAscending: !token.isKeyword(.desc))
        switch token.kind {
        case .keyword(.asc), .keyword(.desc): break
        case .identifier, .boundParameter:
            order.name = name(of: token)
            if !accept(.asc) { order.isAscending = !accept(.desc) }
            if token.kind == .identifier, lexer.content(of: token) != "time" {
                throw ParseFailure(reason: "only ORDER BY time supported at this time")
            }
        default: throw unexpected(token, expected: ["identifier", "ASC", "DESC"])
        }
        guard accept(.comma) else { return order }
        _ = try expectName()
        throw ParseFailure(reason: "only ORDER BY time supported at this time")
    }

    mutating func parseLimits(_ keywords: Keyword...) throws(ParseFailure) -> RowLimits {
        var limits = RowLimits()
        for keyword in keywords {
            guard let value = try parseOptionalInteger(keyword) else { continue }
            switch keyword {
            case .limit: limits.limit = value
            case .offset: limits.offset = value
            case .slimit: limits.seriesLimit = value
            default: limits.seriesOffset = value
            }
        }
        return limits
    }
}

extension Expression {
    /// The comparison or logical operator that InfluxDB names in its error when a field has one: the outermost, and of
    /// several side by side the last [1.6.7].
    fileprivate var lastCondition: Operator? {
        if case .chain(let chain) = self, chain.outermost.isComparison || chain.outermost.isLogical {
            return chain.outermost
        }
        var last: Operator?
        for child in children { last = child.lastCondition ?? last }
        return last
    }
}
