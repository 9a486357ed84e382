// Where a listener is: an address of TCP, or a path of a Unix socket with its rights.
import Glibc
import NIOCore

package enum ListenEndpoint: Hashable, Sendable, CustomStringConvertible {
    /// Port 0: any free one.
    case tcp(host: String, port: Int)
    /// `mode` are the rights of the socket's file: who may write to it may connect.
    case unix(path: String, mode: UInt32)

    /// What Linux takes as the path of a socket, in bytes.
    package static let longestPath = 107

    package var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path, _): "unix:\(path)"
        }
    }
}

/// Why a Unix socket cannot be listened on; the text is for people.
package struct UnixSocketError: Error, CustomStringConvertible {
    package let description: String
}

/// A Unix socket that was made here, and the means to remove its file without removing another's.
struct UnixSocketFile: Sendable {
    let path: String
    private let device: dev_t
    private let inode: ino_t

    /// Makes a socket that is bound to the path and has no other rights at any moment. A file that a process left behind
    /// which is gone is replaced.
    ///
    /// - Returns: The descriptor, to be listened on; the caller closes it.
    static func bind(path: String, mode: UInt32) throws(UnixSocketError) -> (descriptor: CInt, file: UnixSocketFile) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < room else {
            throw UnixSocketError(
                description:
                    "the path of the Unix socket \(path) is longer than \(room - 1) bytes: choose a shorter one")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        try removeStale(path, address)
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw fault("make", path) }
        // Linux gives the file the socket's own rights, less the umask: none too many before `chmod` sets them.
        fchmod(descriptor, mode_t(mode))
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        var status = stat()
        guard bound == 0, chmod(path, mode_t(mode)) == 0, stat(path, &status) == 0 else {
            let error = fault("bind", path)
            close(descriptor)
            throw error
        }
        return (descriptor, UnixSocketFile(path: path, device: status.st_dev, inode: status.st_ino))
    }

    private static func fault(_ what: String, _ path: String) -> UnixSocketError {
        UnixSocketError(
            description: "cannot \(what) the Unix socket \(path): \(String(cString: strerror(errno)))"
                + "; its folder must exist, and the gateway's user may write there")
    }

    private static func removeStale(_ path: String, _ address: sockaddr_un) throws(UnixSocketError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw UnixSocketError(description: "\(path) is there already and no socket: move it away")
        }
        let probe = socket(
            AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
        guard probe >= 0 else { return }
        defer { close(probe) }
        var address = address
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(probe, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard connected != 0, errno == ECONNREFUSED else {
            throw UnixSocketError(
                description: "another process listens on the Unix socket \(path): stop it, or choose another path")
        }
        unlink(path)
    }

    /// Removes the file, unless another process has put its own there.
    func remove() {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode else { return }
        unlink(path)
    }
}
