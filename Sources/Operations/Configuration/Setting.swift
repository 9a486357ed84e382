// The list of all configuration keys: one line each, read by the file, the environment and the flags alike, so that
// none of them can know a key that the others do not.

import Querying

/// One key with a single value.
package struct Setting: Sendable {
    /// As in the file; a point enters a section: `limits.body`.
    package let key: String
    /// A value that works, for messages and documentation.
    package let example: String
    /// What it decides, in one line.
    package let summary: String
    /// Reads the text form and stores it.
    package let apply: @Sendable (inout Configuration, String) throws(ValueFault) -> Void
    /// The text form of the present value.
    package let render: @Sendable (Configuration) -> String

    /// `SLUICE_LIMITS_BODY` for `limits.body`.
    package var environmentName: String { "SLUICE_" + key.uppercased().replacing(".", with: "_") }

    package static func named(_ key: String) -> Setting? { all.first { $0.key == key } }

    /// Sections of the file: `limits`, `log`, `query`.
    package static let sections: Set<String> = Set(
        all.compactMap { setting in setting.key.firstIndex(of: ".").map { String(setting.key[..<$0]) } })

    package static let all: [Setting] = [
        address("listen", \.listen, "InfluxDB API for clients"),
        Setting(
            key: "listen_mode", example: "0660", summary: "rights of the socket's file when `listen` is a Unix socket",
            apply: { configuration, text throws(ValueFault) in configuration.listenMode = try SocketMode.parse(text) },
            render: { SocketMode.render($0.listenMode) }),
        Setting(
            key: "admin", example: "127.0.0.1:8087", summary: "health, metrics, status; keep it on loopback",
            apply: { configuration, text throws(ValueFault) in
                configuration.admin = try ListenAddress.withPort(text)
            }, render: { $0.admin.description }),
        Setting(
            key: "policy", example: "open",
            summary: "what clients may send (\(PolicyText.presets)); a map of rules in the file",
            apply: { configuration, text throws(ValueFault) in
                configuration.policy = Policy(preset: try PolicyText.preset(text))
            }, render: { $0.policy.description }),
        Setting(
            key: "data_dir", example: "/var/lib/sluice",
            summary: "folder of the commit log and the index of dead letters",
            apply: { configuration, text throws(ValueFault) in
                guard !text.isEmpty else { throw ValueFault("is empty", advice: "name a folder on a local disk") }
                configuration.dataDirectory = text
            }, render: { $0.dataDirectory }),

        Setting(
            key: "zone", example: "dc1", summary: "where the gateway stands; reads prefer nodes of the same zone",
            apply: { configuration, text throws(ValueFault) in configuration.zone = text }, render: { $0.zone }),

        choice(
            "access", \.access,
            "who decides what clients may; auto: `users` if there are any, else the nodes when one has a username, else nobody"
        ),
        choice("ack", \.ack, "what a 204 promises at least"),
        choice("consistency_param", \.consistencyParameter, "what a client's consistency= may do to `ack`"),
        choice("no_insync", \.noInSync, "writes while no node is in-sync: 204 once durable, or 503"),
        choice("stale_reads", \.staleReads, "reads while no node is in-sync: from the most advanced node, or 503"),
        duration(
            "async_lag", \.asyncLag, ("1s", "30d"), "how far a node of the role async may lag and still be read"),

        duration(
            "sync_timeout", \.syncTimeout, ("10ms", "1h"), "how long one slow node may delay acks before it leaves"),
        duration(
            "sync_refill", \.syncRefill, ("10ms", "24h"),
            "the time to which sync_timeout refers, and after which a slow node may come back"),
        duration(
            "ack_timeout", \.ackTimeout, ("10ms", "1h"), "longest wait for nodes before a write is answered 500 timeout"
        ),
        duration("connect_timeout", \.connectTimeout, ("10ms", "1m"), "longest wait for a connection to a node"),
        duration("ping_interval", \.pingInterval, ("10ms", "1h"), "time between two pings of a node"),
        count("ping_misses", \.pingMisses, 1...1_000, "missed pings until a node is down"),
        duration(
            "query.first_byte_timeout", \.queryFirstByteTimeout, ("10ms", "24h"),
            "longest wait for an answer's first byte"),
        duration("query.idle_timeout", \.queryIdleTimeout, ("10ms", "24h"), "longest pause within an answer"),
        duration(
            "query.timeout", \.queryTimeout, ("0s", "24h"),
            "longest time for a query as a whole; 0s: none. A client can lower it with X-Sluice-Timeout"),
        duration(
            "query.queue_timeout", \.queryQueueTimeout, ("10ms", "10m"),
            "longest wait for its turn while limits.concurrent_queries run; then 503"),

        size("limits.body", \.limits.body, ("1KB", "10GB"), "request body as sent"),
        size("limits.inflated_body", \.limits.inflatedBody, ("1KB", "100GB"), "request body after gunzip"),
        size(
            "limits.bodies_in_memory", \.limits.bodiesInMemory, ("1MB", "1TiB"),
            "request bodies in memory, over all requests; then 503"),
        size("limits.headers", \.limits.headers, ("1KB", "100MB"), "request line and headers"),
        count("limits.connections", \.limits.connections, 1...1_000_000, "client connections"),
        count(
            "limits.connections_per_address", \.limits.connectionsPerAddress, 0...1_000_000,
            "connections of one client (an IPv4 address, an IPv6 /64); 0: no limit"),
        duration(
            "limits.header_timeout", \.limits.headerTimeout, ("100ms", "10m"),
            "longest time for a request's head, from its first byte on"),
        duration(
            "limits.idle_timeout", \.limits.idleTimeout, ("1s", "24h"), "longest pause between two requests"),
        duration(
            "limits.body_timeout", \.limits.bodyTimeout, ("100ms", "1h"), "longest pause within a request's body"),
        count(
            "limits.requests", \.limits.requests, 1...1_000_000, "requests under way; beyond it 503"),
        count(
            "limits.user_requests", \.limits.userRequests, 0...1_000_000,
            "requests of one user under way; 0: no limit"),
        count(
            "limits.user_request_rate", \.limits.userRequestRate, 0...1_000_000_000,
            "requests of one user per second; 0: no limit"),
        size(
            "limits.user_bytes_rate", \.limits.userBytesRate, ("0B", "1TiB"),
            "bytes of request bodies of one user per second; 0B: no limit"),
        count(
            "limits.concurrent_queries", \.limits.concurrentQueries, 1...1_000_000, "queries that run, per event loop"),
        count(
            "limits.waiting_queries", \.limits.waitingQueries, 0...1_000_000,
            "queries that wait for their turn, per event loop; beyond them 503"),
        size(
            "limits.merged_answer", \.limits.mergedAnswer, ("64KB", "10GB"),
            "what the parts of an answer from several replica sets take together; beyond it an error"),
        size(
            "limits.pending_log_bytes", \.limits.pendingLogBytes, ("64KB", "10GB"),
            "bytes that wait for fsync; then sockets are not read"),
        count(
            "limits.connections_per_node", \.limits.connectionsPerNode, 1...10_000,
            "connections to one node, per event loop"),
        count("limits.batch_lines", \.limits.batchLines, 1...1_000_000, "lines in one request to a node"),
        size("limits.batch_bytes", \.limits.batchBytes, ("1KB", "1GB"), "bytes in one request to a node"),
        size(
            "limits.look_ahead", \.limits.lookAhead, ("1MB", "10GB"),
            "how far a lane may run ahead of its node's cursor"),
        count(
            "limits.dead_letters", \.limits.deadLetters, 1...1_000_000,
            "refused lines kept per database, measurement and reason"),

        automaticSize(
            "log.max_bytes", \.log.maximumBytes, ("1MB", "100TiB"),
            "size of the commit log; auto: half of the file system, 10 GiB at least"),
        automaticSize(
            "log.min_free", \.log.minimumFreeBytes, ("0B", "100TiB"),
            "free disk below which writes get 503; auto: 1 GiB or a twentieth of the disk, whichever is less"),
        size(
            "log.kept", \.log.keptBytes, ("0B", "100TiB"),
            "records that all nodes have, kept for nodes that are put back to an older state"),
        size("log.segment", \.log.segmentBytes, ("64KB", "4GiB"), "size of one file of the commit log"),

        count("threads", \.threads, 1...1_024, "event loops; default: cores - 1"),
        choice("log_level", \.logLevel, "least level of messages on standard error"),
    ]
}

// The kinds of values. A key path that is written through is Sendable when it captures nothing.
private typealias Field<Value> = WritableKeyPath<Configuration, Value> & Sendable

private func address(_ key: String, _ field: Field<ListenAddress>, _ summary: String) -> Setting {
    Setting(
        key: key, example: Configuration()[keyPath: field].description, summary: summary,
        apply: { configuration, text throws(ValueFault) in
            configuration[keyPath: field] = try ListenAddress(parsing: text)
        },
        render: { $0[keyPath: field].description })
}

private func choice<Value: RawRepresentable<String> & CaseIterable & Sendable & SendableMetatype>(
    _ key: String, _ field: Field<Value>, _ summary: String
) -> Setting {
    let names = Value.allCases.map(\.rawValue)
    return Setting(
        key: key, example: Configuration()[keyPath: field].rawValue,
        summary: "\(summary) (\(names.joined(separator: ", ")))",
        apply: { configuration, text throws(ValueFault) in
            guard let value = Value(rawValue: text) else {
                let near = Spelling.nearest(to: text, among: names)
                let list = names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
                throw ValueFault(
                    "\"\(text)\" is not known", advice: near.map { "did you mean \($0)?" } ?? "use \(list)")
            }
            configuration[keyPath: field] = value
        },
        render: { $0[keyPath: field].rawValue })
}

private func count(_ key: String, _ field: Field<Int>, _ range: ClosedRange<Int>, _ summary: String) -> Setting {
    Setting(
        key: key, example: String(Configuration()[keyPath: field]), summary: summary,
        apply: { configuration, text throws(ValueFault) in
            guard let value = Int(text), range.contains(value) else {
                throw ValueFault(
                    "\"\(text)\" is not a number from \(range.lowerBound) to \(range.upperBound)",
                    advice: "write a whole number without unit")
            }
            configuration[keyPath: field] = value
        },
        render: { String($0[keyPath: field]) })
}

private func size(_ key: String, _ field: Field<Int>, _ range: (lowest: String, highest: String), _ summary: String)
    -> Setting
{
    Setting(
        key: key, example: SizeText.render(Configuration()[keyPath: field]), summary: summary,
        apply: { configuration, text throws(ValueFault) in
            configuration[keyPath: field] = try bounded(SizeText.parse, text, range)
        },
        render: { SizeText.render($0[keyPath: field]) })
}

private func automaticSize(
    _ key: String, _ field: Field<Int?>, _ range: (lowest: String, highest: String), _ summary: String
) -> Setting {
    Setting(
        key: key, example: "auto", summary: summary,
        apply: { configuration, text throws(ValueFault) in
            configuration[keyPath: field] = text == "auto" ? nil : try bounded(SizeText.parse, text, range)
        },
        render: { $0[keyPath: field].map(SizeText.render) ?? "auto" })
}

private func duration(
    _ key: String, _ field: Field<Duration>, _ range: (lowest: String, highest: String), _ summary: String
) -> Setting {
    Setting(
        key: key, example: DurationText.render(Configuration()[keyPath: field]), summary: summary,
        apply: { configuration, text throws(ValueFault) in
            configuration[keyPath: field] = try bounded(DurationText.parse, text, range)
        },
        render: { DurationText.render($0[keyPath: field]) })
}

/// Reads a value with a unit and holds it against bounds that are written with units, too.
private func bounded<Value: Comparable>(
    _ parse: (String) throws(ValueFault) -> Value, _ text: String, _ range: (lowest: String, highest: String)
) throws(ValueFault) -> Value {
    let value: Value
    do {
        value = try parse(text)
    } catch {
        throw ValueFault("\"\(text)\" \(error.what)", advice: error.advice)
    }
    guard try value >= parse(range.lowest), try value <= parse(range.highest) else {
        throw ValueFault("\"\(text)\" is out of bounds", advice: "write \(range.lowest) to \(range.highest)")
    }
    return value
}
