// Which fields and tags a SELECT finds, and their types. One InfluxDB decides that over all measurements that it reads,
// in the shards of the times that it reads; so each replica set is asked, and what they say is put together.

import InfluxQL

/// The fields and tags of some measurements, by name.
struct ColumnTypes: Equatable, Sendable {
    /// Of each field the type that wins over those that it has elsewhere.
    private(set) var fields: [[UInt8]: DataType] = [:]
    private(set) var tags: Set<[UInt8]> = []

    var isEmpty: Bool { fields.isEmpty && tags.isEmpty }

    mutating func formUnion(_ other: ColumnTypes) {
        for (name, type) in other.fields { add(name, type) }
        tags.formUnion(other.tags)
    }

    private mutating func add(_ name: [UInt8], _ type: DataType) {
        if let known = fields[name], known.rank <= type.rank { return }
        fields[name] = type
    }

    /// What a name without a type means: a field, where there is one, else a tag.
    func type(of name: String) -> DataType? {
        let name = Array(name.utf8)
        return fields[name] ?? (tags.contains(name) ? .tag : nil)
    }

    func isField(_ name: String) -> Bool { fields[Array(name.utf8)] != nil }

    static let unreadable = "a node's EXPLAIN, which says what columns there are, cannot be read"

    /// From the plan that EXPLAIN shows: `AUXILIARY FIELDS: host::tag, v::float` [1.6.7]. A plan without such a line reads
    /// nothing.
    /// - Returns: nil when the line cannot be read.
    init?(_ explained: PartResult) {
        for row in explained.series.flatMap(\.rows) {
            guard let line = JSONPieces.elements(of: row).first.flatMap(JSONPieces.string),
                line.hasPrefix(Self.label)
            else { continue }
            guard case .statements(let read) = Parsed("SELECT \(line.dropFirst(Self.label.count)) FROM m"),
                read.count == 1, case .select(let select) = read[0].body
            else { return nil }
            for field in select.fields {
                guard case .reference(let reference) = field.expression, let type = reference.type else { return nil }
                if type == .tag {
                    tags.insert(Array(reference.name.utf8))
                } else {
                    add(Array(reference.name.utf8), type)
                }
            }
        }
    }

    init() {}

    private static let label = "AUXILIARY FIELDS: "
}

extension DataType {
    /// Of two types of one name the lower wins (influxql's `DataType.LessThan`).
    fileprivate var rank: Int {
        switch self {
        case .float: 0
        case .integer: 1
        case .unsigned: 2
        case .string: 3
        case .boolean: 4
        case .tag: 5
        case .field: 6
        }
    }
}
