// Bodies of records: what goes in comes out, and garbage is an error, never a trap.

import CommitLog
import Foundation
import SimulatedDisk
import Testing

@Suite struct CodecTests {
    private func encode(_ body: some RecordBody) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xAA, count: body.encodedSize)
        bytes.withUnsafeMutableBytes { body.encode(into: $0) }
        return bytes
    }

    private static let mutations = [
        MutationRecord(
            statement: "DROP MEASUREMENT \"ü\"", database: "db", scope: .database("db"), redactedStatement: "DROP"),
        MutationRecord(
            statement: "CREATE USER a WITH PASSWORD 'x'", database: "", retentionPolicy: "rp", parameters: "{\"a\":1}",
            scope: .schema, user: "root", redactedStatement: "CREATE USER a WITH PASSWORD [REDACTED]"),
        MutationRecord(statement: "CREATE DATABASE x", scope: .databaseAndSchema("x"), redactedStatement: ""),
        MutationRecord(statement: "", scope: .everything, redactedStatement: ""),
        MutationRecord(statement: "00ff", scope: .schema, redactedStatement: "CREATE USER x", isSealed: true),
    ]

    private static let refusal = RefusalRecord(
        target: Offset(.max), node: "a", refusedBy: ["a", "b"], database: "db", retentionPolicy: "weekly", precision: 3,
        reason: "field type conflict", ranges: [0..<1, 7..<18],
        lines: [.init(number: 0, text: "cpu v=1"), .init(number: 7, text: "")],
        totalRefused: 12)

    @Test(arguments: mutations) func `a mutation comes back as it was`(_ record: MutationRecord) throws {
        #expect(try encode(record).withUnsafeBytes { try MutationRecord(decoding: $0) } == record)
    }

    @Test func `a refusal comes back as it was`() throws {
        #expect(try encode(Self.refusal).withUnsafeBytes { try RefusalRecord(decoding: $0) } == Self.refusal)
    }

    @Test func `a refusal of version 1 has no retention policy and no precision`() throws {
        var record = Self.refusal
        record.retentionPolicy = ""
        record.precision = nil
        record.refusedBy = ["a"]
        record.ranges = []
        // Version, target, count of lines and all, then node, database and reason, then the lines.
        var old: [UInt8] = [1]
        func integer(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { old += $0 } }
        func text(_ text: String) {
            integer(UInt32(text.utf8.count))
            old += text.utf8
        }
        integer(record.target.rawValue)
        integer(record.totalRefused)
        integer(UInt32(record.lines.count))
        for part in [record.node, record.database, record.reason] { text(part) }
        for line in record.lines {
            integer(line.number)
            text(line.text)
        }
        #expect(try old.withUnsafeBytes { try RefusalRecord(decoding: $0) } == record)
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
        let payload = Array("cpu v=1\n".utf8)
        try appender.append(points: head, payloadBytes: payload.count, replicaSet: 3) { $0.copyBytes(from: payload) }
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
        // Each as every kind; the answer is for the kind that it is.
        func isReadable(_ bytes: [UInt8], as kind: RecordKind) -> Bool {
            bytes.withUnsafeBytes { bytes in
                let readable: [RecordKind: Bool] = [
                    .points: (try? PointsRecord(decoding: bytes)) != nil,
                    .mutation: (try? MutationRecord(decoding: bytes)) != nil,
                    .refusal: (try? RefusalRecord(decoding: bytes)) != nil,
                ]
                return readable[kind] ?? false
            }
        }
        let bodies: [(RecordKind, [UInt8])] = [
            (.points, points), (.mutation, encode(Self.mutations[1])), (.refusal, encode(Self.refusal)),
        ]
        for (kind, body) in bodies {
            #expect(isReadable(body, as: kind))
            for count in 0..<body.count { #expect(!isReadable(Array(body[..<count]), as: kind)) }
            for _ in 0..<5000 {
                var garbled = body
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    garbled[random.pick(Array(garbled.indices))] = UInt8.random(in: 0...255, using: &random)
                }
                _ = isReadable(garbled, as: kind)
            }
        }
        for _ in 0..<5000 {
            let count = Int.random(in: 0...200, using: &random)
            let noise = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = isReadable(noise, as: .points)
        }
    }
}
