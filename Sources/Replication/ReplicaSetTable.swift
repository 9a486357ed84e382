// What the number of a replica set in a record means: a table of node names, kept beside the cursors, so that a record says
// the same after a restart with other nodes in another order. A record gets a number only once that is durable.

import Cluster
import CommitLog
import Logging
import NIOConcurrencyHelpers

/// By number: which of some nodes, as bits; the first 64 bits are those of the first name on.
package struct ReplicaSetNumbers: Equatable, Sendable {
    /// Of all nodes, whichever they are when the record is read.
    package static let all: UInt16 = 0

    /// Nodes in the order in which they were first heard of; none is ever removed.
    private var names: [String] = []
    /// The set with number n stands at n - 1.
    private var sets: [[Int]] = []

    package init() {}

    /// - Returns: nil: the bytes are no table.
    package init?(decoding bytes: [UInt8]) {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard let first = lines.first else { return nil }
        names = first.split(separator: " ").map(String.init)
        for line in lines.dropFirst() where !line.isEmpty {
            let members = line.split(separator: " ").map { Int($0) ?? -1 }
            guard members.allSatisfy(names.indices.contains) else { return nil }
            sets.append(members)
        }
    }

    package var encoded: [UInt8] {
        let lines = [names.joined(separator: " ")] + sets.map { $0.map(String.init).joined(separator: " ") }
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// Gives the set a number if it has none.
    /// - Returns: false: there is no number left.
    package mutating func add(_ members: [String]) -> Bool {
        var places: [Int] = []
        for name in members {
            if let place = names.firstIndex(of: name) {
                places.append(place)
            } else {
                places.append(names.count)
                names.append(name)
            }
        }
        places.sort()
        if sets.contains(places) { return true }
        guard sets.count < UInt16.max else { return false }
        sets.append(places)
        return true
    }

    /// - Parameter nodes: the names of those that are configured.
    /// - Returns: by number minus one, those of each set that are configured.
    package func sets(of nodes: [String]) -> [NodeSet] {
        let places = names.map { nodes.firstIndex(of: $0).map(NodeIndex.init) }
        return sets.map { NodeSet($0.compactMap { places[$0] }) }
    }
}

/// Shared by all loops and the feed.
package final class ReplicaSetTable: Sendable {
    private struct State {
        var numbers: [NodeSet: UInt16]
        var sets: [NodeSet]
        var isDurable: Bool
        var isUnderWay = false
    }

    package static let noteName = "replica-sets"

    private let all: NodeSet
    private let state: NIOLockedValueBox<State>
    private let note: [UInt8]?

    /// - Parameters:
    ///   - names: of the configured nodes, in their order.
    ///   - replicaSets: those that records may be for from now on.
    package init(log: CommitLog, names: [String], replicaSets: Set<NodeSet>, logger: Logger) {
        all = .first(names.count)
        let former = log.note(Self.noteName)
        var table = former.flatMap { ReplicaSetNumbers(decoding: $0) } ?? ReplicaSetNumbers()
        let wanted = replicaSets.subtracting([all]).sorted { $0.bits < $1.bits }
        for set in wanted where !table.add(set.map { names[Int($0.value)] }) {
            logger.error("no number is left for a replica set; writes to it are refused", metadata: ["nodes": "\(set)"])
        }
        let sets = table.sets(of: names)
        var numbers = [all: ReplicaSetNumbers.all]
        // Older ones too: decisions on their records carry their number. Of two that have become the same because a node
        // went, the newer is used.
        for (index, set) in sets.enumerated() where set != all { numbers[set] = UInt16(index + 1) }
        note = wanted.isEmpty && former == nil ? nil : table.encoded
        state = NIOLockedValueBox(State(numbers: numbers, sets: sets, isDurable: note == former))
    }

    /// - Returns: nil: a record must not carry it yet.
    package func number(of nodes: NodeSet) -> UInt16? {
        nodes == all
            ? ReplicaSetNumbers.all : state.withLockedValue { $0.isDurable ? $0.numbers[nodes] : nil }
    }

    /// Whom a record concerns; of configured nodes.
    package func nodes(_ number: UInt16) -> NodeSet {
        guard number != ReplicaSetNumbers.all else { return all }
        return state.withLockedValue { state in
            // A number that nobody gave is that of a damaged ledger: better too many nodes than too few.
            Int(number) <= state.sets.count ? state.sets[Int(number) - 1] : all
        }
    }

    /// All that have a number, those of former configurations too.
    package var numbered: [UInt16: NodeSet] {
        state.withLockedValue { state in
            var sets = [ReplicaSetNumbers.all: all]
            for (index, set) in state.sets.enumerated() { sets[UInt16(index + 1)] = set }
            return sets
        }
    }

    /// Makes the numbers durable; again after a failure, so call it now and then.
    package func keep(in log: CommitLog, logger: Logger) {
        let isDue = state.withLockedValue { state in
            guard !state.isDurable, !state.isUnderWay else { return false }
            state.isUnderWay = true
            return true
        }
        guard isDue else { return }
        do {
            try log.setNote(Self.noteName, note)
        } catch {
            logger.error("the table of replica sets cannot be kept", metadata: ["error": "\(error)"])
            return state.withLockedValue { $0.isUnderWay = false }
        }
        log.checkpoint { [self] result in
            let isDurable = (try? result.get()) != nil
            state.withLockedValue { state in
                state.isUnderWay = false
                state.isDurable = isDurable
            }
        }
    }
}
