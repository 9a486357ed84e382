// A SELECT as a value, with all its clauses.

/// `SELECT fields [INTO target] FROM sources [WHERE ...] [GROUP BY ...] [fill(...)] [ORDER BY ...] [LIMIT ...]
/// [tz(...)]`
package struct SelectStatement: Hashable, Sendable {
    package var fields: [Field] = []
    /// InfluxDB takes an INTO in a subquery too, and ignores it [1.6.7].
    package var target: MeasurementReference?
    package var sources: [Source] = []
    package var condition: Expression?
    package var dimensions: [Expression] = []
    package var fill: Fill = .null
    package var order: Order?
    package var limits = RowLimits()
    package var timeZone: TimeZoneClause?

    package init() {}
}

/// A column of a SELECT.
package struct Field: Hashable, Sendable {
    package var expression: Expression
    package var alias: Name?

    package init(_ expression: Expression, alias: Name? = nil) {
        self.expression = expression
        self.alias = alias
    }
}

/// What a SELECT reads.
package enum Source: Hashable, Sendable {
    case measurement(MeasurementReference)
    indirect case subquery(SelectStatement)
}

/// What stands in empty windows of `GROUP BY time(...)`.
package enum Fill: Hashable, Sendable {
    case null, none, previous, linear
    /// An `integer` or a `number`.
    case value(Expression)
    /// The argument is a bound parameter.
    case parameter(String)
    /// A call by a bound parameter in the place of `fill(...)`, perhaps another clause.
    case unbound(Call)
}

/// `ORDER BY [time] ASC | DESC`
package struct Order: Hashable, Sendable {
    /// `time` or a bound parameter; nil for `ORDER BY DESC`.
    package var name: Name?
    package var isAscending: Bool
}

/// LIMIT and OFFSET of rows and of series; nil where not given or 0, which InfluxDB takes for the same.
package struct RowLimits: Hashable, Sendable {
    package var limit: Bindable<Int64>?
    package var offset: Bindable<Int64>?
    package var seriesLimit: Bindable<Int64>?
    package var seriesOffset: Bindable<Int64>?

    package init() {}
}

/// `tz('...')`
package enum TimeZoneClause: Hashable, Sendable {
    /// A name of the time zone database; `UTC` for the empty one.
    case name(String)
    case parameter(String)
    /// A call by a bound parameter in the place of `tz(...)`.
    case unbound(Call)
}

/// A literal, or a bound parameter in its place.
package enum Bindable<Literal: Hashable & Sendable>: Hashable, Sendable {
    case literal(Literal)
    case parameter(String)

    package var literal: Literal? {
        if case .literal(let value) = self { value } else { nil }
    }
}

/// What `GROUP BY time(...)` of a SELECT says.
package enum TimeGrouping: Hashable, Sendable {
    /// There is none.
    case none
    /// In nanoseconds.
    case interval(Int64)
    /// A bound parameter may stand for it.
    case unknown
    /// In InfluxDB's words.
    case invalid(String)
}

extension SelectStatement {
    /// The first `time(...)` among the dimensions.
    package var timeGrouping: TimeGrouping {
        for dimension in dimensions {
            switch dimension {
            case .parameter: return .unknown
            case .call(let call):
                guard call.name.literal != nil else { return .unknown }
                guard call.isNamed("time") else { continue }
                guard (1...2).contains(call.arguments.count) else {
                    return .invalid("time dimension expected 1 or 2 arguments")
                }
                switch call.arguments[0] {
                case .duration(let interval): return .interval(interval)
                case .parameter: return .unknown
                default: return .invalid("time dimension must have duration argument")
                }
            default: continue
            }
        }
        return .none
    }

    /// Whether a function is called in the fields.
    package var callsFunctions: Bool {
        fields.contains { field in
            field.expression.contains { if case .call = $0 { true } else { false } }
        }
    }

    /// This SELECT and those in its sources, outer ones first, with how many SELECTs each stands in.
    package var nested: [(select: SelectStatement, depth: Int)] {
        var found: [(SelectStatement, Int)] = []
        collect(&found, 0)
        return found
    }

    private func collect(_ found: inout [(SelectStatement, Int)], _ depth: Int) {
        found.append((self, depth))
        for case .subquery(let inner) in sources { inner.collect(&found, depth + 1) }
    }

    /// The measurements that it and its subqueries read, in the order of the text.
    package func appendMeasurements(to list: inout [MeasurementReference]) {
        for source in sources {
            switch source {
            case .measurement(let reference): list.append(reference)
            case .subquery(let inner): inner.appendMeasurements(to: &list)
            }
        }
    }
}
