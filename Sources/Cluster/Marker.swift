// What a node itself says about how far it has come, and which process says so: a node can be put back to an older
// state without the gateway noticing anything else.

/// The point that a gateway writes into a node's database `_sluice`: one per log.
package struct Marker: Equatable, Sendable {
    /// The database for markers; hidden from clients.
    package static let database = "_sluice"

    package var logID: String
    package var epoch: UInt64
    /// The node's cursor at the last checkpoint before it was written.
    package var cursor: UInt64
    /// The node's name in the configuration of the gateway that wrote it.
    package var node: String

    package init(logID: String, epoch: UInt64, cursor: UInt64, node: String) {
        self.logID = logID
        self.epoch = epoch
        self.cursor = cursor
        self.node = node
    }
}

/// One run of one InfluxDB server.
package struct ProcessIdentity: Equatable, Sendable, CustomStringConvertible {
    /// As the server prints it, to the nanosecond: `2026-11-21T02:38:02.760836426Z`.
    package var started: String
    /// For people; not every source shows it.
    package var pid: Int64?

    package init(started: String, pid: Int64? = nil) {
        self.started = started
        self.pid = pid
    }

    /// The start time alone decides: no two servers start in the same nanosecond.
    package static func == (left: ProcessIdentity, right: ProcessIdentity) -> Bool { left.started == right.started }

    package var description: String { pid.map { "process \($0), started \(started)" } ?? "started \(started)" }
}
