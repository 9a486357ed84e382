// Everything that ever was durable in the log, remembered outside the gateway: what it must still hold after any crash,
// and what nodes may have got.

import CommitLog

/// A record as the checks need it.
package enum KeptRecord: Equatable {
    case points(database: String, lines: [String])
    case mutation(statement: String, database: String)
    case refusal(target: Offset, node: String, lines: [Int])
}

package struct LogCopy {
    package private(set) var records: [KeptRecord] = []
    /// All below was durable.
    package var end: Offset { Offset(UInt64(records.count)) }

    package init() {}

    /// Reads what has become durable. Returns the new records, with their offsets.
    package mutating func follow(_ log: CommitLog) throws -> [(Offset, KeptRecord)] {
        let fresh = try Self.read(log, from: end).records
        for (offset, record) in fresh {
            guard offset == end else { throw Violation("2 log", "record \(offset) comes where \(end) was expected") }
            records.append(record)
        }
        return fresh
    }

    /// After an open: what is there must be what was there.
    /// - Parameter mayHaveHoles: parts of the disk have rotted.
    package func compare(_ log: CommitLog, mayHaveHoles: Bool) throws {
        let held: Held
        do {
            held = try Self.read(log, from: log.start)
        } catch {
            throw Violation("1 durable ack", "the log cannot be read after an open: \(error)")
        }
        if let lost = held.lost, !mayHaveHoles {
            throw Violation("1 durable ack", "the log has lost \(lost) after an open, and no disk has rotted")
        }
        for (offset, record) in held.records where offset < end {
            guard records[Int(offset.rawValue)] == record else {
                throw Violation(
                    "2 log",
                    "offset \(offset) had \(records[Int(offset.rawValue)]), and has \(record) after the log was opened")
            }
        }
        guard log.durableEnd >= end else {
            throw Violation("1 durable ack", "the log ends at \(log.durableEnd) after an open; \(end) was durable")
        }
    }

    /// After an open of a log whose disk had lied: forgets what is gone at the end, or is something else now. Returns
    /// that, and what is missing before it.
    package mutating func forgetLost(_ log: CommitLog) throws -> [(Offset, KeptRecord)] {
        let held = try Self.read(log, from: log.start)
        let differs = held.records.first { $0.0 < end && records[Int($0.0.rawValue)] != $0.1 }?.0
        let cut = min(differs ?? end, log.durableEnd)
        let there = Set(held.records.map { $0.0.rawValue })
        let lost = records.indices.dropFirst(Int(log.start.rawValue)).filter { number in
            number >= Int(cut.rawValue)
                || !there.contains(UInt64(number)) && !held.gaps.contains { $0.contains(Offset(UInt64(number))) }
        }.map { (Offset(UInt64($0)), records[$0]) }
        if cut < end { records.removeSubrange(Int(cut.rawValue)...) }
        return lost
    }

    private struct Held {
        var records: [(Offset, KeptRecord)] = []
        /// What was left out, because all that it concerned had it.
        var gaps: [Range<Offset>] = []
        /// The first range that could not be read.
        var lost: Range<Offset>?
    }

    private static func read(_ log: CommitLog, from start: Offset) throws -> Held {
        var found = Held()
        var next = start
        var size = 64 << 10
        while true {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 8)
            defer { buffer.deallocate() }
            switch try log.read(from: next, into: buffer) {
            case .records(let views, let gaps, let after):
                found.gaps += gaps
                for view in views {
                    let body = UnsafeRawBufferPointer(rebasing: buffer[view.body])
                    found.records.append((view.offset, try KeptRecord(view, body)))
                }
                next = after
            case .needs(let bytes): size = bytes
            case .lost(let damage):
                if found.lost == nil { found.lost = damage.lost }
                next = damage.lost.upperBound
            case .atEnd: return found
            }
        }
    }
}

extension KeptRecord {
    fileprivate init(_ view: RecordView, _ body: UnsafeRawBufferPointer) throws {
        switch view.kind {
        case .points:
            let points = try PointsRecord(decoding: body)
            let text = String(decoding: body[points.payload], as: UTF8.self)
            self = .points(
                database: points.head.database,
                lines: text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init))
        case .mutation:
            let mutation = try MutationRecord(decoding: body)
            self = .mutation(statement: mutation.statement, database: mutation.database)
        case .refusal:
            let refusal = try RefusalRecord(decoding: body)
            let lines =
                refusal.ranges.isEmpty
                ? refusal.lines.map { Int($0.number) } : refusal.ranges.flatMap { $0.map(Int.init) }
            self = .refusal(target: refusal.target, node: refusal.node, lines: lines)
        }
    }
}

/// A promise that was broken.
package struct Violation: Error, CustomStringConvertible {
    /// The invariant, as its number and name.
    package let invariant: String
    package let words: String

    package init(_ invariant: String, _ words: String) {
        self.invariant = invariant
        self.words = words
    }

    package var description: String { "\(invariant): \(words)" }
}
