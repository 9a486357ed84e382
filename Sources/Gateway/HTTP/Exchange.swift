// The endpoint's side of one request: the only way to answer it.
import NIOCore

/// One request and its answer, confined to the connection's event loop.
///
/// An answer is either one `respond`, or `startStreaming`, any number of `writeBody`, then `finish` or `abort`. All of
/// these do nothing once the answer is complete or the client has left, so a late answer needs no check.
package final class Exchange {
    enum Progress {
        case unanswered
        case streaming(BodyFraming)
        case over
    }

    package let head: RequestHead
    /// The listener by which it came, as `HTTPServer.bind` was told.
    package let listener: Int
    package let eventLoop: any EventLoop
    private(set) var progress = Progress.unanswered
    /// nil: nothing of an answer was given, or the server gave it in the endpoint's place.
    private(set) var answeredStatus: Int?
    private var connection: HTTPConnection?

    init(head: RequestHead, connection: HTTPConnection) {
        self.head = head
        listener = connection.listener
        self.connection = connection
        self.eventLoop = connection.eventLoop
    }

    /// Whether nothing of an answer has been given yet and the client is there.
    package var isUnanswered: Bool {
        if case .unanswered = progress { true } else { false }
    }

    /// Whether the answer is complete, or the client has left.
    package var isOver: Bool {
        if case .over = progress { true } else { false }
    }

    // MARK: A complete answer

    /// Answers. May come before the request's body is complete: a small rest of the body is read and thrown away, for a
    /// large one the answer says `Connection: close` and the connection is closed after it, as Go's net/http does.
    package func respond(_ response: Response) {
        guard let connection, isUnanswered else {
            return
        }
        progress = .over
        answeredStatus = response.status
        connection.answer(response, to: self)
    }

    // MARK: A streamed answer

    /// Sends the head. The body follows chunked; with the given length, if `headers` has a `Content-Length`; up to the
    /// connection's end for HTTP/1.0. `headers` may be a node's: what the server writes itself is left out of them.
    ///
    /// - Parameter contentType: Nil: as `headers` say, else `application/json`.
    package func startStreaming(status: Int, contentType: String? = nil, headers: [(String, String)] = []) {
        guard let connection, isUnanswered else {
            return
        }
        answeredStatus = status
        progress = .streaming(connection.startAnswer(status, contentType: contentType, headers: headers, to: self))
    }

    /// Sends a piece of the body. It is written at the end of the loop's present turn, together with what else comes in it.
    package func writeBody(_ bytes: ByteBuffer) {
        guard let connection, case .streaming(let framing) = progress, bytes.readableBytes > 0 else {
            return
        }
        if case .length(let rest) = framing {
            guard bytes.readableBytes <= rest else {
                abort()
                return
            }
            progress = .streaming(.length(rest - bytes.readableBytes))
        }
        connection.writeBody(bytes, framing: framing, to: self)
    }

    /// Completes a streamed answer. If bytes are missing from the announced length, it is aborted instead.
    package func finish() {
        guard let connection, case .streaming(let framing) = progress else {
            return
        }
        if case .length(let rest) = framing, rest > 0, head.method != .HEAD {
            abort()
            return
        }
        progress = .over
        connection.finishAnswer(framing: framing, to: self)
    }

    /// Cuts the connection, so that the client cannot take what it has for the whole answer.
    package func abort() {
        guard let connection, !isOver else {
            return
        }
        let framing: BodyFraming? = if case .streaming(let framing) = progress { framing } else { nil }
        progress = .over
        connection.abort(framing: framing)
    }

    /// False while more than `ServerLimits.writeHighWaterMark` waits to be taken by the client.
    /// `Endpoint.writabilityChanged` tells of changes.
    package var isWritable: Bool {
        connection?.isWritable ?? false
    }

    // MARK: The request's body

    /// Stops reading the body. What one read has already brought (up to 64 KiB) still arrives.
    package func pauseReading() {
        connection?.pauseReading(of: self)
    }

    package func resumeReading() {
        connection?.resumeReading(of: self)
    }

    // MARK: From the connection

    /// The connection is done with this exchange.
    func detach() {
        progress = .over
        connection = nil
    }
}
