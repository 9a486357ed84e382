// The root of all end-to-end tests. They run one after the other: each starts real InfluxDB servers and measures
// behaviour over time, which would mean little with neighbours on the same cores.

import Foundation
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(30)))
enum EndToEnd {
    /// `SLUICE_LONG=1`: the full number and length of outages that the project promises; by default fewer and shorter.
    static let isLong = ProcessInfo.processInfo.environment["SLUICE_LONG"] == "1"

    /// `sync_timeout` as it is by default.
    static let syncTimeout: Duration = .seconds(2)

    /// What a loaded machine may add to a time that the gateway bounds.
    static let slack: Duration = .milliseconds(1500)
}

/// The answers of two servers to the same request, held against each other: what a client of InfluxDB can see.
func requireSameAnswer(_ mine: Reply, _ oracle: Reply, _ what: String) throws {
    func visible(_ reply: Reply) -> [String] {
        let allow = reply.header("Allow").map { $0.split(separator: ",").map { $0.filter { $0 != " " } }.sorted() }
        return [
            "status \(reply.status)",
            "Content-Type \(reply.header("Content-Type") ?? "-")",
            "X-Influxdb-Error \(reply.header("X-Influxdb-Error") ?? "-")",
            "Content-Encoding \(reply.header("Content-Encoding") ?? "-")",
            "Allow \(allow ?? [])",
            "body \(reply.text)",
        ]
    }
    for (mine, oracle) in zip(visible(mine), visible(oracle)) where mine != oracle {
        throw TestFailure("\(what)\n  gateway:  \(mine.prefix(1500))\n  influxdb: \(oracle.prefix(1500))")
    }
    if mine.body != oracle.body { throw TestFailure("\(what): the bodies differ in bytes that are no text") }
}

/// Does the same several times and says how often it went wrong, and how: what happens by race fails at a rate.
func repeated(
    _ runs: Int, isolation: isolated (any Actor)? = #isolation, _ body: (Int) async throws -> Void
) async throws {
    var wrong: [String] = []
    for run in 0..<runs {
        do { try await body(run) } catch { wrong.append("run \(run): \(error)") }
    }
    if !wrong.isEmpty {
        throw TestFailure("\(wrong.count) of \(runs) runs went wrong\n\(wrong.joined(separator: "\n"))")
    }
}

/// Collects what went wrong in a long table, so that one run shows all of it.
struct Complaints {
    private var all: [String] = []

    mutating func check(_ body: () async throws -> Void) async {
        do { try await body() } catch { all.append("\(error)") }
    }

    func requireNone() throws {
        if !all.isEmpty { throw TestFailure(all.joined(separator: "\n")) }
    }
}

extension TestCluster {
    /// Until the catalogue has the database: then CREATE DATABASE writes no record.
    func waitUntilKnown(_ db: String) async throws {
        try await eventually("the catalogue has \(db)") {
            let end = try await gateway.status().log.durableEnd
            try await client.execute("CREATE DATABASE \(quoted(db))")
            return try await gateway.status().log.durableEnd == end
        }
    }
}
