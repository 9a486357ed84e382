// Which dead letters are meant: what an operator types, as SQL.
import GRDB

package struct DeadLetterSelection: Codable, Equatable, Sendable {
    package var ids: [Int64]?
    package var database: String?
    package var measurement: String?
    /// A part of the reason, in any case of letters.
    package var reason: String?
    /// True: every one.
    package var all: Bool?

    package init(
        ids: [Int64]? = nil, database: String? = nil, measurement: String? = nil, reason: String? = nil,
        all: Bool? = nil
    ) {
        self.ids = ids
        self.database = database
        self.measurement = measurement
        self.reason = reason
        self.all = all
    }

    /// All there are.
    package static let everything = DeadLetterSelection(all: true)
    /// More do not fit one statement.
    private static let mostIDs = 1_000

    /// What is wrong with it as the object of a change, where "nothing said" must not mean "all".
    package var fault: String? {
        let said = [ids != nil, database != nil, all == true].filter { $0 }.count
        if said == 0 { return "say which dead letters: some ids, a database, or all" }
        if said > 1 { return "say either ids, or a database, or all" }
        if ids != nil, measurement != nil || reason != nil { return "ids need no measurement and no reason" }
        if let ids, ids.isEmpty || ids.count > Self.mostIDs { return "name 1 to \(Self.mostIDs) ids" }
        return nil
    }

    /// A condition on the columns that `dead_letters` and `reasons` share.
    var ofReasons: SQL {
        var conditions: [SQL] = []
        if let database { conditions.append("database = \(database)") }
        if let measurement { conditions.append("measurement = \(measurement)") }
        if let reason { conditions.append("instr(lower(kind), lower(\(reason))) > 0") }
        return conditions.isEmpty ? "1" : conditions.joined(separator: " AND ")
    }

    /// A condition on `dead_letters`.
    var ofLetters: SQL {
        if let ids { return "id IN \(ids)" }
        var conditions: [SQL] = []
        if let database { conditions.append("database = \(database)") }
        if let measurement { conditions.append("measurement = \(measurement)") }
        if let reason {
            conditions.append(
                "(instr(lower(reason), lower(\(reason))) > 0 OR instr(lower(kind), lower(\(reason))) > 0)")
        }
        return conditions.isEmpty ? "1" : conditions.joined(separator: " AND ")
    }
}
