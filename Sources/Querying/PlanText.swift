// A plan for people: what each statement is and touches, where it goes, and how the answer is put together.

import InfluxQL

package struct PlanText {
    private let plan: QueryPlan
    private let context: StatementContext
    private let nodes: [String]
    private let now: Int64

    /// - Parameters:
    ///   - nodes: their names, in configuration order.
    ///   - now: what `now()` means, in nanoseconds since the epoch.
    package init(_ plan: QueryPlan, context: StatementContext, nodes: [String], now: Int64) {
        self.plan = plan
        self.context = context
        self.nodes = nodes
        self.now = now
    }

    /// Lines without line ends.
    package var lines: [String] {
        var lines: [String] = []
        var number = 0
        for (position, step) in plan.steps.enumerated() {
            for _ in 0..<step.statements {
                let statement = plan.statements[number]
                number += 1
                lines.append("\(number)  \(statement.body)")
                var facts = facts(of: statement)
                facts.append(("step \(position + 1)", destination(of: step, statement)))
                lines += facts.map { "   \($0.0.padded(to: 13)) \($0.1)" }
            }
        }
        return lines + ["answer  \(combination)"]
    }

    private func facts(of statement: Statement) -> [(String, String)] {
        let analysis = statement.analysis
        var facts = [("kind", statement.kind.name)]
        let databases = statement.databases(context).map { $0.isEmpty ? "(none given)" : $0 }
        if !databases.isEmpty { facts.append(("databases", databases.uniqued.joined(separator: ", "))) }
        if !analysis.reads.isEmpty {
            facts.append(("measurements", analysis.reads.map { "\($0)" }.uniqued.joined(separator: ", ")))
        }
        if let target = analysis.target { facts.append(("target", "\(target)")) }
        if let times = times(of: statement) { facts.append(("times", times)) }
        let privileges = statement.privileges(context).map(\.words).uniqued
        facts.append(("needs", privileges.isEmpty ? "any user" : privileges.joined(separator: ", ")))
        return facts
    }

    private func times(of statement: Statement) -> String? {
        guard statement.analysis.nestingDepth > 0 || statement.kind == .delete else { return nil }
        do throws(ConditionFailure) {
            guard let bounds = try statement.timeBounds(now: now) else { return nil }
            switch (bounds.lower, bounds.upper) {
            case (nil, nil): return "all"
            case (let lower?, nil): return "from \(Timestamp.rfc3339(lower))"
            case (nil, let upper?): return "up to \(Timestamp.rfc3339(upper))"
            case (let lower?, let upper?): return "\(Timestamp.rfc3339(lower)) to \(Timestamp.rfc3339(upper))"
            }
        } catch {
            return "nodes will refuse the condition: \(error.reason)"
        }
    }

    private func destination(of step: QueryPlan.Step, _ statement: Statement) -> String {
        let all = nodes.joined(separator: ", ")
        switch step {
        case .read(_, let count, _, let within):
            let company = count > 1 ? ", in one request with the other reads of this step" : ""
            return "read: one in-sync node of \(within?.words(nodes) ?? all)\(company)"
        case .scatter(let read): return destination(of: read)
        case .mutation:
            let scope =
                switch statement.barrier(requestDatabase: context.database) {
                case .schema: "in order with databases and users"
                case .database(let name): "in order with everything in database \(name)"
                case .databaseAndSchema(let name):
                    "in order with everything in database \(name) and with databases and users"
                case .everything, nil: "in order with everything"
                }
            return "mutation: a record in the log, \(scope); each of \(all) applies it"
        case .selectInto(let into):
            let policy = into.retentionPolicy.map { "retention policy \($0)" } ?? "the default retention policy"
            return
                "read: one in-sync node of \(into.within?.words(nodes) ?? all); its rows are points for the log, in database "
                + "\(into.database.isEmpty ? "(none given)" : into.database), \(policy); each of \(all) applies them"
        case .known(let result):
            if case .error(let words) = result { return "answered by the gateway: \(words)" }
            return "answered by the gateway, no node is asked"
        }
    }

    private func destination(of read: ScatteredRead) -> String {
        let sets = read.sets.map { ReadScope($0).words(nodes) }.joined(separator: ", ")
        var read = read
        let asked: String
        switch read.start(now: now, parameters: plan.parameters) {
        case .ask(let parts), .askForRows(let parts):
            asked = parts.map { part in
                "\(part.scope.words(nodes)): \(part.text.replacing(";\n", with: "; "))"
            }.joined(separator: "\n" + String(repeating: " ", count: 17))
        case .failed(let reason): asked = "refused: \(reason)"
        case .result: asked = "nothing"
        }
        return "scattered read: one in-sync node of each of \(sets)\n   asked first   \(asked)"
    }

    private var combination: String {
        if plan.isOneRead { return "of one node, untouched" }
        if plan.steps.count > 1 {
            return "step by step, results joined into one JSON document; the first error ends the request"
        }
        switch plan.steps.first {
        case .known: return "of the gateway"
        case .scatter: return "of the replica sets, merged into the one that a node with all the data would give"
        case .selectInto: return "of the gateway: how many points were written"
        default: break
        }
        return "of the in-sync nodes, which must agree"
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}

extension [String] {
    /// In order, each once.
    fileprivate var uniqued: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
