// Whether one of the nodes' users may run the statements of a request: all of them, before any of them runs, as InfluxDB
// does it (I6).

import InfluxQL
import Querying

/// Asks for one request. It lives until `whenDone` was called.
final class StatementAccess {
    private let statements: [Statement]
    private let request: StatementContext
    private let credential: ClientCredential
    private let access: NodesAccess
    /// nil: yes.
    private let whenDone: (Response?) -> Void
    private var open: [(statement: Statement, privilege: Privilege)] = []
    private var username = ""

    init(
        _ statements: [Statement], _ request: StatementContext, _ credential: ClientCredential, _ access: NodesAccess,
        whenDone: @escaping (Response?) -> Void
    ) {
        self.statements = statements
        self.request = request
        self.credential = credential
        self.access = access
        self.whenDone = whenDone
    }

    /// An administrator may everything, and whoever changes things usually is one: so that is asked first.
    func start() {
        open = statements.flatMap { statement in
            statement.privileges(request).map { (statement, $0) }
        }
        guard !open.isEmpty else {
            return ask(.user) { access, verdict in access.whenDone(Self.refusal(verdict)) }
        }
        ask(.admin) { access, verdict in
            guard case .refused(let response, let error) = verdict, response.status == 403 else {
                return access.whenDone(Self.refusal(verdict))
            }
            guard let name = Self.username(in: error) else {
                // There is no user yet at all: the first may be made, nothing else.
                let makesFirst = access.statements.first?.createsAdministrator == true
                let isNobody = error.hasSuffix(Self.noAdministrator)
                return access.whenDone(isNobody && makesFirst && access.statements.count == 1 ? nil : response)
            }
            access.username = name
            access.next()
        }
    }

    private func next() {
        guard let (statement, privilege) = open.first else { return whenDone(nil) }
        let question: AccessQuestion
        switch privilege {
        case .admin, .read(""), .write(""): return whenDone(forbidden(statement, privilege))
        case .read(let database): question = .read(database)
        case .write(let database): question = .write(database)
        }
        ask(question) { access, verdict in
            switch verdict {
            case .allowed:
                access.open.removeFirst()
                access.next()
            // A database that is not there is an administrator's business.
            case .refused(let response, _) where response.status != 401:
                access.whenDone(access.forbidden(statement, privilege))
            default: access.whenDone(Self.refusal(verdict))
            }
        }
    }

    private func ask(_ question: AccessQuestion, then: @escaping (StatementAccess, AccessVerdict) -> Void) {
        let verdict = access.verdict(question, for: credential) { then(self, $0) }
        if let verdict { then(self, verdict) }
    }

    private func forbidden(_ statement: Statement, _ privilege: Privilege) -> Response {
        .forbidden(statement, privilege, to: username)
    }

    private static func refusal(_ verdict: AccessVerdict) -> Response? {
        switch verdict {
        case .allowed: nil
        case .refused(let response, _): response
        case .unavailable: .accessUnknown
        }
    }

    private static let noAdministrator = "create admin user first or disable authentication"

    /// From `error authorizing query: NAME not authorized to execute statement ...`.
    private static func username(in error: String) -> String? {
        let prefix = "error authorizing query: "
        guard error.hasPrefix(prefix), let end = error.firstRange(of: " not authorized to execute statement '") else {
            return nil
        }
        return String(error[error.index(error.startIndex, offsetBy: prefix.count)..<end.lowerBound])
    }
}

extension Response {
    /// As InfluxDB refuses a statement.
    static func forbidden(_ statement: Statement, _ privilege: Privilege, to username: String) -> Response {
        .error(
            403,
            "error authorizing query: \(username) not authorized to execute statement '\(statement.body)', "
                + privilege.words
        )
    }
}

extension Statement {
    /// `CREATE USER ... WITH ALL PRIVILEGES`
    fileprivate var createsAdministrator: Bool {
        if case .createUser(_, _, isAdmin: true) = body { true } else { false }
    }
}
