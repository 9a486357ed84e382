// Placement rules: which measurement lies where, how evenly, and what moves when nodes come and go.

import Cluster
import Testing

private func members(_ names: String, zones: Int = 0) -> [Placement.Member] {
    names.enumerated().map { index, name in
        Placement.Member(name: String(name), zone: zones == 0 ? "" : "zone\(index % zones)")
    }
}

private func hashed(_ members: [Placement.Member], replicas: Int) -> Placement {
    Placement(
        members: members,
        rules: PlacementRules(fallback: .hash(replicas: replicas, .first(members.count))))
}

/// SplitMix64: the same numbers in every run.
private struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// Names that look like those of real measurements: few letters, much in common.
private let tenThousand = (0..<10_000).map { "sensor_\($0 / 100).value_\($0 % 100)" }

extension Placement {
    fileprivate func names(_ database: String, _ measurement: String) -> [String]? {
        nodes(database: database, measurement: measurement)?.map { members[Int($0.value)].name }
    }
}

@Suite("Placement")
struct PlacementTests {
    private static let rules = Placement(
        members: members("abcd"),
        rules: PlacementRules(
            measurements: ["cpu": .nodes(NodeSet([NodeIndex(0)])), "mem": .all],
            patterns: [
                .init(NamePattern("disk.*"), .nodes(NodeSet([NodeIndex(1)]))),
                .init(NamePattern("disk*"), .nodes(NodeSet([NodeIndex(2)]))),
                .init(NamePattern("net??"), .nodes(NodeSet([NodeIndex(3)]))),
            ]),
        databases: [
            "iot": PlacementRules(
                measurements: ["cpu": .nodes(NodeSet([NodeIndex(2), NodeIndex(3)]))],
                patterns: [.init(NamePattern("*.raw"), .nodes(NodeSet([NodeIndex(3)])))]),
            "closed": PlacementRules(fallback: .nodes(NodeSet([NodeIndex(1)]))),
        ])

    @Test(
        "a database's own rules come before the general ones; names before patterns before the default",
        arguments: [
            ("t", "cpu", ["a"]), ("t", "mem", ["a", "b", "c", "d"]), ("t", "disk.sda", ["b"]), ("t", "disk", ["c"]),
            ("t", "diskette", ["c"]), ("t", "net01", ["d"]), ("t", "net1", nil), ("t", "net001", nil),
            ("t", "cpu.load", nil), ("t", "cp", nil), ("t", "CPU", nil), ("t", "cpu ", nil), ("t", "", nil),
            ("iot", "cpu", ["c", "d"]), ("iot", "disk.raw", ["d"]), ("iot", "disk.sda", ["b"]),
            ("iot", "mem", ["a", "b", "c", "d"]), ("iot", "other", nil),
            ("closed", "cpu", ["b"]), ("closed", "other", ["b"]),
        ] as [(String, String, [String]?)])
    func order(database: String, measurement: String, expected: [String]?) {
        #expect(Self.rules.names(database, measurement) == expected)
    }

    @Test("the rule that places a measurement is known")
    func decision() throws {
        let own = try #require(Self.rules.decision(database: "iot", measurement: "x.raw"))
        #expect(own.rule == .pattern(NamePattern("*.raw")) && own.isDatabasesOwn)
        let general = try #require(Self.rules.decision(database: "iot", measurement: "mem"))
        #expect(general.rule == .measurement && !general.isDatabasesOwn && general.target == .all)
        #expect(Self.rules.decision(database: "closed", measurement: "mem")?.rule == .fallback)
    }

    @Test(
        "patterns: * is any number of characters, ? is one, all else is itself",
        arguments: [
            ("*", "", true), ("*", "anything", true), ("?", "", false), ("?", "é", true), ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false), ("*a", "banana", true), ("**", "x", true), ("a.c", "abc", false),
            ("[ab]", "a", false), ("[ab]", "[ab]", true), ("a?*", "a", false), ("a?*", "ab", true), ("", "", true),
            ("", "a", false), ("*aab", "aaaaaab", true),
        ])
    func patterns(pattern: String, name: String, isMatch: Bool) {
        #expect(NamePattern(pattern).matches(name) == isMatch)
    }

    @Test(
        "a pattern that takes all that a later one could is known as such",
        arguments: [
            ("*", "a*", true), ("disk*", "disk.*", true), ("disk*", "disk", true), ("disk.*", "disk*", false),
            ("a?", "a?", true), ("a?", "a*", false), ("a?", "ab", true), ("a?*", "a*", false), ("a*", "a?*", true),
            ("*b", "a*", false), ("a*", "a*", true), ("*a*", "*ba", true),
        ])
    func covering(first: String, later: String, isCovered: Bool) {
        #expect(NamePattern(first).covers(NamePattern(later)) == isCovered)
    }

    @Test("eight nodes, two replicas: each node holds a quarter of the measurements, give or take 3 %")
    func even() {
        for zones in [0, 4, 2] {
            let placement = hashed(members("abcdefgh", zones: zones), replicas: 2)
            let tally = PlacementTally(of: placement, database: "iot", measurements: tenThousand)
            #expect(tally.copies == 20_000)
            for held in tally.held { #expect((2_200...2_800).contains(held), "\(zones) zones: \(tally.held)") }
        }
    }

    @Test("a ninth node moves only what it receives, and at most a ninth of all copies and 2 % more")
    func ninth() {
        let old = hashed(members("abcdefgh"), replicas: 2)
        let new = hashed(members("abcdefghi"), replicas: 2)
        let moves = PlacementMoves(from: old, to: new, database: "iot", measurements: tenThousand)
        #expect(moves.received.dropLast().allSatisfy { $0 == 0 }, "\(moves.received)")
        #expect(moves.copies == moves.measurements)
        #expect(Double(moves.copies) / 20_000 <= 1.0 / 9 + 0.02, "\(moves.copies)")
        #expect(Double(moves.copies) / 20_000 >= 1.0 / 9 - 0.02, "\(moves.copies)")
        #expect(moves.thinned == 0)
    }

    @Test("a node that comes is the only one that receives, with any zones, weights and replicas")
    func arrivals() {
        var dice = Dice(state: 7)
        for _ in 0..<200 {
            let zones = Int.random(in: 1...4, using: &dice)
            let given = (0..<Int.random(in: 2...8, using: &dice)).map { index in
                Placement.Member(
                    name: "n\(index)",
                    zone: Bool.random(using: &dice) ? "z\(Int.random(in: 1...zones, using: &dice))" : "",
                    weight: Double(Int.random(in: 1...4, using: &dice)) / 2)
            }
            let replicas = Int.random(in: 1...4, using: &dice)
            let moves = PlacementMoves(
                from: hashed(Array(given.dropLast()), replicas: replicas), to: hashed(given, replicas: replicas),
                database: "d", measurements: tenThousand.prefix(200))
            #expect(moves.received.dropLast().allSatisfy { $0 == 0 }, "\(given) \(replicas)")
        }
    }

    @Test("a node that goes moves only what it held")
    func departure() {
        let old = hashed(members("abcdefgh"), replicas: 2)
        let new = hashed(members("abcdefg"), replicas: 2)
        let moves = PlacementMoves(from: old, to: new, database: "iot", measurements: tenThousand)
        #expect(moves.copies == PlacementTally(of: old, database: "iot", measurements: tenThousand).held[7])
    }

    @Test("the order of the nodes in the configuration does not matter")
    func orderOfNodes() {
        for zones in [0, 3] {
            let given = members("abcdefg", zones: zones)
            let one = hashed(given, replicas: 3)
            let other = hashed(Array(given.reversed()), replicas: 3)
            for name in tenThousand.prefix(2_000) {
                #expect(one.names("iot", name) == other.names("iot", name)?.sorted())
            }
        }
    }

    @Test("replicas lie in different zones while there are some, and are as many as wanted in any case")
    func zones() {
        for (count, zones, replicas) in [(6, 3, 3), (6, 3, 2), (6, 2, 3), (7, 3, 5), (4, 1, 3), (5, 2, 5), (3, 3, 9)] {
            let placement = hashed(members(String("abcdefgh".prefix(count)), zones: zones), replicas: replicas)
            for name in tenThousand.prefix(500) {
                let nodes = placement.nodes(database: "d", measurement: name) ?? NodeSet()
                #expect(nodes.count == min(replicas, count))
                let perZone = Dictionary(grouping: nodes) { placement.members[Int($0.value)].zone }
                #expect(perZone.count == min(zones, replicas, count), "\(count) nodes, \(zones) zones: \(nodes)")
            }
        }
    }

    @Test("a node with twice the weight holds twice as much of what is hashed")
    func weights() {
        let given = ["a", "b", "c", "d"].map { Placement.Member(name: $0, weight: $0 == "b" ? 2 : 1) }
        let tally = PlacementTally(of: hashed(given, replicas: 1), database: "iot", measurements: tenThousand)
        for (node, held) in tally.held.enumerated() {
            #expect(abs(held - (node == 1 ? 4_000 : 2_000)) < 200, "\(tally.held)")
        }
    }

    @Test("the replica sets that are said to be possible are exactly those that come out")
    func possible() {
        for (count, zones, replicas) in [
            (4, 0, 2), (6, 3, 2), (6, 3, 3), (5, 2, 3), (7, 3, 5), (4, 1, 2), (3, 0, 1), (3, 2, 3), (5, 2, 4),
        ] {
            let placement = hashed(members(String("abcdefgh".prefix(count)), zones: zones), replicas: replicas)
            let made = Set(tenThousand.prefix(5_000).compactMap { placement.nodes(database: "d", measurement: $0) })
            #expect(placement.replicaSets == made, "\(count) nodes, \(zones) zones, \(replicas) replicas")
            let counted = placement.rules.targets.map(placement.replicaSetCount)
            #expect(counted == [made.count])
        }
    }

    @Test("very many replica sets are counted without being made")
    func counting() {
        let many = (0..<64).map { Placement.Member(name: "n\($0)") }
        let placement = hashed(many, replicas: 3)
        #expect(placement.replicaSetCount(of: .hash(replicas: 3, .first(64))) == 41_664)
        #expect(placement.replicaSetCount(of: .hash(replicas: 32, .first(64))) == 1_000_000_000_000_000)
        #expect(placement.replicaSetCount(of: .hash(replicas: 64, .first(64))) == 1)
    }

    /// Where data lies follows from these: when one of them differs, all clusters lose sight of their data.
    static let golden: [(String, String, String)] = [
        ("telegraf", "cpu", "a c"),
        ("telegraf", "cpu.load", "c influx-2.dc2"),
        ("telegraf", "mem", "b c"),
        ("telegraf", "disk", "c influx-2.dc2"),
        ("telegraf", "diskio", "a influx-1.dc2"),
        ("telegraf", "net", "b c"),
        ("telegraf", "system", "c influx-1.dc2"),
        ("telegraf", "processes", "b influx-1.dc2"),
        ("telegraf", "swap", "b influx-2.dc2"),
        ("telegraf", "kernel", "c influx-1.dc2"),
        ("iot", "cpu", "c influx-2.dc2"),
        ("iot", "temperature", "b influx-1.dc2"),
        ("iot", "Temperature", "b influx-2.dc2"),
        ("iot", "témpérature", "b c"),
        ("iot", "温度", "b c"),
        ("iot", "a b", "b c"),
        ("", "cpu", "b c"),
        ("i", "ot", "c influx-1.dc2"),
        ("prod/eu", "", "b c"),
        ("_internal", "shard", "a influx-2.dc2"),
    ]

    @Test("the hash never changes", arguments: golden)
    func hash(database: String, measurement: String, expected: String) {
        let given = ["a", "b", "c", "influx-1.dc2", "influx-2.dc2"].map {
            Placement.Member(
                name: $0, zone: $0.hasSuffix("dc2") ? "dc2" : $0 == "c" ? "" : "dc1", weight: $0 == "b" ? 1.5 : 1)
        }
        #expect(hashed(given, replicas: 2).names(database, measurement)?.joined(separator: " ") == expected)
    }

    @Test("two spellings of a letter are two names, as for InfluxDB")
    func spellings() {
        let placement = Placement(
            members: members("a"), rules: PlacementRules(measurements: ["caf\u{e9}": .all]),
            databases: ["caf\u{e9}": PlacementRules(fallback: .all)])
        #expect(placement.names("d", "caf\u{e9}") == ["a"])
        #expect(placement.names("d", "cafe\u{301}") == nil)
        #expect(placement.names("cafe\u{301}", "m") == nil)
    }

    @Test("a tally counts what no rule places")
    func unplaced() {
        let tally = PlacementTally(of: Self.rules, database: "t", measurements: ["cpu", "x", "y"])
        #expect(tally.measurements == 3 && tally.unplaced == 2 && tally.firstUnplaced == "x")
        #expect(tally.held == [1, 0, 0, 0])
    }
}
