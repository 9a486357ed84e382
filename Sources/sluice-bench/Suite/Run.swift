// The suite: pieces of work, each done in several ways that take turns, so that a machine that slows down slows all.

import ArgumentParser
import Foundation
import TestSupport

struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a gateway beside the same load sent straight to what stands behind it.",
        discussion: """
            Scenarios:
            \(Scenario.all(levels: [.any]).map { "  \($0.name): \($0.title)" }.joined(separator: "\n"))
            """
    )

    @Option(help: "The gateway's program; by default the `sluice` beside this one.")
    var gateway: String?

    @Option(help: "Scenarios to run, separated by commas; all: every one.")
    var scenarios = "small"

    @Option(help: "Levels of acknowledgement for small, large and placed, separated by commas.")
    var levels = "any,insync"

    @Option(help: "How often each way is measured; the median counts.")
    var rounds = 3

    @Option(help: "Event loops of the gateway; by default what it chooses itself.")
    var threads: Int?

    @Option(help: "Folder for the gateway's log; by default a temporary one.")
    var dataDir = "/tmp"

    @Option(help: "Backlog to catch up from, in GiB.")
    var backlogGib = 1.0

    @Option(help: "File that the figures are written to as JSON.")
    var output: String?

    @Option(help: "Seconds of each measurement.")
    var seconds = 5.0

    @Option(help: "Seconds before that which are not measured.")
    var warmup = 1.0

    @Option(help: "Lines of a request, in the place of the scenario's.")
    var lines: Int?

    @Option(help: "Connections, in the place of the scenario's.")
    var connections: Int?

    func validate() throws {
        guard rounds > 0, seconds > 0, warmup >= 0, backlogGib > 0 else {
            throw ValidationError("--rounds, --seconds and --backlog-gib must be positive")
        }
        _ = try chosenScenarios()
    }

    private func chosenScenarios() throws -> [Scenario] {
        let levels = try levels.split(separator: ",").map { name in
            guard let level = Acknowledgement(rawValue: String(name)) else {
                let known = Acknowledgement.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--levels: \(name) is none of \(known)")
            }
            return level
        }
        let known = Scenario.all(levels: levels)
        if scenarios == "all" { return known }
        return try scenarios.split(separator: ",").map { name in
            guard let scenario = known.first(where: { $0.name == name }) else {
                throw ValidationError("--scenarios: \(name) is none of \(known.map(\.name).joined(separator: ", "))")
            }
            return scenario
        }
    }

    func run() async throws {
        stopOnSignals()
        if let gateway { setenv("SLUICE_BINARY", gateway, 1) }
        let folder = URL(fileURLWithPath: dataDir)
            .appendingPathComponent("sluice-bench-\(getpid())-\(UInt32.random(in: .min ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let stage = Stage(
            program: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"), dataFolder: folder,
            threads: threads, backlogBytes: Int(backlogGib * Double(1 << 30)))
        var report = Report(
            machine: Machine(), disk: try DiskProbe.run(in: folder.path), memory: MemoryProbe.run(), rounds: rounds,
            seconds: seconds)
        print(report.heading)
        for scenario in try chosenScenarios() {
            let phases = try await measure(scenario, on: stage)
            report.results.append(Report.Result(scenario: scenario, phases: phases))
            print("\n" + report.table(report.results[report.results.count - 1]))
        }
        if let output {
            try report.json().write(to: URL(fileURLWithPath: output))
            note("figures written to \(output)")
        }
    }

    private func measure(_ scenario: Scenario, on stage: Stage) async throws -> [Phase] {
        var shape = LoadShape.parseOrExit([])
        shape.seconds = seconds
        shape.warmup = warmup
        scenario.shape(&shape)
        shape.lines = lines ?? shape.lines
        shape.connections = connections ?? shape.connections
        var phases: [Phase] = []
        for round in 1...rounds {
            for way in scenario.ways {
                if stopRequested.load(ordering: .relaxed) { throw BenchError("interrupted") }
                note("\(scenario.name), round \(round) of \(rounds): \(way)")
                phases.append(try await stage.measure(way, shape, answerBytes: scenario.answerBytes))
                try FileManager.default.removeContents(of: stage.dataFolder)
            }
        }
        return phases
    }

    private func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}

extension FileManager {
    fileprivate func removeContents(of folder: URL) throws {
        for item in try contentsOfDirectory(at: folder, includingPropertiesForKeys: nil) { try removeItem(at: item) }
    }
}
