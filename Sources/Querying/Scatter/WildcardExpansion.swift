// A SELECT with explicit columns and types in place of wildcards, as InfluxDB itself rewrites it before it runs
// (influxql's `RewriteFields`), with what is known of all replica sets.

import InfluxQL

struct WildcardExpansion {
    /// Of everything that is read.
    let all: ColumnTypes
    /// What each regular expression for columns matches.
    let matches: [String: ColumnTypes]

    /// The patterns that stand for columns in fields or dimensions.
    static func patterns(of select: SelectStatement) -> [String] {
        var patterns: [String] = []
        func add(_ expression: Expression) {
            if case .regex(let pattern) = expression, !patterns.contains(pattern) { patterns.append(pattern) }
        }
        for field in select.fields {
            add(field.expression)
            if let argument = field.expression.innermostArgument { add(argument) }
        }
        select.dimensions.forEach(add)
        return patterns
    }

    /// Why its wildcards cannot be expanded; nil: they can.
    static func refusal(_ select: SelectStatement) -> String? {
        for field in select.fields where !field.expression.isColumnWildcard {
            let innermost = field.expression.innermostArgument
            if innermost == .wildcard(.tags) || innermost?.isColumnWildcard != true, field.expression.containsWildcard {
                return "a wildcard inside of an expression (\(field.expression)) is not supported over several replica "
                    + "sets"
            }
        }
        return nil
    }

    /// nil: it selects no column at all.
    func expanded(_ select: SelectStatement) -> SelectStatement? {
        var result = select
        let groupsByWildcard = select.dimensions.contains { $0.isColumnWildcard }
        let columns = self.columns(of: select, withTags: !groupsByWildcard)
        result.fields = select.fields.flatMap { expanded($0, columns) }
        result.dimensions = select.dimensions.flatMap { expanded($0) }
        result.condition = select.condition.map { typed($0) }
        return result.fields.isEmpty ? nil : result
    }

    private struct Column {
        let name: String
        let type: DataType
    }

    /// By name; of one name the field first.
    private func columns(of select: SelectStatement, withTags: Bool) -> [Column] {
        guard !all.fields.isEmpty else { return [] }
        var names = all.fields.map { ($0.key, $0.value) }
        if withTags {
            let grouped = Set(
                select.dimensions.compactMap { dimension in
                    if case .reference(let reference) = dimension { Array(reference.name.utf8) } else { nil }
                })
            names += all.tags.subtracting(grouped).map { ($0, .tag) }
        }
        names.sort { left, right in
            left.0 == right.0 ? right.1 == .tag && left.1 != .tag : left.0.lexicographicallyPrecedes(right.0)
        }
        return names.map { Column(name: String(decoding: $0.0, as: UTF8.self), type: $0.1) }
    }

    private func matched(_ columns: [Column], _ wildcard: Expression) -> [Column] {
        switch wildcard {
        case .wildcard(.all): return columns
        case .wildcard(.fields): return columns.filter { $0.type != .tag }
        case .wildcard(.tags): return columns.filter { $0.type == .tag }
        case .regex(let pattern):
            let types = matches[pattern] ?? ColumnTypes()
            return columns.filter { column in
                let name = Array(column.name.utf8)
                return types.fields[name] != nil || types.tags.contains(name)
            }
        default: return []
        }
    }

    private func expanded(_ field: Field, _ columns: [Column]) -> [Field] {
        if field.expression.isColumnWildcard {
            return matched(columns, field.expression).map { Field(.reference(Reference($0.name, $0.type))) }
        }
        guard case .call(let call) = field.expression, let innermost = field.expression.innermostArgument,
            innermost.isColumnWildcard
        else {
            return [Field(typed(field.expression), alias: field.alias)]
        }
        let name = field.alias?.literal ?? call.name.literal ?? ""
        let types = field.expression.innermostCall.map { Self.types($0) } ?? []
        return matched(columns, innermost).filter { types.contains($0.type) }
            .map { column in
                let reference = Expression.reference(Reference(column.name, column.type))
                return Field(
                    typed(field.expression.replacingInnermostArgument(reference)),
                    alias: .literal("\(name)_\(column.name)"))
            }
    }

    /// Which fields a function takes from a wildcard.
    private static func types(_ function: String) -> Set<DataType> {
        switch function {
        case "count", "first", "last", "distinct", "elapsed", "mode", "sample":
            [.float, .integer, .unsigned, .string, .boolean]
        case "min", "max": [.float, .integer, .unsigned, .boolean]
        case "holt_winters", "holt_winters_with_fit": [.float, .integer]
        default: [.float, .integer, .unsigned]
        }
    }

    private func expanded(_ dimension: Expression) -> [Expression] {
        let tags: Set<[UInt8]>
        switch dimension {
        case .wildcard: tags = all.tags
        case .regex(let pattern): tags = matches[pattern]?.tags ?? []
        default: return [dimension]
        }
        return tags.sorted { $0.lexicographicallyPrecedes($1) }
            .map { .reference(Reference(String(decoding: $0, as: UTF8.self))) }
    }

    // MARK: Types

    /// Each name with the type that it has over all sources.
    private func typed(_ expression: Expression) -> Expression {
        switch expression {
        case .reference(let reference): return .reference(typed(reference))
        case .distinct(.literal(let name)):
            return .call(Call(.literal("distinct"), [.reference(typed(Reference(name)))]))
        case .call(let call): return .call(Call(call.name, call.arguments.map { typed($0) }))
        case .parenthesized(let inner): return .parenthesized(typed(inner))
        case .chain(let chain): return .chain(Chain(chain.operands.map { typed($0) }, chain.operators))
        default: return expression
        }
    }

    private func typed(_ reference: Reference) -> Reference {
        guard reference.type == nil || reference.type == .field, !reference.isTime else { return reference }
        let type = all.type(of: reference.name)
        if reference.type == .field, type == .tag { return reference }
        return Reference(reference.name, type)
    }
}

extension Expression {
    /// It stands for columns.
    fileprivate var isColumnWildcard: Bool {
        switch self {
        case .wildcard, .regex: true
        default: false
        }
    }

    fileprivate var containsWildcard: Bool { contains(where: \.isColumnWildcard) }

    /// `v` of `derivative(mean(v), 1s)`; nil for what is no call with arguments.
    fileprivate var innermostArgument: Expression? {
        guard case .call(let call) = self, let first = call.arguments.first else { return nil }
        if case .call = first { return first.innermostArgument }
        return first
    }

    /// `mean` of `derivative(mean(v), 1s)`.
    fileprivate var innermostCall: String? {
        guard case .call(let call) = self else { return nil }
        if let first = call.arguments.first, case .call = first { return first.innermostCall }
        return call.name.literal
    }

    fileprivate func replacingInnermostArgument(_ argument: Expression) -> Expression {
        guard case .call(var call) = self, let first = call.arguments.first else { return self }
        if case .call = first {
            call.arguments[0] = first.replacingInnermostArgument(argument)
        } else {
            call.arguments[0] = argument
        }
        return .call(call)
    }
}
