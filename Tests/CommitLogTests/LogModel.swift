// What must hold of a log whatever happens to it: the model that every crash test checks the real code against.

import CommitLog
import Foundation
import Testing

/// The content of a test record: which entry, which part of it, and filler that is computed from both.
struct TestContent: Hashable {
    let entry: UInt64
    let index: UInt16
    let count: UInt16

    func bytes(filler: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        withUnsafeBytes(of: entry) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: index) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: count) { bytes.append(contentsOf: $0) }
        for place in 0..<filler { bytes.append(UInt8(truncatingIfNeeded: entry &* 31 &+ UInt64(place))) }
        return bytes
    }

    init(entry: UInt64, index: UInt16, count: UInt16) {
        self.entry = entry
        self.index = index
        self.count = count
    }

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 12 else { return nil }
        entry = bytes.loadUnaligned(as: UInt64.self)
        index = bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
        count = bytes.loadUnaligned(fromByteOffset: 10, as: UInt16.self)
        for place in 12..<bytes.count
        where bytes[place] != UInt8(truncatingIfNeeded: entry &* 31 &+ UInt64(place - 12)) { return nil }
    }
}

struct ReadRecord {
    let view: RecordView
    let body: [UInt8]
}

enum ReadPiece {
    case record(ReadRecord)
    case lost(LogDamage)
    case gap(Range<Offset>)
}

/// Anything that reads as the log does.
protocol Readable {
    func read(from: Offset, into: UnsafeMutableRawBufferPointer) throws(LogError) -> ReadResult
}
extension CommitLog: Readable {}
extension LogInspection: Readable {}

/// Reads from `offset` to the end, growing the buffer as asked.
func readAll(
    _ log: some Readable, from offset: Offset, bufferBytes: Int = 4096
) throws(LogError) -> [ReadPiece] {
    var pieces: [ReadPiece] = []
    var next = offset
    var size = bufferBytes
    while true {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
        defer { buffer.deallocate() }
        switch try log.read(from: next, into: buffer) {
        case .records(let records, let gaps, let after):
            var left = gaps[...]
            for view in records {
                while let gap = left.first, gap.lowerBound < view.offset { pieces.append(.gap(left.removeFirst())) }
                pieces.append(.record(ReadRecord(view: view, body: Array(buffer[view.body]))))
            }
            pieces += left.map { .gap($0) }
            next = after
        case .needs(let bytes): size = bytes
        case .lost(let damage):
            pieces.append(.lost(damage))
            next = damage.lost.upperBound
        case .atEnd: return pieces
        }
    }
}

func records(_ pieces: [ReadPiece]) -> [ReadRecord] {
    pieces.compactMap { if case .record(let record) = $0 { record } else { nil } }
}

func gaps(_ pieces: [ReadPiece]) -> [Range<Offset>] {
    pieces.compactMap { if case .gap(let gap) = $0 { gap } else { nil } }
}

func losses(_ pieces: [ReadPiece]) -> [LogDamage] {
    pieces.compactMap { if case .lost(let damage) = $0 { damage } else { nil } }
}

/// An appender together with what it has been told.
final class TestAppender {
    let appender: LogAppender
    let completions: Completions
    /// Records appended and not yet completed, in order.
    var waiting: [TestContent] = []

    final class Completions: Sendable {
        let list = Guarded<[(CommitLog.Completion, durableEnd: Offset)]>([])
    }

    init(_ log: CommitLog) {
        let completions = Completions()
        self.completions = completions
        appender = log.makeAppender { [unowned log] completion in
            completions.list.withLock { $0.append((completion, log.durableEnd)) }
        }
    }

    func append(_ content: TestContent, filler: Int) throws(LogError) {
        let bytes = content.bytes(filler: filler)
        try appender.append(
            kind: .points, replicaSet: content.index, bodyBytes: bytes.count,
            endsEntry: content.index + 1 == content.count
        ) { $0.copyBytes(from: bytes) }
    }

    /// Appends an entry of `count` records. On an error nothing of it is in.
    func appendEntry(_ entry: UInt64, count: Int, filler: Int) throws(LogError) {
        let contents = (0..<count).map { TestContent(entry: entry, index: UInt16($0), count: UInt16(count)) }
        for content in contents { try append(content, filler: filler) }
        waiting += contents
    }

    func takeCompletions() -> [(CommitLog.Completion, durableEnd: Offset)] {
        completions.list.withLock { list in
            defer { list = [] }
            return list
        }
    }
}

/// Everything known for certain about a log.
struct LogModel {
    /// Acknowledged, or seen by a reader.
    var known: [Offset: TestContent] = [:]
    /// Refused as full: must never be seen.
    var refused: Set<UInt64> = []
    var problems: [String] = []

    mutating func check(_ condition: Bool, _ problem: @autoclosure () -> String) {
        if !condition { problems.append(problem()) }
    }

    mutating func settle(_ appender: TestAppender) {
        for (completion, durableEnd) in appender.takeCompletions() {
            switch completion {
            case .durable(let first, let count):
                check(durableEnd <= first, "\(durableEnd) was public before record \(first) was completed")
                for place in 0..<count { learn(first.advanced(by: place), appender.waiting[place]) }
                appender.waiting.removeFirst(count)
            case .failed(let error, let count):
                if case .full = error { refused.formUnion(appender.waiting[..<count].map(\.entry)) }
                appender.waiting.removeFirst(count)
            }
        }
    }

    mutating func learn(_ offset: Offset, _ content: TestContent) {
        if let before = known[offset] {
            check(before == content, "offset \(offset) had \(before), and now has \(content)")
        }
        known[offset] = content
    }

    /// Reads the whole log and compares.
    mutating func verify(_ log: CommitLog) {
        let (start, end) = (log.start, log.durableEnd)
        let last = known.keys.max()
        check(last.map { $0 < end } ?? true, "record \(last ?? .zero) was acknowledged; the log ends at \(end)")
        for (name, cursor) in log.cursors {
            check(cursor <= end, "cursor \(name) stands at \(cursor), beyond \(end)")
            check(start <= cursor, "cursor \(name) stands at \(cursor), but the log begins at \(start)")
        }
        do {
            let pieces = try readAll(log, from: start, bufferBytes: 700)
            for damage in losses(pieces) { check(false, "nothing rots here, but \(damage)") }
            var expected = start
            var open: TestContent?
            var seen: Set<UInt64> = []
            for record in records(pieces) {
                check(record.view.offset == expected, "offset \(record.view.offset) came instead of \(expected)")
                expected = record.view.offset.advanced(by: 1)
                guard let content = record.body.withUnsafeBytes({ TestContent($0) }) else {
                    check(false, "record \(record.view.offset) is garbage")
                    continue
                }
                learn(record.view.offset, content)
                check(!refused.contains(content.entry), "entry \(content.entry) was refused and is here")
                if let open {
                    check(
                        content.entry == open.entry && content.index == open.index + 1,
                        "entry \(open.entry) breaks off at \(record.view.offset)")
                } else {
                    check(content.index == 0, "entry \(content.entry) begins in its middle")
                    check(seen.insert(content.entry).inserted, "entry \(content.entry) is here twice")
                }
                let isLast = content.index + 1 == content.count
                check(record.view.endsEntry == isLast, "endsEntry is wrong at \(record.view.offset)")
                check(record.view.replicaSet == content.index, "the replica set is wrong")
                open = isLast ? nil : content
            }
            check(open == nil, "the last entry is half")
            check(expected == end, "reading ended at \(expected), the log at \(end)")
        } catch {
            check(false, "reading failed: \(error)")
        }
    }
}
