// One run: clients and faults in rounds, and at the end of each round everything is put right and checked.

import Foundation
import Synchronization
import TestSupport

package struct ChaosSettings: Sendable {
    package var seed: UInt64 = 1
    package var nodes = 2
    package var kinds: [FaultKind] = FaultKind.usual
    /// The run ends at the end of the round in which one of these is reached.
    package var duration: Duration = .seconds(60)
    /// Kills of the gateway and as many of nodes; overrides `duration`.
    package var kills: Int?
    package var faultsPerRound = 12
    /// Between the beginnings of two faults, in seconds.
    package var pause: ClosedRange<Double> = 0.2...2
    package var writers = 3
    package var appenders = 2
    package var readers = 3
    /// Between a client's answer and its next request.
    package var clientPause: Duration = .milliseconds(5)
    package var isConfined = true
    package var isVerbose = false
    package var folder: URL

    package init(folder: URL) {
        self.folder = folder
    }
}

package final class ChaosRun: Sendable {
    private let settings: ChaosSettings
    private let world: World
    private let timeline: Timeline
    private let tally = Tally()
    private let gate = Gate()
    private let book: RegisterBook
    private let appends = AppendBook()
    private let mutator: Mutator
    private let bad: BadClient
    private let clients: [any ChaosClient]
    private let faults = Tally()
    private let copies = Tally()

    package init(_ settings: ChaosSettings) async throws {
        self.settings = settings
        timeline = Timeline(isVerbose: settings.isVerbose)
        var worldSettings = World.Settings(folder: settings.folder)
        worldSettings.nodes = settings.nodes
        worldSettings.seed = settings.seed
        worldSettings.kinds = settings.kinds
        worldSettings.isConfined = settings.isConfined
        world = try await World(worldSettings, timeline)
        book = RegisterBook(timeline)
        var gateway = world.gateway.client
        gateway.timeout = .seconds(30)
        let side = ClientSide(
            gateway: gateway, book: book, tally: tally, timeline: timeline, pause: settings.clientPause)
        mutator = Mutator(seed: settings.seed, side)
        bad = BadClient(seed: settings.seed, side)
        var clients: [any ChaosClient] = [mutator, bad]
        for number in 0..<settings.writers { clients.append(RegisterWriter(number, seed: settings.seed, side)) }
        for number in 0..<settings.appenders { clients.append(Appender(number, seed: settings.seed, side, appends)) }
        for number in 0..<settings.readers {
            clients.append(RegisterReader(number, writers: settings.writers, seed: settings.seed, side))
        }
        self.clients = clients
    }

    /// Throws what was found wrong, with the story that led to it. All processes have ended either way.
    package func run() async throws {
        do {
            try await prepare()
            let tasks = clients.map { client in Task { await gate.loop { try await client.step() } } }
            do {
                try await rounds()
            } catch {
                gate.fail(error)
            }
            gate.end()
            for task in tasks { await task.value }
            try gate.requireNoFailure()
            await world.end()
        } catch {
            await world.end(evidence: settings.folder)
            try? timeline.all.write(
                to: settings.folder.appendingPathComponent("timeline"), atomically: true, encoding: .utf8)
            throw TestFailure(
                """
                seed \(settings.seed): \(error)

                the last faults (all: \(settings.folder.path)/timeline):
                \(timeline.tail(60))
                """)
        }
    }

    private func prepare() async throws {
        try await world.start()
        timeline.note("all nodes are in-sync")
        let client = world.gateway.client
        for database in 0..<RegisterWriter.databases { try await client.execute("CREATE DATABASE c\(database)") }
        try await client.execute("CREATE DATABASE \(BadClient.db)")
        let reply = try await client.write(BadClient.first, db: BadClient.db)
        if reply.status != 204 { throw TestFailure("the first write was answered \(reply)") }
    }

    private func rounds() async throws {
        var plan = FaultPlan(seed: settings.seed, kinds: settings.kinds, nodes: settings.nodes, pause: settings.pause)
        var verified: [AppendBook.Round] = []
        let verification = Verification(
            world: world, book: book, appends: appends, mutator: mutator, bad: bad, timeline: timeline)
        var round = 0
        var isLast = false
        while !isLast {
            round += 1
            let before = timeline.elapsed
            try await provoke(&plan)
            try await putRight()
            try await gate.close(within: .seconds(90))
            try gate.requireNoFailure()
            try await world.gateway.waitUntilDrained(within: .seconds(90))
            isLast = isOver
            let atRest = timeline.elapsed
            try await verification.run(past: &verified, isLast: isLast)
            let vitals = try requireBounds()
            timeline.say(
                """
                round \(round): \(stamp(atRest - before)) s, checked in \(stamp(timeline.elapsed - atRest)) s, good; \
                \(faults[FaultKind.killGateway.rawValue]) kills of the gateway, \
                \(faults[FaultKind.killNode.rawValue]) of nodes; \(tally["writers acknowledged"]) and \
                \(tally["appenders acknowledged"]) writes acknowledged, \(tally["readers good"]) reads; \(vitals)
                """)
            if !isLast { gate.open() }
        }
        timeline.say("faults: \(faults.description)")
        timeline.say("requests: \(tally.description)")
        timeline.say("\(Self.copied): \(copies[Self.copied])")
    }

    private var isOver: Bool {
        guard let kills = settings.kills else { return timeline.elapsed >= settings.duration }
        return faults[FaultKind.killGateway.rawValue] >= kills && faults[FaultKind.killNode.rawValue] >= kills
    }

    /// Faults at random for one round; those that last end by themselves.
    private func provoke(_ plan: inout FaultPlan) async throws {
        let inUse = InUse()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<settings.faultsPerRound {
                let (pause, fault) = plan.next()
                try await Task.sleep(for: pause)
                try gate.requireNoFailure()
                let needed = fault.resources(nodes: settings.nodes)
                guard inUse.take(needed) else { continue }
                group.addTask {
                    try await self.provoke(fault)
                    inUse.giveBack(needed)
                }
            }
            try await group.waitForAll()
        }
    }

    private func provoke(_ fault: Fault) async throws {
        if fault.kind == .fillLog {
            // Nodes that lag would be given up for good.
            do { try await world.gateway.waitUntilInSync(within: .seconds(20)) } catch {
                return timeline.note("\(fault): left out, not all nodes are in-sync")
            }
        }
        timeline.note("\(fault) for \(fault.hold)")
        faults.add(fault.kind.rawValue)
        try await world.begin(fault)
        try await Task.sleep(for: fault.hold)
        try await world.end(fault)
        timeline.note("\(fault): over")
    }

    /// Liveness: with no fault left all nodes become in-sync under load.
    private func putRight() async throws {
        do {
            try await world.gateway.waitUntilHealthy(within: .seconds(60))
            for node in world.nodes { try await node.waitUntilUp() }
            let took = try await timed { try await waitUntilInSync() }.took
            timeline.note("all nodes are in-sync after \(took)")
            try world.requireAlive()
        } catch let violation as Violation {
            throw violation
        } catch {
            throw Violation("no fault is left, yet: \(error)")
        }
    }

    /// A kill can leave a shard that InfluxDB does not open any more. The gateway says so and asks for a copy, and here is
    /// the operator who makes it.
    private func waitUntilInSync() async throws {
        try await eventually("all nodes are in-sync", within: .seconds(90)) {
            let nodes = try await world.gateway.status().nodes
            if nodes.allSatisfy(\.isInSync) { return true }
            let damaged = nodes.firstIndex {
                $0.sync == "needs-copy" && $0.reason?.contains("InfluxDB could not open") == true
            }
            if let damaged, let source = nodes.firstIndex(where: \.isInSync) {
                timeline.say(
                    "\(nodes[damaged].name) is copied from \(nodes[source].name): \(nodes[damaged].reason ?? "")")
                try await world.copy(from: source, to: damaged)
                copies.add(Self.copied)
            }
            throw TestFailure(nodes.map { "\($0)" }.joined(separator: ", "))
        }
    }

    private static let copied = "nodes copied because InfluxDB damaged a shard"

    /// The gateway's memory, descriptors and threads, which no fault may make grow.
    private func requireBounds() throws -> Vitals {
        guard let process = world.gateway.process, let vitals = Vitals(of: process) else {
            throw Violation("the gateway has no /proc entry")
        }
        if vitals.descriptors > 400 || vitals.threads > 64 || vitals.residentBytes > 1 << 30 {
            throw Violation("the gateway has grown beyond its bounds: \(vitals)")
        }
        return vitals
    }
}

/// What faults have to themselves at the moment.
private final class InUse: Sendable {
    private let resources = Mutex<Set<Resource>>([])

    /// All of them, or none.
    func take(_ needed: Set<Resource>) -> Bool {
        resources.withLock { resources in
            guard resources.isDisjoint(with: needed) else { return false }
            resources.formUnion(needed)
            return true
        }
    }

    func giveBack(_ taken: Set<Resource>) {
        resources.withLock { $0.subtract(taken) }
    }
}
