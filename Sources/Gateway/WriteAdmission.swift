// Whether a write may go on, before its body is read and before anything is logged (A11, I6, I8): is the client allowed
// to, is there such a database, is there such a retention policy. The answers and their order are InfluxDB's.

import Cluster
import InfluxQL
import NIOCore
import NodeClient
import Querying
import Replication

enum Admission {
    case admitted
    case refused(Response)
}

/// On one event loop. Requests that wait for the same answer share one question.
final class WriteAdmission {
    /// What a node is asked to make sure of: an empty write fails as a full one would.
    private struct Place: Hashable {
        let database: String
        /// Empty: the default one; nil: only the database is in question.
        var retentionPolicy: String?

        func refusal(_ reply: NodeReply) -> Response? {
            switch reply.status {
            case 404 where reply.error.hasPrefix("database not found"): reply.response
            case 500 where retentionPolicy != nil && reply.error.hasPrefix("retention policy not found"): reply.response
            default: nil
            }
        }

        func exists(_ reply: NodeReply) -> Bool {
            reply.status == 204
                || reply.status == 500 && retentionPolicy == nil && reply.error.hasPrefix("retention policy not found")
        }
    }

    private let eventLoop: any EventLoop
    private let schema: SharedSchema
    /// nil: everybody may.
    private let access: (any AccessControl)?
    private let nodes: () -> [NodeIndex]
    private let pool: (NodeIndex) -> NodePool
    private var waiting: [Place: [(Admission) -> Void]] = [:]
    /// What nodes said of places that the catalogue does not have; nil: all is well.
    private var recent: RecentMap<Place, (refusal: Response?, at: NIODeadline)> = RecentMap(capacity: 1_000)

    /// Writes soon after a start, while no node is in sync that could be asked.
    private var early: [(place: Place, later: (Admission) -> Void)] = []
    private let startEnd: NIODeadline

    private static let verifiedFor = TimeAmount.seconds(1)
    /// How long after a start writes wait for a node that can be asked, and are not sent away yet.
    private static let startPatience = TimeAmount.seconds(2)

    /// - Parameters:
    ///   - nodes: those in sync, the best first.
    ///   - pool: of connections with the gateway's own credential.
    init(
        eventLoop: any EventLoop, schema: SharedSchema, access: (any AccessControl)?,
        nodes: @escaping () -> [NodeIndex],
        pool: @escaping (NodeIndex) -> NodePool
    ) {
        self.eventLoop = eventLoop
        self.schema = schema
        self.access = access
        self.nodes = nodes
        self.pool = pool
        startEnd = eventLoop.now + Self.startPatience
    }

    // MARK: From the head

    /// What the usual write gets: it costs a look into a dictionary. nil: `admit` has to find out.
    func known(to database: String, _ credential: @autoclosure () -> ClientCredential) -> Admission? {
        guard database != HiddenDatabase.name else { return nil }
        guard let access else { return schema.read { $0.database(database) }.mayExist ? .admitted : nil }
        guard case .allowed? = access.known(.write(database), for: credential()),
            access.knowsDatabases || schema.read({ $0.database(database) }).mayExist
        else { return nil }
        return .admitted
    }

    /// Whether this client may write to this database, and whether there is one: nil, and `later` is called.
    func admit(
        to database: String, _ credential: @autoclosure () -> ClientCredential,
        later: @escaping (Admission) -> Void
    ) -> Admission? {
        guard let access else { return existing(database, later: later) }
        if database == HiddenDatabase.name { return user(credential(), or: Self.hidden, later: later) }
        let credential = credential()
        guard access.knowsDatabases else {
            return access.verdict(.write(database), for: credential) { [weak self] verdict in
                if let admission = self?.existing(database, for: verdict, later: later) { later(admission) }
            }.flatMap { existing(database, for: $0, later: later) }
        }
        let epoch = schema.accessEpoch.current
        func judged(_ verdict: AccessVerdict) -> Admission? {
            guard case .refused(let response, _) = verdict, response.status == 404,
                schema.read({ $0.isUnderWay(database) }) || schema.accessEpoch.current != epoch
            else { return Self.admission(verdict) }
            // It may be on its way: an administrator may write to it once it is there, and that is told without it.
            return access.verdict(.admin, for: credential) { later(Self.whileChanging($0)) }.map(Self.whileChanging)
        }
        let verdict = access.verdict(.write(database), for: credential) { verdict in
            if let admission = judged(verdict) { later(admission) }
        }
        return verdict.flatMap(judged)
    }

    /// InfluxDB says that there is no such database before it says that the client may not write to it.
    private func existing(
        _ database: String, for verdict: AccessVerdict, later: @escaping (Admission) -> Void
    ) -> Admission? {
        switch verdict {
        case .refused(let response, _) where response.status != 401: break
        case .refused, .unavailable: return Self.admission(verdict)
        case .allowed: break
        }
        func judged(_ existence: Admission) -> Admission {
            if case .refused = existence { existence } else { Self.admission(verdict) }
        }
        return existing(database) { later(judged($0)) }.map(judged)
    }

    /// An answer that a client gets in any case, unless it is nobody InfluxDB knows: then that comes first.
    func user(
        _ credential: ClientCredential, or response: Response, later: @escaping (Admission) -> Void
    ) -> Admission? {
        func judged(_ verdict: AccessVerdict) -> Admission {
            if case .allowed = verdict { .refused(response) } else { Self.admission(verdict) }
        }
        guard let access else { return .refused(response) }
        return access.verdict(.user, for: credential) { later(judged($0)) }.map(judged)
    }

    /// Gives such an answer, now or later.
    func tell(_ credential: ClientCredential, _ response: Response, with answer: @escaping (Response) -> Void) {
        func judged(_ admission: Admission) {
            if case .refused(let response) = admission { answer(response) }
        }
        if let known = user(credential, or: response, later: judged) { judged(known) }
    }

    private static let hidden = Response.error(404, HiddenDatabase.writeError)

    private static func admission(_ verdict: AccessVerdict) -> Admission {
        switch verdict {
        case .allowed: .admitted
        case .refused(let response, _): .refused(response)
        case .unavailable: .refused(.accessUnknown)
        }
    }

    private static func whileChanging(_ verdict: AccessVerdict) -> Admission {
        if case .allowed = verdict { return .admitted }
        return .refused(.unavailable("the database is being created or dropped; try again later", retryAfter: 1))
    }

    /// Whether there is such a database, whoever asks.
    func existing(_ database: String, later: @escaping (Admission) -> Void) -> Admission? {
        if database == HiddenDatabase.name { return .refused(Self.hidden) }
        return existing(Place(database: database), later: later)
    }

    private func existing(_ place: Place, later: @escaping (Admission) -> Void) -> Admission? {
        let knowledge = schema.read { ledger in
            place.retentionPolicy.map { ledger.policy($0, of: place.database) } ?? ledger.database(place.database)
        }
        return knowledge.mayExist ? .admitted : verify(place, later: later)
    }

    // MARK: Before logging

    func known(to database: String, retentionPolicy: String) -> Admission? {
        schema.read { $0.policy(retentionPolicy, of: database) }.mayExist ? .admitted : nil
    }

    /// Whether the retention policy is there; empty: the default one.
    func admit(
        to database: String, retentionPolicy: String, later: @escaping (Admission) -> Void
    ) -> Admission? {
        existing(Place(database: database, retentionPolicy: retentionPolicy), later: later)
    }

    // MARK: Making sure

    /// The catalogue may be some seconds old, so a node has the last word. Without a node nobody guesses, and nothing is
    /// acknowledged: if there is no such place, all nodes will refuse it when nobody listens any more.
    private func verify(_ place: Place, later: @escaping (Admission) -> Void) -> Admission? {
        if let (refusal, at) = recent[place], eventLoop.now - at < Self.verifiedFor {
            return refusal.map { .refused($0) } ?? .admitted
        }
        let nodes = nodes()
        guard !nodes.isEmpty else {
            if eventLoop.now >= startEnd { return .refused(Self.nobodyToAsk(place)) }
            early.append((place, later))
            if early.count == 1 { lookAgain() }
            return nil
        }
        if waiting[place] != nil {
            waiting[place]?.append(later)
            return nil
        }
        waiting[place] = [later]
        let request = NodeRequests.write(
            database: place.database, retentionPolicy: place.retentionPolicy ?? "", precision: "n", body: []
        )
        NodeInquiry.ask(
            request, of: nodes, pool: pool, isUsable: { place.exists($0) || place.refusal($0) != nil }, on: eventLoop
        ) { [weak self] reply in self?.answered(place, reply) }
        return nil
    }

    private func lookAgain() {
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(10)) {
            let admission = here.value
            guard !admission.nodes().isEmpty || admission.eventLoop.now >= admission.startEnd else {
                return admission.lookAgain()
            }
            let waiting = admission.early
            admission.early = []
            for (place, later) in waiting {
                if let known = admission.existing(place, later: later) { later(known) }
            }
        }
    }

    private static func nobodyToAsk(_ place: Place) -> Response {
        var words = "database \(Quoting.identifier(place.database))"
        if let policy = place.retentionPolicy {
            let name = policy.isEmpty ? "default retention policy" : "retention policy \(Quoting.identifier(policy))"
            words = "\(name) in \(words)"
        }
        return .unavailable("no node in sync says whether there is a \(words); try again later", retryAfter: 1)
    }

    private func answered(_ place: Place, _ reply: NodeReply?) {
        let refusal = reply.flatMap(place.refusal)
        if reply != nil { recent[place] = (refusal, eventLoop.now) }
        if reply != nil, refusal == nil { schema.lookSoon() }
        let isChanging = schema.read { $0.isChanging(place.database) }
        let admission: Admission =
            switch (reply, refusal) {
            // A change has begun meanwhile.
            case _ where isChanging: .admitted
            case (nil, _): .refused(Self.nobodyToAsk(place))
            case (_, let refusal?): .refused(refusal)
            case (_, nil): .admitted
            }
        for waiter in waiting.removeValue(forKey: place) ?? [] { waiter(admission) }
    }
}
