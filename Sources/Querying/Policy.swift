// What clients may send, whatever their credentials allow them: rules on parsed statements, decided before anything of
// a request runs. A plain value: one for each listener.

import InfluxQL

/// Rules for the requests of one listener. A statement must pass the rules of every database that it touches; those of
/// a database stand in the place of the general ones. One statement that does not pass refuses the whole request.
package struct Policy: Equatable, Sendable {
    /// For one database, or for all that have none of their own. `deny` beats `allow`, and `allow` beats the preset.
    package struct Rules: Equatable, Sendable {
        package var preset: Preset
        package var deny: PolicyKinds
        /// Allowed in any shape, also where the preset asks for one measurement.
        package var allow: PolicyKinds
        /// What reads points must say from which time on.
        package var requiresTimeBound: Bool

        package init(
            preset: Preset = .open, deny: PolicyKinds = PolicyKinds(), allow: PolicyKinds = PolicyKinds(),
            requiresTimeBound: Bool = false
        ) {
            self.preset = preset
            self.deny = deny
            self.allow = allow
            self.requiresTimeBound = requiresTimeBound
        }
    }

    /// Which rule refuses. The raw value is its name in error texts and metrics.
    package enum Rule: String, CaseIterable, Sendable {
        case readOnly = "read-only"
        case dashboards
        case strict
        case deny
        case timeBound = "require_time_bound"
        case statements = "max_statements"
        case rows = "max_rows"
    }

    package struct Refusal: Error, Equatable, Sendable {
        package let rule: Rule
        /// For the client: without any of its own text.
        package let message: String
    }

    package var rules: Rules
    /// By name. What is in the place of `rules` for statements and writes that touch that database.
    package var databases: [String: Rules]
    /// In one request; nil: any number, but one where the preset is `strict`.
    package var maximumStatements: Int?
    /// In the answer to one request; nil: any number.
    package var maximumRows: Int?

    package init(_ rules: Rules = Rules(), databases: [String: Rules] = [:]) {
        self.rules = rules
        self.databases = databases
    }

    package init(preset: Preset) { self.init(Rules(preset: preset)) }

    // MARK: Decisions

    /// - Throws: why nothing of the request may run.
    package func check(_ statements: [Statement], _ request: StatementContext) throws(Refusal) {
        if let maximumStatements, statements.count > maximumStatements {
            let words =
                "\(statements.count) statements in one request are more than the \(maximumStatements) allowed here"
            throw refusal(.statements, nil, words)
        }
        guard rules != Rules() || !databases.isEmpty else { return }
        for statement in statements {
            for (database, rules) in applicable(to: statement, request) {
                if let objection = rules.objection(to: statement) {
                    throw refusal(objection.rule, database, objection.words)
                }
                if rules.preset == .strict, maximumStatements == nil, statements.count > 1 {
                    throw refusal(.strict, database, "several statements in one request are not allowed here")
                }
            }
        }
    }

    /// - Throws: why points may not be written to the database.
    package func checkWrite(to database: String) throws(Refusal) {
        let own = databases[database]
        guard let rule = (own ?? rules).objectionToWrites else { return }
        throw Refusal(
            rule: rule, message: Self.text(rule, own == nil ? nil : database, "writing points is not allowed here"))
    }

    /// Of an answer with more rows than it may have.
    package var tooManyRows: Refusal {
        let words =
            "the answer has more than \(maximumRows ?? 0) rows: ask for a shorter time or fewer series, or group them"
        return refusal(.rows, nil, words)
    }

    /// Of an answer whose rows cannot be counted, because too much of it would have to be held back.
    package var tooManyBytes: Refusal {
        let words = "the answer is too large to count its rows before it is passed on: ask with chunked=true"
        return refusal(.rows, nil, words)
    }

    /// With the database whose rules they are; nil: the general ones.
    private func applicable(to statement: Statement, _ request: StatementContext) -> [(String?, Rules)] {
        guard !databases.isEmpty else { return [(nil, rules)] }
        let touched = Set(statement.databases(request))
        let own = touched.sorted().compactMap { name in databases[name].map { (Optional(name), $0) } }
        return own.isEmpty || own.count < touched.count ? [(nil, rules)] + own : own
    }

    private func refusal(_ rule: Rule, _ database: String?, _ words: String) -> Refusal {
        Refusal(rule: rule, message: "error authorizing query: " + Self.text(rule, database, words))
    }

    private static func text(_ rule: Rule, _ database: String?, _ words: String) -> String {
        "policy \(rule.rawValue)\(database.map { " of database \($0)" } ?? ""): \(words)"
    }
}

extension Policy.Rules {
    typealias Objection = (rule: Policy.Rule, words: String)

    fileprivate func objection(to statement: Statement) -> Objection? {
        let kind = statement.kind
        let writesRows = kind != .selectInto && statement.hasTargetAnywhere
        for kind in writesRows ? [kind, .selectInto] : [kind] where deny.statements.contains(kind) {
            return (.deny, "\(kind.words) is not allowed here")
        }
        // A continuous query has an INTO by its nature; elsewhere one counts even where a node would take no notice.
        for judged in writesRows && kind != .createContinuousQuery ? [kind, .selectInto] : [kind]
        where !allow.statements.contains(judged) {
            if let words = preset.objection(to: statement, as: judged), let rule = preset.rule { return (rule, words) }
        }
        return requiresTimeBound ? statement.missingTimeBound.map { (.timeBound, $0) } : nil
    }

    fileprivate var objectionToWrites: Policy.Rule? {
        if deny.writes { return .deny }
        return allow.writes || preset.allowsWrites ? nil : preset.rule
    }
}

extension Statement {
    /// An INTO in its SELECT or in a subquery.
    fileprivate var hasTargetAnywhere: Bool {
        body.select?.nested.contains { $0.select.target != nil } ?? false
    }

    /// What is wrong with a statement that reads points from no time on. `EXPLAIN` reads none, and a continuous query
    /// reads the window of each run.
    fileprivate var missingTimeBound: String? {
        guard [.select, .selectInto, .explainAnalyze].contains(kind) else { return nil }
        do throws(ConditionFailure) {
            // Where the bound lies does not matter, so neither does now.
            if let lower = try timeBounds(now: 0)?.lower, lower > Self.earliestTime { return nil }
        } catch {
            // No node would run it. Its words would quote the condition, which is the client's text.
        }
        return "\(kind.words) must say from which time on it reads: WHERE time > ..."
    }

    /// InfluxDB's, in nanoseconds since the epoch.
    private static let earliestTime: Int64 = -9_223_372_036_854_775_806
}

extension Policy: CustomStringConvertible {
    /// The preset's name, and what is added to it.
    package var description: String {
        var parts = [rules.description]
        if let maximumStatements { parts.append("max_statements \(maximumStatements)") }
        if let maximumRows { parts.append("max_rows \(maximumRows)") }
        for (name, rules) in databases.sorted(by: { $0.key < $1.key }) { parts.append("\(name): \(rules)") }
        return parts.joined(separator: "; ")
    }
}

extension Policy.Rules: CustomStringConvertible {
    package var description: String {
        var parts = [preset.rawValue]
        if !deny.isEmpty { parts.append("deny \(deny)") }
        if !allow.isEmpty { parts.append("allow \(allow)") }
        if requiresTimeBound { parts.append("require_time_bound") }
        return parts.joined(separator: ", ")
    }
}
