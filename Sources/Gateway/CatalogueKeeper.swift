// Keeps the catalogue up to date: looks at an in-sync node after each change of the schema, when the read set changes,
// and every ten seconds, because somebody may have changed a node behind the gateway's back.

import Cluster
import CommitLog
import InfluxQL
import NIOConcurrencyHelpers
import NIOCore
import NodeClient
import Querying
import Replication

/// What all loops know of users and databases.
final class SharedSchema: Sendable {
    let accessEpoch = AccessEpoch()
    private let ledger = NIOLockedValueBox(SchemaLedger())
    private let keeper = NIOLockedValueBox<NIOLoopBound<CatalogueKeeper>?>(nil)

    /// Takes an uncontended lock, and mostly one look into a dictionary.
    func read<T>(_ body: (SchemaLedger) -> T) -> T { ledger.withLockedValue { body($0) } }
    func update<T>(_ body: (inout SchemaLedger) -> T) -> T { ledger.withLockedValue(body) }

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
    private let pool: (NodeIndex) -> NodePool
    private var ticks: RepeatedTask?
    private var isLooking = false
    private var isWanted = true
    private var lastReadSet = NodeSet()
    private var nextLook = NIODeadline.now()
    /// After a look that failed.
    private var retryAt = NIODeadline.now()

    private static let period = TimeAmount.seconds(10)
    private static let pauseAfterFailure = TimeAmount.milliseconds(500)

    init(context: LoopContext) {
        eventLoop = context.eventLoop
        schema = context.schema
        view = context.view
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
        guard !isLooking, let node = snapshot.readSet.first(where: { snapshot[$0].missedPings == 0 }) else { return }
        let now = NIODeadline.now()
        if snapshot.readSet != lastReadSet || schema.read({ $0.isWorthALook(cursor: snapshot[node].cursor) }) {
            isWanted = true
        }
        guard isWanted || now >= nextLook, now >= retryAt else { return }
        lastReadSet = snapshot.readSet
        look(at: node, cursor: snapshot[node].cursor)
    }

    private func look(at node: NodeIndex, cursor: Offset) {
        isLooking = true
        isWanted = false
        let look = schema.read { $0.beginLook(cursor: cursor) }
        ask("SHOW DATABASES", node) { [weak self] results in
            guard let names = results?.first?.firstColumn else { self?.ended(look, nil); return }
            guard !names.isEmpty else { self?.ended(look, Catalogue()); return }
            let question = names.map { "SHOW RETENTION POLICIES ON " + Quoting.identifier($0) }.joined(separator: "; ")
            self?.ask(question, node) { results in
                self?.ended(look, results.flatMap { Catalogue(names: names, policies: $0) })
            }
        }
    }

    private func ask(_ question: String, _ node: NodeIndex, then: @escaping ([ResultJSON]?) -> Void) {
        let request = NodeRequest(
            method: .POST, target: "/query", headers: [("Content-Type", "application/x-www-form-urlencoded")],
            body: [ByteBuffer(string: "q=" + NodeRequests.percentEncoded(question))]
        )
        NodeInquiry.ask(request, of: [node], pool: pool, on: eventLoop) { reply in
            let isGood = reply?.status == 200 && reply?.error == ""
            then(isGood ? reply.flatMap { ResultJSON($0.body) }?["results"]?.elements : nil)
        }
    }

    private func ended(_ look: SchemaLedger.Look, _ catalogue: Catalogue?) {
        isLooking = false
        let now = NIODeadline.now()
        guard let catalogue else {
            isWanted = true
            retryAt = now + Self.pauseAfterFailure
            return
        }
        nextLook = now + Self.period
        schema.update { $0.learn(catalogue, from: look) }
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
                defaultPolicy: rows.first { $0[defaultColumn].isTrue }?[nameColumn].string
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
