// Nodes die, hang and come back under load: clients hardly notice, and afterwards all nodes hold the same.

import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct NodeFailures {
        static let rounds = isLong ? 10 : 2
        static let outage: Duration = isLong ? .seconds(30) : .seconds(5)

        @Test("A1 S1 S2 L2 kill -9 of a node under load, held down, several times", arguments: [1, 2])
        func killed(threads: Int) async throws {
            try await TestCluster.run(.init(["threads": "\(threads)"])) { cluster in
                let prober = ReadYourWrites(cluster, db: "t", probers: 2)
                var settings = WriteLoad.Settings(db: "t")
                settings.writers = 6
                // Minutes of points at full speed would take longer to compare than to write.
                if isLong { settings.pause = .milliseconds(20) }
                let journal = try await WriteLoad.during(cluster.client, settings) { load in
                    try await prober.during {
                        for _ in 0..<Self.rounds {
                            try await load.more(200)
                            try await cluster.b.kill()
                            try await load.run(for: Self.outage)
                            try cluster.b.launch()
                            try await requireNoReadsWhileCatchingUp(cluster.b, of: cluster)
                            try await cluster.gateway.waitUntilInSync()
                            try await load.more(200)
                        }
                    }
                }
                #expect(journal.failures.isEmpty, "clients saw errors: \(journal.failures.prefix(5))")
                #expect(journal.slowest < syncTimeout + slack, "a write took \(journal.slowest)")
                #expect(prober.probes > 50 * Self.rounds)
                try await cluster.gateway.waitUntilDrained()
                for node in cluster.nodes { try await journal.requireAllStored(on: node) }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        /// While status does not call the node in-sync, nothing but the gateway's own few questions reaches it.
        private func requireNoReadsWhileCatchingUp(_ node: InfluxNode, of cluster: TestCluster) async throws {
            try await node.waitUntilUp()
            var asked = 0
            try await eventually("\(node.name) is in-sync again", within: .seconds(60), every: .milliseconds(5)) {
                // The order matters: what was counted before the state was read was asked before it, too.
                let count = try await node.counter("httpd", "queryReq")
                if try await cluster.gateway.status().node(node.name).isInSync { return true }
                asked = count
                return false
            }
            #expect(asked < 25, "\(node.name) answered \(asked) queries while it was catching up")
        }

        @Test("A1 A12 a hung node delays writes once, up to sync_timeout, then nobody; reads move to the other node")
        func hung() async throws {
            try await TestCluster.run(.init(["sync_refill": "5s"])) { cluster in
                let prober = ReadYourWrites(cluster, db: "t", probers: 1)
                let journal = try await WriteLoad.during(cluster.client, .init(db: "t")) { load in
                    try await prober.during {
                        try await load.more(200)
                        let hungAt = load.elapsed
                        cluster.b.hang()
                        try await cluster.gateway.waitUntilOutOfSync("b")
                        let outAt = load.elapsed
                        #expect(outAt - hungAt < syncTimeout + slack, "it took \(outAt - hungAt) to go on without b")
                        let before = load.acknowledged
                        try await load.more(300)
                        #expect(load.elapsed - outAt < .seconds(10), "300 writes without b after \(before)")
                        cluster.b.wakeUp()
                        try await cluster.gateway.waitUntilInSync()
                        try await load.more(200)
                    }
                }
                #expect(journal.failures.isEmpty, "clients saw errors: \(journal.failures.prefix(5))")
                #expect(journal.slowest < syncTimeout + slack, "a write took \(journal.slowest)")
                #expect(
                    journal.slow.count <= journal.settings.writers, "only the writes under way wait: \(journal.slow)")
                try await cluster.gateway.waitUntilDrained()
                for node in cluster.nodes { try await journal.requireAllStored(on: node) }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("S1 a write acknowledged at insync is found at once, while nodes leave and enter", arguments: [1, 2])
        func readYourWrites(threads: Int) async throws {
            let settings = GatewayProcess.Settings(["threads": "\(threads)", "ping_interval": "200ms"])
            try await TestCluster.run(settings, nodes: ["a", "b", "c"]) { cluster in
                let prober = ReadYourWrites(cluster, db: "t", probers: 3)
                try await prober.during {
                    for round in 0..<(isLong ? 12 : 3) {
                        let node = cluster.nodes[1 + round % 2]
                        try await node.kill()
                        try await prober.more(30)
                        try await node.start()
                        try await prober.more(60)
                        node.hang()
                        try await cluster.gateway.waitUntilOutOfSync(node.name)
                        try await prober.more(30)
                        node.wakeUp()
                        try await cluster.gateway.waitUntilInSync()
                        try await prober.more(30)
                    }
                }
                #expect(prober.directReads > prober.probes, "in-sync nodes were read directly, too")
                try await cluster.gateway.waitUntilDrained()
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("S7 L12 both nodes down: writes go on being acknowledged and arrive later, in order")
        func bothDown() async throws {
            try await TestCluster.run { cluster in
                var settings = WriteLoad.Settings(db: "t")
                settings.writers = 2
                let journal = try await WriteLoad.during(cluster.client, settings) { load in
                    try await load.more(100)
                    for node in cluster.nodes { try await node.kill() }
                    try await cluster.gateway.waitUntilOutOfSync("a")
                    try await cluster.gateway.waitUntilOutOfSync("b")
                    try await load.more(300)
                    // The same points again and again: the last value has to win on every node.
                    for value in 0..<50 {
                        let lines = (0..<20).map { "over,k=\($0 % 4) v=\(value) \($0)" }.joined(separator: "\n")
                        let (reply, took) = try await timed { try await cluster.client.write(lines, db: "t") }
                        try #require(reply.status == 204, "\(reply)")
                        try #require(took < .seconds(1), "with no node to wait for, a write took \(took)")
                    }
                }
                #expect(journal.failures.isEmpty, "clients saw errors: \(journal.failures.prefix(5))")
                #expect(journal.slowest < .seconds(4) + slack)
                let read = try await cluster.client.query("SELECT * FROM over", db: "t")
                #expect(read.status == 503, "no node can answer: \(read)")
                #expect(read.header("Retry-After") != nil)
                try await cluster.heal()
                for node in cluster.nodes {
                    try await journal.requireAllStored(on: node)
                    let rows = try await node.client.rows("SELECT v FROM over", db: "t")
                    #expect(rows.count == 20 && rows.allSatisfy { $0[1] == "49" }, "\(node.name): \(rows)")
                }
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("A10 with no_insync: refuse and both nodes down, writes get 503 before anything is logged")
        func strict() async throws {
            try await TestCluster.run(.init(["no_insync": "refuse"])) { cluster in
                try #require(try await cluster.client.write("m v=1 1", db: "t").status == 204)
                for node in cluster.nodes { try await node.kill() }
                try await cluster.gateway.waitUntilOutOfSync("a")
                try await cluster.gateway.waitUntilOutOfSync("b")
                let end = try await cluster.gateway.status().log.durableEnd
                for number in 2...20 {
                    let reply = try await cluster.client.write("m v=1 \(number)", db: "t")
                    #expect(reply.status == 503)
                    #expect(reply.header("Retry-After") != nil)
                    #expect(reply.error != nil)
                }
                #expect(try await cluster.gateway.status().log.durableEnd == end)
                let ready = try await cluster.gateway.admin.send(.get, "/ready")
                #expect(ready.status == 503, "a load balancer has to know: \(ready)")
                try await cluster.heal()
                #expect(try await cluster.client.write("m v=1 21", db: "t").status == 204)
                #expect(try await cluster.sameAnswer("SELECT count(v) FROM m").contains(",2]"))
            }
        }

        @Test("A10 a level that cannot be reached now is refused with 503 before logging; lower ones go on")
        func levels() async throws {
            try await TestCluster.run { cluster in
                for level in ["any", "one", "quorum", "all"] {
                    let reply = try await cluster.client.write("m,l=\(level) v=1 1", db: "t", ["consistency": level])
                    #expect(reply.status == 204, "\(level): \(reply)")
                    _ = try await cluster.sameAnswer("SELECT * FROM m")
                }
                try await cluster.b.kill()
                try await cluster.gateway.waitUntilOutOfSync("b")
                try await eventually("b is known to be down") {
                    try await cluster.gateway.status().node("b").health == "down"
                }
                let end = try await cluster.gateway.status().log.durableEnd
                for level in ["quorum", "all"] {
                    let reply = try await cluster.client.write("m v=1 2", db: "t", ["consistency": level])
                    #expect(reply.status == 503, "\(level): \(reply)")
                    #expect(reply.header("Retry-After") != nil)
                }
                #expect(try await cluster.gateway.status().log.durableEnd == end)
                for level in ["any", "one"] {
                    let reply = try await cluster.client.write("m,l=\(level) v=1 3", db: "t", ["consistency": level])
                    #expect(reply.status == 204, "\(level): \(reply)")
                }
                #expect(try await cluster.gateway.status().log.durableEnd == end + 2)
                try await cluster.heal()
                try await requireSameData(cluster.nodes, db: "t")
            }
        }

        @Test("A5 L1 a node that answers, but cannot store, gets everything later; the others do not wait for it")
        func nodeWithoutRoom() async throws {
            // A cache limit that a few writes exceed: InfluxDB then answers 500 until it is restarted with more.
            let full = try InfluxNode(
                "full",
                {
                    var settings = InfluxNode.Settings()
                    settings.extra = ["data": "cache-max-memory-size = 20000\ncache-snapshot-memory-size = 10000000"]
                    return settings
                }())
            try await full.start()
            let good = try await InfluxNode.started("good")
            let gateway = try GatewayProcess(nodes: [("good", good.url), ("full", full.url)])
            try await gateway.start()
            try await gateway.waitUntilInSync()
            try await gateway.client.execute("CREATE DATABASE t")
            let journal = try await WriteLoad.during(gateway.client, .init(db: "t")) { load in
                try await load.more(1000)
            }
            #expect(journal.failures.isEmpty, "clients saw errors: \(journal.failures.prefix(5))\n\(gateway.log)")
            let status = try await gateway.status()
            #expect(try !status.node("full").isInSync)
            #expect(try status.node("good").isInSync)
            #expect(status.deadLetters == 0, "a full cache is no fault of the data")
            try await journal.requireAllStored(on: good)
        }
    }
}
