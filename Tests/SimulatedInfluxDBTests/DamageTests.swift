// A shard that the server cannot open: the model answers, lists and counts as a real influxd does.

import Foundation
import SimulatedInfluxDB
import TestSupport
import Testing

@Suite(.serialized, .timeLimit(.minutes(3)))
struct DamageTests {
    private static let week: Int64 = 604_800_000_000_000

    @Test(
        "the shard is listed and not open, its data is left out, writes into it fail or make it anew",
        arguments: [true, false])
    func damaged(hasIndex: Bool) async throws {
        var settings = InfluxNode.Settings()
        settings.index = hasIndex ? "tsi1" : "inmem"
        settings.writesOutSoon()
        var modelSettings = InfluxServer.Settings()
        modelSettings.hasTSI = hasIndex
        var pair = try await Pair("a", settings, modelSettings)
        for request in [
            InfluxRequest.query("CREATE DATABASE d"), .write("m v=1 1\nn v=1 1", db: "d"),
            .write("m v=2 \(Self.week)", db: "d"),
        ] {
            try await pair.compare(request)
        }
        try await requireSame(&pair)
        if !hasIndex { try await pair.node.waitUntilWrittenOut(shard: 1, of: "d") }
        try await restart(&pair) { pair in
            try pair.node.damage(hasIndex ? .index : .points, shard: 1, of: "d")
            #expect(pair.model.damageShard(0, hasIndex ? .index : .points) == "shard 1 of d/autogen")
        }
        #expect(pair.model.hasDamage)
        try await requireSame(&pair)
        for time in [2, 3, Self.week + 1] {
            try await pair.compare(.write("m v=3 \(time)", db: "d"))
            try await requireSame(&pair)
        }
        try await restart(&pair) { _ in }
        try await requireSame(&pair)
        #expect(pair.model.hasDamage == hasIndex)
        try await pair.compare(.query("DROP DATABASE d"))
        try await requireSame(&pair)
        try await pair.node.kill()
    }

    @Test("points that were put aside at a start are forgotten at the one after it")
    func twice() async throws {
        var settings = InfluxNode.Settings()
        settings.writesOutSoon()
        var pair = try await Pair("a", settings)
        try await pair.compare(.query("CREATE DATABASE d"))
        try await pair.compare(.write("m v=1 1", db: "d"))
        try await pair.node.waitUntilWrittenOut(shard: 1, of: "d")
        try await restart(&pair) { pair in
            try pair.node.damage(.points, shard: 1, of: "d")
            pair.model.damageShard(0, .points)
        }
        try await requireSame(&pair)
        try await restart(&pair) { _ in }
        #expect(!pair.model.hasDamage)
        try await requireSame(&pair)
        try await pair.node.kill()
    }

    private func restart(_ pair: inout Pair, _ meanwhile: (inout Pair) throws -> Void) async throws {
        try await pair.node.kill()
        pair.model.kill()
        try meanwhile(&pair)
        try await pair.node.start()
        pair.model.start(now: wallClock())
    }

    private func requireSame(_ pair: inout Pair) async throws {
        for text in ["SELECT v FROM m", "SHOW SHARDS"] { try await pair.compare(.query(text, db: "d")) }
        let mine = pair.model.answer(InfluxRequest(method: "GET", path: "/debug/vars"))
        let real = try await pair.node.client.send(.get, "/debug/vars")
        #expect(
            try Pair.unfinished(mine.body).keys.sorted() == Pair.unfinished(real.body).keys.sorted(),
            "the shards that are open")
    }
}
