// What an operator can decide about a gateway, as plain values with their defaults (DESIGN "Limits").
import Foundation
import NodeClient
import Querying

/// An address to listen on: `127.0.0.1:8086`, `:8086` (all interfaces), `[::1]:8086`.
package struct ListenAddress: Equatable, Sendable, CustomStringConvertible {
    package var host: String
    /// 0 lets the system choose a free port.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package init(parsing text: String) throws(ValueFault) {
        let fault = ValueFault(
            "\"\(text)\" is not an address",
            advice: "write host:port, such as 127.0.0.1:8086 or :8086 for all interfaces")
        guard let colon = text.lastIndex(of: ":") else { throw fault }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw ValueFault(
                "\"\(text)\" is not an address", advice: "put an IPv6 address in brackets, such as [::1]:8086")
        }
        guard let port = UInt16(text[text.index(after: colon)...]), !host.contains("/"), !host.contains(" ") else {
            throw fault
        }
        self.host = host.isEmpty ? "0.0.0.0" : host
        self.port = Int(port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// One InfluxDB server behind the gateway.
package struct ConfiguredNode: Equatable, Sendable {
    /// Names the node in status, metrics and the log's cursors; never change it while the log holds its backlog.
    package var name: String
    /// `http://host:port[/path]`, checked.
    package var url: String
    /// Where it stands; empty when not said.
    package var zone: String
    /// With which the gateway itself speaks to it; nil: it asks for none.
    package var credential: ServiceCredential?
    /// Points are sent to it as gzip: for links that are slow or cost money.
    package var gzip = false

    package init(name: String, url: String, zone: String = "", credential: ServiceCredential? = nil) {
        self.name = name
        self.url = url
        self.zone = zone
        self.credential = credential
    }
}

/// A further address for InfluxDB clients.
package struct ConfiguredListener: Equatable, Sendable {
    package var address: ListenAddress
    /// nil: the general one.
    package var policy: Policy?
    package var limits = ConfiguredListenerLimits()

    package init(address: ListenAddress, policy: Policy? = nil) {
        self.address = address
        self.policy = policy
    }
}

/// Everything an operator can set. `Setting.all` lists the keys.
package struct Configuration: Equatable, Sendable {
    /// The least that a 204 means (DESIGN "Write path" 5).
    package enum AckLevel: String, CaseIterable, Sendable { case any, one, quorum, insync, all }
    /// What a client's `consistency=` may do to the configured level.
    package enum ConsistencyParameter: String, CaseIterable, Sendable { case `raise`, honour, ignore }
    /// What happens to writes while no node is in-sync.
    package enum NoInSync: String, CaseIterable, Sendable { case accept, refuse }
    /// What happens to reads while no node is in-sync.
    package enum StaleReads: String, CaseIterable, Sendable { case allow, refuse }
    /// Who decides what clients may write and change; `auto` is `nodes` when a node has a username.
    package enum Access: String, CaseIterable, Sendable { case auto, nodes, none }
    package enum LogLevel: String, CaseIterable, Sendable { case trace, debug, info, notice, warning, error, critical }

    package var listen = ListenAddress(host: "127.0.0.1", port: 8086)
    package var admin = ListenAddress(host: "127.0.0.1", port: 8087)
    /// What clients may send, unless their listener has its own.
    package var policy = Policy()
    package var listeners: [ConfiguredListener] = []
    /// Addresses at which points come as datagrams.
    package var udp: [ConfiguredUDPListener] = []
    package var dataDirectory = "/var/lib/sluice"
    package var nodes: [ConfiguredNode] = []
    /// The gateway's own; reads prefer nodes of the same zone.
    package var zone = ""

    package var access = Access.auto
    package var ack = AckLevel.insync
    package var consistencyParameter = ConsistencyParameter.raise
    package var noInSync = NoInSync.accept
    package var staleReads = StaleReads.allow

    package var syncTimeout = Duration.seconds(2)
    package var syncRefill = Duration.seconds(60)
    package var ackTimeout = Duration.seconds(4)
    package var connectTimeout = Duration.seconds(1)
    package var pingInterval = Duration.seconds(1)
    package var pingMisses = 3
    package var queryFirstByteTimeout = Duration.seconds(120)
    package var queryIdleTimeout = Duration.seconds(300)
    /// Zero: none.
    package var queryTimeout = Duration.zero
    package var queryQueueTimeout = Duration.seconds(5)

    package var limits = Limits()
    package var log = Log()
    /// Event loops; one core is left to the log and the rest.
    package var threads = max(1, ProcessInfo.processInfo.activeProcessorCount - 1)
    package var logLevel = LogLevel.info

    package init() {}

    /// What clients may send to this address; nil: it is no listener's.
    package func policy(at address: ListenAddress) -> Policy? {
        if address == listen { return policy }
        return listeners.first { $0.address == address }.map { $0.policy ?? policy }
    }

    /// Whether clients' writes and changes are checked with a node.
    package var asksNodesForAccess: Bool {
        switch access {
        case .auto: nodes.contains { $0.credential != nil }
        case .nodes: true
        case .none: false
        }
    }

    /// Sizes in bytes; the rest are counts.
    package struct Limits: Equatable, Sendable {
        package var body = 25_000_000
        package var inflatedBody = 250_000_000
        package var headers = 1_000_000
        package var bodiesInMemory = 1 << 30
        package var connections = 4_096
        /// 0: no limit.
        package var connectionsPerAddress = 0
        package var headerTimeout = Duration.seconds(10)
        package var idleTimeout = Duration.seconds(300)
        package var bodyTimeout = Duration.seconds(30)
        package var requests = 10_000
        /// 0: no limit.
        package var userRequests = 0
        /// Per second; 0: no limit.
        package var userRequestRate = 0
        /// Per second; 0: no limit.
        package var userBytesRate = 0
        /// Per event loop.
        package var concurrentQueries = 1_024
        /// Per event loop.
        package var waitingQueries = 4_096
        package var pendingLogBytes = 32 << 20
        package var connectionsPerNode = 16
        package var batchLines = 5_000
        package var batchBytes = 1_000_000
        package var lookAhead = 64 << 20
        /// Lines kept per database, measurement and reason; more are counted only.
        package var deadLetters = 1_000

        package init() {}
    }

    package struct Log: Equatable, Sendable {
        /// Nil: half of the file system, 10 GiB at least.
        package var maximumBytes: Int?
        /// Passed segments kept for nodes that go back in time.
        package var keptBytes = 1 << 30
        /// Nil: 1 GiB or a twentieth of the file system, whichever is less.
        package var minimumFreeBytes: Int?
        package var segmentBytes = 64 << 20

        package init() {}
    }
}
