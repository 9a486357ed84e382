// One run: a gateway, its nodes and its clients, all from one seed, with faults; every promise is checked on the way and
// at the end.

import Cluster
import CommitLog
import Gateway
import Logging
import NIOCore
import NodeClient
import Replication
import SimulatedDisk
import SimulatedInfluxDB

package struct RunOptions: Sendable {
    package var seed: UInt64
    package var operations = 5_000
    package var faults = 50
    /// Numbers of faults that are left out.
    package var without: Set<Int> = []
    package var isTraced = false
    /// Measurements lie on some of the nodes, by rules that the seed decides.
    package var isPlaced = false

    package init(seed: UInt64) { self.seed = seed }
}

package struct RunOutcome {
    package var violation: Violation?
    package var operations = 0
    package var acknowledged = 0
    package var reads = 0
    package var staleReads = 0
    package var faults = 0
    package var steps = 0
    package var copies = 0
    package var virtualTime: Int64 = 0
    package var trace: [String] = []
}

/// Sendable as ``Scheduler`` is.
package final class Run: @unchecked Sendable {
    let options: RunOptions
    let scheduler: Scheduler
    let gateway: SimulatedGateway
    let nodes: [SimulatedNode]
    let plan: [Fault]
    /// Of this run: not every run has lines that nodes refuse.
    let hasBadLines: Bool
    /// Nor is every run one of many statements that change data or schema.
    let hasManyChanges: Bool
    /// A disk has forgotten what it had confirmed, or changed it: these promises are void, and the checks know which.
    var hasLied = false
    var hasRotted = false
    /// nil: every node holds everything.
    let placement: Placement?
    private var delays = DelayWatch()
    /// When what was durable; where the log ended when it was opened last.
    private var durable: [(time: Int64, end: Offset)] = []
    private var openedEnd = Offset.zero
    var copy = LogCopy()
    var registers = Registers()
    var outcome = RunOutcome()
    var violation: Violation?
    /// While set, no new operations begin and nothing more goes wrong.
    var isCalm = false
    var startedOperations = 0
    var underWay = 0
    var nextValue = 1
    var loads: [Load] = []
    /// Nodes whose data was put back or thrown away, until they are in sync again.
    var tampered: Set<Int> = []
    /// Those of them, and others, that the gateway has not in sync: what a hung gateway last said does not count.
    private var noticed: Set<Int> = []
    var backups: [InfluxDisk] = []
    var isGatewayDue = false
    var troubled: [Int: Int64] = [:]
    /// Nodes that the operator has trusted: more of the same, a damaged place of the log after the other, needs no new
    /// thought.
    private(set) var trusted: Set<Int> = []
    /// Until when an operator wants a node left alone.
    var paused: [Int: Int64] = [:]
    /// The nodes that were last known to have everything.
    var lastInSync: [Int] = []

    package init(_ options: RunOptions) {
        self.options = options
        scheduler = Scheduler(seed: options.seed)
        var random = SplitMix(seed: options.seed ^ 0x5eed)
        let count = options.isPlaced ? random.pick([3, 4, 5]) : random.chance(70) ? 2 : 3
        let scheduler = scheduler
        nodes = (0..<count).map { index in
            var settings = InfluxServer.Settings()
            settings.processID = Int64(100 * (index + 1))
            return SimulatedNode(name: "n\(index)", scheduler: scheduler, settings: settings)
        }
        hasBadLines = random.chance(40)
        hasManyChanges = random.chance(30)
        let span = Int64(options.operations) * 20 * millisecond
        // Few runs have a disk that lies: behind it not everything can be checked.
        let lies = random.chance(10)
        // Where no node holds everything, no other one's data is a copy for it.
        plan = Fault.plan(
            options.faults, over: span, nodes: count,
            kinds: Fault.Kind.allCases.filter { kind in
                options.isPlaced ? !kind.needsCopies : kind != .diskLies || lies
            }, random: &random)

        var log = CommitLog.Configuration(directory: "/log")
        log.segmentBytes = random.pick([16 << 10, 64 << 10, 256 << 10])
        log.maximumBytes = max(64 * log.segmentBytes, 4 << 20)
        log.minimumFreeBytes = 0
        log.keptBytes = random.chance(50) ? 0 : 1 << 20
        log.maximumPendingBytes = 1 << 20
        log.maximumEntryBytes = 1 << 20
        log.spareSegments = 1
        log.identity = LogIdentity(id: LogID(high: options.seed, low: 1), secret: options.seed | 1)
        var settings = GatewaySettings(
            nodes: nodes.map { GatewaySettings.Node(name: $0.name, address: NodeAddress(host: $0.name, port: 8086)) },
            log: log)
        settings.eventLoops = 2
        if options.isPlaced { settings.placement = Placement.drawn(settings.placement.members, &random) }
        placement = options.isPlaced ? settings.placement : nil
        settings.ack = random.pick([.insync, .insync, .insync, .one, .quorum, .all])
        gateway = SimulatedGateway(
            settings: settings, nodes: nodes, disk: SimulatedFileSystem(seed: options.seed ^ 0xd15c),
            scheduler: scheduler, logger: Logger(label: "sim") { _ in SwiftLogNoOpLogHandler() })
        backups = nodes.map { $0.server.snapshot() }
    }

    // MARK: The run

    package func run() -> RunOutcome {
        prepare()
        let span = Int64(options.operations) * 20 * millisecond
        while violation == nil, !isCalm, startedOperations < options.operations || scheduler.now < span {
            guard scheduler.now < 10 * span + 600 * second else { break }
            turn()
        }
        if violation == nil { calmDown() }
        outcome.violation = violation
        outcome.operations = startedOperations
        outcome.steps = scheduler.steps
        outcome.virtualTime = scheduler.now
        return outcome
    }

    func turn() {
        guard scheduler.step() else { preconditionFailure("a simulation never runs out of events") }
        gateway.turnWheels()
        if gateway.disk.isDead, gateway.life != nil { gatewayCrashed() }
    }

    func fail(_ error: any Error) {
        guard violation == nil else { return }
        violation = error as? Violation ?? Violation("simulation", "\(error)")
        note("VIOLATION \(violation.map { "\($0)" } ?? "")")
    }

    func note(_ words: @autoclosure () -> String) {
        guard options.isTraced else { return }
        let time = scheduler.now
        let text = "\(time / second).\(String(1_000_000 + time % second / 1000).dropFirst())"
        outcome.trace.append("\(text) \(words())")
    }

    private func check(_ body: () throws -> Void) {
        guard violation == nil else { return }
        do { try body() } catch { fail(error) }
    }

    private func prepare() {
        // What a process wrote whose disk is gone is seen when the next one opens it.
        gateway.onDurable = { [unowned self] log in
            if !gateway.disk.isDead { check { try follow(log) } }
        }
        gateway.onOpened = { [unowned self] life in
            check {
                note("the gateway opens its log: \(life.log.start) to \(life.log.durableEnd), ours ends at \(copy.end)")
                try forgetLost(life.log)
                try copy.compare(life.log, mayHaveHoles: hasRotted || hasLied)
                try follow(life.log)
                openedEnd = copy.end
                delays = DelayWatch()
            }
        }
        gateway.onFailed = { [unowned self] words in
            note("the gateway ended by itself: \(words)")
            startGatewaySoon()
        }
        for node in nodes {
            node.onRequest = { [unowned self, unowned node] request in check { try arrived(request, at: node) } }
            node.onAnswer = { [unowned self, unowned node] answer in
                guard options.isTraced, answer.status >= 300 else { return }
                let words = String(decoding: answer.body.prefix(300), as: UTF8.self)
                note("\(node.name) answers \(answer.status) \(words)")
            }
        }
        gateway.start()
        for fault in plan where !options.without.contains(fault.number) {
            scheduler.at(fault.time) { [unowned self] in if !isCalm, violation == nil { strike(fault) } }
        }
        let writers = 4
        for number in 0..<writers { loads.append(Load(number, of: self)) }
        every(DelayWatch.period) { [unowned self] in watch() }
        every(second) { [unowned self] in operate() }
        every(3 * second) { [unowned self] in
            let index = Int.random(in: nodes.indices, using: &scheduler.random)
            if !nodes[index].server.hasDamage { backups[index] = nodes[index].server.snapshot() }
        }
    }

    private func every(_ period: Int64, _ body: @escaping () -> Void) {
        scheduler.after(period) { [unowned self] in
            body()
            every(period, body)
        }
    }

    private func forgetLost(_ log: CommitLog) throws {
        guard hasLied else { return }
        let lost = try copy.forgetLost(log)
        guard !lost.isEmpty else { return }
        note("the disk had lied: \(lost.count) records are gone, the first is \(lost[0].0)")
        try registers.forget(lost, remaining: copy.records)
    }

    /// What a read must at least show that was sent at this time and says that it may be this old; nil: it says nothing.
    func staleFloor(sentAt time: Int64, seconds: Int64?) -> Offset {
        // The age is taken at the resolution of the gateway's ticks.
        let moment = seconds.map { time - $0 * second - 2 * DelayWatch.period }
        let known = moment.flatMap { moment in durable.last { $0.time <= moment }?.end } ?? .zero
        let end = max(known, openedEnd)
        return end == .zero ? .zero : end.advanced(by: -1)
    }

    private func follow(_ log: CommitLog) throws {
        defer { if durable.last?.end != copy.end { durable.append((scheduler.now, copy.end)) } }
        for (offset, record) in try copy.follow(log) {
            note("record \(offset) is durable: \(record)")
            try registers.apply(offset, record)
        }
    }

    /// Nothing reaches a node that is not durable.
    private func arrived(_ request: SimulatedRequest, at node: SimulatedNode) throws {
        note(
            "\(node.name) gets \(request.method) \(request.path) \(request.parameters.map { "\($0)=\($1)" }) \(Self.brief(request.body))"
        )
        guard request.path == "/write", request.parameter("db") != "_sluice", !request.body.isEmpty else { return }
        for line in request.body.split(separator: UInt8(ascii: "\n")) {
            let digits = LoadLine.value(in: line)
            guard let value = digits, registers.isKnown(value) else {
                throw Violation(
                    "2 log",
                    "\(node.name) gets \(String(decoding: line, as: UTF8.self)), which is not in the durable log")
            }
        }
    }

    private static func brief(_ body: [UInt8]) -> String {
        body.split(separator: UInt8(ascii: "\n")).map { line in
            LoadLine.value(in: line).map(String.init) ?? String(decoding: line, as: UTF8.self)
        }.joined(separator: " ")
    }

    // MARK: The gateway

    func gatewayCrashed() {
        note("the gateway crashed within a file call")
        gateway.kill(isPowerLoss: scheduler.random.chance(50))
        startGatewaySoon()
    }

    func startGatewaySoon() {
        guard !isGatewayDue else { return }
        isGatewayDue = true
        scheduler.after(scheduler.random.time(millisecond...3 * second)) { [unowned self] in
            isGatewayDue = false
            // Somebody may have changed the configuration meanwhile.
            if scheduler.random.chance(20) {
                gateway.settings.ack = scheduler.random.pick([.insync, .one, .quorum, .all])
                gateway.settings.eventLoops = scheduler.random.pick([1, 2, 3])
            }
            if !gateway.start() { startGatewaySoon() }
            note("the gateway runs again")
        }
    }

    var snapshot: ClusterSnapshot? { gateway.life?.server?.view.current }

    // MARK: What must hold at any time

    private func watch() {
        guard violation == nil, let life = gateway.life, let snapshot else { return }
        check {
            guard snapshot.readSet.allSatisfy({ snapshot.ackSet.contains($0) }) else {
                throw Violation("3 read your acks", "\(snapshot.readSet) are read, \(snapshot.ackSet) are waited for")
            }
            for (index, node) in nodes.enumerated() {
                let cursor = life.log.cursor(node.name)
                if let cursor, cursor > life.log.durableEnd {
                    throw Violation("2 log", "\(node.name)'s cursor \(cursor) lies beyond \(life.log.durableEnd)")
                }
                let state = snapshot.nodes[index].state
                if state.isFed, let cursor, cursor < life.log.start {
                    throw Violation(
                        "9 retention", "\(node.name) is fed from \(cursor), the log begins at \(life.log.start)")
                }
                if state != .inSync {
                    noticed.insert(index)
                } else if noticed.remove(index) != nil {
                    tampered.remove(index)
                }
            }
            // Who is compared with whom follows from the replica sets, and is not told here.
            if !gateway.isStopped, placement == nil {
                try delays.note(
                    scheduler.now, durableEnd: life.log.durableEnd,
                    cursors: nodes.enumerated().map { index, node in
                        snapshot.ackSet.contains(NodeIndex(index)) ? life.log.cursor(node.name) ?? .zero : nil
                    })
            }
            let inSync = snapshot.readSet.map { Int($0.value) }
            if !inSync.isEmpty { lastInSync = inSync }
        }
    }

    /// A node that is read and that nobody has tampered with.
    func wholeNode(besides index: Int) -> Int? {
        snapshot?.readSet.map { Int($0.value) }.first { $0 != index && !tampered.contains($0) }
    }

    /// An operator who does what the status says.
    private func operate() {
        guard let snapshot, let control = gateway.life?.server?.control else { return }
        for (index, end) in paused where end < scheduler.now || isCalm {
            paused[index] = nil
            _ = control.resume(NodeIndex(index))
        }
        let waiting = nodes.indices.filter { snapshot.nodes[$0].state.awaitsOperator }
        if waiting.count == nodes.count, let first = lastInSync.first(where: { !tampered.contains($0) }),
            scheduler.now - (troubled[first] ?? scheduler.now) > (trusted.contains(first) ? 2 : 20) * second
        {
            trusted.insert(first)
            note("the operator trusts \(nodes[first].name): \(snapshot.nodes[first].obstacle)")
            outcome.copies += 1
            troubled[first] = nil
            _ = control.trust(NodeIndex(first), dryRun: false)
        }
        for (index, node) in nodes.enumerated() where node.isRunning {
            let state = snapshot.nodes[index].state
            guard state.awaitsOperator else {
                troubled[index] = nil
                continue
            }
            let since = troubled[index] ?? scheduler.now
            troubled[index] = since
            guard scheduler.now - since > 15 * second,
                let source = wholeNode(besides: index)
            else { continue }
            note(
                "the operator copies the data of \(nodes[source].name) to \(node.name): \(snapshot.nodes[index].obstacle)"
            )
            outcome.copies += 1
            troubled[index] = nil
            node.kill()
            tampered.insert(index)
            node.replaceDisk(with: nodes[source].server.snapshot())
            node.start()
        }
    }

    // MARK: The end

    private func calmDown() {
        note("calm")
        isCalm = true
        gateway.goOn()
        gateway.clients.heal()
        gateway.clients.delay = 50 * microsecond...300 * microsecond
        gateway.syncTime = 100 * microsecond...millisecond
        gateway.disk.disk.withLock { disk in
            disk.capacity = .max
            disk.liesAboutSyncs = false
            disk.fault = nil
            disk.crashAtStep = nil
            disk.crashAfterNewSegment = nil
        }
        for node in nodes {
            node.temper = SimulatedNode.Temper()
            node.link.heal()
            node.link.delay = 50 * microsecond...300 * microsecond
            node.goOn()
            node.start()
        }
        if gateway.life == nil { startGatewaySoon() }
        let limit = scheduler.now + 300 * second
        while violation == nil, !isAtRest {
            guard scheduler.now < limit else {
                let states = snapshot?.nodes.map { "\($0.name) \($0.state.word) (\($0.obstacle)) \($0.trouble)" } ?? []
                return fail(
                    Violation(
                        "11 liveness",
                        "five minutes after the last fault: \(underWay) requests under way; \(states.joined(separator: "; "))"
                    ))
            }
            turn()
        }
        let rest = scheduler.now + 2 * second
        while violation == nil, scheduler.now < rest { turn() }
        check { try compareAtRest() }
    }

    private var isAtRest: Bool {
        guard underWay == 0, let life = gateway.life, let snapshot else { return false }
        return snapshot.nodes.indices.allSatisfy { snapshot.nodes[$0].state == .inSync }
            && nodes.allSatisfy { life.log.cursor($0.name) == life.log.durableEnd }
    }
}

extension Placement {
    /// Rules of every kind for the load's measurements.
    fileprivate static func drawn(_ members: [Member], _ random: inout SplitMix) -> Placement {
        func some() -> PlacementTarget {
            let count = Int.random(in: 1...min(3, members.count), using: &random)
            return .nodes(NodeSet(Array(members.indices).shuffled(using: &random).prefix(count).map(NodeIndex.init)))
        }
        var rules = PlacementRules(fallback: .hash(replicas: random.pick([1, 2, 2, 2, 3]), .first(members.count)))
        if random.chance(50) { rules.measurements["ma"] = some() }
        if random.chance(30) { rules.patterns = [.init(NamePattern("m?"), some())] }
        let own = random.chance(40) ? PlacementRules(measurements: ["mb": some()], fallback: .all) : nil
        return Placement(members: members, rules: rules, databases: own.map { ["db": $0] } ?? [:])
    }
}

extension SyncState {
    fileprivate var awaitsOperator: Bool {
        switch self {
        case .needsCopy, .detached: true
        default: false
        }
    }
}
