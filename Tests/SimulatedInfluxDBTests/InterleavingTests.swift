// What happens between the beginning of a request and its end: late effects, early answers, death.

import SimulatedInfluxDB
import Testing

struct InterleavingTests {
    private static let now: Int64 = 1_800_000_000_000_000_000
    private static let week: Int64 = 604_800_000_000_000

    private static func server(_ change: (inout InfluxServer.Settings) -> Void = { _ in }) -> InfluxServer {
        var settings = InfluxServer.Settings()
        change(&settings)
        var server = InfluxServer(settings: settings)
        server.start(now: now)
        server.query("CREATE DATABASE d")
        return server
    }

    private static func unfinished(_ server: InfluxServer) throws -> Int {
        var server = server
        return try Pair.unfinished(server.answer(InfluxRequest(method: "GET", path: "/debug/vars")).body).values
            .reduce(0, +)
    }

    @Test("M4 a 400 of one shard group comes while the other is still written, and the older value wins")
    func earlyRefusal() throws {
        var server = Self.server()
        _ = server.write("m f=1 1", db: "d")
        var work = server.begin(.write("m f=\"x\" 2\nm f=1 \(Self.week)", db: "d"), now: Self.now)
        #expect(work.steps.count == 2 && work.steps.allSatisfy { $0.isConcurrent })
        while work.answer == nil, let step = work.steps.first { server.carryOut(step, of: &work, now: Self.now) }
        #expect(work.answer?.status == 400 && !work.isOver)
        #expect(try Self.unfinished(server) == 1)
        #expect(server.write("m f=2 \(Self.week)", db: "d").status == 204)
        server.finish(&work, now: Self.now)
        #expect(try Self.unfinished(server) == 0)
        #expect(server.query("SELECT f FROM m WHERE time > 5", db: "d").text.contains("Z\",1]]"))
    }

    @Test("M3 a 500 timeout lands later")
    func lateTimeout() throws {
        var server = Self.server()
        var work = server.begin(.write("m f=1 1", db: "d"), now: Self.now)
        server.timeOut(&work)
        #expect(work.answer?.status == 500 && work.answer?.text == "{\"error\":\"timeout\"}\n")
        #expect(server.query("SELECT f FROM m", db: "d").text == "{\"results\":[{\"statement_id\":0}]}\n")
        server.finish(&work, now: Self.now)
        #expect(server.query("SELECT f FROM m", db: "d").text.contains(",1]]"))
    }

    @Test("M10 the head of a mutation comes before it is executed, and a kill in between leaves no effect")
    func headFirst() {
        var server = Self.server()
        _ = server.write("m f=1 1", db: "d")
        var work = server.begin(.query("DROP MEASUREMENT m", db: "d"), now: Self.now)
        #expect(work.head?.status == 200 && work.answer == nil)
        #expect(server.query("SHOW QUERIES").text.contains("\"DROP MEASUREMENT m\",\"d\""))
        server.kill()
        server.start(now: Self.now + 1)
        server.finish(&work, now: Self.now)
        #expect(work.isOver && work.answer == nil)
        #expect(server.query("SELECT f FROM m", db: "d").text.contains(",1]]"))
    }

    @Test("M9 a DELETE whose client has left is shown as killed and goes on; the statement after it does not begin")
    func clientLeft() {
        var server = Self.server()
        _ = server.write("m f=1 1\nm f=1 \(Self.week)\no f=1 1", db: "d")
        var work = server.begin(.query("DELETE FROM m; DROP MEASUREMENT o", db: "d"), now: Self.now)
        server.carryOut(work.steps[0], of: &work, now: Self.now)
        server.clientLeft(&work)
        #expect(server.query("SHOW QUERIES").text.contains("\"killed\""))
        server.finish(&work, now: Self.now)
        #expect(server.query("SHOW MEASUREMENTS", db: "d").text.contains("[[\"o\"]]"))
        #expect(!server.query("SHOW QUERIES").text.contains("killed"))
    }

    @Test("a write between the shards of a DELETE stays or goes as it comes")
    func interleavedDelete() {
        var server = Self.server()
        _ = server.write("m f=1 1\nm f=1 \(Self.week)", db: "d")
        var work = server.begin(.query("DELETE FROM m", db: "d"), now: Self.now)
        server.carryOut(work.steps[0], of: &work, now: Self.now)
        _ = server.write("m f=2 2\nm f=2 \(Self.week + 1)", db: "d")
        server.finish(&work, now: Self.now)
        #expect(server.contents().lines.filter { $0.hasPrefix("d.autogen") } == ["d.autogen m f=2.0 2"])
    }

    @Test("two new types for a field at one moment: one write is never counted as ended")
    func forgottenWrite() throws {
        var server = Self.server()
        var first = server.begin(.write("m f=1 1", db: "d"), now: Self.now)
        var second = server.begin(.write("m f=\"x\" 2", db: "d"), now: Self.now)
        server.carryOut(first.steps[0], of: &first, now: Self.now)
        server.carryOut(second.steps[0], of: &second, now: Self.now)
        server.finish(&first, now: Self.now)
        server.finish(&second, now: Self.now)
        #expect(first.answer?.status == 204 && second.answer?.status == 400)
        #expect(try Self.unfinished(server) == 1)
        let profile = InfluxRequest(method: "GET", path: "/debug/pprof/goroutine")
        #expect(!server.answer(profile).text.contains("WritePoints"))
    }

    @Test("power loss takes back what was not synced, a kill does not")
    func powerLoss() {
        var server = Self.server { $0.walFsyncDelay = 1_000 }
        func write(_ value: Int, at now: Int64) {
            _ = server.answer(.write("m f=\(value) \(value)", db: "d"), now: now)
        }
        func points() -> [String] { server.contents().lines.filter { $0.hasPrefix("d.autogen") } }
        write(1, at: Self.now)
        write(2, at: Self.now + 500)
        write(3, at: Self.now + 1_500)
        server.kill()
        #expect(points().count == 3)
        server.losePower(now: Self.now + 1_600)
        #expect(points() == ["d.autogen m f=1.0 1", "d.autogen m f=2.0 2"])
    }

    @Test("a snapshot stays as it was, and can be put back")
    func snapshot() {
        var server = Self.server()
        _ = server.write("m f=1 1", db: "d")
        let snapshot = server.snapshot()
        let before = server.contents()
        _ = server.write("m f=2 1\nm,h=a g=1i 5", db: "d")
        #expect(before.difference(from: server.contents())?.contains("+ d.autogen m f=1.0 1\n") == true)
        server.kill()
        server.replaceDisk(snapshot)
        server.start(now: Self.now)
        #expect(server.contents() == before)
    }

    @Test("the same calls give the same bytes")
    func determinism() {
        func run(seed: UInt64) -> [UInt8] {
            var generator = RequestGenerator(seed: seed, now: Self.now)
            var server = Self.server()
            var random = SeededGenerator(seed: seed)
            var bytes: [UInt8] = []
            var open: [InfluxWork] = []
            for number in 0..<400 {
                let now = Self.now + Int64(number)
                open.append(server.begin(generator.request(), now: now))
                let index = Int.random(in: 0..<open.count, using: &random)
                if let step = open[index].steps.randomElement(using: &random) {
                    server.carryOut(step, of: &open[index], now: now)
                }
                for work in open where work.isOver { bytes += work.answer?.body ?? [] }
                open.removeAll { $0.isOver }
                if number == 200 {
                    server.kill()
                    server.start(now: now)
                }
            }
            return bytes + Array(server.contents().lines.joined(separator: "\n").utf8)
        }
        for seed in 1...5 as ClosedRange<UInt64> { #expect(run(seed: seed) == run(seed: seed)) }
    }

    @Test("what the model does not know is an error that it remembers")
    func unknown() {
        var server = Self.server()
        let answer = server.query("SELECT derivative(f) FROM m", db: "d")
        #expect(answer.status == 400 && answer.text.contains("error parsing query: model: "))
        #expect(server.unknown.count == 1)
    }
}
