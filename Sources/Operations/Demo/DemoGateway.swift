// The gateway of the demo: this very program as a child, so that what is shown is what is run elsewhere.
import Foundation

struct DemoGateway: Sendable {
    let listen: String
    let admin: AdminClient
    let adminAddress: String
    let http: DemoHTTP
    let process: ChildProcess
    private let logFile: String

    /// Starts the process and does not wait for it: whoever has it must be able to stop it.
    static func start(folder: String, nodes: [DemoNode]) async throws -> DemoGateway {
        let port = try FreePort.from(8086)
        let adminPort = try FreePort.from(max(8087, port + 1))
        let logFile = folder + "/gateway.log"
        let entries = nodes.map { "  - {name: \($0.name), url: \"http://127.0.0.1:\($0.port)\"}" }
        let configuration = """
            listen: 127.0.0.1:\(port)
            admin: 127.0.0.1:\(adminPort)
            data_dir: \(folder)/sluice
            log: {max_bytes: 2GiB, min_free: 64MiB}
            nodes:
            \(entries.joined(separator: "\n"))

            """
        let file = folder + "/sluice.yaml"
        try configuration.write(toFile: file, atomically: true, encoding: .utf8)
        let process = try await ChildProcess.start(
            ownProgram(), ["serve", "--config", file], logFile: logFile,
            environment: ["HOME": folder, "PATH": "/usr/bin:/bin"])
        let admin = AdminClient(address: "127.0.0.1:\(adminPort)")
        return DemoGateway(
            listen: "127.0.0.1:\(port)", admin: admin, adminAddress: "127.0.0.1:\(adminPort)",
            http: DemoHTTP(base: "http://127.0.0.1:\(port)"), process: process, logFile: logFile)
    }

    func waitUntilInSync() async throws {
        _ = try await waitForStatus("the gateway sees both nodes in-sync") { status in
            status.nodes.allSatisfy(\.isInSync)
        }
    }

    /// Asks for the status until it says what is waited for.
    func waitForStatus(_ what: String, _ condition: (StatusReport) -> Bool) async throws -> StatusReport {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            try Task.checkCancellation()
            if let status = try? await admin.status(), condition(status) { return status }
            guard process.isRunning, ContinuousClock.now < deadline else {
                let log = (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? ""
                throw ServingError("waited in vain: \(what)", advice: "the gateway's last words:\n\(log.suffix(1_500))")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private static func ownProgram() -> String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
    }
}
