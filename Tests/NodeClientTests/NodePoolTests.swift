// The pool over real sockets: against servers that misbehave, one way each, and against a real InfluxDB.
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NodeClient
import TestThreads
import Testing

@Suite("Node pool", .serialized, .blocking)
struct NodePoolTests {
    // MARK: Good answers

    @Test("one connection serves exchange after exchange, also when the next begins in the end of the last")
    func reuse() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 204 No Content\r\nX-Influxdb-Version: 1.8\r\n\r\n")
        } test: { (node) throws in
            for _ in 0..<3 {
                let outcome = try node.send(.write("a"))
                #expect(outcome == Outcome(status: 204, ending: .end))
            }
            let rounds = try node.onLoop { pool in
                let chain = Chain(pool: pool, rounds: 20, promise: pool.eventLoop.makePromise())
                chain.start()
                return chain.promise.futureResult
            }
            #expect(try rounds.wait() == 20)
            #expect(node.accepted == 1)
            #expect(try node.figures() == NodePoolFigures(open: 1, connecting: 0, busy: 0, waiting: 0))
        }
    }

    @Test("the request arrives as it was given, with its length and the base path")
    func request() throws {
        try TestNode.run(basePath: "/influx") {
            $0.answer("HTTP/1.1 204 No Content\r\n\r\n")
        } test: { (node) throws in
            var request = NodeRequest(
                method: .POST, target: "/write?db=a%20b", headers: [("Authorization", "Basic eA==")])
            request.body = ["cpu v=1\n", "", "mem v=2\n"].map { ByteBuffer(string: $0) }
            _ = try node.send(request)
            let text = try #require(node.requests.first)
            let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
            #expect(lines.first == "POST /influx/write?db=a%20b HTTP/1.1")
            #expect(lines.contains("Host: 127.0.0.1:\(node.port)"))
            #expect(lines.contains("Authorization: Basic eA=="))
            #expect(lines.contains("Content-Length: 16"))
            #expect(text.hasSuffix("\r\n\r\ncpu v=1\nmem v=2\n"))
            _ = try node.send(NodeRequest(method: .GET, target: "/ping"))
            #expect(node.requests.last?.contains("Content-Length") == false)
        }
    }

    static let answers: [(String, Outcome)] = [
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", Outcome(status: 200, body: "abc", ending: .end)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Outcome(status: 200, ending: .end)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
            Outcome(status: 200, body: "abc", ending: .end)
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n", Outcome(status: 204, ending: .end)),
        ("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", Outcome(status: 304, ending: .end)),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            Outcome(status: 204, ending: .end)
        ),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", Outcome(status: 200, body: "abc", ending: .end)),
        // InfluxDB quotes a client's bytes in a header field.
        (
            "HTTP/1.1 400 Bad Request\r\nX-Influxdb-Error: a\u{1}b\u{7F}\u{0}\r\nContent-Length: 3\r\n\r\na\u{1}\u{7F}",
            Outcome(status: 400, body: "a\u{1}\u{7F}", ending: .end)
        ),
    ]

    @Test("answers of every framing are complete", arguments: answers)
    func framing(answer: String, outcome: Outcome) throws {
        try TestNode.run {
            $0.answer(answer)
        } test: { (node) throws in
            #expect(try node.send(.write("a")) == outcome)
            #expect(try node.send(.write("a")) == outcome)
            #expect(node.accepted == (answer.contains("HTTP/1.0") ? 2 : 1))
        }
    }

    @Test("an answer to HEAD has no body, whatever its length says")
    func head() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")
        } test: { (node) throws in
            for _ in 0..<2 {
                #expect(
                    try node.send(NodeRequest(method: .HEAD, target: "/ping")) == Outcome(status: 200, ending: .end))
            }
            #expect(node.accepted == 1)
        }
    }

    @Test("a body that ends with the connection is complete, and the next exchange gets a new connection")
    func untilClose() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 200 OK\r\n\r\nabc")
            $0.close()
        } test: { (node) throws in
            for _ in 0..<2 {
                #expect(try node.send(.write("a")) == Outcome(status: 200, body: "abc", ending: .end))
            }
            #expect(node.accepted == 2)
        }
    }

    @Test("Connection: close is obeyed")
    func connectionClose() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        } test: { (node) throws in
            #expect(try node.send(.write("a")).status == 204)
            #expect(try node.send(.write("a")).status == 204)
            #expect(node.accepted == 2)
        }
    }

    // MARK: Nodes that misbehave

    static let broken: [(String, String, Outcome)] = [
        ("closes without an answer", "", Outcome(ending: .afterSend)),
        ("dies in the head", "HTTP/1.1 200 O", Outcome(ending: .afterSend)),
        (
            "dies in the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            Outcome(status: 200, body: "abc", ending: .afterSend)
        ),
        (
            "dies between chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            Outcome(status: 200, body: "abc", ending: .afterSend)
        ),
        ("speaks no HTTP", "SSH-2.0-OpenSSH\r\n", Outcome(ending: .afterSend)),
        ("sends a wrong length", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Outcome(ending: .afterSend)),
        (
            "switches protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            Outcome(ending: .afterSend)
        ),
    ]

    @Test("L1 a node that breaks off is ambiguous, never a success", arguments: broken, [false, true])
    func breaksOff(what: (String, String, Outcome), withReset: Bool) throws {
        try TestNode.run {
            $0.answer(what.1)
            withReset ? $0.reset() : $0.close()
        } test: { (node) throws in
            let outcome = try node.send(.write("a"))
            // A reset may overtake what was sent before it.
            #expect(outcome == what.2 || (withReset && outcome.ending == .afterSend), "\(what.0)")
            #expect(try node.figures().open == 0)
        }
    }

    @Test("bytes after the end of an answer end the connection, and are no answer to the next request")
    func extraBytes() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        } test: { (node) throws in
            #expect(try node.send(.write("a")) == Outcome(status: 204, ending: .end))
            eventually { (try? node.figures().open) == 0 }
            #expect(try node.send(.write("a")) == Outcome(status: 204, ending: .end))
        }
    }

    @Test("an idle connection on which the node says something is closed")
    func unsolicited() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 204 No Content\r\n\r\n")
            $0.after(.milliseconds(20)) { $0.answer("HTTP/1.1 408 Request Timeout\r\n\r\n") }
        } test: { (node) throws in
            #expect(try node.send(.write("a")) == Outcome(status: 204, ending: .end))
            eventually { (try? node.figures().open) == 0 }
        }
    }

    @Test("A2 a connection that the node closes while idle is dropped")
    func closedIdle() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 204 No Content\r\n\r\n")
            $0.after(.milliseconds(20)) { $0.close() }
        } test: { (node) throws in
            for _ in 0..<3 {
                #expect(try node.send(.write("a")) == Outcome(status: 204, ending: .end))
                eventually { (try? node.figures().open) == 0 }
            }
            #expect(node.accepted == 3)
        }
    }

    @Test("a reused connection that dies before any answer is ambiguous")
    func reusedDies() throws {
        let count = NIOLockedValueBox(0)
        try TestNode.run {
            count.withLockedValue { $0 += 1 }
            if count.withLockedValue({ $0 }) == 1 {
                $0.answer("HTTP/1.1 204 No Content\r\n\r\n")
            } else {
                $0.reset()
            }
        } test: { (node) throws in
            #expect(try node.send(.write("a")).ending == .end)
            #expect(try node.send(.write("a")) == Outcome(ending: .afterSend))
            #expect(node.accepted == 1)
        }
    }

    @Test("an answer that comes before the request is written is delivered, and the connection closed")
    func earlyAnswer() throws {
        let early = "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 3\r\n\r\nbig"
        try TestNode.run(readsBodies: false) {
            $0.answer(early)
        } test: { (node) throws in
            var request = NodeRequest.write("")
            request.body = [ByteBuffer](repeating: ByteBuffer(repeating: 120, count: 1 << 20), count: 40)
            #expect(try node.send(request) == Outcome(status: 413, body: "big", ending: .end))
            eventually { (try? node.figures().open) == 0 }
        }
    }

    @Test("A6 a large request arrives whole at a node that reads slowly")
    func largeRequest() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 204 No Content\r\n\r\n")
        } test: { (node) throws in
            var request = NodeRequest.write("")
            request.body = [ByteBuffer](repeating: ByteBuffer(repeating: 120, count: 1 << 20), count: 25)
            #expect(try node.send(request).status == 204)
            #expect(node.requests.first.map { $0.utf8.count > 25 << 20 } == true)
        }
    }

    // MARK: No connection

    @Test("A1 a refused connection is reported at once, and as not sent")
    func refused() throws {
        try TestNode.run { _ in
        } test: { (node) throws in
            try node.stop()
            for _ in 0..<3 {
                #expect(try node.send(.write("a")).ending == .notSent)
            }
            #expect(try node.figures() == NodePoolFigures(open: 0, connecting: 0, busy: 0, waiting: 0))
        }
    }

    @Test("a request that would break the protocol is not sent")
    func malformedRequest() throws {
        try TestNode.run {
            $0.answer("HTTP/1.1 204 No Content\r\n\r\n")
        } test: { (node) throws in
            for request in [
                NodeRequest(method: .GET, target: "ping"), NodeRequest(method: .GET, target: "/a b"),
                NodeRequest(method: .GET, target: "/a\r\nX: y"),
                NodeRequest(method: .GET, target: "/", headers: [("X", "a\r\nY: b")]),
            ] {
                #expect(try node.send(request).ending == .notSent)
            }
            #expect(node.accepted == 0)
        }
    }

    @Test("exchanges wait for a connection in order, up to the limit; then they are refused as not sent")
    func waiting() throws {
        var limits = NodePoolLimits()
        limits.maximumConnections = 1
        limits.maximumWaiting = 2
        try TestNode.run(limits: limits) { node in
            node.after(.milliseconds(20)) { $0.answer("HTTP/1.1 204 No Content\r\n\r\n") }
        } test: { (node) throws in
            let first = try node.begin(.write("1"))
            eventually { (try? node.figures().busy) == 1 }
            let rest = try (2...4).map { try node.begin(.write("\($0)")) }
            #expect(try rest[2].outcome.wait().ending == .notSent)
            #expect(try [first, rest[0], rest[1]].map { try $0.outcome.wait().ending } == [.end, .end, .end])
            #expect(node.requests.map(\.last) == ["1", "2", "3"])
            #expect(node.accepted == 1)
        }
    }

    @Test("an exchange that waits too long for a connection is not sent")
    func acquireTimeout() throws {
        var limits = NodePoolLimits()
        limits.maximumConnections = 1
        limits.acquireTimeout = .milliseconds(50)
        try TestNode.run(limits: limits) { _ in
        } test: { (node) throws in
            let hung = try node.begin(.write("1"))
            #expect(try node.send(.write("2")).ending == .notSent)
            try node.onLoop { _ in hung.exchange.value.cancel() }
            #expect(try hung.outcome.wait().ending == .cancelled)
        }
    }

    @Test("idle connections are closed after their time")
    func idleTimeout() throws {
        var limits = NodePoolLimits()
        limits.idleTimeout = .milliseconds(50)
        try TestNode.run(limits: limits) {
            $0.answer("HTTP/1.1 204 No Content\r\n\r\n")
        } test: { (node) throws in
            #expect(try node.send(.write("a")).status == 204)
            eventually { (try? node.figures().open) == 0 }
        }
    }

    // MARK: Time-outs, cancelling, back-pressure

    @Test("A3 an answer that does not begin, or does not go on, ends the exchange when a time was set")
    func timeouts() throws {
        try TestNode.run { _ in
        } test: { (node) throws in
            let options = ExchangeOptions(firstByteTimeout: .milliseconds(50))
            #expect(try node.send(.write("a"), options: options) == Outcome(ending: .afterSend))
        }
        try TestNode.run {
            $0.answer("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        } test: { (node) throws in
            let options = ExchangeOptions(firstByteTimeout: .seconds(60), idleTimeout: .milliseconds(50))
            #expect(
                try node.send(.write("a"), options: options) == Outcome(status: 200, body: "abc", ending: .afterSend))
            #expect(try node.figures().open == 0)
        }
    }

    @Test("an exchange that ended leaves no time-out behind for the next one on its connection")
    func noStaleTimeout() throws {
        let count = NIOLockedValueBox(0)
        try TestNode.run { node in
            count.withLockedValue { $0 += 1 }
            let number = count.withLockedValue { $0 }
            node.after(.milliseconds(number == 2 ? 300 : 0)) { $0.answer("HTTP/1.1 204 No Content\r\n\r\n") }
        } test: { (node) throws in
            #expect(
                try node.send(.write("a"), options: ExchangeOptions(firstByteTimeout: .milliseconds(150))).status == 204
            )
            #expect(try node.send(.write("a")).status == 204)
            #expect(node.accepted == 1)
        }
    }

    @Test("cancelling closes the connection, which is how a node's query is killed")
    func cancel() throws {
        try TestNode.run { _ in
        } test: { (node) throws in
            let running = try node.begin(.write("a"))
            eventually { node.requests.count == 1 }
            #expect(try node.onLoop { _ in running.exchange.value.isRunning })
            try node.onLoop { _ in running.exchange.value.cancel() }
            #expect(try running.outcome.wait() == Outcome(ending: .cancelled))
            eventually { node.closed == 1 }
            try node.onLoop { _ in running.exchange.value.cancel() }
        }
    }

    @Test("S10 what a connection that ends has not got through is not sent any more: the node gets a reset")
    func reset() throws {
        try TestNode.run(readsBodies: false) { _ in
        } test: { (node) throws in
            let running = try node.begin(.write(String(repeating: "x", count: 8 << 20)))
            eventually { node.requests.count == 1 }
            try node.onLoop { _ in running.exchange.value.cancel() }
            #expect(try running.outcome.wait() == Outcome(ending: .cancelled))
            try node.readOn()
            eventually { node.closed == 1 }
            #expect(node.resets == 1)
        }
    }

    @Test("A6 a paused response stays in the kernel, and comes when it is resumed")
    func backPressure() throws {
        let size = 64 << 20
        try TestNode.run {
            $0.answer("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n")
            for _ in 0..<(size >> 20) {
                $0.answer(ByteBuffer(repeating: 120, count: 1 << 20))
            }
        } test: { (node) throws in
            let running = try node.begin(.write("a"), pausesAtBody: true)
            eventually { running.received.withLockedValue { $0 } > 0 }
            eventually { (node.unwritten ?? 0) > 0 }
            #expect(running.received.withLockedValue { $0 } < 1 << 20)
            try node.onLoop { _ in running.exchange.value.resumeReading() }
            #expect(try running.outcome.wait().ending == .end)
            #expect(running.received.withLockedValue { $0 } == size)
            #expect(try node.send(.write("b")).status == 200)
        }
    }

    @Test("closing lets the running exchange end; closing by force does not")
    func close() throws {
        try TestNode.run { node in
            node.after(.milliseconds(30)) { $0.answer("HTTP/1.1 204 No Content\r\n\r\n") }
        } test: { (node) throws in
            let running = try node.begin(.write("a"))
            eventually { node.requests.count == 1 }
            let closed = try node.onLoop { $0.close() }
            #expect(try node.send(.write("b")).ending == .notSent)
            #expect(try running.outcome.wait().ending == .end)
            try closed.wait()
        }
        try TestNode.run { _ in
        } test: { (node) throws in
            let running = try node.begin(.write("a"))
            eventually { node.requests.count == 1 }
            let closed = try node.onLoop { $0.close(force: true) }
            #expect(try running.outcome.wait().ending == .afterSend)
            try closed.wait()
        }
    }

    @Test("A2 a thousand exchanges, cancelled at random, leave no connection behind")
    func noLeaks() throws {
        try TestNode.run { node in
            node.after(.microseconds(500)) { $0.answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc") }
        } test: { (node) throws in
            let exchanges = try (0..<1000).map { try node.begin(.write("\($0)")) }
            for (number, exchange) in exchanges.enumerated() where number % 3 == 0 {
                try node.onLoop { _ in exchange.exchange.value.cancel() }
            }
            let endings = try exchanges.map { try $0.outcome.wait().ending }
            #expect(endings.allSatisfy { $0 == .end || $0 == .cancelled })
            #expect(try node.figures().busy == 0)
            #expect(try node.figures().open <= 16)
            try node.onLoop { $0.close() }.wait()
            eventually { node.closed == node.accepted }
        }
    }
}
