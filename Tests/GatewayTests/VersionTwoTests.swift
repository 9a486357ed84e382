// What requests of version 2 of the API become in InfluxQL.

import Gateway
import Querying
import Testing

struct VersionTwoTests {
    @Test(
        "A delete becomes one statement, with the start and without the stop",
        arguments: [
            (
                #"{"start":"1970-01-01T00:00:00Z","stop":"1970-01-01T00:00:01.5Z"}"#,
                "DELETE WHERE time >= 0 AND time < 1500000000"
            ),
            (
                #"{"start":"1970-01-01T01:00:00+01:00","stop":"1970-01-01T00:00:01Z","predicate":"_measurement=\"m x\" AND a='b' and \"c\"=\"it's\""}"#,
                #"DELETE FROM "m x" WHERE "a" = 'b' AND "c" = 'it\'s' AND time >= 0 AND time < 1000000000"#
            ),
        ])
    func deletes(body: String, statement: String) throws {
        #expect(try DeleteRequest(Array(body.utf8)).statement == statement)
    }

    @Test(
        "A delete with anything but equalities is refused",
        arguments: [
            "a != 'b'", "a = 'b' OR c = 'd'", "a =~ /x/", "a > 1", "time > 1", "a = 1", "a", "a = 'b' GROUP BY c",
            "a = 'b'; DROP DATABASE x", "a = 'b' LIMIT 1", "_measurement = 'a' AND _measurement = 'b'", "a = 'b", "(",
            ";",
            "a = 'b' -- x", "a = (SELECT v FROM m)", "a = 'b' tz('x')",
        ])
    func refusedPredicates(predicate: String) {
        let text = String(decoding: JSONText.quoted(predicate), as: UTF8.self)
        let body = #"{"start":"1970-01-01T00:00:00Z","stop":"1970-01-01T00:00:01Z","predicate":\#(text)}"#
        let statement = try? DeleteRequest(Array(body.utf8)).statement
        #expect(statement == nil || statement?.hasPrefix(#"DELETE WHERE "a" = 'b' AND time"#) == true)
    }

    @Test(
        "A delete without its times is refused",
        arguments: [
            "", "{}", "[]", #"{"start":"1970-01-01T00:00:00Z"}"#,
            #"{"start":"yesterday","stop":"1970-01-01T00:00:00Z"}"#,
            #"{"start":"1970-01-01","stop":"1970-01-01T00:00:00Z"}"#, #"{"start":0,"stop":1}"#,
        ])
    func refusedTimes(body: String) {
        #expect(throws: DeleteRequest.Problem.self) { try DeleteRequest(Array(body.utf8)) }
    }

    @Test("A bucket is created as a retention policy, together with its database if need be")
    func buckets() throws {
        let wish = try BucketWish(
            Array(#"{"name":"d/r","retentionRules":[{"type":"expire","everySeconds":3600}]}"#.utf8))
        let name = try BucketName("d/r")
        #expect(
            wish.creation(of: name, databaseExists: true)
                == #"CREATE RETENTION POLICY "r" ON "d" DURATION 3600s REPLICATION 1"#)
        #expect(
            wish.creation(of: name, databaseExists: false)
                == #"CREATE DATABASE "d" WITH DURATION 3600s REPLICATION 1 NAME "r""#)
        #expect(wish.change(of: name) == #"ALTER RETENTION POLICY "r" ON "d" DURATION 3600s"#)
        let forEver = try BucketWish(
            Array(#"{"retentionRules":[{"everySeconds":0,"shardGroupDurationSeconds":60}]}"#.utf8))
        #expect(forEver.change(of: name) == #"ALTER RETENTION POLICY "r" ON "d" DURATION INF SHARD DURATION 60s"#)
        #expect(try BucketWish(Array("{}".utf8)).change(of: name) == nil)
        for bad in [
            "", "[]", #"{"retentionRules":[{"everySeconds":-1}]}"#, #"{"retentionRules":[{"everySeconds":"x"}]}"#,
        ] {
            #expect(throws: BucketWish.Problem.self) { try BucketWish(Array(bad.utf8)) }
        }
    }
}
