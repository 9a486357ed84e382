// What the HTTP server's tests share: a real server on a free loopback port, endpoints that follow a script, and a
// plain blocking client socket that can be slow, rude and wrong.
import Gateway
import Glibc
import HTTPCodec
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

/// A head as it comes off a connection.
func requestHead(
    _ method: String, _ target: String, _ headers: KeyValuePairs<String, String> = ["host": "a"]
) throws -> RequestHead {
    var decoder = RequestDecoder()
    let fields = headers.map { "\($0.key): \($0.value)\r\n" }.joined()
    decoder.append(ByteBuffer(string: "\(method) \(target) HTTP/1.1\r\n\(fields)\r\n"))
    guard case .head(let message) = try #require(try decoder.next()) else {
        throw HTTPSyntaxError.malformed
    }
    return try RequestHead(message, remoteAddress: nil)
}

/// What endpoints lived through, in order. Written on event loops, read by tests.
final class EventLog: Sendable {
    private let entries = NIOLockedValueBox<[String]>([])

    func add(_ entry: String) {
        entries.withLockedValue { $0.append(entry) }
    }

    var all: [String] { entries.withLockedValue { $0 } }

    func count(_ entry: String) -> Int { all.count { $0 == entry } }
}

/// Waits for something that is certain to come.
func eventually(
    within seconds: Double = 10, _ what: Comment = "condition", sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () -> Bool
) {
    let end = NIODeadline.now() + .nanoseconds(Int64(seconds * 1e9))
    while !condition() {
        guard NIODeadline.now() < end else {
            Issue.record("not within \(seconds) s: \(what)", sourceLocation: sourceLocation)
            return
        }
        usleep(1000)
    }
}

/// Routes by path; every path is one behaviour.
final class ScriptedRouter: Router {
    let log: EventLog
    /// Answers that a test holds back and releases, on this router's event loop.
    var held: [Exchange] = []

    init(log: EventLog) {
        self.log = log
    }

    func endpoint(for head: RequestHead, on exchange: Exchange) -> (any Endpoint)? {
        log.add("head \(head.path)")
        switch head.path {
        case "/refuse":
            exchange.respond(.unauthorized("authorization failed"))
            return nil
        case "/ping":
            exchange.respond(.noContent)
            return nil
        case "/nowhere":
            exchange.respond(.notFound)
            return nil
        case "/release":
            for exchange in held {
                exchange.respond(.noContent)
            }
            held = []
            exchange.respond(.noContent)
            return nil
        default:
            return ScriptedEndpoint(head.path, router: self, exchange: exchange)
        }
    }
}

final class ScriptedEndpoint: Endpoint {
    private let path: String
    private let router: ScriptedRouter
    private let exchange: Exchange
    private var bytes = ByteBuffer()
    private var toStream = 0

    init(_ path: String, router: ScriptedRouter, exchange: Exchange) {
        self.path = path
        self.router = router
        self.exchange = exchange
        if path == "/paused" {
            exchange.pauseReading()
        }
    }

    private var log: EventLog { router.log }

    func body(_ piece: ByteBuffer) {
        bytes.writeImmutableBuffer(piece)
        switch path {
        case "/early":
            exchange.respond(.error(401, "too early"))
        case "/paused":
            log.add("body while paused")
        default:
            break
        }
    }

    func bodyEnd() {
        log.add("end \(path)")
        switch path {
        case "/hold":
            router.held.append(exchange)
        case "/stream":
            toStream = 64 << 20
            exchange.startStreaming(status: 200)
            pump()
        case "/small-stream":
            exchange.startStreaming(status: 200, headers: [("X-Node", "a")])
            exchange.writeBody(ByteBuffer(string: "one,"))
            exchange.writeBody(ByteBuffer(string: "two"))
            exchange.finish()
        case "/sized-stream":
            exchange.startStreaming(status: 200, headers: [("Content-Length", "7"), ("Content-Type", "text/csv")])
            exchange.writeBody(ByteBuffer(string: "one,"))
            exchange.writeBody(ByteBuffer(string: "two"))
            exchange.finish()
        case "/short-stream":
            exchange.startStreaming(status: 200, headers: [("Content-Length", "700")])
            exchange.writeBody(ByteBuffer(string: "one"))
            exchange.finish()
        case "/aborted":
            exchange.startStreaming(status: 200)
            exchange.writeBody(ByteBuffer(string: "half"))
            exchange.abort()
        case "/big":
            exchange.respond(Response(status: 200, body: ByteBuffer(repeating: 120, count: 32 << 20)))
        case "/never":
            break
        default:
            exchange.respond(Response(status: 200, contentType: "text/plain", body: bytes))
        }
    }

    func clientLeft() { log.add("left \(path)") }

    func inputClosed() { log.add("input closed \(path)") }

    func writabilityChanged(_ isWritable: Bool) {
        log.add("writable \(isWritable)")
        pump()
    }

    private func pump() {
        let piece = ByteBuffer(repeating: 120, count: 64 << 10)
        while toStream > 0, exchange.isWritable {
            exchange.writeBody(piece)
            toStream -= piece.readableBytes
            if toStream == 0 {
                exchange.finish()
            }
        }
    }
}

/// A server that stops when the test's body returns or throws.
struct TestServer {
    let server: HTTPServer
    let port: Int
    let log: EventLog
    var figures: ServerFigures { server.figures }

    static func run(
        _ limits: ServerLimits = ServerLimits(), loops: Int = 1, _ body: (TestServer) throws -> Void
    ) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        defer { #expect(throws: Never.self) { try group.syncShutdownGracefully() } }
        let log = EventLog()
        let server = HTTPServer(group: group, limits: limits) { _ in ScriptedRouter(log: log) }
        let address = try server.bind(host: "127.0.0.1", port: 0).wait()
        let test = TestServer(server: server, port: try #require(address.port), log: log)
        defer {
            #expect(throws: Never.self) {
                try server.stopAccepting().wait()
                _ = try server.drain(deadline: .now()).wait()
            }
            eventually("all connections are gone") { server.figures.connectionsOpen.load(ordering: .relaxed) == 0 }
            #expect(server.figures.requestsActive.load(ordering: .relaxed) == 0)
        }
        try body(test)
    }

    func client() throws -> RawClient { try RawClient(port: port) }
}

/// Limits small enough for a test to see all of them.
extension ServerLimits {
    static var impatient: ServerLimits {
        var limits = ServerLimits()
        limits.sweepInterval = .milliseconds(20)
        limits.lingerTimeout = .milliseconds(200)
        return limits
    }
}

/// A blocking TCP client.
final class RawClient {
    private var socket: Int32
    private var unread = ""
    /// Set when the server has ended the connection.
    private(set) var ending: Ending?

    enum Ending { case end, reset }

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        if var size = receiveBuffer {
            setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, 4)
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            throw NotConnected(errno: errno)
        }
    }

    struct NotConnected: Error {
        var errno: Int32
    }

    deinit { close() }

    func close() {
        if socket >= 0 {
            Glibc.close(socket)
            socket = -1
        }
    }

    /// Closes with a reset.
    func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    func closeOutput() { shutdown(socket, Int32(SHUT_WR)) }

    /// - Returns: Whether everything was taken.
    @discardableResult
    func send(_ text: String) -> Bool { send(bytes: Array(text.utf8)) }

    @discardableResult
    func send(bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    /// What can be sent without waiting.
    func sendUntilFull(_ piece: [UInt8], atMost limit: Int) -> Int {
        var total = 0
        var idle = 0
        while total < limit, idle < 100 {
            let sent = piece.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if sent > 0 {
                total += sent
                idle = 0
            } else {
                idle += 1
                usleep(2000)
            }
        }
        return total
    }

    private func readMore() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        let count = chunk.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
        if count > 0 {
            unread += String(decoding: chunk[..<count], as: UTF8.self)
            return true
        }
        if count == 0 {
            ending = .end
        } else if errno == ECONNRESET {
            ending = .reset
        } else {
            Issue.record("nothing received within 10 s (errno \(errno))")
        }
        return false
    }

    /// One answer, its head and its body as they came, framing included.
    func readAnswer(bodyless: Bool = false) -> RawAnswer {
        var answer = RawAnswer()
        while true {
            if let end = unread.firstRange(of: "\r\n\r\n") {
                answer.head = String(unread[..<end.lowerBound])
                unread.removeSubrange(..<end.upperBound)
                break
            }
            if !readMore() {
                answer.head = unread
                unread = ""
                return answer
            }
        }
        if bodyless || [100, 204, 304].contains(answer.status) {
            return answer
        }
        if let length = answer.header("content-length").flatMap({ Int($0) }) {
            while unread.utf8.count < length, readMore() {}
            let cut = unread.utf8.index(unread.startIndex, offsetBy: min(length, unread.utf8.count))
            answer.body = String(unread[..<cut])
            unread.removeSubrange(..<cut)
        } else if answer.header("transfer-encoding") == "chunked" {
            while unread.firstRange(of: "0\r\n\r\n") == nil, readMore() {}
            answer.body = unread
            unread = ""
        } else {
            answer.body = readToEnd()
        }
        return answer
    }

    /// Counts instead of keeping, for answers that are large.
    func countToEnd() -> Int {
        var total = unread.utf8.count
        unread = ""
        while readMore() {
            total += unread.utf8.count
            unread = ""
        }
        return total
    }

    /// Reads at least so many bytes and forgets them.
    func skip(_ count: Int) {
        var total = 0
        while total < count, readMore() {
            total += unread.utf8.count
            unread = ""
        }
    }

    func readToEnd() -> String {
        while readMore() {}
        defer { unread = "" }
        return unread
    }
}

struct RawAnswer {
    var head = ""
    var body = ""

    var lines: [String] { head.components(separatedBy: "\r\n") }
    var statusLine: String { lines.first ?? "" }
    var status: Int { Int(statusLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var names: Set<String> { Set(lines.dropFirst().map { $0.prefix { $0 != ":" }.lowercased() }) }

    func header(_ name: String) -> String? {
        lines.dropFirst().first { $0.lowercased().hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
    }
}

extension String {
    fileprivate func components(separatedBy separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map(String.init)
    }
}
