// Who has how much of a segment: bytes of its records per replica set, and what is needed to say how much of that is
// finished. One small value per segment, so that it costs no more memory than the segment's index.

/// Below which offsets the records of each replica set are finished: every node of the set has durably applied them,
/// or will get them by a copy. Whoever knows the nodes tells the log.
package struct FinishedOffsets: Equatable, Sendable {
    package var bySet: [UInt16: Offset]
    /// Of sets that are not named.
    package var others: Offset
    /// Sets that are written to: each gets its part of the room.
    package var inUse: Set<UInt16>

    package init(_ bySet: [UInt16: Offset] = [:], others: Offset = .zero, inUse: Set<UInt16>? = nil) {
        self.bySet = bySet
        self.others = others
        self.inUse = inUse ?? Set(bySet.keys)
    }

    package subscript(set: UInt16) -> Offset { bySet[set] ?? others }

    /// More than one set is in use, so that one can be finished where another is not.
    var isDivided: Bool { bySet.count > 1 }
    /// Below it every set is finished.
    var lowest: Offset { bySet.values.reduce(others) { min($0, $1) } }
}

/// What one replica set has in a stretch of the log.
package struct SetShare: Equatable, Sendable {
    package var records: UInt64
    /// On disk, headers included.
    package var bytes: UInt64
    package var first: Offset
    package var last: Offset

    mutating func add(_ other: SetShare) {
        records += other.records
        bytes += other.bytes
        first = min(first, other.first)
        last = max(last, other.last)
    }

    func isFinished(below bound: Offset) -> Bool { last < bound }

    /// Where the bound lies amidst the records, the bytes are taken to be spread evenly over the offsets.
    func unfinishedBytes(below bound: Offset) -> UInt64 {
        if bound > last { return 0 }
        if bound <= first { return bytes }
        let left = Double(bound.distance(to: last) + 1) / Double(first.distance(to: last) + 1)
        return UInt64(Double(bytes) * left)
    }
}

/// The records of a stretch of the log, by replica set.
package struct SegmentShares: Equatable, Sendable {
    package private(set) var sets: [UInt16: SetShare] = [:]

    package init(_ sets: [UInt16: SetShare] = [:]) { self.sets = sets }

    mutating func note(_ set: UInt16, offset: Offset, bytes: Int) {
        add(set, SetShare(records: 1, bytes: UInt64(bytes), first: offset, last: offset))
    }

    mutating func add(_ set: UInt16, _ share: SetShare) {
        if sets[set]?.add(share) == nil { sets[set] = share }
    }

    mutating func add(_ other: SegmentShares) {
        for (set, share) in other.sets { add(set, share) }
    }

    func isFinished(_ finished: FinishedOffsets) -> Bool {
        sets.allSatisfy { $1.isFinished(below: finished[$0]) }
    }

    /// Bytes and records that rewriting keeps, at the most: a set of which anything is unfinished counts in full.
    func keptAtMost(_ finished: FinishedOffsets) -> (bytes: UInt64, records: UInt64) {
        sets.reduce(into: (0, 0)) { kept, set in
            guard !set.value.isFinished(below: finished[set.key]) else { return }
            kept.0 += set.value.bytes
            kept.1 += set.value.records
        }
    }
}

/// What a rewritten segment does not hold any more: records that were finished.
package struct LeftOut: Equatable, Sendable {
    package struct Records: Equatable, Sendable {
        package var count: UInt64
        package var bytes: UInt64
        /// The last of them. Who needs records of the set from here or from below has lost some.
        package var last: Offset
    }

    package private(set) var sets: [UInt16: Records] = [:]
    /// The place that says it is damaged: it may be any set, up to the segment's end.
    package var isUnknown = false

    package init(_ sets: [UInt16: Records] = [:], isUnknown: Bool = false) {
        self.sets = sets
        self.isUnknown = isUnknown
    }

    mutating func note(_ set: UInt16, offset: Offset, bytes: Int) {
        add(set, Records(count: 1, bytes: UInt64(bytes), last: offset))
    }

    mutating func add(_ other: LeftOut) {
        for (set, records) in other.sets { add(set, records) }
        isUnknown = isUnknown || other.isUnknown
    }

    private mutating func add(_ set: UInt16, _ more: Records) {
        let old = sets[set] ?? Records(count: 0, bytes: 0, last: .zero)
        sets[set] = Records(
            count: old.count + more.count, bytes: old.bytes + more.bytes, last: max(old.last, more.last))
    }
}
