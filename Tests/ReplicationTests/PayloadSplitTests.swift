// Points of one request that belong to several replica sets.

import Cluster
import Replication
import TestThreads
import Testing

private func nodes(_ indices: Int...) -> NodeSet { NodeSet(indices.map { NodeIndex($0) }) }

private let members = ["a", "b", "c"].map { Placement.Member(name: $0) }

private let rules = PlacementRules(
    measurements: [
        "cpu": .nodes(nodes(0)), "mem": .nodes(nodes(1, 2)), "two words": .nodes(nodes(0)),
        "new\nline": .nodes(nodes(1, 2)),
    ], patterns: [.init(NamePattern("disk*"), .nodes(nodes(0)))])

extension PlacementCache {
    fileprivate mutating func key(_ database: String) -> Key {
        guard case .byMeasurement(let key) = route(database) else { preconditionFailure("\(database) is whole") }
        return key
    }
}

private func split(_ payload: String, rules: PlacementRules = rules) -> (parts: [(NodeSet, Int, String)], PayloadSplit)
{
    var cache = PlacementCache(Placement(members: members, rules: rules))
    let bytes = Array(payload.utf8)
    let key = cache.key("d")
    let split = bytes.withUnsafeBytes { PayloadSplit($0, database: "d", key, cache: &cache) }
    let parts = split.parts.map { part in
        var out = [UInt8](repeating: 0, count: part.bytes)
        bytes.withUnsafeBytes { payload in out.withUnsafeMutableBytes { part.write(payload, into: $0) } }
        return (part.nodes, part.lines, String(decoding: out, as: UTF8.self))
    }
    return (parts, split)
}

@Suite("Points are split by replica set", .blocking)
struct PayloadSplitTests {
    @Test("lines go to the set that places their measurement, in their order")
    func order() {
        let (parts, whole) = split("cpu v=1 1\ncpu,h=x v=2 2\nmem v=1 1\ncpu v=3 3\ndiskio v=1 1\nmem v=2 2\n")
        #expect(parts.map(\.0) == [nodes(0), nodes(1, 2)])
        #expect(parts.map(\.1) == [4, 2])
        #expect(parts.map(\.2) == ["cpu v=1 1\ncpu,h=x v=2 2\ncpu v=3 3\ndiskio v=1 1\n", "mem v=1 1\nmem v=2 2\n"])
        #expect(whole.unplaced == nil)
    }

    @Test(
        "names are those that queries know: escapes, quotes and newlines in them, and never a prefix",
        arguments: [
            ("two\\ words v=1 1\n", nodes(0), 1), ("cpu v=\"a\nmem v=1\" 1\n", nodes(0), 1),
            ("cpu,h=a\\\nb v=1 1\n", nodes(0), 1),
        ])
    func names(_ payload: String, _ expected: NodeSet, _ lines: Int) {
        let (parts, whole) = split(payload)
        #expect(parts.count == 1 && parts.first?.0 == expected && parts.first?.1 == lines, "\(parts)")
        #expect(parts.first?.2 == payload && whole.unplaced == nil)
    }

    @Test("L11 lines that no rule places are counted and named, and the others go on")
    func unplaced() {
        let (parts, whole) = split("cpu.load v=1 1\ncpu v=1 1\ncpux v=1 1\ncpu v=2 2\ncpu.load v=1 1\n")
        #expect(whole.unplaced?.lines == 3 && whole.unplaced?.measurement == "cpu.load")
        #expect(parts.map(\.2) == ["cpu v=1 1\ncpu v=2 2\n"])
        let nothing = split("x v=1 1\n")
        #expect(nothing.parts.isEmpty && nothing.1.unplaced?.lines == 1)
    }

    @Test("a database whose rules leave one replica set is not looked into")
    func whole() {
        var placement = Placement(
            members: members, rules: PlacementRules(fallback: .nodes(nodes(1))),
            databases: ["own": PlacementRules(measurements: ["cpu": .all])])
        var cache = PlacementCache(placement)
        #expect(cache.route("d") == .whole(nodes(1)))
        #expect(cache.route("own") == .byMeasurement(cache.key("own")))
        placement = Placement(members: members, rules: rules)
        cache = PlacementCache(placement)
        #expect(cache.route("d") == .byMeasurement(cache.key("d")), "some is not placed")
    }

    @Test("databases have places of their own, also those that Swift takes for one another")
    func databases() {
        let two = ["d", "caf\u{e9}", "cafe\u{301}"]
        var cache = PlacementCache(
            Placement(
                members: members, rules: PlacementRules(measurements: ["cpu": .nodes(nodes(0))]),
                databases: [two[1]: PlacementRules(measurements: ["cpu": .nodes(nodes(1))])]))
        let keys = two.map { cache.key($0) }
        let fallback = PlacementRules(fallback: .nodes(nodes(2)))
        var whole = PlacementCache(Placement(members: members, rules: rules, databases: [two[1]: fallback]))
        let routes = [whole.route(two[1]), whole.route(two[2])]
        #expect(routes == [.whole(nodes(2)), .byMeasurement(whole.key(two[2]))])
        for _ in 0..<2 {
            for (database, (key, expected)) in zip(two, zip(keys, [nodes(0), nodes(1), nodes(0)])) {
                let place = Array("cpu".utf8).withUnsafeBytes { cache.nodes(database, key, $0) }
                #expect(place == expected, "\(Array(database.utf8))")
            }
        }
    }
}

@Suite("What several replica sets say is told as one InfluxDB would say it", .blocking)
struct SplitVerdictTests {
    private static func refused(_ status: Int, _ words: String) -> AckOutcome {
        .acknowledged(Refusal(status: status, message: words))
    }

    @Test(
        "verdicts of parts become one",
        arguments: [
            ([.acknowledged(nil), .acknowledged(nil)], .acknowledged(nil)),
            ([.acknowledged(nil), .timedOut], .timedOut),
            ([.noInSyncNode, .acknowledged(nil)], .noInSyncNode),
            ([refused(400, "partial write: x dropped=2"), .timedOut], .timedOut),
            (
                [.acknowledged(nil), refused(400, "partial write: x dropped=2")],
                refused(400, "partial write: x dropped=2")
            ),
            (
                [refused(400, "partial write: x dropped=2"), refused(400, "partial write: y dropped=3")],
                refused(400, "partial write: x dropped=5")
            ),
            (
                [refused(400, "partial write: x dropped=2"), refused(404, "database not found: \"d\"")],
                refused(404, "database not found: \"d\"")
            ),
        ] as [([AckOutcome], AckOutcome)])
    func combined(_ parts: [AckOutcome], _ expected: AckOutcome) {
        for order in [Array(parts.enumerated()), Array(parts.enumerated()).reversed()] {
            var verdict = SplitVerdict()
            verdict.awaited = parts.count
            for (part, outcome) in order { verdict.add(outcome, of: part) }
            #expect(verdict.awaited == 0 && verdict.outcome == expected)
        }
    }

    @Test("L11 lines that no rule places are a partial write, after what nodes say")
    func unplaced() {
        var verdict = SplitVerdict()
        verdict.addUnplaced(lines: 2, measurement: "disk")
        #expect(
            verdict.outcome == Self.refused(400, "partial write: no placement rule for measurement \"disk\" dropped=2"))
        verdict.add(Self.refused(400, "partial write: field type conflict dropped=1"), of: 0)
        #expect(verdict.outcome == Self.refused(400, "partial write: field type conflict dropped=3"))
    }
}

@Suite("Numbers of replica sets outlive restarts", .blocking)
struct ReplicaSetNumbersTests {
    @Test("a number means the same nodes in any order of the configuration, and what went is left out")
    func renamed() throws {
        var table = ReplicaSetNumbers()
        for set in [["a", "b"], ["c"], ["b", "a"]] {
            let isAdded = table.add(set)
            #expect(isAdded)
        }
        let read = try #require(ReplicaSetNumbers(decoding: table.encoded))
        #expect(read == table)
        #expect(read.sets(of: ["a", "b", "c"]) == [nodes(0, 1), nodes(2)])
        #expect(read.sets(of: ["c", "x", "b"]) == [nodes(2), nodes(0)])
        table = read
        _ = table.add(["x", "a"])
        #expect(table.sets(of: ["a", "x"]) == [nodes(0), nodes(), nodes(0, 1)])
    }

    @Test("bytes that are no table are not taken for one", arguments: ["a b\n0 2", "a b\nx", ""])
    func damaged(_ text: String) {
        #expect(ReplicaSetNumbers(decoding: Array(text.utf8)) == (text.isEmpty ? ReplicaSetNumbers() : nil))
    }
}
