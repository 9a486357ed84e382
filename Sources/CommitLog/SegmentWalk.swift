// Going through a segment record by record: a plain value over bytes, shared by recovery and readers, so that both
// have one and the same idea of what is a record.

/// A place in a segment between two records or marks, and what is needed to judge the next one.
struct SegmentWalk: Equatable, Sendable {
    /// Position in the file.
    var position: UInt64
    /// Offset of the record that comes next.
    var offset: Offset
    /// Of the group that the walk is in.
    var seed: UInt32 = 0
    /// Records (and gaps) left in that group.
    var remaining: UInt32 = 0

    static func start(of base: Offset) -> SegmentWalk {
        SegmentWalk(position: UInt64(Layout.segmentHeaderBytes), offset: base)
    }

    static func start(of base: Offset, in face: SegmentFace) -> SegmentWalk {
        SegmentWalk(position: face.contentStart, offset: base)
    }

    init(position: UInt64, offset: Offset) {
        self.position = position
        self.offset = offset
    }

    enum Step: Equatable {
        case mark(GroupMark)
        case record(RecordHeader)
        /// Rewriting left these records out.
        case gap(Range<Offset>)
        /// A header that is right before a body that is not: this one record is lost, the next can be reached.
        case brokenBody(RecordHeader)
        /// This many bytes from the position on are needed to say more.
        case needs(bytes: Int)
        /// Neither a record nor a mark.
        case nothing
    }

    /// Judges what lies at the position, which is where `bytes` begin, and steps over it.
    mutating func next(_ bytes: UnsafeRawBufferPointer, context: SegmentContext, checkBody: Bool = true) -> Step {
        if remaining > 0 {
            guard bytes.count >= Layout.recordHeaderBytes else { return .needs(bytes: Layout.recordHeaderBytes) }
            if let header = RecordHeader(decoding: bytes, offset: offset, seed: seed) {
                let size = header.bytesOnDisk
                guard bytes.count >= size || !checkBody else { return .needs(bytes: size) }
                let bodyEnd = Layout.recordHeaderBytes + Int(header.bodyBytes)
                let isWhole =
                    !checkBody || header.matches(body: Layout.slice(bytes, Layout.recordHeaderBytes..<bodyEnd))
                position += UInt64(size)
                offset = offset.advanced(by: 1)
                remaining -= 1
                return isWhole ? .record(header) : .brokenBody(header)
            }
            if let gap = GapHeader.decode(bytes, offset: offset, seed: seed) {
                position += UInt64(Layout.recordHeaderBytes)
                offset = gap.upperBound
                remaining -= 1
                return .gap(gap)
            }
        }
        // A group may end before its count: recovery cuts the half entry at its end, and the next mark follows.
        guard bytes.count >= Layout.groupMarkBytes else { return .needs(bytes: Layout.groupMarkBytes) }
        guard let (mark, seed) = GroupMark.decode(bytes, context: context), mark.durableEnd == offset else {
            return .nothing
        }
        enter(mark, seed: seed)
        return .mark(mark)
    }

    /// Steps over a mark that was found by searching.
    mutating func jump(to mark: GroupMark, seed: UInt32, at position: UInt64) {
        self.position = position
        offset = mark.durableEnd
        enter(mark, seed: seed)
    }

    private mutating func enter(_ mark: GroupMark, seed: UInt32) {
        self.seed = seed
        remaining = mark.recordCount
        position += UInt64(Layout.groupMarkBytes)
    }
}
