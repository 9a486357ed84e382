// One node refuses what another took: the first accept wins, and the node that differs is not read for that measurement.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct Divergence {
        /// Which node answered a read, by what only that node holds.
        private func readers(_ question: String, _ cluster: TestCluster) async throws -> Set<String> {
            var answers: Set<String> = []
            for _ in 0..<20 { answers.insert(try await cluster.client.query(question, db: "t").text) }
            return answers
        }

        @Test("S9 what one node refuses and another takes counts; the other is not read for it, and says so")
        func typeOnOneNode() async throws {
            try await TestCluster.run { cluster in
                // Behind the gateway's back b learns another type, and each node gets a point of its own.
                try #require(try await cluster.b.client.write("m v=\"text\" 1", db: "t").status == 204)
                for node in cluster.nodes {
                    try #require(try await node.client.write("own,node=\(node.name) x=1 1", db: "t").status == 204)
                }
                let reply = try await cluster.client.write("m v=1 2\nother v=1 2", db: "t")
                #expect(reply.status == 204, "a took all of it: \(reply)")
                try await eventually("b is known to differ") {
                    try await cluster.gateway.status().node("b").diverged == ["t.m"]
                }
                #expect(try await cluster.b.client.count("v", of: "other", db: "t") == 1, "the rest is there")
                #expect(try await cluster.gateway.status().nodes.allSatisfy(\.isInSync))

                #expect(try await readers("SELECT v FROM m", cluster).count == 1, "only a is read for m")
                #expect(try await readers("SELECT v FROM m; SELECT x FROM own", cluster).count == 1)
                #expect(try await readers("SELECT v FROM /m/", cluster).count == 1, "nor by a pattern")
                #expect(try await readers("SELECT x, node FROM own", cluster).count == 2, "both are read for the rest")
                let letters = try await eventually("what b refused is a dead letter") {
                    let letters = try await cluster.gateway.deadLetters(db: "t").deadLetters
                    return letters.isEmpty ? nil : letters
                }
                #expect(letters.map(\.node) == ["b"] && letters.map(\.line) == ["m v=1 2"], "\(letters)")

                // It outlives the gateway, and ends with the measurement.
                try await cluster.gateway.kill()
                try await cluster.gateway.start()
                try await cluster.gateway.waitUntilInSync()
                #expect(try await cluster.gateway.status().node("b").diverged == ["t.m"])
                #expect(try await readers("SELECT v FROM m", cluster).count == 1)
                try await cluster.client.execute("DROP MEASUREMENT m", db: "t")
                try #require(try await cluster.client.write("m v=1 3", db: "t").status == 204)
                #expect(try await cluster.gateway.status().node("b").diverged == nil)
                for node in cluster.nodes { #expect(try await node.client.count("v", of: "m", db: "t") == 1) }
            }
        }

        @Test("D5 a schema change that fails on one node only is told to the client, with what each node said")
        func changeOnOneNode() async throws {
            try await TestCluster.run { cluster in
                // Behind the gateway's back b has the policy already, another one.
                try await cluster.b.client.execute("CREATE RETENTION POLICY r ON t DURATION 5h REPLICATION 1")
                let reply = try await cluster.client.query(
                    "CREATE RETENTION POLICY r ON t DURATION 2h REPLICATION 1; CREATE DATABASE later", method: .post)
                let error = try #require(reply.error, "\(reply)")
                #expect(error.contains("a: done") && error.contains("b: retention policy already exists"), "\(error)")
                #expect(reply.text.contains("not executed"), "the error ends the request: \(reply)")
                for node in cluster.nodes {
                    #expect(try await !node.client.names("SHOW DATABASES").contains("later"), "\(node.name)")
                }
            }
        }

        @Test("D5 a node that has lost a database that others have needs a copy; its data is not guessed")
        func lostSchema() async throws {
            try await TestCluster.run { cluster in
                try #require(try await cluster.client.write("m v=1 1", db: "t").status == 204)
                try await cluster.b.client.execute("DROP DATABASE t")
                #expect(try await cluster.client.write("m v=1 2", db: "t").status == 204)
                try await eventually("b needs a copy, and the words say what to do") {
                    let b = try await cluster.gateway.status().node("b")
                    return b.sync == "needs-copy" && b.reason?.contains("sluice nodes trust b") == true
                }
                for _ in 0..<10 {
                    #expect(try await cluster.client.count("v", of: "m", db: "t") == 2, "only a is read")
                }
            }
        }
    }
}
