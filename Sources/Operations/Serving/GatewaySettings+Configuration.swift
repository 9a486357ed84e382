// From what an operator writes to what the gateway takes: one line per key.
import Cluster
import CommitLog
import Gateway
import LineProtocol
import NIOCore
import NodeClient

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

        host = configuration.listen.host
        port = configuration.listen.port
        policy = configuration.policy
        listeners = configuration.listeners.map { listener in
            var own = Listener(
                host: listener.address.host, port: listener.address.port,
                policy: listener.policy ?? configuration.policy)
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
        access = configuration.asksNodesForAccess ? .nodes(KeyedHasher()) : .none
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
        limits.queryWait = .nanoseconds(configuration.queryQueueTimeout.nanoseconds)
    }

    private static func node(_ node: ConfiguredNode) throws -> Node {
        do {
            var own = Node(
                name: node.name, address: try NodeAddress(parsing: node.url), zone: node.zone,
                credential: node.credential)
            own.gzip = node.gzip
            return own
        } catch {
            throw ServingError("node \(node.name): \(error)", advice: "correct its url")
        }
    }
}

extension UDPSettings {
    fileprivate init(_ listener: ConfiguredUDPListener) {
        self.init(host: listener.address.host, port: listener.address.port, database: listener.database)
        retentionPolicy = listener.retentionPolicy
        precision = Precision(parameter: listener.precision) ?? .nanoseconds
        batchSize = listener.batchSize
        batchTimeout = .nanoseconds(listener.batchTimeout.nanoseconds)
        readBuffer = listener.readBuffer
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
