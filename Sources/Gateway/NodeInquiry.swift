// A question to the nodes, one after the other until one gives an answer that can be used: for what the gateway itself
// wants to know before it logs something.

import Cluster
import HTTPCodec
import NIOCore
import NodeClient
import Querying

/// A node's complete answer to a small question.
struct NodeReply {
    var status: Int
    var contentType: String?
    /// `X-Influxdb-Version`: whatever else listens at the address does not send it.
    var isFromInfluxDB: Bool
    /// `WWW-Authenticate` and `X-Influxdb-Error`, for answers that are passed on.
    var passedHeaders: [(String, String)]
    var body: [UInt8]

    /// The first error anywhere in it; empty when there is none.
    var error: String { ResponseErrors(body).first ?? "" }

    /// The node's own words and headers.
    var response: Response {
        var response = Response(
            status: status, contentType: contentType, headers: passedHeaders, body: ByteBuffer(bytes: body))
        // The node was asked by the gateway, and answered in the form that the gateway wants.
        let error = error
        if status >= 400, !error.isEmpty { response.errorText = ByteBuffer(string: error) }
        return response
    }
}

/// Asks `nodes` in their order. Confined to the pools' event loop.
final class NodeInquiry: NodeResponseReceiver {
    struct Settings: Sendable {
        /// How long one node may take; a check of a password takes an InfluxDB about 100 ms the first time.
        var timeout: TimeAmount = .milliseconds(1500)
        var largestAnswer = 4 << 20
    }

    private let request: NodeRequest
    private var nodes: ArraySlice<NodeIndex>
    private let pool: (NodeIndex) -> NodePool
    private let settings: Settings
    private let isUsable: (NodeReply) -> Bool
    private let whenDone: (NodeReply?) -> Void
    private var reply = NodeReply(status: 0, isFromInfluxDB: false, passedHeaders: [], body: [])
    private var isTooLarge = false

    /// - Parameters:
    ///   - isUsable: whether an InfluxDB's answer below 500 settles the question.
    ///   - whenDone: called once, later; nil: no node gave a usable answer.
    static func ask(
        _ request: NodeRequest, of nodes: [NodeIndex], pool: @escaping (NodeIndex) -> NodePool,
        settings: Settings = Settings(), isUsable: @escaping (NodeReply) -> Bool = { $0.status < 500 },
        on eventLoop: any EventLoop, whenDone: @escaping (NodeReply?) -> Void
    ) {
        let inquiry = NodeInquiry(request, nodes[...], pool, settings, isUsable, whenDone)
        if nodes.isEmpty {
            eventLoop.assumeIsolated().execute { whenDone(nil) }
        } else {
            inquiry.next()
        }
    }

    private init(
        _ request: NodeRequest, _ nodes: ArraySlice<NodeIndex>, _ pool: @escaping (NodeIndex) -> NodePool,
        _ settings: Settings, _ isUsable: @escaping (NodeReply) -> Bool, _ whenDone: @escaping (NodeReply?) -> Void
    ) {
        self.request = request
        self.nodes = nodes
        self.pool = pool
        self.settings = settings
        self.isUsable = isUsable
        self.whenDone = whenDone
    }

    private func next() {
        guard let node = nodes.popFirst() else { return whenDone(nil) }
        reply = NodeReply(status: 0, isFromInfluxDB: false, passedHeaders: [], body: [])
        isTooLarge = false
        let options = ExchangeOptions(firstByteTimeout: settings.timeout, idleTimeout: settings.timeout)
        pool(node).send(request, to: self, options: options)
    }

    func responseHead(status: Int, headers: HeaderFields) {
        reply.status = status
        reply.contentType = headers.first(name: "Content-Type")
        reply.isFromInfluxDB = headers.first(name: "X-Influxdb-Version") != nil
        for name in ["WWW-Authenticate", "X-Influxdb-Error"] {
            if let value = headers.first(name: name) { reply.passedHeaders.append((name, value)) }
        }
    }

    func responseBody(_ bytes: ByteBuffer) {
        isTooLarge = isTooLarge || reply.body.count + bytes.readableBytes > settings.largestAnswer
        if !isTooLarge { reply.body += bytes.readableBytesView }
    }

    func responseEnd() {
        let isTransient = reply.status == 200 && NodeAnswer.isTransient(reply.error)
        if reply.isFromInfluxDB, !isTooLarge, !isTransient, isUsable(reply) { return whenDone(reply) }
        next()
    }

    func responseFailed(_ failure: NodeFailure) { next() }
}
