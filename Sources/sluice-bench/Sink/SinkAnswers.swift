// What a sink says: enough of InfluxDB for a gateway that asks what its node holds, and one fixed answer to each SELECT.

import Foundation

struct SinkAnswers {
    private let database: String
    /// As InfluxDB says when it was started.
    private let started = Self.timestamp()
    private let selected: SinkAnswer
    /// What a gateway wrote last to know the node again; nil: nothing.
    private var marker: Marker?

    private static let headers =
        "Content-Type: application/json\r\nX-Influxdb-Build: OSS\r\nX-Influxdb-Version: 1.8.10\r\n"
    private static let noContent = SinkAnswer(head: Array("HTTP/1.1 204 No Content\r\n\(headers)\r\n".utf8))

    /// - Parameter selected: bytes of the answer to a SELECT, about.
    init(database: String, selected: Int) {
        self.database = database
        self.selected = Self.rows(bytes: selected)
    }

    mutating func answer(_ request: SinkRequest) -> SinkAnswer {
        if request.isMarker { marker = Marker(line: request.text) ?? marker }
        if request.target.hasPrefix("/write") || request.target.hasPrefix("/ping") { return Self.noContent }
        if request.target.hasPrefix("/debug/vars") {
            return Self.ok(
                "{\"system\":{\"started\":\"\(started)\"},"
                    + "\"httpd\":{\"name\":\"httpd\",\"tags\":{},\"values\":{\"writeReqActive\":0}}}")
        }
        return query((request.target + request.text).uppercased())
    }

    func json(_ value: some Encodable) -> SinkAnswer {
        Self.ok((try? JSONEncoder().encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? "{}")
    }

    private func query(_ question: String) -> SinkAnswer {
        if question.contains("SELECT"), !question.contains("_SLUICE") { return selected }
        let series: String
        if question.contains("SELECT"), let marker { return Self.ok(Self.result(marker.series)) }
        if question.contains("DIAGNOSTICS") {
            let columns = "[\"PID\",\"currentTime\",\"started\"]"
            series =
                "{\"name\":\"system\",\"columns\":\(columns),"
                + "\"values\":[[\(getpid()),\"\(Self.timestamp())\",\"\(started)\"]]}"
        } else if question.contains("DATABASES") {
            series = "{\"name\":\"databases\",\"columns\":[\"name\"],\"values\":[[\"\(database)\"]]}"
        } else if question.contains("POLICIES") {
            let columns = "[\"name\",\"duration\",\"shardGroupDuration\",\"replicaN\",\"default\"]"
            series = "{\"columns\":\(columns),\"values\":[[\"autogen\",\"0s\",\"168h0m0s\",1,true]]}"
        } else {
            return Self.ok("{\"results\":[{\"statement_id\":0}]}\n")
        }
        return Self.ok(Self.result(series))
    }

    private static func result(_ series: String) -> String {
        "{\"results\":[{\"statement_id\":0,\"series\":[\(series)]}]}\n"
    }

    /// `marker,log=L epoch=1i,cursor=2i,node="a" 0`
    private struct Marker {
        let series: String

        init?(line: String) {
            guard let match = line.firstMatch(of: /log=(\S+) epoch=(\d+)i,cursor=(\d+)i,node=("[^"]*")/) else {
                return nil
            }
            series =
                "{\"name\":\"marker\",\"tags\":{\"log\":\"\(match.1)\"},"
                + "\"columns\":[\"time\",\"epoch\",\"cursor\",\"node\"],"
                + "\"values\":[[0,\(match.2),\(match.3),\(match.4)]]}"
        }
    }

    private static func ok(_ body: String) -> SinkAnswer {
        SinkAnswer(head: Array("HTTP/1.1 200 OK\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
    }

    /// A series with as many points as fit; large ones in chunks of 64 KB, as InfluxDB sends them.
    private static func rows(bytes: Int) -> SinkAnswer {
        let begin = #"{"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","mean"],"values":["#
        let row = "[1700000000000,91.2371],"
        let end = "[1700000000000,91.2371]]}]}]}\n"
        let room = max(0, bytes - begin.utf8.count - end.utf8.count)
        let rowsPerBlock = (64 << 10) / row.utf8.count
        let blocks = room / (rowsPerBlock * row.utf8.count)
        guard blocks > 0 else { return ok(begin + String(repeating: row, count: room / row.utf8.count) + end) }
        func chunk(_ text: String) -> String { "\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n" }
        return SinkAnswer(
            head: Array("HTTP/1.1 200 OK\r\n\(headers)Transfer-Encoding: chunked\r\n\r\n\(chunk(begin))".utf8),
            block: Array(chunk(String(repeating: row, count: rowsPerBlock)).utf8), blocks: blocks,
            tail: Array("\(chunk(end))0\r\n\r\n".utf8))
    }

    /// Now, as InfluxDB prints it: `2026-01-02T03:04:05.006Z`.
    private static func timestamp() -> String {
        Date.ISO8601FormatStyle(includingFractionalSeconds: true).format(Date())
    }
}
