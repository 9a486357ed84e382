// The gateway as its own client: lines that are written again take the way of all writes.
import AsyncHTTPClient
import Foundation
import NIOCore

/// User and password for a gateway that asks its clients for them.
package struct RetryCredential: Equatable, Sendable {
    package var username: String
    package var password: String

    package init(username: String, password: String) {
        self.username = username
        self.password = password
    }
}

package struct ClientAddress: Sendable {
    /// `http://host:port`, or `http+unix://` with the socket's path percent-encoded.
    let base: String
    let credential: RetryCredential?
    private static let timeout = TimeAmount.seconds(60)
    private static let largestAnswer = 16 << 20

    /// - Parameter bound: where the gateway listens, without TLS: `host:port` or `unix:/path`; an address that means all
    ///   interfaces is reached by loopback.
    package init(bound: String, credential: RetryCredential?) {
        self.credential = credential
        if bound.hasPrefix("unix:") {
            base = "http+unix://" + Self.percent(String(bound.dropFirst(5)))
            return
        }
        var host = bound
        for (all, loopback) in [("0.0.0.0:", "127.0.0.1:"), ("[::]:", "[::1]:")] where bound.hasPrefix(all) {
            host = loopback + bound.dropFirst(all.count)
        }
        base = "http://" + host
    }

    struct Answer {
        let status: Int
        /// InfluxDB's error text, or the beginning of the body.
        let message: String
    }

    /// Throws only when there is no answer.
    func write(_ lines: [String], database: String, retentionPolicy: String, precision: String) async throws -> Answer {
        var items = [("db", database), ("precision", precision)]
        if !retentionPolicy.isEmpty { items.append(("rp", retentionPolicy)) }
        var request = request("/write", items)
        request.method = .POST
        request.body = .bytes(ByteBuffer(string: lines.joined(separator: "\n") + "\n"))
        let (status, body) = try await send(request)
        return Answer(status: status, message: status == 204 ? "" : Self.message(in: body, status: status))
    }

    /// The fields of a measurement with their types, several when shards differ; nil when the gateway does not say.
    func fieldTypes(of measurement: String, database: String, retentionPolicy: String) async -> [String: Set<String>]? {
        let source = [retentionPolicy, measurement].filter { !$0.isEmpty }.map(Self.quoted).joined(separator: ".")
        let statement = "SHOW FIELD KEYS ON \(Self.quoted(database)) FROM \(source)"
        guard let (status, body) = try? await send(request("/query", [("q", statement)])), status == 200,
            let document = try? JSONDecoder().decode(FieldKeys.self, from: body),
            document.results.allSatisfy({ $0.error == nil })
        else { return nil }
        let rows = document.results.flatMap { $0.series ?? [] }.flatMap(\.values)
        return rows.reduce(into: [:]) { types, row in
            if row.count == 2 { types[row[0], default: []].insert(row[1]) }
        }
    }

    private struct FieldKeys: Decodable {
        struct Result: Decodable {
            let series: [Series]?
            let error: String?
        }
        struct Series: Decodable {
            let values: [[String]]
        }
        let results: [Result]
    }

    static func quoted(_ name: String) -> String {
        "\"" + name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n") + "\""
    }

    private func request(_ path: String, _ items: [(String, String)]) -> HTTPClientRequest {
        let query = items.map { "\($0.0)=\(Self.percent($0.1))" }.joined(separator: "&")
        var request = HTTPClientRequest(url: "\(base)\(path)?\(query)")
        // The client library names no host for a socket's path.
        if base.hasPrefix("http+unix:") { request.headers.add(name: "Host", value: "localhost") }
        if let credential {
            let text = Data("\(credential.username):\(credential.password)".utf8).base64EncodedString()
            request.headers.add(name: "Authorization", value: "Basic \(text)")
        }
        return request
    }

    /// Everything but letters and digits, so that no `+` or `;` means something else to the reader.
    private static func percent(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }

    private func send(_ request: HTTPClientRequest) async throws -> (status: Int, body: Data) {
        let response = try await PlainHTTP.client.execute(request, timeout: Self.timeout)
        let body = try await response.body.collect(upTo: Self.largestAnswer)
        return (Int(response.status.code), Data(body.readableBytesView))
    }

    private struct Complaint: Decodable {
        let error: String
    }

    private static func message(in body: Data, status: Int) -> String {
        if let complaint = try? JSONDecoder().decode(Complaint.self, from: body) { return complaint.error }
        let text = String(decoding: body.prefix(400), as: UTF8.self)
        return text.isEmpty ? "the answer was \(status)" : text
    }
}
