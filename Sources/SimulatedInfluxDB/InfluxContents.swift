// What a server holds, for checks at rest: sorted, comparable, without what is a server's own business (numbers of
// shards, order of creation, what its index lists without points).

package struct InfluxContents: Equatable, Sendable {
    package struct Database: Equatable, Sendable {
        package var name: Text
        package var defaultPolicy: Text
        package var policies: [Policy] = []
        /// By name.
        package var continuousQueries: [String] = []
    }

    package struct Policy: Equatable, Sendable {
        package var name: Text
        /// Nanoseconds; zero: for ever.
        package var duration: Int64
        package var shardDuration: Int64
        package var replicas: Int64
        /// Those with points.
        package var measurements: [Measurement] = []
        /// Kept also where there are no points any more.
        package var types: [FieldTypes] = []
    }

    /// The types of a measurement's fields in one shard group.
    package struct FieldTypes: Equatable, Sendable {
        package var measurement: Text
        /// Beginning of the shard group, nanoseconds since 1970.
        package var group: Int64
        package var fields: [FieldTypeEntry]
    }

    package struct FieldTypeEntry: Equatable, Sendable {
        package var field: Text
        package var type: FieldType
    }

    package struct Measurement: Equatable, Sendable {
        package var name: Text
        package var series: [Series] = []
    }

    package struct Series: Equatable, Sendable {
        /// `measurement,tag=value`, escaped as in line protocol, tags sorted.
        package var key: Text
        package var points: [Point] = []
    }

    package struct Point: Equatable, Sendable {
        package var time: Int64
        package var fields: [Field]
    }

    package struct Field: Equatable, Sendable {
        package var name: Text
        package var value: FieldValue
    }

    package struct User: Equatable, Sendable {
        package var name: Text
        package var isAdmin: Bool
        /// `DATABASE: PRIVILEGE`.
        package var privileges: [String]
    }

    /// By name.
    package var databases: [Database] = []
    package var users: [User] = []

    package func database(_ name: Text) -> Database? { databases.first { $0.name == name } }
}

extension InfluxServer {
    package func contents() -> InfluxContents { disk.contents() }
}

extension InfluxDisk {
    package func contents() -> InfluxContents {
        var contents = InfluxContents()
        for database in databases.sorted(by: { $0.name < $1.name }) {
            var entry = InfluxContents.Database(name: database.name, defaultPolicy: database.defaultPolicy)
            entry.policies = database.policies.sorted { $0.name < $1.name }.map(self.contents(of:))
            entry.continuousQueries = database.continuousQueries.map(\.query).sorted()
            contents.databases.append(entry)
        }
        contents.users = users.sorted { $0.name < $1.name }.map { user in
            let privileges = user.privileges.filter { $0.value != "NO PRIVILEGES" }
            return InfluxContents.User(
                name: user.name, isAdmin: user.isAdmin, privileges: privileges.map { "\($0): \($1)" }.sorted())
        }
        return contents
    }

    private func contents(of policy: Policy) -> InfluxContents.Policy {
        var entry = InfluxContents.Policy(
            name: policy.name, duration: policy.duration, shardDuration: policy.shardDuration,
            replicas: policy.replicas)
        var points: [Text: [Text: [Int64: [InfluxContents.Field]]]] = [:]
        for group in policy.groups {
            for (name, measurement) in shards[group.shard]?.measurements ?? [:] {
                let fields = measurement.types.sorted { $0.key < $1.key }
                if !fields.isEmpty {
                    entry.types.append(
                        InfluxContents.FieldTypes(
                            measurement: name, group: group.start,
                            fields: fields.map { InfluxContents.FieldTypeEntry(field: $0.key, type: $0.value) }))
                }
                for (key, series) in measurement.series {
                    for (field, column) in series.columns {
                        for (time, value) in zip(column.times, column.values) {
                            points[name, default: [:]][key, default: [:]][time, default: []].append(
                                InfluxContents.Field(name: field, value: value))
                        }
                    }
                }
            }
        }
        entry.types.sort { ($0.measurement, $0.group) < ($1.measurement, $1.group) }
        entry.measurements = points.sorted { $0.key < $1.key }.map { name, series in
            InfluxContents.Measurement(
                name: name,
                series: series.sorted { $0.key < $1.key }.map { key, points in
                    InfluxContents.Series(
                        key: key,
                        points: points.sorted { $0.key < $1.key }.map { time, fields in
                            InfluxContents.Point(time: time, fields: fields.sorted { $0.name < $1.name })
                        })
                })
        }
        return entry
    }
}

extension InfluxContents {
    /// One line for everything there is, in order: two contents differ exactly where their lines do.
    package var lines: [String] {
        var lines: [String] = []
        for database in databases {
            lines.append("database \(database.name), default policy \(database.defaultPolicy)")
            lines += database.continuousQueries
            for policy in database.policies {
                let place = "\(database.name).\(policy.name)"
                lines.append(
                    "policy \(place): \(policy.duration), shards \(policy.shardDuration), replicas \(policy.replicas)"
                )
                for types in policy.types {
                    let fields = types.fields.map { "\($0.field) \($0.type)" }.joined(separator: ", ")
                    lines.append("types \(place).\(types.measurement) from \(types.group): \(fields)")
                }
                for measurement in policy.measurements {
                    for series in measurement.series {
                        for point in series.points {
                            let fields = point.fields.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
                            lines.append("\(place) \(series.key) \(fields) \(point.time)")
                        }
                    }
                }
            }
        }
        return lines + users.map { "user \($0.name), admin \($0.isAdmin), \($0.privileges)" }
    }

    /// The first lines that only one of the two has; nil: they are equal.
    package func difference(from other: InfluxContents, atMost limit: Int = 20) -> String? {
        let (mine, theirs) = (lines, other.lines)
        let (have, lack) = (Set(mine), Set(theirs))
        let only = mine.filter { !lack.contains($0) }.prefix(limit).map { "+ " + $0 }
        let missing = theirs.filter { !have.contains($0) }.prefix(limit).map { "- " + $0 }
        return mine == theirs ? nil : (only + missing).joined(separator: "\n")
    }
}
