// What stands before everything on the admin listener that could change something.
import Foundation
import Hummingbird
import NIOCore

/// Lets reading requests pass. All others need the admin token and a JSON body, and must not come from a web page: a
/// browser sends `Origin` with them, and cannot send JSON to another site without asking first.
struct AdminGuard<Context: RequestContext>: RouterMiddleware {
    let token: AdminToken

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard request.method != .get, request.method != .head else { return try await next(request, context) }
        guard request.headers[.origin] == nil else {
            return AdminAnswer.error(.forbidden, "web pages may not change anything: send the request without Origin")
        }
        guard isAuthorized(request.headers[.authorization]) else {
            var answer = AdminAnswer.error(
                .unauthorized,
                "a change needs the admin token as \"Authorization: Bearer TOKEN\"; "
                    + "it lies in \(AdminToken.fileName) in the gateway's data folder")
            answer.headers[.wwwAuthenticate] = "Bearer realm=\"sluice\""
            return answer
        }
        let type = request.headers[.contentType] ?? ""
        guard type.split(separator: ";").first?.trimmingCharacters(in: .whitespaces).lowercased() == "application/json"
        else {
            return AdminAnswer.error(.unsupportedMediaType, "send the body as application/json")
        }
        return try await next(request, context)
    }

    private func isAuthorized(_ header: String?) -> Bool {
        guard let header else { return false }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return false }
        return token.isSame(as: String(parts[1]))
    }
}

/// How the admin API answers.
enum AdminAnswer {
    static func json(_ status: HTTPResponse.Status, _ value: some Encodable) -> Response {
        do {
            let data = try AdminJSON.encode(value)
            return text(status, type: "application/json", String(decoding: data, as: UTF8.self) + "\n")
        } catch {
            return text(
                .internalServerError, type: "application/json", "{\"error\":\"the answer cannot be encoded\"}\n")
        }
    }

    static func error(_ status: HTTPResponse.Status, _ message: String) -> Response {
        json(status, ["error": message])
    }

    static func text(_ status: HTTPResponse.Status, type: String, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
