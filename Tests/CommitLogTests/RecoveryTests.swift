// What opening makes of a damaged disk: a torn tail is cut, rot is reported as exactly what is lost, nothing is skipped in
// silence and nothing old comes back.

import CommitLog
import Foundation
import SimulatedDisk
import TestThreads
import Testing

@Suite(.blocking) struct RecoveryTests {
    let disk = SimulatedFileSystem(seed: 1)

    /// A log with the entries "record 0"... in groups of `perGroup`, killed without a checkpoint of its end.
    private func write(
        _ count: Int, perGroup: Int = 1, segmentBytes: UInt64 = 65536, filler: Int = 20, closing: Bool = false
    ) throws {
        let log = try open(disk, .driven(segmentBytes: segmentBytes)).log
        let appender = log.makeAppender { _ in }
        let first = Int(log.durableEnd.rawValue)
        for number in first..<first + count {
            try appender.append(text: Self.text(number, filler))
            if (number + 1) % perGroup == 0 { log.writePending() }
        }
        log.writePending()
        if closing { log.close() } else { disk.killProcess() }
    }

    private static func text(_ number: Int, _ filler: Int = 20) -> String {
        "record \(number) " + String(repeating: "x", count: filler)
    }

    /// Where the record's text lies in the segment.
    private func find(_ number: Int, in name: String) -> Int? {
        guard let content = disk.content(name) else { return nil }
        let wanted = Array("record \(number) ".utf8)
        return content.indices.first { content[$0...].starts(with: wanted) }
    }

    private func flip(_ number: Int, delta: Int = 0) throws {
        let name = try #require(disk.segmentNames.last { find(number, in: $0) != nil })
        let place = try #require(find(number, in: name))
        disk.corrupt(name) { $0[place + delta] ^= 4 }
    }

    @Test("L6 a torn record at the end is cut with its whole entry, and the log goes on there")
    func tornTail() throws {
        try write(10, closing: true)
        do {
            let log = try open(disk, .driven(segmentBytes: 65536)).log
            let appender = log.makeAppender { _ in }
            try appender.append(text: Self.text(10))
            try appender.append(text: "record 11 first half", endsEntry: false)
            try appender.append(text: "record 12 second half")
            try appender.append(text: "record 13 follows")
            log.writePending()
            disk.killProcess()
        }
        try flip(12)
        let (log, report) = try open(disk, .driven(segmentBytes: 65536))
        #expect(report.durableEnd == Offset(11))
        #expect(report.tornRecords == 1)
        #expect(report.tornBytes > 0)
        #expect(report.damage.isEmpty)
        let appender = log.makeAppender { _ in }
        // The same sizes, so that an old "record 13" would lie exactly where the next record is expected.
        try appender.append(text: "record 11 other half", endsEntry: false)
        try appender.append(text: "record 12 second one!")
        log.writePending()
        disk.losePower(.everything)
        let again = try open(disk, .driven(segmentBytes: 65536)).log
        let read = try texts(readAll(again, from: .zero))
        #expect(read == (0...10).map { Self.text($0) } + ["record 11 other half", "record 12 second one!"])
    }

    @Test("L20 one rotten record costs that record and nothing around it", arguments: [true, false])
    func rotInBody(isClosed: Bool) throws {
        try write(100, closing: isClosed)
        try flip(40)
        let (log, report) = try open(disk, .driven(segmentBytes: 65536))
        #expect(report.damage.map(\.lost) == [Offset(40)..<Offset(41)])
        #expect(report.durableEnd == Offset(100))
        let pieces = try readAll(log, from: .zero)
        #expect(losses(pieces).map(\.lost) == [Offset(40)..<Offset(41)])
        #expect(texts(pieces) == (0..<100).filter { $0 != 40 }.map { Self.text($0) })
    }

    @Test("L20 a rotten header costs the rest of its group, and the log goes on at the next mark")
    func rotInHeader() throws {
        try write(100, perGroup: 10, closing: true)
        try flip(43, delta: -20)
        let (log, report) = try open(disk, .driven(segmentBytes: 65536))
        #expect(report.damage.map(\.lost) == [Offset(43)..<Offset(50)])
        let pieces = try readAll(log, from: .zero)
        #expect(losses(pieces).map(\.lost) == [Offset(43)..<Offset(50)])
        #expect(texts(pieces) == (0..<100).filter { !(43..<50).contains($0) }.map { Self.text($0) })
        // A reader in the middle of the damage is told the rest of it.
        #expect(try losses(readAll(log, from: Offset(45))).map(\.lost) == [Offset(45)..<Offset(50)])
        #expect(try texts(readAll(log, from: Offset(55))).first == Self.text(55))
    }

    @Test("L20 rot in an older segment is found by the reader, reported once, and the file is kept")
    func rotInOlderSegment() throws {
        try write(300, segmentBytes: 4096, closing: true)
        try flip(5)
        var configuration = CommitLog.Configuration.driven(segmentBytes: 4096)
        configuration.spareSegments = 4
        let (log, report) = try open(disk, configuration)
        #expect(report.damage.isEmpty)
        let reported = ReportedDamage()
        log.onDamage { damage in reported.add(damage) }
        for _ in 0..<3 {
            #expect(try losses(readAll(log, from: .zero)).map(\.lost) == [Offset(5)..<Offset(6)])
        }
        #expect(reported.list.map(\.lost) == [Offset(5)..<Offset(6)])
        #expect(log.figures.damagedRanges == 1)
        log.setCursor("a", to: log.durableEnd)
        log.keepHouse()
        log.keepHouse()
        #expect(log.start > Offset(5))
        #expect(disk.names.contains("damaged-00000000000000000000.segment"))
    }

    @Test func `damage in the last group is a torn tail, unless the ledger knows that it was durable`() throws {
        try write(10)
        try flip(9)
        let (torn, tornReport) = try open(disk, .driven(segmentBytes: 65536))
        #expect(torn.durableEnd == Offset(9))
        #expect(tornReport.damage.isEmpty)
        disk.killProcess()

        try write(10, closing: true)
        try flip(18)
        let (rotten, rotReport) = try open(disk, .driven(segmentBytes: 65536))
        #expect(rotten.durableEnd == Offset(19))
        #expect(rotReport.damage.map(\.lost) == [Offset(18)..<Offset(19)])
    }

    @Test func `a durable end that has rotted away is never numbered again`() throws {
        try write(20, perGroup: 20, closing: true)
        try flip(15, delta: -20)
        let (log, report) = try open(disk, .driven(segmentBytes: 65536))
        #expect(report.damage.map(\.lost) == [Offset(15)..<Offset(20)])
        #expect(log.durableEnd == Offset(20))
        let appender = log.makeAppender { _ in }
        try appender.append(text: "next")
        log.writePending()
        func check(_ log: CommitLog) throws {
            let pieces = try readAll(log, from: .zero)
            #expect(losses(pieces).map(\.lost) == [Offset(15)..<Offset(20)])
            #expect(texts(pieces) == (0..<15).map { Self.text($0) } + ["next"])
            #expect(records(pieces).last?.view.offset == Offset(20))
        }
        try check(log)
        disk.killProcess()
        try check(open(disk, .driven(segmentBytes: 65536)).log)
    }

    @Test func `a missing segment is reported as exactly its records`() throws {
        try write(300, segmentBytes: 4096, closing: true)
        let names = disk.segmentNames
        let bases = names.compactMap { UInt64($0.prefix(20)).map(Offset.init(rawValue:)) }
        disk.delete(names[2])
        let (log, report) = try open(disk)
        #expect(report.damage.map(\.lost) == [bases[2]..<bases[3]])
        let pieces = try readAll(log, from: .zero)
        #expect(losses(pieces).map(\.lost) == [bases[2]..<bases[3]])
        #expect(records(pieces).count == 300 - bases[2].distance(to: bases[3]))
    }

    @Test func `missing first and last segments are reported, and offsets go on behind them`() throws {
        try write(300, segmentBytes: 4096, closing: true)
        let names = disk.segmentNames
        let bases = names.compactMap { UInt64($0.prefix(20)).map(Offset.init(rawValue:)) }
        disk.delete(names[0])
        disk.delete(names[names.count - 1])
        let (log, report) = try open(disk)
        #expect(Set(report.damage.map(\.lost)) == [.zero..<bases[1], bases[bases.count - 1]..<Offset(300)])
        #expect(log.start == bases[1])
        #expect(log.durableEnd == Offset(300))
    }

    @Test func `all segments missing: the log goes on where it was`() throws {
        try write(10, closing: true)
        for name in disk.segmentNames { disk.delete(name) }
        let (log, report) = try open(disk)
        #expect(report.damage.map(\.lost) == [.zero..<Offset(10)])
        #expect(log.durableEnd == Offset(10))
        #expect(log.start == Offset(10))
    }

    @Test func `a damaged segment header is reported and its records are still read`() throws {
        try write(300, segmentBytes: 4096, closing: true)
        for name in [disk.segmentNames[0], disk.segmentNames.last!] { disk.corrupt(name) { $0[20] ^= 1 } }
        let (log, report) = try open(disk)
        #expect(report.warnings.count == 2)
        #expect(try texts(readAll(log, from: .zero)) == (0..<300).map { Self.text($0) })
    }

    @Test func `without its ledger a log keeps its records and its identity, and says that cursors are lost`() throws {
        try write(50, segmentBytes: 4096, closing: true)
        let (before, _) = try open(disk)
        before.setCursor("a", to: Offset(5))
        before.close()
        disk.corrupt("ledger") { $0[30] ^= 1 }
        let (log, report) = try open(disk)
        #expect(report.cursorsLost)
        #expect(log.cursors.isEmpty)
        #expect(log.id == before.id)
        #expect(log.epoch > before.epoch)
        #expect(log.durableEnd == Offset(50))
        #expect(disk.names.contains("ledger.damaged"))
    }

    @Test func `files of another log are refused`() throws {
        try write(300, segmentBytes: 4096, closing: true)
        let other = SimulatedFileSystem(seed: 2)
        try open(other).log.close()
        disk.place("ledger", try #require(other.content("ledger")))
        #expect {
            try open(disk)
        } throws: { error in
            if case LogError.foreign = error { true } else { false }
        }
    }

    @Test func `a format of another version is refused`() throws {
        try write(3, closing: true)
        disk.corrupt("ledger") { bytes in
            bytes[8] = 99
            let checksum = Array(bytes[16...]).withUnsafeBytes { Self.crc32c(99, $0) }
            withUnsafeBytes(of: checksum.littleEndian) { bytes.replaceSubrange(12..<16, with: $0) }
        }
        #expect(throws: LogError.unsupportedFormat(path: "/log/ledger", version: 99)) { try open(disk) }
    }

    @Test("L21 a cursor beyond the end is reported and set to the end")
    func cursorBeyondEnd() throws {
        try write(10, closing: true)
        let (log, _) = try open(disk, .driven(segmentBytes: 65536))
        log.setCursor("a", to: Offset(10))
        log.setCursor("b", to: Offset(4))
        log.close()
        // A ledger that knows less of the end than of the cursors: as if the disk had gone back in time.
        disk.corrupt("ledger") { Self.setDurableEnd(5, inLedger: &$0) }
        try flip(7)
        try flip(8)
        try flip(9)
        let name = disk.segmentNames[0]
        let cut = try #require(find(6, in: name))
        disk.corrupt(name) { $0.removeLast($0.count - cut) }
        let (again, report) = try open(disk, .driven(segmentBytes: 65536))
        #expect(again.durableEnd == Offset(6))
        #expect(report.cursorsBeyondEnd == ["a": Offset(10)])
        #expect(again.cursors == ["a": Offset(6), "b": Offset(4)])
    }

    private static func setDurableEnd(_ end: UInt64, inLedger bytes: inout [UInt8]) {
        withUnsafeBytes(of: end.littleEndian) { bytes.replaceSubrange(56..<64, with: $0) }
        let checksum = Array(bytes[16...]).withUnsafeBytes { crc32c(Ledger.formatVersion, $0) }
        withUnsafeBytes(of: checksum.littleEndian) { bytes.replaceSubrange(12..<16, with: $0) }
    }

    @Test func `old bytes behind the end of a recycled segment never pass for records`() throws {
        // Records of one size, so that old ones lie exactly where new ones would be expected.
        let log = try open(disk).log
        let appender = log.makeAppender { _ in }
        for number in 0..<200 {
            try appender.append(text: "record " + String(1000 + number))
            log.writePending()
            log.setCursor("a", to: log.durableEnd)
            log.keepHouse()
        }
        #expect(log.figures.deletedSegments > 2)
        disk.killProcess()
        for _ in 0..<5 {
            let (log, report) = try open(disk)
            #expect(log.durableEnd == Offset(200))
            #expect(report.damage.isEmpty)
            #expect(report.tornRecords == 0)
            #expect(try texts(readAll(log, from: log.start)).last == "record 1199")
            disk.killProcess()
        }
    }

    @Test func `any flipped bit anywhere loses at most what it hits, and never yields a wrong record`() throws {
        try write(60, perGroup: 3, segmentBytes: 2048, closing: true)
        var random = SplitMix(seed: 5)
        let names = disk.segmentNames
        for _ in 0..<400 {
            let name = names.randomElement(using: &random)!
            let original = disk.content(name)!
            let place = Int.random(in: 0..<original.count, using: &random)
            disk.corrupt(name) { $0[place] ^= UInt8(1 << Int.random(in: 0..<8, using: &random)) }
            let inspection = try LogInspection(directory: "/log", fileSystem: disk)
            let pieces = try readAll(inspection, from: .zero)
            let lost = Set(losses(pieces).flatMap { ($0.lost.lowerBound.rawValue..<$0.lost.upperBound.rawValue) })
            #expect(lost.count <= 3)
            var expected = (0..<60).filter { !lost.contains(UInt64($0)) }.map { Self.text($0) }
            if inspection.end < Offset(60) { expected = Array(expected.prefix(Int(inspection.end.rawValue))) }
            #expect(texts(pieces) == expected)
            disk.corrupt(name) { $0 = original }
        }
    }

    /// A copy in plain Swift, so that tests can forge what the log would accept.
    private static func crc32c(_ seed: UInt32, _ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var crc = ~seed
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0x82f6_3b78 : crc >> 1 }
        }
        return ~crc
    }
}

private final class ReportedDamage: Sendable {
    private let damage = Guarded<[LogDamage]>([])

    func add(_ new: LogDamage) { damage.withLock { $0.append(new) } }
    var list: [LogDamage] { damage.withLock { $0 } }
}
