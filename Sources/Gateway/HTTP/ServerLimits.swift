// Every bound of the HTTP server in one place, with its default.
import NIOCore

package struct ServerLimits: Hashable, Sendable {
    /// Over all event loops. Connections beyond it are answered with 503 and closed.
    package var maximumConnections = 4096
    /// Of one client: an IPv4 address, an IPv6 network; 0: no limit. Beyond it as above.
    package var connectionsPerAddress = 0
    /// By listener, where it has a limit of its own. Beyond it as above.
    package var connectionsPerListener: [Int: Int] = [:]
    /// Connections that are being answered with 503 at the same time; those beyond are closed without an answer.
    package var maximumRejectedConnections = 1024
    /// Names and values of one request's header fields and its target, in bytes; beyond it 431 (Go's default: 1 MB).
    package var maximumHeaderBytes = 1 << 20
    /// Header fields of one request; beyond it 431. Go has no such limit; each field costs memory of its own.
    package var maximumHeaderFields = 1000
    /// From a head's first byte to its last; then 408 and close.
    package var headTimeout: TimeAmount = .seconds(10)
    /// Between requests, and before the first; then close.
    package var idleTimeout: TimeAmount = .minutes(5)
    /// While a request body is wanted, some bytes of it must come within this time; else 408 and close.
    package var bodyProgressTimeout: TimeAmount = .seconds(30)
    /// While there are bytes to write, the client must take some within this time; else the connection is cut.
    package var writeProgressTimeout: TimeAmount = .seconds(60)
    /// How much of a request body is read and thrown away to keep a connection whose answer came early
    /// (Go's `maxPostHandlerReadBytes`).
    package var maximumDiscardedBytes = 256 << 10
    /// How long a connection whose last answer has been sent is read, so that a reset does not overtake the answer.
    package var lingerTimeout: TimeAmount = .seconds(1)
    /// Above the high mark `Exchange.isWritable` turns false, below the low mark true again; bytes per connection.
    package var writeHighWaterMark = 256 << 10
    package var writeLowWaterMark = 64 << 10
    /// How often the time limits are looked at: all of them are exact to one such interval.
    package var sweepInterval: TimeAmount = .seconds(1)
    package var backlog: Int32 = 1024

    package init() {}
}
