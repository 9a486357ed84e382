// The figures of a run for people (tables) and for programs (JSON): medians over the rounds, with the machine they
// belong to.

import Foundation

struct Machine {
    let processors = ProcessInfo.processInfo.activeProcessorCount

    var processorName: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown processor"
    }

    var kernel: String {
        let text = try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)
        return text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "unknown"
    }
}

struct Report {
    /// One scenario's measurements.
    struct Result {
        let scenario: Scenario
        let phases: [Phase]

        func values(_ way: Way, _ figure: Figure) -> [Double] {
            phases.filter { $0.way == way }.compactMap { $0.figures[figure] }
        }

        func median(_ way: Way, _ figure: Figure) -> Double? {
            let values = values(way, figure).sorted()
            return values.isEmpty ? nil : values[values.count / 2]
        }

        /// Those that at least one way has.
        var figures: [Figure] {
            Figure.allCases.filter { figure in phases.contains { $0.figures[figure] != nil } }
        }
    }

    let machine: Machine
    let disk: DiskProbe
    let memory: MemoryProbe
    let rounds: Int
    let seconds: Double
    var results: [Result] = []

    var heading: String {
        """
        \(machine.processors) cores (\(machine.processorName)), Linux \(machine.kernel); medians of \(rounds) rounds, \
        \(decimal(seconds, 1)) s each
        disk: 60 KB written and synced in \(decimal(disk.smallGroupMicroseconds, 0)) us \
        (p99 \(decimal(disk.slowestGroupMicroseconds, 0)) us; \(decimal(disk.freshGroupMicroseconds, 0)) us where a \
        file was never written); \(decimal(disk.largeGroupMegabytesPerSecond, 0)) MB/s in synced groups of 1 MB
        memory: \(decimal(memory.copiedGigabytesPerSecond, 1)) GB/s copied
        """
    }

    func table(_ result: Result) -> String {
        let figures = result.figures
        var rows = [["way"] + figures.map(\.title)]
        for way in result.scenario.ways {
            let cells = figures.map { figure in
                result.median(way, figure).map { decimal($0, figure.decimals) } ?? ""
            }
            rows.append(["\(way)"] + cells)
        }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }
        let errors = result.phases.filter { !$0.errors.isEmpty }.map { "errors (\($0.way)), by status: \($0.errors)" }
        return ([result.scenario.title] + lines + errors).joined(separator: "\n")
    }

    /// An object with the machine, its limits, and an entry for each scenario with the medians and all values.
    func json() throws -> Data {
        let file = File(
            machine: [
                "cores": "\(machine.processors)", "processor": machine.processorName, "kernel": machine.kernel,
            ],
            limits: [
                "write_and_sync_60kb_us": disk.smallGroupMicroseconds,
                "write_and_sync_60kb_p99_us": disk.slowestGroupMicroseconds,
                "write_and_sync_60kb_fresh_us": disk.freshGroupMicroseconds,
                "synced_mb_per_second": disk.largeGroupMegabytesPerSecond,
                "memory_copy_gb_per_second": memory.copiedGigabytesPerSecond,
            ],
            rounds: rounds, seconds: seconds,
            scenarios: results.map { result in
                File.Scenario(
                    name: result.scenario.name, title: result.scenario.title,
                    ways: result.scenario.ways.map { way in
                        File.Way(
                            way: "\(way)",
                            medians: result.named { result.median(way, $0) },
                            rounds: result.named { figure in
                                let values = result.values(way, figure)
                                return values.isEmpty ? nil : values
                            },
                            errors: result.phases.filter { $0.way == way }.map { phase in
                                Dictionary(uniqueKeysWithValues: phase.errors.map { ("\($0.key)", $0.value) })
                            })
                    })
            })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(file) + Data("\n".utf8)
    }

    private struct File: Encodable {
        struct Scenario: Encodable {
            var name: String
            var title: String
            var ways: [Way]
        }

        struct Way: Encodable {
            var way: String
            var medians: [String: Double]
            var rounds: [String: [Double]]
            var errors: [[String: Int]]
        }

        var machine: [String: String]
        var limits: [String: Double]
        var rounds: Int
        var seconds: Double
        var scenarios: [Scenario]
    }
}

extension Report.Result {
    /// What there is of each figure, by its name.
    fileprivate func named<T>(_ value: (Figure) -> T?) -> [String: T] {
        var named: [String: T] = [:]
        for figure in figures { named[figure.rawValue] = value(figure) }
        return named
    }
}
