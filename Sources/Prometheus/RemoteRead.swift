// A remote read of Prometheus as InfluxQL, and rows as the answer to it.
//
// InfluxDB reads its storage directly; what it finds there, InfluxQL finds too (compared on 1.6.7): float values of the
// field `value`, both times included, regular expressions anywhere in a label's value, an absent label being an empty
// one. Two things it says of names InfluxQL cannot say: they are sorted out of the rows here (`ReadStatement.keeps`).

import InfluxQL
import SwiftProtobuf

package struct RemoteRead: Equatable, Sendable {
    package enum Comparison: Equatable, Sendable {
        case equal, notEqual, matches, matchesNot
    }

    package struct Matcher: Equatable, Sendable {
        package var comparison: Comparison
        package var label: String
        package var value: String

        package init(_ label: String, _ comparison: Comparison, _ value: String) {
            self.label = label
            self.comparison = comparison
            self.value = value
        }
    }

    /// What is wrong with a request: 400.
    package struct Problem: Error, Equatable, Sendable {
        package let message: String

        package init(message: String) { self.message = message }
    }

    /// Nanoseconds since the epoch, included; nil: there is no bound.
    package var start: Int64?
    package var end: Int64?
    package var matchers: [Matcher]

    package init(start: Int64?, end: Int64?, matchers: [Matcher]) {
        self.start = start
        self.end = end
        self.matchers = matchers
    }

    /// - Parameter message: the request, decompressed.
    package init(_ message: [UInt8]) throws(Problem) {
        let request: Sluice_Prometheus_ReadRequest
        do {
            var position = 0
            while position < message.count {
                position = try WireFormat.endOfField(
                    in: message, at: position, of: "ReadRequest", field: "Queries")
            }
            request = try Sluice_Prometheus_ReadRequest(serializedBytes: message)
        } catch {
            throw Problem(message: WireFormat.words(error))
        }
        guard request.queries.count == 1, let query = request.queries.first else {
            throw Problem(message: "Prometheus read endpoint currently only supports one query at a time")
        }
        start = Self.bound(query.startTimestampMs)
        end = Self.bound(query.endTimestampMs)
        var matchers: [Matcher] = []
        for matcher in query.matchers {
            let comparison: Comparison =
                switch matcher.type {
                case .equal: .equal
                case .notEqual: .notEqual
                case .regexMatch: .matches
                case .regexNoMatch: .matchesNot
                case .UNRECOGNIZED(let number): throw Problem(message: "unknown match type \(number)")
                }
            matchers.append(Matcher(matcher.name, comparison, matcher.value))
        }
        guard !matchers.isEmpty else { throw Problem(message: "expected matcher") }
        self.matchers = matchers
    }

    /// InfluxDB takes what is not after 1970 for no bound, and lets what is too large wrap around.
    private static func bound(_ milliseconds: Int64) -> Int64? {
        let nanoseconds = milliseconds &* 1_000_000
        return nanoseconds > 0 ? nanoseconds : nil
    }

    // MARK: InfluxQL

    package static let nameLabel = "__name__"
    /// What InfluxDB's storage calls it.
    private static let measurementLabel = "_measurement"

    /// - Parameter retentionPolicy: empty: the default one.
    package func statement(database: String, retentionPolicy: String) throws(Problem) -> ReadStatement {
        var names: [Matcher] = []
        var conditions: [String] = []
        for matcher in matchers {
            if matcher.label == Self.nameLabel || matcher.label == Self.measurementLabel {
                names.append(matcher)
            } else {
                conditions.append(try Self.condition(matcher))
            }
        }
        if let start { conditions.append("time >= \(start)") }
        if let end { conditions.append("time <= \(end)") }
        var statement = ReadStatement()
        let place =
            Quoting.identifier(database) + "." + (retentionPolicy.isEmpty ? "" : Quoting.identifier(retentionPolicy))
            + "."
        var source = "/.*/"
        if let index = names.firstIndex(where: { $0.comparison == .equal }) {
            let name = names.remove(at: index).value
            // Nothing has no name, and InfluxQL has no way to ask for it.
            source = name.isEmpty ? "/$./" : Quoting.identifier(name)
            statement.conditions.append(.equal(name))
        } else if let index = names.firstIndex(where: { $0.comparison == .matches }) {
            source = try Self.regex(names.remove(at: index).value)
        }
        for matcher in names {
            switch matcher.comparison {
            case .equal: statement.conditions.append(.equal(matcher.value))
            case .notEqual: statement.conditions.append(.notEqual(matcher.value))
            case .matches, .matchesNot:
                statement.listings.append((try Self.regex(matcher.value), matcher.comparison == .matches))
            }
        }
        statement.text =
            #"SELECT "value"::field FROM "# + place + source
            + (conditions.isEmpty ? "" : " WHERE " + conditions.joined(separator: " AND ")) + " GROUP BY *"
        statement.database = database
        return statement
    }

    private static func condition(_ matcher: Matcher) throws(Problem) -> String {
        let tag = Quoting.identifier(matcher.label) + "::tag"
        return switch matcher.comparison {
        case .equal: tag + " = " + Quoting.string(matcher.value)
        case .notEqual: tag + " != " + Quoting.string(matcher.value)
        case .matches: tag + " =~ " + (try regex(matcher.value))
        case .matchesNot: tag + " !~ " + (try regex(matcher.value))
        }
    }

    /// Between slashes. A backslash there escapes a slash and nothing else, so one that stands for itself is written so
    /// that no slash can come to stand behind it.
    private static func regex(_ expression: String) throws(Problem) -> String {
        var result = "/"
        var scalars = expression.unicodeScalars.makeIterator()
        while let scalar = scalars.next() {
            switch scalar {
            case "/": result += "\\/"
            case "\n": result += "\\n"
            case "\\":
                guard let next = scalars.next() else {
                    throw Problem(message: "error parsing regexp: trailing backslash at end of expression: ``")
                }
                switch next {
                case "\\": result += "\\x5c"
                case "\n": result += "\\n"
                default:
                    result += "\\"
                    result.unicodeScalars.append(next)
                }
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "/"
    }
}

/// What a node is asked, and what of its rows counts.
package struct ReadStatement: Sendable {
    package enum Condition: Equatable, Sendable {
        case equal(String)
        case notEqual(String)
    }

    /// One SELECT.
    package fileprivate(set) var text = ""
    package fileprivate(set) var database = ""
    /// What else a measurement's name must be.
    package fileprivate(set) var conditions: [Condition] = []
    /// Regular expressions that the name must match or not, which only a node can say: SHOW MEASUREMENTS lists them.
    fileprivate var listings: [(regex: String, mustMatch: Bool)] = []

    /// What a node is asked before, one statement each, in the order of `keeps`.
    package var questions: [String] {
        listings.map { "SHOW MEASUREMENTS ON " + Quoting.identifier(database) + " WITH MEASUREMENT =~ " + $0.regex }
    }

    /// - Parameter lists: the answers to `questions`.
    package func keeps(_ name: String, lists: [Set<String>]) -> Bool {
        conditions.allSatisfy { condition in
            switch condition {
            case .equal(let expected): name == expected
            case .notEqual(let other): name != other
            }
        } && zip(listings, lists).allSatisfy { $0.mustMatch == $1.contains(name) }
    }
}
