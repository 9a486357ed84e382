// From what an operator writes to what the gateway takes: one line per key.
import Cluster
import CommitLog
import Gateway
import LineProtocol
import NIOCore
import NodeClient
import SecureTransport

extension GatewaySettings {
    /// - Throws: `ServingError` for a node whose url the node client cannot use.
    init(_ configuration: Configuration) throws {
        var log = CommitLog.Configuration(directory: configuration.dataDirectory + "/log")
        log.segmentBytes = UInt64(configuration.log.segmentBytes)
        log.maximumBytes = configuration.log.maximumBytes.map(UInt64.init)
        log.minimumFreeBytes = configuration.log.minimumFreeBytes.map(UInt64.init)
        log.refusalReserve = log.segmentBytes
        log.keptBytes = UInt64(configuration.log.keptBytes)
        log.maximumPendingBytes = configuration.limits.pendingLogBytes
        self.init(nodes: try configuration.nodes.map(Self.node), log: log)
        placement = Placement(configuration)
        asyncLag = .nanoseconds(configuration.asyncLag.nanoseconds)

        endpoint = ListenEndpoint(configuration.listen, mode: configuration.listenMode)
        policy = configuration.policy
        tls = try configuration.tls.map { try Self.source("listen", $0, .server) }
        // Clients may have to show certificates there that the gateway has not.
        let ownPath = configuration.dataDirectory + "/own.sock"
        if tls != nil, ownPath.utf8.count <= ListenEndpoint.longestPath { ownSocket = ownPath }
        listeners = try configuration.listeners.map { listener in
            var own = Listener(
                ListenEndpoint(listener.address, mode: listener.mode),
                policy: listener.policy ?? configuration.policy,
                tls: try listener.tls.map { try Self.source("listener \(listener.address)", $0, .server) })
            own.limits.requests = listener.limits.requests
            own.limits.connections = listener.limits.connections
            own.limits.userRequestRate = listener.limits.userRequestRate
            own.limits.userBytesRate = listener.limits.userBytesRate
            own.limits.bodyBytes = listener.limits.body
            return own
        }
        udp = configuration.udp.map(UDPSettings.init)
        zone = configuration.zone
        eventLoops = configuration.threads
        access =
            switch configuration.decidedAccess {
            case .users: .users(KeyedHasher(), try UserDirectory(configuration.users))
            case .nodes: .nodes(KeyedHasher())
            case .auto, .none: .none
            }
        ack = AckLevel(rawValue: configuration.ack.rawValue) ?? .insync
        consistencyParameter = ConsistencyParameter(rawValue: configuration.consistencyParameter.rawValue) ?? .raise
        withoutInSyncNode = configuration.noInSync == .refuse ? .refuse : .acknowledge
        sync.syncTimeout = configuration.syncTimeout.nanoseconds
        sync.budgetRefill = configuration.syncRefill.nanoseconds
        ackTimeout = .nanoseconds(configuration.ackTimeout.nanoseconds)

        replicator.batch.lines = configuration.limits.batchLines
        replicator.batch.bytes = configuration.limits.batchBytes
        replicator.lookAhead = configuration.limits.lookAhead
        replicator.pingInterval = .nanoseconds(configuration.pingInterval.nanoseconds)
        replicator.pingMisses = configuration.pingMisses

        queryPool.maximumConnections = configuration.limits.connectionsPerNode
        deliveryPool.maximumConnections = configuration.limits.connectionsPerNode
        queryPool.connectTimeout = .nanoseconds(configuration.connectTimeout.nanoseconds)
        deliveryPool.connectTimeout = .nanoseconds(configuration.connectTimeout.nanoseconds)

        read.firstByteTimeout = .nanoseconds(configuration.queryFirstByteTimeout.nanoseconds)
        read.idleTimeout = .nanoseconds(configuration.queryIdleTimeout.nanoseconds)
        read.timeout = configuration.queryTimeout == .zero ? nil : .nanoseconds(configuration.queryTimeout.nanoseconds)
        read.allowStale = configuration.staleReads == .allow

        server.maximumConnections = configuration.limits.connections
        server.connectionsPerAddress = configuration.limits.connectionsPerAddress
        server.headTimeout = .nanoseconds(configuration.limits.headerTimeout.nanoseconds)
        server.idleTimeout = .nanoseconds(configuration.limits.idleTimeout.nanoseconds)
        server.bodyProgressTimeout = .nanoseconds(configuration.limits.bodyTimeout.nanoseconds)
        server.maximumHeaderBytes = configuration.limits.headers
        limits.bodyBytes = configuration.limits.body
        limits.requests = configuration.limits.requests
        limits.user.requests = configuration.limits.userRequests
        limits.user.requestRate = configuration.limits.userRequestRate
        limits.user.bytesRate = configuration.limits.userBytesRate
        limits.inflatedBytes = configuration.limits.inflatedBody
        limits.bodiesInMemory = configuration.limits.bodiesInMemory
        limits.queries.running = configuration.limits.concurrentQueries
        limits.queries.waiting = configuration.limits.waitingQueries
        limits.mergedAnswerBytes = configuration.limits.mergedAnswer
        limits.queryWait = .nanoseconds(configuration.queryQueueTimeout.nanoseconds)
    }

    /// Reads certificates and keys.
    static func source(_ name: String, _ settings: TLSSettings, _ role: TLSRole) throws -> TLSContextSource {
        do {
            return try TLSContextSource(name: name, settings: settings, role: role)
        } catch {
            throw ServingError("\(name): \(error.what)", advice: error.advice)
        }
    }

    private static func node(_ node: ConfiguredNode) throws -> Node {
        do {
            var own = Node(
                name: node.name, address: try NodeAddress(parsing: node.url), zone: node.zone,
                credential: node.credential)
            own.gzip = node.gzip
            own.role = node.role
            own.connectTimeout = node.connectTimeout.map { .nanoseconds($0.nanoseconds) }
            own.timeouts.firstByte = node.firstByteTimeout.map { .nanoseconds($0.nanoseconds) }
            own.timeouts.idle = node.idleTimeout.map { .nanoseconds($0.nanoseconds) }
            return own
        } catch {
            throw ServingError("node \(node.name): \(error)", advice: "correct its url")
        }
    }
}

extension UDPSettings {
    fileprivate init(_ listener: ConfiguredUDPListener) {
        // A datagram's way is an address and a port; the file is read so that it has them.
        let (host, port) = listener.address.tcp ?? ("127.0.0.1", 0)
        self.init(host: host, port: port, database: listener.database)
        retentionPolicy = listener.retentionPolicy
        precision = Precision(parameter: listener.precision) ?? .nanoseconds
        batchSize = listener.batchSize
        batchTimeout = .nanoseconds(listener.batchTimeout.nanoseconds)
        readBuffer = listener.readBuffer
    }
}

extension ListenEndpoint {
    init(_ address: ListenAddress, mode: UInt32) {
        switch address {
        case .tcp(let host, let port): self = .tcp(host: host, port: port)
        case .unix(let path): self = .unix(path: path, mode: mode)
        }
    }
}

extension TCPConnector {
    /// Reads the certificates and keys for nodes with a secure address.
    init(to nodes: [ConfiguredNode]) throws {
        var security: [NodeAddress: TLSContextSource] = [:]
        for node in nodes where node.isSecure {
            security[try NodeAddress(parsing: node.url)] = try GatewaySettings.source(
                "node \(node.name)", node.tls ?? TLSSettings(), .client)
        }
        self.init(security: security)
    }
}

extension Duration {
    /// Saturates after 292 years.
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : product + attoseconds / 1_000_000_000
    }
}
