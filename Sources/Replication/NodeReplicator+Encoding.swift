// Points for a node behind a narrow link: sent as gzip, encoded in turns of the event loop.

import ContentCoding
import NIOCore
import NodeClient

extension NodeReplicator {
    /// Below it the head is what a request costs. Bytes.
    private static let smallest = 256

    /// Calls `then` with the request as this node wants it, unless it cannot be sent any more: then the batch goes back
    /// into its lane. Until it is encoded nothing of it has been sent.
    func encode(_ request: NodeRequest, _ id: Int, then: @escaping (NodeRequest) -> Void) {
        let bytes = request.body.reduce(0) { $0 + $1.readableBytes }
        guard settings.gzip, bytes >= Self.smallest else { return then(request) }
        let generation = generation
        GzipBody.encode(request.body, .fastest, on: eventLoop) { [weak self] body in
            guard let self, !isStopped, generation == self.generation, flights[id] != nil else { return }
            guard case .open = gate, !isPaused else {
                putBack(id)
                return pump()
            }
            var request = request
            request.headers.append(("Content-Encoding", "gzip"))
            request.body = [body]
            then(request)
        }
    }
}
