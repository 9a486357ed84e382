// Which databases and retention policies there are, as far as the gateway knows, and when it had better not say: while
// a change is on its way, nobody knows. Values only; `CatalogueKeeper` asks the nodes.

import CommitLog
import InfluxQL

/// The schema of the in-sync nodes at one moment.
package struct Catalogue: Equatable, Sendable {
    package struct Database: Equatable, Sendable {
        package var policies: Set<String>
        /// nil: it was dropped, and writes that name none fail.
        package var defaultPolicy: String?

        package init(policies: Set<String>, defaultPolicy: String?) {
            self.policies = policies
            self.defaultPolicy = defaultPolicy
        }
    }

    package var databases: [String: Database]
    /// Databases that some nodes have and others have not, or have with other policies: of these nobody says anything.
    package var disputed: Set<String> = []

    package init(databases: [String: Database] = [:]) { self.databases = databases }

    /// What all of several nodes have.
    package init(agreedBy nodes: [Catalogue]) {
        self.init(databases: nodes.first?.databases ?? [:])
        for name in Set(nodes.flatMap(\.databases.keys))
        where nodes.contains(where: { $0.databases[name] != databases[name] }) {
            disputed.insert(name)
        }
        for name in disputed { databases[name] = nil }
    }
}

/// What is known of a name.
package enum Knowledge: Equatable, Sendable {
    case exists
    /// As of the last look at a node.
    case isMissing
    /// A change is under way, or nodes differ.
    case isUnknown
    /// A node had it before this start; none has spoken since.
    case existed
    /// No node has spoken since the start, and none had it before.
    case isUnheard

    /// Nothing speaks against a write to it.
    var mayExist: Bool {
        switch self {
        case .exists, .existed, .isUnknown: true
        case .isMissing, .isUnheard: false
        }
    }
}

/// The catalogue together with the changes that it does not show yet.
package struct SchemaLedger: Sendable {
    package typealias Ticket = Int

    /// What a change of the schema touches.
    package enum Scope: Equatable, Sendable {
        case database(String)
        /// The statement hides which.
        case everything
    }

    private struct Change {
        let scope: Scope
        var offset: Offset?
        /// Every in-sync node has carried it out.
        var isDone = false

        func touches(_ database: String) -> Bool { scope == .everything || scope == .database(database) }
    }

    /// A look at a node that is under way: the changes that it will show.
    package struct Look: Sendable {
        fileprivate let shown: [Ticket]
    }

    package private(set) var catalogue: Catalogue?
    /// What counts until a node speaks.
    private let recalled: Catalogue?
    private var changes: [Ticket: Change] = [:]
    private var next: Ticket = 0

    /// - Parameter recalled: `memorable` of the gateway's last run.
    package init(recalled: Catalogue? = nil) { self.recalled = recalled }

    // MARK: Changes

    /// A change is about to be logged.
    package mutating func begin(_ scope: Scope) -> Ticket {
        next += 1
        changes[next] = Change(scope: scope)
        return next
    }

    /// It is in the log, and will be applied whatever becomes of the client.
    package mutating func logged(_ ticket: Ticket, at offset: Offset) { changes[ticket]?.offset = offset }

    /// It did not get into the log.
    package mutating func notLogged(_ ticket: Ticket) { changes[ticket] = nil }

    /// Every in-sync node has answered it.
    package mutating func done(_ ticket: Ticket) { changes[ticket]?.isDone = true }

    /// Whether there are changes that a look at a node with this cursor would show.
    package func isWorthALook(cursor: Offset) -> Bool {
        changes.values.contains { Self.isShown($0, cursor: cursor) }
    }

    private static func isShown(_ change: Change, cursor: Offset) -> Bool {
        change.isDone || (change.offset.map { $0 < cursor } ?? false)
    }

    // MARK: Looks

    /// To be called before in-sync nodes are asked.
    /// - Parameter cursor: the lowest of theirs.
    package func beginLook(cursor: Offset) -> Look {
        Look(shown: changes.filter { Self.isShown($0.value, cursor: cursor) }.map(\.key))
    }

    package mutating func learn(_ catalogue: Catalogue, from look: Look) {
        self.catalogue = catalogue
        for ticket in look.shown { changes[ticket] = nil }
    }

    // MARK: Answers

    package func database(_ name: String) -> Knowledge { knowledge(of: name) { _ in true } }

    /// - Parameter policy: empty: the default.
    package func policy(_ policy: String, of database: String) -> Knowledge {
        knowledge(of: database) { policy.isEmpty ? $0.defaultPolicy != nil : $0.policies.contains(policy) }
    }

    private func knowledge(of name: String, has: (Catalogue.Database) -> Bool) -> Knowledge {
        if isChanging(name) { return .isUnknown }
        guard let catalogue else { return recalled?.databases[name].map(has) == true ? .existed : .isUnheard }
        if catalogue.disputed.contains(name) { return .isUnknown }
        return catalogue.databases[name].map(has) == true ? .exists : .isMissing
    }

    /// What will still be there after a restart: no change that is logged or about to be takes any of it away.
    package var memorable: Catalogue {
        var memorable = Catalogue(databases: (catalogue ?? recalled)?.databases ?? [:])
        if !changes.isEmpty { memorable.databases = memorable.databases.filter { !isChanging($0.key) } }
        return memorable
    }

    /// nil: there is none, or it is not known.
    package func defaultPolicy(of database: String) -> String? {
        isChanging(database) ? nil : (catalogue ?? recalled)?.databases[database]?.defaultPolicy
    }

    /// Whether the catalogue may be wrong about a database.
    package func isChanging(_ name: String) -> Bool {
        !changes.isEmpty && changes.values.contains { $0.touches(name) }
    }

    /// Whether nodes that are in sync may not agree about it now.
    package func isUnderWay(_ name: String) -> Bool {
        !changes.isEmpty && changes.values.contains { !$0.isDone && $0.touches(name) }
    }
}

extension SchemaLedger.Scope {
    /// nil: the statement changes no database and no retention policy.
    init?(_ statement: Statement) {
        switch statement.kind {
        case .createDatabase, .dropDatabase, .createRetentionPolicy, .alterRetentionPolicy, .dropRetentionPolicy:
            self = statement.database?.literal.map { .database($0) } ?? .everything
        default: return nil
        }
    }
}
