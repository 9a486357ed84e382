// What an expression that `time` is compared with means: now(), literals, and sums of them.

/// InfluxDB's constant folding (`Reduce`), as far as it bears on times.
struct TimeArithmetic {
    /// In nanoseconds since the epoch.
    let now: Int64
    /// Whether texts without an offset are in UTC.
    let isUTC: Bool

    /// The furthest that clocks of time zones are ahead of UTC and behind it, in nanoseconds.
    private static let mostAhead: Int128 = 14 * 3_600_000_000_000
    private static let mostBehind: Int128 = 12 * 3_600_000_000_000

    /// A moment, or two ends of what it can be.
    struct Moment: Equatable {
        var earliest: Int128
        var latest: Int128
    }

    private enum Value {
        case time(Moment)
        case duration(Int64)
        case integer(Int64)
        case unsigned(UInt64)
        case number(Double)
        case string(String)
        /// Not a constant, or none that has to do with times; under the name that InfluxDB's errors give it.
        case other(String)
        /// A bound parameter.
        case unknown
    }

    /// The moment that `time` is compared with; nil if it is not known.
    func moment(_ expression: Expression) throws(ConditionFailure) -> Moment? {
        var result = value(expression)
        // A text alone is a time; one that is the result of a sum is not.
        if case .string(let text) = expression, TimeLiteral.looksLikeTime(text) {
            guard let time = time(text) else { throw ConditionFailure(reason: "invalid timestamp string") }
            result = .time(time)
        }
        switch result {
        case .time(let time):
            guard time.latest <= Int128(Int64.max - 1) else { throw limit(time, "overflows") }
            guard time.earliest >= Int128(Int64.min + 3) else { throw limit(time, "underflows") }
            return time
        case .duration(let value), .integer(let value): return at(Int128(value))
        case .number(let value): return at(Int128(Self.truncated(value)))
        case .unsigned: throw incompatible("UnsignedLiteral")
        case .string: throw incompatible("StringLiteral")
        case .other(let name): throw incompatible(name)
        case .unknown: return nil
        }
    }

    private func limit(_ time: Moment, _ word: String) -> ConditionFailure {
        ConditionFailure(reason: "time \(TimeLiteral.text(ofSecond: time.earliest)) \(word) time literal")
    }

    private func incompatible(_ name: String) -> ConditionFailure {
        ConditionFailure(reason: "invalid operation: time and *influxql.\(name) are not compatible")
    }

    private func at(_ time: Int128) -> Moment { Moment(earliest: time, latest: time) }

    private func time(_ text: String) -> Moment? {
        guard let (nanoseconds, hasOffset) = TimeLiteral.parse(text) else { return nil }
        guard !isUTC, !hasOffset else { return at(nanoseconds) }
        return Moment(earliest: nanoseconds - Self.mostAhead, latest: nanoseconds + Self.mostBehind)
    }

    /// As Go converts on the processors that InfluxDB runs on.
    private static func truncated(_ value: Double) -> Int64 { Int64(exactly: value.rounded(.towardZero)) ?? .min }

    private func value(_ expression: Expression) -> Value {
        switch expression {
        case .integer(let value): return .integer(value)
        case .unsigned(let value): return .unsigned(value)
        case .number(let value): return .number(value)
        case .duration(let value): return .duration(value)
        case .string(let value): return .string(value)
        case .parenthesized(let inner): return value(inner)
        case .call(let call):
            if case .parameter = call.name { return .unknown }
            return call.isNamed("now") && call.arguments.isEmpty ? .time(at(Int128(now))) : .other("Call")
        case .chain(let chain):
            var result = value(chain.operands[0])
            for (operation, operand) in zip(chain.operators, chain.operands.dropFirst()) {
                result = apply(operation, result, value(operand))
            }
            return result
        case .parameter, .unboundReference: return .unknown
        case .reference: return .other("VarRef")
        case .boolean: return .other("BooleanLiteral")
        case .regex: return .other("RegexLiteral")
        case .wildcard: return .other("Wildcard")
        case .distinct: return .other("Distinct")
        }
    }

    private func apply(_ operation: Operator, _ left: Value, _ right: Value) -> Value {
        if case .unknown = left { return .unknown }
        if case .unknown = right { return .unknown }
        return (operation.precedence >= 4 ? sum(operation, left, right) : nil) ?? .other("BinaryExpr")
    }

    /// nil if InfluxDB leaves the two as they are.
    private func sum(_ operation: Operator, _ left: Value, _ right: Value) -> Value? {
        switch (left, right) {
        case (.duration(let left), .duration(let right)):
            switch operation {
            case .plus: return .duration(left &+ right)
            case .minus: return .duration(left &- right)
            default: return nil
            }
        case (.duration(let left), .integer(let right)): return scaled(operation, left, right)
        case (.duration(let left), .number(let right)):
            return right == 0 && operation == .dividedBy ? .duration(0) : scaled(operation, left, Self.truncated(right))
        case (.integer(let left), .duration(let right)):
            switch operation {
            case .plus: return .time(at(Int128(left) + Int128(right)))
            case .minus: return .time(at(Int128(left) - Int128(right)))
            default: return nil
            }
        case (.integer(let left), .integer(let right)): return integers(operation, left, right)
        case (.time(let left), .time(let right)):
            guard operation == .minus else { return nil }
            // A difference of two uncertain times is too rare to be kept as two ends.
            guard left.earliest == left.latest, right.earliest == right.latest else { return .unknown }
            return .duration(Int64(clamping: left.earliest - right.earliest))
        case (.time(let left), .duration(let right)), (.time(let left), .integer(let right)):
            return shifted(operation, left, right)
        case (.duration(let left), .time(let right)), (.integer(let left), .time(let right)):
            return operation == .plus ? shifted(.plus, right, left) : nil
        case (.string(let left), .string(let right)) where operation == .plus: return .string(left + right)
        case (.string(let left), .duration), (.string(let left), .integer), (.string(let left), .time),
            (.string(let left), .string):
            return time(left).flatMap { sum(operation, .time($0), right) }
        case (.time, .string(let right)), (.duration, .string(let right)), (.integer, .string(let right)):
            return time(right).flatMap { sum(operation, left, .time($0)) }
        default:
            guard let left = number(left), let right = number(right) else { return nil }
            return numbers(operation, left, right)
        }
    }

    private func shifted(_ operation: Operator, _ time: Moment, _ length: Int64) -> Value? {
        guard operation == .plus || operation == .minus else { return nil }
        let length = operation == .plus ? Int128(length) : -Int128(length)
        return .time(Moment(earliest: time.earliest + length, latest: time.latest + length))
    }

    private func scaled(_ operation: Operator, _ length: Int64, _ factor: Int64) -> Value? {
        switch operation {
        case .times: .duration(length &* factor)
        case .dividedBy: .duration(factor == 0 ? 0 : length.dividedReportingOverflow(by: factor).partialValue)
        default: nil
        }
    }

    private func integers(_ operation: Operator, _ left: Int64, _ right: Int64) -> Value? {
        switch operation {
        case .plus: .integer(left &+ right)
        case .minus: .integer(left &- right)
        case .times: .integer(left &* right)
        case .dividedBy: .number(right == 0 ? 0 : Double(left) / Double(right))
        case .modulo: .integer(right == 0 ? 0 : left.remainderReportingOverflow(dividingBy: right).partialValue)
        case .bitAnd: .integer(left & right)
        case .bitOr: .integer(left | right)
        case .bitXor: .integer(left ^ right)
        default: nil
        }
    }

    private func number(_ value: Value) -> Double? {
        switch value {
        case .number(let value): value
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        default: nil
        }
    }

    private func numbers(_ operation: Operator, _ left: Double, _ right: Double) -> Value? {
        switch operation {
        case .plus: .number(left + right)
        case .minus: .number(left - right)
        case .times: .number(left * right)
        case .dividedBy: .number(right == 0 ? 0 : left / right)
        case .modulo: .number(left.truncatingRemainder(dividingBy: right))
        default: nil
        }
    }
}
