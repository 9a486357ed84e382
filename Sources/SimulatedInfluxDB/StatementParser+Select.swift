// SELECT, and the conditions that DELETE and DROP SERIES share with it.

extension StatementParser {
    mutating func select() throws(ParseFailure) -> Statement {
        let columns = try columns()
        try expect("FROM")
        var select = SelectStatement(columns: columns, source: try source())
        if try take("WHERE") { select.condition = try condition() }
        if try take("GROUP", "BY") { try grouping(of: &select) }
        if isNext("FILL") {
            try advance()
            try expect(symbol: "(")
            try expect("NONE")
            try expect(symbol: ")")
        } else if select.interval != nil {
            throw ParseFailure(message: "model: GROUP BY time() without fill(none)")
        }
        if try take("ORDER", "BY") {
            guard isNext("TIME") else { throw unexpected() }
            try advance()
            if try take("DESC") { select.isDescending = true } else { _ = try take("ASC") }
        }
        if try take("LIMIT") { select.limit = Int(try integer()) }
        if try take("OFFSET") {
            // Without a limit the server gives less than one expects (reference: influxql 3).
            guard select.limit != nil else { throw ParseFailure(message: "model: OFFSET without LIMIT") }
            select.offset = Int(try integer())
        }
        return .select(select)
    }

    private mutating func columns() throws(ParseFailure) -> SelectStatement.Columns {
        if try take(symbol: "*") { return .all }
        if isNext("COUNT") {
            try advance()
            try expect(symbol: "(")
            let column = try take(symbol: "*") ? nil : column()
            try expect(symbol: ")")
            return .count(column)
        }
        return .listed(try list { parser throws(ParseFailure) in try parser.column() })
    }

    private mutating func column() throws(ParseFailure) -> SelectStatement.ListedColumn {
        var column = SelectStatement.ListedColumn(name: try name())
        if try take(symbol: "::") {
            guard case .word(let word) = token else { throw unexpected() }
            switch word.lowercased() {
            case "field": column.isFieldOnly = true
            case "tag": column.isTagOnly = true
            case "float": column.type = .float
            case "integer": column.type = .integer
            case "string": column.type = .string
            case "boolean": column.type = .boolean
            default: throw unexpected()
            }
            try advance()
        }
        if try take("AS") { column.alias = try name() }
        return column
    }

    private mutating func source() throws(ParseFailure) -> Source {
        var parts = [try name()]
        while try take(symbol: ".") { parts.append(token == .symbol(".") ? "" : try name()) }
        switch parts.count {
        case 1: return Source(measurement: parts[0])
        case 2: return Source(policy: parts[0], measurement: parts[1])
        case 3: return Source(database: parts[0], policy: parts[1], measurement: parts[2])
        default: throw unexpected()
        }
    }

    private mutating func grouping(of select: inout SelectStatement) throws(ParseFailure) {
        var tags: [Text] = []
        repeat {
            if try take(symbol: "*") {
                select.grouping = .all
            } else if isNext("TIME") {
                try advance()
                try expect(symbol: "(")
                select.interval = try duration()
                try expect(symbol: ")")
            } else {
                tags.append(try name())
            }
        } while try take(symbol: ",")
        if !tags.isEmpty { select.grouping = .tags(tags) }
    }

    // MARK: Conditions

    mutating func condition() throws(ParseFailure) -> Condition {
        var condition = try conjunction()
        while try take("OR") {
            let right = try conjunction()
            if condition.hasTime || right.hasTime { throw ParseFailure(message: "model: time in an OR") }
            condition = .either(condition, right)
        }
        return condition
    }

    private mutating func conjunction() throws(ParseFailure) -> Condition {
        var condition = try comparison()
        while try take("AND") { condition = .both(condition, try comparison()) }
        return condition
    }

    private mutating func comparison() throws(ParseFailure) -> Condition {
        if try take(symbol: "(") {
            let condition = try condition()
            try expect(symbol: ")")
            return condition
        }
        let name = try name()
        guard case .symbol(let symbol) = token else { throw unexpected() }
        try advance()
        if Text(name.string.lowercased()) == "time" {
            guard let comparison = Condition.Comparison(rawValue: symbol) else { throw unexpected() }
            return .time(comparison, try instant())
        }
        guard symbol == "=" || symbol == "!=" || symbol == "<>" else { throw unexpected() }
        return .tag(name, isEqual: symbol == "=", try string())
    }

    /// A moment, and durations added to it or taken off.
    private mutating func instant() throws(ParseFailure) -> Condition.Instant {
        var instant = try moment()
        while token == .symbol("+") || token == .symbol("-") {
            let isLess = token == .symbol("-")
            try advance()
            let length = try duration()
            instant = instant.moved(by: isLess ? -length : length)
        }
        return instant
    }

    private mutating func moment() throws(ParseFailure) -> Condition.Instant {
        if isNext("NOW") {
            try advance()
            try expect(symbol: "(")
            try expect(symbol: ")")
            return .now(plus: 0)
        }
        let isNegative = try take(symbol: "-")
        switch token {
        case .integer(let value), .duration(let value):
            try advance()
            return .absolute(isNegative ? -value : value)
        case .string(let text) where !isNegative:
            guard let time = GoText.parseTime(text.string) else { throw unexpected() }
            try advance()
            return .absolute(time)
        default: throw unexpected()
        }
    }
}
