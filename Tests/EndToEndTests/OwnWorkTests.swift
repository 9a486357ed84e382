// Continuous queries and subscriptions run inside the nodes: the operator is told what may have gone wrong there.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct OwnWork {
        @Test("what a node ran before Sluice is listed, and what it may have missed while it was away")
        func listed() async throws {
            try await TestCluster.run(
                db: nil,
                prepare: { node in
                    try await node.client.execute("CREATE DATABASE t")
                    try await node.client.execute(
                        "CREATE CONTINUOUS QUERY old ON t BEGIN SELECT mean(v) INTO avg FROM m GROUP BY time(1h) END")
                    try await node.client.execute(
                        "CREATE SUBSCRIPTION sub ON t.autogen DESTINATIONS ALL 'udp://127.0.0.1:9'")
                }
            ) { cluster in
                try await cluster.client.execute(
                    "CREATE CONTINUOUS QUERY new ON t BEGIN SELECT max(v) INTO top FROM m GROUP BY time(1h) END")
                let older = "runs by itself what was there before Sluice: t.old, subscription t.sub;"
                for name in ["a", "b"] {
                    let work = try await cluster.gateway.status().node(name).ownWork ?? []
                    #expect(work.count == 1 && work[0].hasPrefix(older), "\(work)")
                }
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                try await cluster.heal()
                try await cluster.gateway.waitUntilInSync()
                let work = try await cluster.gateway.status().node("b").ownWork ?? []
                #expect(work.count == 2 && work[1].contains("may have missed windows"), "\(work)")
                #expect(work.count == 2 && work[1].contains("(t.new, t.old)"), "\(work)")
                #expect(try await cluster.gateway.status().node("a").ownWork?.count == 1)

                try await cluster.gateway.kill()
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilInSync()
                let text = try await GatewayProcess.run(["status", "--admin", cluster.gateway.admin.base]).output
                #expect(text.contains("a: \(older)") && text.contains("b: \(older)"), "\(text)")
            }
        }
    }
}
