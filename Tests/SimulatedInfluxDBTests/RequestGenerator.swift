// Writes, questions and mutations as clients send them, from one seed.

import SimulatedInfluxDB

/// A source of random numbers that a seed repeats (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

struct RequestGenerator {
    private var random: SeededGenerator
    /// The hour in which the test began: near the edges of short policies, yet not so near that a clock decides.
    private let hour: Int64

    init(seed: UInt64, now: Int64) {
        random = SeededGenerator(seed: seed)
        hour = now - now % 3_600_000_000_000
    }

    /// What makes the first requests worth something.
    static let beginning = [
        InfluxRequest.query("CREATE DATABASE d"), .query("CREATE DATABASE \"e f\" WITH DURATION 3d NAME \"short\""),
        .query("CREATE RETENTION POLICY long ON d DURATION 520w REPLICATION 1"),
    ]

    mutating func request() -> InfluxRequest {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<55: return write()
        case 55..<80: return question()
        case 80..<93: return deletion()
        default: return schema()
        }
    }

    /// What a node holds, in questions.
    static func inventory(_ databases: [String: [String]]) -> [InfluxRequest] {
        var requests = ["SHOW DATABASES", "SHOW SHARD GROUPS", "SHOW USERS", "SHOW SUBSCRIPTIONS"]
            .map { InfluxRequest.query($0) }
        for (database, policies) in databases.sorted(by: { $0.key < $1.key }) {
            for text in [
                "SHOW RETENTION POLICIES", "SHOW MEASUREMENTS", "SHOW SERIES", "SHOW TAG KEYS",
                "SHOW TAG VALUES WITH KEY IN (host, \"a b\")",
            ] {
                requests.append(.query(text, db: database))
            }
            for policy in policies {
                requests.append(.query("SHOW FIELD KEYS ON \"\(database)\" FROM \"\(policy)\"./.*/"))
                for name in measurements {
                    requests.append(.query("SELECT * FROM \"\(database)\".\"\(policy)\".\"\(name.quoted)\" GROUP BY *"))
                    requests.append(.query("SELECT count(*) FROM \"\(database)\".\"\(policy)\".\"\(name.quoted)\""))
                }
            }
        }
        return requests
    }

    // MARK: Writes

    private static let measurements = [
        Name(line: "cpu", quoted: "cpu"), Name(line: "m\\ n", quoted: "m n"), Name(line: "a\\,b=c", quoted: "a,b=c"),
        Name(line: "Gerät", quoted: "Gerät"), Name(line: "q\"x\"", quoted: "q\\\"x\\\""),
    ]
    private static let tags = ["host", "a\\ b", "r\\=s", "zé"]
    private static let tagValues = ["a", "b", "x\\ y", "1", "\"q\"", "日本", "s\\,t"]
    private static let fields = ["f", "i", "s", "b", "x", "y\\ z", "c\\,d"]
    private static let bad = [
        "cpu", "cpu f=", "cpu,host= f=1", "cpu f=1 x", "cpu f=1i2 1", "cpu,=a f=1", "cpu f=tru 1",
        "cpu f=9223372036854775808i", "cpu f=1 9223372036854775807", ",f=1", "cpu,host=a,host=b f=1", "cpu f=1e999",
        "cpu,time=a f=1 1", "cpu time=1 1",
    ]

    private struct Name {
        var line: String
        var quoted: String
    }

    private mutating func write() -> InfluxRequest {
        let precision = chance(80) ? "" : pick(["ns", "u", "ms", "s", "m", "h", "bogus"])
        let unit: Int64 =
            ["u": 1000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000][precision]
            ?? 1
        let lines = (0..<Int.random(in: 1...6, using: &random)).map { _ in
            chance(7) ? pick(Self.bad) : line(unit: unit)
        }
        var parameters: [(String, String)] = []
        if !precision.isEmpty { parameters.append(("precision", precision)) }
        if chance(25) { parameters.append(("rp", pick(["long", "autogen", "short", "nix"]))) }
        if chance(10) { parameters.append(("consistency", pick(["one", "ALL", "quorum", "none"]))) }
        let body = chance(3) ? pick(["", "\n\n", "# nothing\n"]) : lines.joined(separator: "\n")
        return .write(body, db: database(), parameters)
    }

    private mutating func line(unit: Int64) -> String {
        var line = pick(Self.measurements).line
        for tag in Self.tags.shuffled(using: &random).prefix(Int.random(in: 0...2, using: &random)) {
            line += ",\(tag)=\(pick(Self.tagValues))"
        }
        let fields = Self.fields.shuffled(using: &random).prefix(Int.random(in: 1...3, using: &random))
        line += " " + fields.map { "\($0)=\(value(of: $0))" }.joined(separator: ",")
        return line + " \(time() / unit)"
    }

    /// Mostly of the type that the field's name stands for.
    private mutating func value(of field: String) -> String {
        let type = chance(93) ? field : pick(["f", "i", "s", "b"])
        switch type {
        case "i": return "\(Int64.random(in: .min ... .max, using: &random))i"
        case "s", "y\\ z": return pick(["\"\"", "\"a b\"", "\"q\\\"q\"", "\"\\\\\"", "\"line\nbreak\"", "\"ü<&>,=\""])
        case "b": return pick(["t", "F", "true", "FALSE"])
        default:
            return pick([
                "0", "-0", "1", "2.5", ".5", "5.", "1e25", "-1.25e-9", "123456789.125", "0.1", "1e21", "1e-7", "1e20",
                "4.9e-324", "1.7976931348623157e308", "\(Double.random(in: -1...1, using: &random))",
            ])
        }
    }

    private mutating func time() -> Int64 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<4: return 1_000_000_000_000_000_000 + Int64.random(in: 0..<20, using: &random) * 60_000_000_000
        case 4..<6: return Int64.random(in: -5...5, using: &random) * 3_600_000_000_000
        case 6: return 1_000_000_000_000_000_000 + Int64.random(in: -3...3, using: &random) * 604_800_000_000_000
        default: return hour + Int64.random(in: -30...30, using: &random) * 1_800_000_000_000
        }
    }

    private mutating func database() -> String { chance(3) ? "nix" : pick(["d", "d", "e f"]) }

    // MARK: Statements

    private mutating func source() -> String {
        let name = "\"" + pick(Self.measurements).quoted + "\""
        return chance(60) ? name : pick(["\"autogen\".", "\"long\".", "\"d\".\"autogen\".", "\"d\"..", "nix."]) + name
    }

    private mutating func instant() -> String {
        let time = time()
        return chance(70)
            ? "\(time)"
            : pick([
                "'2001-09-09T01:46:40Z'", "'2001-09-09 01:50:00.5'", "1000000000s", "now() - 2h",
                "'2001-09-09T01:46:40Z' - 1h",
            ])
    }

    private mutating func condition() -> String {
        var parts: [String] = []
        if chance(60) { parts.append("time >= \(instant())") }
        if chance(60) { parts.append("time < \(instant())") }
        if chance(30) { parts.append("host \(pick(["=", "!="])) '\(pick(["a", "b", "", "nix"]))'") }
        if chance(10) { parts.append("(\"a b\" = 'a' OR host = 'x y')") }
        return parts.isEmpty ? "" : " WHERE " + parts.joined(separator: " AND ")
    }

    private mutating func question() -> InfluxRequest {
        let text: String
        switch Int.random(in: 0..<12, using: &random) {
        case 0..<3: text = "SELECT * FROM \(source())\(condition()) GROUP BY *" + order()
        case 3..<5: text = "SELECT * FROM \(source())\(condition())"
        case 5:
            text =
                "SELECT \(pick(["f", "f, i", "s, host", "\"y z\", b", "x AS y, x", "f::field, host::tag"]))"
                + " FROM \(source())\(condition()) GROUP BY \(pick(["*", "host, \"a b\", \"r=s\", \"zé\""]))" + order()
        case 6: text = "SELECT count(*) FROM \(source())\(condition())" + pick(["", " GROUP BY host", " GROUP BY *"])
        case 7: text = "SELECT count(\(pick(["f", "i", "nix"]))) FROM \(source())\(condition())"
        case 8:
            text =
                "SELECT count(*) FROM \(source()) WHERE time >= \(time()) AND time < \(time())"
                + " GROUP BY time(\(pick(["1h", "6h", "1w"]))) fill(none)"
        case 9:
            text = pick([
                "SHOW MEASUREMENTS", "SHOW TAG KEYS", "SHOW TAG VALUES WITH KEY = host",
            ])
        case 10:
            text = pick(["SHOW FIELD KEYS", "SHOW SERIES", "SHOW FIELD KEYS FROM \"long\"./.*/", "SHOW SHARD GROUPS"])
        default:
            text = pick([
                "SHOW DATABASES; SHOW RETENTION POLICIES ON d; SHOW RETENTION POLICIES ON \"e f\"",
                "SELECT f FROM cpu GROUP BY *; SELECT f FROM nix..cpu; SHOW DATABASES", "SHOW CONTINUOUS QUERIES",
                "SHOW GRANTS FOR u", "SHOW USERS",
            ])
        }
        var parameters: [(String, String)] = []
        if chance(50) { parameters.append(("epoch", pick(["ns", "u", "ms", "s", "m", "h", "odd"]))) }
        if chance(10) { parameters.append(("rp", pick(["long", "autogen", "nix"]))) }
        if chance(15), text.contains("GROUP BY *") || !text.hasPrefix("SELECT *") {
            parameters += [("chunked", "true"), ("chunk_size", pick(["1", "3", "x"]))]
        }
        return .query(text, db: chance(95) ? database() : "", parameters, method: chance(30) ? "GET" : "POST")
    }

    private mutating func order() -> String {
        pick(["", "", " ORDER BY time ASC", " ORDER BY time DESC"]) + pick(["", "", " LIMIT 1", " LIMIT 2 OFFSET 1"])
    }

    private mutating func deletion() -> InfluxRequest {
        let name = "\"" + pick(Self.measurements).quoted + "\""
        let tag = pick(["", " WHERE host = 'a'", " WHERE \"a b\" != '1'"])
        let text: String
        switch Int.random(in: 0..<6, using: &random) {
        case 0: text = "DROP MEASUREMENT \(name)"
        case 1: text = "DROP SERIES FROM \(name)\(tag)"
        case 2: text = "DELETE FROM \(name)\(tag)"
        case 3: text = "DELETE WHERE time < \(time())"
        default: text = "DELETE FROM \(name)\(condition())"
        }
        return .query(text, db: database(), method: chance(20) ? "GET" : "POST")
    }

    private mutating func schema() -> InfluxRequest {
        let policy = pick(["long", "short", "other", "autogen"])
        let options = pick(["DURATION 4d", "DURATION 30m", "DURATION INF", "DURATION 520w", "DURATION 2h"])
        let rest = pick(["", " SHARD DURATION 2h", " SHARD DURATION 1d"]) + pick(["", "", " DEFAULT"])
        let text = pick([
            "CREATE DATABASE d", "CREATE DATABASE \"e f\"", "CREATE DATABASE d WITH DURATION 1d",
            "CREATE DATABASE \"e f\" WITH \(options) NAME \"short\"", "DROP DATABASE \"e f\"", "DROP DATABASE nix",
            "CREATE RETENTION POLICY \(policy) ON d \(options) REPLICATION 1\(rest)",
            "ALTER RETENTION POLICY \(policy) ON d \(options)\(rest)", "ALTER RETENTION POLICY \(policy) ON d DEFAULT",
            "ALTER RETENTION POLICY autogen ON d DEFAULT", "DROP RETENTION POLICY other ON d",
            "DROP RETENTION POLICY \(policy) ON \"e f\"", "CREATE USER u WITH PASSWORD 'p'",
            "CREATE USER u WITH PASSWORD 'o' WITH ALL PRIVILEGES", "DROP USER u", "GRANT READ ON d TO u",
            "REVOKE ALL ON d FROM u", "GRANT ALL TO u", "SET PASSWORD FOR u = 'p'",
            "CREATE SUBSCRIPTION s ON d.autogen DESTINATIONS ANY 'http://127.0.0.1:9'",
            "DROP SUBSCRIPTION s ON d.autogen", "DROP CONTINUOUS QUERY q ON d",
        ])
        return .query(text, method: chance(25) ? "GET" : "POST")
    }

    // MARK: Choices

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    private mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }
}
