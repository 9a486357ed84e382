// The readers of JSON side by side: what the strictest takes, the others read alike.

import Cluster
import FuzzEngine
import Querying
import Replication

/// Input: a document.
let json = FuzzTarget("json") { bytes in
    let errors = ResponseErrors(bytes)
    let tree = ResultJSON(bytes)
    if let tree { check(tree, bytes, in: 0..<bytes.count) }
    let document = ResultDocument(bytes)
    if let document {
        let joined = ResultDocument.joined(document.results)
        demand(ResultDocument(joined) == document, "results joined are other results")
        for result in document.results {
            demand(
                ResultDocument.renumbered(ResultDocument.renumbered(result, by: 7), by: -7).count <= result.count, "")
        }
        for accept in ["text/csv", "application/x-msgpack"] {
            _ = ResultDocument.withoutReads(document.results, accept: accept)
        }
    }
    _ = JSONText.indented(bytes)

    guard let value = try? JSONValue(parsing: bytes) else { return }
    demand(tree.map { isSame($0, value) } == true, "two readers, two documents")
    if case .object(let members) = value {
        demand(errors.isComplete, "a document is not complete")
        demand(errors.errors == wanted(of: members), "\(errors.errors) are not its errors")
        let some = try? JSONValue(parsing: bytes, keeping: { $0.utf8.count % 2 == 0 })
        demand(some == .object(members.filter { $0.key.utf8.count % 2 == 0 }), "skimming loses something")
    }
    let indented = JSONText.indented(bytes)
    demand((try? JSONValue(parsing: indented)) == value, "line breaks make it another document")
    quote(value)
}

/// As `ResponseErrors` promises them.
private func wanted(of members: [JSONValue.Member]) -> [String] {
    members.flatMap { member -> [String] in
        switch (member.key, member.value) {
        case ("error", .string(let text)): [text]
        case ("results", .array(let results)):
            results.flatMap { ($0.members ?? []).filter { $0.key == "error" }.compactMap(\.value.string) }
        // An object where InfluxDB has a list.
        case ("results", .object(let results)):
            results.flatMap { ($0.value.members ?? []).filter { $0.key == "error" }.compactMap(\.value.string) }
        default: []
        }
    }
}

/// Every string is read back as it was written.
private func quote(_ value: JSONValue) {
    switch value {
    case .string(let text):
        demand((try? JSONValue(parsing: JSONText.quoted(text))) == value, "\(text) is quoted as something else")
    case .array(let values): for value in values { quote(value) }
    case .object(let members): for member in members { quote(member.value) }
    default: break
    }
}

/// Each value lies in the one around it, behind the one before it.
private func check(_ value: ResultJSON, _ bytes: [UInt8], in outer: Range<Int>) {
    demand(
        value.range.lowerBound >= outer.lowerBound && value.range.upperBound <= outer.upperBound, "a value lies outside"
    )
    var at = value.range.lowerBound
    for inner in value.elements + value.members.map(\.value) {
        demand(inner.range.lowerBound > at, "values overlap")
        check(inner, bytes, in: value.range)
        at = inner.range.upperBound
    }
}

private func isSame(_ tree: ResultJSON, _ value: JSONValue) -> Bool {
    switch (tree.kind, value) {
    case (.string(let left), .string(let right)): left == right
    case (.literal(let left), .number(let right)): left == right
    case (.literal("true"), .bool(true)), (.literal("false"), .bool(false)), (.literal("null"), .null): true
    case (.array, .array(let values)):
        tree.elements.count == values.count && zip(tree.elements, values).allSatisfy(isSame)
    case (.object, .object(let members)):
        tree.members.count == members.count
            && zip(tree.members, members).allSatisfy { $0.key == $1.key && isSame($0.value, $1.value) }
    default: false
    }
}
