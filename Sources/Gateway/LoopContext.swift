// What the endpoints of one event loop share. Confined to that loop.

import Cluster
import CommitLog
import Logging
import NIOCore
import NodeClient
import Querying
import Replication
import Synchronization

final class LoopContext: ReadTargets {
    let eventLoop: any EventLoop
    let settings: GatewaySettings
    let view: ClusterView
    let log: CommitLog
    let loopLog: LoopLog
    let acks: LoopAcks
    let replicaSets: ReplicaSetTable
    var placement: PlacementCache
    /// Nodes for which acknowledgements wait while they are in sync.
    let waitedFor: NodeSet
    /// By `Exchange.listener`: the most bytes of a request's body.
    let bodyBytes: [Int]
    /// Where recent writes went.
    var writeTargets = KnownWriteTargets()
    let figures: GatewayFigures
    let logger: Logger
    let schema: SharedSchema
    /// nil: the gateway asks nobody who they are.
    let access: (any AccessControl)?
    let admission: WriteAdmission
    private let pools: [NodePool]
    /// For small questions, so that they never wait behind long reads: with the gateway's own credential, and without.
    private let questionPools: [NodePool]
    private let checkPools: [NodePool]
    /// Reads under way, by node.
    private var outstanding: [Int]
    private var turn = 0
    private let started: NIODeadline
    let line: QueryLine

    init(
        eventLoop: any EventLoop, settings: GatewaySettings, connector: any NodeConnector, view: ClusterView,
        log: CommitLog, loopLog: LoopLog, acks: LoopAcks, replicaSets: ReplicaSetTable, figures: GatewayFigures,
        schema: SharedSchema, logger: Logger
    ) {
        self.eventLoop = eventLoop
        started = eventLoop.now
        self.settings = settings
        self.view = view
        self.log = log
        self.loopLog = loopLog
        self.acks = acks
        self.replicaSets = replicaSets
        placement = PlacementCache(settings.placement)
        waitedFor = NodeSet(settings.nodes.indices.filter { settings.nodes[$0].role.isWaitedFor }.map(NodeIndex.init))
        bodyBytes = settings.allListeners.indices.map(settings.bodyBytes(ofListener:))
        self.figures = figures
        self.logger = logger
        self.schema = schema
        let questionPools = settings.nodes.map {
            NodePool(
                eventLoop: eventLoop, address: $0.address, limits: $0.limits(settings.questionPool),
                credential: $0.credential,
                connector: connector)
        }
        self.questionPools = questionPools
        let inSync = { NodeChoice.forQuestions(view.current).inSync }
        let access: (any AccessControl)?
        switch settings.access {
        case .none:
            checkPools = []
            access = nil
        case .users(let hasher, let users):
            checkPools = []
            access = UsersAccess(eventLoop: eventLoop, hasher: hasher, users: users, figures: figures)
        case .nodes(let hasher):
            let checkPools = settings.nodes.map {
                NodePool(
                    eventLoop: eventLoop, address: $0.address, limits: $0.limits(settings.questionPool),
                    connector: connector)
            }
            self.checkPools = checkPools
            access = NodesAccess(
                eventLoop: eventLoop, hasher: hasher, epoch: schema.accessEpoch, figures: figures,
                nodes: {
                    let nodes = NodeChoice.forQuestions(view.current)
                    return nodes.inSync + nodes.others
                },
                pool: { checkPools[Int($0.value)] }
            )
        }
        self.access = access
        let nodesJudgeReads = access?.nodesJudgeReads ?? true
        pools = settings.nodes.map {
            NodePool(
                eventLoop: eventLoop, address: $0.address, limits: $0.limits(settings.queryPool),
                credential: nodesJudgeReads ? nil : $0.credential, connector: connector)
        }
        admission = WriteAdmission(
            eventLoop: eventLoop, schema: schema, access: access, nodes: inSync,
            pool: { questionPools[Int($0.value)] }
        )
        line = QueryLine(
            eventLoop: eventLoop, limits: settings.limits.queries, wait: settings.limits.queryWait, figures: figures)
        outstanding = Array(repeating: 0, count: settings.nodes.count)
    }

    func close() {
        for pool in pools + questionPools + checkPools { _ = pool.close(force: true) }
    }

    /// Who may be read now, the most welcome first.
    var available: [NodeIndex] {
        let turn = nextTurn()
        let candidates = readable.inSync.filter { !$0.isSuspect }
        let order = candidates.indices.map { candidates[(turn + $0) % candidates.count] }
        return order.sorted { ($0.isInOwnZone ? 0 : 1, $0.outstanding) < ($1.isInOwnZone ? 0 : 1, $1.outstanding) }
            .map(\.node)
    }

    /// For a read of what lies on some nodes.
    func within(_ scope: ReadScope?) -> (nodes: NodeSet, words: String)? {
        scope.map { (nodes: $0.nodes, words: $0.words(settings.nodes.map(\.name))) }
    }

    /// A number that differs from read to read.
    func nextTurn() -> Int {
        turn &+= 1
        return turn & Int.max
    }

    /// What the nodes call themselves, for `X-Influxdb-Version`.
    var version: String {
        view.current.nodes.first { !$0.version.isEmpty }?.version ?? settings.fallbackVersion
    }

    /// For people.
    func names(_ nodes: NodeSet) -> String {
        "{" + nodes.map { settings.nodes[Int($0.value)].name }.joined(separator: ", ") + "}"
    }

    // MARK: ReadTargets

    var readable: ReadableNodes {
        let snapshot = view.current
        let candidates = snapshot.readSet.map { node in
            NodeChoice.Candidate(
                node: node, isSuspect: snapshot[node].missedPings > 0,
                isInOwnZone: snapshot[node].zone == settings.zone, outstanding: outstanding[Int(node.value)]
            )
        }
        return ReadableNodes(
            inSync: candidates,
            stale: snapshot.standIns(asyncLag: settings.asyncLag.nanoseconds),
            anyUp: snapshot.upCount > 0,
            isStarting: eventLoop.now - started < settings.read.waitForSyncAtStart
        )
    }

    func timeouts(of node: NodeIndex) -> NodeTimeouts { settings.nodes[Int(node.value)].timeouts }

    func diverged(_ footprint: ReadFootprint) -> NodeSet {
        let divergences = view.current.divergences
        if divergences.isEmpty { return NodeSet() }
        return NodeSet(
            divergences.filter {
                footprint.touches(database: $0.place.database, measurement: $0.place.measurement)
            }.map(\.node))
    }

    /// The node that answers a read hears from whom it is, and refuses those who may not.
    var nodesJudgeReads: Bool { access?.nodesJudgeReads ?? true }

    /// Which databases a list of all of them shows.
    func shownDatabases(to credential: ClientCredential) -> (String) -> Bool {
        access?.shownDatabases(to: credential) ?? { _ in true }
    }

    /// For clients' reads, which carry the clients' credentials, or the gateway's where nodes hear of no client.
    func pool(for node: NodeIndex) -> NodePool { pools[Int(node.value)] }
    /// For the gateway's own questions, which carry its own.
    func questionPool(for node: NodeIndex) -> NodePool { questionPools[Int(node.value)] }
    func began(on node: NodeIndex) { outstanding[Int(node.value)] += 1 }
    func ended(on node: NodeIndex) { outstanding[Int(node.value)] -= 1 }

    func staleness(of node: NodeIndex) -> Int64? {
        let node = view.current[node]
        if node.state == .inSync { return nil }
        return node.state.isFed ? node.backlogAge : .max
    }
}

/// What the endpoints count, over all loops.
package final class GatewayFigures: Sendable {
    package let writes = Counter()
    package let writtenLines = Counter()
    package let writtenBytes = Counter()
    package let badLines = Counter()
    /// Lines that no placement rule places (L11).
    package let unplacedLines = Counter()
    /// Writes that were answered 204.
    package let acknowledged = Counter()
    /// Writes that were answered 500 `timeout`; their records stay.
    package let timedOut = Counter()
    /// Writes and mutations that were answered 503 before anything was logged.
    package let refused = Counter()
    package let queries = Counter()
    package let mutations = Counter()
    /// Requests of which nothing ran, by the rule that refused them.
    package let queriesRefusedByPolicy = Dictionary(
        uniqueKeysWithValues: Policy.Rule.allCases.map { ($0, Counter()) })
    package let writesRefusedByPolicy = Counter()
    /// `CREATE DATABASE` of one that exists: answered without a record.
    package let knownDatabases = Counter()
    /// Questions to nodes whether a client may do something.
    package let accessChecks = Counter()
    package let staleReads = Counter()
    package let failedReads = Counter()
    /// Queries that run, and those that wait for their turn.
    package let runningQueries = Atomic<Int>(0)
    package let waitingQueries = Atomic<Int>(0)
    /// Queries that were answered 503 because too many ran.
    package let crowdedOut = Counter()
    /// Bytes of request bodies in memory.
    package let bodyBytes = Atomic<Int>(0)

    package init() {}
}

extension NodeChoice {
    /// Who can be asked, those that answer pings first.
    fileprivate static func forQuestions(_ snapshot: ClusterSnapshot) -> (inSync: [NodeIndex], others: [NodeIndex]) {
        let inSync = snapshot.readSet.sorted { snapshot[$0].missedPings < snapshot[$1].missedPings }
        let others = snapshot.nodes.indices.map { NodeIndex($0) }
            .filter { !snapshot.readSet.contains($0) && snapshot[$0].isUp }
        return (inSync, others)
    }
}
