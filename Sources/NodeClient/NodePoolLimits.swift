// Every bound of a node's connection pool in one place, with its default.
import NIOCore

/// The bounds of one `NodePool`, that is of one node on one event loop.
package struct NodePoolLimits: Hashable, Sendable {
    /// Open and opening connections together.
    package var maximumConnections = 16
    /// Exchanges that wait for a connection; one more is refused with `notSent`.
    package var maximumWaiting = 1024
    /// TCP connect, name resolution included.
    package var connectTimeout: TimeAmount = .seconds(1)
    /// How long an exchange waits for a connection before it ends with `notSent`. Nil: until one is free.
    package var acquireTimeout: TimeAmount? = .seconds(10)
    /// An unused connection is closed after this time.
    package var idleTimeout: TimeAmount = .seconds(60)

    /// TCP keep-alive finds a host that vanished while nothing is being sent: after `idle`, then `count` probes
    /// `interval` apart (25 s).
    package var keepAliveIdle: TimeAmount = .seconds(10)
    package var keepAliveInterval: TimeAmount = .seconds(5)
    package var keepAliveCount = 3
    /// `TCP_USER_TIMEOUT`: how long sent bytes may stay unacknowledged. Linux also counts a peer that acknowledges but
    /// keeps its window closed, that is a hung process with a full receive buffer. Zero switches it off.
    package var userTimeout: TimeAmount = .seconds(30)

    package init() {}
}
