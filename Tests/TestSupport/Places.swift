// Ports and folders that belong to one test alone.

import Foundation
import Glibc
import Synchronization

package enum FreePort {
    // Below the range that the kernel takes ports for outgoing connections from (32768 and up): a port found free
    // here is not taken by some connection before the server under test binds it. The start differs per process.
    private static let range = 20_000..<32_000
    private static let cursor = Mutex(Int(getpid()) * 97 % range.count)

    /// A port of 127.0.0.1 that nobody listens on and that this process has not given out recently.
    package static func next() throws -> Int {
        for _ in range {
            let port = cursor.withLock { cursor in
                cursor = (cursor + 1) % range.count
                return range.lowerBound + cursor
            }
            if isFree(port) { return port }
        }
        throw TestFailure("no free port on 127.0.0.1 in \(range)")
    }

    private static func isFree(_ port: Int) -> Bool {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return false }
        defer { close(socket) }
        var address = loopback(port)
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}

package func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}

/// A folder that is removed with the last reference to it, unless it is someone else's.
package final class TemporaryFolder: Sendable {
    package let url: URL
    private let isKept: Bool

    /// A folder that exists, and stays.
    package init(existing url: URL) {
        self.url = url
        isKept = true
    }

    package init(_ purpose: String = "sluice-test") throws {
        let name = "\(purpose)-\(getpid())-\(UInt32.random(in: .min ... .max))"
        url = FileManager.default.temporaryDirectory.appendingPathComponent(name)
        isKept = false
        try FileManager.default.createDirectory(
            at: url,
            withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700]
        )
    }

    deinit {
        if !isKept { try? FileManager.default.removeItem(at: url) }
    }

    package func folder(_ name: String) throws -> URL {
        let folder = url.appendingPathComponent(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }
}
