// Every figure of the data plane under its Prometheus name. A name, once given, keeps its meaning.
import CommitLog
import Gateway
import Querying
import Replication

enum GatewayMetrics {
    static func families(of server: GatewayServer, nodes: [StatusReport.NodeStatus]) -> [MetricFamily] {
        requests(server) + connections(server) + udp(server.udpFigures) + log(server)
            + replication(server, nodes: nodes)
    }

    private static func requests(_ server: GatewayServer) -> [MetricFamily] {
        let figures = server.figures
        return [
            counter("sluice_writes_total", "Write requests with lines.", figures.writes.value),
            counter(
                "sluice_write_lines_total", "Lines in write requests that were logged.", figures.writtenLines.value),
            counter("sluice_write_bytes_total", "Bytes of these lines.", figures.writtenBytes.value),
            counter("sluice_write_bad_lines_total", "Lines that are not line protocol.", figures.badLines.value),
            counter(
                "sluice_write_unplaced_lines_total", "Lines that no placement rule places.",
                figures.unplacedLines.value),
            counter("sluice_writes_acknowledged_total", "Writes answered 204.", figures.acknowledged.value),
            counter(
                "sluice_writes_timed_out_total", "Writes answered 500 timeout; their records stay.",
                figures.timedOut.value),
            counter("sluice_refused_total", "Writes and mutations answered 503 before logging.", figures.refused.value),
            counter("sluice_queries_total", "Query requests.", figures.queries.value),
            gauge("sluice_queries_running", "Queries that run.", figures.runningQueries.load(ordering: .relaxed)),
            gauge(
                "sluice_queries_waiting", "Queries that wait for their turn.",
                figures.waitingQueries.load(ordering: .relaxed)),
            counter(
                "sluice_queries_crowded_out_total", "Queries answered 503 because too many ran.",
                figures.crowdedOut.value),
            MetricFamily(
                name: "sluice_queries_refused_by_policy_total", help: "Query requests that a policy refused, by rule.",
                kind: .counter,
                samples: Policy.Rule.allCases.map { rule in
                    let count = figures.queriesRefusedByPolicy[rule]?.value ?? 0
                    return .init(labels: [("rule", rule.rawValue)], value: Double(count))
                }),
            counter(
                "sluice_writes_refused_by_policy_total", "Write requests that a policy refused.",
                figures.writesRefusedByPolicy.value),
            counter(
                "sluice_access_checks_total", "Questions to nodes whether a client may do something.",
                figures.accessChecks.value),
            counter(
                "sluice_known_databases_total", "CREATE DATABASE of one that exists, answered without a record.",
                figures.knownDatabases.value),
            counter("sluice_mutations_total", "Statements that change data or schema.", figures.mutations.value),
            counter(
                "sluice_reads_stale_total", "Reads answered by a node that was not in-sync.", figures.staleReads.value),
            counter("sluice_reads_failed_total", "Reads that no node could answer.", figures.failedReads.value),
            gauge("sluice_request_body_bytes", "Request bodies in memory.", figures.bodyBytes.load(ordering: .relaxed)),
        ]
    }

    private static func connections(_ server: GatewayServer) -> [MetricFamily] {
        let figures = server.serverFigures
        let answers = [
            ("2xx", figures.answered2xx.load(ordering: .relaxed)),
            ("3xx", figures.answered3xx.load(ordering: .relaxed)),
            ("4xx", figures.answered4xx.load(ordering: .relaxed)),
            ("5xx", figures.answered5xx.load(ordering: .relaxed)),
        ]
        return [
            gauge("sluice_connections", "Client connections.", figures.connectionsOpen.load(ordering: .relaxed)),
            counter(
                "sluice_connections_total", "Client connections since the start.",
                figures.connectionsTotal.load(ordering: .relaxed)),
            counter(
                "sluice_connections_rejected_total", "Connections over the limit.",
                figures.connectionsRejected.load(ordering: .relaxed)),
            counter(
                "sluice_requests_total", "Requests that reached the router.", figures.requests.load(ordering: .relaxed)),
            gauge("sluice_requests_active", "Requests under way.", figures.requestsActive.load(ordering: .relaxed)),
            counter(
                "sluice_requests_malformed_total", "Requests that are not HTTP.",
                figures.requestsMalformed.load(ordering: .relaxed)),
            counter(
                "sluice_requests_abandoned_total", "Requests whose client left early.",
                figures.requestsAbandoned.load(ordering: .relaxed)),
            counter(
                "sluice_request_timeouts_total", "Connections closed for slowness.",
                figures.timeouts.load(ordering: .relaxed)),
            counter(
                "sluice_tls_handshakes_failed_total", "Client connections that ended before TLS was agreed on.",
                figures.tlsHandshakesFailed.load(ordering: .relaxed)),
            MetricFamily(
                name: "sluice_requests_refused_total",
                help: "Requests answered 503 before anybody looked at them, by the limit.", kind: .counter,
                samples: RequestRefusal.allCases.map { reason in
                    let count = server.requestGate.refused[reason]?.value ?? 0
                    return .init(labels: [("reason", reason.rawValue)], value: Double(count))
                }),
            MetricFamily(
                name: "sluice_answers_total", help: "Answers by class of status.", kind: .counter,
                samples: answers.map { .init(labels: [("status", $0.0)], value: Double($0.1)) }),
        ]
    }

    private static func log(_ server: GatewayServer) -> [MetricFamily] {
        let log = server.log
        let figures = log.figures
        return [
            gauge("sluice_log_start", "Oldest offset in the log.", log.start.rawValue),
            gauge("sluice_log_durable_end", "All records below this offset are durable.", log.durableEnd.rawValue),
            gauge("sluice_log_epoch", "Times the log was opened.", log.epoch),
            gauge("sluice_log_bytes", "Bytes of all segments.", figures.usedBytes),
            gauge("sluice_log_bytes_limit", "Limit of these bytes.", figures.maximumBytes),
            gauge("sluice_log_pending_bytes", "Bytes that wait for fsync.", figures.pendingBytes),
            gauge("sluice_log_disk_free_bytes", "Free bytes on the log's file system.", figures.freeBytes),
            gauge("sluice_log_segments", "Segments.", figures.segments),
            gauge("sluice_log_full", "1 while no record is taken for want of room.", figures.isFull ? 1 : 0),
            gauge("sluice_log_poisoned", "1 when a write or fsync has failed.", figures.isPoisoned ? 1 : 0),
            counter("sluice_log_records_total", "Records made durable.", figures.records),
            counter("sluice_log_groups_total", "Groups written with one fsync each.", figures.groups),
            counter("sluice_log_written_bytes_total", "Bytes written.", figures.bytes),
            counter(
                "sluice_log_failed_records_total", "Records that were not taken by the disk.", figures.failedRecords),
            counter(
                "sluice_log_rewritten_segments_total", "Segments written anew without finished records.",
                figures.rewrittenSegments),
            counter("sluice_log_rewritten_bytes_total", "Bytes written doing so.", figures.rewrittenBytes),
            counter("sluice_log_reclaimed_bytes_total", "Bytes that this freed.", figures.reclaimedBytes),
            gauge(
                "sluice_log_part_bytes", "Room that no other replica set can use up; 0 while there is only one.",
                figures.partBytes),
            MetricFamily(
                name: "sluice_log_backlog_bytes",
                help: "Bytes that some node of a replica set has not applied, by number of the set (0: all nodes).",
                kind: .gauge,
                samples: figures.backlogBytes.sorted { $0.key < $1.key }.map {
                    .init(labels: [("replica_set", "\($0.key)")], value: Double($0.value))
                }),
            counter("sluice_log_damaged_ranges_total", "Places where the log has rotted.", figures.damagedRanges),
            seconds("sluice_log_write_seconds_total", "Time in writes.", figures.writeNanoseconds, .counter),
            seconds("sluice_log_sync_seconds_total", "Time in fsync.", figures.syncNanoseconds, .counter),
            seconds("sluice_log_sync_seconds_max", "The slowest fsync.", figures.slowestSyncNanoseconds, .gauge),
        ]
    }

    private static func replication(_ server: GatewayServer, nodes: [StatusReport.NodeStatus]) -> [MetricFamily] {
        func perNode(
            _ name: String, _ help: String, _ kind: MetricFamily.Kind, _ value: (Int, StatusReport.NodeStatus) -> Double
        )
            -> MetricFamily
        {
            MetricFamily(
                name: name, help: help, kind: kind,
                samples: nodes.enumerated().map { .init(labels: [("node", $1.name)], value: value($0, $1)) })
        }
        let figures = server.replicatorFigures
        func count(_ name: String, _ help: String, _ field: KeyPath<ReplicatorFigures, Counter>) -> MetricFamily {
            perNode(name, help, .counter) { index, _ in Double(figures[index][keyPath: field].value) }
        }
        return [
            perNode("sluice_node_up", "1 while the node answers pings.", .gauge) { $1.health == "up" ? 1 : 0 },
            perNode("sluice_node_in_sync", "1 while the node is in-sync.", .gauge) { $1.isInSync ? 1 : 0 },
            perNode("sluice_node_needs_copy", "1 when the log cannot bring the node up to date.", .gauge) {
                $1.sync == "needs-copy" ? 1 : 0
            },
            perNode("sluice_node_cursor", "The node has applied all below this offset.", .gauge) { Double($1.cursor) },
            perNode("sluice_node_backlog_records", "Records between cursor and durable end.", .gauge) {
                Double($1.backlog)
            },
            count("sluice_node_requests_total", "Requests with points sent, second tries included.", \.batches),
            count("sluice_node_records_total", "Records applied.", \.records),
            count("sluice_node_lines_total", "Lines applied.", \.lines),
            count("sluice_node_refused_lines_total", "Lines that the node refused.", \.refusedLines),
            count("sluice_node_refused_mutations_total", "Statements that the node refused.", \.refusedMutations),
            count("sluice_node_expired_total", "Answers about points beyond their retention policy.", \.expired),
            count("sluice_node_failures_total", "Deliveries that failed and were tried again.", \.failures),
        ]
    }

    private static func counter(_ name: String, _ help: String, _ value: some BinaryInteger) -> MetricFamily {
        MetricFamily(name: name, help: help, kind: .counter, samples: [.init(value: Double(value))])
    }

    private static func gauge(_ name: String, _ help: String, _ value: some BinaryInteger) -> MetricFamily {
        MetricFamily(name: name, help: help, kind: .gauge, samples: [.init(value: Double(value))])
    }

    private static func seconds(_ name: String, _ help: String, _ nanoseconds: UInt64, _ kind: MetricFamily.Kind)
        -> MetricFamily
    {
        MetricFamily(name: name, help: help, kind: kind, samples: [.init(value: Double(nanoseconds) / 1e9)])
    }
}
