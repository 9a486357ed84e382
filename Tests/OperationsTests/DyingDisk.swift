// A disk that works until it is told to fail: then no fsync succeeds any more.
import CommitLog
import Foundation
import Synchronization

final class DyingDisk: FileSystem {
    let fails = Atomic(false)
    private let real = PosixFileSystem()

    private final class DyingFile: File {
        let disk: DyingDisk
        let real: any File

        init(_ real: any File, on disk: DyingDisk) {
            self.real = real
            self.disk = disk
        }

        func size() throws(FileError) -> UInt64 { try real.size() }
        func read(at position: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
            try real.read(at: position, into: buffer)
        }
        func write(at position: UInt64, _ pieces: [UnsafeRawBufferPointer]) throws(FileError) {
            try real.write(at: position, pieces)
        }
        func allocate(_ length: UInt64) throws(FileError) { try real.allocate(length) }
        func truncate(to length: UInt64) throws(FileError) { try real.truncate(to: length) }
        func sync() throws(FileError) {
            if disk.fails.load(ordering: .sequentiallyConsistent) {
                throw FileError(errno: EIO, operation: .sync, path: "the dying disk")
            }
            try real.sync()
        }
    }

    func makeFolder(_ path: String) throws(FileError) { try real.makeFolder(path) }
    func permissions(of path: String) throws(FileError) -> UInt32 { try real.permissions(of: path) }
    func list(_ folder: String) throws(FileError) -> [String] { try real.list(folder) }
    func open(_ path: String, _ access: FileAccess) throws(FileError) -> any File {
        DyingFile(try real.open(path, access), on: self)
    }
    func create(_ path: String) throws(FileError) -> any File { DyingFile(try real.create(path), on: self) }
    func lock(_ path: String) throws(FileError) -> (any FileLock)? { try real.lock(path) }
    func rename(_ path: String, to newPath: String) throws(FileError) { try real.rename(path, to: newPath) }
    func remove(_ path: String) throws(FileError) { try real.remove(path) }
    func syncFolder(_ path: String) throws(FileError) { try real.syncFolder(path) }
    func space(at path: String) throws(FileError) -> (total: UInt64, free: UInt64) { try real.space(at: path) }
}
