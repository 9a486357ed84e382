// What is to be done with the statements of one request, in order: reads that follow each other go to one node in one
// request, unless what they read lies on different nodes; each mutation goes through the log, a SELECT INTO is both. Plain
// values, no I/O.

import Cluster
import InfluxQL

package struct QueryPlan: Equatable, Sendable {
    package enum Step: Equatable, Sendable {
        /// `statements` of them, as one text. In `listings`, by number: those that list databases. One node answers: of
        /// those `within`; nil: any.
        case read(
            text: [UInt8], statements: Int, listings: [Int: HiddenRows.Listing] = [:], within: ReadScope? = nil)
        /// One statement that several replica sets have parts of.
        case scatter(ScatteredRead)
        case mutation(Statement)
        /// Read from one node, written through the log.
        case selectInto(SelectInto)
        /// No node is asked.
        case known(KnownResult)

        package var statements: Int {
            switch self {
            case .read(_, let count, _, _): count
            case .scatter, .mutation, .selectInto, .known: 1
            }
        }
    }

    /// Why a request is refused as a whole; nothing of it runs.
    package struct Problem: Error, Equatable, Sendable {
        package let status: Int
        package let message: String
        /// Of the policy, if that is why.
        package let rule: Policy.Rule?

        package init(status: Int, message: String, rule: Policy.Rule? = nil) {
            self.status = status
            self.message = message
            self.rule = rule
        }
    }

    package let steps: [Step]
    /// All of them, in order, with the values of bound parameters in their places.
    package let statements: [Statement]
    /// The values of bound parameters, by name.
    package let parameters: [String: BoundValue]

    /// - Parameters:
    ///   - text: the request's `q`.
    ///   - parameters: its `params`, a JSON object; empty if it has none.
    ///   - context: what else it says.
    ///   - policy: what all of it must pass.
    ///   - placement: which nodes hold what; nil: each holds everything.
    package init(
        text: [UInt8], parameters: [UInt8] = [], context: StatementContext = StatementContext(),
        policy: Policy = Policy(), placement: Placement? = nil
    ) throws(Problem) {
        let values = try Self.values(parameters)
        self.parameters = values
        let statements: [Statement]
        switch Parsed(utf8: text, parameters: values) {
        case .unrecognised(let failure): throw Problem(status: 400, message: failure.message)
        case .statements(let parsed): statements = parsed
        }
        do throws(Policy.Refusal) {
            try policy.check(statements, context)
        } catch {
            throw Problem(status: 403, message: error.message, rule: error.rule)
        }
        var steps: [Step] = []
        self.statements = statements
        for statement in statements {
            if let known = HiddenDatabase.answer(to: statement, context) {
                steps.append(.known(known))
                continue
            }
            if !context.isForNode, var into = SelectInto(statement, context) {
                into.within = try Self.source(of: statement, context, placement)
                steps.append(.selectInto(into))
                continue
            }
            switch (statement.kind.effect, isForNode: context.isForNode) {
            case (.read, false):
                switch placement.map({ ReadRoute(statement, context, $0) }) ?? .anywhere {
                case .anywhere: Self.append(statement, within: nil, to: &steps)
                case .whole(let scope): Self.append(statement, within: scope, to: &steps)
                case .scattered(let read): steps.append(.scatter(read))
                case .refused(let reason): throw Problem(status: 400, message: reason)
                }
            case (.read, true), (.perNode, true): Self.append(statement, within: nil, to: &steps)
            case (.mutation, true):
                throw Problem(
                    status: 400,
                    message: "\(statement.kind.words) changes all nodes alike and cannot be sent to one: leave out "
                        + NamedNode.header)
            case (.mutation, false):
                steps.append(.mutation(statement))
            case (.perNode, false):
                throw Problem(
                    status: 400,
                    message: "\(statement.kind.words) speaks of one node, and this address stands for several: name it "
                        + "with the header \(NamedNode.header) or the parameter \(NamedNode.parameter)"
                )
            }
        }
        // Semicolons and comments only: a node says what that is.
        self.steps = steps.isEmpty ? [.read(text: text, statements: 0)] : steps
    }

    /// Another read in the request that goes to one node, or the first of a new one.
    private static func append(_ statement: Statement, within scope: ReadScope?, to steps: inout [Step]) {
        let listing = HiddenRows.Listing(statement.kind)
        guard case .read(var text, let count, var listings, var within) = steps.last,
            within == nil || scope == nil || within?.nodes == scope?.nodes
        else {
            return steps.append(
                .read(
                    text: Array(statement.bytes), statements: 1, listings: listing.map { [0: $0] } ?? [:],
                    within: scope))
        }
        // In place: a request may have thousands of statements.
        steps.removeLast()
        text += [UInt8(ascii: ";"), UInt8(ascii: "\n")]
        text += statement.bytes
        listings[count] = listing
        if let known = within, let scope {
            within?.measurements += scope.measurements.filter { !known.measurements.contains($0) }
        } else if within == nil {
            within = scope
        }
        steps.append(.read(text: text, statements: count + 1, listings: listings, within: within))
    }

    /// Where the rows of a SELECT INTO come from: one node streams them.
    private static func source(
        of statement: Statement, _ context: StatementContext, _ placement: Placement?
    ) throws(Problem) -> ReadScope? {
        switch placement.map({ ReadRoute(statement, context, $0) }) ?? .anywhere {
        case .anywhere: return nil
        case .whole(let scope): return scope
        case .refused(let reason): throw Problem(status: 400, message: reason)
        case .scattered:
            throw Problem(
                status: 400,
                message: "SELECT INTO reads from one replica set, and what this one reads lies in several: write one "
                    + "statement for each measurement")
        }
    }

    private static func values(_ parameters: [UInt8]) throws(Problem) -> [String: BoundValue] {
        do throws(ParametersProblem) {
            return try BoundParameters.read(parameters)
        } catch {
            throw Problem(status: 400, message: error.message)
        }
    }

    /// What its reads touch, and its changes too.
    package func footprint(database: String) -> ReadFootprint { ReadFootprint(statements, database: database) }

    /// It only reads: from nodes, in part or whole, or what the gateway knows by itself.
    package var isReadOnly: Bool {
        steps.allSatisfy { step in
            switch step {
            case .read, .scatter, .known: true
            case .mutation, .selectInto: false
            }
        }
    }

    /// Whether one node can answer the whole request by itself.
    package var isOneRead: Bool {
        if steps.count == 1, case .read = steps[0] { return true }
        return false
    }
}

extension StatementKind {
    /// The statement's keywords, in upper case: `dropShard` is `DROP SHARD`.
    package var words: String { spelled(" ").uppercased() }

    /// As configurations and metrics write it: `dropShard` is `drop_shard`.
    package var name: String { spelled("_") }

    private func spelled(_ separator: String) -> String {
        var words = ""
        for character in rawValue {
            if character.isUppercase { words += separator }
            words += character.lowercased()
        }
        return words
    }
}
