// The model against a real influxd: the same requests, the same answers, the same data.

import Foundation
import SimulatedInfluxDB
import TestSupport
import Testing

@Suite(.serialized)
struct DifferentialTests {
    private static let isLong = ProcessInfo.processInfo.environment["SLUICE_LONG"] == "1"
    /// Rounds of 300 requests, each on databases of its own.
    private static let seeds: [UInt64] = isLong ? Array(1...20) : [20_261_121]

    @Test(
        "the model answers 300 random requests as a real influxd does, and holds the same data then", arguments: seeds,
        ["inmem", "tsi1"])
    func sameAnswers(seed: UInt64, index: String) async throws {
        var settings = InfluxNode.Settings()
        settings.index = index
        var modelSettings = InfluxServer.Settings()
        modelSettings.hasTSI = index == "tsi1"
        var pair = try await Pair("model", settings, modelSettings)
        var generator = RequestGenerator(seed: seed, now: wallClock())
        for request in RequestGenerator.beginning { try await pair.compare(request) }
        for number in 0..<300 {
            let request = generator.request()
            do {
                try await pair.compare(request)
            } catch {
                throw TestFailure("seed \(seed), request \(number): \(error)")
            }
        }
        let policies = pair.model.contents().databases.map { ($0.name.string, $0.policies.map(\.name.string)) }
        for request in RequestGenerator.inventory(Dictionary(uniqueKeysWithValues: policies)) {
            try await pair.compare(request)
        }
        try await pair.node.kill()
    }
}
