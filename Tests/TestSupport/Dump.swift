// What a node holds, as bytes that can be compared with another node's.

import Foundation

/// All of one database: its schema, and each measurement of each retention policy as the bytes of
/// `SELECT * ... GROUP BY *`. Nodes of one version with the same points give the same bytes.
package struct Dump: Sendable {
    package let parts: [(title: String, bytes: [UInt8])]

    package init(of node: InfluxNode, db: String) async throws {
        var parts: [(String, [UInt8])] = []
        let policies = try await node.client.query("SHOW RETENTION POLICIES ON \(quoted(db))")
        parts.append(("SHOW RETENTION POLICIES", policies.body))
        for question in ["SHOW FIELD KEYS ON \(quoted(db))", "SHOW TAG KEYS ON \(quoted(db))"] {
            parts.append((question, try await node.client.query(question).body))
        }
        let names = try await node.client.names("SHOW RETENTION POLICIES ON \(quoted(db))")
        for measurement in try await node.client.names("SHOW MEASUREMENTS ON \(quoted(db))") {
            for policy in names {
                let source = "\(quoted(db)).\(quoted(policy)).\(quoted(measurement))"
                let reply = try await node.client.query("SELECT * FROM \(source) GROUP BY *")
                guard reply.status == 200, reply.error == nil else {
                    throw TestFailure("dump of \(source) from \(node.name): \(reply)")
                }
                parts.append((source, reply.body))
            }
        }
        self.parts = parts
    }

    /// Nil when the two are the same to the byte, else where they begin to differ.
    package func difference(from other: Dump) -> String? {
        if parts.map(\.title) != other.parts.map(\.title) {
            return "different parts:\n  \(parts.map(\.title))\n  \(other.parts.map(\.title))"
        }
        for (mine, theirs) in zip(parts, other.parts) where mine.bytes != theirs.bytes {
            let at =
                zip(mine.bytes, theirs.bytes).enumerated().first { $1.0 != $1.1 }?.offset
                ?? min(mine.bytes.count, theirs.bytes.count)
            func around(_ bytes: [UInt8]) -> String {
                String(decoding: bytes[max(0, at - 120)..<min(bytes.count, at + 120)], as: UTF8.self)
            }
            return """
                \(mine.title): \(mine.bytes.count) and \(theirs.bytes.count) bytes, the first difference at \(at):
                  ...\(around(mine.bytes))...
                  ...\(around(theirs.bytes))...
                """
        }
        return nil
    }
}

package func quoted(_ identifier: String) -> String {
    "\"" + identifier.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
}

/// Throws unless all nodes hold the same bytes in `db`.
package func requireSameData(_ nodes: [InfluxNode], db: String) async throws {
    guard let first = nodes.first else { return }
    let reference = try await Dump(of: first, db: db)
    for node in nodes.dropFirst() {
        if let difference = try await reference.difference(from: Dump(of: node, db: db)) {
            throw TestFailure("\(first.name) and \(node.name) differ in \(db): \(difference)")
        }
    }
}

/// Throws unless all nodes have the same databases (but `_sluice`), policies, users and continuous queries, in the same
/// order.
package func requireSameSchema(_ nodes: [InfluxNode]) async throws {
    guard let first = nodes.first else { return }
    func schema(_ node: InfluxNode) async throws -> [String] {
        let databases = try await node.client.names("SHOW DATABASES").filter { $0 != "_sluice" && $0 != "_internal" }
        var schema = ["databases \(databases)"]
        for question in ["SHOW USERS", "SHOW CONTINUOUS QUERIES"] {
            let text = try await node.client.query(question).text
            schema.append(
                "\(question) " + text.replacing("{\"name\":\"_sluice\",\"columns\":[\"name\",\"query\"]},", with: ""))
        }
        for database in databases {
            schema.append(
                "\(database) \(try await node.client.query("SHOW RETENTION POLICIES ON \(quoted(database))").text)")
        }
        return schema
    }
    let reference = try await schema(first)
    for node in nodes.dropFirst() {
        let other = try await schema(node)
        if let (mine, theirs) = zip(reference, other).first(where: { $0 != $1 }) {
            throw TestFailure("\(first.name) and \(node.name) differ:\n  \(mine)\n  \(theirs)")
        }
        if reference.count != other.count { throw TestFailure("\(first.name) and \(node.name): different databases") }
    }
}
