// The log's folder: a log is written by the real code, its files are damaged, and it is opened again. It opens or says
// why not; it never traps, never hands out what was not written, and never uses an offset twice.

import CommitLog
import FuzzEngine
import Synchronization

/// Input: two bytes of settings, a programme that writes, a programme that damages.
let logFolder = FuzzTarget("log-folder") { bytes in
    var input = FuzzInput(bytes)
    var folder = LogFolder(&input)
    folder.write(&input)
    let isForged = folder.damage(&input)
    folder.openAgain(isForged: isForged)
}

private struct LogFolder {
    private let disk = MemoryFileSystem()
    private let configuration: CommitLog.Configuration
    /// What was completed as durable.
    private var known: [Offset: [UInt8]] = [:]
    private var identity: LogIdentity?
    private var isDamaged = false
    private var entries: UInt8 = 0

    init(_ input: inout FuzzInput) {
        var configuration = CommitLog.Configuration(directory: "/log")
        let setting = Int(input.byte())
        configuration.segmentBytes = [2048, 4096, 65_536, 1 << 20][setting % 4]
        configuration.maximumBytes = 1 << 30
        configuration.minimumFreeBytes = 0
        configuration.keptBytes = setting & 4 == 0 ? 0 : 8192
        configuration.spareSegments = setting / 8 % 3
        configuration.driving = .caller
        self.configuration = configuration
    }

    /// A log that this process has open, what was given to it and what it said.
    private final class Life {
        let log: CommitLog
        let appender: LogAppender
        var waiting: [[UInt8]] = []
        let completed = Completions()

        final class Completions: Sendable { let list = Mutex<[CommitLog.Completion]>([]) }

        init(_ log: CommitLog) {
            self.log = log
            let completed = completed
            appender = log.makeAppender { completion in completed.list.withLock { $0.append(completion) } }
        }

        func append(_ bodies: [[UInt8]]) {
            for (place, body) in bodies.enumerated() {
                do {
                    try appender.append(
                        kind: RecordKind.allCases[place % 3], replicaSet: UInt16(place), bodyBytes: body.count,
                        endsEntry: place + 1 == bodies.count
                    ) { $0.copyBytes(from: body) }
                } catch {
                    return
                }
            }
            waiting += bodies
        }

        /// Tells each record that has become durable.
        func settle(_ learn: (Offset, [UInt8]) -> Void) {
            for completion in completed.list.withLock({ list in
                defer { list = [] }; return list
            }) {
                switch completion {
                case .durable(let first, let count):
                    for place in 0..<count { learn(first.advanced(by: place), waiting[place]) }
                    waiting.removeFirst(count)
                case .failed(_, let count):
                    waiting.removeFirst(count)
                }
            }
        }
    }

    private func open() throws(LogError) -> Life {
        disk.killProcess()
        return Life(try CommitLog.open(configuration, fileSystem: disk, clock: StillClock()).log)
    }

    // MARK: Writing

    mutating func write(_ input: inout FuzzInput) {
        guard var life = try? open() else { return demand(false, "an empty folder is no log") }
        for _ in 0..<(input.byte() % 32) {
            switch input.byte() % 12 {
            case 0...4: appendEntry(&input, to: life)
            case 5, 6:
                life.log.writePending()
                settle(life)
            case 7: life.log.keepHouse()
            case 8:
                let end = Int(life.log.durableEnd.rawValue)
                life.log.setCursor(input.byte() & 1 == 0 ? "a" : "b", to: Offset(UInt64(input.below(end + 1))))
            case 9: try? life.log.setNote("note \(input.byte() % 4)", input.take(Int(input.byte())))
            default:
                // In order, or as a killed process leaves it.
                if input.byte() & 1 == 0 { close(life) }
                guard let next = try? open() else { return demand(false, "a whole log does not open") }
                life = next
            }
        }
        life.log.writePending()
        settle(life)
        if input.byte() & 1 == 0 { close(life) } else { life.log.keepHouse() }
        identity =
            disk.content(Ledger.fileName).flatMap { bytes in
                bytes.withUnsafeBytes { try? Ledger(decoding: $0) }
            }?.identity
        demand(identity != nil, "a log without a ledger")
    }

    private mutating func appendEntry(_ input: inout FuzzInput, to life: Life) {
        var bodies: [[UInt8]] = []
        for part in 0...(input.byte() % 3) {
            let size = Int(input.byte())
            // Most are small; some take more than a segment.
            bodies.append(
                [entries, part]
                    + Array(repeating: UInt8(truncatingIfNeeded: size), count: size < 224 ? size : size * 20))
        }
        entries &+= 1
        life.append(bodies)
    }

    /// In order: what waits is written.
    private mutating func close(_ life: Life) {
        life.log.close()
        settle(life)
    }

    private mutating func settle(_ life: Life) {
        life.settle { offset, body in
            demand(known[offset] == nil, "offset \(offset) was given twice")
            known[offset] = body
        }
    }

    // MARK: Damage

    /// True when checksums were made right again, so that what was not written may look as if it was.
    mutating func damage(_ input: inout FuzzInput) -> Bool {
        var isForged = false
        for _ in 0..<16 where !input.isAtEnd {
            let names = disk.names
            let name = names.isEmpty ? Ledger.fileName : names[input.below(names.count)]
            let content = disk.content(name) ?? []
            var changed: [UInt8]? = content
            let place = content.isEmpty ? 0 : input.below(min(content.count, 65_536))
            switch input.byte() % 11 {
            case 0: if !content.isEmpty { changed?[place] ^= 1 << (input.byte() % 8) }
            case 1:
                let piece = input.take(Int(input.byte() % 16)).prefix(content.count - place)
                changed?.replaceSubrange(place..<(place + piece.count), with: piece)
            case 2: changed = Array(content[..<place])
            case 3:
                let count = min(input.number(), content.count - place)
                changed?.replaceSubrange(place..<(place + count), with: repeatElement(0, count: count))
            case 4: changed = nil
            case 5:
                // Bytes of another place, as a recycled file or a lost write leaves them.
                let source = disk.content(names.isEmpty ? name : names[input.below(names.count)]) ?? []
                let from = source.isEmpty ? 0 : input.below(min(source.count, 65_536)) & ~7
                let piece = source[from...].prefix(min(input.number(), content.count - place & ~7))
                changed?.replaceSubrange((place & ~7)..<((place & ~7) + piece.count), with: piece)
            case 6:
                disk.place(name, nil)
                let base = Offset(input.byte() < 250 ? UInt64(input.byte()) : .max - UInt64(input.byte()))
                disk.place([FileName.segment(base), "damaged-x", "ledger.new", "other"][input.below(4)], content)
                isDamaged = true
                continue
            case 7: changed = content + Array(repeating: input.byte(), count: input.number() % 4096)
            case 8:
                let other = names.isEmpty ? name : names[input.below(names.count)]
                changed = disk.content(other)
                disk.place(other, content)
            case 9:
                isForged = forge(name, &changed) || isForged
            default:
                disk.place(FileName.segment(Offset(UInt64(input.byte()))), input.take(Int(input.byte())))
                isDamaged = true
            }
            isDamaged = isDamaged || changed != content || disk.names != names
            disk.place(name, changed)
        }
        return isForged
    }

    private func forge(_ name: String, _ content: inout [UInt8]?) -> Bool {
        guard var bytes = content, let identity else { return false }
        if name == Ledger.fileName {
            Checksum.sealLedger(&bytes)
        } else if let base = FileName.base(ofSegment: name) {
            Checksum.sealSegment(&bytes, base: base, identity: identity)
        }
        defer { content = bytes }
        return bytes != content
    }

    // MARK: What is left

    mutating func openAgain(isForged: Bool) {
        let ledger = disk.content(Ledger.fileName).flatMap { bytes in
            bytes.withUnsafeBytes { try? Ledger(decoding: $0) }
        }
        // A dump looks at whatever is there and changes nothing.
        let names = disk.names
        if let inspection = try? LogInspection(directory: "/log", fileSystem: disk) {
            _ = read(inspection, from: inspection.start, isForged: isForged)
        }
        demand(disk.names == names, "looking at a log changes it")

        guard let life = try? open() else { return demand(isDamaged, "an undamaged log does not open") }
        let end = life.log.durableEnd
        if let ledger, ledger.identity.id == life.log.id {
            demand(end >= ledger.durableEnd, "the log ends at \(end), before \(ledger.durableEnd), which was durable")
        }
        demand(life.log.cursors.values.allSatisfy { $0 <= end }, "a cursor lies beyond the end")
        let found = read(life.log, from: life.log.start, isForged: isForged)
        if !isDamaged {
            demand(found == known.filter { $0.key >= life.log.start }, "an undamaged log has lost or won something")
        }
        goOn(life, from: end, found: found, isForged: isForged)
    }

    /// What is appended now follows what there was, and both are there after another start.
    private mutating func goOn(_ life: Life, from end: Offset, found: [Offset: [UInt8]], isForged: Bool) {
        guard end.rawValue < 1 << 62 else { return }
        var expected = found
        life.append([[1], [2, 2]])
        life.append([Array(repeating: 3, count: 3000)])
        life.log.writePending()
        life.settle { offset, body in
            demand(offset >= end && expected[offset] == nil, "offset \(offset) is used again")
            expected[offset] = body
        }
        life.log.keepHouse()
        let start = life.log.start
        demand(
            read(life.log, from: start, isForged: isForged, expected) == expected.filter { $0.key >= start },
            "lost in the same life")
        life.log.close()
        guard let next = try? open() else { return demand(false, "a log that was open does not open again") }
        demand(next.log.start == start, "the start has moved from \(start) to \(next.log.start)")
        demand(
            read(next.log, from: start, isForged: isForged, expected) == expected.filter { $0.key >= start },
            "lost by a start")
        next.log.close()
    }

    private func read(
        _ log: some ReadableLog, from start: Offset, isForged: Bool, _ expected: [Offset: [UInt8]]? = nil
    ) -> [Offset: [UInt8]] {
        var found: [Offset: [UInt8]] = [:]
        var next = start
        var size = 512
        let known = expected ?? known
        while true {
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
            defer { memory.deallocate() }
            guard let result = try? log.read(from: next, into: memory) else { return found }
            switch result {
            case .records(let records, let gaps, let after):
                demand(!records.isEmpty || !gaps.isEmpty, "no record, no gap and no end")
                var gapsLeft = gaps[...]
                func passGaps() {
                    while let gap = gapsLeft.first, gap.lowerBound == next {
                        demand(isForged && !gap.isEmpty, "\(gap) was left out, and nobody had said that it may be")
                        next = gap.upperBound
                        gapsLeft.removeFirst()
                    }
                }
                for record in records {
                    passGaps()
                    demand(record.offset == next, "record \(record.offset) came instead of \(next)")
                    let body = Array(memory[record.body])
                    demand(isForged || known[record.offset] == body, "record \(record.offset) was never written so")
                    found[record.offset] = body
                    next = record.offset.advanced(by: 1)
                }
                passGaps()
                demand(gapsLeft.isEmpty, "a gap lies where none can be: \(gapsLeft)")
                demand(after == next, "the next record is \(next), not \(after)")
            case .needs(let bytes):
                demand(bytes > size && bytes <= 80 << 20, "a buffer of \(bytes) bytes is asked for")
                size = bytes
            case .lost(let damage):
                demand(damage.lost.lowerBound <= next && damage.lost.upperBound > next, "\(damage), read from \(next)")
                next = damage.lost.upperBound
            case .atEnd: return found
            }
        }
    }
}

private protocol ReadableLog {
    func read(from: Offset, into: UnsafeMutableRawBufferPointer) throws(LogError) -> ReadResult
}
extension CommitLog: ReadableLog {}
extension LogInspection: ReadableLog {}
