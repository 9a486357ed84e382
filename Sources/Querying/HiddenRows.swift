// Takes databases out of a node's lists: the gateway's own, and those that a client is not shown. The rest of the answer
// stays as it is, byte by byte, in each of the formats that InfluxDB speaks.

import InfluxQL

package enum HiddenRows {
    /// How a list shows databases.
    package enum Listing: Equatable, Sendable {
        /// One row each, with the name as its only value.
        case rows
        /// One series each, named like it.
        case series
        /// Rows with the name in a column called `database`.
        case column
        /// Series with the name in the tag `database`.
        case tag

        package init?(_ kind: StatementKind) {
            switch kind {
            case .showDatabases: self = .rows
            case .showContinuousQueries, .showShards, .showSubscriptions: self = .series
            case .showShardGroups: self = .column
            case .showStats: self = .tag
            default: return nil
            }
        }
    }

    /// - Parameters:
    ///   - listings: by number of the statement.
    ///   - contentType: as the node says.
    ///   - isShown: of the list of all databases, which rows stay; the gateway's own never does.
    package static func removed(
        from body: [UInt8], contentType: String, listings: [Int: Listing], isPretty: Bool = false,
        isShown: @escaping (String) -> Bool = { _ in true }
    ) -> [UInt8] {
        let hides: Hiding = { name, listing in
            name == HiddenDatabase.name || listing == .rows && !isShown(name ?? "")
        }
        if contentType.hasPrefix("application/x-msgpack") {
            return MessagePackRows(body, listings: listings, hides: hides).removed() ?? body
        }
        if contentType.contains("csv") { return CSVRows.removed(from: body, listings: listings, hides: hides) }
        var result: [UInt8] = []
        for document in body.split(separator: UInt8(ascii: "\n")) {
            let filtered = self.document(Array(document), listings, hides)
            result += (isPretty ? JSONText.indented(filtered) : filtered) + [UInt8(ascii: "\n")]
        }
        return result
    }

    typealias Hiding = (_ database: String?, Listing) -> Bool

    // MARK: JSON

    private static func document(_ bytes: [UInt8], _ listings: [Int: Listing], _ hides: Hiding) -> [UInt8] {
        guard let root = ResultJSON(bytes), let results = root["results"] else { return bytes }
        let kept = results.elements.map { result -> [UInt8] in
            guard let id = result["statement_id"]?.literal.flatMap({ Int($0) }), let listing = listings[id] else {
                return Array(bytes[result.range])
            }
            return self.result(result, listing, bytes, hides)
        }
        return Array(bytes[..<results.range.lowerBound]) + list(kept) + Array(bytes[results.range.upperBound...])
    }

    private static func result(
        _ result: ResultJSON, _ listing: Listing, _ bytes: [UInt8], _ hides: Hiding
    ) -> [UInt8] {
        object(result, bytes) { key, value in
            guard key == "series" else { return Array(bytes[value.range]) }
            let kept = value.elements.filter { !isHidden($0, listing, hides) }
                .map { series($0, listing, bytes, hides) }
            return kept.isEmpty ? nil : list(kept)
        }
    }

    private static func isHidden(_ series: ResultJSON, _ listing: Listing, _ hides: Hiding) -> Bool {
        switch listing {
        case .series: hides(series["name"]?.string, listing)
        case .tag: hides(series["tags"]?["database"]?.string, listing)
        case .rows, .column: false
        }
    }

    private static func series(
        _ series: ResultJSON, _ listing: Listing, _ bytes: [UInt8], _ hides: Hiding
    ) -> [UInt8] {
        let column: Int?
        switch listing {
        case .rows: column = 0
        case .column: column = series["columns"]?.elements.firstIndex { $0.string == "database" }
        case .series, .tag: return Array(bytes[series.range])
        }
        return object(series, bytes) { key, value in
            guard key == "values", let column else { return Array(bytes[value.range]) }
            let kept = value.elements.filter { row in
                row.elements.indices.contains(column) && !hides(row.elements[column].string, listing)
            }
            return kept.isEmpty ? nil : list(kept.map { Array(bytes[$0.range]) })
        }
    }

    private static func list(_ elements: [[UInt8]]) -> [UInt8] {
        [UInt8(ascii: "[")] + Array(elements.joined(separator: [UInt8(ascii: ",")])) + [UInt8(ascii: "]")]
    }

    /// The object again, with its members' values as `value` has them; nil leaves a member out.
    private static func object(
        _ object: ResultJSON, _ bytes: [UInt8], value: (String, ResultJSON) -> [UInt8]?
    ) -> [UInt8] {
        let members = object.members.compactMap { member in
            value(member.key, member.value).map { JSONText.quoted(member.key) + [UInt8(ascii: ":")] + $0 }
        }
        return [UInt8(ascii: "{")] + Array(members.joined(separator: [UInt8(ascii: ",")])) + [UInt8(ascii: "}")]
    }
}

/// CSV has no statement numbers: lines are known by the columns above them, which no other statement has.
private enum CSVRows {
    static func removed(
        from body: [UInt8], listings: [Int: HiddenRows.Listing], hides: HiddenRows.Hiding
    ) -> [UInt8] {
        let kinds = listings.values
        var result: [UInt8] = []
        var columns = ""
        for line in lines(of: body) {
            let text = String(decoding: line.last == UInt8(ascii: "\n") ? line.dropLast() : line, as: UTF8.self)
            if text.hasPrefix("name,tags,") { columns = text }
            let cells = text.split(separator: ",", omittingEmptySubsequences: false)
            guard cells.count > 2, text != columns else {
                result += line
                continue
            }
            let name = HiddenDatabase.name
            let isHidden: Bool
            switch columns {
            case "name,tags,name":
                let row = text.hasPrefix("databases,,") ? unquoted(text.dropFirst(11)) : nil
                isHidden = kinds.contains(.rows) && row.map { hides($0, .rows) } == true
            case _ where cells[0] == name && columns.hasPrefix("name,tags,name,query"),
                _ where cells[0] == name && columns.hasPrefix("name,tags,id,database,"),
                _ where cells[0] == name && columns.hasPrefix("name,tags,retention_policy,name,mode"):
                isHidden = kinds.contains(.series)
            case _ where columns.hasPrefix("name,tags,id,database,"):
                isHidden = kinds.contains(.column) && cells.count > 3 && cells[3] == name
            default:
                isHidden = kinds.contains(.tag) && text.contains("database=\(name),")
            }
            if !isHidden { result += line }
        }
        return result
    }

    /// A cell, as Go's encoding/csv writes it.
    private static func unquoted(_ cell: Substring) -> String {
        guard cell.count > 1, cell.first == "\"", cell.last == "\"" else { return String(cell) }
        return String(cell.dropFirst().dropLast()).replacing("\"\"", with: "\"")
    }

    /// Lines with their ends; an end within quotes is data.
    private static func lines(of body: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        var isQuoted = false
        for (position, byte) in body.enumerated() {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == UInt8(ascii: "\n"), !isQuoted {
                lines.append(body[start...position])
                start = position + 1
            }
        }
        return start < body.count ? lines + [body[start...]] : lines
    }
}
