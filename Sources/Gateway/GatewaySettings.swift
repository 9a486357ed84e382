// Everything that can be configured of the data plane, with its default. Plain values: the configuration file is read
// elsewhere.

import Cluster
import CommitLog
import NIOCore
import NodeClient
import Querying
import Replication
import SecureTransport

package struct GatewaySettings: Sendable {
    package struct Node: Sendable {
        package var name: String
        package var address: NodeAddress
        package var zone: String
        /// With which the gateway itself speaks to the node; nil: the node asks for none.
        package var credential: ServiceCredential?
        /// Points are sent to it as gzip.
        package var gzip = false
        package var role = NodeRole.normal
        /// nil: as the pools have it.
        package var connectTimeout: TimeAmount?
        /// Of reads.
        package var timeouts = NodeTimeouts()

        package init(name: String, address: NodeAddress, zone: String = "", credential: ServiceCredential? = nil) {
            self.name = name
            self.address = address
            self.zone = zone
            self.credential = credential
        }

        /// The general bounds of a pool with those that the node has of its own.
        func limits(_ general: NodePoolLimits) -> NodePoolLimits {
            var limits = general
            limits.connectTimeout = connectTimeout ?? general.connectTimeout
            return limits
        }
    }

    /// A further address where the InfluxDB API listens, with rules of its own.
    package struct Listener: Sendable {
        package var endpoint: ListenEndpoint
        package var policy: Policy
        /// nil: HTTP without TLS.
        package var tls: TLSContextSource?
        /// A socket that is bound to the endpoint already.
        package var passedSocket: CInt?
        package var limits = ListenerLimits()

        package init(_ endpoint: ListenEndpoint, policy: Policy, tls: TLSContextSource? = nil) {
            self.endpoint = endpoint
            self.policy = policy
            self.tls = tls
        }
    }

    /// In the place of the general limits; nil: those.
    package struct ListenerLimits: Equatable, Sendable {
        /// Under way at the same time, beside the general limit.
        package var requests: Int?
        package var userRequestRate: Int?
        package var userBytesRate: Int?
        /// Open at the same time, beside the general limit.
        package var connections: Int?
        /// A request's body as it is sent.
        package var bodyBytes: Int?

        package init() {}
    }

    /// Who decides what clients may write and change.
    package enum Access: Sendable {
        /// The gateway asks nobody: everybody may. Reads are judged by the nodes.
        case none
        /// The nodes, with the client's credential, before anything is logged.
        case nodes(any CredentialHasher)
        /// The gateway, of reads too: it has users of its own, and the nodes hear of no client.
        case users(any CredentialHasher, any UserIdentifier)
    }

    package struct Limits: Sendable {
        /// A request's body as it is sent; beyond it 413.
        package var bodyBytes = 25_000_000
        /// A gzip body once it is decoded; beyond it 413.
        package var inflatedBytes = 250_000_000
        /// Bodies in memory, over all requests; beyond it 503.
        package var bodiesInMemory = 1 << 30
        /// Requests under way, over all event loops; beyond it 503.
        package var requests = 10_000
        /// What each user may have under way and send; beyond it 503.
        package var user = RequestBudgets.Limits()
        /// The body of a query; a larger form is not read (Go's limit).
        package var formBytes = 10 << 20
        /// Queries on one event loop: how many run, and how many wait for their turn; beyond that 503.
        package var queries = QueryGate.Limits(running: 1024, waiting: 4096)
        /// How long a query waits for its turn; then 503.
        package var queryWait: TimeAmount = .seconds(5)
        /// What the nodes' answers to the parts of a mixed request may take together; beyond it an error.
        package var mixedAnswerBytes = 64 << 20
        /// What the replica sets' answers to one read over several of them may take together; beyond it an error.
        package var mergedAnswerBytes = 64 << 20

        package init() {}
    }

    package var nodes: [Node]
    /// Which of them hold what. Its members are the nodes, in the same order.
    package var placement: Placement
    package var access = Access.none
    /// Where the InfluxDB API listens.
    package var endpoint = ListenEndpoint.tcp(host: "127.0.0.1", port: 8086)
    /// What clients may send there.
    package var policy = Policy()
    /// nil: HTTP without TLS there.
    package var tls: TLSContextSource?
    /// A socket that is bound to `endpoint` already.
    package var passedSocket: CInt?
    /// Path of a Unix socket for the gateway itself, with the rules of `endpoint`; nil: it uses that.
    package var ownSocket: String?
    package var listeners: [Listener] = []
    /// Where points come as datagrams.
    package var udp: [UDPSettings] = []
    /// The gateway's own zone: reads prefer nodes of it.
    package var zone = ""
    package var eventLoops = 1
    package var log: CommitLog.Configuration

    package var ack = AckLevel.insync
    package var consistencyParameter = ConsistencyParameter.raise
    /// How far a node of the role `async` may lag and still be read.
    package var asyncLag: TimeAmount = .minutes(5)
    /// What a write at `insync` gets when no node is in sync: 204 once durable, or 503.
    package var withoutInSyncNode = AckTracker.WithoutInSyncNode.acknowledge
    package var sync = SyncSet.Settings()
    /// How long a write waits for nodes before it is answered 500 `timeout`.
    package var ackTimeout: TimeAmount = .seconds(4)

    package var replicator = NodeReplicator.Settings()
    /// Of connections for queries, per node and event loop.
    package var queryPool = NodePoolLimits()
    /// Of connections for records, per node.
    package var deliveryPool = NodePoolLimits()
    /// Of connections for small questions, per node and event loop.
    package var questionPool = NodePoolLimits()
    package var read = ReadExecution.Settings()
    package var server = ServerLimits()
    package var limits = Limits()
    /// For `X-Influxdb-Version` before any node has answered.
    package var fallbackVersion = "1.8.10"

    package init(nodes: [Node], log: CommitLog.Configuration) {
        self.nodes = nodes
        placement = Placement(everythingOn: nodes.map { Placement.Member(name: $0.name, zone: $0.zone) })
        self.log = log
        questionPool.maximumConnections = 4
        questionPool.acquireTimeout = .seconds(2)
        // A request that was handed to a lane is never given up for want of a connection.
        deliveryPool.acquireTimeout = nil
        deliveryPool.maximumWaiting = 1 << 20
        // Linux also counts a hung process with a full receive buffer; its requests are not given up lightly. A host
        // that vanished is known by its pings long before.
        deliveryPool.userTimeout = .minutes(5)
    }
}
