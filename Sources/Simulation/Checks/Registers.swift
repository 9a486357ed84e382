// What every point must look like, by the log: its history of values, and which of them a reader may see who knows what
// was acknowledged before.

import CommitLog

/// One field of one point.
package struct Register: Hashable, Comparable, CustomStringConvertible {
    package let database: String
    package let measurement: String
    package let series: String
    package let time: Int64

    package init(database: String, measurement: String, series: String, time: Int64) {
        self.database = database
        self.measurement = measurement
        self.series = series
        self.time = time
    }

    fileprivate var place: String { "\(database).\(measurement)" }

    package var description: String { "\(database).\(measurement),s=\(series)@\(time)" }

    package static func < (a: Register, b: Register) -> Bool {
        (a.database, a.measurement, a.series, a.time) < (b.database, b.measurement, b.series, b.time)
    }
}

/// A line of the load: `m,s=1 v=17i 1700000000000000000`. The number of its value is its own, no other line has it.
package struct LoadLine: Equatable {
    package let register: Register
    package let value: Int
    package let text: String
    var isString: Bool { text.contains("\"") }

    package init(register: Register, value: Int, isBad: Bool) {
        self.register = register
        self.value = value
        let written = isBad ? "\"\(value)\"" : "\(value)i"
        text = "\(register.measurement),s=\(register.series) v=\(written) \(register.time)"
    }

    /// The number in a line's field.
    static func value(in line: ArraySlice<UInt8>) -> Int? {
        guard let equals = line.lastIndex(of: UInt8(ascii: "=")) else { return nil }
        var number: Int?
        for byte in line[(equals + 1)...] where byte != UInt8(ascii: "\"") {
            guard isDigit(byte) else { break }
            number = (number ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return number
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// Of a record; nil: it is none of the load's.
    init?(text: String, database: String) {
        let words = text.utf8.split(separator: UInt8(ascii: " "))
        guard words.count == 3, let time = Int64(Substring(words[2])) else { return nil }
        let key = words[0].split(separator: UInt8(ascii: ","))
        guard key.count == 2, key[1].starts(with: "s=".utf8), words[1].starts(with: "v=".utf8) else { return nil }
        let digits = words[1].drop { !Self.isDigit($0) }.prefix(while: Self.isDigit)
        guard let value = Int(Substring(digits)) else { return nil }
        register = Register(
            database: database, measurement: String(Substring(key[0])), series: String(Substring(key[1].dropFirst(2))),
            time: time)
        self.value = value
        self.text = text
    }
}

/// A statement of the load that changes something.
package enum LoadMutation: Equatable {
    case createDatabase(String)
    case dropDatabase(String)
    case dropMeasurement(database: String, String)
    case delete(database: String, String, from: Int64, below: Int64)
    case dropSeries(database: String, String, series: String)

    package var database: String {
        switch self {
        case .createDatabase(let name), .dropDatabase(let name): name
        case .dropMeasurement(let name, _), .delete(let name, _, _, _), .dropSeries(let name, _, _): name
        }
    }

    package var statement: String {
        switch self {
        case .createDatabase(let name): "CREATE DATABASE \(name)"
        case .dropDatabase(let name): "DROP DATABASE \(name)"
        case .dropMeasurement(_, let measurement): "DROP MEASUREMENT \(measurement)"
        case .delete(_, let measurement, let from, let below):
            "DELETE FROM \(measurement) WHERE time >= \(from) AND time < \(below)"
        case .dropSeries(_, let measurement, let series): "DROP SERIES FROM \(measurement) WHERE s = '\(series)'"
        }
    }

    /// Of a record; nil: it is none of the load's.
    init?(statement: String, database: String) {
        let words = statement.split(separator: " ").map(String.init)
        switch words.prefix(2).joined(separator: " ") {
        case "CREATE DATABASE" where words.count == 3: self = .createDatabase(words[2])
        case "DROP DATABASE" where words.count == 3: self = .dropDatabase(words[2])
        case "DROP MEASUREMENT" where words.count == 3: self = .dropMeasurement(database: database, words[2])
        case "DROP SERIES" where words.count == 8:
            self = .dropSeries(database: database, words[3], series: String(words[7].dropFirst().dropLast()))
        case "DELETE FROM" where words.count == 11:
            guard let from = Int64(words[6]), let below = Int64(words[10]) else { return nil }
            self = .delete(database: database, words[2], from: from, below: below)
        default: return nil
        }
    }

    func covers(_ register: Register) -> Bool {
        switch self {
        case .createDatabase: false
        case .dropDatabase(let name): register.database == name
        case .dropMeasurement(let name, let measurement):
            register.database == name && register.measurement == measurement
        case .delete(let name, let measurement, let from, let below):
            register.database == name && register.measurement == measurement
                && (from..<below).contains(register.time)
        case .dropSeries(let name, let measurement, let series):
            register.database == name && register.measurement == measurement && register.series == series
        }
    }
}

package struct Registers {
    /// A state that begins with a record; `nil` is absence.
    struct Change {
        let offset: Offset
        let value: Int?
        /// A string among integers: where shards disagree a query shows integers only.
        var mayBeHidden = false
    }

    private var changes: [Register: [Change]] = [:]
    /// The first record that brought a value.
    private var offsets: [Int: Offset] = [:]
    /// Of each measurement, for quick looks.
    private var members: [String: Set<Register>] = [:]
    /// What must at least be seen, by what was acknowledged.
    private var floors: [Register: Offset] = [:]
    private var statements: [(offset: Offset, mutation: LoadMutation)] = []
    private var linesOf: [Offset: [LoadLine]] = [:]

    /// What a lying disk lost: nodes may show any of it, and what came of it nobody knows.
    private var lostValues: Set<Int> = []
    private var doubtfulPlaces: Set<String> = []
    private var doubtfulDatabases: Set<String> = []

    package init() {}

    /// The log ends at `end` now and has lost these records, acknowledged ones among them.
    package mutating func forget(_ lost: [(Offset, KeptRecord)], remaining: [KeptRecord]) throws {
        var rest = Registers()
        rest.lostValues = lostValues
        rest.doubtfulPlaces = doubtfulPlaces
        rest.doubtfulDatabases = doubtfulDatabases
        for (number, record) in remaining.enumerated() { try rest.apply(Offset(UInt64(number)), record) }
        let end = Offset(UInt64(remaining.count))
        rest.floors = floors.filter { $0.value < end }
        for (offset, record) in lost {
            switch record {
            case .points, .refusal:
                let target = if case .refusal(let target, _, _) = record { target } else { offset }
                for line in linesOf[target] ?? [] {
                    rest.lostValues.insert(line.value)
                    rest.doubtfulPlaces.insert(line.register.place)
                }
            case .mutation(let statement, let database):
                switch LoadMutation(statement: statement, database: database) {
                case .createDatabase(let name), .dropDatabase(let name): rest.doubtfulDatabases.insert(name)
                case .dropMeasurement(_, let name), .delete(_, let name, _, _), .dropSeries(_, let name, _):
                    rest.doubtfulPlaces.insert("\(database).\(name)")
                case nil: break
                }
            }
        }
        self = rest
    }

    /// Nothing is known of it since a disk has lied.
    package func isDoubtful(_ database: String) -> Bool { doubtfulDatabases.contains(database) }

    package func isDoubtful(_ measurement: String, in database: String) -> Bool {
        doubtfulDatabases.contains(database) || doubtfulPlaces.contains("\(database).\(measurement)")
    }

    package mutating func apply(_ offset: Offset, _ record: KeptRecord) throws {
        switch record {
        case .points(let database, let texts):
            var lines: [LoadLine] = []
            for text in texts {
                guard let line = LoadLine(text: text, database: database) else {
                    throw Violation("5 convergence", "the log holds a line that nobody sent: \(text)")
                }
                lines.append(line)
                members[line.register.place, default: []].insert(line.register)
                changes[line.register, default: []].append(
                    Change(offset: offset, value: line.value, mayBeHidden: line.isString))
                if offsets[line.value] == nil { offsets[line.value] = offset }
            }
            linesOf[offset] = lines
        case .mutation(let statement, let database):
            guard let mutation = LoadMutation(statement: statement, database: database) else {
                throw Violation("5 convergence", "the log holds a statement that nobody sent: \(statement)")
            }
            statements.append((offset, mutation))
            for register in covered(by: mutation) {
                changes[register, default: []].append(Change(offset: offset, value: nil))
            }
        case .refusal(let target, let node, let lines):
            guard node.isEmpty, let known = linesOf[target] else { return }
            for number in lines where known.indices.contains(number) {
                let line = known[number]
                changes[line.register]?.removeAll { $0.offset == target && $0.value == line.value }
            }
        }
    }

    private func covered(by mutation: LoadMutation) -> [Register] {
        changes.keys.filter { mutation.covers($0) }
    }

    // MARK: What was acknowledged

    package mutating func acknowledged(_ lines: [LoadLine]) throws {
        for line in lines {
            if lostValues.contains(line.value) { continue }
            guard let offset = offsets[line.value] else {
                throw Violation("1 durable ack", "\(line.text) was acknowledged and is not in the durable log")
            }
            floors[line.register] = max(floors[line.register] ?? .zero, offset)
        }
    }

    /// - Parameter sentAt: the durable end when it was sent.
    package mutating func acknowledged(_ mutation: LoadMutation, sentAt: Offset) throws {
        guard let found = statements.first(where: { $0.offset >= sentAt && $0.mutation == mutation }) else {
            if case .createDatabase = mutation { return }
            if doubtfulDatabases.contains(mutation.database) || !doubtfulPlaces.isEmpty { return }
            throw Violation("1 durable ack", "\(mutation.statement) was acknowledged and is not in the durable log")
        }
        for register in covered(by: mutation) {
            floors[register] = max(floors[register] ?? .zero, found.offset)
        }
    }

    // MARK: What may be seen

    /// By register of the measurement, the offset that a read from now on must have seen.
    package func floors(of measurement: String, in database: String) -> [Register: Offset] {
        var found: [Register: Offset] = [:]
        for register in members["\(database).\(measurement)"] ?? [] { found[register] = floors[register] ?? .zero }
        return found
    }

    package func registers(of measurement: String, in database: String) -> [Register] {
        (members["\(database).\(measurement)"] ?? []).sorted()
    }

    package func isKnown(_ value: Int) -> Bool { offsets[value] != nil || lostValues.contains(value) }

    /// Whether a state of the log that holds everything up to `floor` (inclusive) shows this value.
    package func mayShow(_ register: Register, _ value: Int?, floor: Offset) -> Bool {
        let changes = changes[register] ?? []
        // Of lines of one record on the same point the last one holds.
        guard let first = changes.lastIndex(where: { $0.offset <= floor }) else {
            return value == nil || changes.contains { $0.value == value }
        }
        return changes[first...].contains { $0.value == value || value == nil && $0.mayBeHidden }
    }

    /// For people.
    package func history(_ register: Register) -> String {
        let parts = (changes[register] ?? []).map { "\($0.offset): \($0.value.map(String.init) ?? "gone")" }
        return "\(register) by the log: \(parts.joined(separator: ", ")); acknowledged up to "
            + "\(floors[register].map { "\($0)" } ?? "nothing")"
    }
}
