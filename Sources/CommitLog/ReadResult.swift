// What a reader of the log gets: whole records, as ranges of its own buffer.

/// One record within the buffer that was read into.
package struct RecordView: Equatable, Sendable {
    package let offset: Offset
    package let kind: RecordKind
    package let replicaSet: UInt16
    /// Wall-clock nanoseconds since 1970 at which the record was appended.
    package let appendTime: Int64
    /// The record is the last of its entry.
    package let endsEntry: Bool
    /// Where the body lies in the buffer.
    package let body: Range<Int>
}

package enum ReadResult: Equatable, Sendable {
    /// At least one record or gap, in order; the gaps, in order too, are the offsets between that have none: rewriting
    /// left those records out, when their nodes had them (``CommitLog/leftOut(from:where:)``). Read on at `next`.
    case records([RecordView], gaps: [Range<Offset>], next: Offset)
    /// Nothing below the durable end is left to read.
    case atEnd
    /// The buffer is too small for the next record; it takes one of this many bytes.
    case needs(bytes: Int)
    /// The records of this range are damaged and cannot be had any more. Nodes that still needed them need a copy.
    /// Read on at the end of the range.
    case lost(LogDamage)
}
