// What must hold of a log whose passed segments are rewritten: every record of a set that is not finished is there byte
// for byte, what is not there was finished, and whoever needs it after all is told.

import CommitLog
import Foundation
import SimulatedDisk
import Testing

extension LogAppender {
    /// A record of a set, with its number and filler that is computed from it.
    func append(number: Int, of set: UInt16, filler: Int = 60, endsEntry: Bool = true) throws(LogError) {
        let bytes = SetRecord(number: number, set: set, filler: filler).bytes
        try append(kind: .points, replicaSet: set, bodyBytes: bytes.count, endsEntry: endsEntry) {
            $0.copyBytes(from: bytes)
        }
    }
}

struct SetRecord: Equatable {
    let number: Int
    let set: UInt16
    let filler: Int

    var bytes: [UInt8] {
        Array("\(set)/\(number)/".utf8) + (0..<filler).map { UInt8(truncatingIfNeeded: number &* 37 &+ $0) }
    }
}

/// Everything known about the records of a log and how far they are finished.
struct RewritingModel {
    var records: [Offset: SetRecord] = [:]
    /// The furthest that was ever said of each set.
    var finished: [UInt16: Offset] = [:]
    /// Of those that nobody was told of, but that are there after a crash.
    var seen: [Offset: UInt16] = [:]
    var problems: [String] = []

    mutating func check(_ condition: Bool, _ problem: @autoclosure () -> String) {
        if !condition, problems.count < 20 { problems.append(problem()) }
    }

    mutating func finish(_ bounds: [UInt16: Offset]) {
        for (set, bound) in bounds { finished[set] = max(finished[set] ?? .zero, bound) }
    }

    /// Reads all of it, and compares.
    mutating func verify(_ log: CommitLog, bufferBytes: Int = 3000) {
        do {
            let pieces = try readAll(log, from: log.start, bufferBytes: bufferBytes)
            var next = log.start
            var missing: [UInt16: Offset] = [:]
            for piece in pieces {
                switch piece {
                case .lost(let damage): check(false, "nothing rots here, but \(damage)")
                case .record(let record):
                    check(record.view.offset == next, "\(record.view.offset) came instead of \(next)")
                    next = record.view.offset.advanced(by: 1)
                    seen[record.view.offset] = record.view.replicaSet
                    if let known = records[record.view.offset] {
                        check(record.body == known.bytes, "\(record.view.offset) has other bytes")
                        check(record.view.replicaSet == known.set, "\(record.view.offset) is of another set")
                    }
                case .gap(let gap):
                    check(gap.lowerBound == next, "a gap at \(gap.lowerBound) came instead of \(next)")
                    next = gap.upperBound
                    var offset = gap.lowerBound
                    while offset < gap.upperBound {
                        if let set = records[offset]?.set ?? seen[offset] {
                            check(
                                offset < finished[set] ?? .zero, "\(offset) of set \(set) is gone, and was not finished"
                            )
                            missing[set] = offset
                        }
                        offset = offset.advanced(by: 1)
                    }
                }
            }
            check(next == log.durableEnd, "reading ended at \(next), the log at \(log.durableEnd)")
            for (offset, record) in records where offset < log.start {
                check(offset < finished[record.set] ?? .zero, "\(offset) was deleted, and was not finished")
            }
            check(records.keys.allSatisfy { $0 < log.durableEnd }, "the log ends before what was acknowledged")
            for set: UInt16 in 0...5 {
                let told = log.leftOut(from: log.start) { $0 == set }
                check(
                    told?.upperBound == missing[set]?.advanced(by: 1),
                    "set \(set) lacks \(missing[set]?.description ?? "nothing"), and is told \(told as Any)")
            }
        } catch {
            check(false, "reading failed: \(error)")
        }
    }
}
