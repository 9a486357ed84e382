// The real file system: POSIX calls, errors turned into values.

import CPlatform
import Glibc

package struct PosixFileSystem: FileSystem {
    package init() {}

    package func makeFolder(_ path: String) throws(FileError) {
        if mkdir(path, 0o700) == 0 {
            if let parent = Self.parent(of: path) { try syncFolder(parent) }
            return
        }
        switch errno {
        case EEXIST:
            return
        case ENOENT:
            guard let parent = Self.parent(of: path) else { fallthrough }
            try makeFolder(parent)
            if mkdir(path, 0o700) != 0 && errno != EEXIST { throw Self.error(.makeFolder, path) }
            try syncFolder(parent)
        default:
            throw Self.error(.makeFolder, path)
        }
    }

    package func permissions(of path: String) throws(FileError) -> UInt32 {
        var status = stat()
        guard stat(path, &status) == 0 else { throw Self.error(.open, path) }
        return UInt32(status.st_mode) & 0o7777
    }

    package func list(_ folder: String) throws(FileError) -> [String] {
        guard let stream = opendir(folder) else { throw Self.error(.list, folder) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Self.error(.list, folder) }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    package func open(_ path: String, _ access: FileAccess) throws(FileError) -> any File {
        let descriptor = Glibc.open(path, (access == .read ? O_RDONLY : O_RDWR) | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.error(.open, path) }
        return PosixFile(descriptor: descriptor, path: path)
    }

    package func create(_ path: String) throws(FileError) -> any File {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.error(.create, path) }
        return PosixFile(descriptor: descriptor, path: path)
    }

    package func lock(_ path: String) throws(FileError) -> (any FileLock)? {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.error(.lock, path) }
        let file = PosixFile(descriptor: descriptor, path: path)
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            switch errno {
            case EINTR: continue
            case EWOULDBLOCK: return nil
            default: throw Self.error(.lock, path)
            }
        }
        return file
    }

    package func rename(_ path: String, to newPath: String) throws(FileError) {
        guard Glibc.rename(path, newPath) == 0 else { throw Self.error(.rename, path) }
    }

    package func remove(_ path: String) throws(FileError) {
        guard unlink(path) == 0 else { throw Self.error(.remove, path) }
    }

    package func syncFolder(_ path: String) throws(FileError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Self.error(.syncFolder, path) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw Self.error(.syncFolder, path) }
    }

    package func space(at path: String) throws(FileError) -> (total: UInt64, free: UInt64) {
        var figures = statvfs()
        guard statvfs(path, &figures) == 0 else { throw Self.error(.space, path) }
        let unit = UInt64(figures.f_frsize)
        return (UInt64(figures.f_blocks) * unit, UInt64(figures.f_bavail) * unit)
    }

    fileprivate static func error(_ operation: FileError.Operation, _ path: String) -> FileError {
        FileError(errno: errno, operation: operation, path: path)
    }

    private static func parent(of path: String) -> String? {
        var trimmed = Substring(path)
        while trimmed.utf8.count > 1, trimmed.utf8.last == UInt8(ascii: "/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return trimmed == "." ? nil : "." }
        if slash == trimmed.startIndex { return trimmed.utf8.count == 1 ? nil : "/" }
        return String(trimmed[..<slash])
    }
}

private final class PosixFile: File, FileLock {
    private let descriptor: Int32
    private let path: String

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        Glibc.close(descriptor)
    }

    func size() throws(FileError) -> UInt64 {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw PosixFileSystem.error(.open, path) }
        return UInt64(status.st_size)
    }

    func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        var done = 0
        while done < buffer.count, let base = buffer.baseAddress {
            let count = pread(descriptor, base + done, buffer.count - done, off_t(position) + off_t(done))
            if count > 0 {
                done += count
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw PosixFileSystem.error(.read, path)
            }
        }
        return done
    }

    func write(at position: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(FileError) {
        var position = off_t(position)
        var pieces = pieces[...]
        // Bytes of the first piece that an earlier, short call has written.
        var skip = 0
        var vectors: [iovec] = []
        while let first = pieces.first {
            if first.count == skip {
                pieces.removeFirst()
                skip = 0
                continue
            }
            vectors.removeAll(keepingCapacity: true)
            for piece in pieces.prefix(512) {
                vectors.append(
                    iovec(iov_base: UnsafeMutableRawPointer(mutating: piece.baseAddress), iov_len: piece.count))
            }
            vectors[0].iov_base = vectors[0].iov_base.map { $0 + skip }
            vectors[0].iov_len -= skip
            let count = pwritev(descriptor, vectors, Int32(vectors.count), position)
            guard count > 0 else {
                if count < 0 && errno == EINTR { continue }
                // Zero bytes without an error means, for a regular file, that nothing more fits.
                let code = count < 0 ? errno : ENOSPC
                throw FileError(errno: code, operation: .write, path: path)
            }
            position += off_t(count)
            skip += count
            while let piece = pieces.first, skip >= piece.count {
                skip -= piece.count
                pieces.removeFirst()
            }
        }
    }

    func allocate(_ length: UInt64) throws(FileError) {
        let code = cplatform_allocate(descriptor, length)
        guard code == 0 else { throw FileError(errno: code, operation: .allocate, path: path) }
    }

    func truncate(to length: UInt64) throws(FileError) {
        while ftruncate(descriptor, off_t(length)) != 0 {
            guard errno == EINTR else { throw PosixFileSystem.error(.truncate, path) }
        }
    }

    func sync() throws(FileError) {
        guard fdatasync(descriptor) == 0 else { throw PosixFileSystem.error(.sync, path) }
    }

    func release() {
        flock(descriptor, LOCK_UN)
    }
}
