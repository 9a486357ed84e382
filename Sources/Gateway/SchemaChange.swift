// What a mutation does to what all loops know of databases and users, from before it is logged until every in-sync node
// has carried it out.

import CommitLog
import InfluxQL

struct SchemaChange {
    private let schema: SharedSchema
    /// nil: it changes no database and no retention policy.
    private let ticket: SchemaLedger.Ticket?
    private let isOfAccess: Bool
    /// Databases or retention policies are gone after it: a restarted gateway must not believe that they are there, so
    /// it is logged only after a checkpoint.
    let takesAway: Bool

    /// nil: the statement changes nothing of the kind.
    init?(_ statement: Statement, _ schema: SharedSchema) {
        let scope = SchemaLedger.Scope(statement)
        isOfAccess = statement.kind.changesAccess
        guard scope != nil || isOfAccess else { return nil }
        self.schema = schema
        takesAway = statement.kind == .dropDatabase || statement.kind == .dropRetentionPolicy
        ticket = scope.map { scope in schema.updateMemorable { $0.begin(scope) } }
    }

    func logged(at offset: Offset) {
        if let ticket { schema.update { $0.logged(ticket, at: offset) } }
        if isOfAccess { schema.accessEpoch.advance() }
    }

    func notLogged() {
        if let ticket { schema.update { $0.notLogged(ticket) } }
    }

    /// Every in-sync node has answered. Where none was left to, the nodes' cursors tell when it is carried out.
    func done() {
        if isOfAccess { schema.accessEpoch.advance() }
        guard let ticket else { return }
        schema.update { $0.done(ticket) }
        schema.lookSoon()
    }
}

extension StatementKind {
    /// Whether what nodes said of credentials before it may be wrong after it.
    fileprivate var changesAccess: Bool {
        switch self {
        case .createUser, .dropUser, .setPassword, .grant, .grantAdmin, .revoke, .revokeAdmin, .createDatabase,
            .dropDatabase:
            true
        default: false
        }
    }
}
