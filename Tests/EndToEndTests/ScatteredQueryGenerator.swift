// Measurements whose fields and tags contradict each other, and queries over several of them: the input of the test that
// holds reads over several replica sets against one InfluxDB with all the data.

struct ScatteredQueryGenerator {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    static let measurements = ["m0", "m1", "m2", "m 3", "m,4", "m5", "m!6"]

    // MARK: Data

    private enum Kind { case float, integer, string, boolean }

    /// `v` has four types, `host` and `dc` are tags here and fields there, `v` is a tag as well.
    private static let fields: [String: [(name: String, kind: Kind)]] = [
        "m0": [("v", .float), ("w", .integer)],
        "m1": [("v", .integer), ("s", .string), ("b", .boolean)],
        "m2": [("v", .string), ("w", .float), ("host", .float)],
        "m 3": [("v", .float), ("x", .float), ("a.b", .integer)],
        "m,4": [("w", .integer), ("b", .boolean), ("dc", .string)],
        "m5": [("v", .float), ("w", .float), ("s", .string)],
        "m!6": [("z", .integer)],
    ]

    private static let tags: [String: [String]] = [
        "m0": ["dc", "host"], "m1": ["host"], "m2": ["dc", "rack"], "m 3": ["host", "v"], "m,4": [],
        "m5": ["dc", "host"], "m!6": ["rack"],
    ]

    private static let week = 604_800

    /// Points in three shards; each point once, with a time of its own or not.
    mutating func lines() -> [String] {
        var lines: [String] = []
        for name in Self.measurements {
            let measurement = name.replacing(",", with: "\\,").replacing(" ", with: "\\ ")
            let fields = Self.fields[name, default: []]
            for _ in 0..<Int.random(in: 5..<25, using: &random) {
                let tags = Self.tags[name, default: []].filter { _ in chance(80) }
                    .map { ",\($0)=\(pick(["a", "b", "c", "d\\,e"]))" }
                var values = fields.filter { _ in chance(70) }
                if values.isEmpty { values = [fields[0]] }
                let time = pick([0, Self.week, 3 * Self.week]) + Int.random(in: 0..<600, using: &random)
                let pairs = values.map { "\($0.name)=\(value($0.kind))" }
                lines.append(
                    "\(measurement)\(tags.joined()) \(pairs.joined(separator: ",")) \(time * 1_000_000_000)")
            }
        }
        // Columns that are there in some shards only.
        lines.append("m0,host=a late=1i \(3 * Self.week * 1_000_000_000)")
        lines.append("m5,host=a,only=late late=\"q\" \(Self.week * 1_000_000_000)")
        return lines
    }

    private mutating func value(_ kind: Kind) -> String {
        switch kind {
        case .float: pick(["0.5", "1", "2.25", "1e21", "3e-7", "\(Double.random(in: 0..<1, using: &random))"])
        case .integer: "\(Int.random(in: -5..<50, using: &random))i"
        case .string: "\"" + pick(["x", "y z", "f", "é", "", "a,b", "<&>"]) + "\""
        case .boolean: pick(["true", "false"])
        }
    }

    // MARK: Queries

    mutating func query() -> String {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<68: select()
        case 68..<96: show()
        default: refused()
        }
    }

    private mutating func refused() -> String {
        pick([
            "SELECT mean(w) FROM (SELECT w FROM \(sources()))",
            "SELECT max(mean) FROM (SELECT mean(w) FROM \(sources()) GROUP BY host)",
            "SELECT mean(*) + 1 FROM m0, m1, m2",
        ])
    }

    private mutating func sources() -> String {
        if chance(25) { return pick(["/.*/", "/^m/", "/[0-2]$/", "/m[05]/", "/zzz/", "/m.[0-9]/"]) }
        if chance(12) { return pick(["/^m[12]$/", "m0"]) + ", " + pick(["m5", "/m 3/", "m1"]) }
        return (Self.measurements + ["nix"]).shuffled(using: &random).prefix(Int.random(in: 1...4, using: &random))
            .map { "\"\($0)\"" }.joined(separator: ", ")
    }

    private mutating func column() -> String {
        pick([
            "v", "w", "s", "b", "x", "\"a.b\"", "host", "dc", "late", "z", "nofield", "v::field", "host::tag",
            "v::float",
            "w::integer", "rack",
        ])
    }

    /// One that functions of numbers take in every measurement.
    private mutating func number() -> String { pick(["w", "w", "x", "z", "\"a.b\""]) }

    private mutating func aggregate() -> String {
        let name = pick([
            "mean", "sum", "count", "min", "max", "first", "last", "median", "spread", "stddev", "mode", "distinct",
        ])
        switch name {
        case "count" where chance(20): return "count(distinct(\(number())))"
        case "count", "first", "last", "mode": return "\(name)(\(pick([column(), number(), "*", "/^[vw]$/", "/./"])))"
        case "distinct": return "distinct(\(number()))"
        default: return "\(name)(\(pick([number(), number(), "*", "/^w/"])))"
        }
    }

    private mutating func condition() -> String {
        pick([
            "host = 'a'", "host != 'a'", "host =~ /a|b/", "dc !~ /c/", "dc = ''", "v > 1", "w < 20", "v = 'x'",
            "b = true",
            "rack = 'b'", "(host = 'a' OR dc = 'b')", "(w > 3 AND v > 0)", "\"a.b\" > 2", "nofield = 'x'", "s =~ /x/",
            "host::tag = 'a'",
        ])
    }

    /// What is selected, and whether windows of time may stand beside it.
    private mutating func columns() -> (text: String, isAggregate: Bool) {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<20: return ("*", false)
        case 20..<26:
            return (pick(["/^[vw]/", "/zz/", "*::field", "*::tag, v", "/^./, w", "*, v", "v, *", "w AS q, *"]), false)
        case 26..<50:
            return ((0..<Int.random(in: 1...3, using: &random)).map { _ in column() }.joined(separator: ", "), false)
        case 50..<56:
            return (
                pick([
                    "w * 2", "-w", "w + \"a.b\"", "w AS q", "top(w, 2)", "bottom(w, host, 2)", "top(w, 2), dc", "w / x",
                ]), false
            )
        case 56..<63:
            return (
                pick([
                    "difference(w)", "derivative(w, 1s)", "cumulative_sum(w)", "moving_average(w, 2)", "elapsed(w, 1s)",
                    "difference(/w|x/)", "derivative(*, 1m)", "DISTINCT w", "cumulative_sum(*)", "max(w), host, dc",
                    "first(w), *",
                ]), false
            )
        case 63..<66: return (pick(["percentile(w, 50)", "count(DISTINCT w)"]), true)
        default:
            let count = Int.random(in: 1...2, using: &random)
            return ((0..<count).map { aggregate() + (chance(30) ? " AS q\($0)" : "") }.joined(separator: ", "), true)
        }
    }

    private mutating func select() -> String {
        let (columns, isAggregate) = self.columns()
        var conditions: [String] = []
        let start = pick([0, Self.week - 100, Self.week, 3 * Self.week])
        var dimensions = pick([
            [], [], ["host"], ["host", "dc"], ["*"], ["/^h/"], ["dc", "/r/"], ["rack", "*"], ["v"],
        ])
        if isAggregate, chance(50) {
            let window = pick(["time(1m)", "time(5m)", "time(1m, 10s)", "time(1w)", "time(2w)"])
            dimensions.insert(window, at: 0)
            let length = window.contains("w") ? 4 * Self.week : 900
            if chance(80) || !window.contains("w") { conditions.append("time >= \(start)s") }
            conditions.append("time < \(start + length)s")
        } else {
            if chance(35) { conditions.append("time >= \(start)s") }
            if chance(40) { conditions.append("time < \(pick([300, Self.week, Self.week + 200, 4 * Self.week]))s") }
        }
        if chance(40) { conditions.append(condition()) }
        var text = "SELECT \(columns) FROM \(sources())"
        if !conditions.isEmpty { text += " WHERE " + conditions.joined(separator: " AND ") }
        if !dimensions.isEmpty { text += " GROUP BY " + dimensions.joined(separator: ", ") }
        if isAggregate, !dimensions.isEmpty, chance(50) {
            text += " fill(" + pick(["none", "0", "previous", "linear", "null"]) + ")"
        }
        if chance(30) { text += " ORDER BY time " + pick(["DESC", "ASC"]) }
        if chance(25) { text += " LIMIT \(Int.random(in: 1..<4, using: &random))" }
        if chance(15) { text += " OFFSET \(Int.random(in: 1..<3, using: &random))" }
        if chance(15) { text += " SLIMIT \(Int.random(in: 1..<3, using: &random))" }
        if chance(10) { text += " SOFFSET \(Int.random(in: 1..<3, using: &random))" }
        if chance(5) { text += " tz('Europe/Berlin')" }
        return text
    }

    private mutating func show() -> String {
        let from = chance(50) ? " FROM \(sources())" : ""
        let condition = pick(["", "", "", " WHERE host = 'a'", " WHERE rack != 'b'", " WHERE host =~ /a|b/"])
        let limit = Int.random(in: 1..<5, using: &random)
        let limits = pick(["", "", " LIMIT \(limit)", " OFFSET \(limit)", " LIMIT \(limit) OFFSET \(limit / 2)"])
        let key = " WITH KEY " + pick(["= host", "IN (host, dc)", "=~ /h|d/", "!= host", "!~ /h/"])
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return pick(["SHOW DATABASES", "SHOW RETENTION POLICIES", "SHOW MEASUREMENT CARDINALITY"])
        case 1: return "SHOW MEASUREMENTS" + condition + limits
        case 2: return "SHOW MEASUREMENTS WITH MEASUREMENT =~ " + pick(["/[0-3]$/", "/m/", "/,/"]) + condition + limits
        case 3: return "SHOW SERIES" + from + condition + limits
        case 4: return "SHOW TAG KEYS" + from + condition + limits
        case 5: return "SHOW TAG VALUES" + from + key + condition + limits
        case 6: return "SHOW FIELD KEYS" + from + limits
        case 7: return "SHOW SERIES EXACT CARDINALITY" + from + condition + pick(["", " GROUP BY host"])
        case 8: return "SHOW MEASUREMENT EXACT CARDINALITY" + from + condition + limits
        case 9: return "SHOW TAG KEY" + pick([" EXACT", ""]) + " CARDINALITY" + from + condition
        case 10: return "SHOW FIELD KEY" + pick([" EXACT", ""]) + " CARDINALITY" + from
        default: return "SHOW TAG VALUES" + pick([" EXACT", ""]) + " CARDINALITY" + from + key + condition
        }
    }

    // MARK: Forms of the answer

    /// Parameters and headers of a request.
    mutating func form() -> (parameters: [String: String], headers: [(String, String)]) {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: (["chunked": "true"], [])
        case 1: (["chunked": "true", "chunk_size": "2"], [])
        case 2: ([:], [("Accept", "application/csv")])
        case 3: (["epoch": "s"], [("Accept", "text/csv")])
        case 4: (["pretty": "true"], [])
        case 5: (["epoch": "ms"], [])
        default: ([:], [])
        }
    }

    // MARK: Chance

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    private mutating func pick<Element>(_ list: [Element]) -> Element {
        list[Int.random(in: 0..<list.count, using: &random)]
    }
}
