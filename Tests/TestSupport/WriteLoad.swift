// Clients that write without pause and keep a journal of what was acknowledged, to hold the database to it afterwards.

import Foundation
import Synchronization

/// What one load has been promised.
package struct Journal: Sendable {
    package struct Failure: Sendable, CustomStringConvertible {
        package let writer: Int
        package let request: Int
        /// Since the start of the load.
        package let at: Duration
        package let what: String
        package var description: String { "writer \(writer) request \(request) after \(at): \(what)" }
    }

    package var settings: WriteLoad.Settings
    /// The requests that were answered with 204, by writer.
    package var acknowledged: [[Int]]
    /// Every answer that was no 204, and every broken connection.
    package var failures: [Failure] = []
    /// The longest time from the sending of a request to its 204.
    package var slowest: Duration = .zero
    /// Acknowledged requests slower than one second: when they were sent, and how long they took.
    package var slow: [(at: Duration, took: Duration)] = []
    /// By writer: the sum of what requests took that took longer than `Settings.ordinary`.
    package var waited: [Duration]

    package var acknowledgedRequests: Int { acknowledged.reduce(0) { $0 + $1.count } }
    package var acknowledgedPoints: Int { acknowledgedRequests * settings.linesPerRequest }

    /// As `requireAllStored`, without a look at the values: for loads of millions of points.
    package func requireAllCounted(on node: InfluxNode) async throws {
        for (writer, requests) in acknowledged.enumerated() where !requests.isEmpty {
            let question = "SELECT count(v) FROM \(settings.measurement) WHERE w = '\(writer)'"
            let row = try await node.client.firstRow(question, db: settings.db)
            let stored = row?.first.flatMap { Int($0) } ?? 0
            let promised = requests.count * settings.linesPerRequest
            if stored < promised {
                throw TestFailure("node \(node.name) holds \(stored) of \(promised) points of writer \(writer)")
            }
        }
    }

    /// Throws unless `node` holds every acknowledged point with its value.
    package func requireAllStored(on node: InfluxNode) async throws {
        for (writer, requests) in acknowledged.enumerated() where !requests.isEmpty {
            let question = "SELECT v FROM \(settings.measurement) WHERE w = '\(writer)'"
            var stored: [Int: Int] = [:]
            for row in try await node.client.rows(question, db: settings.db) {
                if let time = Int(row[0]), let value = Int(row[1]) { stored[time] = value }
            }
            let missing = requests.filter { request in
                settings.points(writer: writer, request: request).contains { stored[$0.time] != $0.value }
            }
            if let first = missing.first {
                throw TestFailure(
                    """
                    node \(node.name) lacks \(missing.count) of \(requests.count) acknowledged requests of writer \
                    \(writer), the first is request \(first), the last \(missing.last ?? first)
                    """
                )
            }
        }
    }
}

/// Some closed-loop writers, each with series of its own and explicit timestamps.
package final class WriteLoad: Sendable {
    package struct Settings: Sendable {
        package var db: String
        package var measurement = "load"
        package var writers = 4
        package var linesPerRequest = 10
        package var seriesPerWriter = 5
        /// Between an answer and the next request of the same writer.
        package var pause: Duration = .zero
        /// Send a request again until it is acknowledged, as agents do; else go on to the next.
        package var retries = true
        /// Further parameters of `/write`.
        package var parameters: [String: String] = [:]
        package var timeout: Duration = .seconds(30)
        /// What a request may take that nothing delays.
        package var ordinary: Duration = .milliseconds(200)

        package init(db: String) {
            self.db = db
        }

        /// The points of one request; a point's time says which it is, its value can be told from its time.
        func points(writer: Int, request: Int) -> [(series: Int, time: Int, value: Int)] {
            (0..<linesPerRequest).map { line in
                let number = request * linesPerRequest + line
                return (
                    number % seriesPerWriter, 1_700_000_000_000_000_000 + number * 1000 + writer, number * 7 + writer
                )
            }
        }

        package func body(writer: Int, request: Int) -> String {
            var body = ""
            for point in points(writer: writer, request: request) {
                body += "\(measurement),s=\(point.series),w=\(writer) v=\(point.value)i \(point.time)\n"
            }
            return body
        }
    }

    private let settings: Settings
    private let client: InfluxClient
    private let stopped = Atomic(false)
    private let acknowledgedCount = Atomic(0)
    private let failedCount = Atomic(0)
    private let journal: Mutex<Journal>
    private let tasks = Mutex<[Task<Void, Never>]>([])
    private let start = ContinuousClock.now

    /// Runs a load while `body` runs, ends it even if that throws, and returns what was promised.
    package static func during(
        _ client: InfluxClient,
        _ settings: Settings,
        isolation: isolated (any Actor)? = #isolation,
        body: (WriteLoad) async throws -> Void
    ) async throws -> Journal {
        let load = WriteLoad(client, settings)
        do {
            try await body(load)
        } catch {
            _ = await load.stop()
            throw error
        }
        return await load.stop()
    }

    private init(_ client: InfluxClient, _ settings: Settings) {
        var client = client
        client.timeout = settings.timeout
        self.client = client
        self.settings = settings
        journal = Mutex(
            Journal(
                settings: settings, acknowledged: Array(repeating: [], count: settings.writers),
                waited: Array(repeating: .zero, count: settings.writers)))
        tasks.withLock { tasks in
            tasks = (0..<settings.writers).map { writer in Task { await self.run(writer) } }
        }
    }

    /// Requests acknowledged so far.
    package var acknowledged: Int { acknowledgedCount.load(ordering: .relaxed) }
    package var failed: Int { failedCount.load(ordering: .relaxed) }
    package var elapsed: Duration { ContinuousClock.now - start }

    /// Waits until `count` more requests were acknowledged.
    package func more(_ count: Int, within limit: Duration = .seconds(30)) async throws {
        let goal = acknowledged + count
        try await eventually(
            "\(count) more requests are acknowledged (now \(acknowledged), \(failed) failed)", within: limit
        ) {
            self.acknowledged >= goal
        }
    }

    /// Lets the load go on for `time`.
    package func run(for time: Duration) async throws {
        try await Task.sleep(for: time)
    }

    // Ends the load after the requests under way.
    private func stop() async -> Journal {
        stopped.store(true, ordering: .relaxed)
        for task in tasks.withLock({ $0 }) { await task.value }
        return journal.withLock { $0 }
    }

    private func run(_ writer: Int) async {
        var request = 0
        while !stopped.load(ordering: .relaxed) {
            let body = settings.body(writer: writer, request: request)
            let sent = ContinuousClock.now
            do {
                let reply = try await client.write(body, db: settings.db, settings.parameters)
                if reply.status == 204 {
                    note(writer, request, sent, failure: nil)
                } else {
                    note(writer, request, sent, failure: "\(reply)")
                }
                if reply.status == 204 || !settings.retries { request += 1 }
                if reply.status != 204 { try? await Task.sleep(for: .milliseconds(20)) }
            } catch {
                note(writer, request, sent, failure: "\(error)")
                if !settings.retries { request += 1 }
                try? await Task.sleep(for: .milliseconds(20))
            }
            if settings.pause > .zero { try? await Task.sleep(for: settings.pause) }
        }
    }

    private func note(_ writer: Int, _ request: Int, _ sent: ContinuousClock.Instant, failure: String?) {
        let took = ContinuousClock.now - sent
        journal.withLock { journal in
            if let failure {
                journal.failures.append(.init(writer: writer, request: request, at: sent - start, what: failure))
            } else {
                journal.acknowledged[writer].append(request)
                journal.slowest = max(journal.slowest, took)
                if took > settings.ordinary { journal.waited[writer] += took }
                if took > .seconds(1) { journal.slow.append((sent - start, took)) }
            }
        }
        if failure == nil {
            acknowledgedCount.add(1, ordering: .relaxed)
        } else {
            failedCount.add(1, ordering: .relaxed)
        }
    }
}
