// A complete answer, and the forms that InfluxDB gives its answers.
import NIOCore

/// A complete answer. The server adds the standard headers, see `ResponseHead`.
package struct Response: Sendable {
    package var status: Int
    /// Nil: no `Content-Type`.
    package var contentType: String?
    package var headers: [(String, String)]
    package var body: ByteBuffer
    /// Routed answers carry `Request-Id`, `X-Request-Id` and CORS headers; 404 and 405 of the mux do not.
    package var isRouted: Bool
    /// What went wrong, for clients that want to hear it in another form than plain JSON; nil: `body` stays as it is.
    var errorText: ByteBuffer?

    package init(
        status: Int, contentType: String? = "application/json", headers: [(String, String)] = [],
        body: ByteBuffer = ByteBuffer(), isRouted: Bool = true
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
        self.isRouted = isRouted
    }

    /// What a stored write and a ping get.
    package static let noContent = Response(status: 204)

    /// `OPTIONS` on a route: 200 and nothing else; the CORS headers are added if there is an `Origin`.
    package static let options = Response(status: 200, contentType: nil)

    package static func json(_ body: ByteBuffer, status: Int = 200) -> Response {
        Response(status: status, body: body)
    }

    // MARK: Errors

    /// `{"error":"<message>"}` and a newline, with `X-Influxdb-Error`. Not for 401, see `unauthorized`.
    package static func error(_ status: Int, _ message: String, headers: [(String, String)] = []) -> Response {
        var message = message
        return message.withUTF8 { error(status, bytes: $0, headers: headers) }
    }

    /// As `error(_:_:)`, for a message that quotes a client's bytes, which need not be UTF-8.
    package static func error(
        _ status: Int, bytes message: some Collection<UInt8>, headers: [(String, String)] = []
    ) -> Response {
        var response = failure(status, message, headers: headers)
        response.headers.append(("X-Influxdb-Error", headerText(message)))
        return response
    }

    /// 401 with `WWW-Authenticate` and without `X-Influxdb-Error`, as InfluxDB does it.
    package static func unauthorized(_ message: String) -> Response {
        failure(401, message.utf8, headers: [("WWW-Authenticate", "Basic realm=\"InfluxDB\"")])
    }

    /// A transient refusal: agents keep the batch and come back.
    ///
    /// - Parameter retryAfter: Seconds.
    package static func unavailable(_ message: String, retryAfter: Int) -> Response {
        error(503, message, headers: [("Retry-After", String(retryAfter))])
    }

    package static let bodyTooLarge = error(413, "Request Entity Too Large")

    /// An unknown path.
    package static let notFound = plainText(404, "404 page not found\n")

    /// A known path with another method.
    package static func methodNotAllowed(allow: String) -> Response {
        plainText(405, "Method Not Allowed\n", headers: [("Allow", allow)])
    }

    /// What Go's `http.Error` writes.
    package static func plainText(
        _ status: Int, _ text: String, headers: [(String, String)] = [], isRouted: Bool = false
    ) -> Response {
        Response(
            status: status, contentType: "text/plain; charset=utf-8",
            headers: headers + [("X-Content-Type-Options", "nosniff")], body: ByteBuffer(string: text),
            isRouted: isRouted)
    }

    private static func failure(
        _ status: Int, _ message: some Collection<UInt8>, headers: [(String, String)]
    ) -> Response {
        var response = Response(status: status, headers: headers, body: ErrorFormat.json.body(message))
        response.errorText = ByteBuffer(bytes: message)
        return response
    }

    /// The same error in the form that the request wants.
    package func formatted(for request: RequestHead) -> Response {
        let isEmpty = isRouted && contentType != nil && body.readableBytes == 0
        guard errorText != nil || isEmpty else { return self }
        let accept = request.headers.first(name: "Accept")
        var response = self
        guard let errorText else {
            // An answer without a body names the format, too [1.6.7].
            if let format = ErrorFormat(accept: accept) { response.contentType = format.contentType }
            return response
        }
        let format = ErrorFormat(accept: accept, rawQuery: request.rawQuery)
        guard format != .json else { return self }
        response.contentType = format.contentType
        response.body = format.body(errorText.readableBytesView)
        return response
    }

    /// At most 1024 bytes of a message, without blanks at its ends, as Go writes header fields. Line ends become blanks, and so do other control characters, which InfluxDB
    /// sends as they are: HTTP libraries refuse an answer with such a field.
    private static func headerText(_ message: some Collection<UInt8>) -> String {
        let bytes = message.prefix(1024).map { $0 < 0x20 || $0 == 0x7F ? UInt8(ascii: " ") : $0 }
        var text = String(decoding: bytes, as: UTF8.self)
        while text.utf8.count > 1024 {
            text.removeLast()
        }
        while text.utf8.first == UInt8(ascii: " ") { text.removeFirst() }
        while text.utf8.last == UInt8(ascii: " ") { text.removeLast() }
        return text
    }
}
