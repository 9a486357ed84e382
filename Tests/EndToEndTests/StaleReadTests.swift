// When no node is in sync any more: old data may be shown, but never as if it were all there is.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct StaleReads {
        @Test(
            "S1 with no node in sync a read says how old it is, or is refused if so configured",
            arguments: ["allow", "refuse"])
        func nobodyInSync(staleReads: String) async throws {
            let good = try await InfluxNode.started("good")
            defer { withExtendedLifetime(good) {} }
            // It answers, and can store no more than a few writes.
            var settings = InfluxNode.Settings()
            settings.extra = ["data": "cache-max-memory-size = 20000\ncache-snapshot-memory-size = 10000000"]
            let full = try await InfluxNode.started("full", settings)
            defer { withExtendedLifetime(full) {} }
            let gateway = try GatewayProcess(
                nodes: [("good", good.url), ("full", full.url)], .init(["stale_reads": staleReads]))
            try await gateway.start()
            try await gateway.waitUntilInSync()
            try await gateway.client.execute("CREATE DATABASE t")
            try #require(try await gateway.client.write("m v=1 1", db: "t").status == 204)
            let journal = try await WriteLoad.during(gateway.client, .init(db: "t")) { load in
                try await load.more(500)
            }
            #expect(journal.failures.isEmpty)
            try await gateway.waitUntilOutOfSync("full")
            let question = "SELECT count(v) FROM load"
            func read() async throws -> Reply { try await gateway.client.query(question, db: "t") }
            let whole = try await good.client.query(question, db: "t").text
            for _ in 0..<20 {
                let reply = try await read()
                #expect(reply.text == whole && reply.header("X-Sluice-Stale") == nil, "one node has all: \(reply)")
            }

            let lacking = ContinuousClock.now
            try await good.kill()
            try await gateway.waitUntilOutOfSync("good")
            await moment(.seconds(2))
            let reply = try await read()
            if staleReads == "allow" {
                let age = try #require(reply.header("X-Sluice-Stale"), "\(reply)\n\(gateway.log)")
                let seconds = try #require(Int(age.dropLast()), "\(age)")
                #expect(age.hasSuffix("s") && seconds >= Int((ContinuousClock.now - lacking).seconds), "\(age)")
                #expect(reply.status == 200 && reply.text != whole)
                #expect(try await gateway.metrics()["sluice_reads_stale_total"] == 1)
                // A request that also changes something is refused: nobody could carry that out.
                let mixed = try await gateway.client.query("\(question); DROP MEASUREMENT m", db: "t", method: .post)
                #expect(mixed.status >= 500 || mixed.error != nil, "\(mixed)")
                #expect(mixed.header("X-Sluice-Stale") != nil, "its read was answered: \(mixed)")
            } else {
                #expect(reply.status == 503 && reply.header("Retry-After") != nil, "\(reply)")
            }

            try await good.start()
            try await gateway.waitUntilInSync(["good"])
            let again = try await read()
            #expect(again.text == whole && again.header("X-Sluice-Stale") == nil, "\(again)")
        }
    }
}
