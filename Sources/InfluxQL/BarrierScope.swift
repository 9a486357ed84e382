// Which lanes a mutation holds up: those whose records must be applied before it, and after it.

package enum BarrierScope: Hashable, Sendable {
    /// Databases and users: in order among themselves, no lane of data waits.
    case schema
    /// One database's lane.
    case database(String)
    /// One database's lane, and in order with the schema.
    case databaseAndSchema(String)
    /// All lanes: the statement touches several databases, or hides which.
    case everything
}

extension Statement {
    /// The barrier of a mutation; nil for statements that are none.
    /// - Parameter requestDatabase: the `db` parameter of the request, nil or empty if it has none.
    package func barrier(requestDatabase: String?) -> BarrierScope? {
        guard kind.effect == .mutation else { return nil }
        switch kind {
        case .createUser, .dropUser, .setPassword, .grantAdmin, .revokeAdmin:
            return .schema
        case .createDatabase, .dropDatabase:
            guard let name = subject?.literal else { return .everything }
            return .databaseAndSchema(name)
        case .grant, .revoke:
            guard let name = database?.literal else { return .everything }
            return .databaseAndSchema(name)
        case .createRetentionPolicy, .alterRetentionPolicy, .dropRetentionPolicy, .dropContinuousQuery,
            .createSubscription, .dropSubscription, .createContinuousQuery:
            guard let name = database?.literal else { return .everything }
            return .database(name)
        case .delete, .dropSeries, .dropMeasurement:
            guard let requestDatabase, !requestDatabase.isEmpty, namedDatabases.isEmpty else { return .everything }
            return .database(requestDatabase)
        default:
            return .everything
        }
    }
}
