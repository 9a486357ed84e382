// Thousands of clients that keep a connection open and say nothing on it.

import Dispatch
import Foundation
import Glibc

package final class IdleConnections: Sendable {
    private let sockets: [Int32]

    package var count: Int { sockets.count }

    private init(_ sockets: [Int32]) {
        self.sockets = sockets
    }

    deinit {
        for socket in sockets { close(socket) }
    }

    /// Connects `count` times to a port of 127.0.0.1, from sixteen addresses of this host. On each, `request` (if any)
    /// is sent and its answer's head is read, as a client with keep-alive leaves a connection.
    package static func open(_ count: Int, port: Int, request: String = "") async throws -> IdleConnections {
        try raiseFileLimit(to: count + 1000)
        return try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try connect(count, port: port, request: Array(request.utf8)) })
            }
        }
    }

    /// How many of them the server has not closed.
    package var open: Int {
        sockets.count { socket in
            var byte: UInt8 = 0
            let count = recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
            return count > 0 || count < 0 && errno == EAGAIN
        }
    }

    private static func connect(_ count: Int, port: Int, request: [UInt8]) throws -> IdleConnections {
        var sockets: [Int32] = []
        var fault: String?
        for number in 0..<count where fault == nil {
            let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard socket >= 0 else {
                fault = "socket: \(String(cString: strerror(errno)))"
                continue
            }
            sockets.append(socket)
            // Each address has ports of its own.
            if !with(address(127, 0, 0, UInt8(1 + number % 16), port: 0), { bind(socket, $0, $1) == 0 })
                || !with(address(127, 0, 0, 1, port: port), { Glibc.connect(socket, $0, $1) == 0 })
            {
                fault = "connection \(number): \(String(cString: strerror(errno)))"
            } else if !request.isEmpty, send(socket, request, request.count, Int32(MSG_NOSIGNAL)) < 0 {
                fault = "request on connection \(number): \(String(cString: strerror(errno)))"
            }
        }
        let connections = IdleConnections(sockets)
        if let fault { throw TestFailure(fault) }
        if !request.isEmpty {
            for (number, socket) in sockets.enumerated() where !answers(socket) {
                throw TestFailure("connection \(number) has no answer")
            }
        }
        return connections
    }

    private static func answers(_ socket: Int32) -> Bool {
        var received: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while received.suffix(4) != [13, 10, 13, 10] {
            var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 10_000) == 1 else { return false }
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { return false }
            received += buffer[..<count]
        }
        return received.starts(with: Array("HTTP/1.1 2".utf8))
    }

    private static func address(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = (UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d)).bigEndian
        return address
    }

    private static func with(
        _ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    /// Lets this process, and those that it starts from now on, open `files` files.
    package static func raiseFileLimit(to files: Int) throws {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur < files else { return }
        limit.rlim_cur = rlim_t(files)
        limit.rlim_max = max(limit.rlim_max, limit.rlim_cur)
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            throw TestFailure("this test needs \(files) open files; allow them with `ulimit -Hn`")
        }
    }
}
