// The search for the refused lines of one record: `RefusalSearch` over the lines of a payload.

import Cluster
import CommitLog
import LineProtocol
import NIOCore

package struct LineSearch {
    package var state: RefusalSearch
    /// The lines of the payload, as byte ranges from its first byte on.
    package let lines: [Range<Int>]
    let payload: ByteBuffer
    /// What the node said of the record as a whole: its client's answer.
    let words: Refusal
    /// False: the whole was only too large, the client hears what was said of the lines.
    let wordsAreForClient: Bool

    package init(payload: ByteBuffer, refusal: Refusal, wordsAreForClient: Bool = true) {
        let lines = payload.withUnsafeReadableBytes { Array(PayloadLines($0)) }
        self.lines = lines
        self.payload = payload
        self.words = refusal
        self.wordsAreForClient = wordsAreForClient
        state = RefusalSearch(lines: lines.count, refusal: refusal)
    }

    /// The bytes of the lines that are to be sent next; nil when the search is over.
    package func slice(of payload: ByteBuffer) -> ByteBuffer? {
        guard case .send(let range) = state.next else { return nil }
        return slice(lines: range)
    }

    private func slice(lines range: Range<Int>) -> ByteBuffer? {
        guard let first = range.first, let last = range.last else { return nil }
        let bytes = lines[first].lowerBound..<lines[last].upperBound
        return payload.getSlice(at: payload.readerIndex + bytes.lowerBound, length: bytes.count)
    }

    /// The refusals as they are logged: line numbers count the points of the record from 0; text is kept up to
    /// `textLimit` bytes, the rest is counted.
    package func record(
        refused: [RefusalSearch.Refused], of offset: Offset, node: String, database: String, key: BatchKey,
        textLimit: Int
    ) -> RefusalRecord {
        var kept: [RefusalRecord.Line] = []
        var room = textLimit
        for part in refused {
            for line in part.lines {
                guard let text = slice(lines: line..<line + 1), text.readableBytes <= room else { continue }
                room -= text.readableBytes
                kept.append(
                    RefusalRecord.Line(
                        number: UInt32(line), text: String(decoding: text.readableBytesView, as: UTF8.self))
                )
            }
        }
        return RefusalRecord(
            target: offset, node: node, database: database, retentionPolicy: key.retentionPolicy,
            precision: key.precision, reason: refused.first?.refusal.message ?? words.message, lines: kept,
            totalRefused: UInt32(refused.reduce(0) { $0 + $1.lines.count })
        )
    }
}
