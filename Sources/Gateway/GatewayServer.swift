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

/// What the data plane stands on. A parameter, so that a simulation can own time, disk and network.
package struct Surroundings: Sendable {
    package var fileSystem: any FileSystem = PosixFileSystem()
    package var clock: any LogClock = SystemClock()
    package var connector: any NodeConnector = TCPConnector()

    package init() {}
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

    private let logger: Logger
    private let loops: [Loop]
    package let control: ClusterControl
    package let feed: LogFeed
    private let replicas: [ReplicatorHandle]
    private let catalogueKeeper: NIOLoopBound<CatalogueKeeper>
    package let requestGate: RequestGate
    private let server: HTTPServer
    private let udp: [UDPListener]
    /// Of the UDP listeners, in configuration order.
    package var udpFigures: [UDPFigures] { udp.map(\.figures) }
    private let refusalObserver: NIOLockedValueBox<Observer<Offset>>
    /// Threads of its own, to be ended with it.
    private let ownGroup = NIOLockedValueBox<MultiThreadedEventLoopGroup?>(nil)
    private let addresses = NIOLockedValueBox<[String]>([])
    private let isStopped = NIOLockedValueBox(false)

    /// The main listener's first.
    package var boundAddresses: [String] { addresses.withLockedValue { $0 } }
    /// Where the gateway reaches itself, with the rules of the main listener; nil: it does not listen yet.
    package var ownAddress: String? { settings.ownSocket.map { "unix:\($0)" } ?? boundAddresses.first }

    /// Opens the log, starts to bring the nodes up to date, and listens.
    /// - Throws: `LogError`, `GatewayStartError`, or what binding the address throws.
    package static func start(
        settings: GatewaySettings, surroundings: Surroundings = Surroundings(), logger: Logger
    ) async throws -> GatewayServer {
        let (log, recovery) = try openLog(settings, surroundings)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, settings.eventLoops))
        do {
            let server = try await assemble(
                settings: settings, surroundings: surroundings, log: log, recovery: recovery, group: group,
                logger: logger
            ).get()
            server.ownGroup.withLockedValue { $0 = group }
            server.run()
            try await server.bind()
            try await server.bindUDP()
            return server
        } catch {
            log.close()
            try? await group.shutdownGracefully()
            throw error
        }
    }

    package static func openLog(
        _ settings: GatewaySettings, _ surroundings: Surroundings
    ) throws -> (CommitLog, RecoveryReport) {
        guard !settings.nodes.isEmpty, settings.nodes.count <= NodeSet.capacity else {
            throw GatewayStartError(
                description: "\(settings.nodes.count) nodes are configured; between 1 and \(NodeSet.capacity) can be"
            )
        }
        return try CommitLog.open(settings.log, fileSystem: surroundings.fileSystem, clock: surroundings.clock)
    }

    /// Puts everything together on the loops of the group; nothing runs yet.
    package static func assemble(
        settings: GatewaySettings, surroundings: Surroundings, log: CommitLog, recovery: RecoveryReport,
        group: any EventLoopGroup, logger: Logger
    ) -> EventLoopFuture<GatewayServer> {
        let eventLoops = Array(group.makeIterator())
        let observer = NIOLockedValueBox(Observer<Offset>())
        let figures = GatewayFigures()
        let schema = SharedSchema(memory: SchemaMemory(log: log, logger: logger))
        dropStrangers(settings: settings, log: log, logger: logger)
        let sets = ReplicaSetTable(
            log: log, names: settings.nodes.map(\.name), replicaSets: settings.placement.replicaSets, logger: logger)

        let members = eventLoops.map { eventLoop in
            eventLoop.submit { member(on: eventLoop, settings, log, observer) }
        }
        return EventLoopFuture.whenAllSucceed(members, on: eventLoops[0]).flatMap { members in
            let control = ClusterControl(
                nodes: settings.nodes.map {
                    ClusterSnapshot.Node(name: $0.name, url: "\($0.address)", zone: $0.zone, role: $0.role)
                },
                log: log, sets: sets, loops: members, settings: controlSettings(settings), logger: logger
            )
            let feed = LogFeed(log: log, sets: sets)
            let loops = members.map { member in
                member.eventLoop.submit {
                    let context = LoopContext(
                        eventLoop: member.eventLoop, settings: settings, connector: surroundings.connector,
                        view: control.view, log: log, loopLog: member.log.value, acks: member.acks.value,
                        replicaSets: sets, figures: figures, schema: schema, logger: logger
                    )
                    return Loop(member: member, context: NIOLoopBound(context, eventLoop: member.eventLoop))
                }
            }
            let nodes = settings.nodes.indices.map { index in
                let eventLoop = eventLoops[index % eventLoops.count]
                return eventLoop.submit {
                    replica(
                        NodeIndex(index), on: eventLoop, settings, surroundings, feed: feed, delegate: control, logger)
                }
            }
            return EventLoopFuture.whenAllSucceed(loops, on: eventLoops[0])
                .and(EventLoopFuture.whenAllSucceed(nodes, on: eventLoops[0]))
                .map { loops, replicas in
                    control.register(replicas)
                    let keeper = NIOLoopBound(
                        CatalogueKeeper(context: loops[0].context.value), eventLoop: eventLoops[0])
                    schema.keep(by: keeper)
                    return GatewayServer(
                        settings: settings, log: log, recovery: recovery, group: group, figures: figures,
                        control: control, feed: feed, loops: loops, replicas: replicas, keeper: keeper,
                        refusalObserver: observer, logger: logger)
                }
        }
    }

    private static func member(
        on eventLoop: any EventLoop, _ settings: GatewaySettings, _ log: CommitLog,
        _ observer: NIOLockedValueBox<Observer<Offset>>
    ) -> LoopMember {
        let acks = LoopAcks(nodes: settings.nodes.count, withoutInSyncNode: settings.withoutInSyncNode)
        acks.start(on: eventLoop)
        let loopLog = LoopLog.make(log: log, eventLoop: eventLoop) { offset in
            observer.withLockedValue { $0 }.call?(offset)
        }
        return LoopMember(eventLoop: eventLoop, acks: acks, log: loopLog)
    }

    private static func controlSettings(_ settings: GatewaySettings) -> ClusterControl.Settings {
        var control = ClusterControl.Settings()
        control.sync = settings.sync
        control.placement = settings.placement
        control.replayBytes = 2 * settings.replicator.lookAhead + (64 << 20)
        control.largestRefusalText = settings.replicator.largestRefusalText
        return control
    }

    private static func replica(
        _ index: NodeIndex, on eventLoop: any EventLoop, _ settings: GatewaySettings, _ surroundings: Surroundings,
        feed: LogFeed, delegate: ClusterControl, _ logger: Logger
    ) -> ReplicatorHandle {
        let node = settings.nodes[Int(index.value)]
        let pool = { (connections: Int) in
            var limits = node.limits(settings.deliveryPool)
            limits.maximumConnections = connections
            return NodePool(
                eventLoop: eventLoop, address: node.address, limits: limits, credential: node.credential,
                connector: surroundings.connector)
        }
        var replicator = settings.replicator
        replicator.gzip = node.gzip
        return ReplicatorHandle(
            eventLoop: eventLoop,
            replicator: NodeReplicator(
                node: index, name: node.name, eventLoop: eventLoop,
                pool: pool(settings.deliveryPool.maximumConnections), pingPool: pool(1),
                questions: NodeInterview(pool: pool(4), clock: surroundings.clock), feed: feed,
                settings: replicator, delegate: delegate, figures: ReplicatorFigures(), logger: logger
            )
        )
    }

    private init(
        settings: GatewaySettings, log: CommitLog, recovery: RecoveryReport, group: any EventLoopGroup,
        figures: GatewayFigures, control: ClusterControl, feed: LogFeed, loops: [Loop], replicas: [ReplicatorHandle],
        keeper: NIOLoopBound<CatalogueKeeper>, refusalObserver: NIOLockedValueBox<Observer<Offset>>, logger: Logger
    ) {
        self.settings = settings
        self.log = log
        self.recovery = recovery
        self.figures = figures
        self.control = control
        self.feed = feed
        self.loops = loops
        self.replicas = replicas
        self.refusalObserver = refusalObserver
        self.logger = logger
        view = control.view
        catalogueKeeper = keeper
        serverFigures = ServerFigures()
        replicatorFigures = replicas.map(\.figures)
        let contexts = loops.map(\.context)
        let gate = RequestGate(settings)
        requestGate = gate
        udp = settings.udp.enumerated().map { number, settings in
            UDPListener(settings, context: contexts[number % contexts.count], logger: logger)
        }
        server = HTTPServer(
            group: group, limits: settings.serverLimits, figures: serverFigures, version: settings.fallbackVersion
        ) { eventLoop in
            guard let context = contexts.first(where: { $0.eventLoop === eventLoop }) else {
                preconditionFailure("the server runs on the gateway's own event loops")
            }
            return AdmittingRouter(GatewayRouter(context: context.value), gate: gate, context: context.value)
        }
        let server = server
        control.onVersion { server.advertise(version: $0) }
    }

    /// Begins to bring the nodes up to date.
    package func run() {
        feed.start()
        control.start(feed: feed)
        let keeper = catalogueKeeper
        keeper.eventLoop.execute { keeper.value.start() }
        for replica in replicas { replica.eventLoop.execute { replica.replicator.value.start() } }
    }

    private func bind() async throws {
        do {
            for (number, listener) in settings.allListeners.enumerated() {
                let address = try await bind(listener, number)
                addresses.withLockedValue { $0.append(address) }
            }
            if let path = settings.ownSocket {
                _ = try await bind(
                    GatewaySettings.Listener(.unix(path: path, mode: 0o600), policy: settings.policy), 0)
            }
        } catch {
            try? await server.stopAccepting().get()
            await stopReplicas()
            throw error
        }
    }

    /// - Returns: The address for people, and for `ClientAddress`.
    private func bind(_ listener: GatewaySettings.Listener, _ number: Int) async throws -> String {
        let logger = logger
        let tls = listener.tls.map { source in
            ListenerTLS(source: source) { client, reason in
                logger.debug(
                    "a TLS handshake came to nothing",
                    metadata: [
                        "client": "\(client?.description ?? "?")", "at": "\(source.name)", "reason": "\(reason)",
                    ])
            }
        }
        do {
            let bound = try await server.bind(
                listener.endpoint, passed: listener.passedSocket, listener: number, tls: tls
            ).get()
            guard case .tcp(let host, let port) = listener.endpoint else { return "\(listener.endpoint)" }
            let address = "\(bound.ipAddress ?? host):\(bound.port ?? port)"
            return tls == nil ? address : "https://\(address)"
        } catch let error as UnixSocketError {
            throw GatewayStartError(description: error.description)
        } catch {
            throw GatewayStartError(
                description: "cannot listen on \(listener.endpoint): \(error); "
                    + "is another InfluxDB or gateway using the port?")
        }
    }

    private func bindUDP() async throws {
        for listener in udp {
            do {
                try await listener.bind().get()
            } catch {
                await stopReplicas()
                throw GatewayStartError(
                    description: "cannot receive UDP on \(listener.settings.host):\(listener.settings.port): \(error); "
                        + "is another InfluxDB or gateway using the port?"
                )
            }
        }
    }

    private func stopReplicas() async {
        for replica in replicas { replica.eventLoop.execute { replica.replicator.value.stop() } }
        await feed.stop()
    }

    /// Serves a client's connection that came about elsewhere, on one of the group's loops.
    package func adopt(_ channel: any Channel) -> EventLoopFuture<Void> { server.adopt(channel) }

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
        for listener in udp { try? await listener.stop().get() }
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
        try? await ownGroup.withLockedValue { $0 }?.shutdownGracefully()
    }
}
