// What the gateway would do with a request, said without doing it.
import Foundation
import Querying

package struct Explanation: Sendable {
    /// Lines for people, each with its end.
    package let text: String
    /// The gateway would refuse the request.
    package let isRefused: Bool

    /// - Parameters:
    ///   - query: the `q` of the request, any number of statements.
    ///   - database: its `db`.
    ///   - parameters: its `params`, a JSON object with the values of bound parameters; empty for none.
    package init(query: String, database: String, parameters: String, configuration: Configuration) {
        let context = StatementContext(database: database)
        do throws(QueryPlan.Problem) {
            let plan = try QueryPlan(
                text: Array(query.utf8), parameters: Array(parameters.utf8), context: context,
                policy: configuration.policy)
            let now = Int64(Date().timeIntervalSince1970 * 1_000) * 1_000_000
            let lines = PlanText(plan, context: context, nodes: configuration.nodes.map(\.name), now: now).lines
            text = lines.map { $0 + "\n" }.joined()
            isRefused = false
        } catch {
            text = "refused with \(error.status): \(error.message)\n"
            isRefused = true
        }
    }
}
