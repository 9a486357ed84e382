// The form of answers: InfluxDB's standard headers, its errors, Go's JSON text; and how request heads are read.
import Gateway
import HTTPCodec
import NIOCore
import Testing

@Suite("HTTP answers")
struct HTTPAnswerTests {
    private func render(
        _ response: Response, to request: String = "/write", headers: KeyValuePairs<String, String> = ["host": "a"]
    ) throws -> RawAnswer {
        var standard = StandardHeaders(version: "1.8.10")
        let head = try requestHead("POST", request, headers)
        var buffer = ByteBuffer()
        let framing: BodyFraming = response.status == 204 ? .none : .length(response.body.readableBytes)
        standard.write(
            ResponseHead(
                status: response.status, contentType: response.contentType, headers: response.headers,
                isRouted: response.isRouted, framing: framing, keepAlive: true),
            answering: head, into: &buffer)
        let text = String(buffer: buffer)
        #expect(text.hasSuffix("\r\n\r\n"))
        return RawAnswer(head: String(text.dropLast(2)), body: String(buffer: response.body))
    }

    @Test("204 has a content type and neither length nor transfer encoding")
    func noContent() throws {
        let answer = try render(.noContent)
        #expect(answer.statusLine == "HTTP/1.1 204 No Content")
        #expect(
            answer.names == [
                "content-type", "request-id", "x-request-id", "x-influxdb-build", "x-influxdb-version", "date",
            ])
        #expect(answer.header("content-type") == "application/json")
        #expect(answer.header("x-influxdb-build") == "OSS")
        #expect(answer.header("x-influxdb-version") == "1.8.10")
    }

    @Test("the prepared head of the usual 204 is the one that is made for others")
    func preparedHead() throws {
        func lines(_ response: Response) throws -> [String] {
            try render(response).lines.filter { $0 != "X-Other: a" }.map { line in
                line.contains("equest-Id: ") ? String(line.prefix { $0 != ":" }) : line
            }
        }
        let made = try lines(Response(status: 204, headers: [("X-Other", "a")]))
        #expect(try lines(.noContent) == made)
        #expect(made.count >= 6)
    }

    @Test("the request id is the client's, else a new version 1 UUID for each request")
    func requestID() throws {
        #expect(try render(.noContent, headers: ["host": "a", "X-Request-ID": "mine"]).header("request-id") == "mine")
        #expect(try render(.noContent, headers: ["host": "a", "request-id": "mine"]).header("x-request-id") == "mine")
        let both: KeyValuePairs = ["host": "a", "Request-Id": "second", "X-Request-Id": "first"]
        #expect(try render(.noContent, headers: both).header("request-id") == "first")
        let first = try #require(try render(.noContent).header("request-id"))
        let second = try #require(try render(.noContent).header("request-id"))
        #expect(first != second)
        let groups = first.split(separator: "-")
        #expect(groups.map(\.count) == [8, 4, 4, 4, 12])
        #expect(groups[2].first == "1")
        #expect("89ab".contains(try #require(groups[3].first)))
    }

    @Test("CORS headers come with an Origin, on routed answers only")
    func cors() throws {
        let headers: KeyValuePairs = ["host": "a", "Origin": "http://x"]
        let answer = try render(.options, headers: headers)
        #expect(answer.status == 200)
        #expect(answer.header("content-length") == "0")
        #expect(!answer.names.contains("content-type"))
        #expect(answer.header("access-control-allow-origin") == "http://x")
        #expect(answer.header("access-control-allow-methods") == "DELETE, GET, OPTIONS, POST, PUT")
        #expect(
            answer.header("access-control-allow-headers")
                == "Accept, Accept-Encoding, Authorization, Content-Length, Content-Type, X-CSRF-Token, "
                + "X-HTTP-Method-Override")
        #expect(answer.header("access-control-expose-headers") == "Date, X-InfluxDB-Version, X-InfluxDB-Build")
        #expect(try render(.notFound, headers: headers).header("access-control-allow-origin") == nil)
    }

    @Test("InfluxDB's errors")
    func errors() throws {
        let missing = try render(.error(404, "database not found: \"x\""))
        #expect(missing.statusLine == "HTTP/1.1 404 Not Found")
        #expect(missing.header("x-influxdb-error") == "database not found: \"x\"")
        #expect(missing.body == "{\"error\":\"database not found: \\\"x\\\"\"}\n")
        #expect(missing.header("content-length") == "38")

        let unauthorized = try render(.unauthorized("authorization failed"))
        #expect(unauthorized.header("www-authenticate") == "Basic realm=\"InfluxDB\"")
        #expect(!unauthorized.names.contains("x-influxdb-error"))
        #expect(unauthorized.body == "{\"error\":\"authorization failed\"}\n")

        let unavailable = try render(.unavailable("no node", retryAfter: 3))
        #expect(unavailable.status == 503)
        #expect(unavailable.header("retry-after") == "3")
        #expect(unavailable.header("x-influxdb-error") == "no node")

        #expect(try render(.bodyTooLarge).body == "{\"error\":\"Request Entity Too Large\"}\n")

        let notFound = try render(.notFound)
        #expect(notFound.body == "404 page not found\n")
        #expect(notFound.header("content-type") == "text/plain; charset=utf-8")
        #expect(notFound.header("x-content-type-options") == "nosniff")
        #expect(!notFound.names.contains("request-id"))

        let notAllowed = try render(.methodNotAllowed(allow: "OPTIONS, POST"))
        #expect(notAllowed.status == 405)
        #expect(notAllowed.header("allow") == "OPTIONS, POST")
        #expect(notAllowed.body == "Method Not Allowed\n")
    }

    /// What influxd 1.6.7 sends.
    static let formats: [(accept: String, message: String, contentType: String, body: String)] = [
        ("text/csv", "database is required", "text/csv", "error\ndatabase is required\n"),
        ("application/csv", "missing parameter \"q\"", "text/csv", "error\n\"missing parameter \"\"q\"\"\"\n"),
        ("text/csv", "expected SELECT, DELETE", "text/csv", "error\n\"expected SELECT, DELETE\"\n"),
        ("text/csv", "two\nlines", "text/csv", "error\n\"two\nlines\"\n"),
        ("application/x-msgpack", "EOF", "application/x-msgpack", "\u{81}\u{A5}error\u{A3}EOF"),
        (
            "application/x-msgpack", "unable to parse 'm': missing fields", "application/x-msgpack",
            "\u{81}\u{A5}error\u{D9}#unable to parse 'm': missing fields"
        ),
        ("pretty", "\"x\"", "application/json", "{\n    \"error\": \"\\\"x\\\"\"\n}\n"),
        ("text/csv, */*", "EOF", "application/json", "{\"error\":\"EOF\"}\n"),
        ("application/json", "EOF", "application/json", "{\"error\":\"EOF\"}\n"),
    ]

    @Test("errors come in the format that the client accepts", arguments: formats)
    func errorFormats(_ row: (accept: String, message: String, contentType: String, body: String)) throws {
        let query = row.accept.filter { $0 != " " }
        let head = try requestHead("GET", "/query?\(query)=true", ["host": "a", "accept": row.accept])
        for response in [Response.error(400, row.message), .unauthorized(row.message)] {
            let answer = response.formatted(for: head)
            #expect(answer.contentType == row.contentType)
            // One character per byte.
            #expect(
                String(String.UnicodeScalarView(answer.body.readableBytesView.map { Unicode.Scalar($0) })) == row.body)
        }
        #expect(Response.noContent.formatted(for: head).contentType == row.contentType)
    }

    @Test("X-Influxdb-Error has at most 1024 bytes and one line")
    func errorHeader() throws {
        let answer = try render(.error(400, "unable\nto\r\nparse \u{1}" + String(repeating: "é", count: 2000)))
        let text = try #require(answer.header("x-influxdb-error"))
        #expect(text.hasPrefix("unable to  parse  é"))
        #expect(text.utf8.count <= 1024 && text.utf8.count > 1020)
        #expect(answer.body.utf8.count > 4000)
    }

    @Test("what the server writes itself is left out of a node's headers")
    func filtered() throws {
        let response = Response(
            status: 200,
            headers: [
                ("Content-Length", "7"), ("Transfer-Encoding", "chunked"), ("Connection", "close"), ("Date", "x"),
                ("X-Influxdb-Version", "9"), ("X-Influxdb-Build", "x"), ("Request-Id", "x"), ("X-Request-Id", "x"),
                ("Keep-Alive", "x"), ("Content-Encoding", "gzip"), ("X-Other", "a\r\nSet-Cookie: b"),
            ])
        let answer = try render(response)
        #expect(answer.header("content-length") == "0")
        #expect(answer.header("x-influxdb-version") == "1.8.10")
        #expect(answer.header("content-encoding") == "gzip")
        #expect(answer.header("x-other") == "a  Set-Cookie: b")
        #expect(answer.lines.count { $0.lowercased().hasPrefix("request-id") } == 1)
        #expect(answer.names.isDisjoint(with: ["transfer-encoding", "connection", "keep-alive", "set-cookie"]))
    }

    @Test(
        "JSON text is Go's",
        arguments: [
            (Array("plain".utf8), "plain"), (Array("a\"b\\c/".utf8), #"a\"b\\c/"#),
            (Array("<>&".utf8), #"\u003c\u003e\u0026"#), (Array("\n\r\t".utf8), #"\n\r\t"#),
            ([0, 1, 8, 12, 0x1f, 0x7f], "\\u0000\\u0001\\u0008\\u000c\\u001f\u{7f}"),
            (Array("\u{2028}\u{2029}\u{2027}".utf8), "\\u2028\\u2029\u{2027}"),
            (Array("é€😀".utf8), "é€😀"), ([0xff], #"\ufffd"#), ([0xc3], #"\ufffd"#), ([0xe2, 0x80], #"\ufffd\ufffd"#),
            ([0xe2, 0x28, 0xa1], #"\ufffd(\ufffd"#), ([0xc0, 0xaf], #"\ufffd\ufffd"#),
            ([0xed, 0xa0, 0x80], #"\ufffd\ufffd\ufffd"#), ([0xf4, 0x90, 0x80, 0x80], #"\ufffd\ufffd\ufffd\ufffd"#),
            ([0xe0, 0x80, 0x80], #"\ufffd\ufffd\ufffd"#), ([0xf0, 0x9f, 0x98, 0x41], #"\ufffd\ufffd\ufffdA"#),
        ] as [([UInt8], String)])
    func jsonText(bytes: [UInt8], expected: String) {
        var buffer = ByteBuffer()
        buffer.writeJSONString(bytes)
        #expect(String(buffer: buffer) == "\"\(expected)\"")
    }

    @Test(
        "targets are split, not decoded",
        arguments: [
            ("/write", "/write", ""), ("/write?db=a&p=%20;x?y", "/write", "db=a&p=%20;x?y"), ("/a%2Fb", "/a%2Fb", ""),
            ("//ping", "//ping", ""), ("/ping/", "/ping/", ""), ("/?", "/", ""), ("/q?%zz", "/q", "%zz"),
            ("http://h:1/q?x", "/q", "x"), ("HTTP://h", "/", ""), ("https://h?x=/", "/", "x=/"), ("*", "*", ""),
            ("/a#b", "/a#b", ""), ("/\u{e9}", "/\u{e9}", ""),
        ])
    func targets(target: String, path: String, query: String) throws {
        let split = try Self.split(target)
        #expect(split.path == path)
        #expect(split.query == query)
    }

    @Test("targets that are none", arguments: ["ping", "", "%zz", "/%", "/%g0", "://a", "mailto:x"])
    func badTargets(target: String) {
        #expect(throws: HTTPSyntaxError.malformed) { try Self.split(target) }
    }

    private static func split(_ target: String) throws -> RequestTarget {
        try Array(target.utf8).withUnsafeBytes { try RequestTarget($0) }
    }
}
