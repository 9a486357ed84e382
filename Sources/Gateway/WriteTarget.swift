// Where a write goes and how it is read, from the request's URL: `/write`, `/api/v2/write` and Prometheus' remote write
// differ in nothing else.

import Cluster
import LineProtocol
import Querying

package struct WriteTarget: Equatable {
    package var database: String
    /// Empty: the database's default.
    package var retentionPolicy: String
    package var precision: Precision
    /// The text of `consistency=`; checked after the body, as InfluxDB does.
    package var consistency: String
    /// The body is a remote write of Prometheus.
    package var isRemoteWrite = false

    /// What is wrong with the request, in InfluxDB's words.
    package struct Problem: Error, Equatable {
        package let status: Int
        package let message: String

        package init(status: Int, message: String) {
            self.status = status
            self.message = message
        }
    }

    /// Reference 5: parameters come from the URL alone.
    package init(v1 parameters: RequestParameters) throws(Problem) {
        database = parameters["db"] ?? ""
        if database.isEmpty { throw Problem(status: 400, message: "database is required") }
        retentionPolicy = parameters["rp"] ?? ""
        consistency = parameters["consistency"] ?? ""
        let text = parameters["precision"] ?? ""
        guard let precision = Precision(parameter: text) else {
            throw Problem(status: 400, message: "invalid precision \"\(text)\" (use n, u, ms, s, m or h)")
        }
        self.precision = precision
    }

    /// Reference 2: as for `/write`, without a precision: samples have times in milliseconds, and become points with
    /// times in nanoseconds.
    package init(prometheus parameters: RequestParameters) throws(Problem) {
        database = parameters["db"] ?? ""
        if database.isEmpty { throw Problem(status: 400, message: "database is required") }
        retentionPolicy = parameters["rp"] ?? ""
        consistency = parameters["consistency"] ?? ""
        precision = .nanoseconds
        isRemoteWrite = true
    }

    /// Reference 5.4: `bucket` is `database/retention-policy`, the policy may be missing or empty.
    package init(v2 parameters: RequestParameters) throws(Problem) {
        let bucket = try BucketName(parameters["bucket"] ?? "")
        database = bucket.database
        retentionPolicy = bucket.retentionPolicy
        consistency = ""
        let text = parameters["precision"] ?? ""
        guard let precision = Precision(version2Parameter: text) else {
            throw Problem(status: 400, message: "invalid precision \"\(text)\" (use ns, us, ms or s)")
        }
        self.precision = precision
    }

    /// The level of this write, or what is wrong with the parameter.
    package func level(_ parameter: ConsistencyParameter, configured: AckLevel) throws(Problem) -> AckLevel {
        let requested: AckLevel? =
            switch consistency.lowercased() {
            case "": nil
            case "any": .any
            case "one": .one
            case "quorum": .quorum
            case "all": .all
            default: throw Problem(status: 400, message: "invalid consistency level")
            }
        return parameter.level(requested: requested, configured: configured)
    }
}

/// What the URLs of recent writes said: clients send the same few again and again.
struct KnownWriteTargets {
    private var targets: [String: WriteTarget] = [:]

    private static let capacity = 64
    private static let longestQuery = 256

    func find(_ rawQuery: String) -> WriteTarget? { targets[rawQuery] }

    /// Credentials are not kept.
    mutating func note(_ rawQuery: String, _ parameters: RequestParameters, _ target: WriteTarget) {
        guard rawQuery.utf8.count <= Self.longestQuery, parameters.username == nil, parameters.password == nil else {
            return
        }
        if targets.count >= Self.capacity { targets.removeAll() }
        targets[rawQuery] = target
    }
}
