// Who may: asked on each event loop by writes and queries. Either the nodes judge, with their own users, or the gateway
// does, with users of its own.

import InfluxQL
import Querying

enum AccessVerdict {
    case allowed
    /// In the words of an InfluxDB.
    case refused(Response, error: String)
    /// It cannot be known now.
    case unavailable
}

protocol AccessControl: AnyObject {
    /// The client's credential goes on to the node that answers a read, and the node judges it. Otherwise nodes hear of no
    /// client, and reads are judged here.
    var nodesJudgeReads: Bool { get }
    /// A yes to a write also says that there is such a database.
    var knowsDatabases: Bool { get }

    /// What is known without asking anybody.
    func known(_ question: AccessQuestion, for credential: ClientCredential) -> AccessVerdict?
    /// The verdict, if it is known; otherwise nil, and `later` is called with it.
    func verdict(
        _ question: AccessQuestion, for credential: ClientCredential, later: @escaping (AccessVerdict) -> Void
    ) -> AccessVerdict?
    /// Whether a request may go on: all of its statements, before any of them runs (I6).
    /// - Parameter whenDone: called once, with the answer to a request that may not; perhaps before this returns.
    func authorize(
        _ statements: [Statement], _ request: StatementContext, as credential: ClientCredential,
        whenDone: @escaping (Response?) -> Void
    )
    /// Which databases a list of all of them shows to this client, who was let in.
    func shownDatabases(to credential: ClientCredential) -> (String) -> Bool
}

extension Response {
    /// A credential that cannot be checked now is nobody's fault: agents keep their data and come back (A10).
    static let accessUnknown = unavailable(
        "it cannot be checked now whether this credential is good; try again later", retryAfter: 1)
}
