// What an operator can decide about a gateway, as plain values with their defaults (DESIGN "Limits").
import Cluster
import Foundation
import Gateway
import NodeClient
import Querying
import SecureTransport

/// An address to listen on: `127.0.0.1:8086`, `:8086` (all interfaces), `[::1]:8086`, `unix:/run/sluice/influx.sock`.
package enum ListenAddress: Equatable, Sendable, CustomStringConvertible {
    /// Port 0 lets the system choose a free one.
    case tcp(host: String, port: Int)
    case unix(path: String)

    package init(host: String, port: Int) {
        self = .tcp(host: host, port: port)
    }

    package init(parsing text: String) throws(ValueFault) {
        if text.hasPrefix("unix:") {
            self = .unix(path: try Self.path(text))
            return
        }
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
        self = .tcp(host: host.isEmpty ? "0.0.0.0" : host, port: Int(port))
    }

    /// What stands behind `unix:`; two slashes more are as in a URL.
    private static func path(_ text: String) throws(ValueFault) -> String {
        let path = text.hasPrefix("unix:///") ? text.dropFirst(7) : text.dropFirst(5)
        guard path.hasPrefix("/"), !path.hasSuffix("/"), !path.contains("\0") else {
            throw ValueFault(
                "\"\(text)\" names no Unix socket", advice: "write a whole path, such as unix:/run/sluice/influx.sock")
        }
        guard path.utf8.count < 108 else {
            throw ValueFault("\"\(text)\" is longer than a socket's path can be", advice: "use at most 107 bytes")
        }
        return String(path)
    }

    /// As `init(parsing:)`, for what is not served on Unix sockets.
    static func withPort(_ text: String) throws(ValueFault) -> ListenAddress {
        let address = try ListenAddress(parsing: text)
        guard address.tcp != nil else {
            throw ValueFault(
                "\"\(text)\" is a Unix socket, and only clients over HTTP can be served on one",
                advice: "write host:port, such as 127.0.0.1:8087")
        }
        return address
    }

    /// Host and port; nil: it is a Unix socket.
    package var tcp: (host: String, port: Int)? {
        if case .tcp(let host, let port) = self { (host, port) } else { nil }
    }

    /// Which port it will be is not known.
    var isAnyPort: Bool { tcp?.port == 0 }

    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// One InfluxDB server behind the gateway.
package struct ConfiguredNode: Equatable, Sendable {
    /// Names the node in status, metrics and the log's cursors; never change it while the log holds its backlog.
    package var name: String
    /// `http://host:port[/path]` or `https://...`, checked.
    package var url: String
    /// Where it stands; empty when not said.
    package var zone: String
    /// With which the gateway itself speaks to it; nil: it asks for none.
    package var credential: ServiceCredential?
    /// For an `https` url; nil: as `TLSSettings` begins.
    package var tls: TLSSettings?
    /// Points are sent to it as gzip: for links that are slow or cost money.
    package var gzip = false
    package var role = NodeRole.normal
    /// How much of what is hashed it holds, beside others: above 0.
    package var weight = 1.0
    /// nil: the general one.
    package var connectTimeout: Duration?
    /// Of queries; nil: as for all nodes.
    package var firstByteTimeout: Duration?
    package var idleTimeout: Duration?

    package init(
        name: String, url: String, zone: String = "", credential: ServiceCredential? = nil, tls: TLSSettings? = nil
    ) {
        self.name = name
        self.url = url
        self.zone = zone
        self.credential = credential
        self.tls = tls
    }

    package var isSecure: Bool { url.hasPrefix("https:") }
}

/// One of the gateway's own users.
package struct ConfiguredUser: Equatable, Sendable {
    package var user: GatewayUser
    package var password: PasswordHash?
    package var tokens: [TokenHash]

    package init(user: GatewayUser, password: PasswordHash? = nil, tokens: [TokenHash] = []) {
        self.user = user
        self.password = password
        self.tokens = tokens
    }
}

/// A further address for InfluxDB clients.
package struct ConfiguredListener: Equatable, Sendable {
    package var address: ListenAddress
    /// nil: the general one.
    package var policy: Policy?
    /// nil: HTTP without TLS.
    package var tls: TLSSettings?
    /// Rights of a Unix socket's file.
    package var mode: UInt32 = Configuration.socketMode
    package var limits = ConfiguredListenerLimits()

    package init(address: ListenAddress, policy: Policy? = nil, tls: TLSSettings? = nil) {
        self.address = address
        self.policy = policy
        self.tls = tls
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
    /// Who decides what clients may; `auto` is `users` when there are some, else `nodes` when a node has a username.
    package enum Access: String, CaseIterable, Sendable { case auto, users, nodes, none }
    package enum LogLevel: String, CaseIterable, Sendable { case trace, debug, info, notice, warning, error, critical }

    /// Owner and group may connect to a Unix socket.
    package static let socketMode: UInt32 = 0o660

    package var listen = ListenAddress(host: "127.0.0.1", port: 8086)
    /// Rights of the file when `listen` is a Unix socket.
    package var listenMode = Configuration.socketMode
    /// At `listen`; nil: HTTP without TLS.
    package var tls: TLSSettings?
    package var admin = ListenAddress(host: "127.0.0.1", port: 8087)
    /// What clients may send, unless their listener has its own.
    package var policy = Policy()
    package var listeners: [ConfiguredListener] = []
    /// Addresses at which points come as datagrams.
    package var udp: [ConfiguredUDPListener] = []
    package var dataDirectory = "/var/lib/sluice"
    package var nodes: [ConfiguredNode] = []
    /// Which of them hold what; nil: each holds everything.
    package var placement: ConfiguredPlacement?
    /// The gateway's own; reads prefer nodes of the same zone.
    package var zone = ""

    package var access = Access.auto
    /// The gateway's own.
    package var users: [ConfiguredUser] = []
    package var ack = AckLevel.insync
    package var consistencyParameter = ConsistencyParameter.raise
    package var noInSync = NoInSync.accept
    package var staleReads = StaleReads.allow
    package var asyncLag = Duration.seconds(300)

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

    /// Who decides; never `auto`.
    package var decidedAccess: Access {
        guard access == .auto else { return access }
        if !users.isEmpty { return .users }
        return nodes.contains { $0.credential != nil } ? .nodes : .none
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
        package var mergedAnswer = 64 << 20
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
