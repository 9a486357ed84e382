// What INTO makes of the rows of a SELECT: points, as InfluxDB's coordinator makes them (found by experiment on 1.6.7):
// - the tags of GROUP BY become tags, those without a value are left out; a tag in the select list becomes a string field;
// - a null is no field, and a row without fields is no point and does not count; nor is one with a NaN or an infinity;
// - of two columns of one name the last one counts, also where it is null;
// - the tags of `top(v, host, 3)` and `bottom(...)` become tags, although without INTO they are columns.

import LineProtocol

package struct RowLines: Sendable {
    /// Why rows cannot be written.
    package struct Problem: Error, Equatable, Sendable {
        package let reason: String
    }

    /// Where the points go and which columns are tags.
    package struct Rules: Equatable, Sendable {
        /// nil: that of the row.
        package var measurement: String?
        package var tagColumns: TagColumns?

        package init(measurement: String? = nil, tagColumns: TagColumns? = nil) {
            self.measurement = measurement
            self.tagColumns = tagColumns
        }
    }

    /// The columns that InfluxDB inserts for the tags of `top` and `bottom`, in the order of `tags`.
    package struct TagColumns: Equatable, Sendable {
        /// How many columns stand before them, that of the time included.
        package var first: Int
        package var tags: [String]

        package init(first: Int, tags: [String]) {
            self.first = first
            self.tags = tags
        }
    }

    private enum Column {
        case field([UInt8])
        case tag([UInt8])
        case time
        case unused
    }

    /// The lines so far.
    package var lines = LineWriter()
    private let rules: Rules
    private var columns: [Column] = []
    private var current = RowStream.Series()
    /// The beginning of the present series' lines; nil while tags come from the rows.
    private var series: [UInt8]?
    private var tags: [(key: [UInt8], value: [UInt8])] = []

    package init(_ rules: Rules) { self.rules = rules }

    // MARK: A series

    package mutating func begin(_ series: RowStream.Series) throws(Problem) {
        // The next chunk of the same series.
        if series == current, !columns.isEmpty { return }
        guard let time = series.columns.lastIndex(of: Array("time".utf8)) else {
            throw Problem(reason: "error finding time index in result")
        }
        var columns = [Column](repeating: .unused, count: series.columns.count)
        let tagColumns = try self.tagColumns(of: series)
        for (index, name) in tagColumns { columns[index] = .tag(name) }
        var last: [[UInt8]: Int] = [:]
        for (index, name) in series.columns.enumerated() where tagColumns[index] == nil { last[name] = index }
        // In their order, so that of two names that cannot be said it is always the first.
        for (index, name) in series.columns.enumerated() where last[name] == index && index != time {
            guard let key = LineWriter.fieldKey(name) else {
                throw Problem(reason: "line protocol cannot say the name of a field: \(Self.quoted(name))")
            }
            columns[index] = .field(key)
        }
        columns[time] = .time
        self.columns = columns
        current = series
        tags = series.tags.map { ($0.key, $0.value) }
        self.series = tagColumns.isEmpty ? try start(tags) : nil
    }

    private func tagColumns(of series: RowStream.Series) throws(Problem) -> [Int: [UInt8]] {
        guard let places = rules.tagColumns else { return [:] }
        guard places.first + places.tags.count <= series.columns.count else {
            throw Problem(reason: "the node's answer lacks the columns of the tags \(places.tags)")
        }
        return Dictionary(
            places.tags.enumerated().map { (places.first + $0.offset, Array($0.element.utf8)) },
            uniquingKeysWith: { $1 })
    }

    private func start(_ tags: [(key: [UInt8], value: [UInt8])]) throws(Problem) -> [UInt8] {
        let measurement = rules.measurement.map { Array($0.utf8) } ?? current.name
        guard let series = LineWriter.series(measurement, tags: tags) else {
            let names = tags.map { "\(Self.quoted($0.key))=\(Self.quoted($0.value))" }
            throw Problem(
                reason: "line protocol cannot say the measurement \(Self.quoted(measurement))"
                    + (names.isEmpty ? "" : " with the tags " + names.joined(separator: ", ")))
        }
        return series
    }

    private static func quoted(_ name: [UInt8]) -> String {
        String(decoding: JSONText.quoted(String(decoding: name, as: UTF8.self)), as: UTF8.self)
    }

    // MARK: Rows

    /// - Parameter bytes: what the ranges of the row's texts are of.
    /// - Returns: whether it became a line.
    @discardableResult
    package mutating func add(_ row: [RowStream.Value], of bytes: [UInt8]) throws(Problem) -> Bool {
        var time: Int64?
        if let series { lines.begin(series) } else { lines.begin(try start(tags(of: row, bytes))) }
        for (index, column) in columns.enumerated() {
            switch (column, row[index]) {
            case (.unused, _), (.tag, _), (.field, .null): break
            case (.time, .time(let value)): time = value
            case (.time, _):
                lines.takeBack()
                throw Problem(reason: "the column \"time\" does not hold times")
            case (.field(let key), .float(let value)):
                guard value.isFinite else {
                    lines.takeBack()
                    return false
                }
                lines.field(key, value)
            case (.field(let key), .integer(let value)): lines.field(key, value)
            case (.field(let key), .boolean(let value)): lines.field(key, value)
            case (.field(let key), .text(let range)): lines.field(key, bytes[range])
            case (.field(let key), .time(let value)): lines.field(key, value)
            }
        }
        guard let time else {
            lines.takeBack()
            throw Problem(reason: "error finding time index in result")
        }
        return lines.end(time: time)
    }

    /// The series' tags with those of the row.
    private func tags(of row: [RowStream.Value], _ bytes: [UInt8]) -> [(key: [UInt8], value: [UInt8])] {
        var tags = tags
        for (index, column) in columns.enumerated() {
            guard case .tag(let key) = column else { continue }
            tags.removeAll { $0.key == key }
            if case .text(let range) = row[index] { tags.append((key, Array(bytes[range]))) }
        }
        return tags
    }
}
