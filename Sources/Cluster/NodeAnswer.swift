// What a node's answer means (DESIGN: "Replication", the table of answers; reference: influxdb-1x-http.md 5, 6). Pure:
// the same table serves lanes, tests and the simulator.

/// The meaning of an answer to `POST /write`.
package enum WriteVerdict: Equatable, Sendable {
    /// All lines are in.
    case applied
    /// Some lines, perhaps all, are refused for good; the others have to be found and sent again (L7, L22).
    case linesRefused(Refusal)
    /// Nothing of it can ever be stored: unknown database or retention policy.
    case recordRefused(Refusal)
    /// Older than the retention policy on arrival: counts as applied, yet a waiting client hears of it.
    case expired(Refusal)
    /// Send less at a time.
    case tooLarge
    /// Not now; the data is not at fault (A10, L1). `retryAfter` in nanoseconds.
    case retry(reason: String, retryAfter: Int64?)
    /// The node, not the data, is at fault: no retry will help before a person does.
    case misconfigured(reason: String)
}

/// The parts of an answer that decide.
package struct NodeAnswer: Equatable, Sendable {
    package let status: Int
    /// Whether it carries `X-Influxdb-Version`: whatever else listens at the address does not (S2).
    package let isFromInfluxDB: Bool
    /// The `error` of the JSON body, or the body's text where it is none.
    package let message: String
    /// Nanoseconds.
    package let retryAfter: Int64?

    package init(status: Int, isFromInfluxDB: Bool, message: String, retryAfter: Int64? = nil) {
        self.status = status
        self.isFromInfluxDB = isFromInfluxDB
        self.message = message
        self.retryAfter = retryAfter
    }

    /// What the answer to a write means.
    package var writeVerdict: WriteVerdict {
        switch status {
        case 204:
            return isFromInfluxDB
                ? .applied
                : .misconfigured(reason: "answered 204 without X-Influxdb-Version: is this an InfluxDB 1.x?")
        case 400:
            return badRequestVerdict
        case 404:
            if message.hasPrefix("database not found") {
                return .recordRefused(Refusal(status: 404, message: message))
            }
            return .misconfigured(reason: "answered 404 to /write: \(short(message))")
        case 413:
            return .tooLarge
        case 429, 503:
            return .retry(reason: "answered \(status): \(short(message))", retryAfter: retryAfter)
        case 500 where message.hasPrefix("retention policy not found"):
            // A client's permanent mistake wearing a 5xx (reference, 5).
            return .recordRefused(Refusal(status: 500, message: message))
        case 500 where message.hasPrefix("Internal Server Error"):
            // What a handler that panicked says; exactly 100 tags in a line do that to 1.6.7, every time. The record
            // is taken apart like one that is refused, so that no line holds up the others for ever (A5).
            return .linesRefused(Refusal(status: 500, message: "Internal Server Error"))
        case 500...599:
            return .retry(reason: "answered \(status): \(short(message))", retryAfter: retryAfter)
        case 401, 403:
            return .misconfigured(reason: accessAdvice)
        default:
            return .misconfigured(reason: "answered \(status) to /write: \(short(message))")
        }
    }

    /// The gateway's own credential is missing or not good enough.
    package var accessAdvice: String {
        let what = "answered \(status) (\(short(message)))"
        return status == 401
            ? what + ": the node asks for a user; add \"username: NAME\" and \"password_file: FILE\" of an "
                + "administrator of this InfluxDB to the node's entry in the configuration"
            : what + ": the user in the node's entry in the configuration is no administrator of this InfluxDB; "
                + "grant it ALL PRIVILEGES, or name another one"
    }

    private var badRequestVerdict: WriteVerdict {
        let refusal = Refusal(status: 400, message: message)
        if message.hasPrefix("partial write: points beyond retention policy") { return .expired(refusal) }
        if message.mentions(" is pending deletion") {
            return .retry(reason: "answered 400: \(short(message))", retryAfter: retryAfter)
        }
        if !isFromInfluxDB { return .misconfigured(reason: "answered 400 without X-Influxdb-Version") }
        return .linesRefused(refusal)
    }

    /// Whether the words speak of something that the node has too little of, or may not do: no record is at fault then.
    package static func isShortage(_ words: String) -> Bool {
        shortages.contains { words.mentions($0) } || isTransient(words)
    }

    private static let shortages = [
        "cache-max-memory-size exceeded", "no space left", "disk quota", "too many open files", "cannot allocate",
        "input/output error", "read-only file system", "permission denied", "timeout", "is pending deletion",
    ]

    private func short(_ text: String) -> String {
        text.utf8.count <= 200 ? text : String(text.prefix(200)) + "..."
    }
}

/// The meaning of a complete answer to a mutation.
package enum MutationVerdict: Equatable, Sendable {
    /// Executed, or refused for good: the body is the client's answer. `error` is the node's words if it has any.
    case executed(error: String?)
    case retry(reason: String, retryAfter: Int64?)
    case misconfigured(reason: String)
}

extension NodeAnswer {
    /// What the answer to a mutation means; `message` is then the `error` of the first result that has one, or of
    /// the whole body, and empty where there is none.
    package var mutationVerdict: MutationVerdict {
        switch status {
        case 200 where isFromInfluxDB:
            if message.isEmpty { return .executed(error: nil) }
            if Self.isTransient(message) { return .retry(reason: "said \(short(message))", retryAfter: nil) }
            return .executed(error: message)
        case 400 where isFromInfluxDB:
            return .executed(error: message)
        case 429, 500...599:
            return .retry(reason: "answered \(status): \(short(message))", retryAfter: retryAfter)
        case 401, 403:
            return .misconfigured(reason: accessAdvice)
        default:
            return .misconfigured(reason: "answered \(status) to /query: \(short(message))")
        }
    }

    /// Whether two nodes say the same: the same data is in shards with other numbers on other nodes, and errors begin
    /// with them (`shard 7: fields not supported in WHERE clause during deletion`).
    package static func isSameReason(_ words: String?, _ other: String?) -> Bool {
        words == other || words.map(withoutShard) == other.map(withoutShard)
    }

    private static func withoutShard(_ words: String) -> Substring {
        guard words.hasPrefix("shard "), let end = words.firstRange(of: ": ") else { return words[...] }
        let number = words[words.index(words.startIndex, offsetBy: 6)..<end.lowerBound]
        return number.allSatisfy(\.isNumber) ? words[end.upperBound...] : words[...]
    }

    /// Whether an error inside a 200 says something of the node's state and nothing of the statement: what a node
    /// says while it stops or is overloaded (reference, 6).
    package static func isTransient(_ error: String) -> Bool {
        transientErrors.contains { error.mentions($0) }
    }

    private static let transientErrors = [
        "query engine shutdown", "engine is closed", "store is closed", "shard is disabled", "database is closed",
        "write failed", "query interrupted", "max-concurrent-queries limit exceeded", "meta service unavailable",
    ]
}
