// Keeps the catalogue up to date: looks at the in-sync nodes after each change of the schema, when the read set changes,
// and every ten seconds, because somebody may have changed a node behind the gateway's back.

import Cluster
import CommitLog
import InfluxQL
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NodeClient
import Querying
import Replication

/// What all loops know of users and databases.
final class SharedSchema: Sendable {
    let accessEpoch = AccessEpoch()
    private let ledger: NIOLockedValueBox<SchemaLedger>
    private let memory: SchemaMemory
    private let keeper = NIOLockedValueBox<NIOLoopBound<CatalogueKeeper>?>(nil)

    init(memory: SchemaMemory) {
        self.memory = memory
        ledger = NIOLockedValueBox(SchemaLedger(recalled: memory.recalled))
    }

    /// Takes an uncontended lock, and mostly one look into a dictionary.
    func read<T>(_ body: (SchemaLedger) -> T) -> T { ledger.withLockedValue { body($0) } }
    func update<T>(_ body: (inout SchemaLedger) -> T) -> T { ledger.withLockedValue(body) }
    /// What it does to what will still be there after a restart is remembered.
    func updateMemorable<T>(_ body: (inout SchemaLedger) -> T) -> T {
        ledger.withLockedValue { ledger in
            defer { memory.keep(ledger.memorable) }
            return body(&ledger)
        }
    }

    func keep(by keeper: NIOLoopBound<CatalogueKeeper>) { self.keeper.withLockedValue { $0 = keeper } }

    /// The catalogue lacks something.
    func lookSoon() {
        guard let keeper = keeper.withLockedValue({ $0 }) else { return }
        keeper.eventLoop.execute { keeper.value.lookNow() }
    }
}

/// Confined to one event loop.
final class CatalogueKeeper {
    private let eventLoop: any EventLoop
    private let schema: SharedSchema
    private let view: ClusterView
    private let logger: Logger
    private let pool: (NodeIndex) -> NodePool
    private var ticks: RepeatedTask?
    /// Nodes that were complained of.
    private var closed = NodeSet()
    private var isLooking = false
    private var isWanted = true
    private var lastReadSet = NodeSet()
    private var nextLook: NIODeadline
    /// After a look that failed.
    private var retryAt: NIODeadline

    private static let period = TimeAmount.seconds(10)
    private static let pauseAfterFailure = TimeAmount.seconds(1)

    init(context: LoopContext) {
        eventLoop = context.eventLoop
        nextLook = eventLoop.now
        retryAt = eventLoop.now
        schema = context.schema
        view = context.view
        logger = context.logger
        pool = { [unowned context] in context.questionPool(for: $0) }
    }

    func start() {
        let here = NIOLoopBound(self, eventLoop: eventLoop)
        ticks = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { _ in
            here.value.tick()
        }
    }

    func stop() { ticks?.cancel() }

    func lookNow() {
        isWanted = true
        tick()
    }

    private func tick() {
        let snapshot = view.current
        guard !isLooking, let cursor = snapshot.readSet.map({ snapshot[$0].cursor }).min() else { return }
        let now = eventLoop.now
        if snapshot.readSet != lastReadSet || schema.read({ $0.isWorthALook(cursor: cursor) }) { isWanted = true }
        guard isWanted || now >= nextLook, now >= retryAt else { return }
        lastReadSet = snapshot.readSet
        isLooking = true
        isWanted = false
        let look = schema.read { $0.beginLook(cursor: cursor) }
        collect(from: Array(snapshot.readSet)[...], found: [], for: look)
    }

    /// One node after the other: what they agree on counts.
    private func collect(from nodes: ArraySlice<NodeIndex>, found: [Catalogue], for look: SchemaLedger.Look) {
        guard let node = nodes.first else { return ended(look, Catalogue(agreedBy: found)) }
        read(node) { [weak self] catalogue in
            guard let catalogue else { self?.ended(look, nil); return }
            self?.collect(from: nodes.dropFirst(), found: found + [catalogue], for: look)
        }
    }

    /// nil: the node gave no answer, or not the one of a moment.
    private func read(_ node: NodeIndex, then: @escaping (Catalogue?) -> Void) {
        ask("SHOW DATABASES", node) { [weak self] results in
            guard let self, let names = results?.first?.firstColumn else { return then(nil) }
            guard !names.isEmpty else { return then(Catalogue()) }
            let question = names.map { "SHOW RETENTION POLICIES ON " + Quoting.identifier($0) }.joined(separator: "; ")
            ask(question, node) { results in
                then(results.flatMap { Catalogue(names: names, policies: $0) })
            }
        }
    }

    private func ask(_ question: String, _ node: NodeIndex, then: @escaping ([ResultJSON]?) -> Void) {
        let request = NodeRequest(
            method: .POST, target: "/query", headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: [ByteBuffer(string: "q=" + NodeRequests.percentEncoded(question))]
        )
        NodeInquiry.ask(request, of: [node], pool: pool, on: eventLoop) { [weak self] reply in
            self?.watchAccess(node, reply)
            let isGood = reply?.status == 200 && reply?.error == ""
            then(isGood ? reply.flatMap { ResultJSON($0.body) }?["results"]?.elements : nil)
        }
    }

    /// A node that does not let the gateway in is known before the first write finds out.
    private func watchAccess(_ node: NodeIndex, _ reply: NodeReply?) {
        guard let reply else { return }
        guard reply.status == 401 || reply.status == 403 else {
            closed.remove(node)
            return
        }
        guard !closed.contains(node) else { return }
        closed.insert(node)
        let answer = NodeAnswer(status: reply.status, isFromInfluxDB: true, message: reply.error)
        logger.error(
            "a node does not let the gateway in",
            metadata: ["node": "\(view.current[node].name)", "reason": "\(answer.accessAdvice)"])
    }

    private func ended(_ look: SchemaLedger.Look, _ catalogue: Catalogue?) {
        isLooking = false
        let now = eventLoop.now
        guard let catalogue else {
            isWanted = true
            retryAt = now + Self.pauseAfterFailure
            return
        }
        nextLook = now + Self.period
        schema.updateMemorable { $0.learn(catalogue, from: look) }
        // What changed meanwhile.
        tick()
    }
}

extension Catalogue {
    /// - Parameter policies: the results of SHOW RETENTION POLICIES for the databases, in order.
    fileprivate init?(names: [String], policies: [ResultJSON]) {
        guard names.count == policies.count else { return nil }
        self.init()
        for (name, result) in zip(names, policies) {
            let series = result["series"]?.elements.first
            let columns = series?["columns"]?.elements.map(\.string) ?? []
            guard let nameColumn = columns.firstIndex(of: "name"), let defaultColumn = columns.firstIndex(of: "default")
            else { return nil }
            let rows = (series?["values"]?.elements ?? []).map(\.elements).filter { $0.count == columns.count }
            databases[name] = Database(
                policies: Set(rows.compactMap { $0[nameColumn].string }),
                defaultPolicy: rows.first { $0[defaultColumn].literal == "true" }?[nameColumn].string
            )
        }
    }
}

extension ResultJSON {
    /// Of a result with one series of one column; nil: it has another shape.
    fileprivate var firstColumn: [String]? {
        guard let series = self["series"]?.elements.first, series["columns"]?.elements.count == 1 else { return nil }
        return (series["values"]?.elements ?? []).compactMap { $0.elements.first?.string }
    }
}
