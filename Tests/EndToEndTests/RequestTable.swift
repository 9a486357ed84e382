// Every kind of request a client may send, good, odd and bad, byte for byte to a real InfluxDB and to the gateway before two
// of them: same status, same headers that matter, same body. What differs is listed with its reason.

import Foundation
import Prometheus
import TestSupport
import Testing

extension EndToEnd {
    @Suite(.serialized)
    struct RequestTable {
        @Test("A7 S5 every request of the table is answered as one InfluxDB answers it", .timeLimit(.minutes(10)))
        func table() async throws {
            var node = InfluxNode.Settings()
            node.extra["http"] = "max-body-size = 200000"
            let gateway = GatewayProcess.Settings(limits: ["body": "200KB"])
            try await TestCluster.run(gateway, node: node) { cluster in
                let oracle = try await InfluxNode.started("oracle", node)
                try await oracle.client.execute("CREATE DATABASE t")
                let rows = TableRow.all
                #expect(rows.count >= 300, "\(rows.count) requests")
                let different = try await Self.compare(rows, cluster.gateway.port, oracle.port)
                print("request table: \(rows.count) requests, \(different) of them answered otherwise, for a reason")
                try await cluster.gateway.waitUntilDrained()
                try await requireSameSchema([oracle, cluster.a, cluster.b])
                for database in ["t", "other"] {
                    try await requireSameData([oracle, cluster.a, cluster.b], db: database)
                }
            }
        }

        @Test("I6 I8 with authentication, every request of the table is let in or refused as by one InfluxDB")
        func withAuthentication() async throws {
            var node = InfluxNode.Settings()
            node.authentication = true
            var gateway = GatewayProcess.Settings()
            gateway.node = "username: root, password: root"
            func prepare(_ node: InfluxNode) async throws {
                try await node.client.execute("CREATE USER root WITH PASSWORD 'root' WITH ALL PRIVILEGES")
            }
            let oracle = try await InfluxNode.started("oracle", node)
            try await prepare(oracle)
            try await TestCluster.run(gateway, node: node, db: nil, prepare: prepare) { cluster in
                for client in [oracle.client, cluster.client] {
                    let root = client.signedIn("root", "root")
                    for statement in [
                        "CREATE DATABASE t", "CREATE USER reader WITH PASSWORD 'reader'",
                        "CREATE USER writer WITH PASSWORD 'writer'", "GRANT READ ON t TO reader",
                        "GRANT WRITE ON t TO writer",
                    ] {
                        try await root.execute(statement)
                    }
                }
                let end = try await cluster.gateway.status().log.durableEnd
                _ = try await Self.compare(TableRow.refusedToStrangers, cluster.gateway.port, oracle.port)
                #expect(try await cluster.gateway.status().log.durableEnd == end, "something refused is in the log")
                _ = try await Self.compare(TableRow.withCredentials, cluster.gateway.port, oracle.port)
            }
        }

        /// - Returns: how many requests are answered otherwise, and may be.
        private static func compare(_ rows: [TableRow], _ gateway: Int, _ oracle: Int) async throws -> Int {
            var complaints = Complaints()
            var different = 0
            for row in rows {
                await complaints.check {
                    let mine = try await row.send(to: gateway)
                    let theirs = try await row.send(to: oracle)
                    let differences = mine.differences(from: theirs)
                    guard let exception = row.exception else {
                        if differences.isEmpty { return }
                        throw TestFailure("\(row)\n" + differences.joined(separator: "\n"))
                    }
                    different += 1
                    if differences.isEmpty { throw TestFailure("\(row): no exception any more: \(exception.reason)") }
                    if mine.replies.last?.status != exception.status {
                        throw TestFailure(
                            "\(row): expected \(exception.status)\n" + differences.joined(separator: "\n"))
                    }
                }
            }
            try complaints.requireNone()
            return different
        }
    }
}

/// What a server sent on one connection until it closed it or fell silent.
struct RawAnswer {
    struct One: Equatable {
        var status: Int
        /// Those that matter, in order, as a client may rely on them.
        var headers: [String]
        var body: [UInt8]
    }

    var replies: [One] = []
    /// What is no complete answer.
    var rest: [UInt8] = []

    init(_ bytes: [UInt8], toHead isHead: Bool) {
        var left = bytes[...]
        while let one = Self.next(&left, isHead) { replies.append(one) }
        rest = Array(left)
    }

    func differences(from other: RawAnswer) -> [String] {
        func lines(_ answer: RawAnswer) -> [String] {
            answer.replies.flatMap { one in
                ["status \(one.status)"] + one.headers + ["body " + String(decoding: one.body, as: UTF8.self)]
            } + ["rest " + String(decoding: answer.rest, as: UTF8.self)]
        }
        let (mine, theirs) = (lines(self), lines(other))
        func shown(_ line: String) -> String {
            String(line.prefix(600)).replacingOccurrences(of: "\u{0}", with: "␀")
        }
        if mine == theirs { return replies == other.replies ? [] : ["  the bodies differ in bytes that are no text"] }
        var result: [String] = []
        for line in mine where !theirs.contains(line) { result.append("  gateway:  \(shown(line))") }
        for line in theirs where !mine.contains(line) { result.append("  influxdb: \(shown(line))") }
        return result.isEmpty ? ["  the same lines in another order: \(mine)"] : result
    }

    private static let compared: Set<String> = [
        "content-type", "x-influxdb-error", "x-influxdb-version", "x-influxdb-build", "www-authenticate",
        "content-encoding", "x-content-type-options", "access-control-allow-origin", "access-control-allow-methods",
        "access-control-allow-headers", "access-control-expose-headers", "vary", "location", "trailer", "retry-after",
    ]

    /// Takes one answer from the front; nil: there is no complete one.
    private static func next(_ bytes: inout ArraySlice<UInt8>, _ isHead: Bool) -> One? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        var headers: [String] = []
        var length: Int?
        var isChunked = false
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon].lowercased()
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            switch name {
            case "content-length": length = Int(value)
            case "transfer-encoding": isChunked = true
            case "allow":
                let methods = value.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                headers.append("allow: " + methods.sorted().joined(separator: ", "))
            case "request-id", "x-request-id":
                // The gateway's own are UUIDs, as InfluxDB's.
                headers.append(name + ": " + (value.count == 36 && value.contains("-11") ? "UUID" : value))
            case _ where compared.contains(name): headers.append("\(name): \(value)")
            default: break
            }
        }
        var rest = bytes[end.upperBound...]
        var body: [UInt8] = []
        if status == 204 || status == 304 || status < 200 || isHead {
        } else if isChunked {
            var isWhole = false
            while let line = rest.firstRange(of: Array("\r\n".utf8)) {
                guard let size = Int(String(decoding: rest[..<line.lowerBound], as: UTF8.self), radix: 16) else {
                    break
                }
                body += rest[line.upperBound...].prefix(size)
                rest = rest[line.upperBound...].dropFirst(size + 2)
                if size == 0 {
                    isWhole = true
                    break
                }
            }
            guard isWhole else { return nil }
        } else if let length {
            guard rest.count >= length else { return nil }
            body = Array(rest.prefix(length))
            rest = rest.dropFirst(length)
        } else {
            body = Array(rest)
            rest = []
        }
        bytes = rest
        return One(status: status, headers: headers.sorted(), body: body)
    }
}
