// The table of paths (reference, 1 and 2): who answers what. Paths are exact, as InfluxDB's are.

import NIOCore
import NIOHTTP1
import Querying

final class GatewayRouter: Router {
    private let context: LoopContext

    init(context: LoopContext) { self.context = context }

    func endpoint(for head: RequestHead, on exchange: Exchange) -> (any Endpoint)? {
        switch head.path {
        case "/write" where head.method == .POST:
            return write(exchange)
        case "/write":
            return route(head, exchange, allow: [.POST, .OPTIONS]) { write(exchange) }
        case "/api/v2/write":
            return route(head, exchange, allow: [.POST, .OPTIONS]) { write(exchange, WriteTarget.init(v2:)) }
        case "/query":
            return route(head, exchange, allow: [.GET, .POST, .OPTIONS]) {
                QueryEndpoint(exchange: exchange, context: context)
            }
        case "/api/v1/prom/write":
            return route(head, exchange, allow: [.POST]) { write(exchange, WriteTarget.init(prometheus:)) }
        case "/api/v1/prom/read":
            return route(head, exchange, allow: [.POST]) { RemoteReadEndpoint(exchange: exchange, context: context) }
        case "/api/v2/query":
            return route(head, exchange, allow: [.POST, .OPTIONS]) {
                FluxEndpoint(exchange: exchange, context: context)
            }
        case "/api/v2/delete":
            return route(head, exchange, allow: [.POST]) { DeleteEndpoint(exchange: exchange, context: context) }
        case BucketsEndpoint.path:
            return route(head, exchange, allow: [.GET, .POST]) { buckets(exchange, id: nil) }
        case _ where head.path.hasPrefix(BucketsEndpoint.path + "/"):
            return bucket(head, exchange)
        case "/health":
            return route(head, exchange, allow: [.GET, .HEAD, .OPTIONS]) { answer(exchange, context.health) }
        case "/ready":
            return route(head, exchange, allow: [.GET, .HEAD, .OPTIONS]) { answer(exchange, context.readiness) }
        case "/ping":
            return route(head, exchange, allow: [.GET, .HEAD]) { ping(exchange) }
        case "/status":
            return route(head, exchange, allow: [.GET, .HEAD]) { answer(exchange, .noContent) }
        default:
            return answer(exchange, .notFound)
        }
    }

    private func bucket(_ head: RequestHead, _ exchange: Exchange) -> (any Endpoint)? {
        if BucketsEndpoint.isUnsupported(head.path) {
            return answer(exchange, BucketsEndpoint.unsupported(head.path))
        }
        let id = head.path.dropFirst(BucketsEndpoint.path.count + 1).removingPercentEncoding()
        return route(head, exchange, allow: [.GET, .PATCH, .DELETE]) { buckets(exchange, id: id) }
    }

    private func buckets(_ exchange: Exchange, id: String?) -> any Endpoint {
        BucketsEndpoint(exchange: exchange, context: context, id: id)
    }

    private func route(
        _ head: RequestHead, _ exchange: Exchange, allow methods: [HTTPMethod], _ endpoint: () -> (any Endpoint)?
    ) -> (any Endpoint)? {
        guard methods.contains(head.method) else {
            return answer(exchange, .methodNotAllowed(allow: methods.map(\.rawValue).joined(separator: ", ")))
        }
        if head.method == .OPTIONS { return answer(exchange, .options) }
        return endpoint()
    }

    private func write(_ exchange: Exchange) -> (any Endpoint)? {
        if let target = context.writeTargets.find(exchange.head.rawQuery) {
            return write(exchange, to: target, ClientCredential(head: exchange.head))
        }
        return write(exchange) { parameters throws(WriteTarget.Problem) in
            let target = try WriteTarget(v1: parameters)
            context.writeTargets.note(exchange.head.rawQuery, parameters, target)
            return target
        }
    }

    private func write(
        _ exchange: Exchange, _ target: (RequestParameters) throws(WriteTarget.Problem) -> WriteTarget
    ) -> (any Endpoint)? {
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: exchange.head.method.rawValue, contentType: nil, body: []
        )
        do throws(WriteTarget.Problem) {
            return write(
                exchange, to: try target(parameters), ClientCredential(head: exchange.head, parameters: parameters))
        } catch {
            return refuse(exchange, error, ClientCredential(head: exchange.head, parameters: parameters))
        }
    }

    private func write(
        _ exchange: Exchange, to target: WriteTarget, _ credential: @autoclosure () -> ClientCredential
    ) -> (any Endpoint)? {
        do throws(WriteTarget.Problem) {
            try context.checkWrite(to: target.database, listener: exchange.listener)
            let endpoint = WriteEndpoint(exchange: exchange, context: context, target: target)
            return endpoint.start(credential()) ? endpoint : nil
        } catch {
            return refuse(exchange, error, credential())
        }
    }

    private func refuse(
        _ exchange: Exchange, _ problem: WriteTarget.Problem, _ credential: ClientCredential
    ) -> (any Endpoint)? {
        let refusal = RefusalEndpoint(exchange: exchange, response: .error(problem.status, problem.message))
        return refusal.start(context.admission, credential) ? refusal : nil
    }

    /// The gateway's own: it says that Sluice works, whatever the nodes do.
    private func ping(_ exchange: Exchange) -> (any Endpoint)? {
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: "GET", contentType: nil, body: []
        )
        guard !["", "0", "false"].contains(parameters["verbose"] ?? "") else {
            return answer(exchange, .noContent)
        }
        let body = Array("{\"version\":".utf8) + JSONText.quoted(context.version) + Array("}".utf8)
        return answer(exchange, Response(status: 200, body: ByteBuffer(bytes: body)))
    }

    private func answer(_ exchange: Exchange, _ response: Response) -> (any Endpoint)? {
        exchange.respond(response)
        return nil
    }
}

extension Substring {
    /// A path as it is meant; what is no escape stays as it is.
    fileprivate func removingPercentEncoding() -> String {
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            let digits = String(rest.prefix(2)) ?? ""
            if byte == UInt8(ascii: "%"), digits.utf8.count == 2, let decoded = UInt8(digits, radix: 16) {
                bytes.append(decoded)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
