// An application changed a field's type and every node refuses its lines: the others hardly notice, and nothing is
// refused that should not be, also when the gateway dies on the way.

import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct RefusalStorms {
        /// The fiftieth client: one line in a request is refused by every node, or none is.
        private final class Misfit: Sendable {
            let refused = Mutex<[String]>([])
            let good = Atomic(0)
            private let number = Atomic(0)

            /// Writes without pause until `stop` is set.
            func write(to client: InfluxClient, isRefused: Bool, until stop: Flag) async throws {
                while !stop.isSet {
                    let number = number.add(1, ordering: .relaxed).newValue
                    let value = isRefused ? "\(number)i" : "\(number)"
                    let line = "typed,from=misfit v=\(value) \(number)"
                    // Every other request also has a line that nothing is wrong with.
                    let isMixed = number % 2 == 0
                    let other = isMixed ? "\ntyped,from=misfit other=\(number)i \(number)" : ""
                    let reply = try await client.write(line + other, db: "t")
                    if isRefused {
                        guard reply.status == 400, reply.error?.contains("field type conflict") == true else {
                            throw TestFailure("a line of the wrong type was answered \(reply)")
                        }
                        refused.withLock { $0.append(line) }
                    } else if reply.status != 204 {
                        throw TestFailure("a good line was answered \(reply)")
                    }
                    if isMixed { good.add(1, ordering: .relaxed) }
                }
            }
        }

        @Test("A5 L7 L15 one client in 50 whose lines are all refused takes hardly anything from the others")
        func storm() async throws {
            let (pairs, time): (Int, Duration) = isLong ? (10, .seconds(30)) : (3, .milliseconds(1500))
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("typed v=0.5 0", db: "t").status == 204)
                let misfit = Misfit()
                var rates: (calm: [Double], storm: [Double]) = ([], [])
                for pair in 0..<pairs {
                    // In turns, so that a machine that gets slower slows both.
                    for isStorm in pair % 2 == 0 ? [false, true] : [true, false] {
                        var settings = WriteLoad.Settings(db: "t")
                        settings.measurement = "load\(pair)_\(isStorm)"
                        settings.writers = 49
                        let stop = Flag()
                        async let fiftieth: Void = misfit.write(to: cluster.client, isRefused: isStorm, until: stop)
                        var rate = 0.0
                        let journal = try await WriteLoad.during(cluster.client, settings) { load in
                            let (before, begin) = (load.acknowledged, ContinuousClock.now)
                            try await load.run(for: time)
                            rate = Double(load.acknowledged - before) / (ContinuousClock.now - begin).seconds
                        }
                        stop.set()
                        try await fiftieth
                        if isStorm { rates.storm.append(rate) } else { rates.calm.append(rate) }
                        #expect(journal.failures.isEmpty, "the others saw errors: \(journal.failures.prefix(3))")
                        try await cluster.gateway.waitUntilDrained()
                        for node in cluster.nodes { try await journal.requireAllCounted(on: node) }
                    }
                }
                let ratio = median(rates.storm) / median(rates.calm)
                print("requests a second without refusals \(rates.calm), with \(rates.storm): \(ratio)")
                #expect(ratio > (isLong ? 0.85 : 0.5), "the others' throughput: \(rates)")
                try await requireAllKept(misfit, cluster)
            }
        }

        /// The good lines of mixed requests are there; the refused ones are dead letters with the nodes' words.
        private func requireAllKept(_ misfit: Misfit, _ cluster: TestCluster) async throws {
            for node in cluster.nodes {
                #expect(
                    try await node.client.count("other", of: "typed", db: "t") == misfit.good.load(ordering: .relaxed))
            }
            let sent = misfit.refused.withLock { $0 }
            print("\(sent.count) lines were refused")
            try await eventually("\(sent.count) refused lines are known") {
                try await cluster.gateway.status().deadLetters >= sent.count
            }
            let letters = try await cluster.gateway.deadLetters(db: "t", limit: 10_000).deadLetters
            let kept = Set(letters.map(\.line))
            #expect(kept.count >= min(sent.count, 1000), "\(kept.count) of \(sent.count) lines, 1000 are kept at least")
            #expect(kept.isSubset(of: sent), "nothing else is refused")
            #expect(letters.allSatisfy { $0.reason.contains("field type conflict") && $0.reason.contains("typed") })
        }

        @Test(
            "S7 L15 a type conflict in one shard says nothing of another: the first value gives the field its type there"
        )
        func conflictElsewhere() async throws {
            try await TestCluster.run { cluster in
                let (client, later) = (cluster.client, 90 * 86_400 * 1_000_000_000)
                try #require(try await client.write("m v=1 1", db: "t").status == 204)
                // Both nodes have met a text where the field is a number, and only one remembers.
                try #require(try await client.write("m v=\"x\" 2", db: "t").status == 400)
                try await cluster.nodes[1].kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                try await cluster.nodes[1].start()
                try await cluster.gateway.waitUntilInSync()
                let text = "m v=\"first\" \(later)\nm v=2 \(later + 1)\nm other=1 \(later + 2)"
                let reply = try await client.write(text, db: "t")
                #expect(reply.status == 400, "\(reply)")
                try await cluster.gateway.waitUntilDrained()
                for node in cluster.nodes {
                    let rows = try await node.client.rows("SELECT v::string, other FROM m WHERE time > 5", db: "t")
                    #expect(rows.map { Array($0.dropFirst()) } == [["first", ""], ["", "1"]], "\(node.name)")
                }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test(
            "S7 S1 kill -9 amid overwrites, DROP MEASUREMENT and type changes: reads never go back, nothing is refused")
        func killedAmidChanges() async throws {
            try await TestCluster.run { cluster in
                try await repeated(isLong ? 20 : 3) { round in
                    let script = Script(measurement: "types\(round)")
                    let run = Task { await script.run(cluster.client) }
                    try await script.more(8 + round % 4)
                    await moment(.milliseconds(.random(in: 1...300)))
                    try await cluster.gateway.kill()
                    await run.value
                    try cluster.gateway.launch()
                    var reads = 0
                    try await eventually("everything is applied", within: .seconds(30), every: .milliseconds(1)) {
                        reads += try await script.requireNothingOlder(from: cluster.client) ? 1 : 0
                        let status = try await cluster.gateway.status()
                        return status.nodes.allSatisfy { $0.isInSync && $0.cursor == status.log.durableEnd }
                    }
                    for _ in 0..<20 { reads += try await script.requireNothingOlder(from: cluster.client) ? 1 : 0 }
                    if reads < 20 { throw TestFailure("only \(reads) reads were answered") }
                }
                #expect(try await cluster.gateway.status().deadLetters == 0, "a replay refuses nothing")
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        /// One client's changes in order, each waits for its answer. Step n leaves one measurement with one point: the
        /// integer n, then nothing, then the float n + 0.5, then nothing, and so on; between two steps a point of another
        /// measurement is overwritten several times.
        private final class Script: Sendable {
            private struct State {
                var step = -1
                var overwritten = 0
                var seen = -1
            }

            private let measurement: String
            private let acknowledged = Mutex(State())

            init(measurement: String) { self.measurement = measurement }

            func more(_ steps: Int) async throws {
                try await eventually("\(steps) steps are acknowledged") {
                    self.acknowledged.withLock { $0.step } >= steps
                }
            }

            /// Until the first change that is not acknowledged.
            func run(_ client: InfluxClient) async {
                for step in 0... {
                    guard await change(step, client) else { return }
                    acknowledged.withLock { $0.step = step }
                    for value in (step * 5 + 1)...(step * 5 + 5) {
                        guard await isDone(try await client.write("over_\(measurement) v=\(value) 1", db: "t"), 204)
                        else { return }
                        acknowledged.withLock { $0.overwritten = value }
                    }
                }
            }

            private func change(_ step: Int, _ client: InfluxClient) async -> Bool {
                switch step % 4 {
                case 0: await isDone(try await client.write("\(measurement) v=\(step)i 1", db: "t"), 204)
                case 2: await isDone(try await client.write("\(measurement) v=\(step).5 1", db: "t"), 204)
                default: await isDone(try await client.execute("DROP MEASUREMENT \(measurement)", db: "t"), 200)
                }
            }

            private func isDone(_ reply: @autoclosure () async throws -> Reply, _ status: Int) async -> Bool {
                (try? await reply().status) == status
            }

            private func content(after step: Int) -> [String]? {
                switch step % 4 {
                case 0: ["\(step)"]
                case 2: ["\(step).5"]
                default: nil
                }
            }

            /// Throws when a read shows an older state than was acknowledged, or than was read before. False: no answer.
            func requireNothingOlder(from client: InfluxClient) async throws -> Bool {
                guard let over = try? await client.firstRow("SELECT v FROM over_\(measurement)", db: "t"),
                    let overwritten = over.first.flatMap({ Int($0) })
                else { return false }
                let read: [String]?
                do { read = try await client.firstRow("SELECT v FROM \(measurement)", db: "t") } catch { return false }
                try acknowledged.withLock { state in
                    if overwritten < state.overwritten {
                        throw Violation(
                            "read \(overwritten) where \(state.overwritten) was acknowledged or read before")
                    }
                    state.overwritten = overwritten
                    // The change under way when the gateway died may have been logged or not.
                    let possible = (max(state.step, state.seen)...(state.step + 1)).filter {
                        content(after: $0) == read
                    }
                    guard let now = possible.first else {
                        throw Violation("read \(read ?? ["nothing"]) after step \(state.step) was acknowledged")
                    }
                    state.seen = now
                }
                return true
            }
        }

        private func median(_ values: [Double]) -> Double {
            let sorted = values.sorted()
            return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        }
    }
}
