// The command line's way to a running gateway.
import AsyncHTTPClient
import Foundation
import NIOCore

package struct AdminClient: Sendable {
    /// `http://host:port`, without a slash at the end.
    package let base: String
    /// Needed for changes only.
    private let token: AdminToken?
    private static let timeout = TimeAmount.seconds(10)
    /// A stretch of dead letters may have to wait for nodes.
    private static let changeTimeout = TimeAmount.minutes(10)
    private static let largestAnswer = 64 << 20

    /// - Parameter address: `host:port` or `http://host:port`.
    package init(address: String, token: AdminToken? = nil) {
        let url = address.contains("://") ? address : "http://" + (address.hasPrefix(":") ? "127.0.0.1" : "") + address
        base = url.hasSuffix("/") ? String(url.dropLast()) : url
        self.token = token
    }

    package func status() async throws -> StatusReport {
        try AdminJSON.decode(StatusReport.self, from: try await get("/api/v1/status"))
    }

    package func deadLetters(_ selection: DeadLetterSelection, limit: Int) async throws -> DeadLetterList {
        try AdminJSON.decode(
            DeadLetterList.self, from: try await get("/api/v1/deadletters?" + Self.query(selection, limit)))
    }

    package func deadLetterReasons(_ selection: DeadLetterSelection, limit: Int) async throws -> DeadLetterSummary {
        try AdminJSON.decode(
            DeadLetterSummary.self, from: try await get("/api/v1/deadletters/reasons?" + Self.query(selection, limit)))
    }

    private static func query(_ selection: DeadLetterSelection, _ limit: Int) -> String {
        var items = ["limit=\(limit)"]
        let named = [
            ("db", selection.database), ("measurement", selection.measurement), ("reason", selection.reason),
        ]
        for (name, value) in named {
            guard let value = value?.addingPercentEncoding(withAllowedCharacters: .alphanumerics) else { continue }
            items.append("\(name)=\(value)")
        }
        return items.joined(separator: "&")
    }

    package func deadLetter(id: Int64) async throws -> DeadLetter {
        try AdminJSON.decode(DeadLetter.self, from: try await get("/api/v1/deadletters/\(id)"))
    }

    // MARK: Changes

    package func pause(node: String, _ wish: PauseRequest) async throws -> String {
        try await post("/api/v1/nodes/\(Self.percent(node))/pause", wish, AdminMessage.self).message
    }

    package func resume(node: String) async throws -> String {
        try await post("/api/v1/nodes/\(Self.percent(node))/resume", ResumeRequest(), AdminMessage.self).message
    }

    package func trust(node: String, dryRun: Bool) async throws -> String {
        try await post("/api/v1/nodes/\(Self.percent(node))/trust", TrustRequest(dryRun: dryRun), AdminMessage.self)
            .message
    }

    /// - Returns: how many lines were removed, or would be.
    package func purge(_ selection: DeadLetterSelection, dryRun: Bool) async throws -> Int {
        try await post(
            "/api/v1/deadletters/purge", PurgeRequest(selection: selection, dryRun: dryRun), PurgeOutcome.self
        ).lines
    }

    package func retryPlan(_ selection: DeadLetterSelection, credential: RetryCredential?) async throws -> RetryPlan {
        try await post(
            "/api/v1/deadletters/retry", RetryRequest(selection: selection, dryRun: true, credential: credential),
            RetryPlan.self)
    }

    /// Writes one stretch of letters again.
    package func retry(
        _ selection: DeadLetterSelection, after: Int64?, upTo last: Int64, credential: RetryCredential?
    ) async throws -> RetryOutcome {
        try await post(
            "/api/v1/deadletters/retry",
            RetryRequest(selection: selection, dryRun: false, after: after, upTo: last, credential: credential),
            RetryOutcome.self)
    }

    // MARK: HTTP

    private struct Complaint: Decodable {
        let error: String
    }

    private static func percent(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    }

    private func get(_ path: String) async throws -> Data {
        try await send(HTTPClientRequest(url: base + path), path, timeout: Self.timeout)
    }

    private func post<Answer: Decodable>(_ path: String, _ body: some Encodable, _ type: Answer.Type) async throws
        -> Answer
    {
        var request = HTTPClientRequest(url: base + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token.text)") }
        request.body = .bytes(ByteBuffer(bytes: try AdminJSON.encode(body)))
        return try AdminJSON.decode(Answer.self, from: try await send(request, path, timeout: Self.changeTimeout))
    }

    private func send(_ request: HTTPClientRequest, _ path: String, timeout: TimeAmount) async throws -> Data {
        let response: HTTPClientResponse
        let body: ByteBuffer
        do {
            response = try await PlainHTTP.client.execute(request, timeout: timeout)
            body = try await response.body.collect(upTo: Self.largestAnswer)
        } catch let error as HTTPClientError where error == .deadlineExceeded || error == .readTimeout {
            throw ServingError(
                "the gateway at \(base) has not answered within \(timeout.nanoseconds / 1_000_000_000) s",
                advice: "see sluice status and the gateway's messages; what was begun may still be under way")
        } catch {
            throw ServingError(
                "no gateway answers at \(base)",
                advice: "start one with sluice serve, or name its admin address with --admin")
        }
        let data = Data(body.readableBytesView)
        guard response.status == .ok else { throw Self.error(response.status.code, data, at: base + path) }
        return data
    }

    private static func error(_ status: UInt, _ body: Data, at url: String) -> any Error {
        guard let complaint = try? AdminJSON.decode(Complaint.self, from: body) else {
            return ServingError("\(url) answers \(status)", advice: "is this a gateway's admin address?")
        }
        if status == 401 {
            return ServingError(
                "the gateway does not accept the admin token",
                advice: "take the one in its own data folder: --data-dir DIR, --token-file FILE or SLUICE_ADMIN_TOKEN")
        }
        return ControlRefusal(Int(status), complaint.error)
    }
}
