// What goes to a node and what comes back: the words that all users of this target share.
import HTTPCodec
import NIOCore
import NIOHTTP1

/// One request to a node.
///
/// `Host`, `Content-Length` and, if absent, `User-Agent` are added when it is sent; `headers` must not name the first two.
package struct NodeRequest: Sendable {
    package var method: HTTPMethod
    /// Path and query, percent-encoded, beginning with `/`. The node's base path is put before it.
    package var target: String
    /// Written as they are; neither names nor values may contain CR or LF.
    package var headers: [(String, String)]
    /// The body in pieces that are written as they are. `Content-Length` is their sum.
    package var body: [ByteBuffer]

    package init(method: HTTPMethod, target: String, headers: [(String, String)] = [], body: [ByteBuffer] = []) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }
}

/// What an exchange waits for, and how long.
package struct ExchangeOptions: Hashable, Sendable {
    /// From the moment the request is handed to a connection to the response's head. Nil: never give up.
    package var firstByteTimeout: TimeAmount?
    /// Between two pieces of the response. Nil: never give up. Time while reading is paused does not count.
    package var idleTimeout: TimeAmount?

    package init(firstByteTimeout: TimeAmount? = nil, idleTimeout: TimeAmount? = nil) {
        self.firstByteTimeout = firstByteTimeout
        self.idleTimeout = idleTimeout
    }

    package static let neverGiveUp = ExchangeOptions()
}

/// How an exchange ended without a complete response.
package enum NodeFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The node cannot have acted on the request: no connection, no free place, pool closed, or the connection broke
    /// before the head was written.
    case notSent(reason: String)
    /// Ambiguous: the node may or may not have acted on the request, or will do so later.
    case afterSend(reason: String)
    /// `NodeExchange.cancel()` was called. If the exchange had begun, the node may still act on the request.
    case cancelled

    package var description: String {
        switch self {
        case .notSent(let reason): "not sent: \(reason)"
        case .afterSend(let reason): "lost after it was sent: \(reason)"
        case .cancelled: "cancelled"
        }
    }
}

/// Takes a response, on the pool's event loop.
///
/// Order: `responseHead`, any number of `responseBody`, `responseEnd`; `responseFailed` may come at any point instead.
/// Exactly one of `responseEnd` and `responseFailed` is called, once, and nothing follows it. None of them is ever
/// called from within `NodePool.send`, `NodeExchange.cancel`, `pauseReading` or `resumeReading`. The pool keeps the
/// receiver alive until the end.
package protocol NodeResponseReceiver: AnyObject {
    func responseHead(status: Int, headers: HeaderFields)
    /// A piece of the body. It is a slice of a receive buffer: copy it if it is small and kept.
    func responseBody(_ bytes: ByteBuffer)
    func responseEnd()
    func responseFailed(_ failure: NodeFailure)
}
