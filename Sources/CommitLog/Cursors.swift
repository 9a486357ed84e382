// Cursors: how far each reader has come; they decide what may be deleted. Notes: small facts that must be as durable
// as the cursors are, and never be newer or older than they. Both are kept in memory and made durable by checkpoints.

/// What the ledger is to say beside the log's own state; taken as a whole by each checkpoint.
struct CursorTable {
    var current: [String: Offset]
    /// As they stand in the ledger.
    var durable: [String: Offset]
    var notes: [String: [UInt8]]
    /// Deletion of everything below has been decided.
    var deletedBelow = Offset.zero

    /// Everything below may be deleted. Nil: there are no cursors, so nothing may.
    var floor: Offset? {
        let all = [current.values.min(), durable.values.min()].compactMap { $0 }
        return all.min()
    }
}

/// Why a note was not taken; the one before it is still there.
package enum NoteError: Error, Equatable, CustomStringConvertible {
    case tooLarge(name: String, bytes: Int, limit: Int)
    case tooMany(limit: Int)
    /// All notes together, names included.
    case noRoom(bytes: Int, limit: Int)

    package var description: String {
        switch self {
        case .tooLarge(let name, let bytes, let limit):
            "the note \(name) of \(bytes) bytes does not fit beside the log; the limit is \(limit)"
        case .tooMany(let limit):
            "there are \(limit) notes beside the log already, and no more are taken"
        case .noRoom(let bytes, let limit):
            "the notes beside the log would have \(bytes) bytes in all; the limit is \(limit)"
        }
    }
}

extension CommitLog {
    // MARK: Cursors

    /// Remembers that `name` has applied all below `offset`, which must not lie beyond ``durableEnd``. Going back is
    /// allowed. It becomes durable with the next checkpoint; from now on nothing at or above it is deleted.
    ///
    /// Returns false if the log no longer holds all records from there on.
    @discardableResult
    package func setCursor(_ name: String, to offset: Offset) -> Bool {
        precondition(offset <= durableEnd, "cursor \(name) would stand at \(offset), beyond the durable end")
        return cursorTable.withLock { cursors in
            cursors.current[name] = offset
            return offset >= max(cursors.deletedBelow, start)
        }
    }

    package func cursor(_ name: String) -> Offset? {
        cursorTable.withLock { $0.current[name] }
    }

    package var cursors: [String: Offset] {
        cursorTable.withLock { $0.current }
    }

    /// As they stand on disk.
    package var durableCursors: [String: Offset] {
        cursorTable.withLock { $0.durable }
    }

    /// Forgets a cursor; with the next checkpoint it no longer keeps segments from being deleted.
    package func removeCursor(_ name: String) {
        cursorTable.withLock { $0.current[name] = nil }
    }

    // MARK: Notes

    /// Bytes of one note.
    package static let maximumNoteBytes = 64 << 10
    package static let maximumNotes = 1024
    /// Bytes of all notes and their names: they are written again with every checkpoint.
    package static let maximumBytesOfNotes = 4 << 20

    /// Keeps a small fact beside the cursors; nil removes it. It becomes durable with the next checkpoint, in one
    /// piece with all cursors and notes that were set before it. Of two changes the second is never durable without
    /// the first, whichever of both they are.
    package func setNote(_ name: String, _ bytes: [UInt8]?) throws(NoteError) {
        try cursorTable.withLock { (table: inout CursorTable) throws(NoteError) in
            guard let bytes else {
                table.notes[name] = nil
                return
            }
            guard bytes.count <= Self.maximumNoteBytes else {
                throw .tooLarge(name: name, bytes: bytes.count, limit: Self.maximumNoteBytes)
            }
            guard table.notes[name] != nil || table.notes.count < Self.maximumNotes else {
                throw .tooMany(limit: Self.maximumNotes)
            }
            var all = name.utf8.count + bytes.count
            for (other, note) in table.notes where other != name { all += other.utf8.count + note.count }
            guard all <= Self.maximumBytesOfNotes else { throw .noRoom(bytes: all, limit: Self.maximumBytesOfNotes) }
            table.notes[name] = bytes
        }
    }

    package func note(_ name: String) -> [UInt8]? {
        cursorTable.withLock { $0.notes[name] }
    }

    package var notes: [String: [UInt8]] {
        cursorTable.withLock { $0.notes }
    }
}
