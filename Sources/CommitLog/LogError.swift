// Every way in which the log says no, as values with advice: callers decide by the case, people read the text.

import Glibc

/// A file call that failed.
package struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Operation: String, Sendable {
        case makeFolder = "make folder"
        case list, open, create, read, write, allocate, truncate, sync, lock, rename, remove
        case syncFolder = "sync folder"
        case space = "ask for free space on"
    }

    package let errno: Int32
    package let operation: Operation
    package let path: String

    package init(errno: Int32, operation: Operation, path: String) {
        self.errno = errno
        self.operation = operation
        self.path = path
    }

    /// The disk or a quota is full: nothing is broken, there is only no room now.
    package var isOutOfSpace: Bool {
        errno == ENOSPC || errno == EDQUOT
    }

    package var description: String {
        "cannot \(operation.rawValue) \(path): \(String(cString: strerror(errno))) (errno \(errno))"
    }
}

/// Why the log cannot do what was asked.
package enum LogError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What there is no room for. Passes when space is freed or nodes catch up: a 503 with `Retry-After`.
    package enum Shortage: Equatable, Sendable {
        /// The log holds as many bytes as it may.
        case maximumBytes(UInt64)
        /// The file system has less free space than must be left.
        case minimumFreeBytes(UInt64)
        /// The file system said no.
        case disk(FileError)
        /// The backlog of this replica set is above its part of the log, and the rest is for other sets: bytes of both.
        case part(replicaSet: UInt16, backlog: UInt64, part: UInt64)
    }

    /// The log may not grow now. Nothing was staged.
    case full(Shortage)
    /// Too much is waiting for the disk; ask again in some milliseconds. Nothing was staged.
    case overloaded(pendingBytes: Int)
    /// A write or sync failed earlier: nothing can be appended until the log is opened anew. What is durable
    /// can still be read.
    case poisoned(FileError)
    /// The log was closed.
    case closed
    /// An entry of this many bytes can never be stored.
    case tooLarge(bytes: Int, limit: Int)
    /// Another process holds the log.
    case locked(path: String)
    /// A file call failed while opening or reading.
    case file(FileError)
    /// The records asked for have been deleted, because every cursor had passed them.
    case passed(start: Offset)
    /// The offset lies beyond the durable end.
    case beyondEnd(Offset, durableEnd: Offset)
    /// The file has a format of another version of Sluice.
    case unsupportedFormat(path: String, version: UInt32)
    /// A file belongs to another log.
    case foreign(path: String, found: LogID, expected: LogID)
    /// Nothing in the folder says which log it is.
    case unidentified(path: String)
    /// There is no log in the folder.
    case noLog(path: String)
    /// A segment was rewritten by a running gateway while the log was being looked at.
    case replaced(path: String)

    package var description: String {
        switch self {
        case .full(.maximumBytes(let bytes)):
            "the log is full (\(bytes) bytes): bring the node with the oldest cursor back, or raise log.max_bytes"
        case .full(.minimumFreeBytes(0)):
            "the file system of the log is full: free some space"
        case .full(.minimumFreeBytes(let bytes)):
            "less than \(bytes) bytes are free on the file system of the log: free some, or lower log.min_free"
        case .full(.disk(let error)):
            "the disk of the log is full: \(error)"
        case .full(.part(let set, let backlog, let part)):
            "the log keeps \(backlog) bytes for nodes of replica set \(set) that lag behind; its part is \(part), the rest is "
                + "left to measurements of other nodes: bring its nodes back, or raise log.max_bytes"
        case .overloaded(let bytes):
            "\(bytes) bytes are waiting for the disk: slow down"
        case .poisoned(let error):
            "the log stopped taking records, because a file call failed: \(error); restart after the disk is well"
        case .closed:
            "the log is closed"
        case .tooLarge(let bytes, let limit):
            "an entry of \(bytes) bytes does not fit in the log; the limit is \(limit)"
        case .locked(let path):
            "another process holds the log in \(path): stop it, or use another data_dir"
        case .file(let error):
            "\(error)"
        case .passed(let start):
            "these records are gone; the log begins at offset \(start)"
        case .beyondEnd(let offset, let durableEnd):
            "offset \(offset) lies beyond the durable end \(durableEnd)"
        case .unsupportedFormat(let path, let version):
            "\(path) has format version \(version), which this version of Sluice does not know"
        case .foreign(let path, let found, let expected):
            "\(path) belongs to log \(found), not to \(expected): move it elsewhere"
        case .unidentified(let path):
            "neither the ledger nor any segment in \(path) can be read: restore them, or move the folder away"
        case .replaced(let path):
            "\(path) was just rewritten without finished records: look again"
        case .noLog(let path):
            "there is no commit log in \(path)"
        }
    }
}
