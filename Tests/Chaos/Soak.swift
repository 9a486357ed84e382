// Steady load for a long time with a node that flaps each minute: nothing in the gateway may grow, no client may notice.

import Foundation
import Synchronization
import TestSupport

package struct Soak: Sendable {
    private let settings: ChaosSettings
    private let minutes: Int
    private let timeline: Timeline

    /// How fast what a process holds may grow, per hour, once it has warmed up.
    static let mostBytesPerHour = 48.0 * 1_048_576
    static let mostDescriptorsPerHour = 12.0
    static let mostThreadsPerHour = 2.0

    package init(_ settings: ChaosSettings, minutes: Int) {
        self.settings = settings
        self.minutes = minutes
        timeline = Timeline(isVerbose: true)
    }

    package func run() async throws {
        var world = World.Settings(folder: settings.folder)
        world.nodes = settings.nodes
        world.seed = settings.seed
        world.kinds = []
        world.isConfined = settings.isConfined
        world.isDefault = true
        let cluster = try await World(world, timeline)
        do {
            try await cluster.start()
            try await soak(cluster)
            await cluster.end()
        } catch {
            await cluster.end()
            throw error
        }
    }

    private func soak(_ cluster: World) async throws {
        try await cluster.gateway.client.execute("CREATE DATABASE soak")
        let top = SteadyLoad(cluster.gateway.client, rate: nil)
        try await top.run { try await Task.sleep(for: .seconds(10)) }
        let rate = Double(top.acknowledged) / 10 / 2
        timeline.note("top rate \(Int(rate * 2 * Double(SteadyLoad.lines))) lines/s; half of it from now on")
        try top.requireNoError()

        let load = SteadyLoad(cluster.gateway.client, rate: rate)
        var samples: [(minutes: Double, vitals: Vitals)] = []
        try await load.run {
            let begin = ContinuousClock.now
            for minute in 0..<minutes {
                let node = cluster.nodes[minute % cluster.nodes.count]
                try await flap(node, inMinute: minute, since: begin, cluster) { samples.append($0) }
                try load.requireNoError()
                timeline.note("minute \(minute + 1): \(load.description); \(samples.last.map { "\($0.vitals)" } ?? "")")
            }
        }
        try load.requireNoError()
        try await cluster.gateway.waitUntilDrained(within: .seconds(120))
        try cluster.requireAlive()
        try await load.requireStored(on: cluster.nodes)
        try judge(samples)
        timeline.note("no error at a client, all nodes hold the last value of each point")
    }

    /// One minute: a node is killed after ten seconds, and is back after ten more.
    private func flap(
        _ node: InfluxNode, inMinute minute: Int, since begin: ContinuousClock.Instant, _ cluster: World,
        _ sampled: ((minutes: Double, vitals: Vitals)) -> Void
    ) async throws {
        for step in 0..<12 {
            if step == 2 {
                timeline.note("kill -9 of node \(node.name)")
                try await node.kill()
            }
            if step == 4 {
                try node.launch()
                timeline.note("node \(node.name) starts")
            }
            let due = begin + .seconds(minute * 60 + (step + 1) * 5)
            try await Task.sleep(until: due, clock: .continuous)
            if let process = cluster.gateway.process, let vitals = Vitals(of: process) {
                sampled(((ContinuousClock.now - begin).seconds / 60, vitals))
            }
        }
        try await cluster.gateway.waitUntilInSync(within: .seconds(60))
    }

    private func judge(_ samples: [(minutes: Double, vitals: Vitals)]) throws {
        // Buffers and caches reach their size within the first flaps.
        let warm = samples.filter { $0.minutes >= min(3, Double(minutes) / 3) }
        func perHour(_ what: String, unit: Double, most: Double, _ value: (Vitals) -> Int) throws {
            guard let trend = Trend(warm.map { (x: $0.minutes / 60, y: Double(value($0.vitals))) }) else { return }
            let text = String(
                format: "%@: from %.1f, %+.2f per hour", what, trend.start / unit, trend.slope / unit)
            timeline.note(text)
            // Short runs cannot tell a slope from noise.
            if minutes >= 10, trend.slope > most { throw Violation("it grows: \(text)") }
        }
        try perHour("memory in MiB", unit: 1_048_576, most: Self.mostBytesPerHour, \.residentBytes)
        try perHour("descriptors", unit: 1, most: Self.mostDescriptorsPerHour, \.descriptors)
        try perHour("threads", unit: 1, most: Self.mostThreadsPerHour, \.threads)
    }
}

/// Writers that overwrite the same points again and again, so that nodes do not fill up, and readers; at a given rate or
/// as fast as answers come. Any answer that is no success is an error.
final class SteadyLoad: Sendable {
    static let lines = 100
    private static let writers = 16
    private static let readers = 2
    /// Requests until a writer comes to the same points again.
    private static let cycle = 500

    private let client: InfluxClient
    /// Requests per second over all writers; nil: no limit.
    private let rate: Double?
    private let isOver = Flag()
    private struct State {
        var acknowledged = 0
        var reads = 0
        var errors: [String] = []
        var slowest = Duration.zero
        /// By writer and place in its cycle: the last value that was acknowledged.
        var last: [Int: Int] = [:]
    }
    private let state = Mutex(State())

    init(_ client: InfluxClient, rate: Double?) {
        self.client = client
        self.rate = rate
    }

    var acknowledged: Int { state.withLock { $0.acknowledged } }
    var description: String {
        state.withLock { "\($0.acknowledged) writes, \($0.reads) reads, the slowest write took \($0.slowest)" }
    }

    func requireNoError() throws {
        let errors = state.withLock { $0.errors }
        if let first = errors.first { throw Violation("\(errors.count) errors at clients, the first: \(first)") }
    }

    func run(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void) async throws {
        let begin = ContinuousClock.now
        let writers = (0..<Self.writers).map { writer in Task { await self.write(writer, since: begin) } }
        let readers = (0..<Self.readers).map { _ in Task { await self.read() } }
        var failure: (any Error)?
        do { try await body() } catch { failure = error }
        isOver.set()
        for task in writers + readers { await task.value }
        if let failure { throw failure }
    }

    private func write(_ writer: Int, since begin: ContinuousClock.Instant) async {
        let pause = rate.map { Duration.seconds(Double(Self.writers) / $0) }
        var request = 0
        while !isOver.isSet {
            let place = request % Self.cycle
            let body = (0..<Self.lines).map { line in
                "soak,w=\(writer),s=\(line) v=\(request)i \(1_700_000_000_000_000_000 + place * 1_000_000_000)\n"
            }
            await note { [client] in
                let sent = ContinuousClock.now
                let reply = try await client.write(body.joined(), db: "soak")
                let took = ContinuousClock.now - sent
                self.state.withLock { state in
                    guard reply.status == 204 else { return state.errors.append("a write: \(reply)") }
                    state.acknowledged += 1
                    state.slowest = max(state.slowest, took)
                    state.last[writer * Self.cycle + place] = request
                }
            }
            request += 1
            if let pause { try? await Task.sleep(until: begin + pause * request, clock: .continuous) }
        }
    }

    private func read() async {
        while !isOver.isSet {
            await note { [client] in
                let reply = try await client.query("SELECT count(v), max(v) FROM soak WHERE s = '7'", db: "soak")
                self.state.withLock { state in
                    state.reads += 1
                    if reply.status != 200 || reply.error != nil { state.errors.append("a read: \(reply)") }
                    if reply.header("X-Sluice-Stale") != nil {
                        state.errors.append("a stale read, with a node in sync")
                    }
                }
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private func note(_ body: () async throws -> Void) async {
        do { try await body() } catch { state.withLock { $0.errors.append("\(error)") } }
    }

    /// Throws unless each node holds the last acknowledged value of every point.
    func requireStored(on nodes: [InfluxNode]) async throws {
        let last = state.withLock { $0.last }
        for node in nodes {
            for writer in 0..<Self.writers {
                for series in [0, Self.lines / 2, Self.lines - 1] {
                    let question = "SELECT v FROM soak WHERE w = '\(writer)' AND s = '\(series)'"
                    let table = try SeriesTable(try await node.client.query(question, db: "soak"))
                    for place in 0..<Self.cycle {
                        guard let value = last[writer * Self.cycle + place] else { continue }
                        let time = 1_700_000_000_000_000_000 + place * 1_000_000_000
                        let found = table.value(tags: [:], time: time)
                        if found != value {
                            throw Violation(
                                "node \(node.name): \(found.map(String.init) ?? "nothing") where \(value) was acknowledged"
                            )
                        }
                    }
                }
            }
        }
    }
}
