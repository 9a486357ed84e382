// A TCP connection that sends exactly the given bytes, for requests that no HTTP library would send.

import Dispatch
import Foundation
import Glibc

package final class RawConnection: Sendable {
    private let socket: Int32
    private let queue = DispatchQueue(label: "raw-connection")

    package init(port: Int) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = loopback(port)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else {
            let reason = String(cString: strerror(errno))
            close(socket)
            throw TestFailure("cannot connect to 127.0.0.1:\(port): \(reason)")
        }
    }

    deinit {
        close(socket)
    }

    /// Sends all of `bytes`. A connection that the peer has closed is no error here: the answer says what happened.
    package func send(_ bytes: [UInt8]) async {
        await blocking { [socket] in
            var sent = 0
            while sent < bytes.count {
                let count = bytes.withUnsafeBytes { bytes in
                    Glibc.send(socket, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
                if count <= 0 { return }
                sent += count
            }
        }
    }

    package func send(_ text: String) async {
        await send(Array(text.utf8))
    }

    /// Ends our half of the connection; the peer sees the end of the stream and may still answer.
    package func endSending() {
        shutdown(socket, Int32(SHUT_WR))
    }

    /// Ends the connection with RST instead of FIN, as a client does that died.
    package func reset() {
        var linger = Glibc.linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        shutdown(socket, Int32(SHUT_RD))
    }

    /// Everything until the peer closes, `enough` is true of what came so far, or the time is over.
    package func receive(
        within limit: Duration = .seconds(10),
        until enough: @escaping @Sendable ([UInt8]) -> Bool = { _ in false }
    ) async -> (bytes: [UInt8], closed: Bool) {
        await blocking { [socket] in
            var received: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65536)
            let deadline = ContinuousClock.now + limit
            while !enough(received) {
                let left = (deadline - ContinuousClock.now).seconds
                if left <= 0 { return (received, false) }
                var ready = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
                if poll(&ready, 1, Int32(left * 1000) + 1) <= 0 { continue }
                let count = recv(socket, &buffer, buffer.count, 0)
                if count <= 0 { return (received, true) }
                received += buffer[..<count]
            }
            return (received, false)
        }
    }

    /// One answer with a body of known length (or none), as text: head, an empty line, body.
    package func receiveAnswer(within limit: Duration = .seconds(10)) async -> String {
        let received = await receive(within: limit) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let head = text.range(of: "\r\n\r\n") else { return false }
            let fields = text[..<head.lowerBound].lowercased()
            if fields.hasPrefix("http/1.1 100") { return false }
            if let chunked = fields.range(of: "transfer-encoding: chunked"), !chunked.isEmpty {
                return text.hasSuffix("0\r\n\r\n")
            }
            guard let length = fields.range(of: "content-length: ") else { return fields.hasPrefix("http/1.1 204") }
            let expected = Int(fields[length.upperBound...].prefix { $0.isNumber }) ?? 0
            return text[head.upperBound...].utf8.count >= expected
        }
        return String(decoding: received.bytes, as: UTF8.self)
    }

    private func blocking<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: body()) }
        }
    }
}
