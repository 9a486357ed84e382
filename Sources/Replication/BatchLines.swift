// The lines of a batch, taken apart: only when some are refused, or known to be.

import Cluster
import CommitLog
import LineProtocol
import NIOCore

package struct BatchLines {
    package struct Line {
        /// Which record of the batch it is of.
        package let item: Int
        /// Its number within the record's payload.
        package let number: Int
        /// Bytes of the payload, without the newline.
        package let range: Range<Int>
    }

    package let lines: [Line]
    private let payloads: [ByteBuffer]

    package init(_ payloads: [ByteBuffer]) {
        self.payloads = payloads
        var lines: [Line] = []
        for (item, payload) in payloads.enumerated() {
            let ranges = payload.withUnsafeReadableBytes { Array(PayloadLines($0)) }
            for (number, range) in ranges.enumerated() {
                lines.append(Line(item: item, number: number, range: range))
            }
        }
        self.lines = lines
    }

    package var count: Int { lines.count }

    /// The bytes of these lines (ascending), neighbours in one piece.
    package func body(of chosen: [Int]) -> [ByteBuffer] {
        var pieces: [ByteBuffer] = []
        var position = 0
        while position < chosen.count {
            let first = lines[chosen[position]]
            var last = first
            position += 1
            while position < chosen.count, chosen[position] == chosen[position - 1] + 1,
                lines[chosen[position]].item == first.item
            {
                last = lines[chosen[position]]
                position += 1
            }
            let payload = payloads[first.item]
            let end = last.range.upperBound
            if end < payload.readableBytes, let piece = slice(payload, first.range.lowerBound..<end + 1) {
                // With its newline.
                pieces.append(piece)
            } else if var piece = slice(payload, first.range.lowerBound..<end) {
                piece.writeInteger(UInt8(ascii: "\n"))
                pieces.append(piece)
            }
        }
        return pieces
    }

    package func text(of line: Int) -> ByteBuffer? { slice(payloads[lines[line].item], lines[line].range) }

    private func slice(_ payload: ByteBuffer, _ range: Range<Int>) -> ByteBuffer? {
        payload.getSlice(at: payload.readerIndex + range.lowerBound, length: range.count)
    }

    private func withBytes<T>(of line: Int, _ body: (UnsafeRawBufferPointer) -> T) -> T {
        let range = lines[line].range
        return payloads[lines[line].item].withUnsafeReadableBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// The lines, of those given, that one of the rules speaks of.
    package func matching(_ rules: some Collection<RefusalRule>, among chosen: [Int]? = nil) -> [Int] {
        guard !rules.isEmpty else { return [] }
        return (chosen ?? Array(0..<count)).filter { line in
            withBytes(of: line) { bytes in
                let candidates = rules.filter { $0.hasMeasurement(bytes) }
                guard !candidates.isEmpty else { return false }
                let parts = LineParts(bytes)
                return candidates.contains { $0.matches(parts, of: bytes) }
            }
        }
    }

    /// From the oldest to the newest of the lines that each rule speaks of, in nanoseconds; nil where it speaks of none,
    /// or a time cannot be told.
    func times(of rules: [RefusalRule], precision: Precision) -> [ClosedRange<Int64>?] {
        var spans = rules.map { _ in (lowest: Int64.max, highest: Int64.min) }
        for line in lines.indices {
            withBytes(of: line) { bytes in
                let candidates = rules.indices.filter { rules[$0].hasMeasurement(bytes) }
                guard !candidates.isEmpty else { return }
                let parts = LineParts(bytes)
                for rule in candidates where rules[rule].matches(parts, of: bytes) {
                    let time = parts.nanoseconds(precision)
                    spans[rule].lowest = min(spans[rule].lowest, time ?? .min)
                    spans[rule].highest = max(spans[rule].highest, time ?? .max)
                }
            }
        }
        return spans.map { span in
            span.lowest <= span.highest && span.lowest != .min ? span.lowest...span.highest : nil
        }
    }

    /// The oldest and the newest time of these lines in nanoseconds; nil when one cannot be told.
    package func times(of chosen: [Int], precision: Precision) -> ClosedRange<Int64>? {
        var lowest = Int64.max
        var highest = Int64.min
        for line in chosen {
            guard let time = withBytes(of: line, { LineParts($0).nanoseconds(precision) }) else { return nil }
            lowest = min(lowest, time)
            highest = max(highest, time)
        }
        return lowest <= highest ? lowest...highest : nil
    }

    /// The lines of one record that have these numbers.
    package func excluded(_ ranges: [Range<UInt32>], item: Int) -> [Int] {
        lines.indices.filter { index in
            lines[index].item == item && ranges.contains { $0.contains(UInt32(lines[index].number)) }
        }
    }

    /// What was refused of each record, by its position in the batch; numbers count within the record.
    package func refusals(_ refused: [BatchDelivery.RefusedLine]) -> [Int: [BatchDelivery.RefusedLine]] {
        var byItem: [Int: [BatchDelivery.RefusedLine]] = [:]
        for entry in refused {
            let line = lines[entry.line]
            byItem[line.item, default: []].append(
                BatchDelivery.RefusedLine(line: line.number, refusal: entry.refusal))
        }
        return byItem
    }

    /// The measurements of these lines (numbers within the record), as queries know them.
    package func measurements(of numbers: some Sequence<Int>, item: Int) -> Set<String> {
        let wanted = Set(numbers)
        var names: Set<String> = []
        for (index, line) in lines.enumerated() where line.item == item && wanted.contains(line.number) {
            let name = withBytes(of: index) { bytes in
                MeasurementName.unescape(UnsafeRawBufferPointer(rebasing: bytes[MeasurementName.range(inLine: bytes)]))
            }
            names.insert(String(decoding: name, as: UTF8.self))
        }
        return names
    }
}

extension RefusalRecord {
    /// The refusal of lines of one record, as it is logged: all numbers, and texts of up to `textLimit` bytes.
    /// - Parameters:
    ///   - node: empty when the whole set refused them.
    ///   - payload: that of the record.
    init(
        of target: Offset, lines refused: RefusedLines, node: String, refusedBy: [String], database: String,
        key: BatchKey, payload: ByteBuffer, textLimit: Int
    ) {
        let batch = BatchLines([payload])
        var kept: [Line] = []
        var room = textLimit
        for entry in refused.lines {
            guard entry.line < batch.count, let text = batch.text(of: entry.line), text.readableBytes <= room else {
                continue
            }
            room -= text.readableBytes
            kept.append(Line(number: UInt32(entry.line), text: String(decoding: text.readableBytesView, as: UTF8.self)))
        }
        self.init(
            target: target, node: node, refusedBy: refusedBy, database: database,
            retentionPolicy: key.retentionPolicy, precision: key.precision,
            reason: refused.lines.first?.refusal.message ?? refused.words.message, ranges: refused.ranges, lines: kept,
            totalRefused: UInt32(refused.lines.count)
        )
    }
}
