// The few socket calls that the sink and the load generator share. Plain `poll` and non-blocking sockets on one thread:
// on two cores each microsecond that the generator burns is taken from the gateway under test.

import Glibc

func errorText(_ number: Int32) -> String {
    String(cString: strerror(number))
}

func loopbackAddress(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
}

/// Calls `body` with the address in the form that the socket calls want.
func withSocketAddress<T>(_ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T {
    withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

private func newSocket() throws -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw BenchError.system("socket", errno) }
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    return descriptor
}

func makeNonBlocking(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
}

/// A connected, still blocking socket to 127.0.0.1.
func connectSocket(port: Int) throws -> Int32 {
    let descriptor = try newSocket()
    guard withSocketAddress(loopbackAddress(port), { connect(descriptor, $0, $1) }) == 0 else {
        let reason = errno
        close(descriptor)
        throw BenchError.system("cannot connect to 127.0.0.1:\(port)", reason)
    }
    return descriptor
}

/// A non-blocking listening socket on 127.0.0.1 and its port; port 0 takes a free one.
func listenSocket(port: Int) throws -> (descriptor: Int32, port: Int) {
    let descriptor = try newSocket()
    guard withSocketAddress(loopbackAddress(port), { bind(descriptor, $0, $1) }) == 0, listen(descriptor, 1024) == 0
    else {
        throw BenchError.system("cannot listen on 127.0.0.1:\(port)", errno)
    }
    var bound = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &bound) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    makeNonBlocking(descriptor)
    return (descriptor, Int(UInt16(bigEndian: bound.sin_port)))
}

/// Monotonic time in nanoseconds.
func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// CPU seconds (user and system) that this process has used.
func ownProcessorSeconds() -> Double {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
