// A client's query as requests to nodes, and what it wants of the gateway beside them.

import Cluster
import InfluxQL
import NIOCore
import NIOHTTP1
import NodeClient
import Querying
import Replication

/// A client's query as requests to nodes: always the gateway's own reading of the parameters, so that a node executes
/// exactly what was classified.
struct ClientQuery {
    let parameters: RequestParameters
    let credential: ClientCredential
    let context: StatementContext
    /// The node that the client names; nil: none.
    let node: (node: NodeIndex, name: String)?
    /// How long the client wants to wait at most; nil: it does not say.
    private let timeout: TimeAmount?
    let isGet: Bool
    private let headers: [(String, String)]
    private let credentials: [String]

    /// - Parameter carriesCredential: The node hears who the client is.
    init(
        head: RequestHead, parameters: RequestParameters, nodes: [GatewaySettings.Node], carriesCredential: Bool
    ) throws(QueryPlan.Problem) {
        func wish(_ header: String, _ parameter: String) -> String? {
            head.headers.first(name: header) ?? parameters[parameter]
        }
        node = try Self.node(wish(NamedNode.header, NamedNode.parameter), nodes)
        timeout = try Self.timeout(wish(QueryTimeout.header, QueryTimeout.parameter))
        self.parameters = parameters
        credential = ClientCredential(head: head, parameters: parameters)
        context = StatementContext(database: parameters["db"] ?? "", isForNode: node != nil)
        isGet = head.method == .GET
        headers =
            [("Content-Type", "application/x-www-form-urlencoded")]
            + ClientCredential.passed(
                ["Accept", "Accept-Encoding", "User-Agent", "X-Request-Id"], of: head,
                withCredential: carriesCredential)
        self.credentials = (carriesCredential ? ["u", "p"] : []).compactMap { name in
            parameters.urlOnly(name).map { "\(name)=\(NodeRequests.percentEncoded($0))" }
        }
    }

    private static func node(
        _ name: String?, _ nodes: [GatewaySettings.Node]
    ) throws(QueryPlan.Problem) -> (node: NodeIndex, name: String)? {
        guard let name, !name.isEmpty else { return nil }
        guard let index = nodes.firstIndex(where: { $0.name == name }) else {
            let names = nodes.map(\.name).joined(separator: ", ")
            throw QueryPlan.Problem(status: 400, message: "there is no node \"\(name)\"; the nodes are \(names)")
        }
        return (NodeIndex(index), name)
    }

    private static func timeout(_ text: String?) throws(QueryPlan.Problem) -> TimeAmount? {
        guard let text, !text.isEmpty else { return nil }
        guard let nanoseconds = DurationLiteral.nanoseconds(text), nanoseconds > 0 else {
            throw QueryPlan.Problem(
                status: 400, message: "\(QueryTimeout.header): \"\(text)\" is not a duration such as 30s or 500ms")
        }
        return .nanoseconds(nanoseconds)
    }

    /// The client can only lower what is configured.
    func settings(_ configured: ReadExecution.Settings) -> ReadExecution.Settings {
        guard let timeout else { return configured }
        var settings = configured
        settings.timeout = min(timeout, configured.timeout ?? timeout)
        return settings
    }

    /// What is meant for the gateway alone is left out.
    private static let ownParameters = [String: [UInt8]?](
        uniqueKeysWithValues: [NamedNode.parameter, QueryTimeout.parameter].map { ($0, nil) })

    /// What counts in the URL only, in the URL.
    private func target(isPretty: Bool) -> String {
        let pairs = credentials + (isPretty ? ["pretty=true"] : [])
        return pairs.isEmpty ? "/query" : "/query?" + pairs.joined(separator: "&")
    }

    var isChunked: Bool { parameters["chunked"] == "true" }
    var accept: String { headers.first { $0.0 == "Accept" }?.1 ?? "" }

    /// Everything, for one node to answer.
    var whole: NodeRequest { request(isPretty: parameters.isPretty) }

    /// Everything, for an answer that is read on its way.
    var uncompressed: NodeRequest { request(isPretty: parameters.isPretty, without: ["Accept-Encoding"]) }

    /// Everything, for an answer that is taken apart: not compressed, without line breaks inside.
    var plain: NodeRequest { request(without: ["Accept-Encoding"]) }

    /// A SELECT whose rows are read as they come.
    func rows(_ text: String) -> NodeRequest {
        request(
            without: ["Accept", "Accept-Encoding"], adding: [("Accept", "application/x-msgpack")],
            replacing: [
                "q": Array(text.utf8), "chunked": Array("true".utf8), "chunk_size": nil, "async": nil, "epoch": nil,
                "params": nil,
            ])
    }

    var wantsCSV: Bool { accept == "text/csv" || accept == "application/csv" }

    /// How many rows a chunk has at most.
    var chunkSize: Int {
        parameters["chunk_size"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } ?? ResultChunks.usualSize
    }

    /// A part of the statements, as plain JSON that can be put together with other parts.
    /// - Parameter isForCSV: times as numbers, as CSV has them, whatever the client says of JSON.
    func part(_ text: [UInt8], isForCSV: Bool = false) -> NodeRequest {
        var replacements: [String: [UInt8]?] = ["q": text, "chunked": nil, "chunk_size": nil, "async": nil]
        if isForCSV, (parameters["epoch"] ?? "").isEmpty { replacements["epoch"] = Array("ns".utf8) }
        return request(without: ["Accept", "Accept-Encoding"], replacing: replacements)
    }

    private func request(
        isPretty: Bool = false, without removed: Set<String> = [], adding added: [(String, String)] = [],
        replacing replacements: [String: [UInt8]?] = [:]
    ) -> NodeRequest {
        let form = parameters.encodedForm(replacing: replacements.merging(Self.ownParameters) { $1 })
        return NodeRequest(
            method: .POST, target: target(isPretty: isPretty),
            headers: headers.filter { !removed.contains($0.0) } + added, body: [ByteBuffer(bytes: form)])
    }
}
