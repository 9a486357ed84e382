// `sluice doctor`: looks at InfluxDB 1.x nodes without changing anything, before Sluice stands in front of them or
// while it does: whether they can be used together, and whether they hold the same data.

import Cluster
import Foundation
import NIOCore
import NIOPosix
import NodeClient
import Replication
import SecureTransport

package struct Doctor: Sendable {
    package struct Options: Sendable {
        package var username: String?
        package var password = ""
        /// Who has signed the certificates of nodes with an https url; nil: the authorities that this system knows.
        package var authorities: String?
        /// Also read all points and compare them, not only their number.
        package var isDeep = false
        /// For counting, and again for comparing, on each node.
        package var time: TimeAmount = .seconds(60)
        /// Points younger than this are not compared: they may still be on their way to one of the nodes.
        package var settling: TimeAmount = .seconds(60)

        package init() {}

        var credential: ServiceCredential? {
            username.map { ServiceCredential(username: $0, password: Secret(password)) }
        }
    }

    private let nodes: [ConfiguredNode]
    private let options: Options

    package init(nodes: [ConfiguredNode], options: Options = Options()) {
        self.nodes = nodes
        self.options = options
    }

    /// Nodes from the command line: `a=http://10.0.0.1:8086`.
    package static func parseNodes(_ flags: [String]) throws -> [ConfiguredNode] {
        var nodes: [ConfiguredNode] = []
        for flag in flags {
            do throws(ValueFault) {
                nodes.append(try NodeText.parseFlag(flag))
            } catch {
                throw ServingError("--node \(flag): \(error.what)", advice: error.advice)
            }
        }
        for (index, node) in nodes.enumerated() where nodes[..<index].contains(where: { $0.name == node.name }) {
            throw ServingError("two nodes are called \(node.name)", advice: "give each a name of its own")
        }
        return nodes
    }

    package func examine() async throws -> DoctorReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var patients: [DoctorNode] = []
        for var node in nodes {
            if node.isSecure, let authorities = options.authorities {
                var tls = TLSSettings()
                tls.authorities = authorities
                node.tls = tls
            }
            patients.append(try await DoctorNode(node, on: group.next(), credential: options.credential))
        }
        let report = await examine(patients)
        for patient in patients { await patient.close() }
        try await group.shutdownGracefully()
        return report
    }

    private func examine(_ patients: [DoctorNode]) async -> DoctorReport {
        var findings: [DoctorReport.Finding] = []
        let answers = await patients.askAll { interview in interview.facts().and(interview.markers()) }
        var able: [DoctorNode] = []
        var facts: [(node: String, facts: NodeFacts)] = []
        var markers: [(node: String, markers: [Marker])] = []
        for (patient, answer) in zip(patients, answers) {
            switch answer {
            case .success(let (shown, found)):
                able.append(patient)
                facts.append((patient.name, shown))
                markers.append((patient.name, found))
            case .failure(let error): findings.append(.unreadable(patient.name, error))
            }
        }
        findings += DoctorFindings.servers(facts) + DoctorFindings.markers(markers)

        // By the slowest of the clocks, so that no node has younger points on the other side of the edge.
        let slowest = facts.compactMap(\.facts.clockOffset).min() ?? 0
        let now = Int64(Date().timeIntervalSince1970 * 1e9)
        let before = now + min(0, slowest) - options.settling.nanoseconds
        let data = await compare(able, before: before)
        findings += data.findings

        return DoctorReport(
            nodes: patients.map { patient in
                let shown = facts.first { $0.node == patient.name }?.facts
                let inventory = data.inventories.first { $0.node == patient.name }?.inventory
                return DoctorReport.Node(
                    name: patient.name, url: patient.url, version: shown?.version, index: shown?.indexVersion,
                    clockOffsetMilliseconds: shown?.clockOffset.map { (Double($0) / 1e5).rounded() / 10 },
                    databases: inventory?.names.count, points: inventory?.countedPoints)
            },
            findings: findings.filter { $0.severity == .error } + findings.filter { $0.severity == .warning }
                + findings.filter { $0.severity == .note },
            comparedBefore: data.inventories.count > 1 ? DoctorText.time(before) : nil,
            isComplete: able.count == patients.count && data.isComplete)
    }

    // MARK: Data

    private struct DataResult {
        var inventories: [(node: String, inventory: Inventory)] = []
        var findings: [DoctorReport.Finding] = []
        var isComplete = true
    }

    private func compare(_ patients: [DoctorNode], before: Int64) async -> DataResult {
        var result = DataResult()
        var reading = NodeInterview.InventoryOptions()
        reading.before = before
        reading.countingTime = options.time
        var able: [DoctorNode] = []
        for (patient, answer) in zip(patients, await patients.askAll { [reading] in $0.inventory(reading) }) {
            switch answer {
            case .success(let inventory):
                able.append(patient)
                result.inventories.append((patient.name, inventory))
            case .failure(let error):
                result.findings.append(.unreadable(patient.name, error))
                result.isComplete = false
            }
        }
        let comparison = InventoryComparison(result.inventories)
        result.findings += DoctorFindings.schema(comparison)
        guard able.count > 1 else { return result }

        let search = DifferenceSearch(nodes: able, before: before, time: options.time)
        let differing = comparison.differingSources
        for source in differing.prefix(DifferenceSearch.mostSources) {
            let found = await search.byCounts(source)
            if let finding = DoctorFindings.points(source, found, comparison, able.map(\.name)) {
                result.findings.append(finding)
            }
        }
        if differing.count > DifferenceSearch.mostSources {
            let rest = differing.dropFirst(DifferenceSearch.mostSources).map(\.description)
            result.findings.append(
                DoctorReport.Finding(
                    .error, "points",
                    "\(rest.count) more measurements differ: \(rest.prefix(20).joined(separator: "; "))",
                    advice: "see to the ones above first, then look again"))
        }
        if let best = InventoryComparison.mostComplete(result.inventories.map(\.inventory)), !differing.isEmpty {
            result.findings.append(
                DoctorReport.Finding(
                    .note, "most_complete", "\(result.inventories[best].node) holds the most points",
                    advice: "it is the one to copy from, unless you know better"))
        }
        if options.isDeep {
            result.findings += await search.byContent(
                in: result.inventories.map(\.inventory), without: Set(differing))
        }
        return result
    }
}

extension InventoryComparison {
    /// Measurements whose points differ in number.
    var differingSources: [Inventory.Source] {
        var seen: Set<Inventory.Source> = []
        return differences.compactMap { difference in
            switch difference.subject {
            case .points(let source, _), .measurement(let source): source
            default: nil
            }
        }.filter { seen.insert($0).inserted }
    }
}

extension DoctorReport.Finding {
    static func unreadable(_ node: String, _ error: any Error) -> DoctorReport.Finding {
        let kind = (error as? InterviewFailure)?.kind
        let advice =
            switch kind {
            case .unauthorized: "use --username and --password-file of a user with all privileges"
            case .notInfluxDB: "check the url; Sluice needs InfluxDB 1.x"
            case .unreachable, nil: "check the url, that the server runs, and that nothing between closes its port"
            case .refused, .unusable: "see the server's log"
            }
        let name = kind == .unauthorized ? "credentials" : "unreachable"
        return DoctorReport.Finding(.error, name, "\(node) \(error)", advice: advice)
    }
}
