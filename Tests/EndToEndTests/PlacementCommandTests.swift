// sluice placement and sluice import-config as an operator types them.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct PlacementCommands {
        private static let configuration = """
            nodes:
              - {name: a, url: http://127.0.0.1:1, zone: dc1}
              - {name: b, url: http://127.0.0.1:2, zone: dc2}
              - {name: c, url: http://127.0.0.1:3, zone: dc2}
            placement:
              measurements: {cpu: [a]}
              databases: {iot: {default: {hash: {replicas: 2}}}}
            """

        @Test("placement explain says where measurements lie; the exit code says whether all of them lie anywhere")
        func explain() async throws {
            let folder = try TemporaryFolder()
            let file = folder.url.appendingPathComponent("sluice.yaml")
            try Self.configuration.write(to: file, atomically: true, encoding: .utf8)
            let command = ["placement", "explain", "--config", file.path]
            let own = try await GatewayProcess.run(command + ["iot", "cpu", "x"])
            #expect(own.status == .exited(0), "\(own.errors)")
            #expect(own.output.contains("placement.databases.iot.default: hash: 2 of all normal nodes"))
            #expect(own.errors.contains("warning: placement has no default"))
            let other = try await GatewayProcess.run(command + ["t", "cpu", "x", "--json"])
            #expect(other.status == .exited(1))
            let answer = try JSONDecoder().decode(Explained.self, from: Data(other.output.utf8))
            #expect(answer.measurements.map { $0.nodes.map(\.name) } == [["a"], []])
        }

        private struct Explained: Decodable {
            struct Measurement: Decodable {
                struct Node: Decodable { let name: String }
                let nodes: [Node]
            }
            let measurements: [Measurement]
        }

        @Test("placement simulate reads names from standard input, also as the influx shell prints them")
        func simulate() async throws {
            let folder = try TemporaryFolder()
            let file = folder.url.appendingPathComponent("sluice.yaml")
            try Self.configuration.write(to: file, atomically: true, encoding: .utf8)
            let names = (0..<200).map { "m\($0)" }.joined(separator: "\r\n") + "\n\nm1\n"
            let printed = try Self.run(
                ["placement", "simulate", "--config", file.path, "--database", "iot", "--with", "d=dc3:2"], input: names
            )
            #expect(printed.hasPrefix("200 measurements of iot, 400 copies now, 400 then\n"), "\(printed)")
            #expect(printed.contains("\nd     dc3        2    -"), "\(printed)")
        }

        private static func run(_ arguments: [String], input text: String) throws -> String {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: try GatewayProcess.executable())
            process.arguments = arguments
            let (input, output) = (Pipe(), Pipe())
            process.standardInput = input
            process.standardOutput = output
            process.standardError = FileHandle.nullDevice
            try process.run()
            try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
            try input.fileHandleForWriting.close()
            let printed = try output.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return String(decoding: printed, as: UTF8.self)
        }

        @Test("what import-config prints is good as it is; what it cannot read it says")
        func importing() async throws {
            let folder = try TemporaryFolder()
            let foreign = folder.url.appendingPathComponent("proxy.json")
            try #"""
            {"circles": [{"name": "one", "backends": [{"name": "a", "url": "http://127.0.0.1:1"},
                {"name": "b", "url": "http://127.0.0.1:2"}]},
             {"name": "two", "backends": [{"name": "c", "url": "http://127.0.0.1:3"}]}],
             "listen_addr": ":7076", "hash_key": "idx"}
            """#.write(to: foreign, atomically: true, encoding: .utf8)
            let made = try await GatewayProcess.run(["import-config", foreign.path])
            #expect(made.status == .exited(0), "\(made.errors)")
            let file = folder.url.appendingPathComponent("sluice.yaml")
            try made.output.write(to: file, atomically: true, encoding: .utf8)
            let checked = try await GatewayProcess.run(["check", "--config", file.path])
            #expect(checked.status == .exited(0), "\(checked.errors)")
            #expect(
                checked.output == "The configuration is good: 3 nodes, 2 possible replica sets, ack insync.\n",
                "\(checked.errors)")
            let again = try await GatewayProcess.run(["import-config", file.path])
            #expect(again.status == .exited(1))
            #expect(again.errors.contains("sluice.yaml is of no known kind: three are known:"), "\(again.errors)")
        }
    }
}
