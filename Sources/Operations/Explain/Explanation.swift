// What the gateway would do with a request, said without doing it.
import Cluster
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
    ///   - listener: the address that the request comes to; nil: `listen`.
    package init(
        query: String, database: String, parameters: String, configuration: Configuration, listener: String? = nil
    ) {
        let address = listener.map { text in try? ListenAddress(parsing: text) } ?? configuration.listen
        guard let address, let policy = configuration.policy(at: address) else {
            let all = ([configuration.listen] + configuration.listeners.map(\.address)).map(\.description)
            text = "no listener has the address \(listener ?? ""); there are \(all.joined(separator: ", "))\n"
            isRefused = true
            return
        }
        let context = StatementContext(database: database)
        do throws(QueryPlan.Problem) {
            let plan = try QueryPlan(
                text: Array(query.utf8), parameters: Array(parameters.utf8), context: context,
                policy: policy, placement: Placement(configuration))
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
