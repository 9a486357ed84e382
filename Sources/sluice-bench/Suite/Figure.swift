// What a phase measures.

/// One kind of figure; the raw value is its name in the file of results.
enum Figure: String, CaseIterable {
    case requestsPerSecond = "requests_per_second"
    case linesPerSecond = "lines_per_second"
    case megabytesPerSecond = "megabytes_per_second"
    case p50 = "p50_us"
    case p99 = "p99_us"
    case p999 = "p999_us"
    case secondsPerMillionLines = "cpu_seconds_per_million_lines"
    case microsecondsPerRequest = "cpu_us_per_request"
    case secondsPerGigabyte = "cpu_seconds_per_gigabyte"
    case idleMegabytes = "idle_anonymous_megabytes"
    case peakMegabytes = "peak_anonymous_megabytes"
    case drainSeconds = "drain_seconds"
    case nodeRequests = "node_requests"
    case backlogGibibytes = "backlog_gibibytes"
    case openSeconds = "open_seconds"
    case catchUpMegabytesPerSecond = "catch_up_megabytes_per_second"

    /// The head of its column.
    var title: String {
        switch self {
        case .requestsPerSecond: "requests/s"
        case .linesPerSecond: "lines/s"
        case .megabytesPerSecond: "MB/s"
        case .p50: "p50 us"
        case .p99: "p99 us"
        case .p999: "p99.9 us"
        case .secondsPerMillionLines: "CPU s/M lines"
        case .microsecondsPerRequest: "CPU us/request"
        case .secondsPerGigabyte: "CPU s/GB"
        case .idleMegabytes: "idle MB"
        case .peakMegabytes: "peak MB"
        case .drainSeconds: "drain s"
        case .nodeRequests: "node requests"
        case .backlogGibibytes: "backlog GiB"
        case .openSeconds: "open s"
        case .catchUpMegabytesPerSecond: "catch-up MB/s"
        }
    }

    var decimals: Int {
        switch self {
        case .requestsPerSecond, .linesPerSecond, .megabytesPerSecond, .p50, .p99, .p999, .nodeRequests,
            .catchUpMegabytesPerSecond:
            0
        case .idleMegabytes, .peakMegabytes, .microsecondsPerRequest: 1
        case .secondsPerMillionLines, .secondsPerGigabyte, .drainSeconds, .backlogGibibytes, .openSeconds: 2
        }
    }
}

/// One measurement of one way to do a scenario's work.
struct Phase {
    var way: Way
    var figures: [Figure: Double]
    var acknowledgedLines = 0
    /// Answers that were no success, by status.
    var errors: [Int: Int] = [:]
}
