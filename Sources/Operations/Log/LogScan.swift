// Reading the commit log outside the data plane: for the index of dead letters and for `sluice log`.
import CommitLog
import Foundation

/// What can be read from an offset on: an open log, or a look at one.
protocol RecordSource {
    func read(from offset: Offset, into buffer: UnsafeMutableRawBufferPointer) throws(LogError) -> ReadResult
}

extension CommitLog: RecordSource {}
extension LogInspection: RecordSource {}

enum LogScan {
    /// Reads the records from an offset that fit a buffer, and keeps what `pick` makes of them.
    ///
    /// - Parameters:
    ///   - bytes: the buffer's size; it grows for a record that is larger.
    ///   - onDamage: hears of a range that is lost; reading goes on behind it.
    ///   - onGap: as `pick`, of a range that the log left out, because all that it concerns have it.
    /// - Returns: what was picked, and the offset to go on from; the same offset at the end.
    static func stretch<Value>(
        of log: some RecordSource, from offset: Offset, bytes: Int, onDamage: (LogDamage) -> Void = { _ in },
        onGap: (Range<Offset>) -> Value? = { _ in nil },
        pick: (RecordView, UnsafeRawBufferPointer) throws -> Value?
    ) throws -> (found: [Value], next: UInt64) {
        var size = bytes
        while true {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
            defer { buffer.deallocate() }
            switch try log.read(from: offset, into: buffer) {
            case .records(let records, let gaps, let next):
                var left = gaps[...]
                var found: [Value?] = []
                for record in records {
                    while let gap = left.first, gap.lowerBound < record.offset {
                        found.append(onGap(gap))
                        left.removeFirst()
                    }
                    found.append(try pick(record, UnsafeRawBufferPointer(rebasing: buffer[record.body])))
                }
                found += left.map(onGap)
                return (found.compactMap { $0 }, next.rawValue)
            case .atEnd:
                return ([], offset.rawValue)
            case .needs(let needed):
                size = needed
            case .lost(let damage):
                onDamage(damage)
                return ([], damage.lost.upperBound.rawValue)
            }
        }
    }

    /// RFC 3339 with milliseconds, in UTC.
    static func text(ofTime nanoseconds: Int64) -> String {
        let date = Date(timeIntervalSince1970: Double(nanoseconds / 1_000_000) / 1_000)
        return date.formatted(
            .iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted)
        )
    }
}
