// What a panel of a dashboard asks: read, and decided.

import InfluxQL
import Querying

enum Queries {
    private static let text = Array(
        (#"SELECT mean("usage_idle") FROM "cpu" WHERE ("host" = 'server01') AND time >= now() - 1h "#
            + "GROUP BY time(10s), \"cpu\" fill(null)").utf8)

    static let parse = HotPath("parse", "parses a query of a dashboard", bytes: text.count) {
        {
            guard case .statements(let statements) = Parsed(utf8: text, hasParameters: false), statements.count == 1
            else { preconditionFailure("it is a good query") }
        }
    }

    static let plan = HotPath("plan", "parses it, holds it against the policy, and plans it", bytes: text.count) {
        {
            guard let plan = try? QueryPlan(text: text), plan.steps.count == 1 else {
                preconditionFailure("it is a good query")
            }
        }
    }
}
