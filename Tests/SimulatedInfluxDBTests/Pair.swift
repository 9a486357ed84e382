// One request to a real influxd and to the model, and what differs in their answers.

import Foundation
import SimulatedInfluxDB
import TestSupport

func wallClock() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

extension InfluxServer {
    /// The answer to a request that is carried out at once, step by step in order.
    mutating func answer(_ request: InfluxRequest, now: Int64 = wallClock()) -> InfluxAnswer {
        var work = begin(request, now: now)
        finish(&work, now: now)
        return work.answer ?? InfluxAnswer(status: 0)
    }

    mutating func write(_ lines: String, db: String, _ parameters: [(String, String)] = []) -> InfluxAnswer {
        answer(.write(lines, db: db, parameters))
    }

    @discardableResult
    mutating func query(_ text: String, db: String = "", _ parameters: [(String, String)] = []) -> InfluxAnswer {
        answer(.query(text, db: db, parameters))
    }
}

extension InfluxRequest {
    static func write(_ lines: String, db: String, _ parameters: [(String, String)] = []) -> InfluxRequest {
        InfluxRequest(
            method: "POST", path: "/write", parameters: [("db", db)] + parameters, body: Array(lines.utf8))
    }

    static func query(
        _ text: String, db: String = "", _ parameters: [(String, String)] = [], method: String = "POST"
    ) -> InfluxRequest {
        let database = db.isEmpty ? [] : [("db", db)]
        return InfluxRequest(method: method, path: "/query", parameters: [("q", text)] + database + parameters)
    }
}

extension InfluxRequest {
    var description: String {
        "\(method) \(path) \(parameters) \(String(decoding: body, as: UTF8.self))"
    }
}

/// A model and a server with the same past.
struct Pair {
    let node: InfluxNode
    var model: InfluxServer

    init(_ name: String, _ settings: InfluxNode.Settings = .init(), _ model: InfluxServer.Settings = .init())
        async throws
    {
        node = try await InfluxNode.started(name, settings)
        self.model = InfluxServer(settings: model)
        self.model.start(now: wallClock())
    }

    /// Throws when the answers differ in more than what InfluxDB leaves open: the order of rows with one time, and
    /// which of several shards is the first to fail.
    mutating func compare(_ request: InfluxRequest) async throws {
        let real = try await send(request)
        let before = model
        let now = wallClock()
        var work = model.begin(request, now: now)
        let shards = work.steps.count
        model.finish(&work, now: now)
        guard let answer = work.answer else { throw TestFailure("no answer to \(request.description)") }
        if !Self.areAlike(answer, real, to: request) {
            var isAlike = false
            for first in 1..<max(1, shards) {
                var other = before
                isAlike = isAlike || Self.areAlike(other.answer(request, first: first, now: now), real, to: request)
            }
            guard isAlike else {
                throw TestFailure(
                    """
                    \(request.description)
                      node:  \(real) \(real.header("X-Influxdb-Error") ?? "")
                      model: \(answer.status) \(answer.text)
                    """)
            }
        }
        if !model.unknown.isEmpty { throw TestFailure("the model does not know \(model.unknown)") }
        if shards > 1 { try await settle() }
    }

    private func send(_ request: InfluxRequest) async throws -> Reply {
        let parameters = Dictionary(request.parameters, uniquingKeysWith: { first, _ in first })
        if request.path == "/query", request.method == "POST" { return try await node.client.queryForm(parameters) }
        return try await node.client.send(
            request.method == "POST" ? .post : .get, InfluxClient.target(request.path, parameters),
            body: request.method == "POST" ? .bytes(request.body) : .none)
    }

    /// Waits until as many writes have begun and not ended in the node as in the model: in both, some never will.
    private mutating func settle() async throws {
        let expected = try Self.unfinished(model.answer(InfluxRequest(method: "GET", path: "/debug/vars")).body)
        try await eventually("the node has finished its writes") {
            try await Self.unfinished(node.client.send(.get, "/debug/vars").body) == expected
        }
    }

    /// By shard.
    static func unfinished(_ body: [UInt8]) throws -> [String: Int] {
        let json = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] ?? [:]
        var unfinished: [String: Int] = [:]
        for entry in json.values {
            guard let entry = entry as? [String: Any], entry["name"] as? String == "shard",
                let values = entry["values"] as? [String: Int], let tags = entry["tags"] as? [String: String]
            else { continue }
            unfinished[tags["id"] ?? ""] =
                (values["writeReq"] ?? 0) - (values["writeReqOk"] ?? 0) - (values["writeReqErr"] ?? 0)
        }
        return unfinished
    }

    // MARK: Likeness

    static func areAlike(_ model: InfluxAnswer, _ real: Reply, to request: InfluxRequest) -> Bool {
        guard model.status == real.status else { return false }
        for name in ["X-Influxdb-Error", "X-Influxdb-Version", "Content-Type"] {
            if model.headers.first(where: { $0.0 == name })?.1 != real.header(name) { return false }
        }
        if model.body == real.body || normalised(model.body) == normalised(real.body) { return true }
        // An index lists more than there is, as long as the process runs; which series without points it
        // keeps was not found out to the end.
        let question = request.parameter("q")
        if ["SHOW SERIES", "SHOW MEASUREMENTS", "SHOW TAG", "SHOW FIELD"].contains(where: question.hasPrefix) {
            return listed(model.body).isSubset(of: listed(real.body))
        }
        return question.hasPrefix("SELECT")
            && normalised(model.body, withoutEmpty: true) == normalised(real.body, withoutEmpty: true)
    }

    /// Each row with the name of its series.
    private static func listed(_ body: [UInt8]) -> Set<String> {
        let json = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]
        var rows: Set<String> = []
        for result in json?["results"] as? [[String: Any]] ?? [] {
            if let error = result["error"] { rows.insert("\(error)") }
            for series in result["series"] as? [[String: Any]] ?? [] {
                for row in series["values"] as? [[Any]] ?? [] { rows.insert("\(series["name"] ?? "") \(row)") }
            }
        }
        return rows
    }

    /// Line by line, rows with one time sorted; if asked for, without tags and columns that have no value.
    private static func normalised(_ body: [UInt8], withoutEmpty: Bool = false) -> [NSObject] {
        body.split(separator: 10).map { line in
            guard var json = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any],
                let results = json["results"] as? [[String: Any]]
            else { return NSString(string: String(decoding: line, as: UTF8.self)) }
            json["results"] = results.map { result in
                var result = result
                let series = result["series"] as? [[String: Any]]
                result["series"] = series?.map { normalised($0, withoutEmpty: withoutEmpty) }
                return result
            }
            return json as NSDictionary
        }
    }

    private static func normalised(_ series: [String: Any], withoutEmpty: Bool) -> [String: Any] {
        guard var columns = series["columns"] as? [String], columns.first == "time",
            var rows = series["values"] as? [[Any]]
        else { return series }
        var series = series
        if withoutEmpty {
            let tags = (series["tags"] as? [String: String] ?? [:]).filter { !$0.value.isEmpty }
            series["tags"] = tags.isEmpty ? nil : tags
            let full = columns.indices.filter { column in rows.contains { !($0[column] is NSNull) } }
            columns = full.map { columns[$0] }
            rows = rows.map { row in full.map { row[$0] } }
        }
        series["columns"] = columns
        series["values"] = rows.enumerated().sorted { left, right in
            let (mine, theirs) = ("\(left.element[0])", "\(right.element[0])")
            return mine == theirs ? "\(left.element)" < "\(right.element)" : left.offset < right.offset
        }.map(\.element)
        return series
    }
}

extension InfluxServer {
    /// The answer when the `first`th of the shards is the first to end.
    fileprivate mutating func answer(_ request: InfluxRequest, first: Int, now: Int64) -> InfluxAnswer {
        var work = begin(request, now: now)
        let left = work.steps.count
        while work.steps.count == left, first < left { carryOut(work.steps[first], of: &work, now: now) }
        finish(&work, now: now)
        return work.answer ?? InfluxAnswer(status: 0)
    }
}
