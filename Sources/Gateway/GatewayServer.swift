// Puts the data plane together and takes it down in good order: log, feed, replicators, listeners.

import Cluster
import CommitLog
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NodeClient
import Replication

/// Why the data plane cannot start; the text is for people.
package struct GatewayStartError: Error, CustomStringConvertible {
    package let description: String
}

package final class GatewayServer: Sendable {
    /// One event loop with all that lives on it.
    private struct Loop: Sendable {
        let member: LoopMember
        let context: NIOLoopBound<LoopContext>
    }

    /// The cursor of the index of dead letters; no node can have such a name.
    package static let deadLetterCursor = "/deadletters"

    package let settings: GatewaySettings
    package let log: CommitLog
    package let recovery: RecoveryReport
    package let view: ClusterView
    package let figures: GatewayFigures
    package let serverFigures: ServerFigures
    /// By node, in configuration order.
    package let replicatorFigures: [ReplicatorFigures]
    package let boundAddresses: [String]

    private let logger: Logger
    private let group: MultiThreadedEventLoopGroup
    private let loops: [Loop]
    package let control: ClusterControl
    private let feed: LogFeed
    private let replicas: [ReplicatorHandle]
    private let catalogueKeeper: NIOLoopBound<CatalogueKeeper>
    private let server: HTTPServer
    private let refusalObserver: NIOLockedValueBox<Observer<Offset>>
    private let isStopped = NIOLockedValueBox(false)

    /// Opens the log, starts to bring the nodes up to date, and listens.
    /// - Throws: `LogError`, `GatewayStartError`, or what binding the address throws.
    package static func start(
        settings: GatewaySettings, fileSystem: any FileSystem = PosixFileSystem(),
        clock: any LogClock = SystemClock(), logger: Logger
    ) async throws -> GatewayServer {
        guard !settings.nodes.isEmpty, settings.nodes.count <= NodeSet.capacity else {
            throw GatewayStartError(
                description: "\(settings.nodes.count) nodes are configured; between 1 and \(NodeSet.capacity) can be"
            )
        }
        let (log, recovery) = try CommitLog.open(settings.log, fileSystem: fileSystem, clock: clock)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, settings.eventLoops))
        do {
            return try await GatewayServer(
                settings: settings, log: log, recovery: recovery, group: group, logger: logger
            )
        } catch {
            log.close()
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private init(
        settings: GatewaySettings, log: CommitLog, recovery: RecoveryReport, group: MultiThreadedEventLoopGroup,
        logger: Logger
    ) async throws {
        self.settings = settings
        self.log = log
        self.recovery = recovery
        self.group = group
        self.logger = logger
        figures = GatewayFigures()
        serverFigures = ServerFigures()
        refusalObserver = NIOLockedValueBox(Observer())
        replicatorFigures = settings.nodes.map { _ in ReplicatorFigures() }

        let observer = refusalObserver
        let eventLoops = Array(group.makeIterator())
        var members: [LoopMember] = []
        for eventLoop in eventLoops {
            let member = try await eventLoop.submit {
                let acks = LoopAcks(
                    nodes: settings.nodes.count, withoutInSyncNode: settings.withoutInSyncNode
                )
                acks.start(on: eventLoop)
                let loopLog = LoopLog.make(log: log, eventLoop: eventLoop) { offset in
                    observer.withLockedValue { $0 }.call?(offset)
                }
                return LoopMember(eventLoop: eventLoop, acks: acks, log: loopLog)
            }.get()
            members.append(member)
        }

        Self.dropStrangers(settings: settings, log: log, logger: logger)
        var controlSettings = ClusterControl.Settings()
        controlSettings.sync = settings.sync
        controlSettings.replayBytes = 2 * settings.replicator.lookAhead + (64 << 20)
        controlSettings.largestRefusalText = settings.replicator.largestRefusalText
        control = ClusterControl(
            nodes: settings.nodes.map {
                ClusterSnapshot.Node(name: $0.name, url: "\($0.address)", zone: $0.zone)
            },
            log: log, loops: members, settings: controlSettings, logger: logger
        )
        view = control.view
        feed = LogFeed(log: log)

        let view = view
        let figures = figures
        let schema = SharedSchema()
        var loops: [Loop] = []
        for member in members {
            let context = try await member.eventLoop.submit {
                NIOLoopBound(
                    LoopContext(
                        eventLoop: member.eventLoop, settings: settings, view: view, log: log,
                        loopLog: member.log.value, acks: member.acks.value, figures: figures, schema: schema,
                        logger: logger
                    ),
                    eventLoop: member.eventLoop
                )
            }.get()
            loops.append(Loop(member: member, context: context))
        }
        self.loops = loops
        let context = loops[0].context
        let keeper = try await loops[0].member.eventLoop.submit {
            NIOLoopBound(CatalogueKeeper(context: context.value), eventLoop: context.eventLoop)
        }.get()
        schema.keep(by: keeper)
        catalogueKeeper = keeper

        let feed = feed
        let control = control
        var replicas: [ReplicatorHandle] = []
        for (index, node) in settings.nodes.enumerated() {
            let eventLoop = eventLoops[index % eventLoops.count]
            let figures = replicatorFigures[index]
            let replicator = try await eventLoop.submit {
                var pingLimits = settings.deliveryPool
                pingLimits.maximumConnections = 1
                var questionLimits = settings.deliveryPool
                questionLimits.maximumConnections = 4
                return ReplicatorHandle(
                    eventLoop: eventLoop,
                    replicator: NodeReplicator(
                        node: NodeIndex(index), name: node.name, eventLoop: eventLoop,
                        pool: NodePool(
                            eventLoop: eventLoop, address: node.address, limits: settings.deliveryPool,
                            credential: node.credential),
                        pingPool: NodePool(
                            eventLoop: eventLoop, address: node.address, limits: pingLimits,
                            credential: node.credential),
                        questions: NodeInterview(
                            pool: NodePool(
                                eventLoop: eventLoop, address: node.address, limits: questionLimits,
                                credential: node.credential)),
                        feed: feed, settings: settings.replicator, delegate: control, figures: figures, logger: logger
                    )
                )
            }.get()
            replicas.append(replicator)
        }
        self.replicas = replicas
        control.register(replicas)

        let contexts = Dictionary(
            uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.member.eventLoop), $0.context) }
        )
        server = HTTPServer(
            group: group, limits: settings.server, figures: serverFigures, version: settings.fallbackVersion
        ) { eventLoop in
            guard let context = contexts[ObjectIdentifier(eventLoop)] else {
                preconditionFailure("the server runs on the gateway's own event loops")
            }
            return GatewayRouter(context: context.value)
        }
        let server = server
        control.onVersion { server.advertise(version: $0) }

        feed.start()
        control.start(feed: feed)
        keeper.eventLoop.execute { keeper.value.start() }
        for replica in replicas { replica.eventLoop.execute { replica.replicator.value.start() } }
        do {
            let address = try await server.bind(host: settings.host, port: settings.port).get()
            boundAddresses = ["\(address.ipAddress ?? settings.host):\(address.port ?? settings.port)"]
        } catch {
            boundAddresses = []
            for replica in replicas { replica.eventLoop.execute { replica.replicator.value.stop() } }
            await feed.stop()
            throw GatewayStartError(
                description: "cannot listen on \(settings.host):\(settings.port): \(error); "
                    + "is another InfluxDB or gateway using the port?"
            )
        }
    }

    /// Forgets nodes that are not configured any more: the log is not kept for them.
    private static func dropStrangers(settings: GatewaySettings, log: CommitLog, logger: Logger) {
        let names = Set(settings.nodes.map(\.name))
        for name in log.cursors.keys where !names.contains(name) && name != deadLetterCursor {
            if name.hasPrefix(ClusterControl.markerCursor) {
                guard !names.contains(String(name.dropFirst(ClusterControl.markerCursor.count))) else { continue }
            } else {
                logger.warning(
                    "a node is no longer configured; the log is not kept for it any more", metadata: ["node": "\(name)"]
                )
            }
            log.removeCursor(name)
        }
    }

    /// The handler hears of each refusal that became durable; on any thread, it must not block.
    package func onRefusal(_ handler: @escaping @Sendable (Offset) -> Void) {
        refusalObserver.withLockedValue { $0.call = handler }
    }

    /// Requests that wait for nodes at this moment, over all loops.
    package func waiting() async -> (writes: Int, mutations: Int) {
        var writes = 0
        var mutations = 0
        for loop in loops {
            let counts = try? await loop.member.eventLoop.submit {
                (loop.member.acks.value.waitingWrites, loop.member.acks.value.waitingMutations)
            }.get()
            writes += counts?.0 ?? 0
            mutations += counts?.1 ?? 0
        }
        return (writes, mutations)
    }

    /// Stops accepting, finishes the requests under way (at most until the deadline), flushes and closes the log.
    package func shutdown(deadline: NIODeadline = .now() + .seconds(20)) async {
        let isFirst = isStopped.withLockedValue { stopped in
            defer { stopped = true }
            return !stopped
        }
        guard isFirst else { return }
        try? await server.stopAccepting().get()
        server.closeIdle()
        let left = (try? await server.drain(deadline: deadline).get()) ?? 0
        if left > 0 {
            logger.warning("requests were cut off by the stop", metadata: ["requests": "\(left)"])
        }
        control.stop()
        let keeper = catalogueKeeper
        keeper.eventLoop.execute { keeper.value.stop() }
        for replica in replicas {
            try? await replica.eventLoop.submit { replica.replicator.value.stop() }.get()
        }
        await feed.stop()
        for loop in loops {
            try? await loop.member.eventLoop.submit {
                loop.member.acks.value.stop()
                loop.context.value.close()
            }.get()
        }
        log.close()
        try? await group.shutdownGracefully()
    }
}
