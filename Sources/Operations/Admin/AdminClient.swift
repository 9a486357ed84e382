// The command line's way to a running gateway.
import AsyncHTTPClient
import Foundation
import NIOCore

package struct AdminClient: Sendable {
    /// `http://host:port`, without a slash at the end.
    package let base: String
    private static let timeout = TimeAmount.seconds(10)
    private static let largestAnswer = 64 << 20

    /// - Parameter address: `host:port` or `http://host:port`.
    package init(address: String) {
        let url = address.contains("://") ? address : "http://" + (address.hasPrefix(":") ? "127.0.0.1" : "") + address
        base = url.hasSuffix("/") ? String(url.dropLast()) : url
    }

    package func status() async throws -> StatusReport {
        try AdminJSON.decode(StatusReport.self, from: try await get("/api/v1/status"))
    }

    package func deadLetters(database: String?, limit: Int) async throws -> DeadLetterList {
        var components = URLComponents()
        components.queryItems = [URLQueryItem(name: "limit", value: String(limit))]
        if let database { components.queryItems?.append(URLQueryItem(name: "db", value: database)) }
        return try AdminJSON.decode(
            DeadLetterList.self, from: try await get("/api/v1/deadletters?" + (components.percentEncodedQuery ?? "")))
    }

    package func deadLetter(id: Int64) async throws -> DeadLetter {
        try AdminJSON.decode(DeadLetter.self, from: try await get("/api/v1/deadletters/\(id)"))
    }

    private struct Complaint: Decodable {
        let error: String
    }

    private func get(_ path: String) async throws -> Data {
        let response: HTTPClientResponse
        let body: ByteBuffer
        do {
            response = try await PlainHTTP.client.execute(HTTPClientRequest(url: base + path), timeout: Self.timeout)
            body = try await response.body.collect(upTo: Self.largestAnswer)
        } catch {
            throw ServingError(
                "no gateway answers at \(base)",
                advice: "start one with sluice serve, or name its admin address with --admin")
        }
        let data = Data(body.readableBytesView)
        guard response.status == .ok else {
            let complaint = try? AdminJSON.decode(Complaint.self, from: data)
            throw ServingError(
                complaint?.error ?? "\(base)\(path) answers \(response.status.code)",
                advice: complaint == nil ? "is this a gateway's admin address?" : "see sluice help")
        }
        return data
    }
}
