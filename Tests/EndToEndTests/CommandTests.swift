// What an operator types: every command of the program as a process.

import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Commands {
        @Test("a wrong configuration never starts; each mistake is named with its line")
        func wrongConfiguration() async throws {
            let folder = try TemporaryFolder()
            let file = folder.url.appendingPathComponent("sluice.yaml")
            let good = "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\ndata_dir: \(folder.url.path)/data\n"
            let node = "nodes:\n  - {name: a, url: http://127.0.0.1:3}\n"
            let rows: [(name: String, yaml: String, mentions: [String])] = [
                ("no nodes", good, ["nodes"]), ("not YAML", "listen: [", ["sluice.yaml:"]),
                ("unknown key", good + node + "ack_timout: 3s\n", [":6:", "ack_timeout"]),
                ("bad level", good + node + "ack: sometimes\n", [":6:", "quorum"]),
                ("no unit", good + node + "sync_timeout: 2\n", [":6:"]),
                ("bad url", good + "nodes:\n  - {name: a, url: \"not a url\"}\n", [":5:"]),
                ("twice the same name", good + node + "  - {name: a, url: http://127.0.0.1:4}\n", [":6:"]),
                ("sync_timeout above ack_timeout", good + node + "sync_timeout: 9s\n", ["ack_timeout"]),
                ("two mistakes", good + node + "ack: never\nsync_timeout: 2\n", [":6:", ":7:"]),
            ]
            for row in rows {
                try row.yaml.write(to: file, atomically: true, encoding: .utf8)
                for command in ["check", "serve"] {
                    let result = try await GatewayProcess.run([command, "--config", file.path])
                    #expect(result.status != .exited(0), "\(row.name): \(command)")
                    let said = result.output + result.errors
                    for text in row.mentions {
                        #expect(said.contains(text), "\(row.name): \(command) does not mention \(text): \(said)")
                    }
                }
                #expect(!FileManager.default.fileExists(atPath: folder.url.path + "/data"), "\(row.name)")
            }
            try (good + node).write(to: file, atomically: true, encoding: .utf8)
            let fine = try await GatewayProcess.run(["check", "--config", file.path])
            #expect(fine.status == .exited(0), "\(fine.output)\(fine.errors)")
        }

        @Test("status and log info describe a running gateway")
        func status() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("m v=1 1", db: "t").status == 204)
                let text = try await GatewayProcess.run(["status", "--admin", cluster.gateway.admin.base])
                #expect(text.status == .exited(0), "\(text.errors)")
                #expect(text.output.contains("in-sync"), "\(text.output)")
                let json = try await GatewayProcess.run(["status", "--json", "--admin", cluster.gateway.admin.base])
                let decoder = JSONDecoder()
                decoder.keyDecodingStrategy = .convertFromSnakeCase
                let status = try decoder.decode(GatewayStatus.self, from: Data(json.output.utf8))
                #expect(status.nodes.map(\.name) == ["a", "b"])
                #expect(status.log.durableEnd >= 2)
                let info = try await GatewayProcess.run(["log", "info", "--data-dir", cluster.gateway.dataFolder.path])
                #expect(info.status == .exited(0), "\(info.errors)")
                #expect(info.output.contains(status.log.id), "\(info.output)")
                let dump = try await GatewayProcess.run(["log", "dump", "--data-dir", cluster.gateway.dataFolder.path])
                #expect(dump.status == .exited(0), "\(dump.errors)")
                #expect(dump.output.contains("CREATE DATABASE"), "\(dump.output)")
                let metrics = try await cluster.gateway.metrics()
                #expect(metrics.count > 20)
                let gone = try await GatewayProcess.run([
                    "status", "--admin", "http://127.0.0.1:\(try FreePort.next())",
                ])
                #expect(gone.status != .exited(0))
                #expect(!gone.errors.isEmpty)
            }
        }

        @Test("the data folder and its files belong to the gateway's user alone")
        func modes() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("m v=1 1", db: "t").status == 204)
                let root = cluster.gateway.dataFolder
                let manager = FileManager.default
                let paths = try manager.subpathsOfDirectory(atPath: root.path).map {
                    root.appendingPathComponent($0).path
                }
                for path in [root.path] + paths {
                    let mode = try #require(try manager.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
                    #expect(mode & 0o077 == 0, "\(path) has mode \(String(mode, radix: 8))")
                }
            }
        }

        @Test("sluice demo --once shows a node dying and catching up, and leaves no process and no file behind")
        func demo() async throws {
            let folder = try TemporaryFolder("sluice-demo")
            let result = try await GatewayProcess.run(
                ["demo", "--once"], environment: ["TMPDIR": folder.url.path], within: .seconds(120))
            #expect(result.status == .exited(0), "\(result.output)\(result.errors)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
            #expect(try Self.commandLines().allSatisfy { !$0.contains(folder.url.path) })
        }

        @Test(
            "sluice demo ends on SIGTERM and SIGINT without a trace, early and late",
            arguments: [(1, SIGTERM), (3, SIGINT)])
        func demoInterrupted(withProcesses count: Int, signal: Int32) async throws {
            let folder = try TemporaryFolder("sluice-demo")
            let logs = try TemporaryFolder()
            let process = try ChildProcess(
                name: "demo", arguments: [GatewayProcess.executable(), "demo"],
                environment: ["TMPDIR": folder.url.path],
                logFolder: logs.url)
            try await eventually("the demo is under way", within: .seconds(60)) {
                try FileManager.default.contentsOfDirectory(atPath: folder.url.path).count > 0
                    && Self.commandLines().filter { $0.contains(folder.url.path) }.count >= count
            }
            process.signal(signal)
            try await process.waitForExit(within: .seconds(30))
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
            #expect(try Self.commandLines().allSatisfy { !$0.contains(folder.url.path) })
        }

        /// Of all processes that this user may look at.
        private static func commandLines() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.compactMap { pid in
                try? String(decoding: Data(contentsOf: URL(fileURLWithPath: "/proc/\(pid)/cmdline")), as: UTF8.self)
            }
        }
    }
}
