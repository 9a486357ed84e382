// Which segments there are and what is known about each: shared by writer, readers and housekeeping, under one lock
// that is never held over a file call.

/// Names within the log's folder.
package enum FileName {
    package static let lock = "lock"
    package static let segmentSuffix = ".segment"
    package static let sparePrefix = "spare-"
    package static let damagedPrefix = "damaged-"

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

    init(identity: LogIdentity, folder: String, entries: [Entry]) {
        self.identity = identity
        self.folder = folder
        self.entries = entries
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

    // MARK: Writing

    mutating func groupIsDurable(first: Offset, end: Offset, from position: UInt64, to endPosition: UInt64) {
        guard let last = entries.indices.last else { return }
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
        entries.append(entry)
    }

    // MARK: Reading

    struct Pin {
        let path: String
        let base: Offset
        let file: (any File)?
        let walk: SegmentWalk
        let end: Offset
        let endPosition: UInt64
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
        var walk = entry.index.last { $0.offset <= offset } ?? .start(of: entry.base)
        for remembered in places
        where remembered.base == entry.base && remembered.walk.offset <= offset && remembered.walk.offset > walk.offset
        {
            walk = remembered.walk
        }
        return .pinned(
            Pin(
                path: entry.path, base: entry.base, file: entry.file, walk: walk, end: entry.end,
                endPosition: entry.endPosition))
    }

    /// Ends a read; `walk` is where the next one will probably begin.
    mutating func unpin(_ base: Offset, file: (any File)?, walk: SegmentWalk?) {
        guard let place = lastEntry(notAfter: base), entries[place].base == base else { return }
        entries[place].readers -= 1
        if let file, entries[place].file == nil {
            let open = entries.indices.dropLast().filter { entries[$0].file != nil }
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
