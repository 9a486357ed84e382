// The log's only way to a disk. It is a parameter, so that tests can cut the power at any step, tear, fill, fail.

/// What the log needs of a file system. Every call may block; none is made on an event loop.
package protocol FileSystem: Sendable {
    /// Makes the folder with mode 0700, its missing parents too. It may exist already.
    func makeFolder(_ path: String) throws(FileError)
    /// Permission bits of a file or folder, e.g. `0o700`.
    func permissions(of path: String) throws(FileError) -> UInt32
    /// Names in the folder, in no order, without `.` and `..`.
    func list(_ folder: String) throws(FileError) -> [String]
    /// Opens a file that exists.
    func open(_ path: String, _ access: FileAccess) throws(FileError) -> any File
    /// Makes a file with mode 0600. Fails with `EEXIST` if there is one.
    func create(_ path: String) throws(FileError) -> any File
    /// Opens the file and takes its exclusive lock, making it if need be. Nil: another process has the lock.
    func lock(_ path: String) throws(FileError) -> (any FileLock)?
    /// Renames within one folder; replaces what is there. Atomic; durable after ``syncFolder(_:)``.
    func rename(_ path: String, to newPath: String) throws(FileError)
    func remove(_ path: String) throws(FileError)
    /// Makes creations, renames and removals in the folder durable.
    func syncFolder(_ path: String) throws(FileError)
    /// Bytes of the file system that holds the path: all, and those that this process may still use.
    func space(at path: String) throws(FileError) -> (total: UInt64, free: UInt64)
}

extension FileSystem {
    /// The file if it is open already, else opens it.
    func reopen(_ file: (any File)?, _ path: String, _ access: FileAccess) throws(FileError) -> any File {
        if let file { return file }
        return try open(path, access)
    }
}

package enum FileAccess: Sendable {
    case read, readWrite
}

/// An open file. Closes itself when nobody refers to it any more. Safe on any thread, as `pread` and `pwrite` are.
package protocol File: AnyObject, Sendable {
    func size() throws(FileError) -> UInt64
    /// Reads at `position` until the buffer is full or the file ends. Returns the bytes read.
    func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int
    /// Writes all bytes of all pieces, one after the other, from `position` on. After an error any part of them
    /// may have been written.
    func write(at position: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(FileError)
    /// Reserves room, so that the file is at least `length` bytes long and writing there cannot run out of space.
    func allocate(_ length: UInt64) throws(FileError)
    func truncate(to length: UInt64) throws(FileError)
    /// `fdatasync`: content, and as much of the metadata as is needed to read it. After an error nothing is known
    /// about what was written since the last success, and asking again proves nothing.
    func sync() throws(FileError)
}

/// An exclusive lock on a file. The lock of a process that dies is free.
package protocol FileLock: AnyObject, Sendable {
    func release()
}
