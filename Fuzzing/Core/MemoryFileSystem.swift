// A folder in memory: the log's real code runs on it, fast enough for a fuzzer, and every byte can be changed.

import CommitLog
import Glibc
import Synchronization

final class MemoryFileSystem: FileSystem {
    private struct Folder {
        var files: [String: MemoryFile] = [:]
        var isLocked = false
    }

    private let folder = Mutex(Folder())

    /// What all files may hold together; a damaged file must not make the log ask for more.
    private static let capacity = 64 << 20

    // MARK: What the fuzzer does to it

    /// But for the lock.
    var names: [String] { folder.withLock { $0.files.keys.sorted() } }

    func content(_ name: String) -> [UInt8]? { folder.withLock { $0.files[name] }?.bytes.withLock { $0 } }

    func place(_ name: String, _ content: [UInt8]?) {
        folder.withLock { $0.files[name] = content.map { MemoryFile(path: name, $0) } }
    }

    /// The process is gone, and its lock with it.
    func killProcess() { folder.withLock { $0.isLocked = false } }

    // MARK: FileSystem

    private func name(_ path: String) -> String { String(path.split(separator: "/").last ?? "") }

    private func error(_ code: Int32, _ operation: FileError.Operation, _ path: String) -> FileError {
        FileError(errno: code, operation: operation, path: path)
    }

    func makeFolder(_ path: String) throws(FileError) {}

    func permissions(of path: String) throws(FileError) -> UInt32 { 0o700 }

    func list(_ folder: String) throws(FileError) -> [String] { names + [FileName.lock] }

    func open(_ path: String, _ access: FileAccess) throws(FileError) -> any File {
        guard let file = folder.withLock({ $0.files[name(path)] }) else { throw error(ENOENT, .open, path) }
        return file
    }

    func create(_ path: String) throws(FileError) -> any File {
        let file = folder.withLock { folder -> MemoryFile? in
            guard folder.files[name(path)] == nil else { return nil }
            let file = MemoryFile(path: path, [])
            folder.files[name(path)] = file
            return file
        }
        guard let file else { throw error(EEXIST, .create, path) }
        return file
    }

    func lock(_ path: String) throws(FileError) -> (any FileLock)? {
        let isFree = folder.withLock { folder in
            defer { folder.isLocked = true }
            return !folder.isLocked
        }
        return isFree ? Lock(system: self) : nil
    }

    func rename(_ path: String, to newPath: String) throws(FileError) {
        let isThere = folder.withLock { folder in
            guard let file = folder.files.removeValue(forKey: name(path)) else { return false }
            folder.files[name(newPath)] = file
            return true
        }
        guard isThere else { throw error(ENOENT, .rename, path) }
    }

    func remove(_ path: String) throws(FileError) {
        guard folder.withLock({ $0.files.removeValue(forKey: name(path)) }) != nil else {
            throw error(ENOENT, .remove, path)
        }
    }

    func syncFolder(_ path: String) throws(FileError) {}

    func space(at path: String) throws(FileError) -> (total: UInt64, free: UInt64) { (1 << 40, 1 << 39) }

    private final class Lock: FileLock {
        let system: MemoryFileSystem

        init(system: MemoryFileSystem) { self.system = system }

        func release() { system.killProcess() }
    }

    private final class MemoryFile: File {
        let path: String
        let bytes: Mutex<[UInt8]>

        init(path: String, _ bytes: [UInt8]) {
            self.path = path
            self.bytes = Mutex(bytes)
        }

        func size() throws(FileError) -> UInt64 { bytes.withLock { UInt64($0.count) } }

        func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
            guard position <= UInt64(Int64.max) else {
                throw FileError(errno: EINVAL, operation: .read, path: path)
            }
            return bytes.withLock { bytes in
                guard position < bytes.count else { return 0 }
                let piece = bytes[Int(position)..<min(bytes.count, Int(position) + buffer.count)]
                buffer.copyBytes(from: piece)
                return piece.count
            }
        }

        func write(at position: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(FileError) {
            var place = Int(position)
            try allocate(position + UInt64(pieces.reduce(0) { $0 + $1.count }))
            for piece in pieces {
                bytes.withLock { $0.replaceSubrange(place..<(place + piece.count), with: piece) }
                place += piece.count
            }
        }

        func allocate(_ length: UInt64) throws(FileError) {
            guard length <= MemoryFileSystem.capacity else {
                throw FileError(errno: ENOSPC, operation: .allocate, path: path)
            }
            bytes.withLock { bytes in
                if bytes.count < Int(length) { bytes += Array(repeating: 0, count: Int(length) - bytes.count) }
            }
        }

        func truncate(to length: UInt64) throws(FileError) {
            try allocate(length)
            bytes.withLock { bytes in bytes.removeLast(bytes.count - Int(length)) }
        }

        func sync() throws(FileError) {}
    }
}

/// Time stands still but for a nanosecond per look.
final class StillClock: LogClock {
    private let now = Atomic<UInt64>(1_000_000_000)

    func monotonicNanoseconds() -> UInt64 { now.wrappingAdd(1, ordering: .relaxed).newValue }
    func wallNanoseconds() -> Int64 { Int64(now.wrappingAdd(1, ordering: .relaxed).newValue) }
}
