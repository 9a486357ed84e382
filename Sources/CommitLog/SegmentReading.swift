// From a place in a segment to whole, checked records in the caller's buffer, or to the exact range that is lost.

extension SegmentFile {
    /// What a reader may see of the segment.
    struct Bounds {
        /// Reads stop here: the durable end, or the end of the segment.
        let limit: Offset
        /// Bytes of the file that are worth reading.
        let endPosition: UInt64
    }

    struct Outcome {
        let result: ReadResult
        /// Where the next read will probably begin.
        let next: SegmentWalk?
    }

    /// Fills the buffer with whole records from `offset` on, which must be less than the limit. `walk` is a known place
    /// at or before it.
    func read(
        from offset: Offset, walk: SegmentWalk, bounds: Bounds, into buffer: UnsafeMutableRawBufferPointer
    ) throws(FileError) -> Outcome {
        var walk = walk
        if let obstacle = try approach(offset, &walk, bounds) { return obstacle }
        let began = walk.position
        let wanted = min(UInt64(buffer.count), bounds.endPosition > began ? bounds.endPosition - began : 0)
        let count = try read(at: began, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(wanted)]))
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        var records: [RecordView] = []
        var gaps: [Range<Offset>] = []
        parse: while walk.offset < bounds.limit {
            let place = Int(walk.position - began)
            let before = walk
            switch walk.next(Layout.slice(bytes, place..<count), context: context) {
            case .mark:
                continue
            case .gap(let gap):
                if let last = gaps.last, last.upperBound == gap.lowerBound {
                    gaps[gaps.count - 1] = last.lowerBound..<gap.upperBound
                } else {
                    gaps.append(gap)
                }
            case .record(let header):
                let body = place + Layout.recordHeaderBytes
                records.append(
                    RecordView(
                        offset: header.offset, kind: header.kind, replicaSet: header.replicaSet,
                        appendTime: header.time, endsEntry: header.endsEntry,
                        body: body..<body + Int(header.bodyBytes)))
            case .brokenBody(let header):
                guard records.isEmpty, gaps.isEmpty else {
                    walk = before
                    break parse
                }
                let lost = header.offset..<header.offset.advanced(by: 1)
                return Outcome(
                    result: .lost(LogDamage(lost: lost, path: path, reason: "the record's checksum is wrong")),
                    next: walk)
            case .needs(let needed):
                guard records.isEmpty, gaps.isEmpty else { break parse }
                if place + needed > buffer.count && began + UInt64(place + needed) <= bounds.endPosition {
                    return Outcome(result: .needs(bytes: place + needed), next: before)
                }
                return Outcome(result: .lost(try damage(at: walk, bounds)), next: nil)
            case .nothing:
                guard records.isEmpty, gaps.isEmpty else { break parse }
                return Outcome(result: .lost(try damage(at: walk, bounds)), next: nil)
            }
        }
        guard walk.offset > offset else { return Outcome(result: .atEnd, next: nil) }
        return Outcome(result: .records(records, gaps: gaps, next: walk.offset), next: walk)
    }

    /// Steps on to `offset` by headers alone. Returns the damage that hides it, or the gap that it lies in.
    private func approach(
        _ offset: Offset, _ walk: inout SegmentWalk, _ bounds: Bounds
    ) throws(FileError) -> Outcome? {
        guard walk.offset < offset else { return nil }
        var window = SlidingBuffer(bytes: 256 << 10)
        while walk.offset < offset {
            let bytes = try window.bytes(of: self, at: walk.position, minimum: Layout.groupMarkBytes)
            let before = walk
            var step = walk.next(bytes, context: context, checkBody: false)
            if walk.position > bounds.endPosition {
                // Whatever its checksum says: no record goes beyond the end.
                walk = before
                step = .nothing
            }
            switch step {
            case .mark, .record, .brokenBody:
                continue
            case .gap(let gap):
                guard gap.upperBound > offset else { continue }
                let rest = offset..<gap.upperBound
                return Outcome(result: .records([], gaps: [rest], next: rest.upperBound), next: walk)
            case .needs, .nothing:
                let found = try findMark(from: walk.position, after: walk.offset)
                guard let found, found.mark.durableEnd <= offset else {
                    let end = min(found?.mark.durableEnd ?? bounds.limit, bounds.limit)
                    let damage = LogDamage(lost: offset..<end, path: path, reason: "neither record nor mark")
                    return Outcome(result: .lost(damage), next: nil)
                }
                walk.jump(to: found.mark, seed: found.seed, at: found.position)
            }
        }
        return nil
    }

    private func damage(at walk: SegmentWalk, _ bounds: Bounds) throws(FileError) -> LogDamage {
        let found = try findMark(from: walk.position, after: walk.offset)
        let end = min(found?.mark.durableEnd ?? bounds.limit, bounds.limit)
        return LogDamage(lost: walk.offset..<end, path: path, reason: "neither record nor mark")
    }
}
