// The real gateway (log, replication, control, HTTP, reads) in a simulation: its loops run in virtual time, its log lies on
// a simulated disk, and the scheduler turns the wheels that are threads otherwise.

import CommitLog
import Gateway
import Logging
import NIOCore
import Replication
import SimulatedDisk

/// Sendable as ``Scheduler`` is.
package final class SimulatedGateway: @unchecked Sendable {
    /// One process. Sendable as ``Scheduler`` is.
    package final class Life: @unchecked Sendable {
        package let log: CommitLog
        let group: SimulatedEventLoopGroup
        package fileprivate(set) var server: GatewayServer?
        fileprivate var isWriting = false
        fileprivate var isFeeding = false
        fileprivate var isKeeping = false

        fileprivate init(log: CommitLog, group: SimulatedEventLoopGroup) {
            self.log = log
            self.group = group
        }
    }

    package let disk: SimulatedFileSystem
    package let clock: SimulatedClock
    package var settings: GatewaySettings
    package private(set) var life: Life?
    package private(set) var starts = 0
    /// Of a write and its sync.
    package var syncTime: ClosedRange<Int64> = 100 * microsecond...2 * millisecond
    /// To whom everything that became durable is shown, before anybody else hears of it.
    package var onDurable: ((CommitLog) -> Void)?
    /// An open found what the process before had made durable, or not.
    package var onOpened: ((Life) -> Void)?
    /// The process ended by itself: a broken disk.
    package var onFailed: ((String) -> Void)?
    /// Its own link to clients.
    package let clients: Link
    private let scheduler: Scheduler
    private let surroundings: Surroundings
    private let nodes: [SimulatedNode]
    private let logger: Logger
    package private(set) var isStopped = false

    package init(
        settings: GatewaySettings, nodes: [SimulatedNode], disk: SimulatedFileSystem, scheduler: Scheduler,
        logger: Logger
    ) {
        self.scheduler = scheduler
        self.disk = disk
        self.nodes = nodes
        self.logger = logger
        clock = SimulatedClock(scheduler: scheduler)
        clients = Link(scheduler: scheduler)
        var surroundings = Surroundings()
        surroundings.fileSystem = disk
        surroundings.clock = clock
        surroundings.connector = SimulatedConnector(
            nodes: Dictionary(uniqueKeysWithValues: nodes.map { ($0.name, $0) }), scheduler: scheduler)
        self.surroundings = surroundings
        var settings = settings
        settings.log.driving = .caller
        settings.replicator.jitter = { .random(in: 0..<1, using: &scheduler.random) }
        self.settings = settings
    }

    // MARK: Its life

    /// Starts the process; false: the log could not be opened.
    @discardableResult
    package func start() -> Bool {
        guard life == nil else { return true }
        starts += 1
        let opened: (CommitLog, RecoveryReport)
        do {
            opened = try GatewayServer.openLog(settings, surroundings)
        } catch {
            // It may have been cut off while it opened the log.
            disk.killProcess()
            onFailed?("the log cannot be opened: \(error)")
            return false
        }
        let group = SimulatedEventLoopGroup(scheduler: scheduler, loops: settings.eventLoops)
        let life = Life(log: opened.0, group: group)
        self.life = life
        opened.0.onPoisoned { [weak self, weak life] error in
            if let life { self?.failed(life, error) }
        }
        onOpened?(life)
        GatewayServer.assemble(
            settings: settings, surroundings: surroundings, log: opened.0, recovery: opened.1, group: group,
            logger: logger
        ).whenSuccess { server in
            life.server = server
            server.run()
        }
        keepHouse(of: life)
        return true
    }

    /// A real process finishes what it can, and exits.
    private func failed(_ life: Life, _ error: FileError) {
        scheduler.after(scheduler.random.time(millisecond...second)) { [weak self] in
            guard let self, self.life === life else { return }
            kill()
            onFailed?("\(error)")
        }
    }

    /// `kill -9`, or the host's power.
    package func kill(powerLoss survival: SimulatedFileSystem.Survival? = nil, isPowerLoss: Bool = false) {
        guard let ended = life else { return }
        life = nil
        isStopped = false
        for loop in ended.group.loops { loop.die() }
        for node in nodes { node.link.gatewayDied(isPowerLoss: isPowerLoss) }
        clients.gatewayDied(isPowerLoss: isPowerLoss)
        if isPowerLoss { disk.losePower(survival) } else { disk.killProcess() }
    }

    package func stop() {
        isStopped = true
        for loop in life?.group.loops ?? [] { loop.stop() }
    }

    package func goOn() {
        guard isStopped else { return }
        isStopped = false
        for loop in life?.group.loops ?? [] { loop.goOn() }
    }

    /// A client connects; nil: refused.
    package func connect(_ client: any ConnectionPeer) -> SimulatedConnection? {
        guard let life, let server = life.server, !clients.isCut else { return nil }
        let loop = life.group.loops[Int.random(in: life.group.loops.indices, using: &scheduler.random)]
        let connection = SimulatedConnection(link: clients, loop: loop, peer: client)
        loop.run {
            guard let channel = connection.gatewayChannel else { return }
            server.adopt(channel).whenSuccess { channel.activate() }
        }
        return connection
    }

    // MARK: What threads do otherwise

    /// To be called after each event: plans what the log's threads and the feed's have to do.
    package func turnWheels() {
        guard let life, !isStopped else { return }
        if disk.isDead { return }
        if !life.isWriting, life.log.takeWriteCall() {
            life.isWriting = true
            later(life, scheduler.random.time(syncTime)) { [self] in
                life.isWriting = false
                life.log.writePending()
                onDurable?(life.log)
            }
        }
        if !life.isKeeping, life.log.takeHouseCall() {
            life.isKeeping = true
            later(life, scheduler.random.time(syncTime)) {
                life.isKeeping = false
                life.log.keepHouse()
            }
        }
        if let feed = life.server?.feed, !life.isFeeding, feed.isWoken {
            life.isFeeding = true
            feedOn(life, feed)
        }
    }

    private func feedOn(_ life: Life, _ feed: LogFeed) {
        later(life, scheduler.random.time(microsecond...50 * microsecond)) { [self] in
            if feed.deliverPending() {
                feedOn(life, feed)
            } else {
                life.isFeeding = false
            }
        }
    }

    private func keepHouse(of life: Life) {
        later(life, settings.log.checkpointNanoseconds) { [self] in
            life.log.keepHouse()
            keepHouse(of: life)
        }
    }

    private func later(_ life: Life, _ delay: Int64, _ body: @escaping () -> Void) {
        scheduler.after(delay) { [weak self] in
            guard let self, self.life === life else { return }
            if isStopped { return later(life, 10 * millisecond, body) }
            body()
        }
    }
}

extension CommitLog.Configuration {
    fileprivate var checkpointNanoseconds: Int64 {
        let (seconds, attoseconds) = checkpointInterval.components
        return seconds * second + attoseconds / 1_000_000_000
    }
}
