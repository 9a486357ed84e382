// Which nodes: small integers and bit sets, so that the question "who has this?" costs one instruction.

/// A node's position in the configuration; stable for the life of the process.
package struct NodeIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: UInt8

    package init(_ value: Int) {
        precondition(value >= 0 && value < NodeSet.capacity, "a node index lies in 0..<\(NodeSet.capacity)")
        self.value = UInt8(value)
    }

    package var description: String { "#\(value)" }
    package static func < (a: NodeIndex, b: NodeIndex) -> Bool { a.value < b.value }
}

/// A set of nodes.
package struct NodeSet: Hashable, Sendable, CustomStringConvertible {
    /// The most nodes one gateway looks after.
    package static let capacity = 64

    package private(set) var bits: UInt64

    package init(bits: UInt64 = 0) { self.bits = bits }

    package init(_ nodes: some Sequence<NodeIndex>) {
        bits = nodes.reduce(0) { $0 | (1 << UInt64($1.value)) }
    }

    /// The first `count` nodes of the configuration.
    package static func first(_ count: Int) -> NodeSet {
        precondition(count >= 0 && count <= capacity)
        return NodeSet(bits: count == capacity ? .max : (1 << UInt64(count)) - 1)
    }

    package var isEmpty: Bool { bits == 0 }
    package var count: Int { bits.nonzeroBitCount }

    package func contains(_ node: NodeIndex) -> Bool { bits & (1 << UInt64(node.value)) != 0 }
    package mutating func insert(_ node: NodeIndex) { bits |= 1 << UInt64(node.value) }
    package mutating func remove(_ node: NodeIndex) { bits &= ~(1 << UInt64(node.value)) }
    package func isSubset(of other: NodeSet) -> Bool { bits & ~other.bits == 0 }
    package func isDisjoint(with other: NodeSet) -> Bool { bits & other.bits == 0 }
    package func intersection(_ other: NodeSet) -> NodeSet { NodeSet(bits: bits & other.bits) }
    package func union(_ other: NodeSet) -> NodeSet { NodeSet(bits: bits | other.bits) }
    package func subtracting(_ other: NodeSet) -> NodeSet { NodeSet(bits: bits & ~other.bits) }

    /// All nodes there are, and those that may come.
    package static let everybody = NodeSet(bits: .max)

    package var description: String { "{" + map { "\($0.value)" }.joined(separator: ",") + "}" }
}

extension NodeSet: Sequence {
    package struct Iterator: IteratorProtocol {
        var rest: UInt64

        package mutating func next() -> NodeIndex? {
            guard rest != 0 else { return nil }
            let lowest = rest.trailingZeroBitCount
            rest &= rest - 1
            return NodeIndex(lowest)
        }
    }

    package func makeIterator() -> Iterator { Iterator(rest: bits) }
}
