// A statement that changes data or schema, as it will be sent to every node, and what must wait for it.

/// Body: version (1), barrier scope (1), whether the statement is sealed (1), then scope database, statement, database, retention policy, params, user,
/// redacted statement (each: length (4), UTF-8).
package struct MutationRecord: RecordBody, Equatable, Sendable {
    package static var kind: RecordKind { .mutation }

    /// Which lanes the record is a barrier in.
    package enum Scope: Equatable, Sendable {
        /// The lane of one database.
        case database(String)
        /// The lane of one database, and in order among all changes of schema (CREATE and DROP DATABASE).
        case databaseAndSchema(String)
        /// In order among changes of schema (users, grants).
        case schema
        /// Every lane.
        case everything
    }

    /// The statement as nodes get it, or, if it is sealed, what its sealer made of it.
    package var statement: String
    /// The statement holds a password and cannot be read without the gateway's key.
    package var isSealed: Bool
    /// The `db` parameter; empty if there is none.
    package var database: String
    /// The `rp` parameter; empty if there is none.
    package var retentionPolicy: String
    /// The `params` parameter: JSON with the values of bound parameters; empty if there is none.
    package var parameters: String
    package var scope: Scope
    /// Empty: nobody was authenticated.
    package var user: String
    /// The statement as people may see it: passwords replaced.
    package var redactedStatement: String

    package init(
        statement: String, database: String = "", retentionPolicy: String = "", parameters: String = "",
        scope: Scope, user: String = "", redactedStatement: String, isSealed: Bool = false
    ) {
        self.isSealed = isSealed
        self.statement = statement
        self.database = database
        self.retentionPolicy = retentionPolicy
        self.parameters = parameters
        self.scope = scope
        self.user = user
        self.redactedStatement = redactedStatement
    }

    package var encodedSize: Int {
        3 + texts.reduce(0) { $0 + FieldWriter.size(of: $1) }
    }

    package func encode(into buffer: UnsafeMutableRawBufferPointer) {
        var writer = FieldWriter(buffer)
        writer.integer(UInt8(1))
        writer.integer(scopeOnDisk.code)
        writer.integer(UInt8(isSealed ? 1 : 0))
        for text in texts { writer.text(text) }
        writer.end()
    }

    package init(decoding body: UnsafeRawBufferPointer) throws(RecordFormatError) {
        var reader = FieldReader(body, kind: .mutation)
        _ = try reader.version(upTo: 1)
        let code = try reader.integer(UInt8.self)
        isSealed = try reader.integer(UInt8.self) == 1
        let scopeDatabase = try reader.text()
        switch code {
        case 1: scope = .database(scopeDatabase)
        case 2: scope = .databaseAndSchema(scopeDatabase)
        case 3: scope = .schema
        case 4: scope = .everything
        default: throw reader.fail("scope \(code) is not known")
        }
        statement = try reader.text()
        database = try reader.text()
        retentionPolicy = try reader.text()
        parameters = try reader.text()
        user = try reader.text()
        redactedStatement = try reader.text()
        try reader.end()
    }

    private var texts: [String] {
        [scopeOnDisk.database, statement, database, retentionPolicy, parameters, user, redactedStatement]
    }

    private var scopeOnDisk: (code: UInt8, database: String) {
        switch scope {
        case .database(let name): (1, name)
        case .databaseAndSchema(let name): (2, name)
        case .schema: (3, "")
        case .everything: (4, "")
        }
    }
}
