// Holds the scanner against a real InfluxDB, line by line: what is accepted, what is said, what is stored.

import Foundation
import LineProtocol
import TestSupport
import Testing

@Suite("Line protocol against a real influxd", .serialized)
struct LineProtocolDifferentialTests {
    /// Rounds and lines per round; 30 * 800 = 24,000 lines.
    private static let linesPerRound = 800
    private static let linesPerBatch = 40

    private struct Round: CustomStringConvertible {
        let seed: UInt64
        let precision: Precision
        var description: String { "seed \(seed), precision \(precision.parameter)" }
    }

    /// Nanoseconds most often: only there can points without timestamp be told apart by the time that they get.
    private static let rounds = (1...30).map { seed in
        Round(seed: UInt64(seed), precision: seed <= 20 ? .nanoseconds : Precision.allCases[1 + seed % 5])
    }

    @Test("20,000 generated and hostile lines: the same lines are accepted, for the same reasons, with the same points")
    func sameAsInfluxDB() async throws {
        let node = try await InfluxNode.started("lines")
        var tally = Tally()
        for round in Self.rounds {
            try await Comparison(node: node, name: "r\(round.seed)", precision: round.precision)
                .run(round, linesPerRound: Self.linesPerRound, linesPerBatch: Self.linesPerBatch, &tally)
        }
        try await node.kill()
        #expect(tally.lines >= 20_000)
        // The generator must not drift into writing only good or only bad lines.
        #expect(tally.goodLines >= 5_000 && tally.badLines >= 5_000, "\(tally)")
        #expect(tally.stampedLines >= 1_000, "\(tally)")
        #expect(Set(tally.reasons.keys).isSuperset(of: Self.reasonsToSee), "\(tally)")
        #expect(tally.heldBack * 100 < tally.lines, "\(tally)")
    }

    private static let reasonsToSee: Set<String> = [
        "missing measurement", "missing fields", "missing tag key", "missing tag value", "invalid tag format",
        "duplicate tags", "missing field key", "missing field value", "invalid field format", "unbalanced quotes",
        "invalid number", "invalid boolean", "invalid float", "unable to parse integer", "max key length exceeded",
        "invalid value", "bad timestamp", "strconv.ParseInt", "time outside range", "point is invalid",
    ]

    @Test("a point without timestamp gets the arrival time in the request's precision, as from InfluxDB")
    func arrivalTime() async throws {
        let node = try await InfluxNode.started("arrival")
        for precision in Precision.allCases {
            let database = "in_\(precision.parameter)"
            try await node.client.execute("CREATE DATABASE \(database)")
            let before = precision.truncate(nanosecondsSinceEpoch: Comparison.now())
            let target = "/write?db=\(database)&precision=\(precision.parameter)"
            let reply = try await node.client.send(.post, target, body: .bytes(Array("m f=1".utf8)))
            let after = precision.truncate(nanosecondsSinceEpoch: Comparison.now() + 1_000)
            #expect(reply.status == 204)
            let stored = try await node.client.query("SELECT f FROM m", db: database, ["epoch": "ns"]).text
            let time = stored.firstRange(of: "[[").flatMap { Int64(stored[$0.upperBound...].prefix { $0 != "," }) }
            let (units, rest) = (time ?? 0).quotientAndRemainder(dividingBy: precision.nanoseconds)
            #expect(rest == 0 && (before...after).contains(units), "\(precision): \(stored), \(before)...\(after)")
        }
        try await node.kill()
    }

    /// Accepted by InfluxDB's parser, and then the undoing of the whole request; the last one of the server.
    private static let harmfulLines = [
        "m a\\\\=\"x=,b=1\" 5", "m a\\\\=\"b=xyz\" 5", "m a\\\\=\"b=12\" 5", "m a\\\\=\"b=1,c=2\" 5",
        "m a\\\\=\"b=\" 5",
    ]

    @Test("a line that makes InfluxDB fail a whole request, or crash, is refused before it reaches a node")
    func harmfulLinesAreRefused() async throws {
        let node = try await InfluxNode.started("harmed")
        for (index, line) in Self.harmfulLines.enumerated() {
            try await node.client.execute("CREATE DATABASE d\(index)")
            let result = Comparison.scan(Array(line.utf8), precision: .nanoseconds, arrivalTime: 0)
            #expect(result.lines == 0)
            guard case .unstorableValue = result.errors.first?.reason else {
                Issue.record("\(line): \(result.errors)")
                continue
            }
            let body = Array("good f=1 1\n\(line)\n".utf8)
            let reply = try? await node.client.sendRaw(.post, "/write?db=d\(index)", body: body)
            // No answer: the server is gone. If this fails, the server has learned to cope: look at it again.
            #expect(reply == nil ? line == Self.harmfulLines.last : reply?.status == 500, "\(line)")
        }
        try await node.kill()
    }
}

/// What the rounds have covered.
private struct Tally: CustomStringConvertible {
    var goodLines = 0
    var badLines = 0
    var stampedLines = 0
    /// Lines not shown to the server because they harm it, or cannot stand in a batch.
    var heldBack = 0
    var singleLines = 0
    var reasons: [String: Int] = [:]

    var lines: Int { goodLines + badLines }
    var description: String {
        "\(goodLines) good, \(badLines) bad, \(stampedLines) stamped, \(heldBack) held back, \(singleLines) one by one; "
            + reasons.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
    }

    mutating func count(_ result: ScanResult) {
        goodLines += result.lines
        badLines += result.badLines
        stampedLines += result.edits.count { $0.insertion == .stamp }
        for error in result.errors {
            let text = String(decoding: error.reason.text, as: UTF8.self)
            let kind = ["unable to parse integer", "max key length exceeded", "invalid value", "strconv.ParseInt"]
                .first { text.hasPrefix($0) }
            reasons[kind ?? (text.hasPrefix("time outside range") ? "time outside range" : text), default: 0] += 1
        }
    }
}

/// Two databases on one server: one gets the bodies as they are, the other the scanner's payloads.
private struct Comparison {
    let node: InfluxNode
    let name: String
    let precision: Precision

    private var raw: String { "\(name)_raw" }
    private var scanned: String { "\(name)_scanned" }

    static func now() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1e6) * 1000
    }

    static func scan(_ body: [UInt8], precision: Precision, arrivalTime: Int64) -> ScanResult {
        var scanner = LineScanner(precision: precision, arrivalTime: arrivalTime)
        body.withUnsafeBytes { bytes in
            while scanner.scan(bytes, isFinal: true) != .finished {}
        }
        return scanner.result
    }

    func run(
        _ round: some CustomStringConvertible & Sendable, linesPerRound: Int, linesPerBatch: Int, _ tally: inout Tally
    ) async throws where Self: Sendable {
        for database in [raw, scanned] {
            // One shard for most times: a shard group per week of 580 years would take its time.
            try await node.client.execute(
                "CREATE DATABASE \(database) WITH DURATION INF SHARD DURATION 5200w NAME p")
        }
        var generator = LineProtocolGenerator(
            seed: UInt64(name.utf8.reduce(7) { $0 &* 31 &+ Int($1) }), withTimestamps: precision != .nanoseconds)
        var windows: [(from: Int64, through: Int64)] = []
        for _ in 0..<(linesPerRound / linesPerBatch) {
            var lines = (0..<linesPerBatch).map { _ in generator.line() }
            tally.heldBack += removeHeldBack(&lines)
            if try await agree(lines, &windows, &tally) { continue }
            // A refusal by the storage hides what the parser says, and a disagreement wants to be small.
            for line in lines {
                tally.singleLines += 1
                _ = try await agree([line], &windows, &tally, isSingle: true)
            }
        }
        try await compareStored(windows, "\(round)")
        for database in [raw, scanned] { try await node.client.execute("DROP DATABASE \(database)") }
    }

    /// Takes out the lines that this project refuses and InfluxDB's parser does not.
    ///
    /// And those without timestamp, unless times are nanoseconds: points that all get the same second or hour hide
    /// each other.
    private func removeHeldBack(_ lines: inout [[UInt8]]) -> Int {
        var removed = 0
        while true {
            let result = Self.scan(join(lines), precision: precision, arrivalTime: 0)
            let heldBack = result.errors.filter {
                switch $0.reason {
                case .unstorableValue, .endsOnlyWithBody: true
                default: false
                }
            }
            let stamps = precision == .nanoseconds ? [] : result.edits.filter { $0.insertion == .stamp }
            if heldBack.isEmpty && stamps.isEmpty { return removed }
            // A line may have become what it is by running into the next one.
            var start = 0
            lines = lines.filter { line in
                let range = start..<(start + line.count + 1)
                start += line.count + 1
                let isHeldBack = heldBack.contains { $0.range.overlaps(range) }
                if isHeldBack { removed += 1 }
                return !isHeldBack && !stamps.contains { range.contains($0.offset) }
            }
        }
    }

    private func join(_ lines: [[UInt8]]) -> [UInt8] {
        Array(lines.joined(separator: [0x0A]))
    }

    /// Writes lines both ways; false if the batch must be looked at line by line.
    private func agree(
        _ lines: [[UInt8]], _ windows: inout [(from: Int64, through: Int64)], _ tally: inout Tally,
        isSingle: Bool = false
    ) async throws -> Bool {
        let body = join(lines)
        let arrival = Self.now()
        let result = Self.scan(
            body, precision: precision, arrivalTime: precision.truncate(nanosecondsSinceEpoch: arrival))
        var payload = [UInt8](repeating: 0, count: result.payloadLength)
        let written = payload.withUnsafeMutableBytes { payload in
            body.withUnsafeBytes { result.writePayload(of: $0, into: payload) }
        }
        #expect(written == payload.count)

        let fromRaw = try await write(body, to: raw)
        windows.append((arrival, Self.now()))
        let fromScanned = result.lines == 0 ? nil : try await write(payload, to: scanned)
        let expected = (status: result.badLines == 0 ? 204 : 400, error: result.failureMessage)
        let isAgreed =
            fromRaw.status == expected.status && (fromRaw.error ?? "") == expected.error
            && (fromScanned?.status ?? 204) == 204
        if isAgreed {
            tally.count(result)
            return true
        }
        guard isSingle else { return false }
        tally.count(result)
        // The storage refuses a good line, both times in the same words. (That hides what the parser says of others; a
        // "line" can have become several.)
        let isRefusedByStorage =
            fromScanned?.status == fromRaw.status && fromScanned?.error == fromRaw.error
            && fromRaw.error?.contains("unable to parse '") == false
        #expect(
            isRefusedByStorage,
            """
            line: \(String(reflecting: String(decoding: body.prefix(2000), as: UTF8.self)))
            raw: \(fromRaw)
            scanned: \(fromScanned.map(\.description) ?? "nothing to write")
            expected: \(expected)
            """)
        return true
    }

    private func write(_ body: [UInt8], to database: String) async throws -> Reply {
        try await node.client.sendRaw(
            .post, "/write?db=\(database)&precision=\(precision.parameter)", body: body)
    }

    private func compareStored(_ windows: [(from: Int64, through: Int64)], _ round: String) async throws {
        // Measurements with hundreds of tags are asked for by themselves: each series lists the tags of all.
        let queries = [
            "SHOW SERIES", "SHOW FIELD KEYS", "SELECT * FROM /^([^m]|m$|m[^a])/ GROUP BY *",
            "SELECT * FROM /^many/ GROUP BY *",
        ]
        for query in queries {
            let fromRaw = try await node.client.query(query, db: raw)
            let fromScanned = try await node.client.query(query, db: scanned)
            #expect(fromRaw.status == 200)
            let expected = rows(normalized(fromRaw.body, windows))
            let stored = rows(normalized(fromScanned.body, windows))
            guard expected != stored else { continue }
            let onlyRaw = Set(expected).subtracting(stored).map { $0.suffix(600) }
            let onlyScanned = Set(stored).subtracting(expected).map { $0.suffix(600) }
            Issue.record(
                """
                \(round): \(query): \(onlyRaw.count) rows only in raw, \(onlyScanned.count) only in scanned
                raw: \(onlyRaw.first ?? "")
                scanned: \(onlyScanned.first ?? "")
                """)
        }
    }

    /// Replaces the times that InfluxDB gave to points by the arrival times of their requests.
    private func normalized(_ body: [UInt8], _ windows: [(from: Int64, through: Int64)]) -> [UInt8] {
        guard precision == .nanoseconds, let first = windows.first else { return body }
        let width = String(first.from).utf8.count
        var output: [UInt8] = []
        var i = 0
        while i < body.count {
            output.append(body[i])
            i += 1
            guard body[i - 1] == UInt8(ascii: "["), i + width < body.count, body[i + width] == UInt8(ascii: ","),
                let time = Int64(String(decoding: body[i..<(i + width)], as: UTF8.self)),
                let window = windows.last(where: { $0.from <= time }), time <= window.through
            else { continue }
            output += Array(String(window.from).utf8)
            i += width
        }
        return output
    }

    /// The rows of an answer, each with its series, sorted: `m=n` and `m\=n` are two series of one name, and the
    /// server mixes their rows at random.
    private func rows(_ body: [UInt8]) -> [String] {
        String(decoding: body, as: UTF8.self).components(separatedBy: "{\"name\":").flatMap { series in
            let parts = series.components(separatedBy: "[[")
            guard parts.count == 2 else { return [series] }
            return parts[1].components(separatedBy: "],[").map { "\(parts[0]) \($0.trimmed)" }
        }.sorted()
    }
}

extension String {
    /// Without the brackets and commas that end the last row of a series.
    fileprivate var trimmed: String {
        var text = self[...]
        while let last = text.last, "[]{},\n".contains(last) { text = text.dropLast() }
        return String(text)
    }
}
