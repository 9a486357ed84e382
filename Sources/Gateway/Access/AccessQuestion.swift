// What is asked of a node to learn what a credential may do. None of the questions has a side effect: an InfluxDB checks
// an empty write like any other (credential, database, privilege; found by experiment), the others are reads.

import InfluxQL
import NIOHTTP1
import NodeClient
import Querying

enum AccessQuestion: Hashable, Sendable {
    /// Is it a user at all?
    case user
    case admin
    case read(String)
    case write(String)

    enum Answer {
        case allowed
        /// The node's own 401, 403 or 404.
        case refused(Response, error: String)
    }

    func request(as credential: ClientCredential) -> NodeRequest {
        switch self {
        case .user: credential.request(.POST, "/write", [])
        case .write(let database): credential.request(.POST, "/write", [("db", database)])
        case .admin: credential.request(.POST, "/query", [("q", "SHOW USERS")])
        case .read(let database):
            credential.request(.POST, "/query", [("q", "SHOW RETENTION POLICIES ON " + Quoting.identifier(database))])
        }
    }

    /// nil: the node says nothing of the question.
    func answer(_ reply: NodeReply) -> Answer? {
        let error = reply.error
        switch (self, reply.status) {
        case (_, 401), (_, 403): return .refused(reply.response, error: error)
        case (.write, 404) where error.hasPrefix("database not found"): return .refused(reply.response, error: error)
        case (.write, 204): return .allowed
        // Behind the check of the credential.
        case (.write, 500) where error.hasPrefix("retention policy not found"): return .allowed
        case (.user, 400) where error == "database is required": return .allowed
        case (.admin, 200), (.read, 200): return .allowed
        default: return nil
        }
    }

    var bytes: [UInt8] {
        switch self {
        case .user: [0]
        case .admin: [1]
        case .read(let database): [2] + Array(database.utf8)
        case .write(let database): [3] + Array(database.utf8)
        }
    }
}
