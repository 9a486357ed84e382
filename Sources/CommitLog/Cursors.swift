// Cursors: how far each reader has come. Kept in memory, made durable by checkpoints; they decide what may be deleted.

struct CursorTable {
    var current: [String: Offset]
    /// As they stand in the ledger.
    var durable: [String: Offset]
    /// Deletion of everything below has been decided.
    var deletedBelow = Offset.zero

    /// Everything below may be deleted. Nil: there are no cursors, so nothing may.
    var floor: Offset? {
        let all = [current.values.min(), durable.values.min()].compactMap { $0 }
        return all.min()
    }
}

extension CommitLog {
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
}
