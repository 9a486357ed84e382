// The whole benchmark: two sinks, a gateway before them, a load; the same load straight at a sink; both several times
// in turns, so that a machine that slows down slows both.

import ArgumentParser
import Glibc

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures writes through a gateway to two sinks, beside the same writes sent straight to a sink."
    )

    @Option(help: "The gateway's program; by default the `sluice` beside this one.")
    var gateway: String?

    @Option(help: "Levels of acknowledgement to measure, separated by commas.")
    var levels = "any,insync"

    @Option(help: "How often each is measured; the median counts.")
    var rounds = 3

    @Flag(help: "Also measure four nodes with ten measurements, in one replica set and spread over four.")
    var placed = false

    @Option(help: "Event loops of the gateway; by default what it chooses itself.")
    var threads: Int?

    @Option(help: "Folder for the gateway's log; by default a temporary one.")
    var dataDir = "/tmp"

    @Option(help: "File that the figures are written to as JSON.")
    var output: String?

    @OptionGroup var shape: LoadShape

    func validate() throws {
        guard rounds > 0 else { throw ValidationError("--rounds must be positive") }
        let known = ["any", "one", "quorum", "insync", "all"]
        if let bad = levels.split(separator: ",").first(where: { !known.contains(String($0)) }) {
            throw ValidationError("--levels: \(bad) is none of \(known.joined(separator: ", "))")
        }
    }

    func run() throws {
        stopOnSignals()
        let scratch = try ScratchFolder(in: dataDir)
        defer { scratch.remove() }
        let disk = try DiskProbe.run(in: scratch.path)
        let bench = Bench(
            gateway: try gateway ?? Self.sibling(),
            program: try Self.ownPath(),
            shape: shape,
            threads: threads,
            scratch: scratch.path
        )
        let levels = levels.split(separator: ",").map(String.init)
        var phases: [Phase] = []
        for round in 1...rounds {
            note("round \(round) of \(rounds): straight to a sink")
            phases.append(try bench.direct())
            for level in levels {
                note("round \(round) of \(rounds): through the gateway, ack \(level)")
                phases.append(try bench.throughGateway(ack: level))
                guard placed else { continue }
                for placement in [Bench.Placement.oneSet, .fourSets] {
                    note("round \(round) of \(rounds): \(placement.rawValue), ack \(level)")
                    phases.append(try bench.throughGateway(ack: level, placement))
                }
            }
        }
        let report = Report(machine: Machine(), disk: disk, shape: shape, rounds: rounds, phases: phases)
        print(report.table)
        if let output {
            try writeFile(output, report.json + "\n")
            note("figures written to \(output)")
        }
    }

    private func note(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = write(2, line, line.count)
    }

    private static func ownPath() throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.withMemoryRebound(to: CChar.self) { chars in
                chars.baseAddress.map { readlink("/proc/self/exe", $0, chars.count) } ?? 0
            }
        }
        guard count > 0 else { throw BenchError.system("/proc/self/exe", errno) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    private static func sibling() throws -> String {
        let own = try ownPath()
        guard let slash = own.lastIndex(of: "/") else { return "sluice" }
        let path = "\(own[..<slash])/sluice"
        guard access(path, X_OK) == 0 else {
            throw BenchError("no gateway at \(path): build it (swift build -c release) or pass --gateway PATH")
        }
        return path
    }
}

/// One measurement of one way to write.
struct Phase {
    /// "direct", or the gateway's level.
    var way: String
    var load: LoadFigures
    /// The process under load: CPU seconds from the first request until all lines had arrived behind it.
    var processorSeconds: Double
    var peakResidentBytes: Int
    /// From the end of the load until every acknowledged line had arrived at both sinks.
    var drainSeconds: Double
    /// Write requests that one sink received for them.
    var sinkRequests: Int

    var processorSecondsPerMillionLines: Double {
        processorSeconds / Double(max(load.acknowledgedLines, 1)) * 1e6
    }
}

/// What `sluice-bench load --json` reported.
struct LoadFigures {
    var requestsPerSecond: Double
    var linesPerSecond: Double
    var p50: Double
    var p99: Double
    var p999: Double
    var acknowledgedLines: Int
    var errors: String
    var generatorProcessorSeconds: Double

    init?(json: String, linesPerRequest: Int) {
        func number(_ key: String) -> Double? {
            guard let range = json.firstRange(of: "\"\(key)\":") else { return nil }
            return Double(json[range.upperBound...].prefix { !",}".contains($0) })
        }
        guard let requests = number("requests_per_second"), let lines = number("lines_per_second"),
            let acknowledged = number("acknowledged_in_all"), let errors = json.firstRange(of: "\"errors\":{")
        else { return nil }
        requestsPerSecond = requests
        linesPerSecond = lines
        p50 = number("p50_us") ?? 0
        p99 = number("p99_us") ?? 0
        p999 = number("p999_us") ?? 0
        acknowledgedLines = Int(acknowledged) * linesPerRequest
        self.errors = String(json[errors.upperBound...].prefix { $0 != "}" })
        generatorProcessorSeconds = number("load_cpu_seconds") ?? 0
    }
}

/// Starts and stops the programs of each phase.
struct Bench {
    /// What ten measurements are placed on, of four nodes; always two copies.
    enum Placement: String {
        case oneSet = "one set"
        case fourSets = "four sets"

        var rules: String {
            switch self {
            case .oneSet: "{default: [a, b]}"
            case .fourSets:
                """
                {measurements: {cpu0: [a, b], cpu1: [b, c], cpu2: [c, d], cpu3: [d, a], cpu4: [a, b], cpu5: [b, c], \
                cpu6: [c, d], cpu7: [d, a], cpu8: [a, b], cpu9: [b, c]}}
                """
            }
        }
    }

    let gateway: String
    let program: String
    let shape: LoadShape
    let threads: Int?
    let scratch: String

    func direct() throws -> Phase {
        let sink = try startSink("direct")
        defer { sink.process.stop() }
        let figures = try load(port: sink.port)
        return Phase(
            way: "direct",
            load: figures,
            processorSeconds: sink.process.processorSeconds,
            peakResidentBytes: sink.process.peakResidentBytes,
            drainSeconds: 0,
            sinkRequests: try counts(sink.port).requests
        )
    }

    func throughGateway(ack level: String, _ placement: Placement? = nil) throws -> Phase {
        let names = placement == nil ? ["a", "b"] : ["a", "b", "c", "d"]
        let sinks = try names.map { try startSink($0) }
        defer { for sink in sinks { sink.process.stop() } }
        let folder = try ScratchFolder(in: scratch)
        defer { folder.remove() }
        let port = try freePort()
        let admin = try freePort()
        var configuration = """
            listen: 127.0.0.1:\(port)
            admin: 127.0.0.1:\(admin)
            data_dir: \(folder.path)/data
            ack: \(level)
            nodes:

            """
        for (name, sink) in zip(names, sinks) {
            configuration += "  - {name: \(name), url: http://127.0.0.1:\(sink.port)}\n"
        }
        if let placement { configuration += "placement: \(placement.rules)\n" }
        if let threads { configuration += "threads: \(threads)\n" }
        try writeFile("\(folder.path)/sluice.yaml", configuration)
        let process = try Child(
            [gateway, "serve", "--config", "\(folder.path)/sluice.yaml"],
            log: "\(scratch)/sluice.log"
        )
        defer { process.stop() }
        try waitUntilReady(process, admin: admin)

        let before = process.processorSeconds
        let figures = try load(port: port, measurements: placement == nil ? shape.measurements : 10)
        let drainStart = now()
        try waitUntilArrived(figures.acknowledgedLines, at: sinks.map(\.port), areAllWhole: placement == nil)
        let drained = Double(now() - drainStart) / 1e9
        return Phase(
            way: placement.map { "\(level), \($0.rawValue)" } ?? level,
            load: figures,
            processorSeconds: process.processorSeconds - before,
            peakResidentBytes: process.peakResidentBytes,
            drainSeconds: drained,
            sinkRequests: try counts(sinks[0].port).requests
        )
    }

    private func startSink(_ name: String) throws -> (process: Child, port: Int) {
        let log = "\(scratch)/sink-\(name).log"
        let process = try Child([program, "sink", "--database", shape.database], log: log)
        let port = try waiting(seconds: 5, for: "the sink to listen") {
            process.output.split(separator: "\n").first?.split(separator: ":").last.flatMap { Int($0) }
        }
        return (process, port)
    }

    private func load(port: Int, measurements: Int? = nil) throws -> LoadFigures {
        var arguments = [
            program, "load", "--json", "--port", "\(port)", "--connections", "\(shape.connections)", "--lines",
            "\(shape.lines)", "--seconds", "\(shape.seconds)", "--warmup", "\(shape.warmup)", "--database",
            shape.database,
            "--requests", "\(shape.requests)", "--measurements", "\(measurements ?? shape.measurements)",
        ]
        if !shape.parameters.isEmpty { arguments += ["--parameters", shape.parameters] }
        let process = try Child(arguments, log: "\(scratch)/load.log")
        guard process.waitForEnd(seconds: shape.warmup + shape.seconds + 60),
            let figures = LoadFigures(json: process.output, linesPerRequest: shape.lines)
        else { throw BenchError("the load failed: \(process.output)") }
        return figures
    }

    private func waitUntilReady(_ process: Child, admin: Int) throws {
        do {
            try waiting(seconds: 20, for: "the gateway to be ready") {
                guard process.isRunning else { throw BenchError("it ended") }
                let answer = try? get(port: admin, "/ready")
                return answer?.status == 200 ? true : nil
            }
        } catch {
            throw BenchError("\(error)\n\(process.output)")
        }
    }

    /// A gateway delivers at least once, so that a sink may count more lines than were acknowledged, never fewer.
    /// - Parameter areAllWhole: each sink gets every line; else two of them do.
    private func waitUntilArrived(_ lines: Int, at ports: [Int], areAllWhole: Bool) throws {
        var last = ""
        do {
            try waiting(seconds: 120, for: "all acknowledged lines to arrive at the sinks") {
                let arrived = try ports.map { try counts($0).lines }
                last = "\(lines) lines were acknowledged, the sinks have \(arrived)"
                let isEnough = areAllWhole ? arrived.allSatisfy { $0 >= lines } : arrived.reduce(0, +) >= 2 * lines
                return isEnough ? true : nil
            }
        } catch {
            throw BenchError("\(error): \(last)")
        }
    }

    private func counts(_ port: Int) throws -> SinkCounts {
        let body = try get(port: port, "/counts").body
        func number(_ key: String) -> Int {
            guard let range = body.firstRange(of: "\"\(key)\":") else { return 0 }
            return Int(body[range.upperBound...].prefix { $0.isNumber }) ?? 0
        }
        return SinkCounts(requests: number("requests"), lines: number("lines"), bytes: number("bytes"))
    }

    @discardableResult
    private func waiting<T>(seconds: Double, for what: String, _ condition: () throws -> T?) throws -> T {
        let patience = now() + UInt64(seconds * 1e9)
        while now() < patience {
            if stopRequested.load(ordering: .relaxed) { throw BenchError("interrupted") }
            if let value = try condition() { return value }
            usleep(2000)
        }
        throw BenchError("waited \(Int(seconds)) s in vain for \(what)")
    }
}
