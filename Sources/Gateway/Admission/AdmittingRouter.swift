// Stands before the table of paths: lets requests in, or answers 503 before anybody looks at them, and knows when each
// of them is over.

import NIOCore
import NIOHTTP1
import Querying

final class AdmittingRouter: Router {
    private let inner: any Router
    private let gate: RequestGate
    private let eventLoop: any EventLoop
    /// Somebody checks credentials: an answer says whether one was good.
    private let areCredentialsChecked: Bool

    /// The gateway's own: they say that it works, also when it is busy, and to everybody.
    private static let free: Set<String> = ["/ping", "/health", "/ready", "/status"]
    /// Where success needs a good credential.
    private static func isChecked(_ path: String) -> Bool {
        path == "/write" || path == "/query" || path.hasPrefix("/api/v1/prom/") || path.hasPrefix("/api/v2/")
    }

    init(_ inner: any Router, gate: RequestGate, context: LoopContext) {
        self.inner = inner
        self.gate = gate
        eventLoop = context.eventLoop
        if case .none = context.settings.access { areCredentialsChecked = false } else { areCredentialsChecked = true }
    }

    func endpoint(for head: RequestHead, on exchange: Exchange) -> (any Endpoint)? {
        if Self.free.contains(head.path) { return inner.endpoint(for: head, on: exchange) }
        switch gate.enter(exchange.listener, now: eventLoop.monotonicNanoseconds, claim: { claim(head) }) {
        case .failure(let refused):
            exchange.respond(refused.response)
            return nil
        case .success(let visit):
            guard let endpoint = inner.endpoint(for: head, on: exchange) else {
                // An answer without a look at the body: it says nothing good of anybody.
                gate.end(visit, isGood: false, now: eventLoop.monotonicNanoseconds)
                return nil
            }
            return AdmittedEndpoint(endpoint, visit, gate, exchange)
        }
    }

    private func claim(_ head: RequestHead) -> RequestGate.Claim {
        let address = RequestUser(head.remoteAddress)
        guard areCredentialsChecked, Self.isChecked(head.path), head.method != .OPTIONS else {
            return RequestGate.Claim(address: address, name: nil, digest: nil)
        }
        let parameters = RequestParameters(urlQuery: head.rawQuery, method: "GET", contentType: nil, body: [])
        let authorization = head.headers.first(name: "Authorization")
        let name = ClientName.claimed(authorization, parameters)
        guard name != nil || authorization != nil else {
            return RequestGate.Claim(address: address, name: nil, digest: nil)
        }
        var hasher = Hasher()
        for byte in ClientCredential(head: head, parameters: parameters).bytes { hasher.combine(byte) }
        return RequestGate.Claim(address: address, name: name, digest: hasher.finalize())
    }
}

/// Passes everything on. The server lets go of it when the request is over, however that came about.
private final class AdmittedEndpoint: Endpoint {
    private let inner: any Endpoint
    private let visit: RequestGate.Visit
    private let gate: RequestGate
    private let exchange: Exchange

    init(_ inner: any Endpoint, _ visit: RequestGate.Visit, _ gate: RequestGate, _ exchange: Exchange) {
        self.inner = inner
        self.visit = visit
        self.gate = gate
        self.exchange = exchange
    }

    deinit {
        gate.end(
            visit, isGood: exchange.answeredStatus.map { (200..<300).contains($0) } ?? false,
            now: exchange.eventLoop.monotonicNanoseconds)
    }

    func body(_ bytes: ByteBuffer) {
        gate.charge(bytes.readableBytes, visit, now: exchange.eventLoop.monotonicNanoseconds)
        inner.body(bytes)
    }

    func bodyEnd() { inner.bodyEnd() }
    func clientLeft() { inner.clientLeft() }
    func inputClosed() { inner.inputClosed() }
    func writabilityChanged(_ isWritable: Bool) { inner.writabilityChanged(isWritable) }
}
