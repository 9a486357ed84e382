// `POST /api/v2/delete`: one DELETE through the log, on nodes of any version.

import NIOCore
import Querying

final class DeleteEndpoint: Endpoint {
    private let exchange: Exchange
    private let context: LoopContext
    private var body = ByteBuffer()
    private var run: StatementRun?

    private static let largestBody = 1 << 20

    init(exchange: Exchange, context: LoopContext) {
        self.exchange = exchange
        self.context = context
    }

    func body(_ bytes: ByteBuffer) {
        guard body.readableBytes + bytes.readableBytes <= Self.largestBody else {
            return exchange.respond(.bodyTooLarge)
        }
        body.writeImmutableBuffer(bytes)
    }

    func bodyEnd() {
        guard exchange.isUnanswered else { return }
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: "GET", contentType: nil, body: [])
        let place: BucketName
        let request: DeleteRequest
        do throws(WriteTarget.Problem) {
            place = try BucketName(parameters["bucket"] ?? "")
        } catch {
            return refuse(.error(404, "delete - bucket: \(error.message)"), parameters)
        }
        do throws(DeleteRequest.Problem) {
            request = try DeleteRequest(Array(body.readableBytesView))
        } catch {
            return refuse(.error(400, error.message), parameters)
        }
        let run = StatementRun(exchange, context) { [weak self] in self?.ended($0, place) }
        self.run = run
        run.start(request.statement, database: place.database, head: exchange.head)
    }

    private func refuse(_ response: Response, _ parameters: RequestParameters) {
        let credential = ClientCredential(head: exchange.head, parameters: parameters)
        context.admission.tell(credential, response, with: exchange.respond)
    }

    private func ended(_ outcome: StatementRun.Outcome, _ place: BucketName) {
        run = nil
        switch outcome {
        case .refused(let response): exchange.respond(response)
        case .results(let results):
            guard let error = results.lazy.compactMap({ $0["error"]?.string }).first else {
                return exchange.respond(.noContent)
            }
            let isMissing = error.hasPrefix("database not found")
            exchange.respond(
                .error(
                    isMissing ? 404 : 400,
                    isMissing ? "delete - database not found: \"\(place.database)\"" : "delete - \(error)"))
        }
    }

    func clientLeft() {
        run?.cancel()
        run = nil
    }
}
