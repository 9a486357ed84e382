// The pure parts: checksums, the writer's decisions, names and identities.

import CPlatform
import CommitLog
import Foundation
import SimulatedDisk
import Testing

@Suite struct StateTests {
    @Test func `CRC32C is right on known vectors`() {
        for (text, checksum): (String, UInt32) in [
            ("", 0), ("a", 0xc1d0_4330), ("123456789", 0xe306_9283),
            ("The quick brown fox jumps over the lazy dog", 0x2262_0404),
        ] {
            Array(text.utf8).withUnsafeBytes { bytes in
                #expect(cplatform_crc32c(0, bytes.baseAddress, bytes.count) == checksum)
                #expect(cplatform_crc32c_portable(0, bytes.baseAddress, bytes.count) == checksum)
            }
        }
    }

    @Test func `CRC32C by instructions and by tables agree for all lengths, alignments and cuts`() {
        var random = SplitMix(seed: 4)
        let bytes = (0..<600).map { _ in UInt8.random(in: 0...255, using: &random) }
        bytes.withUnsafeBytes { bytes in
            for _ in 0..<3000 {
                let start = Int.random(in: 0..<300, using: &random)
                let count = Int.random(in: 0..<300, using: &random)
                let cut = Int.random(in: 0...count, using: &random)
                let base = bytes.baseAddress! + start
                let whole = cplatform_crc32c(7, base, count)
                #expect(whole == cplatform_crc32c_portable(7, base, count))
                #expect(whole == cplatform_crc32c(cplatform_crc32c(7, base, cut), base + cut, count - cut))
            }
        }
    }

    private static let noSpace = FileError(errno: ENOSPC, operation: .write, path: "x")
    private static let quota = FileError(errno: EDQUOT, operation: .write, path: "x")
    private static let broken = FileError(errno: EIO, operation: .write, path: "x")

    @Test(
        "a full disk is forgiven where nothing can be half durable; anything else stops the writer",
        arguments: [
            (noSpace, .makeSegment, .refuse), (noSpace, .writeActive, .cutBack), (quota, .writeActive, .cutBack),
            (noSpace, .writeNew, .dropNewSegment), (noSpace, .renameSegment, .dropNewSegment),
            (noSpace, .sync, .poison), (noSpace, .syncFolder, .poison), (noSpace, .cutBack, .poison),
            (broken, .makeSegment, .poison), (broken, .writeActive, .poison), (broken, .writeNew, .poison),
            (broken, .sync, .poison), (broken, .renameSegment, .poison), (broken, .syncFolder, .poison),
        ] as [(FileError, WriterState.Step, WriterState.Reaction)])
    func failures(error: FileError, step: WriterState.Step, reaction: WriterState.Reaction) {
        var state = WriterState(epoch: 1, end: .zero, position: 64, capacity: 1000)
        #expect(state.failed(error, at: step) == reaction)
        #expect(state.poison == (reaction == .poison ? error : nil))
    }

    @Test func `a group's number is never used twice, also when the group failed`() {
        var state = WriterState(epoch: 3, end: Offset(5), position: 64, capacity: 1000)
        #expect(state.room == 1000 - 64 - 64)
        let first = state.beginGroup(records: 2, bytes: 80, time: 0)
        _ = state.failed(Self.noSpace, at: .writeActive)
        state.wasCutBack()
        #expect(state.room == 0)
        let second = state.beginGroup(records: 1, bytes: 40, time: 0)
        #expect((first.durableEnd, second.durableEnd) == (Offset(5), Offset(5)))
        #expect(first.number < second.number)
        state.groupIsDurable(records: 1, bytes: 40, inNewSegmentOf: 4096)
        #expect(state.end == Offset(6))
        #expect(state.position == 64 + 64 + 40)
        #expect(state.room == 4096 - 168 - 64)
    }

    @Test func `a new segment is large enough for the entry that needs it`() {
        let state = WriterState(epoch: 1, end: .zero, position: 64, capacity: 64)
        #expect(state.newSegmentBytes(entryBytes: 100, segmentBytes: 4096) == 4096)
        let large = state.newSegmentBytes(entryBytes: 100_000, segmentBytes: 4096)
        #expect(WriterState.room(inNewSegmentOf: large) == 100_000)
    }

    @Test func `marks and headers are only valid in their own log, segment and group`() {
        let identity = LogIdentity.random()
        let context = SegmentContext(identity: identity, base: Offset(7))
        let mark = GroupMark(epoch: 1, number: 2, durableEnd: Offset(9), recordCount: 1, bytes: 104, time: 5)
        var bytes = [UInt8](repeating: 0, count: 64)
        let seed = bytes.withUnsafeMutableBytes { mark.encode(into: $0, context: context) }
        bytes.withUnsafeBytes { bytes in
            #expect(GroupMark.decode(bytes, context: context)?.mark == mark)
            #expect(GroupMark.decode(bytes, context: SegmentContext(identity: identity, base: Offset(8))) == nil)
            #expect(GroupMark.decode(bytes, context: SegmentContext(identity: .random(), base: Offset(7))) == nil)
        }
        var record = [UInt8](repeating: 0, count: 32)
        record.withUnsafeMutableBytes { bytes in
            RecordHeader.stage(
                into: bytes, bodyBytes: 0, time: 1, replicaSet: 2, kind: .points, endsEntry: true, bodyChecksum: 0)
            RecordHeader.finish(bytes, at: 0, offset: Offset(9), seed: seed)
        }
        record.withUnsafeBytes { bytes in
            #expect(RecordHeader(decoding: bytes, offset: Offset(9), seed: seed)?.replicaSet == 2)
            #expect(RecordHeader(decoding: bytes, offset: Offset(9), seed: seed &+ 1) == nil)
            #expect(RecordHeader(decoding: bytes, offset: Offset(10), seed: seed) == nil)
        }
    }

    @Test func `names of segments sort as their offsets do and are read back`() {
        for base in [0, 1, 42, UInt64.max] {
            #expect(FileName.base(ofSegment: FileName.segment(Offset(base))) == Offset(base))
        }
        for name in ["segment", "00000000000000000000.segmen", "0.segment", "spare-1", "+0000000000000000001.segment"] {
            #expect(FileName.base(ofSegment: name) == nil)
        }
    }

    @Test func `a ledger comes back as it was, and any flipped bit is noticed`() throws {
        let ledger = Ledger(
            identity: .random(), epoch: 9, start: Offset(3), durableEnd: Offset(77), closedCleanly: true,
            cursors: ["a": Offset(5), "ü": Offset(77), "": .zero], notes: ["x": [1, 2, 0, 255], "": []])
        let bytes = ledger.encoded()
        #expect(try bytes.withUnsafeBytes { try Ledger(decoding: $0) } == ledger)
        for place in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[place] ^= UInt8(1 << bit)
                #expect(throws: Ledger.Problem.damaged) { try flipped.withUnsafeBytes { try Ledger(decoding: $0) } }
            }
        }
        for count in bytes.indices {
            #expect(throws: Ledger.Problem.damaged) { try bytes[..<count].withUnsafeBytes { try Ledger(decoding: $0) } }
        }
    }
}
