// The nodes' users may what the nodes say, on one event loop: looks what is known, asks a node otherwise. Requests that
// wait for the same answer share one question.

import Cluster
import InfluxQL
import NIOCore
import NodeClient
import Querying
import Synchronization

/// Counts changes of users and databases, over all loops: what was learned before one is forgotten.
final class AccessEpoch: Sendable {
    private let value = Atomic<Int>(0)

    var current: Int { value.load(ordering: .acquiring) }
    func advance() { value.add(1, ordering: .acquiringAndReleasing) }
}

final class NodesAccess: AccessControl {
    private struct Key: Hashable {
        let digest: CredentialDigest
        let epoch: Int
    }

    private let eventLoop: any EventLoop
    private let hasher: any CredentialHasher
    private let epoch: AccessEpoch
    private let figures: GatewayFigures
    private let nodes: () -> [NodeIndex]
    private let pool: (NodeIndex) -> NodePool
    private var cache: AccessCache<(response: Response, error: String)>
    private var waiting: [Key: [(AccessVerdict) -> Void]] = [:]

    /// - Parameters:
    ///   - nodes: who can be asked, the best first.
    ///   - pool: of connections that add no credential of their own.
    init(
        eventLoop: any EventLoop, hasher: any CredentialHasher, epoch: AccessEpoch, figures: GatewayFigures,
        nodes: @escaping () -> [NodeIndex], pool: @escaping (NodeIndex) -> NodePool
    ) {
        self.eventLoop = eventLoop
        self.hasher = hasher
        self.epoch = epoch
        self.figures = figures
        self.nodes = nodes
        self.pool = pool
        cache = AccessCache(epoch: epoch.current)
    }

    func known(_ question: AccessQuestion, for credential: ClientCredential) -> AccessVerdict? {
        known(key(question, credential))
    }

    private func key(_ question: AccessQuestion, _ credential: ClientCredential) -> Key {
        Key(digest: hasher.digest(of: question.bytes + [0] + credential.bytes), epoch: epoch.current)
    }

    private func known(_ key: Key) -> AccessVerdict? {
        switch cache.answer(key.digest, epoch: key.epoch, now: eventLoop.now) {
        case .allowed: .allowed
        case .refused(let refusal): .refused(refusal.response, error: refusal.error)
        case .unknown: nil
        }
    }

    func verdict(
        _ question: AccessQuestion, for credential: ClientCredential, later: @escaping (AccessVerdict) -> Void
    ) -> AccessVerdict? {
        let key = key(question, credential)
        if let known = known(key) { return known }
        if waiting[key] != nil {
            waiting[key]?.append(later)
            return nil
        }
        waiting[key] = [later]
        figures.accessChecks.add(1)
        NodeInquiry.ask(
            question.request(as: credential), of: nodes(), pool: pool,
            isUsable: { question.answer($0) != nil }, on: eventLoop
        ) { [weak self] reply in self?.answered(key, reply.flatMap { question.answer($0) }) }
        return nil
    }

    private func answered(_ key: Key, _ answer: AccessQuestion.Answer?) {
        let now = eventLoop.now
        let verdict: AccessVerdict
        switch answer {
        case .allowed:
            cache.learn(key.digest, refusal: nil, epoch: key.epoch, now: now)
            verdict = .allowed
        case .refused(let response, let error):
            cache.learn(key.digest, refusal: (response, error), epoch: key.epoch, now: now)
            verdict = .refused(response, error: error)
        case nil:
            let isRemembered = cache.remembers(key.digest, epoch: epoch.current, now: now)
            verdict = isRemembered ? .allowed : .unavailable
        }
        for waiter in waiting.removeValue(forKey: key) ?? [] { waiter(verdict) }
    }

    // MARK: AccessControl

    var nodesJudgeReads: Bool { true }
    var knowsDatabases: Bool { true }

    func authorize(
        _ statements: [Statement], _ request: StatementContext, as credential: ClientCredential,
        whenDone: @escaping (Response?) -> Void
    ) {
        StatementAccess(statements, request, credential, self, whenDone: whenDone).start()
    }

    /// The node that answers has left out what it does not show.
    func shownDatabases(to credential: ClientCredential) -> (String) -> Bool { { _ in true } }
}
