// The counters by which a lane settles, as nodes show them: also such as no InfluxDB would show.

import Replication
import Testing

@Suite("Counters of writes")
struct WriteCountersTests {
    private func counters(_ shards: [(Int64, Int64, Int64)], active: [Int64] = [0]) throws -> WriteCounters {
        let shards = shards.enumerated().map { number, shard in
            """
            "shard:\(number)":{"name":"shard","tags":{"database":"d","path":"/\(number)"},"values":\
            {"writeReq":\(shard.0),"writeReqOk":\(shard.1),"writeReqErr":\(shard.2)}}
            """
        }
        let servers = active.enumerated().map { number, active in
            "\"httpd:\(number)\":{\"name\":\"httpd\",\"values\":{\"writeReqActive\":\(active)}}"
        }
        let members = ["\"system\":{\"started\":\"now\"}"] + shards + servers
        let text = "{" + members.joined(separator: ",") + "}"
        return try WriteCounters(variables: JSONValue(parsing: Array(text.utf8)), database: "d")
    }

    @Test("what was begun and has not ended is under way; what was forgotten is taken off")
    func unfinished() throws {
        let counters = try counters([(10, 7, 1), (5, 5, 0), (1, 2, 3)])
        var forgotten = ForgottenWrites()
        forgotten.belong(to: counters.process)
        #expect(forgotten.unfinished(in: counters) == 2)
        forgotten.remember(counters)
        #expect(forgotten.unfinished(in: counters) == 0)
    }

    @Test("counters as large as they can be are large numbers, not a trap")
    func large() throws {
        let counters = try counters([(.max, 0, 0), (.max, 1, 1), (0, .max, .max)], active: [.max, .max])
        var forgotten = ForgottenWrites()
        forgotten.belong(to: counters.process)
        #expect(forgotten.unfinished(in: counters) == .max)
    }

    @Test(
        "a counter below zero is no counter",
        arguments: [(-1, 0, 0), (0, -1, 0), (0, 0, .min)] as [(Int64, Int64, Int64)])
    func negative(_ shard: (Int64, Int64, Int64)) {
        #expect(throws: InterviewFailure.self) { try counters([shard]) }
    }
}
