// Which segments there are and what is known about each: shared by writer, readers and housekeeping, under one lock
// that is never held over a file call.

/// Names within the log's folder.
package enum FileName {
    package static let lock = "lock"
    package static let segmentSuffix = ".segment"
    package static let sparePrefix = "spare-"
    package static let damagedPrefix = "damaged-"
    /// A segment that is being rewritten; removed at open.
    package static let rewritePrefix = "rewrite-"
    /// Who has how much of which passed segment; can be found out again.
    package static let shares = "shares"

    package static func segment(_ base: Offset) -> String {
        let digits = String(base.rawValue)
        return String(repeating: "0", count: 20 - digits.utf8.count) + digits + segmentSuffix
    }

    package static func base(ofSegment name: String) -> Offset? {
        guard name.hasSuffix(segmentSuffix), name.utf8.count == 20 + segmentSuffix.utf8.count,
            name.utf8.first != UInt8(ascii: "+"), let base = UInt64(name.prefix(20))
        else { return nil }
        return Offset(base)
    }
}

struct SegmentTable {
    struct Entry {
        let path: String
        let base: Offset
        let epoch: UInt64
        /// Nil while nobody needed it.
        var file: (any File)?
        /// Offset behind the last durable record. May be less than the next entry's base: the rest is lost.
        var end: Offset
        /// Position behind the last durable record; in older segments the file's size.
        var endPosition: UInt64
        /// What the file occupies.
        var allocatedBytes: UInt64
        /// Group starts, at least `indexStride` bytes apart.
        var index: [SegmentWalk]
        /// Reads under way; such a file is not recycled.
        var readers = 0
        /// Kept for a person to look at when it has been passed.
        var isDamaged = false
        /// What is in it by replica set. Nil: not known yet.
        var shares: SegmentShares?
        /// Of a rewritten segment: what is not in it any more.
        var leftOut: LeftOut?
        /// Its successor is about to take its name: the file stays open, whoever opens the name may find either.
        var isBeingReplaced = false
        /// By which the file is known (``SegmentFace``).
        var stamp: UInt32 = 0
        /// Tells the segment from those that had, or will have, its name.
        var serial = 0

        /// Its first group.
        var start: SegmentWalk { index.first ?? .start(of: base) }
        var contentBytes: UInt64 { shares.map { $0.sets.values.reduce(0) { $0 + $1.bytes } } ?? allocatedBytes }
    }

    /// A file that is ready to become a segment.
    struct Spare {
        let path: String
        let file: any File
        let bytes: UInt64
    }

    static let indexStride: UInt64 = 1 << 20
    private static let openFiles = 16
    private static let rememberedPlaces = 64

    let identity: LogIdentity
    let folder: String
    /// In ascending order of offsets; the last is the one being written.
    var entries: [Entry]
    var spares: [Spare] = []
    /// Known damage in segments that are still here; each is reported once.
    private var damage: Set<LogDamage> = []
    private(set) var damagedRanges: UInt64 = 0
    private var places: [(base: Offset, walk: SegmentWalk)] = []
    private var nextPlace = 0
    private var nextSpareNumber = 0
    private var nextSerial = 1
    /// What the caller last said; nil: nothing yet.
    private(set) var finished: FinishedOffsets?
    /// What follows from that; as of the last ``review(floor:segmentBytes:)``.
    private var passedBelow: Offset?
    private(set) var unfinishedBytes: [UInt16: UInt64] = [:]
    private(set) var reclaimableBytes: UInt64 = 0

    init(identity: LogIdentity, folder: String, entries: [Entry]) {
        self.identity = identity
        self.folder = folder
        self.entries = []
        for entry in entries { add(entry) }
    }

    mutating func add(_ entry: Entry) {
        entries.append(numbered(entry))
    }

    private mutating func numbered(_ entry: Entry) -> Entry {
        var entry = entry
        entry.serial = nextSerial
        nextSerial += 1
        return entry
    }

    var start: Offset {
        entries.first?.base ?? .zero
    }

    var allocatedBytes: UInt64 {
        entries.reduce(0) { $0 + $1.allocatedBytes }
    }

    var spareBytes: UInt64 {
        spares.reduce(0) { $0 + $1.bytes }
    }

    /// Bytes left in the segment that is being written.
    var activeRoom: UInt64 {
        guard let active = entries.last, active.allocatedBytes > active.endPosition else { return 0 }
        return active.allocatedBytes - active.endPosition
    }

    mutating func makeSparePath() -> String {
        defer { nextSpareNumber += 1 }
        return "\(folder)/\(FileName.sparePrefix)\(nextSpareNumber)"
    }

    mutating func makeRewritePath() -> String {
        defer { nextSpareNumber += 1 }
        return "\(folder)/\(FileName.rewritePrefix)\(nextSpareNumber)"
    }

    // MARK: Writing

    mutating func groupIsDurable(
        first: Offset, end: Offset, from position: UInt64, to endPosition: UInt64, shares: SegmentShares
    ) {
        guard let last = entries.indices.last else { return }
        entries[last].shares?.add(shares)
        entries[last].end = end
        entries[last].endPosition = endPosition
        if position >= (entries[last].index.last?.position ?? 0) + Self.indexStride {
            entries[last].index.append(SegmentWalk(position: position, offset: first))
        }
    }

    /// The file was cut behind the last durable record; no more can be written to it.
    mutating func activeWasCut() {
        guard let last = entries.indices.last else { return }
        entries[last].allocatedBytes = entries[last].endPosition
    }

    mutating func segmentBegan(_ entry: Entry) {
        // A segment in which nothing became durable is replaced by its successor, which has the same name.
        if let last = entries.last, last.base == entry.base { entries.removeLast() }
        add(entry)
    }

    // MARK: Reading

    struct Pin {
        let path: String
        let base: Offset
        let file: (any File)?
        let walk: SegmentWalk
        /// The segment's first group.
        let start: SegmentWalk
        let end: Offset
        let endPosition: UInt64
        let stamp: UInt32
        let serial: Int
    }

    enum Lookup {
        case pinned(Pin)
        case passed(start: Offset)
        case lost(LogDamage)
    }

    /// Finds the segment that holds the record and keeps it from being recycled until `unpin`.
    mutating func pin(_ offset: Offset) -> Lookup {
        guard offset >= start, let place = lastEntry(notAfter: offset) else { return .passed(start: start) }
        if offset >= entries[place].end {
            let next = place + 1 < entries.count ? entries[place + 1].base : offset.advanced(by: 1)
            return .lost(
                LogDamage(
                    lost: entries[place].end..<next, path: entries[place].path,
                    reason: "the records behind this segment's end are missing"))
        }
        entries[place].readers += 1
        let entry = entries[place]
        var walk = entry.index.last { $0.offset <= offset } ?? entry.start
        for remembered in places
        where remembered.base == entry.base && remembered.walk.offset <= offset && remembered.walk.offset > walk.offset
        {
            walk = remembered.walk
        }
        return .pinned(
            Pin(
                path: entry.path, base: entry.base, file: entry.file, walk: walk, start: entry.start,
                end: entry.end, endPosition: entry.endPosition, stamp: entry.stamp,
                serial: entry.serial))
    }

    /// Whether the segment is still the one that was pinned.
    func isCurrent(_ pin: Pin) -> Bool { place(of: pin) != nil }

    private func place(of pin: Pin) -> Int? {
        guard let place = lastEntry(notAfter: pin.base), entries[place].serial == pin.serial else { return nil }
        return place
    }

    /// Ends a read; `walk` is where the next one will probably begin. Nothing is remembered of a segment that was
    /// replaced meanwhile.
    mutating func unpin(_ pin: Pin, file: (any File)?, walk: SegmentWalk?) {
        guard let place = place(of: pin) else { return }
        let base = pin.base
        entries[place].readers -= 1
        if let file, entries[place].file == nil {
            let open = entries.indices.dropLast().filter {
                entries[$0].file != nil && !entries[$0].isBeingReplaced
            }
            if open.count >= Self.openFiles, let oldest = open.first { entries[oldest].file = nil }
            entries[place].file = file
        }
        guard let walk else { return }
        if let known = places.firstIndex(where: { $0.walk == walk && $0.base == base }) {
            places[known] = (base, walk)
        } else if places.count < Self.rememberedPlaces {
            places.append((base, walk))
        } else {
            places[nextPlace] = (base, walk)
            nextPlace = (nextPlace + 1) % Self.rememberedPlaces
        }
    }

    /// True if this damage was not known.
    mutating func note(_ newDamage: LogDamage, in base: Offset) -> Bool {
        if let place = lastEntry(notAfter: base), entries[place].base == base { entries[place].isDamaged = true }
        guard damage.insert(newDamage).inserted else { return false }
        damagedRanges += 1
        return true
    }

    private func lastEntry(notAfter offset: Offset) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].base <= offset { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// The last record that is not there any more and concerns the reader, with the first place from which it lacks one.
    func leftOut(from offset: Offset, where concerns: (UInt16) -> Bool) -> Range<Offset>? {
        var range: Range<Offset>?
        for entry in entries where entry.end > offset {
            guard let leftOut = entry.leftOut else { continue }
            var last = leftOut.isUnknown ? entry.end.advanced(by: -1) : nil
            for (set, records) in leftOut.sets where records.last >= offset && concerns(set) {
                last = max(last ?? records.last, records.last)
            }
            guard let last else { continue }
            range = (range?.lowerBound ?? max(offset, entry.base))..<last.advanced(by: 1)
        }
        return range
    }

    // MARK: Rewriting

    mutating func learn(_ shares: SegmentShares, from base: Offset, to end: Offset) {
        guard let place = lastEntry(notAfter: base), entries[place].base == base, entries[place].end == end,
            entries[place].shares == nil
        else { return }
        entries[place].shares = shares
    }

    /// What the caller says of the replica sets; everything that follows from it is found by ``review``.
    mutating func setFinished(_ finished: FinishedOffsets) { self.finished = finished }

    /// Goes through all segments. Costs a step per segment and replica set.
    ///
    /// - Parameter floor: below it all cursors have passed.
    mutating func review(floor: Offset?, segmentBytes: UInt64) {
        passedBelow = nil
        unfinishedBytes = [:]
        reclaimableBytes = 0
        guard let finished else { return }
        var unfinishedFrom: Offset?
        for entry in entries.dropLast() where entry.shares.map({ !$0.isFinished(finished) }) ?? true {
            // What is not known yet is judged by the set that is furthest behind.
            if entry.shares == nil, entry.end <= finished.lowest { continue }
            unfinishedFrom = entry.base
            break
        }
        passedBelow = min(floor ?? .zero, unfinishedFrom ?? entries.last?.base ?? .zero)
        for entry in entries {
            for (set, share) in entry.shares?.sets ?? [:] {
                unfinishedBytes[set, default: 0] += share.unfinishedBytes(below: finished[set])
            }
        }
        reclaimableBytes = reclaimable(finished, segmentBytes: segmentBytes)
    }

    /// What of the offsets below a floor may be deleted: nothing that is unfinished.
    func deletable(below floor: Offset) -> Offset { min(floor, passedBelow ?? floor) }

    /// Bytes that rewriting would free: of segments that cannot be deleted as a whole.
    private func reclaimable(_ finished: FinishedOffsets, segmentBytes: UInt64) -> UInt64 {
        guard finished.isDivided else { return 0 }
        return rewriteChoices(finished, keptBytes: 0).reduce(0) {
            $0 + ($1.isWorth(segmentBytes: segmentBytes, isShort: true) ? $1.gain : 0)
        }
    }

    /// Bytes that could be deleted or rewritten away, were the sets finished so far.
    func freeable(_ finished: FinishedOffsets, segmentBytes: UInt64) -> UInt64 {
        let floor = finished.lowest
        let passed = passedBytes(below: floor)
        var rest = self
        rest.entries.removeFirst(passedCount(below: floor))
        return passed + rest.reclaimable(finished, segmentBytes: segmentBytes)
    }

    /// The segments as ``RewritePlan`` sees them, all but the one being written.
    func rewriteChoices(_ finished: FinishedOffsets, keptBytes: UInt64) -> [RewritePlan.Choice] {
        let passed = passedCount(below: passedBelow ?? .zero)
        var history: UInt64 = 0
        var choices: [RewritePlan.Choice] = []
        for place in entries.indices.dropLast().reversed() {
            let entry = entries[place]
            guard place >= passed, let shares = entry.shares, !entry.isDamaged, !entry.isBeingReplaced,
                entry.end == entries[place + 1].base
            else {
                choices.append(
                    .init(bytes: entry.allocatedBytes, kept: entry.allocatedBytes, finished: 0, isAble: false))
                continue
            }
            let kept = shares.keptAtMost(finished)
            // Per record that is kept a gap before it at the most.
            let overhead =
                RewriteHeader.contentStart + UInt64(Layout.recordHeaderBytes) * (kept.records + 1)
                + kept.bytes / RewriteOutput.groupBytes * UInt64(Layout.groupMarkBytes)
                + UInt64(Layout.groupMarkBytes)
                + UInt64(
                    ShareTable.rowBytes * Set(shares.sets.keys).union(entry.leftOut?.sets.keys.map { $0 } ?? []).count)
            var choice = RewritePlan.Choice(
                bytes: entry.allocatedBytes, kept: kept.bytes + overhead, finished: entry.contentBytes - kept.bytes)
            history += choice.finished > 0 ? choice.gain : 0
            choice.isHistory = history <= keptBytes
            choices.append(choice)
        }
        return choices.reversed()
    }

    private func places(of serials: [Int]) -> Range<Int>? {
        guard let first = entries.firstIndex(where: { $0.serial == serials.first }),
            first + serials.count < entries.count,
            entries[first..<first + serials.count].map(\.serial) == serials
        else { return nil }
        return first..<first + serials.count
    }

    /// False: they are not what they were.
    mutating func beginReplacing(_ serials: [Int], _ files: [any File]) -> Bool {
        guard let range = places(of: serials) else { return false }
        for (place, file) in zip(range, files) {
            entries[place].isBeingReplaced = true
            entries[place].file = file
        }
        return true
    }

    mutating func endReplacing(_ serials: [Int]) {
        for place in places(of: serials) ?? 0..<0 { entries[place].isBeingReplaced = false }
    }

    mutating func markDamaged(_ serial: Int) {
        if let place = entries.firstIndex(where: { $0.serial == serial }) { entries[place].isDamaged = true }
    }

    /// Puts a rewritten segment in the place of those that went into it. Nil: they are not what they were.
    mutating func replace(_ serials: [Int], by entry: Entry) -> [Entry]? {
        guard let range = places(of: serials) else { return nil }
        let old = Array(entries[range])
        entries.replaceSubrange(range, with: [numbered(entry)])
        places.removeAll { place in old.contains { $0.base == place.base } }
        nextPlace = 0
        return old
    }

    // MARK: Deleting

    /// The oldest segment, if all its records lie below `floor`; never the one being written. Takes it out.
    mutating func takePassed(below floor: Offset) -> Entry? {
        guard entries.count > 1, entries[1].base <= floor else { return nil }
        let entry = entries.removeFirst()
        places.removeAll { $0.base == entry.base }
        nextPlace = 0
        let start = start
        damage = damage.filter { $0.lost.upperBound > start }
        return entry
    }

    /// How many segments hold only records below `floor`; never the one being written.
    private func passedCount(below floor: Offset) -> Int {
        lastEntry(notAfter: floor) ?? 0
    }

    /// What those occupy.
    func passedBytes(below floor: Offset) -> UInt64 {
        entries[..<passedCount(below: floor)].reduce(0) { $0 + $1.allocatedBytes }
    }

    /// The start after everything below `floor` has been deleted, but for the newest segments of `kept` bytes.
    func start(afterDeletingBelow floor: Offset, keeping kept: UInt64) -> Offset {
        var first = passedCount(below: floor)
        var left = kept
        while first > 0, entries[first - 1].allocatedBytes <= left {
            first -= 1
            left -= entries[first].allocatedBytes
        }
        return first < entries.count ? entries[first].base : start
    }
}
