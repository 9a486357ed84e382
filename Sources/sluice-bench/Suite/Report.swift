// The figures of a run for people (a table) and for programs (JSON): medians over the rounds, with the machine they
// belong to.

import Glibc

struct Machine {
    let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))

    var processorName: String {
        let line = readFile("/proc/cpuinfo")?.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { String($0.drop { $0 == " " }) } ?? "unknown processor"
    }

    var kernel: String {
        let text = readFile("/proc/sys/kernel/osrelease") ?? "unknown"
        return String(text.prefix { $0 != "\n" })
    }
}

struct Report {
    let machine: Machine
    let disk: DiskProbe
    let shape: LoadShape
    let rounds: Int
    let phases: [Phase]

    /// The ways in the order in which they were first measured.
    private var ways: [String] {
        phases.map(\.way).reduce(into: []) { ways, way in if !ways.contains(way) { ways.append(way) } }
    }

    private func median(_ way: String, _ figure: (Phase) -> Double) -> Double {
        let values = phases.filter { $0.way == way }.map(figure).sorted()
        return values.isEmpty ? 0 : values[values.count / 2]
    }

    private static let columns: [(title: String, key: String, decimals: Int, figure: @Sendable (Phase) -> Double)] = [
        ("requests/s", "requests_per_second", 0, { $0.load.requestsPerSecond }),
        ("lines/s", "lines_per_second", 0, { $0.load.linesPerSecond }),
        ("p50 us", "p50_us", 0, { $0.load.p50 }),
        ("p99 us", "p99_us", 0, { $0.load.p99 }),
        ("p99.9 us", "p999_us", 0, { $0.load.p999 }),
        ("CPU s/M lines", "cpu_seconds_per_million_lines", 2, { $0.processorSecondsPerMillionLines }),
        ("peak MB", "peak_resident_megabytes", 1, { Double($0.peakResidentBytes) / 1e6 }),
        ("drain s", "drain_seconds", 2, { $0.drainSeconds }),
        ("node requests", "node_requests", 0, { Double($0.sinkRequests) }),
    ]

    var table: String {
        var rows = [["way"] + Self.columns.map(\.title)]
        for way in ways {
            let title = way == "direct" ? "straight to a sink" : "gateway, ack \(way)"
            rows.append([title] + Self.columns.map { fixed(median(way, $0.figure), $0.decimals) })
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }
        return ([heading] + lines + errorLines).joined(separator: "\n")
    }

    private var heading: String {
        """
        \(machine.processors) cores (\(machine.processorName)), Linux \(machine.kernel)
        disk: 60 KB written and synced in \(fixed(disk.smallGroupMicroseconds, 0)) us \
        (p99 \(fixed(disk.slowestGroupMicroseconds, 0)) us; \(fixed(disk.freshGroupMicroseconds, 0)) us where a file \
        was never written); \(fixed(disk.largeGroupMegabytesPerSecond, 0)) MB/s in synced groups of 1 MB
        \(shape.connections) connections, \(shape.lines) lines each, \(fixed(shape.seconds, 1)) s, \
        median of \(rounds)

        """
    }

    private var errorLines: [String] {
        let wrong = phases.filter { !$0.load.errors.isEmpty }
        return wrong.isEmpty ? [] : [""] + wrong.map { "errors (\($0.way)), by status: \($0.load.errors)" }
    }

    var json: String {
        let results = ways.map { way in
            let medians = Self.columns.map { "\"\($0.key)\":\(fixed(median(way, $0.figure), 3))" }.joined(
                separator: ",")
            let all = phases.filter { $0.way == way }.map { fixed($0.load.requestsPerSecond, 1) }.joined(separator: ",")
            let errors = phases.filter { $0.way == way && !$0.load.errors.isEmpty }.map { "{\($0.load.errors)}" }
            return """
                {"way":"\(way)",\(medians),"requests_per_second_of_each_round":[\(all)],\
                "errors":[\(errors.joined(separator: ","))]}
                """
        }
        let name = machine.processorName.filter { $0 != "\"" && $0 != "\\" }
        return """
            {"machine":{"cores":\(machine.processors),"processor":"\(name)","kernel":"\(machine.kernel)"},\
            "disk":{"write_and_sync_60kb_us":\(fixed(disk.smallGroupMicroseconds, 1)),\
            "write_and_sync_60kb_p99_us":\(fixed(disk.slowestGroupMicroseconds, 1)),\
            "write_and_sync_60kb_fresh_us":\(fixed(disk.freshGroupMicroseconds, 1)),\
            "synced_mb_per_second":\(fixed(disk.largeGroupMegabytesPerSecond, 1))},\
            "load":{"connections":\(shape.connections),"lines":\(shape.lines),"seconds":\(shape.seconds)},\
            "results":[\(results.joined(separator: ","))]}
            """
    }
}
