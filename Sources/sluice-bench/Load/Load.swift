// The load generator's command: N connections, each with one request under way, as many agents behave.

import ArgumentParser
import Foundation

struct Load: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes to a server on 127.0.0.1, or queries it, and reports how fast it answered."
    )

    @Option(help: "Port of the server under load; given twice, each request goes to both and waits for both.")
    var port: [Int]

    @OptionGroup var shape: LoadShape

    @Flag(help: "Print one line of JSON in the place of sentences.")
    var json = false

    func validate() throws {
        guard !port.isEmpty else { throw ValidationError("--port is missing") }
    }

    func run() throws {
        stopOnSignals()
        let result = try LoadGenerator(ports: port, shape: shape).run()
        print(json ? String(decoding: try JSONEncoder().encode(result), as: UTF8.self) : result.description)
    }
}

/// What is sent, for how long.
struct LoadShape: ParsableArguments {
    @Option(help: "Connections, each with one request under way.")
    var connections = 64

    @Option(help: "Lines of one request.")
    var lines = 10

    @Option(help: "Measurements that the lines of a request go round in.")
    var measurements = 1

    @Flag(help: "Bodies are compressed and have no Content-Length: what Telegraf sends.")
    var gzip = false

    @Option(help: "Send this InfluxQL in the place of lines; $time in it is a time that moves on.")
    var query: String?

    @Option(
        help: """
            Requests per second in all, sent when they are due and not when the last was answered; latency counts from \
            then. 0: as fast as answers come.
            """)
    var rate = 0.0

    @Option(help: "Seconds that are measured.")
    var seconds = 5.0

    @Option(help: "Seconds before that which are not.")
    var warmup = 1.0

    @Option(help: "The database.")
    var database = "bench"

    @Option(help: "Further query parameters of /write, as they go into the URL: consistency=all")
    var parameters = ""

    @Option(help: "Requests in all, at most; 0 sets no limit.")
    var requests = 0

    func validate() throws {
        guard connections > 0, lines > 0, measurements > 0, seconds > 0, warmup >= 0, rate >= 0 else {
            throw ValidationError("--connections, --lines, --measurements and --seconds must be positive")
        }
    }

    var writeTarget: String { "/write?db=\(database)\(parameters.isEmpty ? "" : "&\(parameters)")" }

    /// Lines that one answer of a write acknowledges.
    var linesPerRequest: Int { query == nil ? lines : 0 }

    /// The same, for another process.
    var arguments: [String] {
        var arguments = [
            "--connections", "\(connections)", "--lines", "\(lines)", "--measurements", "\(measurements)",
            "--rate", "\(rate)", "--seconds", "\(seconds)", "--warmup", "\(warmup)", "--database", database,
            "--requests", "\(requests)",
        ]
        if !parameters.isEmpty { arguments += ["--parameters", parameters] }
        if gzip { arguments.append("--gzip") }
        if let query { arguments += ["--query", query] }
        return arguments
    }
}

/// What came of it. Times in microseconds.
struct LoadResult: Codable, CustomStringConvertible {
    /// Answered well within the measured seconds.
    var requests = 0
    var seconds = 0.0
    /// Answered well in all, warm-up included: what must arrive behind the server.
    var acknowledged = 0
    var linesPerRequest = 0
    var receivedBytes = 0
    /// Of the generator itself.
    var processorSeconds = 0.0
    var p50 = 0
    var p99 = 0
    var p999 = 0
    var slowest = 0
    /// Other answers, by status; 0 stands for a broken connection.
    var errors: [Int: Int] = [:]

    var requestsPerSecond: Double { seconds > 0 ? Double(requests) / seconds : 0 }
    var linesPerSecond: Double { requestsPerSecond * Double(linesPerRequest) }
    var bytesPerSecond: Double { seconds > 0 ? Double(receivedBytes) / seconds : 0 }

    mutating func note(_ latencies: LatencyHistogram) {
        func microseconds(_ fraction: Double) -> Int { Int(latencies.percentile(fraction) / 1000) }
        (p50, p99, p999) = (microseconds(0.5), microseconds(0.99), microseconds(0.999))
        slowest = Int(latencies.largest / 1000)
    }

    var description: String {
        """
        \(Int(requestsPerSecond)) requests/s, \(Int(linesPerSecond)) lines/s over \(decimal(seconds, 1)) s
        latency p50 \(p50) us, p99 \(p99) us, p99.9 \(p999) us, max \(slowest) us
        errors by status: \(errors.isEmpty ? "none" : "\(errors)")
        the generator used \(decimal(processorSeconds, 2)) s of CPU
        """
    }
}

/// A number with so many decimals.
func decimal(_ value: Double, _ decimals: Int) -> String { String(format: "%.\(decimals)f", value) }
