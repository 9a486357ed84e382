// Buckets of version 2 of the API as databases and retention policies, and the JSON that says what they are, in the form
// of InfluxDB 1.11: a bucket's id and name are `database/retention-policy`.

import InfluxQL
import Querying

package struct Bucket: Equatable, Sendable {
    package var name: BucketName
    /// Seconds; 0: for ever.
    package var everySeconds: Int64
    /// Seconds; 0: as InfluxDB chooses it.
    package var shardGroupSeconds: Int64

    package init(_ name: BucketName, everySeconds: Int64, shardGroupSeconds: Int64) {
        self.name = name
        self.everySeconds = everySeconds
        self.shardGroupSeconds = shardGroupSeconds
    }

    /// Those of one database.
    /// - Parameter result: of SHOW RETENTION POLICIES.
    package static func all(of database: String, in result: ResultJSON) -> [Bucket] {
        guard let series = result["series"]?.elements.first else { return [] }
        let columns = series["columns"]?.elements.map(\.string) ?? []
        func value(_ column: String, _ row: ResultJSON) -> String? {
            columns.firstIndex(of: column).flatMap { row.elements.count > $0 ? row.elements[$0].string : nil }
        }
        return (series["values"]?.elements ?? []).compactMap { row in
            guard let name = value("name", row) else { return nil }
            return Bucket(
                BucketName(database: database, retentionPolicy: name),
                everySeconds: GoDuration.seconds(value("duration", row) ?? "") ?? 0,
                shardGroupSeconds: GoDuration.seconds(value("shardGroupDuration", row) ?? "") ?? 0)
        }
    }

    package var json: String {
        let name = String(decoding: JSONText.quoted(name.text), as: UTF8.self)
        let policy = String(decoding: JSONText.quoted(self.name.retentionPolicy), as: UTF8.self)
        return #"{"id":\#(name),"orgID":"","type":"user","name":\#(name),"rp":\#(policy),"retentionRules":["#
            + #"{"type":"expire","everySeconds":\#(everySeconds),"shardGroupDurationSeconds":\#(shardGroupSeconds)}],"#
            + #""labels":[]}"#
    }
}

/// Durations as SHOW RETENTION POLICIES writes them: `168h0m0s`.
enum GoDuration {
    /// nil: it is none of whole seconds.
    static func seconds(_ text: String) -> Int64? {
        var total: Int64 = 0
        var number: Int64 = 0
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39: number = number &* 10 &+ Int64(byte - 0x30)
            case UInt8(ascii: "h"), UInt8(ascii: "m"), UInt8(ascii: "s"):
                total += number * (byte == UInt8(ascii: "h") ? 3600 : byte == UInt8(ascii: "m") ? 60 : 1)
                number = 0
            default: return nil
            }
        }
        return total
    }
}

/// What a client wants a bucket to be.
package struct BucketWish: Equatable, Sendable {
    /// What is wrong with it: 400.
    package struct Problem: Error, Equatable, Sendable {
        package let message: String
    }

    /// nil: it does not say.
    package var name: String?
    package var retentionPolicy: String?
    package var everySeconds: Int64?
    package var shardGroupSeconds: Int64?

    package init(_ body: [UInt8]) throws(Problem) {
        guard let json = ResultJSON(body), json.kind == .object else {
            throw Problem(message: "buckets - cannot parse request body: it is no JSON object")
        }
        name = json["name"]?.string
        retentionPolicy = json["rp"]?.string
        let rules = json["retentionRules"]?.elements ?? []
        guard rules.count <= 1 else { throw Problem(message: "buckets - at most one retention rule is possible") }
        if let rule = rules.first {
            if let type = rule["type"]?.string, type != "expire" {
                throw Problem(message: "buckets - a retention rule can be of type \"expire\" only")
            }
            everySeconds = try Self.seconds("everySeconds", rule)
            shardGroupSeconds = try Self.seconds("shardGroupDurationSeconds", rule)
        }
    }

    private static func seconds(_ name: String, _ rule: ResultJSON) throws(Problem) -> Int64? {
        guard let value = rule[name], value.literal != "null" else { return nil }
        guard let text = value.literal, let seconds = Int64(text), seconds >= 0, seconds <= 9_000_000_000 else {
            throw Problem(message: "buckets - \(name) is no number of seconds")
        }
        return seconds
    }

    // MARK: Statements

    private var clauses: String {
        let duration = (everySeconds ?? 0) == 0 ? "INF" : "\(everySeconds ?? 0)s"
        let shards = (shardGroupSeconds ?? 0) == 0 ? "" : " SHARD DURATION \(shardGroupSeconds ?? 0)s"
        return "DURATION \(duration) REPLICATION 1\(shards)"
    }

    /// - Parameter databaseExists: a new database gets the policy as its default.
    package func creation(of bucket: BucketName, databaseExists: Bool) -> String {
        let (database, policy) = (Quoting.identifier(bucket.database), Quoting.identifier(bucket.retentionPolicy))
        return databaseExists
            ? "CREATE RETENTION POLICY \(policy) ON \(database) \(clauses)"
            : "CREATE DATABASE \(database) WITH \(clauses) NAME \(policy)"
    }

    /// nil: nothing is to be changed.
    package func change(of bucket: BucketName) -> String? {
        var changes: [String] = []
        if let everySeconds { changes.append("DURATION " + (everySeconds == 0 ? "INF" : "\(everySeconds)s")) }
        if let shardGroupSeconds, shardGroupSeconds > 0 { changes.append("SHARD DURATION \(shardGroupSeconds)s") }
        if changes.isEmpty { return nil }
        return "ALTER RETENTION POLICY \(Quoting.identifier(bucket.retentionPolicy)) ON "
            + "\(Quoting.identifier(bucket.database)) " + changes.joined(separator: " ")
    }
}
