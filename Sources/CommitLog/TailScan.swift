// Reading the last segment through, to find where the log ends: what is whole, what is torn, what has rotted.

/// What a segment's content says about its end.
struct TailScan {
    /// Behind the last whole entry. Its offset is the log's end, unless ``lostTail`` says otherwise.
    private(set) var end: SegmentWalk
    /// Behind the last group whose durability is proven, by a later mark or the ledger.
    private(set) var proven: SegmentWalk
    /// Ranges that are damaged although they were durable, with intact records behind them.
    private(set) var damage: [LogDamage] = []
    /// The records from here to the ledger's durable end are gone; nothing behind them could be found.
    private(set) var lostTail: Range<Offset>?
    private(set) var tornRecords = 0
    private(set) var tornBytes: UInt64 = 0
    private(set) var newestEpoch: UInt64 = 0
    private(set) var index: [SegmentWalk]
    /// Torn records may be among them.
    private(set) var shares = SegmentShares()

    /// - Parameters:
    ///   - start: the segment's first group.
    ///   - durable: all below was durable, whatever the segment says; from the ledger.
    init(of segment: SegmentFile, from start: SegmentWalk, durable: Offset) throws(FileError) {
        var walk = start
        end = walk
        proven = walk
        index = [walk]
        var window = SlidingBuffer(bytes: 1 << 20)
        var minimum = Layout.groupMarkBytes
        var groupEnd: UInt64 = 0
        scan: while true {
            let before = walk
            let bytes = try window.bytes(of: segment, at: walk.position, minimum: minimum)
            let step = walk.next(bytes, context: segment.context)
            if case .needs(let needed) = step, needed > minimum, bytes.count >= minimum {
                minimum = needed
                continue
            }
            minimum = Layout.groupMarkBytes
            switch step {
            case .mark(let mark):
                groupEnd = before.position + mark.bytes
                enterGroup(mark, at: before)
            case .gap:
                end = walk
                if walk.offset <= durable { proven = walk }
            case .record(let header):
                shares.note(header.replicaSet, offset: header.offset, bytes: header.bytesOnDisk)
                if header.endsEntry || walk.offset <= durable { end = walk }
                if walk.offset <= durable { proven = walk }
            case .brokenBody, .needs, .nothing:
                let next = try segment.findMark(from: before.position, after: before.offset)
                if case .brokenBody = step, next != nil || walk.offset <= durable {
                    // The record is lost, and only it: its header says where the next one begins.
                    damage.append(
                        LogDamage(
                            lost: before.offset..<walk.offset, path: segment.path,
                            reason: "the record's checksum is wrong"))
                    end = walk
                    if walk.offset <= durable { proven = walk }
                    continue scan
                }
                if let next {
                    damage.append(
                        LogDamage(
                            lost: before.offset..<next.mark.durableEnd, path: segment.path,
                            reason: "neither record nor mark"))
                    walk = before
                    walk.jump(to: next.mark, seed: next.seed, at: next.position)
                    groupEnd = next.position + next.mark.bytes
                    var start = SegmentWalk(position: next.position, offset: next.mark.durableEnd)
                    start.seed = 0
                    enterGroup(next.mark, at: start)
                    continue scan
                }
                if before.offset < durable { lostTail = before.offset..<durable }
                tornRecords = max(0, end.offset.distance(to: before.offset))
                tornBytes = groupEnd > end.position ? groupEnd - end.position : 0
                break scan
            }
        }
    }

    /// The mark proves that everything before it was durable.
    private mutating func enterGroup(_ mark: GroupMark, at place: SegmentWalk) {
        end = place
        proven = place
        newestEpoch = max(newestEpoch, mark.epoch)
        if let last = index.last, place.position >= last.position + SegmentTable.indexStride { index.append(place) }
    }
}
