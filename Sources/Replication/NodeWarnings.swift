// What an operator should look at in a node's own words of itself, though it works.

package enum NodeWarnings {
    /// - Parameters:
    ///   - others: the other nodes that have shown themselves.
    ///   - clockSkew: nanoseconds by which the node's clock may differ from ours.
    package static func of(
        _ facts: NodeFacts, beside others: [(name: String, facts: NodeFacts)], clockSkew: Int64
    ) -> [String] {
        var warnings: [String] = []
        for other in others where other.facts.version != facts.version {
            warnings.append(
                "it is InfluxDB \(facts.version) and \(other.name) is \(other.facts.version): answers differ in bytes and "
                    + "in what is refused; run one version")
        }
        for other in others {
            guard let index = facts.indexVersion, let another = other.facts.indexVersion, index != another else {
                continue
            }
            warnings.append(
                "its index is \(index) and that of \(other.name) is \(another): SHOW statements differ between them; use "
                    + "one type")
        }
        if let delay = facts.walFsyncDelay, delay > 0 {
            warnings.append(
                "wal-fsync-delay is \(delay / 1_000_000) ms: after a power loss the node lacks writes that it had "
                    + "confirmed; set it to 0s")
        }
        if let offset = facts.clockOffset, let certain = facts.certainSkew, certain > clockSkew {
            warnings.append(
                "its clock is \(offset.magnitude / 1_000_000) ms \(offset > 0 ? "ahead of" : "behind") the gateway's: queries "
                    + "with now() and retention differ between nodes; run an NTP client on both")
        }
        if facts.runsContinuousQueries != false, !facts.continuousQueries.isEmpty {
            let names = facts.continuousQueries.prefix(5).map { "\($0.database).\($0.name)" }.joined(separator: ", ")
            warnings.append(
                "the node runs continuous queries by itself (\(names)): each node computes them from its own data, and "
                    + "misses windows while it is down")
        }
        return warnings
    }
}
