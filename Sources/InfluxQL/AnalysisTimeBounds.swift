// Which times a condition lets through: what a query can read at most, known before it runs.

/// A range of times, in nanoseconds since 1970-01-01T00:00:00Z, both ends included; nil where there is no bound.
package struct TimeBounds: Hashable, Sendable {
    package var lower: Int64?
    package var upper: Int64?

    package init(lower: Int64? = nil, upper: Int64? = nil) {
        self.lower = lower
        self.upper = upper
    }

    /// All times.
    package static let all = TimeBounds()

    /// What both let through.
    package func intersection(_ other: TimeBounds) -> TimeBounds {
        TimeBounds(
            lower: [lower, other.lower].compactMap { $0 }.max(), upper: [upper, other.upper].compactMap { $0 }.min())
    }

    /// The smallest range that has all that either lets through.
    package func union(_ other: TimeBounds) -> TimeBounds {
        var result = TimeBounds()
        if let lower, let otherLower = other.lower { result.lower = min(lower, otherLower) }
        if let upper, let otherUpper = other.upper { result.upper = max(upper, otherUpper) }
        return result
    }
}

/// What a node would say of a condition when it runs the statement.
package struct ConditionFailure: Error, Hashable, Sendable {
    /// The `error` of the statement's result.
    package var reason: String

    package init(reason: String) { self.reason = reason }
}

extension Expression {
    /// The times that this expression, as a condition, lets through, from its comparisons with `time`.
    ///
    /// Follows InfluxDB's `ConditionExpr` [1.6.7], except for OR: InfluxDB cuts both sides' ranges for OR as for AND,
    /// so `time > 4 OR host = 'a'` reads nothing up to 4 there. Here an OR is bounded where both sides are, which is
    /// never less than what a node reads. An unknown value (a bound parameter) is no bound.
    /// - Parameters:
    ///   - now: what `now()` means, in nanoseconds since the epoch.
    ///   - timeZone: that of the statement. There are no zone tables here: a time without an offset counts as any time that it
    ///     can mean in a zone other than UTC.
    package func timeBounds(now: Int64, timeZone: TimeZoneClause? = nil) throws(ConditionFailure) -> TimeBounds {
        try Condition(arithmetic: TimeArithmetic(now: now, isUTC: timeZone == nil || timeZone == .name("UTC"))).bounds(
            self)
    }
}

extension SelectStatement {
    /// The times of the points that it reads from measurements: in each subquery those that its own condition and the
    /// conditions of all SELECTs around it let through, and of several sources the range that has them all.
    ///
    /// Without an upper bound, `GROUP BY time(...)` reads up to now; that is not part of the answer.
    package func timeBounds(
        now: Int64, within outer: TimeBounds = .all
    ) throws(ConditionFailure) -> TimeBounds {
        let own = try condition?.timeBounds(now: now, timeZone: timeZone) ?? .all
        let bounds = outer.intersection(own)
        var result: TimeBounds?
        for source in sources {
            var read = bounds
            if case .subquery(let inner) = source { read = try inner.timeBounds(now: now, within: bounds) }
            result = result?.union(read) ?? read
        }
        return result ?? bounds
    }
}

private struct Condition {
    let arithmetic: TimeArithmetic

    func bounds(_ expression: Expression) throws(ConditionFailure) -> TimeBounds {
        switch expression {
        case .parenthesized(let inner): return try bounds(inner)
        case .boolean, .parameter: return .all
        case .chain(let chain) where chain.outermost.isLogical:
            var result = try bounds(chain.operands[0])
            for operand in chain.operands.dropFirst() {
                let next = try bounds(operand)
                result = chain.outermost == .and ? result.intersection(next) : result.union(next)
            }
            return result
        case .chain(let chain):
            let pair = chain.lastPair
            if case .reference(let reference) = pair.left, reference.isTime {
                return try range(pair.operator, pair.right)
            }
            if case .reference(let reference) = pair.right, reference.isTime {
                return try range(pair.operator.swapped, pair.left)
            }
            return .all
        default: throw ConditionFailure(reason: "invalid condition expression: \(expression)")
        }
    }

    /// Of `time operation value`.
    private func range(_ operation: Operator, _ value: Expression) throws(ConditionFailure) -> TimeBounds {
        guard let moment = try arithmetic.moment(value) else { return .all }
        func clamped(_ time: Int128) -> Int64 { Int64(clamping: time) }
        switch operation {
        case .greater: return TimeBounds(lower: clamped(moment.earliest + 1))
        case .greaterOrEqual: return TimeBounds(lower: clamped(moment.earliest))
        case .less: return TimeBounds(upper: clamped(moment.latest - 1))
        case .lessOrEqual: return TimeBounds(upper: clamped(moment.latest))
        case .equal: return TimeBounds(lower: clamped(moment.earliest), upper: clamped(moment.latest))
        default: throw ConditionFailure(reason: "invalid time comparison operator: \(operation.rawValue)")
        }
    }
}

extension Operator {
    /// With the sides of a comparison changed over.
    fileprivate var swapped: Operator {
        switch self {
        case .less: .greater
        case .lessOrEqual: .greaterOrEqual
        case .greater: .less
        case .greaterOrEqual: .lessOrEqual
        default: self
        }
    }
}
