// The gateway's own users: who they are and what they may. Values without secrets; whose password it is, a
// `UserIdentifier` says.

import InfluxQL
import Querying

/// What a user may do with a database.
package struct Role: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = Role(rawValue: 1)
    package static let write = Role(rawValue: 2)
    /// Make it, drop it, and what else concerns it alone.
    package static let manage = Role(rawValue: 4)
    package static let admin: Role = [.read, .write, .manage]
}

package struct GatewayUser: Equatable, Sendable {
    package let name: String
    /// May everything.
    package let isAdministrator: Bool
    /// By database.
    package let grants: [String: Role]
    /// For databases without a grant of their own.
    package let otherwise: Role

    package init(name: String, isAdministrator: Bool = false, grants: [String: Role] = [:], otherwise: Role = []) {
        self.name = name
        self.isAdministrator = isAdministrator
        self.grants = grants
        self.otherwise = otherwise
    }

    package func may(_ role: Role, _ database: String) -> Bool {
        isAdministrator || (grants[database] ?? otherwise).isSuperset(of: role)
    }

    /// The first privilege that the statement needs and the user has not; nil: it may run.
    package func lacks(for statement: Statement, _ request: StatementContext) -> Privilege? {
        guard !isAdministrator else { return nil }
        return statement.privileges(request).first { privilege in
            switch privilege {
            case .admin: !manages(statement, request)
            case .read(let database): database.isEmpty || !may(.read, database)
            case .write(let database): database.isEmpty || !may(.write, database)
            }
        }
    }

    /// What InfluxDB leaves to administrators, and yet concerns the user's own databases only.
    private func manages(_ statement: Statement, _ request: StatementContext) -> Bool {
        switch statement.kind {
        case .createDatabase, .dropDatabase, .createRetentionPolicy, .alterRetentionPolicy, .dropMeasurement:
            let databases = statement.databases(request)
            return !databases.isEmpty && databases.allSatisfy { !$0.isEmpty && may(.manage, $0) }
        default: return false
        }
    }
}

/// Whose credential something is.
package enum Identification: Equatable, Sendable {
    case user(GatewayUser)
    /// There is none, or nobody can read it.
    case unreadable
    case withoutName
    case nobody
}

/// Knows the users' secrets. To find out takes a tenth of a second of a core, by intent.
package protocol UserIdentifier: Sendable {
    /// - Parameter whenDone: called once, on any thread.
    /// - Returns: False: too many wait already; `whenDone` is not called.
    func identify(
        _ credential: ClientCredential, whenDone: @escaping @Sendable (Identification) -> Void
    ) -> Bool
}
