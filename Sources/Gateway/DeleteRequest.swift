// `POST /api/v2/delete` as InfluxQL: a bucket, two times and a predicate become one DELETE. As InfluxDB 1.10 and later
// read it: the start counts, the stop does not, and the whole database is meant, whatever the bucket's retention policy.

import InfluxQL
import Querying

package struct DeleteRequest: Equatable, Sendable {
    /// What is wrong, in InfluxDB's words: 400.
    package struct Problem: Error, Equatable, Sendable {
        package let message: String
    }

    package let statement: String

    /// - Parameter body: JSON with `start`, `stop` and perhaps `predicate`.
    package init(_ body: [UInt8]) throws(Problem) {
        guard let json = ResultJSON(body), json.kind == .object else {
            throw Problem(message: "delete - cannot parse request body: it is no JSON object")
        }
        let start = try Self.time("start", json)
        let stop = try Self.time("stop", json)
        let predicate = json["predicate"]?.string ?? ""
        var reader = Predicate()
        if !predicate.isEmpty { try reader.read(predicate) }
        var conditions = reader.tags.map { Quoting.identifier($0.name) + " = " + Quoting.string($0.value) }
        conditions += ["time >= \(start)", "time < \(stop)"]
        let source = reader.measurement.map { "FROM " + Quoting.identifier($0) + " " } ?? ""
        statement = "DELETE " + source + "WHERE " + conditions.joined(separator: " AND ")
    }

    private static func time(_ name: String, _ json: ResultJSON) throws(Problem) -> Int64 {
        guard let text = json[name]?.string, !text.isEmpty else {
            throw Problem(message: "delete - \(name) field in RFC3339Nano format required")
        }
        guard let time = RFC3339.nanoseconds(text) else {
            throw Problem(
                message: "delete - invalid format for \(name) field \"\(text)\", please use RFC3339Nano")
        }
        return time
    }

    /// Equalities joined by AND, by the grammar of InfluxQL.
    private struct Predicate {
        var measurement: String?
        var tags: [(name: String, value: String)] = []
        private var text = ""

        mutating func read(_ predicate: String) throws(Problem) {
            text = predicate
            guard case .statements(let statements) = Parsed("SELECT v FROM m WHERE " + predicate, hasParameters: false),
                statements.count == 1, case .select(let select) = statements[0].body, let condition = select.condition
            else { throw Problem(message: "delete - cannot parse predicate \"\(predicate)\"") }
            // What follows a condition in a SELECT has no place in a predicate.
            var bare = SelectStatement()
            bare.fields = select.fields
            bare.sources = select.sources
            bare.condition = condition
            guard bare == select else { throw Problem(message: "delete - cannot parse predicate \"\(predicate)\"") }
            try add(condition)
        }

        private mutating func add(_ expression: Expression) throws(Problem) {
            switch expression {
            case .parenthesized(let inner): try add(inner)
            case .chain(let chain) where chain.operators.allSatisfy({ $0 == .and }):
                for operand in chain.operands { try add(operand) }
            case .chain(let chain):
                guard let (left, comparison, right) = chain.pair, comparison == .equal,
                    case .reference(let reference) = left, reference.type == nil || reference.type == .tag
                else { throw unsupported }
                let value: String
                switch right {
                case .string(let text): value = text
                case .reference(let text) where text.type == nil: value = text.name
                default: throw unsupported
                }
                if reference.isTime { throw unsupported }
                if reference.name == "_measurement" {
                    guard measurement == nil || measurement == value else {
                        throw Problem(message: "delete - a predicate can name one _measurement: \"\(text)\"")
                    }
                    measurement = value
                } else {
                    tags.append((reference.name, value))
                }
            default: throw unsupported
            }
        }

        private var unsupported: Problem {
            Problem(message: "delete - predicate only supports equality operators and conjunctions: \"\(text)\"")
        }
    }
}
