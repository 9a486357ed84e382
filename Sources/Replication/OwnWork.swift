// What nodes do by themselves, beside what the log tells them: continuous queries and subscriptions. The gateway only
// knows of it and says what may have gone wrong.

import InfluxQL

package struct OwnWork: Equatable, Sendable {
    package enum Kind: String, Hashable, Sendable, Comparable {
        case continuousQuery = "continuous-query"
        case subscription

        package static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }
    }

    package struct Item: Hashable, Sendable, Comparable {
        package let kind: Kind
        package let database: String
        package let name: String

        package init(_ kind: Kind, database: String, name: String) {
            self.kind = kind
            self.database = database
            self.name = name
        }

        package static func < (left: Item, right: Item) -> Bool {
            (left.kind, left.database, left.name) < (right.kind, right.database, right.name)
        }
    }

    /// A time in which a node was not in sync, in nanoseconds since 1970.
    package struct Absence: Equatable, Sendable {
        package var from: Int64
        /// nil: it is not back yet.
        package var to: Int64?

        package init(from: Int64, to: Int64? = nil) {
            self.from = from
            self.to = to
        }
    }

    /// As the node last showed it.
    package var items: [Item] = []
    /// Those that the node had when it was first attached: no record of the log made them.
    package var older: Set<Item> = []
    /// The last one since the gateway started.
    package private(set) var absence: Absence?

    package init() {}

    package mutating func left(at time: Int64) {
        if absence == nil || absence?.to != nil { absence = Absence(from: time) }
    }

    package mutating func entered(at time: Int64) {
        if absence != nil, absence?.to == nil { absence?.to = time }
    }

    /// Sentences for `sluice status`.
    package var remarks: [String] {
        var remarks: [String] = []
        let kept = items.filter(older.contains).sorted()
        if !kept.isEmpty {
            remarks.append(
                "runs by itself what was there before Sluice: \(Self.list(kept)); other nodes may have none or others")
        }
        let queries = items.filter { $0.kind == .continuousQuery }.sorted()
        if let absence, !queries.isEmpty {
            let from = Timestamp.seconds(absence.from)
            let time = absence.to.map { "from \(from) to \(Timestamp.seconds($0))" } ?? "since \(from)"
            remarks.append(
                "was not in sync \(time): its continuous queries may have missed windows or worked on part of the data "
                    + "(\(Self.list(queries))); run their SELECT INTO for that time through Sluice")
        }
        return remarks
    }

    private static func list(_ items: [Item]) -> String {
        let shown = items.prefix(5).map { item in
            item.kind == .continuousQuery
                ? "\(item.database).\(item.name)" : "subscription \(item.database).\(item.name)"
        }
        return shown.joined(separator: ", ") + (items.count > 5 ? " and \(items.count - 5) more" : "")
    }
}
