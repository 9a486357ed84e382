// A merged result as a node sends it to clients that want it in pieces, or as CSV (reference: influxdb-1x-http, 4).

package enum ResultChunks {
    package enum Style: Equatable, Sendable {
        /// In one piece, whatever the size.
        case whole
        /// A piece for each series, whatever its size; nothing says that more come.
        case series
        /// A piece for each series, or for so many rows of it.
        case rows
    }

    /// InfluxDB's own, when a request says none.
    package static let usualSize = 10_000

    /// The documents of one statement's result, in order.
    /// - Parameters:
    ///   - result: with the statement's number.
    ///   - size: how many rows a piece has at most.
    package static func documents(_ result: [UInt8], size: Int, style: Style) -> [[UInt8]] {
        guard style != .whole, let part = PartResult(result), part.error == nil, !part.series.isEmpty,
            let start = result.firstRange(of: Array(",\"series\":".utf8))
        else { return [ResultDocument.joined([result])] }
        let head = result[..<start.lowerBound]
        var pieces: [[UInt8]] = []
        for series in part.series {
            let rows = series.rows
            guard style == .rows, !rows.isEmpty else {
                pieces.append(Array(series.text))
                continue
            }
            let size = size > 0 ? size : usualSize
            let before = series.text[..<series.values.startIndex]
            for first in stride(from: 0, to: rows.count, by: size) {
                let last = min(first + size, rows.count)
                let values = Array(rows[first..<last].joined(separator: [UInt8(ascii: ",")]))
                let isPartial = last < rows.count
                let end = isPartial ? "],\"partial\":true}" : "]}"
                let text = Array(before) + Array("[".utf8) + values + Array(end.utf8)
                pieces.append(text)
            }
        }
        return pieces.enumerated()
            .map { index, piece in
                let hasMore = style == .rows && index < pieces.count - 1
                let end = hasMore ? "],\"partial\":true}" : "]}"
                let text = Array(head) + Array(",\"series\":[".utf8) + piece + Array(end.utf8)
                return ResultDocument.joined([text])
            }
    }
}

/// Results as CSV. Their times are numbers, as in CSV of InfluxDB.
package enum ResultCSV {
    /// - Parameter results: of all statements, in JSON.
    package static func body(_ results: [[UInt8]]) -> [UInt8] {
        var body: [UInt8] = []
        for result in results {
            guard let part = PartResult(result), !part.series.isEmpty else { continue }
            if !body.isEmpty { body.append(UInt8(ascii: "\n")) }
            var columns: ArraySlice<UInt8>?
            for series in part.series {
                if columns != series.columns {
                    if columns != nil { body.append(UInt8(ascii: "\n")) }
                    columns = series.columns
                    let names = JSONPieces.elements(of: series.columns).compactMap(JSONPieces.string)
                    body += line(["name", "tags"] + names)
                }
                let beginning = [String(decoding: series.name, as: UTF8.self), tags(series.tags)]
                for row in series.rows { body += line(beginning + JSONPieces.elements(of: row).map(cell)) }
            }
        }
        return body
    }

    /// `dc=e,host=b`, without those that are empty.
    private static func tags(_ object: ArraySlice<UInt8>) -> String {
        let members = JSONPieces.members(of: object) ?? []
        let pairs = members.compactMap { key, value -> String? in
            guard let value = JSONPieces.string(value), !value.isEmpty else { return nil }
            return escaped(key) + "=" + escaped(value)
        }
        return pairs.joined(separator: ",")
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if scalar == "," || scalar == "=" || scalar == " " { result += "\\" }
            result.unicodeScalars.append(scalar)
        }
        return result
    }

    private static func cell(_ value: ArraySlice<UInt8>) -> String {
        if value.first == UInt8(ascii: "\"") { return JSONPieces.string(value) ?? "" }
        let text = String(decoding: value, as: UTF8.self)
        return text == "null" ? "" : plain(text)
    }

    /// `1.5e+21` without an exponent, digit by digit.
    static func plain(_ number: String) -> String {
        guard let mark = number.firstIndex(of: "e"), let exponent = Int(number[number.index(after: mark)...]) else {
            return number
        }
        var digits = number[..<mark]
        let sign = digits.first == "-" ? "-" : ""
        if !sign.isEmpty { digits.removeFirst() }
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        let whole = String(parts[0])
        let fraction = parts.count > 1 ? String(parts[1]) : ""
        let all = whole + fraction
        let point = whole.count + exponent
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + all }
        if point >= all.count { return sign + all + String(repeating: "0", count: point - all.count) }
        return sign + all.prefix(point) + "." + all.dropFirst(point)
    }

    /// As Go's encoding/csv writes it.
    private static func line(_ cells: [String]) -> [UInt8] {
        let quoted = cells.map { cell -> String in
            let isQuoted =
                cell == "\\." || cell.unicodeScalars.first?.properties.isWhitespace == true
                || cell.unicodeScalars.contains { $0 == "," || $0 == "\"" || $0 == "\n" || $0 == "\r" }
            return isQuoted ? "\"" + cell.replacing("\"", with: "\"\"") + "\"" : cell
        }
        return Array((quoted.joined(separator: ",") + "\n").utf8)
    }
}
