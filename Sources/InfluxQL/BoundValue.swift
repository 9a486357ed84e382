// Values of bound parameters, put in place of `$name` as InfluxDB does it: token by token, before the grammar looks.

/// The value of a bound parameter.
///
/// A JSON string, number or boolean is a `string`, `number`, `integer` or `boolean`; the other kinds come from objects
/// such as `{"identifier": "cpu"}`. Since a value stands for one token of its kind, a plain string is no name of a
/// measurement or database, and no value can bring in an operator or a keyword.
package enum BoundValue: Hashable, Sendable {
    case string(String)
    /// JSON with a point in it, `{"float": ...}` or `{"number": ...}`.
    case number(Double)
    case integer(Int64)
    case boolean(Bool)
    /// As InfluxQL writes it, perhaps with a minus sign: `90m`, `-5s`.
    case duration(String)
    case regex(String)
    case identifier(String)
    /// A value that InfluxDB cannot bind, and what it says of it; an error only where the parameter is used.
    case invalid(String)

    var kind: Token.Kind {
        switch self {
        case .string: .string
        case .number: .number
        case .integer: .integer
        case .boolean(let value): .keyword(value ? .true : .false)
        case .duration: .durationValue
        case .regex: .regex
        case .identifier: .identifier
        case .invalid: .unboundParameter
        }
    }

    /// What the token says.
    var text: String {
        switch self {
        case .string(let text), .duration(let text), .regex(let text), .identifier(let text), .invalid(let text): text
        case .number(let value): Literals.plain(value)
        case .integer(let value): String(value)
        case .boolean: ""
        }
    }
}

extension Parsed {
    /// Parses a text with the values of its parameters in their places: the trees have no parameters left. Errors are
    /// InfluxDB's, such as `found cpu, expected identifier` for a string where a name must stand.
    package init(_ text: some StringProtocol, parameters: [String: BoundValue]) {
        self.init(utf8: Array(text.utf8), parameters: parameters)
    }

    package init(utf8 bytes: [UInt8], parameters: [String: BoundValue]) {
        self.init(Lexer(bytes, parameters: parameters), hasParameters: false)
    }
}
