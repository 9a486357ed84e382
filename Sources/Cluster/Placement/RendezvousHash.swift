// Highest random weight: each node draws a number for a measurement, and those with the highest hold it. When a node comes
// or goes only what it receives or held moves. Weights as of Schindelhauer and Schomaker: -w / ln u is largest with
// probability w / sum of all w.

import Glibc

struct RendezvousHash: Equatable, Sendable {
    private struct Node: Equatable {
        let seed: UInt64
        let weight: Double
        /// Of nodes without one: each is a zone of its own.
        let zone: Int
    }

    private let nodes: [Node]

    init(_ members: [Placement.Member]) {
        var zones: [String: Int] = [:]
        nodes = members.enumerated().map { index, member in
            let zone = member.zone.isEmpty ? -1 - index : zones[member.zone, default: zones.count]
            if !member.zone.isEmpty { zones[member.zone] = zone }
            return Node(seed: Self.digest(member.name.utf8, Self.basis), weight: member.weight, zone: zone)
        }
    }

    /// The nodes with the highest numbers, no two of one zone while there is another zone.
    func nodes(_ replicas: Int, of candidates: NodeSet, database: String, measurement: String) -> NodeSet {
        // Names of databases hold no zero byte, so that no two pairs are one.
        let key = Self.digest(measurement.utf8, Self.digest(CollectionOfOne(0), Self.digest(database.utf8, Self.basis)))
        var rest = candidates.map { (node: $0, number: number($0, key)) }
        rest.sort { ($0.number, $1.node) > ($1.number, $0.node) }
        var chosen = NodeSet()
        while chosen.count < min(replicas, candidates.count) {
            var zones = Set<Int>()
            for (node, _) in rest where chosen.count < replicas && !chosen.contains(node) {
                if zones.insert(nodes[Int(node.value)].zone).inserted { chosen.insert(node) }
            }
        }
        return chosen
    }

    /// All sets that can come out. There may be very many: see `combinationCount`.
    func combinations(_ replicas: Int, of candidates: NodeSet) -> [NodeSet] {
        let (zones, rounds, further) = shape(replicas, of: candidates)
        var found: [NodeSet] = []
        func extend(_ set: NodeSet, zone: Int, further: Int) {
            guard zone < zones.count else {
                if further == 0 { found.append(set) }
                return
            }
            let nodes = zones[zone]
            for subset in Self.subsets(of: nodes, size: min(rounds, nodes.count)) {
                extend(NodeSet(bits: set.bits | subset.bits), zone: zone + 1, further: further)
            }
            guard further > 0, nodes.count > rounds else { return }
            for subset in Self.subsets(of: nodes, size: rounds + 1) {
                extend(NodeSet(bits: set.bits | subset.bits), zone: zone + 1, further: further - 1)
            }
        }
        extend(NodeSet(), zone: 0, further: further)
        return found
    }

    /// How many sets can come out; exact up to 10^15, which stands for all above it.
    func combinationCount(_ replicas: Int, of candidates: NodeSet) -> Int {
        let (zones, rounds, further) = shape(replicas, of: candidates)
        // By how many zones give one node more than there are rounds.
        var ways = [1.0] + Array(repeating: 0, count: further)
        for nodes in zones {
            let usual = Self.choose(min(rounds, nodes.count), of: nodes.count)
            let more = nodes.count > rounds ? Self.choose(rounds + 1, of: nodes.count) : 0
            for count in ways.indices.reversed() {
                ways[count] = ways[count] * usual + (count > 0 ? ways[count - 1] * more : 0)
            }
        }
        return Int(min(ways[further], 1e15))
    }

    /// Each zone gives one node a round while it has some: so many whole rounds, and then so many zones one more.
    private func shape(_ replicas: Int, of candidates: NodeSet) -> (zones: [[NodeIndex]], rounds: Int, further: Int) {
        let zones = Dictionary(grouping: candidates) { nodes[Int($0.value)].zone }.sorted { $0.key < $1.key }
            .map(\.value)
        let size = min(replicas, candidates.count)
        let taken = { (rounds: Int) in zones.reduce(0) { $0 + min(rounds, $1.count) } }
        var rounds = 0
        while taken(rounds) < size, taken(rounds + 1) <= size { rounds += 1 }
        return (zones, rounds, size - taken(rounds))
    }

    private static func subsets(of nodes: [NodeIndex], size: Int) -> [NodeSet] {
        guard size > 0 else { return [NodeSet()] }
        guard size <= nodes.count else { return [] }
        return nodes.indices.flatMap { first in
            subsets(of: Array(nodes[(first + 1)...]), size: size - 1).map { rest in
                var set = rest
                set.insert(nodes[first])
                return set
            }
        }
    }

    private static func choose(_ size: Int, of count: Int) -> Double {
        (0..<size).reduce(1) { ($0 * Double(count - $1) / Double($1 + 1)).rounded() }
    }

    private func number(_ node: NodeIndex, _ key: UInt64) -> Double {
        let node = nodes[Int(node.value)]
        // In the open interval from 0 to 1.
        let u = (Double(Self.mixed(key ^ node.seed) >> 11) + 0.5) * 0x1p-53
        return -node.weight / log(u)
    }

    // MARK: Hashes that never change: where data lies follows from them

    private static let basis: UInt64 = 0xcbf2_9ce4_8422_2325

    /// FNV-1a.
    private static func digest(_ bytes: some Sequence<UInt8>, _ basis: UInt64) -> UInt64 {
        bytes.reduce(basis) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    /// The finalizer of SplitMix64: each bit of what goes in changes half of what comes out.
    private static func mixed(_ value: UInt64) -> UInt64 {
        var value = value &+ 0x9e37_79b9_7f4a_7c15
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
