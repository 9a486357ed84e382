// sluice doctor before real nodes that were kept in step by writing to both, until one missed something.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Doctor {
        private struct Report: Decodable {
            struct Finding: Decodable {
                let severity: String
                let kind: String
                let text: String
                let advice: String
            }
            struct Node: Decodable {
                let name: String
                let version: String?
                let points: Int?
            }
            let nodes: [Node]
            let findings: [Finding]
            let isComplete: Bool

            func text(_ kind: String) -> String {
                findings.filter { $0.kind == kind }.map(\.text).joined(separator: "\n")
            }
        }

        private static func examine(
            _ nodes: [(name: String, url: String)], _ flags: [String] = []
        ) async throws -> (report: Report, status: TestSupport.ExitStatus) {
            let arguments = ["doctor", "--json"] + nodes.flatMap { ["--node", "\($0.name)=\($0.url)"] } + flags
            let result = try await GatewayProcess.run(arguments)
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            do {
                return (try decoder.decode(Report.self, from: Data(result.output.utf8)), result.status)
            } catch {
                throw TestFailure("\(error): \(result.output)\(result.errors)")
            }
        }

        /// One point per second from 2026-01-01T00:00:00Z.
        private static func line(_ second: Int) -> String { "cpu,h=a v=\(second) \(1_767_225_600 + second)000000000" }

        @Test("nodes that hold the same give nothing to say; one that missed writes is found, with what and when")
        func missedWrites() async throws {
            let nodes = [try await InfluxNode.started("a"), try await InfluxNode.started("b")]
            defer { withExtendedLifetime(nodes) {} }
            let named = nodes.map { (name: $0.name, url: $0.url) }
            for node in nodes {
                try await node.client.execute("CREATE DATABASE d")
                try #require(try await node.client.write("same v=1 1", db: "d").status == 204)
            }
            func write(_ seconds: Range<Int>, to nodes: [InfluxNode]) async throws {
                for start in stride(from: seconds.lowerBound, to: seconds.upperBound, by: 500) {
                    let end = min(start + 500, seconds.upperBound)
                    let body = (start..<end).map(Self.line).joined(separator: "\n")
                    for node in nodes { try #require(try await node.client.write(body, db: "d").status == 204) }
                }
            }
            try await write(0..<3000, to: nodes)
            let equal = try await Self.examine(named, ["--deep"])
            #expect(equal.report.findings.isEmpty, "\(equal.report.findings)")
            #expect(equal.status == .exited(0))

            // b is restarted while writes go on.
            try await nodes[1].stop()
            try await write(3000..<4000, to: [nodes[0]])
            try await nodes[1].start()
            try await write(4000..<9000, to: nodes)
            let before = try await Dump(of: nodes[1], db: "d")
            let found = try await Self.examine(named)
            #expect(found.status == .exited(1))
            #expect(found.report.isComplete)
            let text = found.report.text("points")
            #expect(text.contains("measurement cpu"), "\(text)")
            #expect(text.contains("between 2026-01-01T00:50:00Z and 2026-01-01T01:06:40Z"), "\(text)")
            #expect(text.contains("a has 1000, b has 0 points"), "\(text)")
            #expect(!text.contains("same"), "\(text)")
            #expect(found.report.text("most_complete").contains("a holds the most"))
            #expect(found.report.nodes.map(\.points) == [9001, 8001])

            let people = try await GatewayProcess.run(
                ["doctor"] + named.flatMap { ["--node", "\($0.name)=\($0.url)"] })
            #expect(people.status == .exited(1))
            #expect(people.output.contains("ERROR: database d, policy autogen, measurement cpu"), "\(people.output)")
            // It only looked.
            #expect(before.difference(from: try await Dump(of: nodes[1], db: "d")) == nil)
            #expect(try await nodes[1].client.names("SHOW DATABASES") == ["d"])

            // Repaired by hand; then one value differs, which no number shows.
            try await write(3000..<4000, to: [nodes[1]])
            #expect(try await Self.examine(named).status == .exited(0))
            try #require(
                try await nodes[1].client.write("cpu,h=a v=-1 1767232800000000000", db: "d").status == 204)
            #expect(try await Self.examine(named).status == .exited(0))
            let deep = try await Self.examine(named, ["--deep"])
            #expect(deep.status == .exited(1))
            #expect(deep.report.text("content").contains("measurement cpu"))
            #expect(deep.report.text("content").contains("2026-01-01T02:00:00Z"), "\(deep.report.text("content"))")
        }

        @Test("settings under which nodes do not fit together are found")
        func settings() async throws {
            var settings = InfluxNode.Settings()
            settings.extra["data"] = "wal-fsync-delay = \"250ms\""
            let delayed = try await InfluxNode.started("a", settings)
            defer { withExtendedLifetime(delayed) {} }
            let other = try await InfluxNode.started("b")
            defer { withExtendedLifetime(other) {} }
            for node in [delayed, other] { try await node.client.execute("CREATE DATABASE d") }
            try await other.client.execute("CREATE RETENTION POLICY r ON d DURATION 1d REPLICATION 1")
            try await other.client.execute("CREATE DATABASE more")
            try #require(try await other.client.write("m v=1 1000000000\nm v=1 2500000000", db: "more").status == 204)
            let named = [delayed, other].map { (name: $0.name, url: $0.url) }
            let found = try await Self.examine(named)
            #expect(found.status == .exited(1))
            #expect(found.report.text("fsync").contains("a has wal-fsync-delay = 250 ms"))
            #expect(found.report.text("schema").contains("retention policy r: a has none"))
            #expect(found.report.text("schema").contains("database more: a has none"))
            let points = found.report.text("points")
            #expect(
                points.contains("between 1970-01-01T00:00:01Z and 1970-01-01T00:00:03Z a has 0, b has 2"), "\(points)")

            let twins = try await Self.examine([("a", other.url), ("b", other.url)])
            #expect(twins.status == .exited(1))
            #expect(twins.report.text("same_server").contains("a and b are the same server"))
        }

        @Test("a node that cannot be looked at is exit code 2, and the others are looked at")
        func unreachable() async throws {
            var settings = InfluxNode.Settings()
            settings.authentication = true
            let locked = try await InfluxNode.started("locked", settings)
            defer { withExtendedLifetime(locked) {} }
            let create = "CREATE USER root WITH PASSWORD 'secret' WITH ALL PRIVILEGES"
            try #require(try await locked.client.query(create, method: .post).status == 200)
            let gone = "http://127.0.0.1:\(try FreePort.next())"
            let both = try await Self.examine([("locked", locked.url), ("gone", gone)])
            #expect(both.status == .exited(2))
            #expect(both.report.text("credentials").contains("401"))
            #expect(both.report.text("unreachable").contains("gone cannot be reached"))

            let folder = try TemporaryFolder()
            let file = folder.url.appendingPathComponent("password")
            try "secret\n".write(to: file, atomically: true, encoding: .utf8)
            let known = try await Self.examine(
                [("locked", locked.url)], ["--username", "root", "--password-file", file.path])
            #expect(known.status == .exited(0), "\(known.report.findings)")

            let wrong = try await GatewayProcess.run(["doctor", "--node", "nonsense"])
            #expect(wrong.status == .exited(2))
            #expect(wrong.errors.contains("name=url"), "\(wrong.errors)")
        }
    }
}
