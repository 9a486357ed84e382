// What the log's writer decides, as a plain value: where the next group goes, what a failure means. The thread around
// it does what it says.

package struct WriterState: Equatable, Sendable {
    package let epoch: UInt64
    /// Offset of the next record; all below is durable.
    package private(set) var end: Offset
    /// Position of the next group in the active segment.
    package private(set) var position: UInt64
    /// Bytes of the active segment that may be written.
    package private(set) var capacity: UInt64
    /// Groups tried in this epoch. A group that failed keeps its number, so what it left behind fits no later one.
    package private(set) var groupNumber: UInt64 = 0
    package private(set) var poison: FileError?

    package init(epoch: UInt64, end: Offset, position: UInt64, capacity: UInt64) {
        self.epoch = epoch
        self.end = end
        self.position = position
        self.capacity = capacity
    }

    /// Bytes of records that a group in the active segment may have.
    package var room: Int {
        let used = position + UInt64(Layout.groupMarkBytes)
        return capacity > used ? Int(capacity - used) : 0
    }

    /// Bytes that a new segment needs, so that an entry of this size fits.
    package func newSegmentBytes(entryBytes: Int, segmentBytes: UInt64) -> UInt64 {
        max(segmentBytes, UInt64(Layout.segmentHeaderBytes + Layout.groupMarkBytes + entryBytes))
    }

    package static func room(inNewSegmentOf bytes: UInt64) -> Int {
        Int(bytes) - Layout.segmentHeaderBytes - Layout.groupMarkBytes
    }

    package mutating func beginGroup(records: Int, bytes: Int, time: Int64) -> GroupMark {
        groupNumber += 1
        return GroupMark(
            epoch: epoch, number: groupNumber, durableEnd: end, recordCount: UInt32(records),
            bytes: UInt64(Layout.groupMarkBytes + bytes), time: time)
    }

    package mutating func groupIsDurable(records: Int, bytes: Int) {
        end = end.advanced(by: records)
        position += UInt64(Layout.groupMarkBytes + bytes)
    }

    /// A group is durable that began a segment of this capacity.
    package mutating func groupIsDurable(records: Int, bytes: Int, inNewSegmentOf capacity: UInt64) {
        position = UInt64(Layout.segmentHeaderBytes)
        self.capacity = capacity
        groupIsDurable(records: records, bytes: bytes)
    }

    package enum Step: Equatable, Sendable {
        /// Making the file of a new segment.
        case makeSegment
        case writeActive
        case writeNew
        case sync
        case renameSegment
        case syncFolder
        case cutBack
    }

    package enum Reaction: Equatable, Sendable {
        /// Nothing was written: refuse the group as full, go on.
        case refuse
        /// Cut the active segment behind the last durable record, then refuse the group as full and go on.
        case cutBack
        /// Remove the file of the new segment, then refuse the group as full and go on.
        case dropNewSegment
        /// Stop for good. Whether the failed bytes are on disk is unknown, and asking again would prove nothing.
        case poison
    }

    package mutating func failed(_ error: FileError, at step: Step) -> Reaction {
        if error.isOutOfSpace {
            switch step {
            case .makeSegment: return .refuse
            case .writeActive: return .cutBack
            case .writeNew, .renameSegment: return .dropNewSegment
            case .sync, .syncFolder, .cutBack: break
            }
        }
        poison = poison ?? error
        return .poison
    }

    /// The active segment ends at the last durable record and takes no more.
    package mutating func wasCutBack() {
        capacity = position
    }

    package mutating func poisoned(by error: FileError) {
        poison = poison ?? error
    }
}
