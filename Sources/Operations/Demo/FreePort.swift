// Ports on 127.0.0.1 that nobody uses at the moment.
import Foundation

package enum FreePort {
    /// The first free one from `port` on.
    package static func from(_ port: Int) throws -> Int {
        for candidate in port..<min(port + 100, 65_536) {
            if let free = bindOnce(candidate) { return free }
        }
        throw ServingError(
            "no port from \(port) to \(port + 99) is free on 127.0.0.1", advice: "stop what listens there")
    }

    /// Any free one.
    package static func any() throws -> Int {
        guard let free = bindOnce(0) else {
            throw ServingError("no port is free on 127.0.0.1", advice: "stop what listens there")
        }
        return free
    }

    private static func bindOnce(_ port: Int) -> Int? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var reuse: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int? in
                guard bind(descriptor, generic, length) == 0, listen(descriptor, 1) == 0,
                    getsockname(descriptor, generic, &length) == 0
                else { return nil }
                return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    Int(UInt16(bigEndian: $0.pointee.sin_port))
                }
            }
        }
    }
}
