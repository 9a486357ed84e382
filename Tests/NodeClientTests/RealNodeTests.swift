// The pool against a real InfluxDB process: what it does well, when it hangs, and when it dies.
import Foundation
import HTTPCodec
import NIOCore
import NIOHTTP1
import NIOPosix
import NodeClient
import TestThreads
import Testing

import enum TestSupport.FreePort

@Suite("Node pool against a real influxd", .serialized, .blocking, .enabled(if: RealNode.isInstalled))
struct RealNodeTests {
    @Test("statements and writes, hanging and dying")
    func life() throws {
        try RealNode.run { node in
            #expect(try node.query("CREATE DATABASE d").body == "{\"results\":[{\"statement_id\":0}]}\n")
            let write = NodeRequest(
                method: .POST, target: "/write?db=d",
                body: [ByteBuffer(string: "cpu v=1 1\n"), ByteBuffer(string: "cpu v=2 2\n")])
            #expect(try node.send(write).status == 204)
            let answer = try node.query("SELECT v FROM d..cpu")
            #expect(answer.status == 200)
            let times = (1...2).map { "1970-01-01T00:00:00.00000000\($0)Z" }
            #expect(answer.body.contains("[[\"\(times[0])\",1],[\"\(times[1])\",2]]"))
            #expect(try node.query("SELECT").status == 400)
            let elsewhere = NodeRequest(method: .POST, target: "/write?db=x", body: [ByteBuffer(string: "cpu v=1\n")])
            #expect(try node.send(elsewhere).status == 404)
            #expect(try node.send(NodeRequest(method: .HEAD, target: "/ping")).status == 204)
            #expect(try node.figures() == NodePoolFigures(open: 1, connecting: 0, busy: 0, waiting: 0))

            // 30 MB: refused with 413 before it is read, and the connection is reset by the node.
            let big = NodeRequest(
                method: .POST, target: "/write?db=d",
                body: [ByteBuffer](repeating: ByteBuffer(repeating: 10, count: 1 << 20), count: 30))
            let refused = try node.send(big)
            #expect(refused.status == 413 || refused.ending == .afterSend)

            try node.signal(SIGSTOP)
            eventually { node.hasStopped }
            let hung = try node.send(write, ExchangeOptions(firstByteTimeout: .milliseconds(100)))
            #expect(hung == RealNode.Answer(ending: .afterSend))
            let stuck = try node.begin(write)
            eventually { (try? node.figures().busy) == 1 }
            try node.signal(SIGKILL)
            #expect(try stuck.wait() == RealNode.Answer(ending: .afterSend))
            node.awaitEnd()
            #expect(try node.send(write) == RealNode.Answer(ending: .notSent))
            #expect(try node.figures() == NodePoolFigures(open: 0, connecting: 0, busy: 0, waiting: 0))
        }
    }
}

/// A real `influxd` with data in a temporary folder, and a pool that talks to it.
private struct RealNode {
    struct Answer: Equatable, Sendable {
        enum Ending: Equatable, Sendable { case end, notSent, afterSend, cancelled }
        var status: Int?
        var body = ""
        var ending = Ending.end
    }

    static let executable = ["/usr/bin/influxd", "/usr/local/bin/influxd"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }
    static var isInstalled: Bool { executable != nil }

    private let process: Process
    private let pool: NIOLoopBound<NodePool>

    static func run(_ body: (RealNode) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("node-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { #expect(throws: Never.self) { try group.syncShutdownGracefully() } }
        let ports = try [FreePort.next(), FreePort.next()]
        let configuration = """
            reporting-disabled = true
            bind-address = "127.0.0.1:\(ports[0])"
            [meta]
            dir = "\(folder.path)/meta"
            [data]
            dir = "\(folder.path)/data"
            wal-dir = "\(folder.path)/wal"
            [http]
            bind-address = "127.0.0.1:\(ports[1])"
            log-enabled = false
            [monitor]
            store-enabled = false
            """
        let file = folder.appendingPathComponent("influxdb.conf")
        try configuration.write(to: file, atomically: true, encoding: .utf8)

        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(executable))
        process.arguments = ["-config", file.path]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        let loop = group.next()
        let pool = try loop.submit {
            NIOLoopBound(
                NodePool(eventLoop: loop, address: NodeAddress(host: "127.0.0.1", port: ports[1])), eventLoop: loop)
        }.wait()
        let node = RealNode(process: process, pool: pool)
        eventually(within: 30) { (try? node.send(NodeRequest(method: .GET, target: "/ping")).status) == 204 }
        // Another program may have taken the port first: nothing is sent to a server that is not this one.
        try #require(try node.query("SHOW DIAGNOSTICS").body.contains("[[\(process.processIdentifier),"))
        try body(node)
        try loop.submit { pool.value.close(force: true) }.wait().wait()
    }

    func signal(_ signal: Int32) throws {
        try #require(kill(process.processIdentifier, signal) == 0)
    }

    /// A signal is sent before it is obeyed; this looks at the state of every thread.
    var hasStopped: Bool {
        let tasks = "/proc/\(process.processIdentifier)/task"
        guard let threads = try? FileManager.default.contentsOfDirectory(atPath: tasks) else {
            return false
        }
        return threads.allSatisfy { thread in
            let line = try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)
            return line?.split(separator: ")").last?.hasPrefix(" T ") == true
        }
    }

    func awaitEnd() { process.waitUntilExit() }

    func figures() throws -> NodePoolFigures {
        let pool = pool
        return try pool.eventLoop.submit { pool.value.figures }.wait()
    }

    func query(_ statement: String) throws -> Answer {
        let encoded = try #require(statement.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        return try send(
            NodeRequest(
                method: .POST, target: "/query", headers: [("Content-Type", "application/x-www-form-urlencoded")],
                body: [ByteBuffer(string: "q=" + encoded)]))
    }

    func send(_ request: NodeRequest, _ options: ExchangeOptions = .neverGiveUp) throws -> Answer {
        try begin(request, options).wait()
    }

    func begin(
        _ request: NodeRequest, _ options: ExchangeOptions = .neverGiveUp
    ) throws -> EventLoopFuture<Answer> {
        let pool = pool
        return try pool.eventLoop.submit {
            let promise = pool.eventLoop.makePromise(of: Answer.self)
            pool.value.send(request, to: AnswerCollector(promise), options: options)
            return promise.futureResult
        }.wait()
    }
}

private final class AnswerCollector: NodeResponseReceiver {
    private let promise: EventLoopPromise<RealNode.Answer>
    private var answer = RealNode.Answer()

    init(_ promise: EventLoopPromise<RealNode.Answer>) { self.promise = promise }

    func responseHead(status: Int, headers: HeaderFields) { answer.status = status }
    func responseBody(_ bytes: ByteBuffer) { answer.body += String(buffer: bytes) }
    func responseEnd() { promise.succeed(answer) }

    func responseFailed(_ failure: NodeFailure) {
        switch failure {
        case .notSent: answer.ending = .notSent
        case .afterSend: answer.ending = .afterSend
        case .cancelled: answer.ending = .cancelled
        }
        promise.succeed(answer)
    }
}
