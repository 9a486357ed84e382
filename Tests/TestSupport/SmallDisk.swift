// A file system of its own with little room, which tests fill.

import Foundation
import Glibc

/// A tmpfs that is unmounted with the last reference to it. Needs the right to mount.
package final class SmallDisk: Sendable {
    package let url: URL
    private let place: TemporaryFolder
    private var ballast: URL { url.appendingPathComponent("ballast") }

    package init(bytes: Int) throws {
        place = try TemporaryFolder("sluice-disk")
        url = try place.folder("disk")
        guard mount("tmpfs", url.path, "tmpfs", 0, "size=\(bytes)") == 0 else {
            throw TestFailure("cannot mount a tmpfs at \(url.path): \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        // Also while a process that is being killed holds a file open.
        umount2(url.path, Int32(MNT_DETACH))
    }

    /// Whether this process may mount: root, and not in a container that forbids it.
    package static let isPossible = (try? SmallDisk(bytes: 1 << 20)) != nil

    package var freeBytes: Int {
        var figures = statvfs()
        return statvfs(url.path, &figures) == 0 ? Int(figures.f_bavail) * Int(figures.f_bsize) : 0
    }

    /// Takes all room that is left with one big file.
    package func fill() throws {
        let file = open(ballast.path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TestFailure("cannot create \(ballast.path)") }
        defer { close(file) }
        let zeros = [UInt8](repeating: 0, count: 64 << 10)
        for size in [zeros.count, 4096] {
            while write(file, zeros, size) == size {}
        }
    }

    /// Removes the big file.
    package func makeRoom() throws {
        try FileManager.default.removeItem(at: ballast)
    }
}
