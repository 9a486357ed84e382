// gzip of what the gateway itself puts together, and towards nodes: the same bytes once they are decoded.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Gzip {
        /// Decoded by a program that is not ours.
        private static func gunzip(_ bytes: [UInt8]) throws -> [UInt8] {
            let folder = try TemporaryFolder("sluice-gunzip")
            let file = folder.url.appendingPathComponent("answer.gz")
            try Data(bytes).write(to: file)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/gzip")
            process.arguments = ["-dc", file.path]
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { throw TestFailure("no gzip: \(bytes.prefix(40))") }
            return Array(output)
        }

        /// What the gateway answers itself, or takes apart on its way: requests of several steps, lists without its own
        /// database, answers whose rows are counted.
        private static let table: [(q: String, parameters: [String: String])] = [
            ("SHOW DATABASES", [:]),
            ("SHOW DATABASES", ["pretty": "true"]),
            ("CREATE DATABASE t", [:]),
            ("SELECT v INTO copy FROM m", [:]),
            ("SELECT v FROM m; CREATE DATABASE t; SELECT count(v) FROM m", [:]),
            ("SELECT v FROM m; CREATE DATABASE t", ["chunked": "true"]),
            ("SELECT v FROM m", [:]),
            ("SELECT v FROM m", ["chunked": "true", "chunk_size": "7"]),
            ("SELECT v FROM m", ["epoch": "s", "pretty": "true"]),
            ("SELECT * FROM large", [:]),
            ("SELECT * FROM large; CREATE DATABASE t", [:]),
        ]

        @Test("an answer that is gzip is, once decoded, byte by byte the one that is not")
        func answers() async throws {
            let rules = ["policy": "{max_rows: 1000000}"]
            try await TestCluster.run(.init(rules), nodes: ["a"]) { cluster in
                var lines = (0..<50).map { "m v=\($0) \($0)" }
                let text = String(repeating: "x\u{fc}y", count: 1000)
                lines += (0..<300).map { "large s=\"\($0)\(text)\" \($0)" }
                try #require(
                    try await cluster.client.write(lines.joined(separator: "\n"), db: "t").status == 204)
                var complaints = Complaints()
                for (q, parameters) in Self.table {
                    await complaints.check {
                        let plain = try await cluster.client.query(q, db: "t", parameters, method: .post)
                        let accept = [("Accept-Encoding", "deflate, gzip;q=0.5")]
                        let packed = try await cluster.client.query(
                            q, db: "t", parameters, method: .post, headers: accept)
                        guard plain.status == 200, packed.status == 200, plain.header("Content-Encoding") == nil,
                            packed.header("Content-Encoding") == "gzip",
                            packed.header("Content-Type") == plain.header("Content-Type")
                        else { throw TestFailure("\(q): \(packed.status) \(packed.headers) \(plain)") }
                        let decoded = try Self.gunzip(packed.body)
                        if decoded != plain.body {
                            throw TestFailure("\(q): \(decoded.count), \(plain.body.count) bytes")
                        }
                        if plain.body.count > 10_000, packed.body.count * 2 > plain.body.count {
                            throw TestFailure("\(q): \(packed.body.count) of \(plain.body.count) bytes")
                        }
                    }
                }
                // Errors are never encoded, as in InfluxDB.
                let error = try await cluster.client.query("SELEC", db: "t", headers: [("Accept-Encoding", "gzip")])
                #expect(error.status == 400 && error.header("Content-Encoding") == nil)
                try complaints.requireNone()
            }
        }

        @Test("the gateway's own answers are gzip where InfluxDB's are")
        func oracle() async throws {
            let oracle = try await InfluxNode.started("oracle")
            try await TestCluster.run(nodes: ["a"]) { cluster in
                try await oracle.client.execute("CREATE DATABASE t")
                var complaints = Complaints()
                for accept in ["gzip", "gzip;q=0", "x-gzip", "deflate", "identity", "GZIP", "*"] {
                    for q in ["CREATE DATABASE t", "SHOW DATABASES", "SELEC"] {
                        await complaints.check {
                            let headers = [("Accept-Encoding", accept)]
                            let mine = try await cluster.client.query(q, db: "t", method: .post, headers: headers)
                            let theirs = try await oracle.client.query(q, db: "t", method: .post, headers: headers)
                            guard mine.status == theirs.status,
                                mine.header("Content-Encoding") == theirs.header("Content-Encoding")
                            else { throw TestFailure("\(q), \(accept): \(mine.headers), there \(theirs.headers)") }
                        }
                    }
                }
                try complaints.requireNone()
            }
        }

        @Test("L2 a node that gets its points as gzip holds what the others hold, refused lines and retries included")
        func towardsNodes() async throws {
            let nodes = [try InfluxNode("a"), try InfluxNode("b")]
            for node in nodes { try await node.start() }
            let gateway = try GatewayProcess(nodes: [("a", "\(nodes[0].url), gzip: true"), ("b", nodes[1].url)])
            do {
                try await gateway.start()
                try await gateway.waitUntilInSync()
                try await gateway.client.execute("CREATE DATABASE t")
                let large = (0..<30_000).map { "m,host=h\($0 % 20) v=\($0) \($0)" }.joined(separator: "\n")
                try #require(try await gateway.client.write(large, db: "t").status == 204)
                try #require(try await gateway.client.write("m,host=h1 v=1 1", db: "t").status == 204)
                let refused = try await gateway.client.write("m v=\"text\" 5\nn v=1 5\n" + large, db: "t")
                #expect(refused.status == 400, "\(refused)")
                try await nodes[0].kill()
                for number in 0..<20 {
                    try #require(
                        try await gateway.client.write("o v=\(number) \(number)\n" + large, db: "t").status == 204)
                }
                try await nodes[0].start()
                try await gateway.waitUntilDrained()
                try await requireSameData(nodes, db: "t")
                #expect(try await nodes[0].client.count("v", of: "o", db: "t") == 20)
                let (sent, plain) = (
                    try await nodes[0].counter("httpd", "writeReqBytes"),
                    try await nodes[1].counter("httpd", "writeReqBytes")
                )
                #expect(sent > 0 && plain > 0)
            } catch {
                let log = gateway.log
                try? await gateway.kill()
                for node in nodes { try? await node.kill() }
                throw TestFailure("\(error)\n\(log)")
            }
            try await gateway.kill()
            for node in nodes { try await node.kill() }
        }
    }
}
