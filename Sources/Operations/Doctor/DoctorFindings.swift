// From what nodes show to what an operator should know: plain functions, one per subject.

import Cluster
import Foundation
import Replication

package enum DoctorFindings {
    package typealias Finding = DoctorReport.Finding

    /// Clocks further apart than this make points look early or late.
    static let largestSkew: Int64 = 200_000_000

    // MARK: Servers

    package static func servers(_ nodes: [(node: String, facts: NodeFacts)]) -> [Finding] {
        twins(nodes) + versions(nodes) + clocks(nodes) + disks(nodes) + continuousQueries(nodes)
    }

    private static func twins(_ nodes: [(node: String, facts: NodeFacts)]) -> [Finding] {
        var findings: [Finding] = []
        for (index, node) in nodes.enumerated() {
            guard let process = node.facts.process else { continue }
            for other in nodes[..<index] where other.facts.process == process {
                findings.append(
                    Finding(
                        .error, "same_server", "\(other.node) and \(node.node) are the same server (\(process))",
                        advice: "correct one of the urls: two names for one server are no redundancy"))
            }
        }
        return findings
    }

    private static func versions(_ nodes: [(node: String, facts: NodeFacts)]) -> [Finding] {
        var findings: [Finding] = []
        func differ(_ kind: String, _ what: String, _ value: (NodeFacts) -> String?, advice: String) {
            let known = nodes.compactMap { node in value(node.facts).map { (node.node, $0) } }
            guard Set(known.map(\.1)).count > 1 else { return }
            let text = known.map { "\($0.0) has \($0.1)" }.joined(separator: ", ")
            findings.append(Finding(.warning, kind, "the nodes differ in their \(what): \(text)", advice: advice))
        }
        differ(
            "version", "version", \.version,
            advice: "answers differ between versions; run the same one on all nodes")
        differ(
            "index", "index type", \.indexVersion,
            advice: "inmem and tsi1 list series differently; convert one with influx_inspect buildtsi")
        return findings
    }

    private static func clocks(_ nodes: [(node: String, facts: NodeFacts)]) -> [Finding] {
        nodes.compactMap { node in
            guard let offset = node.facts.clockOffset, let certain = node.facts.certainSkew, certain > largestSkew
            else { return nil }
            let milliseconds = offset.magnitude / 1_000_000
            return Finding(
                .warning, "clock",
                "the clock of \(node.node) is \(milliseconds) ms \(offset > 0 ? "ahead of" : "behind") this machine's",
                advice: "synchronise the clocks (NTP): now() and retention follow the server's own")
        }
    }

    private static func disks(_ nodes: [(node: String, facts: NodeFacts)]) -> [Finding] {
        nodes.compactMap { node in
            guard let delay = node.facts.walFsyncDelay, delay > 0 else { return nil }
            return Finding(
                .warning, "fsync",
                "\(node.node) has wal-fsync-delay = \(delay / 1_000_000) ms: a power loss takes back what it confirmed in"
                    + " that time",
                advice: "set it to 0s in [data], or accept that such a node may have to be delivered to again")
        }
    }

    private static func continuousQueries(_ nodes: [(node: String, facts: NodeFacts)]) -> [Finding] {
        struct Name: Hashable, Comparable {
            let database: String
            let name: String
            static func < (left: Name, right: Name) -> Bool {
                (left.database, left.name) < (right.database, right.name)
            }
        }
        var runners: [Name: [String]] = [:]
        for node in nodes where node.facts.runsContinuousQueries == true {
            for query in node.facts.continuousQueries {
                runners[Name(database: query.database, name: query.name), default: []].append(node.node)
            }
        }
        return runners.sorted { $0.key < $1.key }.filter { $0.value.count > 1 }.map { name, runners in
            Finding(
                .warning, "continuous_query",
                "the continuous query \(name.name) of database \(name.database) runs on each of"
                    + " \(runners.joined(separator: ", ")), each at its own time and on what it has then",
                advice: "set enabled = false in [continuous_queries] on all nodes but one")
        }
    }

    // MARK: Markers

    package static func markers(_ nodes: [(node: String, markers: [Marker])]) -> [Finding] {
        let logs = Set(nodes.flatMap { $0.markers.map(\.logID) })
        var findings = nodes.flatMap { node, markers in
            markers.map { marker in
                Finding(
                    .note, "marker",
                    "\(node) is a node of a Sluice gateway: log \(marker.logID), known there as \(marker.node), at record"
                        + " \(marker.cursor)",
                    advice: "nothing to do if that is the gateway you have")
            }
        }
        if logs.count > 1 {
            findings.append(
                Finding(
                    .warning, "gateways", "\(logs.count) gateways with logs of their own write or wrote to these nodes",
                    advice: "use one; two are safe only for distinct points without deletes and schema changes"))
        }
        return findings
    }

    // MARK: What nodes hold

    /// All that differs but the number of points, and what could not be compared.
    static func schema(_ comparison: InventoryComparison) -> [Finding] {
        let differences: [Finding] = comparison.differences.compactMap { difference in
            switch difference.subject {
            case .points, .measurement: nil
            case .fieldType:
                Finding(
                    .error, "field_type", "\(difference)",
                    advice: "each refuses what the other takes; copy the measurement anew to the one that is wrong")
            case .database, .policy, .continuousQuery, .subscription, .user:
                Finding(
                    .error, "schema", "\(difference)", advice: "create, alter or drop it where it is wrong")
            }
        }
        return differences
            + comparison.gaps.map {
                Finding(
                    .warning, "not_compared", $0,
                    advice: "nothing is known about it: allow more time (--seconds), or use an admin's credentials")
            }
    }

    /// Nil: when looked at again the nodes had become equal.
    static func points(
        _ source: Inventory.Source, _ found: DifferenceSearch.Outcome, _ comparison: InventoryComparison,
        _ nodes: [String]
    ) -> Finding? {
        switch found {
        case .equalNow: return nil
        case .differs(let range, let points):
            let sides = zip(nodes, points).map { "\($0) has \($1)" }.joined(separator: ", ")
            return Finding(
                .error, "points",
                "\(source): between \(DoctorText.time(range.start)) and \(DoctorText.time(range.end)) \(sides) points",
                advice: "copy that time range from the node that is right")
        case .unknown(let reason):
            let text = comparison.differences.filter { difference in
                switch difference.subject {
                case .points(source, _), .measurement(source): true
                default: false
                }
            }.map(\.description).joined(separator: "; ")
            return Finding(
                .error, "points", "\(text); where was not found: \(reason)",
                advice: "copy the measurement from the node that is right")
        }
    }
}
