// Which passed segments are worth rewriting, and in what order: a plain value over their sizes.

package enum RewritePlan {
    /// What is known of a segment.
    package struct Choice: Equatable, Sendable {
        /// That the file occupies.
        package var bytes: UInt64
        /// That it would occupy after rewriting, at the most.
        package var kept: UInt64
        /// Of finished records that are still in it.
        package var finished: UInt64
        /// Nodes that go back in time may still want what is finished in it.
        package var isHistory = false
        /// It is not damaged, what is in it is known, and its successor follows it at once.
        package var isAble = true

        package init(bytes: UInt64, kept: UInt64, finished: UInt64, isHistory: Bool = false, isAble: Bool = true) {
            self.bytes = bytes
            self.kept = kept
            self.finished = finished
            self.isHistory = isHistory
            self.isAble = isAble
        }

        var gain: UInt64 { bytes > kept ? bytes - kept : 0 }

        /// Less than an eighth of a segment is not worth the work. While there is room, most of the segment must be
        /// finished and no history.
        func isWorth(segmentBytes: UInt64, isShort: Bool) -> Bool {
            guard isAble, gain >= segmentBytes / 8, finished > 0 else { return false }
            return isShort || (!isHistory && kept <= bytes / 4)
        }

        /// Goes along with a neighbour, so that the log does not end up as thousands of tiny files.
        func isSmall(segmentBytes: UInt64) -> Bool { isAble && kept <= segmentBytes / 8 && bytes <= segmentBytes / 8 }
    }

    /// Bytes that one rewriting reads, in segments.
    static let readAtMost: UInt64 = 4

    /// The segments, neighbours, that are to become one. Nil: nothing is worth it.
    ///
    /// Where room is short, what is no history first, then where most is won; else the oldest.
    package static func next(_ choices: [Choice], segmentBytes: UInt64, isShort: Bool) -> Range<Int>? {
        let worth = choices.indices.filter { choices[$0].isWorth(segmentBytes: segmentBytes, isShort: isShort) }
        guard let oldest = worth.first else { return nil }
        var chosen = oldest
        if isShort {
            for place in worth {
                let (one, best) = (choices[place], choices[chosen])
                let isBetter = one.isHistory == best.isHistory ? one.gain > best.gain : !one.isHistory
                if isBetter { chosen = place }
            }
        }
        var range = chosen..<chosen + 1
        var read = choices[chosen].bytes
        var kept = choices[chosen].kept
        func takes(_ place: Int) -> Bool {
            guard choices.indices.contains(place) else { return false }
            let choice = choices[place]
            let isWelcome =
                choice.isSmall(segmentBytes: segmentBytes)
                || (choice.isWorth(segmentBytes: segmentBytes, isShort: isShort)
                    && choice.isHistory == choices[chosen].isHistory)
            guard isWelcome, read + choice.bytes <= readAtMost * segmentBytes, kept + choice.kept <= segmentBytes
            else { return false }
            read += choice.bytes
            kept += choice.kept
            return true
        }
        while takes(range.lowerBound - 1) { range = range.lowerBound - 1..<range.upperBound }
        while takes(range.upperBound) { range = range.lowerBound..<range.upperBound + 1 }
        return range
    }
}
