// Checks of placement that need all nodes and all rules: what could not be placed, read or looked after.
import Cluster

extension ConfigurationLoader {
    mutating func checkPlacement() {
        // Of a node that was reported the rules would only seem to be wrong.
        guard !nodesAreBroken, !configuration.nodes.isEmpty, configuration.nodes.count <= Self.maximumNodes else {
            return
        }
        guard configuration.nodes.contains(where: { $0.role == .normal }) else {
            report(
                origins["nodes"] ?? .builtIn, "no node has the role normal",
                advice: "give one of them role: normal, else nothing could be read")
            return
        }
        guard let placement = configuration.placement, !placementIsBroken else { return }
        let errorsBefore = errorCount
        for rule in placementRules { checkNodes(of: rule) }
        guard errorCount == errorsBefore else { return }
        let placed = Placement(configuration)
        guard checkSets(of: placed) else { return }
        checkReadable(placed)
        if errorCount == errorsBefore { warnOfWhatIsMissing(placement) }
    }

    private mutating func checkNodes(of rule: PlacementRuleText) {
        let known = configuration.nodes.map(\.name)
        let (replicas, names): (Int?, [String]) =
            switch rule.target {
            case .all: (nil, [])
            case .nodes(let names): (nil, names)
            case .hash(let replicas, let names):
                (replicas, names ?? configuration.nodes.filter { $0.role == .normal }.map(\.name))
            }
        for (name, origin) in zip(names, rule.nodeOrigins) where !known.contains(name) {
            let near = Spelling.nearest(to: name, among: known)
            report(
                origin, "\(rule.name) names the node \(name), which there is not",
                advice: near.map { "did you mean \($0)?" } ?? "add it to nodes, or remove it here")
        }
        if let replicas, replicas > names.count {
            let nodes = "\(names.count) node\(names.count == 1 ? "" : "s")"
            let isGeneral = if case .hash(_, nil) = rule.target { true } else { false }
            report(
                rule.origin,
                "\(rule.name) wants \(replicas) replicas and has \(nodes)"
                    + (isGeneral ? " of the role normal" : ""),
                advice: "lower replicas, or add nodes")
        }
    }

    /// Very many replica sets cannot be looked after, and not even counted one by one.
    private mutating func checkSets(of placement: Placement) -> Bool {
        let most = Placement.mostReplicaSets
        let advice = "lower replicas, hash over fewer nodes, or give each of them a zone"
        var targets: Set<PlacementTarget> = []
        var sets: Set<NodeSet> = []
        for rule in placementRules {
            let target = placementTarget(of: rule)
            guard targets.insert(target).inserted else { continue }
            let count = placement.replicaSetCount(of: target)
            if count <= most {
                sets.formUnion(placement.replicaSets(of: target))
                if sets.count <= most { continue }
            }
            report(
                rule.origin,
                count > most
                    ? "\(rule.name) can make \(count) replica sets, and \(most) is the most"
                    : "\(rule.name) and the rules before it can make \(sets.count) replica sets, and \(most) is the most",
                advice: advice)
            return false
        }
        return true
    }

    /// What lies on nodes alone that are not read is lost to everybody who asks.
    private mutating func checkReadable(_ placement: Placement) {
        let normal = NodeSet(
            configuration.nodes.indices.filter { configuration.nodes[$0].role == .normal }.map { NodeIndex($0) })
        var complaints: [PlacementTarget: String] = [:]
        for rule in placementRules {
            let target = placementTarget(of: rule)
            if complaints[target] == nil {
                let bad = placement.replicaSets(of: target).filter { $0.bits & normal.bits == 0 }
                    .min { $0.bits < $1.bits }
                complaints[target] =
                    bad.map { set in
                        set.map { placement.members[Int($0.value)].name }.joined(separator: ", ")
                    } ?? ""
            }
            guard let names = complaints[target], !names.isEmpty else { continue }
            report(
                rule.origin,
                "\(rule.name) can place a measurement on \(names) alone, without any node of the role normal",
                advice: "add a normal node or raise replicas: nobody could read it, and no write would wait for it")
        }
    }

    private mutating func warnOfWhatIsMissing(_ placement: ConfiguredPlacement) {
        let takesAll = { (rules: ConfiguredPlacement.Rules) in
            rules.fallback != nil || rules.patterns.contains { NamePattern($0.match).covers(NamePattern("*")) }
        }
        if !takesAll(placement.general) {
            let own = placement.databases.filter { takesAll($0.value) }.keys.sorted()
            let but = own.isEmpty ? "" : " (except in \(own.joined(separator: ", ")))"
            warn(
                origins["placement"] ?? .builtIn,
                "placement has no default: points that no rule places are refused\(but)",
                advice: "add default: all, or leave it so if you mean it")
        }
        var used: Set<String> = []
        for target in placement.targets {
            switch target {
            case .all: return
            case .nodes(let names): used.formUnion(names)
            case .hash(_, let names):
                used.formUnion(names ?? configuration.nodes.filter { $0.role == .normal }.map(\.name))
            }
        }
        for (node, origin) in zip(configuration.nodes, nodeOrigins) where !used.contains(node.name) {
            warn(
                origin.name, "no rule of placement uses the node \(node.name): it holds nothing",
                advice: "name it in a rule, or remove it")
        }
    }

    private func placementTarget(of rule: PlacementRuleText) -> PlacementTarget {
        ConfiguredPlacement.placed(rule.target, among: configuration.nodes)
    }
}
