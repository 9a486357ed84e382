// SELECT: raw points and counts, of one measurement.
//
// Rows of several series with one time come in an order that InfluxDB does not promise and that looks arbitrary
// (reference: http 7); here they come in the order of the series' keys.

/// The points of a measurement that a statement reads.
private struct Reading {
    /// In the order of time.
    var shards: [Measurement] = []
    var types: [Text: FieldType] = [:]
    var tagKeys: Set<Text> = []
    var range: ClosedRange<Int64>
}

private enum ColumnKind {
    case field(Text, FieldType)
    case tag(Text)
    case nothing
}

extension InfluxServer {
    /// Database and policy of a source, in full.
    func resolved(
        _ database: Text, _ policy: Text, _ task: QueryTask
    ) throws(StatementFailure) -> (database: Int, policy: Int) {
        let database = database.isEmpty ? task.database : database
        if database.isEmpty { throw StatementFailure(message: "database name required") }
        let index = try known(database)
        var name = policy.isEmpty ? task.policy : policy
        if name.isEmpty { name = disk.databases[index].defaultPolicy }
        if name.isEmpty { throw StatementFailure(message: "default retention policy not set for: \(database)") }
        guard let (policy, _) = disk.databases[index].policy(name) else {
            throw StatementFailure(message: "retention policy not found: \(name)")
        }
        return (index, policy)
    }

    /// Whether a shard lists the measurement: `inmem` has one index for all shards of a database.
    func isIndexed(_ measurement: Text, in shard: Int) -> Bool {
        guard let here = disk.shards[shard]?.measurements[measurement] else { return false }
        if here.isIndexed || settings.hasTSI { return here.isIndexed }
        let database = disk.shards[shard]?.database ?? ""
        if process?.leftovers[database]?[measurement]?.isEmpty == false { return true }
        return disk.shards(of: database).contains {
            disk.shards[$0]?.measurements[measurement]?.isIndexed == true
        }
    }

    mutating func select(
        _ select: SelectStatement, _ task: QueryTask, now: Int64
    ) throws(StatementFailure) -> StatementResult {
        let (database, policy) = try resolved(select.source.database, select.source.policy, task)
        var range = select.condition?.range(now: now) ?? -PointsReader.largestTime...PointsReader.largestTime
        if select.interval != nil, range.upperBound == .max || select.condition?.hasTime != true {
            range = min(range.lowerBound, now)...now
        }
        var reading = Reading(range: range)
        for group in disk.databases[database].policies[policy].groups.sorted(by: { $0.start < $1.start })
        where group.start <= range.upperBound && range.lowerBound < group.end {
            guard isIndexed(select.source.measurement, in: group.shard),
                let measurement = disk.shards[group.shard]?.measurements[select.source.measurement]
            else { continue }
            reading.shards.append(measurement)
            for (field, type) in measurement.types {
                reading.types[field] = min(reading.types[field] ?? type, type)
            }
            if settings.hasTSI { reading.tagKeys.formUnion(measurement.tagKeys) }
        }
        // The one index of `inmem` knows the tags of all shards of the database.
        if !settings.hasTSI, !reading.shards.isEmpty {
            for shard in disk.shards(of: disk.databases[database].name) {
                reading.tagKeys.formUnion(
                    disk.shards[shard]?.measurements[select.source.measurement]?.tagKeys ?? [])
            }
            let leftovers = process?.leftovers[disk.databases[database].name]?[select.source.measurement] ?? [:]
            for tags in leftovers.values { reading.tagKeys.formUnion(tags.map(\.key)) }
        }
        if let field = select.condition?.tagKeys.first(where: { reading.types[$0] != nil }) {
            unknown.append("a condition on the field \(field)")
            throw StatementFailure(message: "model: a condition on the field \(field)")
        }
        if let both = reading.types.keys.first(where: { reading.tagKeys.contains($0) }) {
            unknown.append("\(both) is a field and a tag")
        }
        let names: [Text]
        var groups: [ResultSeries]
        switch select.columns {
        case .count(let column):
            let fields = column.map { [$0.name].filter { reading.types[$0] != nil } } ?? reading.types.keys.sorted()
            names = column.map { [$0.alias ?? "count"] } ?? fields.map { Text(Array("count_".utf8) + $0.bytes) }
            if fields.isEmpty { return StatementResult(shape: .rows) }
            groups = self.groups(select, reading) { counts(of: fields, select, reading, $0) }
        case .all, .listed:
            let columns = columns(of: select, reading)
            names = columns.map(\.name)
            guard columns.contains(where: { if case .field = $0.kind { true } else { false } }) else {
                return StatementResult(shape: .rows)
            }
            groups = self.groups(select, reading) { rows(of: columns.map(\.kind), select, reading, $0) }
        }
        for index in groups.indices { groups[index].columns = ["time"] + names }
        return StatementResult(series: groups, shape: .rows)
    }

    // MARK: Columns

    private func columns(of select: SelectStatement, _ reading: Reading) -> [(name: Text, kind: ColumnKind)] {
        guard case .listed(let listed) = select.columns else {
            let grouped = dimensions(of: select, reading)
            let tags = reading.tagKeys.subtracting(grouped).map { (name: $0, kind: ColumnKind.tag($0)) }
            let fields = reading.types.map { (name: $0.key, kind: ColumnKind.field($0.key, $0.value)) }
            return fields.isEmpty ? [] : (tags + fields).sorted { $0.name < $1.name }
        }
        var taken: [Text: Int] = [:]
        return listed.map { column in
            let wanted = column.alias ?? column.name
            let count = taken[wanted, default: 0]
            taken[wanted] = count + 1
            return (count == 0 ? wanted : Text("\(wanted)_\(count)"), kind(of: column, reading))
        }
    }

    private func kind(of column: SelectStatement.ListedColumn, _ reading: Reading) -> ColumnKind {
        if !column.isTagOnly, let type = reading.types[column.name] {
            return .field(column.name, column.type ?? type)
        }
        return !column.isFieldOnly && column.type == nil && reading.tagKeys.contains(column.name)
            ? .tag(column.name) : .nothing
    }

    private func dimensions(of select: SelectStatement, _ reading: Reading) -> [Text] {
        switch select.grouping {
        case .none: []
        case .all: reading.tagKeys.sorted()
        case .tags(let tags): tags.sorted()
        }
    }

    // MARK: Rows

    /// The series of the answer, without columns. `rows` gets the shards' parts of the series of a group, series by
    /// series in the order of their keys, each in the order of time.
    private func groups(
        _ select: SelectStatement, _ reading: Reading, rows: ([Series]) -> [(time: Int64, cells: [Cell])]
    ) -> [ResultSeries] {
        let dimensions = dimensions(of: select, reading)
        var members: [[Text]: [(key: Text, shard: Int)]] = [:]
        for (shard, measurement) in reading.shards.enumerated() {
            for (key, series) in measurement.series {
                if let condition = select.condition, !condition.holds(for: series) { continue }
                members[dimensions.map(series.tag), default: []].append((key, shard))
            }
        }
        var groups: [ResultSeries] = []
        for (values, parts) in members.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let parts = parts.sorted { ($0.key, $0.shard) < ($1.key, $1.shard) }
            var rows = rows(parts.compactMap { reading.shards[$0.shard].series[$0.key] })
            if select.isDescending { rows.reverse() }
            rows = Array(rows.dropFirst(select.offset))
            if let limit = select.limit, limit > 0 { rows = Array(rows.prefix(limit)) }
            if rows.isEmpty { continue }
            groups.append(
                ResultSeries(
                    name: select.source.measurement, tags: Array(zip(dimensions, values)), columns: [],
                    values: rows.map { [.time($0.time)] + $0.cells }))
        }
        return select.isDescending ? groups.reversed() : groups
    }

    /// A row for each time at which a series has one of the fields.
    private func rows(
        of columns: [ColumnKind], _ select: SelectStatement, _ reading: Reading, _ parts: [Series]
    ) -> [(time: Int64, cells: [Cell])] {
        var rows: [(time: Int64, cells: [Cell])] = []
        for series in parts {
            var times: [Int64] = []
            for case .field(let name, let type) in columns {
                guard let column = series.columns[name], let first = column.values.first, first.cast(to: type) != nil
                else { continue }
                times += column.times[column.indices(in: reading.range)]
            }
            times.sort()
            var last: Int64?
            for time in times where time != last {
                last = time
                let cells = columns.map { kind in
                    switch kind {
                    case .field(let name, let type): Cell(series.columns[name]?.value(at: time)?.cast(to: type))
                    case .tag(let key): series.tag(key).isEmpty ? Cell.null : .text(series.tag(key))
                    case .nothing: Cell.null
                    }
                }
                rows.append((time, cells))
            }
        }
        return rows.enumerated().sorted { ($0.element.time, $0.offset) < ($1.element.time, $1.offset) }.map(\.element)
    }

    private func counts(
        of fields: [Text], _ select: SelectStatement, _ reading: Reading, _ parts: [Series]
    ) -> [(time: Int64, cells: [Cell])] {
        var counts: [Int64: [Int64]] = [:]
        let start = select.condition?.hasStart == true ? reading.range.lowerBound : 0
        for series in parts {
            for (index, field) in fields.enumerated() {
                guard let column = series.columns[field], let type = reading.types[field],
                    column.values.first?.cast(to: type) != nil
                else { continue }
                let indices = column.indices(in: reading.range)
                guard let interval = select.interval else {
                    counts[start, default: fields.map { _ in 0 }][index] += Int64(indices.count)
                    continue
                }
                for time in column.times[indices] {
                    let rest = time % interval
                    let window = time - (rest < 0 ? rest + interval : rest)
                    counts[window, default: fields.map { _ in 0 }][index] += 1
                }
            }
        }
        return counts.filter { $0.value.contains { $0 > 0 } }.sorted { $0.key < $1.key }.map { window, counts in
            (window, counts.map { $0 > 0 ? Cell.integer($0) : .null })
        }
    }
}
