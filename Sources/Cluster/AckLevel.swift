// What an acknowledgement means (DESIGN: "Write path", 5): every level but `any` waits for all in-sync nodes of the
// replica set; the level is only a minimum count on top.

package enum AckLevel: String, CaseIterable, Sendable {
    /// Durable in the commit log; no read-your-writes.
    case any
    /// Applied by every in-sync node.
    case insync
    /// As `insync`, and by at least one node.
    case one
    /// As `insync`, and by a majority of the configured nodes of the set.
    case quorum
    /// As `insync`, and by every configured node of the set.
    case all

    /// How many of a set's `configured` nodes must have applied a record at the least.
    package func minimumNodes(ofConfigured configured: Int) -> Int {
        switch self {
        case .any, .insync: 0
        case .one: 1
        case .quorum: configured / 2 + 1
        case .all: configured
        }
    }

    /// `any` < `insync` < `one` < `quorum` < `all`.
    package var rank: Int {
        switch self {
        case .any: 0
        case .insync: 1
        case .one: 2
        case .quorum: 3
        case .all: 4
        }
    }
}

/// What a client's `consistency=` may do to the configured level.
package enum ConsistencyParameter: String, CaseIterable, Sendable {
    /// It can ask for more, never for less: some clients send `one` unasked.
    case raise
    case honour
    case ignore

    /// The level of a request. `requested` nil: the client sent none.
    package func level(requested: AckLevel?, configured: AckLevel) -> AckLevel {
        guard let requested else { return configured }
        switch self {
        case .ignore: return configured
        case .honour: return requested
        case .raise: return requested.rank > configured.rank ? requested : configured
        }
    }
}
