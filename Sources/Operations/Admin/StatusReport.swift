// What /api/v1/status says, as values. `sluice status --json` prints the same; keys are only ever added.
import Foundation

package struct StatusReport: Codable, Equatable, Sendable {
    package var version: String
    package var uptimeSeconds: Int
    /// Addresses where InfluxDB clients are served.
    package var listen: [String]
    package var ready: Readiness
    package var log: LogStatus
    package var nodes: [NodeStatus]
    /// Counts since the start, by what they count.
    package var requests: [String: Int]
    package var deadLetters: Int

    package init(
        version: String, uptimeSeconds: Int, listen: [String], ready: Readiness, log: LogStatus, nodes: [NodeStatus],
        requests: [String: Int], deadLetters: Int
    ) {
        self.version = version
        self.uptimeSeconds = uptimeSeconds
        self.listen = listen
        self.ready = ready
        self.log = log
        self.nodes = nodes
        self.requests = requests
        self.deadLetters = deadLetters
    }

    package struct Readiness: Codable, Equatable, Sendable {
        package var isReady: Bool
        /// Why not; empty when ready.
        package var reason: String

        package init(isReady: Bool, reason: String) {
            self.isReady = isReady
            self.reason = reason
        }

        enum CodingKeys: String, CodingKey {
            case isReady = "ready"
            case reason
        }
    }

    package struct LogStatus: Codable, Equatable, Sendable {
        package var id: String
        package var epoch: UInt64
        /// Oldest offset that the log still holds.
        package var start: UInt64
        package var durableEnd: UInt64
        package var bytesUsed: Int
        /// Nil when the log did not say.
        package var bytesLimit: Int?
        /// Bytes that wait for fsync.
        package var bytesPending: Int
        /// `open`, or why nothing can be appended.
        package var state: String
        /// How long a node may stay away at the present rate before the log is full; nil while little is written.
        package var outageBudgetSeconds: Int?

        package init(
            id: String, epoch: UInt64, start: UInt64, durableEnd: UInt64, bytesUsed: Int, bytesLimit: Int?,
            bytesPending: Int, state: String, outageBudgetSeconds: Int? = nil
        ) {
            self.id = id
            self.epoch = epoch
            self.start = start
            self.durableEnd = durableEnd
            self.bytesUsed = bytesUsed
            self.bytesLimit = bytesLimit
            self.bytesPending = bytesPending
            self.state = state
            self.outageBudgetSeconds = outageBudgetSeconds
        }
    }

    package struct NodeStatus: Codable, Equatable, Sendable {
        package var name: String
        package var url: String
        package var zone: String
        /// `up` or `down`.
        package var health: String
        /// `in-sync`, `catching-up`, `needs-copy`, `unattached` or `paused`.
        package var sync: String
        /// Why the node is not in-sync, when there is more to say.
        package var reason: String?
        package var cursor: UInt64
        /// Records between cursor and durable end.
        package var backlog: UInt64
        package var version: String?
        package var lastError: String?
        /// 0 to 1: how much longer the node may make writes wait beyond the fastest before it leaves the in-sync nodes.
        package var delayBudgetLeft: Double?
        /// `database.measurement`: the node refused what another accepted; they are not read there.
        package var diverged: [String]?
        /// What is dangerous about the node's own configuration or host, in sentences.
        package var warnings: [String]?
        /// What it does by itself, beside the log: continuous queries and subscriptions, in sentences.
        package var ownWork: [String]?

        package init(
            name: String, url: String, zone: String, health: String, sync: String, reason: String? = nil,
            cursor: UInt64, backlog: UInt64, version: String? = nil, lastError: String? = nil,
            delayBudgetLeft: Double? = nil, diverged: [String]? = nil, warnings: [String]? = nil,
            ownWork: [String]? = nil
        ) {
            self.name = name
            self.url = url
            self.zone = zone
            self.health = health
            self.sync = sync
            self.reason = reason
            self.cursor = cursor
            self.backlog = backlog
            self.version = version
            self.lastError = lastError
            self.delayBudgetLeft = delayBudgetLeft
            self.diverged = diverged
            self.warnings = warnings
            self.ownWork = ownWork
        }

        package var isInSync: Bool { sync == "in-sync" }
    }
}

extension StatusReport.Readiness {
    /// Ready: the log takes records, and a write at the configured level can be answered.
    package static func of(
        log: StatusReport.LogStatus, nodes: [StatusReport.NodeStatus], ack: Configuration.AckLevel,
        noInSync: Configuration.NoInSync
    ) -> Self {
        guard log.state == "open" else { return Self(isReady: false, reason: "the commit log is \(log.state)") }
        if nodes.contains(where: \.isInSync) { return Self(isReady: true, reason: "") }
        let acceptsWithoutNodes = ack == .any || (ack == .insync && noInSync == .accept)
        if acceptsWithoutNodes { return Self(isReady: true, reason: "") }
        return Self(isReady: false, reason: "no node is in-sync, and ack: \(ack.rawValue) needs one")
    }
}

/// The one JSON form of everything that the admin API says: snake_case, sorted keys.
package enum AdminJSON {
    package static func encode(_ value: some Encodable, pretty: Bool = false) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    /// `asFailure` as `as_failure`.
    static func snakeCase(_ name: String) -> String {
        name.reduce(into: "") { text, character in
            text += character.isUppercase ? "_" + character.lowercased() : String(character)
        }
    }

    package static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: data)
    }
}
