// The HTTP server as clients see it: framing, keep-alive, limits, rude clients, and the end.
import Gateway
import NIOCore
import TestThreads
import Testing

@Suite("HTTP server", .serialized, .blocking)
struct HTTPServerTests {
    // MARK: Requests and connections

    @Test("a connection carries one request after another")
    func keepAlive() throws {
        try TestServer.run { server in
            let client = try server.client()
            for text in ["one", "two", ""] {
                client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
                let answer = client.readAnswer()
                #expect(answer.status == 200)
                #expect(answer.body == text)
                #expect(answer.header("connection") == nil)
            }
            #expect(server.figures.connectionsTotal.load(ordering: .relaxed) == 1)
            #expect(server.figures.requests.load(ordering: .relaxed) == 3)
            #expect(server.figures.answered2xx.load(ordering: .relaxed) == 3)
        }
    }

    @Test("pipelined requests are answered in order, one at a time")
    func pipelining() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send(
                "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                    + "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\n"
                    + "GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually { server.log.count("end /hold") == 1 }
            #expect(!server.log.all.contains("head /echo"))
            let other = try server.client()
            other.send("GET /release HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(other.readAnswer().status == 204)
            #expect(client.readAnswer().status == 204)
            #expect(client.readAnswer().body == "def")
            #expect(client.readAnswer().status == 204)
            #expect(client.ending == nil)
        }
    }

    @Test("a thousand pipelined requests behind a slow one do not grow the queue without end")
    func pipeliningPausesReading() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            let ping = Array(
                "GET /ping HTTP/1.1\r\nHost: a\r\nX-Pad: \(String(repeating: "x", count: 900))\r\n\r\n".utf8)
            let sent = client.sendUntilFull(ping, atMost: 64 << 20)
            #expect(sent < 32 << 20, "the kernel's buffers are the limit")
        }
    }

    @Test("bytes that come one by one make the same requests")
    func byteByByte() throws {
        try TestServer.run { server in
            let client = try server.client()
            let request =
                "POST /echo?a=b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n"
            for _ in 0..<2 {
                for byte in request.utf8 {
                    client.send(bytes: [byte])
                }
                #expect(client.readAnswer().body == "xyz")
            }
        }
    }

    @Test("a HEAD request gets the head alone")
    func head() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("HEAD /nowhere HTTP/1.1\r\nHost: a\r\n\r\nHEAD /small-stream HTTP/1.1\r\nHost: a\r\n\r\n")
            let first = client.readAnswer(bodyless: true)
            #expect(first.status == 404)
            #expect(first.header("content-length") == "19")
            #expect(client.readAnswer(bodyless: true).header("transfer-encoding") == "chunked")
            client.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.readAnswer().status == 204)
        }
    }

    @Test("an absolute-form target reaches the same endpoint")
    func absoluteForm() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("GET http://elsewhere:1/ping?x HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.readAnswer().status == 204)
        }
    }

    // MARK: 100-continue

    @Test("100 is sent when the endpoint wants the body")
    func continueWanted() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            #expect(client.readAnswer().statusLine == "HTTP/1.1 100 Continue")
            client.send("abc")
            #expect(client.readAnswer().body == "abc")
        }
    }

    @Test("an answer that needs no body comes instead of 100, and the connection is closed")
    func continueNotWanted() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            let answer = client.readAnswer()
            #expect(answer.status == 401)
            #expect(answer.header("connection") == "close")
            #expect(client.readToEnd() == "")
            #expect(client.ending == .end)
        }
    }

    // MARK: Answers before the end of the body

    @Test("after an early answer a small rest of the body is thrown away and the connection kept")
    func earlyAnswerSmallRest() throws {
        try TestServer.run { server in
            let client = try server.client()
            for framing in ["Content-Length: 200000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n30d40\r\n"] {
                client.send("POST /early HTTP/1.1\r\nHost: a\r\n\(framing)x")
                let answer = client.readAnswer()
                #expect(answer.status == 401)
                #expect(answer.header("connection") == nil)
                client.send(String(repeating: "x", count: 199_999))
                client.send(framing.hasPrefix("T") ? "\r\n0\r\n\r\n" : "")
                client.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readAnswer().status == 204)
            }
        }
    }

    @Test("after an early answer to a large body the connection is closed, and the answer arrives")
    func earlyAnswerLargeRest() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n")
            client.send(String(repeating: "x", count: 1_000_000))
            let answer = client.readAnswer()
            #expect(answer.status == 401)
            #expect(answer.header("connection") == "close")
            #expect(client.readToEnd() == "")
        }
    }

    @Test("a chunked body whose rest turns out to be large ends the connection after its early answer")
    func earlyAnswerLargeChunked() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("POST /early HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<10 {
                client.send("10000\r\n" + String(repeating: "x", count: 65536) + "\r\n")
            }
            #expect(client.readAnswer().status == 401)
            #expect(client.readToEnd() == "")
        }
    }

    // MARK: HTTP/1.0

    @Test("HTTP/1.0: closed after the answer, kept when asked for, a stream ends with the connection")
    func http10() throws {
        try TestServer.run { server in
            var client = try server.client()
            client.send("GET /ping HTTP/1.0\r\n\r\n")
            #expect(client.readAnswer().statusLine == "HTTP/1.0 204 No Content")
            #expect(client.readToEnd() == "")

            client = try server.client()
            client.send("GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(client.readAnswer().header("connection") == "keep-alive")
            client.send("GET /small-stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            let answer = client.readAnswer()
            #expect(!answer.names.contains("transfer-encoding"))
            #expect(answer.body == "one,two")
            #expect(client.ending == .end)
        }
    }

    @Test("an aborted HTTP/1.0 stream ends with a reset, so that it does not look complete")
    func http10Abort() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("GET /aborted HTTP/1.0\r\n\r\n")
            _ = client.readToEnd()
            #expect(client.ending == .reset)
        }
    }

    // MARK: Streaming

    @Test("a stream is chunked, or has the length it was given")
    func streaming() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("GET /small-stream HTTP/1.1\r\nHost: a\r\n\r\n")
            let chunked = client.readAnswer()
            #expect(chunked.header("content-type") == "application/json")
            #expect(chunked.header("x-node") == "a")
            #expect(chunked.body == "4\r\none,\r\n3\r\ntwo\r\n0\r\n\r\n")
            client.send("GET /sized-stream HTTP/1.1\r\nHost: a\r\n\r\n")
            let sized = client.readAnswer()
            #expect(sized.header("content-length") == "7")
            #expect(sized.header("content-type") == "text/csv")
            #expect(!sized.names.contains("transfer-encoding"))
            #expect(sized.body == "one,two")
        }
    }

    @Test("S3 a stream that breaks off never looks complete", arguments: ["/aborted", "/short-stream"])
    func truncated(path: String) throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = client.readAnswer()
            #expect(answer.status == 200)
            #expect(!answer.body.contains("0\r\n\r\n"))
            #expect(client.ending != nil)
        }
    }

    @Test("A6 a stream waits for its client instead of growing the memory")
    func backPressure() throws {
        try TestServer.run { server in
            let client = try RawClient(port: server.port, receiveBuffer: 64 << 10)
            client.send("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            eventually { server.log.count("writable false") > 0 }
            #expect(client.countToEnd() > 64 << 20)
            #expect(client.ending == .end)
            #expect(server.log.count("writable true") > 0)
        }
    }

    @Test("A6 a large answer goes out whole to a client that reads slowly")
    func largeAnswer() throws {
        try TestServer.run { server in
            let client = try RawClient(port: server.port, receiveBuffer: 64 << 10)
            client.send("GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            client.closeOutput()
            #expect(client.countToEnd() > 32 << 20)
            #expect(client.ending == .end)
        }
    }

    @Test("A6 a paused request body stays in the kernel")
    func requestBackPressure() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("POST /paused HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
            let sent = client.sendUntilFull([UInt8](repeating: 120, count: 64 << 10), atMost: 100_000_000)
            #expect(sent < 32 << 20)
            #expect(server.log.count("body while paused") <= 2)
        }
    }

    // MARK: Clients that leave

    @Test(
        "A3 an endpoint hears that its client left, in the middle of a wait and of a stream", arguments: [true, false])
    func clientLeaves(withReset: Bool) throws {
        try TestServer.run { server in
            let waiting = try server.client()
            waiting.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
            let streaming = try RawClient(port: server.port, receiveBuffer: 64 << 10)
            streaming.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually { server.log.count("end /never") == 1 && server.log.count("writable false") > 0 }
            if withReset {
                waiting.reset()
                streaming.reset()
                eventually { server.log.count("left /never") == 1 && server.log.count("left /stream") == 1 }
                #expect(server.figures.requestsAbandoned.load(ordering: .relaxed) == 2)
            } else {
                waiting.close()
                streaming.close()
                eventually { server.log.count("input closed /never") == 1 }
                eventually { server.log.count("left /stream") == 1 }
            }
        }
    }

    @Test("a client that closes its sending side still gets its answers")
    func halfClose() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send(
                "POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nxGET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            client.closeOutput()
            eventually { server.log.count("input closed /hold") == 1 }
            let other = try server.client()
            other.send("GET /release HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.readAnswer().status == 204)
            #expect(client.readAnswer().status == 204)
            #expect(client.readToEnd() == "")
            #expect(client.ending == .end)
            #expect(server.log.count("left /hold") == 0)
        }
    }

    @Test(
        "a body that ends too early is answered as InfluxDB does, and its endpoint is told",
        arguments: ["Content-Length: 50\r\n\r\ncpu v=1\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"])
    func truncatedBody(rest: String) throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(rest)")
            client.closeOutput()
            let answer = client.readAnswer()
            #expect(answer.status == 400)
            #expect(answer.body == "{\"error\":\"unexpected EOF\"}\n")
            #expect(client.readToEnd() == "")
            eventually { server.log.count("left /echo") == 1 }
            #expect(server.log.count("end /echo") == 0)
        }
    }

    // MARK: Limits

    @Test("I8 a head that does not get complete ends with 408")
    func slowHead() throws {
        var limits = ServerLimits.impatient
        limits.headTimeout = .milliseconds(100)
        try TestServer.run(limits) { server in
            let client = try server.client()
            client.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\nGET /ping HTTP/1.1\r\n")
            #expect(client.readAnswer().status == 204)
            // The rest of a head that came together with a request counts from its next byte.
            client.send("X")
            #expect(client.readAnswer().status == 408)
            #expect(client.ending == .end)
            #expect(server.figures.timeouts.load(ordering: .relaxed) == 1)
        }
    }

    @Test("I8 a body that stops coming ends with 408 in InfluxDB's form; a paused one may wait")
    func slowBody() throws {
        var limits = ServerLimits.impatient
        limits.bodyProgressTimeout = .milliseconds(100)
        try TestServer.run(limits) { server in
            let paused = try server.client()
            paused.send("POST /paused HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
            let client = try server.client()
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
            let answer = client.readAnswer()
            #expect(answer.status == 408)
            #expect(answer.header("content-type") == "application/json")
            #expect(answer.header("connection") == "close")
            eventually { server.log.count("left /echo") == 1 }
            #expect(server.log.count("left /paused") == 0)
        }
    }

    @Test("an idle connection is closed; one whose answer is awaited is not")
    func idle() throws {
        var limits = ServerLimits.impatient
        limits.idleTimeout = .milliseconds(100)
        limits.bodyProgressTimeout = .milliseconds(50)
        try TestServer.run(limits) { server in
            let waiting = try server.client()
            waiting.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            let fresh = try server.client()
            let used = try server.client()
            used.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(used.readAnswer().status == 204)
            #expect(used.readToEnd() == "")
            #expect(fresh.readToEnd() == "")
            let other = try server.client()
            other.send("GET /release HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(waiting.readAnswer().status == 204)
        }
    }

    @Test("the first connection after a time without any is not taken for an old one")
    func clockRestarts() throws {
        var limits = ServerLimits.impatient
        limits.idleTimeout = .milliseconds(200)
        try TestServer.run(limits) { server in
            try server.client().close()
            eventually {
                server.figures.connectionsTotal.load(ordering: .relaxed) == 1
                    && server.figures.connectionsOpen.load(ordering: .relaxed) == 0
            }
            let later = NIODeadline.now() + .milliseconds(400)
            eventually { NIODeadline.now() > later }
            let opened = NIODeadline.now()
            #expect(try server.client().readToEnd() == "")
            #expect(NIODeadline.now() - opened > .milliseconds(150))
        }
    }

    @Test("I8 a client that takes nothing is cut off; one that reads slowly is not")
    func slowReader() throws {
        var limits = ServerLimits.impatient
        limits.writeProgressTimeout = .milliseconds(300)
        try TestServer.run(limits) { server in
            let stuck = try RawClient(port: server.port, receiveBuffer: 64 << 10)
            stuck.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            let slow = try RawClient(port: server.port, receiveBuffer: 64 << 10)
            slow.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
            eventually {
                slow.skip(16 << 10)
                return server.log.count("left /stream") == 1
            }
            #expect(stuck.countToEnd() < 64 << 20)
            #expect(stuck.ending == .reset)
            #expect(slow.ending == nil)
        }
    }

    @Test("I8 a flood of headers is answered with 431", arguments: [(1, 1 << 20), (2000, 3), (300, 4000)])
    func headerFlood(count: Int, length: Int) throws {
        try TestServer.run { server in
            let client = try server.client()
            let header = "X-Flood: \(String(repeating: "f", count: length))\r\n"
            client.send("GET /ping HTTP/1.1\r\nHost: a\r\n")
            for _ in 0..<count where client.send(header) {}
            client.send("\r\n")
            let answer = client.readAnswer()
            #expect(answer.statusLine == "HTTP/1.1 431 Request Header Fields Too Large")
            #expect(answer.body == "431 Request Header Fields Too Large")
            #expect(server.figures.requests.load(ordering: .relaxed) == 0)
        }
    }

    @Test("a head of nearly the allowed size is served")
    func largeHead() throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("GET /ping HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "f", count: 1_000_000))\r\n\r\n")
            #expect(client.readAnswer().status == 204)
        }
    }

    @Test("A9 connections beyond the limit get 503 and do not disturb the others")
    func tooManyConnections() throws {
        var limits = ServerLimits.impatient
        limits.maximumConnections = 2
        try TestServer.run(limits) { server in
            let first = try server.client()
            let second = try server.client()
            for client in [first, second] {
                client.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.readAnswer().status == 204)
            }
            let third = try server.client()
            let answer = third.readAnswer()
            #expect(answer.status == 503)
            #expect(answer.header("retry-after") == "1")
            #expect(answer.body == "{\"error\":\"too many connections\"}\n")
            #expect(third.readToEnd() == "")
            first.close()
            eventually { server.figures.connectionsOpen.load(ordering: .relaxed) == 1 }
            let fourth = try server.client()
            fourth.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(fourth.readAnswer().status == 204)
        }
    }

    // MARK: What is not HTTP

    static let notHTTP: [(String, String)] = [
        ("garbage\r\n\r\n", "400 Bad Request"),
        ("GET ping HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        ("GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        ("GET ftp://a/ping HTTP/1.1\r\nHost: a\r\n\r\n", "400 Bad Request"),
        ("GET /ping HTTP/1.1\r\n\r\n", "400 Bad Request: missing required Host header"),
        ("GET /ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 Bad Request: too many Host headers"),
        ("GET /ping HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported: unsupported protocol version"),
        ("GET /ping HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", "400 Bad Request"),
        ("GET /ping HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", "400 Bad Request"),
        ("GET /ping HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", "400 Bad Request"),
        ("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: money\r\n\r\n", "417 Expectation Failed"),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\u{3}\u{3}", "400 Bad Request"),
    ]

    @Test("A7 what is not HTTP gets Go's bare answer and the end of the connection", arguments: notHTTP)
    func malformed(request: String, status: String) throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send(request)
            let answer = client.readAnswer()
            #expect(answer.statusLine == "HTTP/1.1 " + status)
            #expect(answer.body == status)
            #expect(answer.names == ["content-type", "connection"])
            #expect(client.ending == .end)
            #expect(server.figures.requestsMalformed.load(ordering: .relaxed) == 1)
        }
    }

    /// Each ends with a request that must never be seen as one.
    static let smuggling: [String] = [
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nxxxxx",
        "Content-Length: 5, 6\r\n\r\nxxxxx",
        "Content-Length: +5\r\n\r\nxxxxx",
        "Content-Length: 0x5\r\n\r\nxxxxx",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: 99999999999999999999\r\n\r\n",
        "Content-Length: 5 5\r\n\r\nxxxxx",
        "Content-Length : 5\r\n\r\nxxxxx",
        "Transfer-Encoding: gzip\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        " Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
    ]

    @Test(
        "I6 a request whose length can be read in two ways is refused, and nothing after it is read",
        arguments: smuggling)
    func smuggled(rest: String) throws {
        try TestServer.run { server in
            let client = try server.client()
            client.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(rest)GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = client.readAnswer()
            #expect([400, 501].contains(answer.status))
            #expect(answer.header("connection") == "close")
            #expect(client.readToEnd() == "")
            #expect(!server.log.all.contains("head /smuggled"))
            #expect(!server.log.all.contains("end /echo"))
        }
    }

    @Test("A7 mutilated requests never stop the server")
    func noise() throws {
        try TestServer.run(.impatient) { server in
            var random = SplitMix(seed: 42)
            let seeds =
                Self.notHTTP.map(\.0) + Self.smuggling.map { "POST /echo HTTP/1.1\r\nHost: a\r\n\($0)" }
                + [
                    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /ping HTTP/1.1\r\nHost: a\r\n\r\n"
                ]
            for _ in 0..<500 {
                var bytes = Array((seeds.randomElement(using: &random) ?? "").utf8)
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let at = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: at)
                    default: bytes.removeSubrange(at..<min(bytes.count, at + 3))
                    }
                    if bytes.isEmpty { bytes = [0] }
                }
                let client = try server.client()
                client.send(bytes: bytes)
                client.closeOutput()
                _ = client.readToEnd()
            }
            let client = try server.client()
            client.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.readAnswer().status == 204)
        }
    }

    // MARK: The end

    @Test("draining answers what is running, closes what is idle and accepts nothing new")
    func drain() throws {
        try TestServer.run { server in
            let idle = try server.client()
            idle.send("GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(idle.readAnswer().status == 204)
            let second = try server.client()
            second.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
            eventually { server.log.count("head /echo") == 1 }

            try server.server.stopAccepting().wait()
            #expect(throws: RawClient.NotConnected.self) { try server.client() }
            let drained = server.server.drain(deadline: .now() + .seconds(10))
            #expect(idle.readToEnd() == "")
            second.send("c")
            let answer = second.readAnswer()
            #expect(answer.body == "abc")
            #expect(answer.header("connection") == "close")
            #expect(try drained.wait() == 0)
        }
    }

    @Test("draining cuts what is still running at its deadline")
    func drainDeadline() throws {
        try TestServer.run(loops: 2) { server in
            let clients = try (0..<3).map { _ in try server.client() }
            for client in clients {
                client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n")
            }
            eventually { server.log.count("end /never") == 3 }
            #expect(try server.server.drain(deadline: .now() + .milliseconds(50)).wait() == 3)
            #expect(server.log.count("left /never") == 3)
        }
    }
}

/// A small seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
