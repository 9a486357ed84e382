// The built `sluice` program as a process of its own, as an operator runs it.

import Foundation
import Glibc
import Synchronization

package final class GatewayProcess: Sendable {
    package struct Settings: Sendable {
        /// Lines of the configuration beside listen, admin, data_dir and nodes.
        package var keys: [String: String] = [:]
        /// Put under `limits:`.
        package var limits: [String: String] = [:]
        /// Put under `log:`.
        package var log: [String: String] = [:]
        /// Put into each node's entry: `username: u, password: p`.
        package var node = ""
        /// The same for single nodes, by name.
        package var nodeEntries: [String: String] = [:]
        /// Further arguments of `sluice serve`.
        package var arguments: [String] = []
        /// Where the log goes, when not beside the configuration: a folder that exists.
        package var dataFolder: URL?
        /// Where configuration and output go, when they are to stay: a folder that exists.
        package var folder: URL?
        /// How many files the process may open: what it begins with, and what it may raise that to.
        package var openFiles: (soft: Int, hard: Int)?

        package init(_ keys: [String: String] = [:], limits: [String: String] = [:], log: [String: String] = [:]) {
            self.keys = keys
            self.limits = limits
            self.log = log
        }
    }

    package let port: Int
    package let adminPort: Int
    package let client: InfluxClient
    package let admin: InfluxClient
    private let folder: TemporaryFolder
    private let configuration: URL
    private let arguments: [String]
    private let wrapper: [String]
    private let running = Mutex<ChildProcess?>(nil)

    package let dataFolder: URL
    package var configurationFile: URL { configuration }

    package init(nodes: [(name: String, url: String)], _ settings: Settings = Settings()) throws {
        folder = try settings.folder.map(TemporaryFolder.init(existing:)) ?? TemporaryFolder("sluice-gateway")
        arguments = settings.arguments
        wrapper = settings.openFiles.map { ["/usr/bin/prlimit", "--nofile=\($0.soft):\($0.hard)"] } ?? []
        port = try FreePort.next()
        adminPort = try FreePort.next()
        client = InfluxClient(port: port)
        admin = InfluxClient(port: adminPort)
        configuration = folder.url.appendingPathComponent("sluice.yaml")
        dataFolder = settings.dataFolder ?? folder.url.appendingPathComponent("data")
        var yaml = """
            listen: 127.0.0.1:\(port)
            admin: 127.0.0.1:\(adminPort)
            data_dir: \(dataFolder.path)
            nodes:

            """
        for node in nodes {
            let own = [settings.node, settings.nodeEntries[node.name] ?? ""].filter { !$0.isEmpty }
            yaml += "  - {" + (["name: \(node.name)", "url: \(node.url)"] + own).joined(separator: ", ") + "}\n"
        }
        for (key, value) in settings.keys.sorted(by: { $0.key < $1.key }) { yaml += "\(key): \(value)\n" }
        for (section, keys) in [("limits", settings.limits), ("log", settings.log)] where !keys.isEmpty {
            yaml += "\(section):\n"
            for (key, value) in keys.sorted(by: { $0.key < $1.key }) { yaml += "  \(key): \(value)\n" }
        }
        try yaml.write(to: configuration, atomically: true, encoding: .utf8)
    }

    deinit {
        // The process goes before its folder does.
        running.withLock { $0 = nil }
    }

    /// The program under test: `SLUICE_BINARY`, else the one built beside the running test bundle.
    package static func executable(_ name: String = "sluice") throws -> String {
        if name == "sluice", let path = ProcessInfo.processInfo.environment["SLUICE_BINARY"] { return path }
        var folder = try URL(fileURLWithPath: FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        for start in [folder, URL(fileURLWithPath: CommandLine.arguments[0])] + bundles() {
            folder = start.standardizedFileURL
            for _ in 0..<4 {
                folder.deleteLastPathComponent()
                let candidate = folder.appendingPathComponent(name).path
                var isFolder: ObjCBool = false
                if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder), !isFolder.boolValue,
                    FileManager.default.isExecutableFile(atPath: candidate)
                {
                    return candidate
                }
            }
        }
        throw TestFailure("no `\(name)` beside the test bundle: build it, or set SLUICE_BINARY")
    }

    // Test bundles that are loaded into a runner show in the memory map.
    private static func bundles() -> [URL] {
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        let lines = maps.split(separator: "\n").filter { $0.hasSuffix(".xctest") }
        return lines.compactMap { $0.split(separator: " ").last }.map { URL(fileURLWithPath: String($0)) }
    }

    /// Starts the gateway and waits until it says that it is ready. Returns how long that took.
    @discardableResult
    package func start(
        within limit: Duration = .seconds(30), environment: [String: String] = [:]
    ) async throws -> Duration {
        let start = ContinuousClock.now
        try launch(environment: environment)
        try await waitUntil("ready", path: "/ready", within: limit)
        return ContinuousClock.now - start
    }

    /// Starts the gateway without waiting for it. `environment` is added to the test's own.
    package func launch(environment: [String: String] = [:]) throws {
        precondition(running.withLock { $0?.isRunning != true })
        let process = try ChildProcess(
            name: "sluice",
            arguments: wrapper + [Self.executable(), "serve", "--config", configuration.path] + arguments,
            environment: environment,
            logFolder: folder.url
        )
        running.withLock { $0 = process }
    }

    /// Waits until the process works: `/health`; it may have no node yet.
    package func waitUntilHealthy(within limit: Duration = .seconds(30)) async throws {
        try await waitUntil("healthy", path: "/health", within: limit)
    }

    private func waitUntil(_ what: String, path: String, within limit: Duration) async throws {
        try await eventually("the gateway is \(what)", within: limit, every: .milliseconds(5)) {
            if let status = process?.status { throw TestFailure("the gateway ended: \(status)\n\(log)") }
            var admin = admin
            admin.timeout = .seconds(2)
            let reply = try await admin.send(.get, path)
            if reply.status != 200 { throw TestFailure("\(path): \(reply)") }
            return true
        }
    }

    package var process: ChildProcess? { running.withLock { $0 } }
    package var log: String { process?.log(lastLines: 120) ?? "" }

    /// All lines on standard error since the first start.
    package func errorLines() throws -> [String] {
        guard let process else { return [] }
        return String(decoding: try Data(contentsOf: process.standardError), as: UTF8.self)
            .split(separator: "\n").map(String.init)
    }

    /// kill -9, and gone.
    package func kill() async throws {
        try await process?.killAndWait()
    }

    /// SIGTERM or SIGINT; returns how the process ended.
    package func stop(_ signal: Int32 = SIGTERM, within limit: Duration = .seconds(20)) async throws -> ExitStatus {
        guard let process else { throw TestFailure("the gateway does not run") }
        process.signal(signal)
        return try await process.waitForExit(within: limit)
    }

    /// Runs `sluice` with these arguments to its end; standard output, standard error and exit code.
    package static func run(
        _ arguments: [String],
        of program: String = "sluice",
        environment: [String: String] = [:],
        within limit: Duration = .seconds(30)
    ) async throws -> (output: String, errors: String, status: ExitStatus) {
        let folder = try TemporaryFolder("sluice-command")
        let process = try ChildProcess(
            name: "command",
            arguments: [executable(program)] + arguments,
            environment: environment,
            logFolder: folder.url
        )
        let status = try await process.waitForExit(within: limit)
        return (
            String(decoding: try Data(contentsOf: process.standardOutput), as: UTF8.self),
            String(decoding: try Data(contentsOf: process.standardError), as: UTF8.self),
            status
        )
    }
}
