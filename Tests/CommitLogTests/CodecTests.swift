// Bodies of records: what goes in comes out, and garbage is an error, never a trap.

import CommitLog
import Foundation
import Testing

@Suite struct CodecTests {
    private func encode(_ body: some RecordBody) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: body.encodedSize)
        bytes.withUnsafeMutableBytes { body.encode(into: $0) }
        return bytes
    }

    private static let mutations = [
        MutationRecord(statement: "DROP MEASUREMENT \"ü\"", database: "db", scope: .database("db"), redactedStatement: "DROP"),
        MutationRecord(
            statement: "CREATE USER a WITH PASSWORD 'x'", database: "", retentionPolicy: "rp", parameters: "{\"a\":1}",
            scope: .schema, user: "root", redactedStatement: "CREATE USER a WITH PASSWORD [REDACTED]"),
        MutationRecord(statement: "CREATE DATABASE x", scope: .databaseAndSchema("x"), redactedStatement: ""),
        MutationRecord(statement: "", scope: .everything, redactedStatement: ""),
    ]

    private static let refusal = RefusalRecord(
        target: Offset(.max), node: "a", database: "db", reason: "field type conflict",
        lines: [.init(number: 0, text: "cpu v=1"), .init(number: 7, text: "")], totalRefused: 12)

    @Test(arguments: mutations) func `a mutation comes back as it was`(_ record: MutationRecord) throws {
        #expect(try encode(record).withUnsafeBytes { try MutationRecord(decoding: $0) } == record)
    }

    @Test func `a refusal comes back as it was`() throws {
        #expect(try encode(Self.refusal).withUnsafeBytes { try RefusalRecord(decoding: $0) } == Self.refusal)
    }

    @Test func `points are written in place behind their head and read without a copy`() throws {
        let head = PointsRecord.Head(
            database: "telegraf", retentionPolicy: "", precision: 3, user: "u", lineCount: 2)
        let payload = Array("cpu v=1 1\ncpu v=2 2\n".utf8)
        var body = [UInt8](repeating: 0, count: head.encodedSize + payload.count)
        body.withUnsafeMutableBytes { head.encode(into: $0).copyBytes(from: payload) }
        let record = try body.withUnsafeBytes { try PointsRecord(decoding: $0) }
        #expect(record.head == head)
        #expect(Array(body[record.payload]) == payload)
    }

    @Test func `records travel through the log`() throws {
        let disk = SimulatedFileSystem(seed: 1)
        let log = try open(disk).log
        let appender = log.makeAppender { _ in }
        let head = PointsRecord.Head(database: "db", precision: 0, lineCount: 1)
        try appender.append(points: head, payloadBytes: 8, replicaSet: 3) { $0.copyBytes(from: Array("cpu v=1\n".utf8)) }
        try appender.append(Self.mutations[0], replicaSet: 0)
        try appender.append(Self.refusal, replicaSet: 1)
        log.writePending()
        let read = try records(readAll(log, from: .zero))
        #expect(read.map(\.view.kind) == [.points, .mutation, .refusal])
        #expect(try read[0].body.withUnsafeBytes { try PointsRecord(decoding: $0) }.head == head)
        #expect(try read[1].body.withUnsafeBytes { try MutationRecord(decoding: $0) } == Self.mutations[0])
        #expect(try read[2].body.withUnsafeBytes { try RefusalRecord(decoding: $0) } == Self.refusal)
    }

    @Test func `every cut and many garbled bodies are refused without a trap`() {
        let head = PointsRecord.Head(database: "db", retentionPolicy: "rp", precision: 0, lineCount: 1)
        var points = [UInt8](repeating: 0, count: head.encodedSize)
        points.withUnsafeMutableBytes { _ = head.encode(into: $0) }
        var random = SplitMix(seed: 9)
        func decode(_ bytes: [UInt8]) -> Int {
            bytes.withUnsafeBytes { bytes in
                ((try? PointsRecord(decoding: bytes)) == nil ? 1 : 0)
                    + ((try? MutationRecord(decoding: bytes)) == nil ? 1 : 0)
                    + ((try? RefusalRecord(decoding: bytes)) == nil ? 1 : 0)
            }
        }
        for body in [points, encode(Self.mutations[1]), encode(Self.refusal)] {
            for count in 0..<body.count { #expect(decode(Array(body[..<count])) == 3) }
            for _ in 0..<20_000 {
                var garbled = body
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    garbled[Int.random(in: 0..<garbled.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                _ = decode(garbled)
            }
        }
        for _ in 0..<20_000 {
            let noise = (0..<Int.random(in: 0...200, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = decode(noise)
        }
    }
}
