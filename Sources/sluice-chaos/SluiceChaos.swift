// Chaos with real processes: a gateway and InfluxDB servers under load, everything that can go wrong going wrong at
// random, and clients that hold the database to what they were promised.

import ArgumentParser
import Chaos

extension FaultKind: ExpressibleByArgument {}

@main struct SluiceChaos: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-chaos",
        abstract: "Breaks a real gateway and real nodes at random, and checks that nothing acknowledged is lost.",
        discussion: """
            Faults: \(FaultKind.allCases.map { "\($0.rawValue): \($0.explanation)" }.joined(separator: "; ")).
            Everything runs in namespaces of its own and is gone when the program ends. Exit code 0: all was right; 1: a \
            violation, with its story and the folder of all logs and data; 77: this machine cannot do it.
            """
    )

    @Option(help: "What is drawn from it: faults, targets, times, the clients' requests. By default a new one.")
    var seed: UInt64?

    @Option(help: "Ends after so many seconds, at the end of a round.")
    var seconds = 60

    @Option(help: "Ends after so many kills of the gateway and as many of nodes instead.")
    var kills: Int?

    @Option(help: "Faults to draw from, separated by commas; by default all but fill-node that this machine can make.")
    var faults: String?

    @Option(help: "InfluxDB servers.")
    var nodes = 2

    @Option(help: "Faults drawn until everything is put right and checked.")
    var faultsPerRound = 12

    @Option(help: "Folder for logs and data; by default one in /tmp that is removed when all was right.")
    var folder: String?

    @Option(
        help: "Minutes of steady load at half of the top rate, with one node flapping each minute, instead of chaos.")
    var soak: Int?

    @Flag(help: "Proxies in the place of network namespaces; no file systems that fill.")
    var unconfined = false

    @Flag(help: "Print each fault.")
    var verbose = false

    @Flag(help: "Keep logs and data also when all was right.")
    var keep = false

    func validate() throws {
        guard (1...5).contains(nodes) else { throw ValidationError("--nodes must be from 1 to 5") }
        guard faultsPerRound > 0 else { throw ValidationError("--faults-per-round must be positive") }
        _ = try kinds()
    }

    private func kinds() throws -> [FaultKind] {
        guard let faults else { return FaultKind.usual }
        return try faults.split(separator: ",").map { name in
            guard let kind = FaultKind(rawValue: String(name)) else {
                throw ValidationError(
                    "--faults: \(name) is none of \(FaultKind.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            return kind
        }
    }

    func run() async throws {
        let request = ChaosRequest(
            seed: seed, seconds: seconds, kills: kills, kinds: try kinds(), kindsAreChosen: faults != nil,
            nodes: nodes, faultsPerRound: faultsPerRound, folder: folder, soakMinutes: soak,
            isConfined: !unconfined, isVerbose: verbose, keeps: keep)
        throw ExitCode(await request.carryOut())
    }
}
