// Ports for servers of these tests: below the range from which the kernel takes ports for outgoing connections, so that
// none of the many connections of other tests has one first.
import enum TestSupport.FreePort

enum TestPort {
    static func next() throws -> Int { try FreePort.next() }
}
