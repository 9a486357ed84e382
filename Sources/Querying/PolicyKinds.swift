// What policies can deny and allow, by the names that configurations write.

import InfluxQL

/// Some of the kinds of statements, and perhaps writes.
package struct PolicyKinds: Equatable, Sendable {
    package var statements: Set<StatementKind>
    /// Points by line protocol.
    package var writes: Bool

    package init(_ statements: Set<StatementKind> = [], writes: Bool = false) {
        self.statements = statements
        self.writes = writes
    }

    /// A kind (`drop_database`), `write`, or a group; nil: there is no such name.
    package init?(name: String) {
        if let kind = StatementKind.allCases.first(where: { $0.name == name }) {
            self.init([kind])
        } else if name == Self.write {
            self.init(writes: true)
        } else if let group = Group(rawValue: name) {
            self.init(Set(StatementKind.allCases.filter(group.contains)), writes: group == .all)
        } else {
            return nil
        }
    }

    package enum Group: String, CaseIterable, Sendable {
        /// All statements, and writes.
        case all
        case reads
        /// Statements that change data or schema.
        case mutations
        /// Statements that speak of one node by an id of its own.
        case perNode = "per_node"
        case show
        case create
        case drop

        func contains(_ kind: StatementKind) -> Bool {
            switch self {
            case .all: true
            case .reads: kind.effect == .read
            case .mutations: kind.effect == .mutation
            case .perNode: kind.effect == .perNode
            case .show, .create, .drop: kind.name.hasPrefix(rawValue + "_")
            }
        }
    }

    private static let write = "write"

    /// All that `init(name:)` takes.
    package static let names = Group.allCases.map(\.rawValue) + [write] + StatementKind.allCases.map(\.name)

    package var isEmpty: Bool { statements.isEmpty && !writes }

    package mutating func formUnion(_ other: PolicyKinds) {
        statements.formUnion(other.statements)
        writes = writes || other.writes
    }

    package func intersection(_ other: PolicyKinds) -> PolicyKinds {
        PolicyKinds(statements.intersection(other.statements), writes: writes && other.writes)
    }
}

extension PolicyKinds: CustomStringConvertible {
    /// Names of kinds, without groups.
    package var description: String {
        ((writes ? [Self.write] : []) + statements.map(\.name).sorted()).joined(separator: " ")
    }
}
