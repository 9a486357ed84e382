// The two protocols between the HTTP server and what answers requests.
import NIOCore

/// Finds who answers a request. One router per event loop, used on that loop only.
package protocol Router: AnyObject {
    /// Called when a request's head is complete.
    ///
    /// - Returns: Who takes the body and answers through `exchange`; nil if `exchange.respond` was called already, in
    ///   which case the body is not read and `Expect: 100-continue` gets no 100. An endpoint that
    ///   pauses reading gets it when it resumes.
    func endpoint(for head: RequestHead, on exchange: Exchange) -> (any Endpoint)?
}

/// Takes one request. One object per request, confined to the connection's event loop.
///
/// The server lets go of it when the answer is complete or after `clientLeft`; nothing is called after that.
package protocol Endpoint: AnyObject {
    /// A piece of the body. It is a slice of a receive buffer: copy it if it is small and kept.
    func body(_ bytes: ByteBuffer)
    /// The body is complete. Also called for a request without one.
    func bodyEnd()
    /// The connection is gone, or the request turned out to be incomplete or malformed and was answered by the server.
    /// The exchange cannot be used any more.
    func clientLeft()
    /// The client will send nothing more, but may still read: it called `shutdown`, or it closed the connection (the
    /// two cannot be told apart before something is written). Only called while an answer is awaited.
    func inputClosed()
    /// For streaming answers: `Exchange.isWritable` has changed.
    func writabilityChanged(_ isWritable: Bool)
}

extension Endpoint {
    package func inputClosed() {}
    package func writabilityChanged(_ isWritable: Bool) {}
}
