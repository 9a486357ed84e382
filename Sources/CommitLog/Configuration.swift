// The log's limits and what it says about itself: configuration, recovery report, figures.

extension CommitLog {
    package struct Configuration: Sendable {
        /// The log's own folder; made with mode 0700 if missing. Nothing else may live in it.
        package var directory: String
        /// Bytes preallocated per segment file. An entry that is larger gets a segment of its own size.
        package var segmentBytes: UInt64 = 64 << 20
        /// Bytes that segment files may occupy; nil: half of the file system, at least 10 GiB.
        package var maximumBytes: UInt64?
        /// Bytes of passed segments that are kept for nodes that go back in time; given up when room is needed.
        package var keptBytes: UInt64 = 1 << 30
        /// Free bytes that new segments must leave on the file system; nil: 1 GiB or a twentieth of the file
        /// system, whichever is less.
        package var minimumFreeBytes: UInt64?
        /// Bytes that may wait for the disk, over all appenders; beyond it `append` throws `.overloaded`.
        package var maximumPendingBytes = 32 << 20
        /// The largest entry, in bytes on disk.
        package var maximumEntryBytes = 512 << 20
        /// Bytes of the room that only refusals may use, at most an eighth of all: where the log is full, they are what
        /// lets cursors pass.
        package var refusalReserve: UInt64 = 0
        /// Time between checkpoints of the cursors, between looks at the free space, and between deletions.
        package var checkpointInterval: Duration = .seconds(1)
        /// Passed segments kept for reuse, and new ones made ahead of need.
        package var spareSegments = 2
        /// Of a log that is made; nil: drawn at random.
        package var identity: LogIdentity?
        /// Who turns the wheels. Tests that own time and crashes turn them by hand.
        package var driving: Driving = .ownThreads

        package init(directory: String) {
            self.directory = directory
        }
    }

    package enum Driving: Sendable {
        /// The log has a thread that writes and one that keeps house.
        case ownThreads
        /// The caller calls `writePending()` and `keepHouse()`.
        case caller
    }
}

/// What opening the log found and did. Worth a log line at every start.
package struct RecoveryReport: Sendable, Equatable {
    /// The folder held no log; one was made.
    package var isNew = false
    /// The log was closed in order the last time.
    package var wasClosedCleanly = false
    /// The oldest offset that is still held.
    package var start = Offset.zero
    /// All below is durable.
    package var durableEnd = Offset.zero
    /// Whole records of an unfinished entry or group that were cut off at the end.
    package var tornRecords = 0
    /// Bytes cut off at the end because a crash left them torn.
    package var tornBytes: UInt64 = 0
    /// Damage below the durable end that was found while opening: the records are lost, nodes whose cursor lies
    /// below a range's end need a copy. Older segments are only checked when they are read.
    package var damage: [LogDamage] = []
    /// Cursors that stood beyond the end: something went back in time. They were set to the end; their nodes
    /// need a copy.
    package var cursorsBeyondEnd: [String: Offset] = [:]
    /// The file with the cursors was missing or damaged: all cursors are unknown.
    package var cursorsLost = false
    /// Things that a person should look at: wide permissions, files that do not belong here.
    package var warnings: [String] = []
    /// Time that opening took.
    package var duration: Duration = .zero

    package init() {}
}

/// A range of offsets that cannot be read any more.
package struct LogDamage: Sendable, Hashable, CustomStringConvertible {
    package let lost: Range<Offset>
    /// The file, kept as it is (and never recycled), for a person to look at.
    package let path: String
    package let reason: String

    package init(lost: Range<Offset>, path: String, reason: String) {
        self.lost = lost
        self.path = path
        self.reason = reason
    }

    package var description: String {
        "records \(lost.lowerBound) to \(lost.upperBound) (exclusive) are lost: \(reason) in \(path)"
    }
}

/// The log's own figures at one moment, for metrics and status.
package struct LogFigures: Sendable, Equatable {
    /// Since the log was opened.
    package var groups: UInt64 = 0
    package var records: UInt64 = 0
    package var entries: UInt64 = 0
    /// Bytes appended, headers included.
    package var bytes: UInt64 = 0
    package var failedRecords: UInt64 = 0
    /// Nanoseconds that writing and syncing took, all groups together.
    package var writeNanoseconds: UInt64 = 0
    package var syncNanoseconds: UInt64 = 0
    package var lastSyncNanoseconds: UInt64 = 0
    package var slowestSyncNanoseconds: UInt64 = 0
    package var checkpoints: UInt64 = 0
    package var failedCheckpoints: UInt64 = 0
    package var deletedSegments: UInt64 = 0
    /// Segments that were written anew without what was finished, the bytes that were written, and those that were won.
    package var rewrittenSegments: UInt64 = 0
    package var rewrittenBytes: UInt64 = 0
    package var reclaimedBytes: UInt64 = 0
    package var damagedRanges: UInt64 = 0
    /// Now.
    package var segments = 0
    package var spareSegments = 0
    package var pendingBytes = 0
    package var usedBytes: UInt64 = 0
    /// Of these, segments that all cursors have passed.
    package var keptBytes: UInt64 = 0
    /// Bytes that can still be appended, headers included, while the cursors stay where they are.
    package var roomBytes: UInt64 = 0
    /// The least that a replica set above its part of the log may still append, or all the room.
    package var tightestRoomBytes: UInt64 = 0
    /// Unfinished bytes by replica set, as far as they are in use; their part each, 0 while the log is not divided.
    package var backlogBytes: [UInt16: UInt64] = [:]
    package var partBytes: UInt64 = 0
    package var segmentBytes: UInt64 = 0
    package var maximumBytes: UInt64 = 0
    /// As of the last look.
    package var freeBytes: UInt64 = 0
    package var minimumFreeBytes: UInt64 = 0
    package var isPoisoned = false
    /// No further segment may be begun; appends are taken while the present one has room.
    package var isFull = false

    package init() {}
}
