// A short run of `sluice-chaos` with a fixed seed, as continuous integration has time for. `make chaos` runs longer ones.

import Chaos
import Foundation
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct ShortRunTests {
    private static let program: String? = {
        guard let sluice = try? GatewayProcess.executable() else { return nil }
        let path = URL(fileURLWithPath: sluice).deletingLastPathComponent().appendingPathComponent("sluice-chaos").path
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }()

    @Test(
        "A1 L3 L8 S1 S7 S10 D6 whatever is killed, hung, cut off and filled at random, nothing acknowledged is lost",
        .enabled(if: program != nil, "needs the program sluice-chaos"))
    func short() async throws {
        let folder = try TemporaryFolder("sluice-chaos-test")
        let program = try #require(Self.program)
        let process = try ChildProcess(
            name: "chaos",
            arguments: [
                program, "--seed", "2026", "--seconds", "25", "--faults-per-round", "9", "--folder",
                folder.url.appendingPathComponent("run").path, "--verbose",
            ], logFolder: folder.url)
        let status = try await process.waitForExit(within: .seconds(240))
        if status == .exited(ChaosRequest.cannot) {
            // The program says why in its own words; that is no failure of what it tests.
            return print("left out: \(process.log(lastLines: 3))")
        }
        #expect(status == .exited(0), "\(process.log(lastLines: 150))")
    }
}
