// Expressions and SELECTs as text, in the normal form that InfluxDB stores continuous queries in and writes to its log.

/// Writes trees so that parsing what was written gives the same tree.
///
/// That is InfluxDB's text [1.6.7], except where InfluxDB's own would be read as something else:
/// - a number that three decimals do not hold gets as many as it needs;
/// - function names and names behind DISTINCT are quoted where they must be;
/// - a sign behind `*`, `/`, `%` or `&` stays a sign: `a / -b` is not the same as InfluxDB's `a / -1 * b`;
/// - `fill(1.0)` keeps its point, and no fill value has an exponent;
/// - the database in SHOW MEASUREMENTS ON is quoted where it must be;
/// - durations of CREATE DATABASE that are not whole seconds are written as elsewhere.
///
/// What only the value of a bound parameter can bring has no spelling: a regex outside the places where one can be
/// written, a negative duration of a retention policy, a carriage return in a text.
struct Printer {
    var text = ""
    var showsPasswords = false

    // MARK: Expressions

    /// What recurses here is kept apart from what does not, for the sake of small stacks, as in the parser.
    mutating func write(_ expression: Expression) {
        switch expression {
        case .call(let call): write(call)
        case .parenthesized(let inner):
            text += "("
            write(inner)
            text += ")"
        case .chain(let chain): write(chain)
        default: writeLeaf(expression)
        }
    }

    @inline(never)
    private mutating func writeLeaf(_ expression: Expression) {
        switch expression {
        case .reference(let reference): write(reference)
        case .string(let value): text += Quoting.string(value)
        case .integer(let value): text += String(value)
        case .unsigned(let value): text += String(value)
        case .number(let value): text += Literals.number(value)
        case .boolean(let value): text += value ? "true" : "false"
        case .duration(let value): text += Literals.duration(value)
        case .regex(let pattern): writeRegex(pattern)
        case .wildcard(.all): text += "*"
        case .wildcard(.fields): text += "*::field"
        case .wildcard(.tags): text += "*::tag"
        case .distinct(let name): write("DISTINCT ", name)
        case .parameter(let name): writeParameter(name)
        case .unboundReference(let segments, let type): writeUnboundReference(segments, type)
        case .call, .parenthesized, .chain: break
        }
    }

    private mutating func writeUnboundReference(_ segments: [Name], _ type: DataType?) {
        writeList(segments, separator: ".") { $0.write($1) }
        if let type { text += "::" + type.rawValue }
    }

    private mutating func write(_ reference: Reference) {
        text += Quoting.identifierIfNeeded(reference.name)
        if let type = reference.type { text += "::" + type.rawValue }
    }

    mutating func write(_ call: Call) {
        writeFunction(call.name)
        var isFirst = true
        for argument in call.arguments {
            text += isFirst ? "(" : ", "
            isFirst = false
            write(argument)
        }
        text += isFirst ? "()" : ")"
    }

    @inline(never)
    private mutating func writeFunction(_ name: Name) {
        if name == .literal("distinct") { text += "distinct" } else { write(name) }
    }

    private mutating func write(_ chain: Chain) {
        for index in chain.operands.indices {
            if index > 0 { writeOperator(chain.operators[index - 1]) }
            if index > 0, case .chain(let product) = chain.operands[index], product.precedence == chain.precedence {
                // The parser makes this of a sign only.
                text += product.operands[0] == .integer(1) ? "+" : "-"
                write(product.operands[1])
            } else {
                write(chain.operands[index])
            }
        }
    }

    @inline(never)
    private mutating func writeOperator(_ operation: Operator) {
        text += " "
        text += operation.rawValue
        text += " "
    }

    mutating func writeRegex(_ pattern: String) {
        text += "/"
        for scalar in pattern.unicodeScalars {
            switch scalar {
            case "/": text += "\\/"
            case "\n": text += "\\n"
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "/"
    }

    // MARK: Names, numbers, lists

    mutating func write(_ name: Name) {
        switch name {
        case .literal(let name): text += Quoting.identifierIfNeeded(name)
        case .parameter(let name): writeParameter(name)
        }
    }

    mutating func writeString(_ string: Name) {
        switch string {
        case .literal(let value): text += Quoting.string(value)
        case .parameter(let name): writeParameter(name)
        }
    }

    mutating func writeParameter(_ name: String) { text += "$" + Quoting.identifierIfNeeded(name) }

    mutating func write<Integer: FixedWidthInteger & Sendable>(_ value: Bindable<Integer>) {
        switch value {
        case .literal(let value): text += String(value)
        case .parameter(let name): writeParameter(name)
        }
    }

    /// ` WORD number`
    mutating func write(_ word: String, _ value: Bindable<Int64>?) {
        guard let value else { return }
        text += word
        write(value)
    }

    /// ` WORD duration`
    mutating func writeDuration(
        _ word: String, _ value: Bindable<Int64>?, _ format: (Int64) -> String = Literals.duration
    ) {
        guard let value else { return }
        text += word
        switch value {
        case .literal(let value): text += format(value)
        case .parameter(let name): writeParameter(name)
        }
    }

    /// ` WORD name`
    mutating func write(_ word: String, _ name: Name?) {
        guard let name else { return }
        text += word
        write(name)
    }

    mutating func writeList<Item>(
        _ list: [Item], separator: String = ", ", _ write: (inout Printer, Item) -> Void
    ) {
        for (index, item) in list.enumerated() {
            if index > 0 { text += separator }
            write(&self, item)
        }
    }

    // MARK: SELECT

    mutating func write(_ select: SelectStatement) {
        writeHead(select)
        for index in select.sources.indices {
            if index > 0 { text += ", " }
            if case .subquery(let inner) = select.sources[index] {
                text += "("
                write(inner)
                text += ")"
            } else {
                writeMeasurement(select.sources[index])
            }
        }
        writeTail(select)
    }

    @inline(never)
    private mutating func writeHead(_ select: SelectStatement) {
        text += "SELECT "
        writeList(select.fields) { printer, field in
            printer.write(field.expression)
            printer.write(" AS ", field.alias)
        }
        if let target = select.target {
            text += " INTO "
            write(target)
        }
        text += " FROM "
    }

    @inline(never)
    private mutating func writeMeasurement(_ source: Source) {
        if case .measurement(let reference) = source { write(reference) }
    }

    @inline(never)
    private mutating func writeTail(_ select: SelectStatement) {
        writeCondition(select.condition)
        writeDimensions(select.dimensions)
        write(select.fill)
        write(select.order)
        write(select.limits)
        write(select.timeZone)
    }

    private mutating func write(_ timeZone: TimeZoneClause?) {
        switch timeZone {
        case .name(let name): text += " TZ(\(Quoting.string(name)))"
        case .parameter(let name):
            text += " TZ("
            writeParameter(name)
            text += ")"
        case .unbound(let call):
            text += " "
            write(call)
        case nil: break
        }
    }

    mutating func write(_ reference: MeasurementReference) {
        if let database = reference.database {
            write(database)
            text += "."
        }
        if let retentionPolicy = reference.retentionPolicy { write(retentionPolicy) }
        if reference.database != nil || reference.retentionPolicy != nil { text += "." }
        switch reference.measurement {
        case .name(let name): write(name)
        case .regex(let pattern): writeRegex(pattern)
        case .sameAsSource: text += ":MEASUREMENT"
        }
    }

    mutating func writeCondition(_ condition: Expression?) {
        guard let condition else { return }
        text += " WHERE "
        write(condition)
    }

    mutating func writeDimensions(_ dimensions: [Expression]) {
        guard !dimensions.isEmpty else { return }
        text += " GROUP BY "
        writeList(dimensions) { $0.write($1) }
    }

    private mutating func write(_ fill: Fill) {
        switch fill {
        case .null: break
        case .none: text += " fill(none)"
        case .previous: text += " fill(previous)"
        case .linear: text += " fill(linear)"
        case .value(.number(let value)):
            let plain = Literals.plain(value)
            text += " fill(\(plain.contains(".") ? plain : plain + ".0"))"
        case .value(let value):
            text += " fill("
            write(value)
            text += ")"
        case .parameter(let name):
            text += " fill("
            writeParameter(name)
            text += ")"
        case .unbound(let call):
            text += " "
            write(call)
        }
    }

    mutating func write(_ order: Order?) {
        guard let order else { return }
        text += " ORDER BY "
        if let name = order.name {
            write(name)
            text += " "
        }
        text += order.isAscending ? "ASC" : "DESC"
    }

    mutating func write(_ limits: RowLimits) {
        write(" LIMIT ", limits.limit)
        write(" OFFSET ", limits.offset)
        write(" SLIMIT ", limits.seriesLimit)
        write(" SOFFSET ", limits.seriesOffset)
    }
}

extension Expression: CustomStringConvertible {
    package var description: String {
        var printer = Printer()
        printer.write(self)
        return printer.text
    }
}

extension SelectStatement: CustomStringConvertible {
    package var description: String {
        var printer = Printer()
        printer.write(self)
        return printer.text
    }
}

extension MeasurementReference: CustomStringConvertible {
    package var description: String {
        var printer = Printer()
        printer.write(self)
        return printer.text
    }
}
