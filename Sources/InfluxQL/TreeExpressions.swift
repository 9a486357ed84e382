// Expressions as values: what a WHERE clause, a field or a dimension says, without its spelling.

/// An expression of InfluxQL.
///
/// The tree is the one that InfluxDB's parser builds, with one difference in shape: a run of operators of equal
/// precedence (`a AND b AND c`, `v - w + 1`) is one `Chain` and not a left-deep ladder of pairs. So the depth of a tree
/// is bounded by the nesting of parentheses, calls and subqueries, which the parser limits: a condition of 10,000 terms
/// is walked and freed on any stack.
package enum Expression: Hashable, Sendable {
    /// A field, a tag, `time`: a name with dots joined (`a.b` and `"a.b"` are the same to InfluxDB).
    case reference(Reference)
    case string(String)
    case integer(Int64)
    /// An integer above the range of Int64.
    case unsigned(UInt64)
    /// A number with a point in it.
    case number(Double)
    case boolean(Bool)
    /// In nanoseconds.
    case duration(Int64)
    /// The pattern, without the backslashes that InfluxQL wants before slashes.
    case regex(String)
    case wildcard(Wildcard)
    /// `DISTINCT name`; `distinct(name)` is a call.
    case distinct(Name)
    case call(Call)
    indirect case parenthesized(Expression)
    case chain(Chain)
    /// A bound parameter whose value is not known.
    case parameter(String)
    /// A reference in which a bound parameter is one of several parts (`$a.b`, `$a::tag`).
    case unboundReference([Name], DataType?)
}

/// `name` or `name::type`.
package struct Reference: Hashable, Sendable {
    package var name: String
    package var type: DataType?

    package init(_ name: String, _ type: DataType? = nil) {
        self.name = name
        self.type = type
    }

    /// InfluxDB compares the word without regard to case in conditions.
    package var isTime: Bool { Expression.isTime(name) }
}

/// What stands behind `::`. The raw value is how it is written.
package enum DataType: String, Hashable, Sendable {
    case float, integer, unsigned, string, boolean, field, tag
}

package enum Wildcard: Hashable, Sendable {
    case all, fields, tags
}

/// A call of a function. InfluxDB knows functions in lower case only and folds what it reads.
package struct Call: Hashable, Sendable {
    package var name: Name
    package var arguments: [Expression]

    package init(_ name: Name, _ arguments: [Expression] = []) {
        self.name = name
        self.arguments = arguments
    }

    package func isNamed(_ text: String) -> Bool { name == .literal(text) }
}

/// Operands joined by binary operators of one precedence, evaluated from the left: `((a + b) - c) + d`.
package struct Chain: Hashable, Sendable {
    /// At least two.
    package var operands: [Expression]
    /// One less than operands; all of one precedence.
    package var operators: [Operator]

    package init(_ operands: [Expression], _ operators: [Operator]) {
        self.operands = operands
        self.operators = operators
    }

    package var precedence: Int { operators[0].precedence }
    /// The operator that is applied last.
    package var outermost: Operator { operators[operators.count - 1] }

    /// The operands if the chain is a single pair.
    package var pair: (left: Expression, operator: Operator, right: Expression)? {
        operators.count == 1 ? (operands[0], operators[0], operands[1]) : nil
    }

    /// The pair that is applied last; what stands left of its operator is a chain again if there are more than two
    /// operands.
    package var lastPair: (left: Expression, operator: Operator, right: Expression) {
        let last = operands.count - 1
        if last == 1 { return (operands[0], operators[0], operands[1]) }
        let left = Chain(Array(operands[..<last]), Array(operators[..<(last - 1)]))
        return (.chain(left), operators[last - 1], operands[last])
    }
}

/// A binary operator. The raw value is how InfluxDB prints it.
package enum Operator: String, Hashable, Sendable, CaseIterable {
    case and = "AND"
    case or = "OR"
    /// Later versions parse it as an operator; nothing evaluates it.
    case `in` = "IN"
    case equal = "="
    case notEqual = "!="
    case matches = "=~"
    case matchesNot = "!~"
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case plus = "+"
    case minus = "-"
    case times = "*"
    case dividedBy = "/"
    case modulo = "%"
    case bitAnd = "&"
    case bitOr = "|"
    case bitXor = "^"

    /// Higher binds tighter.
    package var precedence: Int {
        switch self {
        case .in: 0
        case .or: 1
        case .and: 2
        case .equal, .notEqual, .matches, .matchesNot, .less, .lessOrEqual, .greater, .greaterOrEqual: 3
        case .plus, .minus, .bitOr, .bitXor: 4
        case .times, .dividedBy, .modulo, .bitAnd: 5
        }
    }

    package var isComparison: Bool { precedence == 3 }
    package var isLogical: Bool { self == .and || self == .or }

    init?(_ kind: Token.Kind) {
        switch kind {
        case .plus: self = .plus
        case .minus: self = .minus
        case .star: self = .times
        case .slash: self = .dividedBy
        case .percent: self = .modulo
        case .ampersand: self = .bitAnd
        case .pipe: self = .bitOr
        case .caret: self = .bitXor
        case .equal: self = .equal
        case .notEqual: self = .notEqual
        case .matches: self = .matches
        case .matchesNot: self = .matchesNot
        case .less: self = .less
        case .lessOrEqual: self = .lessOrEqual
        case .greater: self = .greater
        case .greaterOrEqual: self = .greaterOrEqual
        case .keyword(.and): self = .and
        case .keyword(.or): self = .or
        case .keyword(.in): self = .in
        default: return nil
        }
    }
}

extension Expression {
    static func isTime(_ name: String) -> Bool {
        name.utf8.count == 4 && zip(name.utf8, "time".utf8).allSatisfy { $0 | 0x20 == $1 }
    }

    /// Without the parentheses around it.
    package var unwrapped: Expression {
        var inner = self
        while case .parenthesized(let next) = inner { inner = next }
        return inner
    }

    /// The expressions directly below this one, from the left.
    package var children: [Expression] {
        switch self {
        case .parenthesized(let inner): [inner]
        case .chain(let chain): chain.operands
        case .call(let call): call.arguments
        default: []
        }
    }

    /// Whether `matches` is true of this expression or one below it.
    package func contains(where matches: (Expression) -> Bool) -> Bool {
        if matches(self) { return true }
        switch self {
        case .parenthesized(let inner): return inner.contains(where: matches)
        case .chain(let chain): return chain.operands.contains { $0.contains(where: matches) }
        case .call(let call): return call.arguments.contains { $0.contains(where: matches) }
        default: return false
        }
    }
}

/// Sorts operands and operators into chains as they come, by precedence: at any time there is one open chain per
/// precedence that waits for its next operand, weaker ones below stronger ones.
struct OpenChains {
    private var open: [Chain] = []

    /// An operand and the operator behind it.
    mutating func append(_ operand: Expression, _ operation: Operator) {
        var operand = operand
        while let top = open.last, top.precedence > operation.precedence { operand = close(with: operand) }
        let last = open.count - 1
        if last >= 0, open[last].precedence == operation.precedence {
            open[last].operands.append(operand)
            open[last].operators.append(operation)
        } else if case .chain(var chain) = operand, chain.precedence == operation.precedence {
            // `-a * b` is ((-1 * a) * b).
            chain.operators.append(operation)
            open.append(chain)
        } else {
            open.append(Chain([operand], [operation]))
        }
    }

    /// The whole expression, of which `operand` is the last.
    mutating func finish(with operand: Expression) -> Expression {
        var operand = operand
        while !open.isEmpty { operand = close(with: operand) }
        return operand
    }

    private mutating func close(with operand: Expression) -> Expression {
        var chain = open.removeLast()
        chain.operands.append(operand)
        return .chain(chain)
    }
}
