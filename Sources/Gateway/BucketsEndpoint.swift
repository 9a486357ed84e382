// `/api/v2/buckets`: what there is, and changes of it, each by way of the statements that say the same.

import InfluxQL
import NIOCore
import NIOHTTP1
import Querying

final class BucketsEndpoint: Endpoint {
    static let path = "/api/v2/buckets"

    private let exchange: Exchange
    private let context: LoopContext
    /// What stands behind the path, decoded; nil: nothing.
    private let id: String?
    private var body = ByteBuffer()
    private var run: StatementRun?

    private static let largestBody = 1 << 20

    init(exchange: Exchange, context: LoopContext, id: String?) {
        self.exchange = exchange
        self.context = context
        self.id = id
    }

    /// Lists of a bucket that InfluxDB 1.x has no notion of.
    static func isUnsupported(_ path: String) -> Bool {
        let words = path.dropFirst(Self.path.count).split(separator: "/", omittingEmptySubsequences: false)
        return words.count >= 3 && ["labels", "members", "owners"].contains(words[words.count - 1])
            || words.count >= 4 && ["labels", "members", "owners"].contains(words[words.count - 2])
    }

    static func unsupported(_ path: String) -> Response {
        let list = ["labels", "members", "owners"].first { path.contains("/\($0)") } ?? "labels"
        return .error(405, "buckets - \(list) are not supported in InfluxDB 1.x")
    }

    func body(_ bytes: ByteBuffer) {
        guard body.readableBytes + bytes.readableBytes <= Self.largestBody else {
            return exchange.respond(.bodyTooLarge)
        }
        body.writeImmutableBuffer(bytes)
    }

    func bodyEnd() {
        guard exchange.isUnanswered else { return }
        let body = Array(body.readableBytesView)
        do {
            switch (exchange.head.method, id) {
            case (.GET, nil): list()
            case (.POST, nil): try create(BucketWish(body))
            case (.GET, let id?): try show(bucket(id))
            case (.PATCH, let id?): try change(bucket(id), BucketWish(body))
            case (.DELETE, let id?): try drop(bucket(id))
            default: exchange.respond(.methodNotAllowed(allow: id == nil ? "GET, POST" : "GET, PATCH, DELETE"))
            }
        } catch let problem as WriteTarget.Problem {
            refuse(.error(problem.status, "buckets - \(problem.message)"))
        } catch let problem as BucketWish.Problem {
            refuse(.error(400, problem.message))
        } catch {
            refuse(.error(400, "\(error)"))
        }
    }

    /// With its retention policy, which a change of it needs.
    private func bucket(_ id: String) throws(WriteTarget.Problem) -> BucketName {
        let name = try BucketName(id)
        guard !name.retentionPolicy.isEmpty else {
            throw WriteTarget.Problem(
                status: 404,
                message: "bucket name \"\(id)\" is missing a slash; not in \"database/retention-policy\" format")
        }
        return name
    }

    // MARK: Reading

    private func list() {
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: "GET", contentType: nil, body: [])
        let wanted = parameters["name"] ?? parameters["id"]
        statements("SHOW DATABASES") { endpoint, results in
            var names = results.first.map(Self.firstColumn) ?? []
            if let wanted, !wanted.isEmpty {
                let database = wanted.split(separator: "/", maxSplits: 1).first.map(String.init)
                names = names.filter { $0 == database }
            }
            endpoint.policies(of: names) { buckets in
                var buckets = buckets
                if let wanted, !wanted.isEmpty {
                    buckets = buckets.filter { $0.name.text == wanted || $0.name.database == wanted }
                }
                if let offset = parameters["offset"].flatMap({ Int($0) }), offset > 0 {
                    buckets = Array(buckets.dropFirst(offset))
                }
                if let limit = parameters["limit"].flatMap({ Int($0) }), limit > 0 {
                    buckets = Array(buckets.prefix(limit))
                }
                endpoint.answer(200, #"{"buckets":["# + buckets.map(\.json).joined(separator: ",") + "]}")
            }
        }
    }

    private func policies(of names: [String], then: @escaping ([Bucket]) -> Void) {
        guard !names.isEmpty else { return then([]) }
        let text = names.map { "SHOW RETENTION POLICIES ON " + Quoting.identifier($0) }.joined(separator: "; ")
        statements(text) { _, results in
            then(zip(names, results).flatMap { Bucket.all(of: $0, in: $1) })
        }
    }

    private func show(_ name: BucketName, status: UInt = 200) {
        statements("SHOW RETENTION POLICIES ON " + Quoting.identifier(name.database)) { endpoint, results in
            let buckets = results.first.map { Bucket.all(of: name.database, in: $0) } ?? []
            guard let bucket = buckets.first(where: { $0.name == name }) else {
                return endpoint.exchange.respond(.error(404, "bucket not found: \"\(name.text)\""))
            }
            endpoint.answer(Int(status), bucket.json)
        }
    }

    private static func firstColumn(_ result: ResultJSON) -> [String] {
        (result["series"]?.elements.first?["values"]?.elements ?? []).compactMap { $0.elements.first?.string }
    }

    // MARK: Changes

    private func create(_ wish: BucketWish) throws {
        var name = try BucketName(wish.name ?? "")
        if name.retentionPolicy.isEmpty {
            name = BucketName(database: name.database, retentionPolicy: wish.retentionPolicy ?? "autogen")
        }
        // Answers as its own error if there is no such database.
        let question = "SHOW RETENTION POLICIES ON " + Quoting.identifier(name.database)
        statements(question, onError: { endpoint, _ in endpoint.create(name, wish, databaseExists: false) }) {
            endpoint, results in
            let buckets = results.first.map { Bucket.all(of: name.database, in: $0) } ?? []
            guard !buckets.contains(where: { $0.name == name }) else {
                return endpoint.exchange.respond(
                    .error(422, "buckets - bucket with name \(name.text) already exists"))
            }
            endpoint.create(name, wish, databaseExists: true)
        }
    }

    private func create(_ name: BucketName, _ wish: BucketWish, databaseExists: Bool) {
        statements(wish.creation(of: name, databaseExists: databaseExists)) { endpoint, _ in
            endpoint.show(name, status: 201)
        }
    }

    private func change(_ name: BucketName, _ wish: BucketWish) throws {
        if let other = wish.name, other != name.text {
            throw BucketWish.Problem(message: "buckets - a bucket cannot be renamed")
        }
        guard let statement = wish.change(of: name) else { return show(name) }
        statements(statement) { endpoint, _ in endpoint.show(name) }
    }

    private func drop(_ name: BucketName) {
        // DROP of a policy that is not there is no error in InfluxQL.
        statements("SHOW RETENTION POLICIES ON " + Quoting.identifier(name.database)) { endpoint, results in
            let buckets = results.first.map { Bucket.all(of: name.database, in: $0) } ?? []
            guard buckets.contains(where: { $0.name == name }) else {
                return endpoint.exchange.respond(.error(404, "bucket not found: \"\(name.text)\""))
            }
            let statement =
                "DROP RETENTION POLICY \(Quoting.identifier(name.retentionPolicy)) ON "
                + Quoting.identifier(name.database)
            endpoint.statements(statement) { endpoint, _ in endpoint.exchange.respond(.noContent) }
        }
    }

    // MARK: Statements

    private func statements(
        _ text: String, onError: ((BucketsEndpoint, String) -> Void)? = nil,
        then: @escaping (BucketsEndpoint, [ResultJSON]) -> Void
    ) {
        let run = StatementRun(exchange, context) { [weak self] outcome in
            guard let self else { return }
            self.run = nil
            switch outcome {
            case .refused(let response): exchange.respond(response)
            case .results(let results):
                guard let error = results.lazy.compactMap({ $0["error"]?.string }).first else {
                    return then(self, results)
                }
                let isMissing = error.contains("not found")
                if isMissing, let onError { return onError(self, error) }
                exchange.respond(.error(isMissing ? 404 : 400, "buckets - \(error)"))
            }
        }
        self.run = run
        run.start(text, database: "", head: exchange.head)
    }

    private func answer(_ status: Int, _ json: String) {
        exchange.respond(.json(ByteBuffer(string: json + "\n"), status: status))
    }

    private func refuse(_ response: Response) {
        let parameters = RequestParameters(
            urlQuery: exchange.head.rawQuery, method: "GET", contentType: nil, body: [])
        let credential = ClientCredential(head: exchange.head, parameters: parameters)
        context.admission.tell(credential, response, with: exchange.respond)
    }

    func clientLeft() {
        run?.cancel()
        run = nil
    }
}
