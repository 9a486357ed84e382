// Statements with a password stand in the log unreadable: whoever copies the log's files has no passwords.

/// Makes a statement unreadable for those who do not have the gateway's key, and readable again.
package protocol StatementSealer: Sendable {
    func seal(_ statement: String) throws -> String
    /// Throws when it was sealed with another key.
    func open(_ sealed: String) throws -> String
}
