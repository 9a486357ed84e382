import Cluster
import Foundation
import Replication
import TestSupport
import Testing

@Suite("S10 What is under way in a real influxd", .serialized, .timeLimit(.minutes(3)))
struct InterviewFenceTests {
    @Test("S10 a big write shows while it is under way, and is gone when it has been answered", arguments: indexes)
    func bigWrite(index: String) async throws {
        let node = try await started("a", index: index)
        for database in ["d", "quiet"] { try await node.client.execute("CREATE DATABASE \(database)") }
        try #require(try await node.client.write("m v=1 1", db: "quiet").status == 204)
        let interviewer = try await Interviewer(node.url)
        #expect(try await interviewer.sample(nil).unfinishedWrites == 0)
        let body = (0..<150_000).map { "m,h=h\($0) v=1 \($0)" }.joined(separator: "\n")
        async let written = node.client.write(body, db: "d")
        try await eventually("the write is seen in its shard") {
            let sample = try await interviewer.sample("d")
            return sample.unfinishedWrites == 1 && sample.activeWrites == 1
        }
        #expect(try await interviewer.sample("quiet").unfinishedWrites == 0)
        #expect(try await written.status == 204)
        let after = try await interviewer.sample(nil)
        #expect(after.unfinishedWrites == 0 && after.activeWrites == 0 && after.runningStatements == [])
    }

    @Test("S10 a statement that runs shows with its text, and whether it changes anything is known")
    func statements() async throws {
        let node = try await started("a")
        try await node.client.execute("CREATE DATABASE d")
        let body = (0..<20_000).map { "m,h=h\($0) v=1 \($0)" }.joined(separator: "\n")
        try #require(try await node.client.write(body, db: "d").status == 204)
        let interviewer = try await Interviewer(node.url)
        async let copied = node.client.query(
            "SELECT * INTO copy FROM m GROUP BY *", db: "d", method: .post)
        try await eventually("the statement is seen", every: .milliseconds(1)) {
            try await interviewer.sample("d").runningMutations.contains { $0.contains("INTO") }
        }
        #expect(try await copied.status == 200)
        #expect(try await interviewer.sample("d").runningStatements == [])
    }

    @Test("writes that InfluxDB forgets to count as ended do not count as under way", arguments: indexes)
    func forgotten(index: String) async throws {
        let node = try await started("a", index: index)
        try await node.client.execute("CREATE DATABASE d")
        // Concurrent writes that create one field with different types.
        for _ in 0..<200 {
            let field = "f\(UInt32.random(in: .min ... .max))"
            try await withThrowingTaskGroup(of: Void.self) { group in
                for value in ["1", "1i", "true", "\"s\""] {
                    group.addTask { _ = try await node.client.write("m \(field)=\(value) 5", db: "d") }
                }
                try await group.waitForAll()
            }
            if try await Self.difference(node) > 0 { break }
        }
        try #require(try await Self.difference(node) > 0, "the server counted well this time")
        let interviewer = try await Interviewer(node.url)
        let sample = try await interviewer.sample("d")
        #expect(sample.unfinishedWrites == 0)
        // What is really under way still shows.
        let body = (0..<100_000).map { "m,h=h\($0) v=1 \($0)" }.joined(separator: "\n")
        async let written = node.client.write(body, db: "d")
        try await eventually("the write is seen") { try await interviewer.sample("d").unfinishedWrites == 1 }
        #expect(try await written.status == 204)
        #expect(try await interviewer.sample("d").unfinishedWrites == 0)
    }

    @Test("where /debug is closed the same is read from statements; where nothing is shown, nothing is claimed")
    func closed() async throws {
        let node = try await started("a")
        try await node.client.execute("CREATE DATABASE d")
        try #require(try await node.client.write("m v=1 1", db: "d").status == 204)
        let direct = try await Interviewer(node.url)
        let door = try await ClosedDoor.start(before: node.port, closed: ["/debug/"])
        let behind = try await Interviewer(door.url)
        let sample = try await behind.sample("d")
        #expect(sample.process == (try await direct.sample("d").process))
        #expect(sample.process.pid != nil)
        #expect(sample.unfinishedWrites == 0)
        try await door.close()

        let all = try await ClosedDoor.start(before: node.port, closed: ["/debug/", "/query"])
        let outside = try await Interviewer(all.url)
        guard case .unavailable(let reason) = try await outside.ask({ $0.fence(database: "d") }) else {
            throw TestFailure("a sample through a closed door")
        }
        #expect(reason.contains("403"), "\(reason)")
        try await all.close()
    }

    /// The difference as the server itself shows it.
    private static func difference(_ node: InfluxNode) async throws -> Int {
        let begun = try await node.counter("shard", "writeReq")
        return begun - (try await node.counter("shard", "writeReqOk")) - (try await node.counter("shard", "writeReqErr"))
    }
}
