// The gateway's own users may what their entries say, on one event loop. Whose a credential is takes long to find out, so
// it is remembered by a keyed hash; what the user may then is a look into a dictionary.

import InfluxQL
import NIOCore
import Querying

final class UsersAccess: AccessControl {
    private let eventLoop: any EventLoop
    private let hasher: any CredentialHasher
    private let users: any UserIdentifier
    private let figures: GatewayFigures
    private var identified = RecentMap<CredentialDigest, GatewayUser>(capacity: 10_000)
    /// Apart from the others, so that guesses cannot push out those who are known.
    private var refused = RecentMap<CredentialDigest, (Identification, NIODeadline)>(capacity: 1_000)
    private var waiting: [CredentialDigest: [(Identification?) -> Void]] = [:]

    private static let refusedFor = TimeAmount.seconds(1)

    init(
        eventLoop: any EventLoop, hasher: any CredentialHasher, users: any UserIdentifier, figures: GatewayFigures
    ) {
        self.eventLoop = eventLoop
        self.hasher = hasher
        self.users = users
        self.figures = figures
    }

    // MARK: Who it is

    private func known(_ digest: CredentialDigest) -> Identification? {
        if let user = identified[digest] { return .user(user) }
        guard let (identification, at) = refused[digest] else { return nil }
        if eventLoop.now - at < Self.refusedFor { return identification }
        refused[digest] = nil
        return nil
    }

    /// Nil, also later: too many credentials wait to be looked at.
    private func identify(
        _ credential: ClientCredential, whenDone: @escaping (Identification?) -> Void
    ) -> Identification? {
        let digest = hasher.digest(of: credential.bytes)
        if let known = known(digest) { return known }
        if waiting[digest] != nil {
            waiting[digest]?.append(whenDone)
            return nil
        }
        waiting[digest] = [whenDone]
        figures.accessChecks.add(1)
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        let isTaken = users.identify(credential) { identification in
            here.eventLoop.execute { here.value.identified(digest, identification) }
        }
        if !isTaken { eventLoop.execute { here.value.identified(digest, nil) } }
        return nil
    }

    private func identified(_ digest: CredentialDigest, _ identification: Identification?) {
        switch identification {
        case .user(let user)?: identified[digest] = user
        case let other?: refused[digest] = (other, eventLoop.now)
        case nil: break
        }
        for waiter in waiting.removeValue(forKey: digest) ?? [] { waiter(identification) }
    }

    // MARK: AccessControl

    var nodesJudgeReads: Bool { false }
    var knowsDatabases: Bool { false }

    func known(_ question: AccessQuestion, for credential: ClientCredential) -> AccessVerdict? {
        known(hasher.digest(of: credential.bytes)).map { $0.verdict(question) }
    }

    func verdict(
        _ question: AccessQuestion, for credential: ClientCredential, later: @escaping (AccessVerdict) -> Void
    ) -> AccessVerdict? {
        identify(credential) { later($0?.verdict(question) ?? .unavailable) }?.verdict(question)
    }

    func authorize(
        _ statements: [Statement], _ request: StatementContext, as credential: ClientCredential,
        whenDone: @escaping (Response?) -> Void
    ) {
        func judge(_ identification: Identification?) {
            switch identification {
            case .user(let user)?:
                for statement in statements {
                    if let privilege = user.lacks(for: statement, request) {
                        return whenDone(.forbidden(statement, privilege, to: user.name))
                    }
                }
                whenDone(nil)
            case let other?:
                whenDone(other.refusal)
            case nil:
                whenDone(.accessUnknown)
            }
        }
        if let identification = identify(credential, whenDone: judge) { judge(identification) }
    }

    /// As InfluxDB does it: those of which the user may anything.
    func shownDatabases(to credential: ClientCredential) -> (String) -> Bool {
        guard case .user(let user)? = known(hasher.digest(of: credential.bytes)) else { return { _ in false } }
        return { user.isAdministrator || !(user.grants[$0] ?? user.otherwise).isEmpty }
    }
}

extension Identification {
    /// InfluxDB's 401 (reference, 3); nil: it is a user.
    fileprivate var refusal: Response? {
        switch self {
        case .user: nil
        case .unreadable: .unauthorized("unable to parse authentication credentials")
        case .withoutName: .unauthorized("username required")
        case .nobody: .unauthorized("authorization failed")
        }
    }

    fileprivate func verdict(_ question: AccessQuestion) -> AccessVerdict {
        guard case .user(let user) = self else { return refusal.map { .refused($0, error: "") } ?? .unavailable }
        let words: String
        switch question {
        case .user: return .allowed
        case .admin where user.isAdministrator: return .allowed
        case .read(let database) where user.may(.read, database): return .allowed
        case .write(let database) where user.may(.write, database): return .allowed
        case .admin: words = "user \"\(user.name)\" is not an administrator"
        case .read(let database):
            words = "user \"\(user.name)\" is not authorized to read from database \"\(database)\""
        case .write(let database):
            words = "\"\(user.name)\" user is not authorized to write to database \"\(database)\""
        }
        return .refused(.error(403, words), error: words)
    }
}
