// The InfluxDB 1.x HTTP API as a client sees it, for nodes and gateways alike. Nothing is decompressed, followed or
// tried again behind the test's back: what the server says is what the test gets.

import AsyncHTTPClient
import Foundation
import NIOCore
import NIOSSL

package struct Reply: Sendable, CustomStringConvertible {
    package let status: Int
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }
    package var description: String { "\(status) \(text.prefix(2000))" }

    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    /// The text under `error` in a JSON body, at the top or in the first result that has one.
    package var error: String? {
        guard let json = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else { return nil }
        if let error = json["error"] as? String { return error }
        let results = json["results"] as? [[String: Any]] ?? []
        return results.lazy.compactMap { $0["error"] as? String }.first
    }
}

extension Reply {
    /// The whole of what a server sent before it closed the connection.
    package init(raw bytes: [UInt8]) throws {
        let end = Array("\r\n\r\n".utf8)
        guard let split = bytes.firstRange(of: end) else {
            throw TestFailure("no answer: \(String(decoding: bytes.prefix(200), as: UTF8.self))")
        }
        let lines = String(decoding: bytes[..<split.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        headers = lines.dropFirst().compactMap { line in
            line.firstIndex(of: ":").map { colon in
                (String(line[..<colon]), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
            }
        }
        var rest = bytes[split.upperBound...]
        guard headers.contains(where: { $0.name.lowercased() == "transfer-encoding" }) else {
            body = Array(rest)
            return
        }
        var whole: [UInt8] = []
        while let line = rest.firstRange(of: Array("\r\n".utf8)) {
            let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) ?? 0
            if size == 0 { break }
            whole += rest[line.upperBound...].prefix(size)
            rest = rest[line.upperBound...].dropFirst(size + 2)
        }
        body = whole
    }
}

package enum Method: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
    case options = "OPTIONS"
}

package struct InfluxClient: Sendable {
    package let base: String
    package var timeout: Duration = .seconds(30)
    /// Sent with every request that brings none of its own: `Basic ...`.
    package var authorization: String?

    /// - Parameter isSecure: with TLS; the server's certificate is not looked at.
    package init(port: Int, host: String = "127.0.0.1", isSecure: Bool = false) {
        base = "\(isSecure ? "https" : "http")://\(host):\(port)"
    }

    package func signedIn(_ username: String, _ password: String) -> InfluxClient {
        var client = self
        client.authorization = "Basic " + Data("\(username):\(password)".utf8).base64EncodedString()
        return client
    }

    // One pool for all tests; it lives as long as the process.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.decompression = .disabled
        configuration.timeout.connect = .seconds(5)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 512
        configuration.httpVersion = .http1Only
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.certificateVerification = .none
        configuration.tlsConfiguration = tls
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// Sent with `Transfer-Encoding: chunked`, one chunk per element.
        case chunked([[UInt8]])
    }

    /// One request. `target` is path and query, already percent-encoded.
    package func send(
        _ method: Method,
        _ target: String,
        headers: [(String, String)] = [],
        body: Body = .none
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: base + target)
        request.method = .init(rawValue: method.rawValue)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        if let authorization, !request.headers.contains(name: "Authorization") {
            request.headers.add(name: "Authorization", value: authorization)
        }
        switch body {
        case .none: break
        case .bytes(let bytes): request.body = .bytes(ByteBuffer(bytes: bytes))
        case .chunked(let chunks):
            let stream = AsyncStream { continuation in
                for chunk in chunks { continuation.yield(ByteBuffer(bytes: chunk)) }
                continuation.finish()
            }
            request.body = .stream(stream, length: .unknown)
        }
        let deadline = NIODeadline.now() + .nanoseconds(Int64(timeout.seconds * 1e9))
        let response = try await Self.http.execute(request, deadline: deadline)
        var bytes: [UInt8] = []
        for try await buffer in response.body { bytes.append(contentsOf: buffer.readableBytesView) }
        return Reply(
            status: Int(response.status.code),
            headers: response.headers.map { ($0.name, $0.value) },
            body: bytes
        )
    }

    /// As `send`, with the target's bytes as they are and without a look at the answer's header bytes: InfluxDB quotes
    /// hostile input in a header field, which HTTP libraries refuse.
    package func sendRaw(
        _ method: Method, _ target: String, headers: [(String, String)] = [], body: [UInt8] = []
    ) async throws -> Reply {
        guard let port = base.split(separator: ":").last.flatMap({ Int($0) }) else { throw TestFailure("no port") }
        let connection = try RawConnection(port: port)
        var head = "\(method.rawValue) \(target) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        if !body.isEmpty { head += "Content-Length: \(body.count)\r\n" }
        await connection.send(Array((head + "\r\n").utf8) + body)
        return try Reply(raw: await connection.receive(within: timeout).bytes)
    }

    // MARK: Writes

    /// `POST /write`. `parameters` are added to the URL as they are given here (and percent-encoded).
    package func write(
        _ lines: String,
        db: String?,
        _ parameters: [String: String] = [:],
        headers: [(String, String)] = []
    ) async throws -> Reply {
        var all = parameters
        if let db { all["db"] = db }
        return try await send(.post, Self.target("/write", all), headers: headers, body: .bytes(Array(lines.utf8)))
    }

    // MARK: Queries

    /// `/query`, by default as GET with everything in the URL, and times as nanoseconds.
    package func query(
        _ q: String,
        db: String? = nil,
        _ parameters: [String: String] = ["epoch": "ns"],
        method: Method = .get,
        headers: [(String, String)] = []
    ) async throws -> Reply {
        var all = parameters
        all["q"] = q
        if let db { all["db"] = db }
        return try await send(method, Self.target("/query", all), headers: headers)
    }

    /// `POST /query` with `form` as its urlencoded body and `parameters` in the URL.
    package func queryForm(
        _ form: [String: String],
        _ parameters: [String: String] = [:],
        headers: [(String, String)] = []
    ) async throws -> Reply {
        let type = ("Content-Type", "application/x-www-form-urlencoded")
        let body = Array(Self.encoded(form).utf8)
        return try await send(.post, Self.target("/query", parameters), headers: [type] + headers, body: .bytes(body))
    }

    /// A statement that must succeed: status 200 and no `error` anywhere. POST, as a client sends mutations.
    @discardableResult
    package func execute(_ q: String, db: String? = nil) async throws -> Reply {
        let reply = try await query(q, db: db, method: .post)
        guard reply.status == 200, reply.error == nil else { throw TestFailure("\(q): \(reply)") }
        return reply
    }

    /// The rows of a query, as `columns` of text, without name and tags; CSV underneath. For values without commas.
    package func rows(_ q: String, db: String) async throws -> [[Substring]] {
        let accept = [("Accept", "application/csv")]
        let reply = try await query(q, db: db, method: .post, headers: accept)
        guard reply.status == 200 else { throw TestFailure("\(q): \(reply)") }
        return reply.text.split(separator: "\n").dropFirst().map { line in
            Array(line.split(separator: ",", omittingEmptySubsequences: false).dropFirst(2))
        }
    }

    /// The values of all columns but `time` in one query's only row, as JSON gives them; nil when there is no row.
    package func firstRow(_ q: String, db: String) async throws -> [String]? {
        try await rows(q, db: db).first.map { $0.dropFirst().map(String.init) }
    }

    package func count(_ field: String, of measurement: String, db: String) async throws -> Int {
        let row = try await firstRow("SELECT count(\"\(field)\") FROM \"\(measurement)\"", db: db)
        return row?.first.flatMap { Int($0) } ?? 0
    }

    /// The names that `SHOW MEASUREMENTS`, `SHOW DATABASES` or `SHOW USERS` list, in the server's order.
    package func names(_ q: String, db: String? = nil) async throws -> [String] {
        let reply = try await execute(q, db: db)
        let json = try JSONSerialization.jsonObject(with: Data(reply.body)) as? [String: Any]
        let results = json?["results"] as? [[String: Any]] ?? []
        let series = results.first?["series"] as? [[String: Any]] ?? []
        let values = series.first?["values"] as? [[Any]] ?? []
        return values.compactMap { $0.first as? String }
    }

    // MARK: Encoding

    package static func target(_ path: String, _ parameters: [String: String]) -> String {
        parameters.isEmpty ? path : path + "?" + encoded(parameters)
    }

    package static func encoded(_ parameters: [String: String]) -> String {
        parameters.sorted { $0.key < $1.key }.map { percent($0.key) + "=" + percent($0.value) }.joined(separator: "&")
    }

    package static func percent(_ text: String) -> String {
        let kept = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~".utf8)
        let hex = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            if kept.contains(byte) {
                out.append(byte)
            } else {
                out += [0x25, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
