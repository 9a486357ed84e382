// `SELECT ... INTO` in two halves: a SELECT that one node answers, and a place where its rows are written as points, by
// the path that all writes take. So every node gets the same points, whatever it would have computed itself (D1, D8).

import InfluxQL

package struct SelectInto: Equatable, Sendable {
    package let statement: Statement
    /// Empty: neither the statement nor the request names one.
    package let database: String
    /// nil: that of the request, or the database's default.
    package let retentionPolicy: String?
    /// The nodes that hold what it reads; nil: all.
    package var within: ReadScope?

    /// What the nodes and the writer of the points are told.
    package struct Halves: Equatable, Sendable {
        /// The SELECT without INTO, at one moment, without parameters.
        package let text: String
        package let rules: RowLines.Rules
    }

    /// Why it cannot run.
    package struct Problem: Error, Equatable, Sendable {
        package let message: String
    }

    /// nil: the statement is another.
    package init?(_ statement: Statement, _ context: StatementContext) {
        guard statement.kind == .selectInto, let target = statement.target else { return nil }
        self.statement = statement
        database = context.name(target.database)
        retentionPolicy = target.retentionPolicy?.literal
    }

    /// - Parameters:
    ///   - now: what `now()` means, in nanoseconds since the epoch.
    ///   - parameters: of the request.
    package func halves(at now: Int64, parameters: [String: BoundValue]) throws(Problem) -> Halves {
        guard let text = statement.executable(at: now, parameters: parameters),
            case .statements(let statements) = Parsed(text, parameters: [:]), statements.count == 1,
            case .select(var select) = statements[0].body
        else {
            throw Problem(
                message: "SELECT INTO cannot take this value from a parameter: it has no spelling in InfluxQL")
        }
        var measurement: String?
        // An empty name means what no name means.
        if case .name(.literal(let name))? = select.target?.measurement, !name.isEmpty { measurement = name }
        let tagColumns = try select.takeTagColumns()
        select.target = nil
        let printed = "\(StatementBody.select(select))"
        guard case .statements(let read) = Parsed(printed, parameters: [:]), read.map(\.body) == [.select(select)]
        else {
            throw Problem(message: "SELECT INTO cannot be taken apart: write it without INTO to see what it selects")
        }
        return Halves(text: printed, rules: RowLines.Rules(measurement: measurement, tagColumns: tagColumns))
    }

    /// Whether it can be run again after a part of it was done, to the same end: it does not read what it writes, as far
    /// as that can be told.
    package var isRepeatable: Bool {
        guard case .name(.literal(let target))? = statement.target?.measurement, !target.isEmpty else { return false }
        return statement.sources.allSatisfy { source in
            if case .name(.literal(let name)) = source.measurement { name != target } else { false }
        }
    }

    /// The result that InfluxDB gives, numbered from 0.
    /// - Parameters:
    ///   - written: how many points.
    ///   - isEpoch: the request asks for times as numbers.
    ///   - warning: beside the rows.
    package static func result(written: Int, isEpoch: Bool, warning: String? = nil) -> [UInt8] {
        let time = isEpoch ? "0" : "\"1970-01-01T00:00:00Z\""
        var json = Array(
            #"{"statement_id":0,"series":[{"name":"result","columns":["time","written"],"values":[[\#(time),\#(written)]]}]"#
                .utf8)
        if let warning {
            json += Array(#","messages":[{"level":"warning","text":"#.utf8) + JSONText.quoted(warning)
            json += Array("}]".utf8)
        }
        return json + Array("}".utf8)
    }

    /// The statement as InfluxDB shows it in its warnings: every measurement with database and retention policy.
    /// - Parameter policy: the default of a database; empty if it is not known.
    package func normalized(
        _ context: StatementContext, requestPolicy: String, policy: (String) -> String
    ) -> String {
        guard case .select(let select) = statement.body else { return "\(statement.body)" }
        let qualified = select.qualified { reference in
            let database = context.name(reference.database)
            reference.database = .literal(database)
            if reference.retentionPolicy == nil {
                let name = requestPolicy.isEmpty ? policy(database) : requestPolicy
                if !name.isEmpty { reference.retentionPolicy = .literal(name) }
            }
        }
        return "\(StatementBody.select(qualified))"
    }
}

extension SelectStatement {
    fileprivate func qualified(_ qualify: (inout MeasurementReference) -> Void) -> SelectStatement {
        var select = self
        if var target = select.target {
            qualify(&target)
            select.target = target
        }
        select.sources = sources.map { source in
            switch source {
            case .measurement(var reference):
                qualify(&reference)
                return .measurement(reference)
            case .subquery(let inner): return .subquery(inner.qualified(qualify))
            }
        }
        return select
    }

    /// Finds where `top(v, host, 3)` puts its tags, and names the columns as they are named with INTO: without it, a
    /// column `host` that is asked for besides would be called `host_1`.
    fileprivate mutating func takeTagColumns() throws(SelectInto.Problem) -> RowLines.TagColumns? {
        guard let index = fields.firstIndex(where: { !$0.expression.insertedTags.isEmpty }) else { return nil }
        let tags = fields[index].expression.insertedTags
        let isKnown = fields.allSatisfy { field in
            !field.expression.contains { expression in
                switch expression {
                case .wildcard, .regex: true
                default: false
                }
            }
        }
        guard isKnown else {
            throw SelectInto.Problem(
                message: "SELECT INTO with the tags of top() or bottom() and a wildcard beside them is not supported: "
                    + "name the columns")
        }
        for other in fields.indices where other != index && fields[other].alias == nil {
            if case .reference(let reference) = fields[other].expression, tags.contains(reference.name) {
                fields[other].alias = .literal(reference.name)
            }
        }
        let before = fields[..<index].filter { !$0.expression.isTimeColumn }.count
        return RowLines.TagColumns(first: before + 2, tags: tags)
    }
}

extension Expression {
    /// The tags in `top(field, tag, ..., n)`, which InfluxDB shows as columns.
    fileprivate var insertedTags: [String] {
        guard case .call(let call) = unwrapped, call.isNamed("top") || call.isNamed("bottom"), call.arguments.count > 2
        else { return [] }
        return call.arguments[1..<call.arguments.count - 1].compactMap { argument in
            if case .reference(let reference) = argument { reference.name } else { nil }
        }
    }

    fileprivate var isTimeColumn: Bool {
        if case .reference(let reference) = unwrapped { reference.isTime } else { false }
    }
}
