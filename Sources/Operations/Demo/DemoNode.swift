// One real influxd with its data in the demo's folder.
import Foundation

actor DemoNode {
    nonisolated let name: String
    nonisolated let port: Int
    nonisolated let http: DemoHTTP
    private let folder: String
    private let program: String
    private(set) var process: ChildProcess?

    /// Where influxd is, or how to get it.
    static func findProgram(environment: [String: String] = ProcessInfo.processInfo.environment) throws -> String {
        let folders =
            (environment["PATH"] ?? "").split(separator: ":").map(String.init) + ["/usr/bin", "/usr/local/bin"]
        for folder in folders where FileManager.default.isExecutableFile(atPath: folder + "/influxd") {
            return folder + "/influxd"
        }
        throw ServingError(
            "influxd is not installed, and the demo needs a real one",
            advice: "run make run, or on Debian: sudo apt-get install influxdb")
    }

    init(name: String, folder: String, program: String) throws {
        self.name = name
        self.folder = folder + "/node-" + name
        self.program = program
        port = try FreePort.any()
        http = DemoHTTP(base: "http://127.0.0.1:\(port)")
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        try Self.configuration(folder: self.folder, port: port, remotePort: try FreePort.any())
            .write(toFile: self.folder + "/influxdb.conf", atomically: true, encoding: .utf8)
    }

    var pid: Int32 { process?.pid ?? 0 }

    func start() async throws {
        process = try await ChildProcess.start(
            program, ["-config", folder + "/influxdb.conf"], logFile: folder + "/influxd.log",
            environment: ["HOME": folder, "PATH": "/usr/bin:/bin"])
        let deadline = ContinuousClock.now + .seconds(30)
        while await !http.isAlive() {
            guard process?.isRunning == true, ContinuousClock.now < deadline else {
                let log = (try? String(contentsOfFile: folder + "/influxd.log", encoding: .utf8)) ?? ""
                throw ServingError(
                    "influxd of node \(name) does not start", advice: "its last words: \(log.suffix(400))")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func kill() async {
        process?.send(SIGKILL)
        await process?.waitForExit()
    }

    private static func configuration(folder: String, port: Int, remotePort: Int) -> String {
        """
        reporting-disabled = true
        bind-address = "127.0.0.1:\(remotePort)"
        [meta]
          dir = "\(folder)/meta"
        [data]
          dir = "\(folder)/data"
          wal-dir = "\(folder)/wal"
          query-log-enabled = false
        [monitor]
          store-enabled = false
        [http]
          bind-address = "127.0.0.1:\(port)"
          log-enabled = false

        """
    }
}
