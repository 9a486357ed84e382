// Sends datagrams to a port of this machine, each as it is given.

import Glibc

package final class DatagramSender: Sendable {
    private let socket: Int32

    package init(port: Int) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else {
            throw TestFailure("no UDP socket to 127.0.0.1:\(port): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(socket) }

    package func send(_ bytes: [UInt8]) throws {
        // What nobody received is told with the next datagram, as an error of that one.
        for _ in 0..<2 {
            if Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count { return }
            guard errno == ECONNREFUSED else { break }
        }
        throw TestFailure("a datagram of \(bytes.count) bytes is not sent: \(String(cString: strerror(errno)))")
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }
}
