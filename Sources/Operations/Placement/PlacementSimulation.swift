// How evenly a list of measurements lies on the nodes, and what would move if nodes came or went: `sluice placement
// simulate`.
import Cluster

/// A node that is not in the configuration: `NAME[=zone][:weight]`.
package struct SimulatedNode: Equatable, Sendable {
    package var name: String
    package var zone = ""
    package var weight = 1.0

    package init(parsing text: String) throws(ValueFault) {
        var rest = text[...]
        if let colon = rest.lastIndex(of: ":") {
            do throws(ValueFault) {
                weight = try NodeText.weight(String(rest[rest.index(after: colon)...]))
            } catch {
                throw ValueFault("the weight in \"\(text)\": \(error.what)", advice: error.advice)
            }
            rest = rest[..<colon]
        }
        if let equals = rest.firstIndex(of: "=") {
            zone = String(rest[rest.index(after: equals)...])
            rest = rest[..<equals]
        }
        name = String(rest)
        try NodeText.checkName(name)
    }
}

package struct PlacementSimulation: Encodable, Equatable, Sendable {
    /// Shares are per cent of all copies.
    package struct Node: Encodable, Equatable, Sendable {
        package let name: String
        package let zone: String
        package let role: String
        package let weight: Double
        /// nil: it is not there yet.
        package let measurements: Int?
        package let share: Double?
        /// After the change; nil: there is none, or the node is gone then.
        package let measurementsThen: Int?
        package let shareThen: Double?
    }

    package struct Change: Encodable, Equatable, Sendable {
        package let copies: Int
        package let unplaced: Int
        /// How many measurements some node would have to receive, and their share of all, per cent.
        package let movedMeasurements: Int
        package let movedMeasurementsShare: Double
        /// How many copies would have to be made, and their share of all copies then, per cent.
        package let movedCopies: Int
        package let movedCopiesShare: Double
        /// How many measurements would have fewer copies than now.
        package let withFewerCopies: Int
    }

    /// Empty: one that no rule names.
    package let database: String
    package let measurements: Int
    package let copies: Int
    package let unplaced: Int
    package let firstUnplaced: String?
    package let nodes: [Node]
    package let change: Change?

    /// - Parameters:
    ///   - names: of measurements; each counts once.
    ///   - leaving: names of nodes that go: from lists and hashes alike.
    ///   - coming: nodes that come: they get what `all` and a hash without `nodes` gives them.
    /// - Throws: for a node that leaves and is not there, one that comes and is there, and when nobody would be left.
    package init(
        of names: [String], database: String, configuration: Configuration, without leaving: [String] = [],
        with coming: [SimulatedNode] = []
    ) throws(ValueFault) {
        var seen: Set<String> = []
        let names = names.filter { seen.insert($0).inserted }
        let now = Placement(configuration)
        let tally = PlacementTally(of: now, database: database, measurements: names)
        self.database = database
        measurements = tally.measurements
        copies = tally.copies
        unplaced = tally.unplaced
        firstUnplaced = tally.firstUnplaced
        guard !leaving.isEmpty || !coming.isEmpty else {
            nodes = zip(configuration.nodes, tally.held).map { node, held in
                Node(
                    name: node.name, zone: node.zone, role: node.role.rawValue, weight: node.weight,
                    measurements: held, share: Self.share(held, tally.copies), measurementsThen: nil, shareThen: nil)
            }
            change = nil
            return
        }
        let changed = try Self.changed(configuration, without: leaving, with: coming)
        let then = Placement(changed)
        let tallyThen = PlacementTally(of: then, database: database, measurements: names)
        let held = Dictionary(uniqueKeysWithValues: zip(now.members.map(\.name), tally.held))
        let heldThen = Dictionary(uniqueKeysWithValues: zip(then.members.map(\.name), tallyThen.held))
        let arrived = changed.nodes.filter { held[$0.name] == nil }
        nodes = (configuration.nodes + arrived).map { node in
            Node(
                name: node.name, zone: node.zone, role: node.role.rawValue, weight: node.weight,
                measurements: held[node.name], share: held[node.name].map { Self.share($0, tally.copies) },
                measurementsThen: heldThen[node.name],
                shareThen: heldThen[node.name].map { Self.share($0, tallyThen.copies) })
        }
        let moves = PlacementMoves(from: now, to: then, database: database, measurements: names)
        change = Change(
            copies: tallyThen.copies, unplaced: tallyThen.unplaced, movedMeasurements: moves.measurements,
            movedMeasurementsShare: Self.share(moves.measurements, names.count), movedCopies: moves.copies,
            movedCopiesShare: Self.share(moves.copies, tallyThen.copies), withFewerCopies: moves.thinned)
    }

    /// Per cent, in hundredths.
    private static func share(_ part: Int, _ whole: Int) -> Double {
        whole == 0 ? 0 : (Double(part) / Double(whole) * 10_000).rounded() / 100
    }

    private static func changed(
        _ configuration: Configuration, without leaving: [String], with coming: [SimulatedNode]
    ) throws(ValueFault) -> Configuration {
        var changed = configuration
        for name in leaving {
            guard let index = changed.nodes.firstIndex(where: { $0.name == name }) else {
                throw ValueFault(
                    "there is no node \(name) that could leave",
                    advice: "there are \(configuration.nodes.map(\.name).joined(separator: ", "))")
            }
            changed.nodes.remove(at: index)
        }
        for node in coming {
            guard !changed.nodes.contains(where: { $0.name == node.name }) else {
                throw ValueFault("there is a node \(node.name) already", advice: "choose another name for the new one")
            }
            var added = ConfiguredNode(name: node.name, url: "", zone: node.zone)
            added.weight = node.weight
            changed.nodes.append(added)
        }
        guard !changed.nodes.isEmpty else { throw ValueFault("no node would be left", advice: "leave one of them") }
        guard changed.nodes.count <= ConfigurationLoader.maximumNodes else {
            throw ValueFault(
                "there would be \(changed.nodes.count) nodes", advice: "use \(ConfigurationLoader.maximumNodes) at most"
            )
        }
        return changed
    }
}
