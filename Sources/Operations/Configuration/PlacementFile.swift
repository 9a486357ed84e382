// Reads `placement`: the rules that say which nodes hold which measurements.
import Cluster
import Querying
import Yams

/// One rule as the file says it, with its places.
package struct PlacementRuleText: Sendable {
    /// As in `placement.databases.iot.measurements.cpu`.
    package let name: String
    package let target: ConfiguredPlacement.Target
    package let origin: Origin
    /// Where each node of the target is named, in its order.
    let nodeOrigins: [Origin]
}

extension ConfigurationLoader {
    private static let ruleKeys = ["default", "measurements", "patterns"]
    private static let targetExample = "all, a list of nodes such as [a, b], or {hash: {replicas: 2}}"

    mutating func readPlacement(_ node: Node, in file: FilePositions) {
        origins["placement"] = file.origin(node)
        guard let mapping = node.mapping else {
            report(
                file.origin(node), "placement is a section, not a value",
                advice: "write its keys indented below it, such as default: \(Self.targetExample)")
            return
        }
        let errorsBefore = errorCount
        defer { placementIsBroken = errorCount > errorsBefore }
        var placement = ConfiguredPlacement()
        placement.general = placementRules(mapping, "placement", further: ["databases"], in: file)
        if let databases = mapping.first(where: { $0.key.scalar?.string == "databases" })?.value {
            placement.databases = placementDatabases(databases, in: file)
        }
        configuration.placement = placement
    }

    private mutating func placementDatabases(
        _ node: Node, in file: FilePositions
    ) -> [String: ConfiguredPlacement.Rules] {
        guard let mapping = node.mapping else {
            report(
                file.origin(node), "placement.databases is not a map",
                advice: "write each database with its rules, such as {iot: {default: {hash: {replicas: 2}}}}")
            return [:]
        }
        var databases: [String: ConfiguredPlacement.Rules] = [:]
        for (keyNode, value) in mapping {
            guard let database = readKey(keyNode, in: file) else { continue }
            let name = "placement.databases.\(database)"
            if database == HiddenDatabase.name {
                report(
                    file.origin(keyNode), "\(name): this database is the gateway's own",
                    advice: "remove it: every node has one of its own")
            }
            guard let mapping = value.mapping else {
                report(
                    file.origin(value), "\(name) is a section, not a value",
                    advice: "write its rules, such as {default: {hash: {replicas: 2}}}")
                continue
            }
            databases[database] = placementRules(mapping, name, further: [], in: file)
        }
        return databases
    }

    /// - Parameter further: keys that somebody else reads.
    private mutating func placementRules(
        _ mapping: Node.Mapping, _ name: String, further: [String], in file: FilePositions
    ) -> ConfiguredPlacement.Rules {
        var rules = ConfiguredPlacement.Rules()
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            let full = "\(name).\(key)"
            switch key {
            case "default": rules.fallback = target(value, full, in: file)
            case "measurements": rules.measurements = placementMeasurements(value, full, in: file)
            case "patterns": rules.patterns = placementPatterns(value, full, in: file)
            case _ where further.contains(key): continue
            default:
                reportUnknown(
                    full, among: (Self.ruleKeys + further).map { "\(name).\($0)" }, at: file.origin(keyNode))
            }
        }
        return rules
    }

    private mutating func placementMeasurements(
        _ node: Node, _ name: String, in file: FilePositions
    ) -> [String: ConfiguredPlacement.Target] {
        guard let mapping = node.mapping else {
            report(
                file.origin(node), "\(name) is not a map",
                advice: "write each measurement with its nodes, such as {cpu: [a, b]}")
            return [:]
        }
        var measurements: [String: ConfiguredPlacement.Target] = [:]
        for (keyNode, value) in mapping {
            guard let measurement = readKey(keyNode, in: file) else { continue }
            measurements[measurement] = target(value, "\(name).\(measurement)", in: file)
        }
        return measurements
    }

    private mutating func placementPatterns(
        _ node: Node, _ name: String, in file: FilePositions
    ) -> [ConfiguredPlacement.Pattern] {
        var patterns: [ConfiguredPlacement.Pattern] = []
        for (entry, mapping) in entries(of: node, name, "a pattern", like: "{match: \"disk*\", on: [a]}", in: file) {
            var match: (text: String, origin: Origin)?
            var place: Node?
            let errorsBefore = errorCount
            for (keyNode, value) in mapping {
                guard let key = readKey(keyNode, in: file) else { continue }
                switch key {
                case "match":
                    match = read(value, "match of a pattern", in: file, Self.pattern)
                        .map { ($0, file.origin(value)) }
                case "on": place = value
                default:
                    reportUnknown(
                        "\(name).\(key)", among: ["match", "on"].map { "\(name).\($0)" }, at: file.origin(keyNode))
                }
            }
            guard errorCount == errorsBefore else { continue }
            guard let match, let place else {
                report(
                    file.origin(entry), "this pattern has no \(match == nil ? "match" : "on")",
                    advice: "write it like {match: \"disk*\", on: [a]}")
                continue
            }
            if let earlier = patterns.first(where: { NamePattern($0.match).covers(NamePattern(match.text)) }) {
                report(
                    match.origin,
                    "the pattern \"\(match.text)\" never matches: \"\(earlier.match)\" before it takes all",
                    advice: "put it first, or remove it")
            }
            guard let target = target(place, "\(name).\"\(match.text)\"", in: file) else { continue }
            patterns.append(.init(match.text, target))
        }
        return patterns
    }

    private static func pattern(_ text: String) throws(ValueFault) -> String {
        guard !text.isEmpty else {
            throw ValueFault("is empty", advice: "write a name with * for any characters and ? for one")
        }
        return text
    }

    // MARK: Targets

    private mutating func target(_ node: Node, _ name: String, in file: FilePositions) -> ConfiguredPlacement.Target? {
        if let mapping = node.mapping {
            return hash(mapping, at: file.origin(node), name, in: file)
        }
        if node.sequence != nil {
            guard let (names, places) = nodeNames(node, name, in: file) else { return nil }
            return keep(.nodes(names), name, file.origin(node), places)
        }
        guard node.scalar?.string == "all" else {
            let text = node.scalar.map { isNull(node) ? "" : $0.string } ?? ""
            report(
                file.origin(node), text.isEmpty ? "\(name) has no value" : "\(name) \"\(text)\" is no place",
                advice: "write \(Self.targetExample)")
            return nil
        }
        return keep(.all, name, file.origin(node), [])
    }

    private mutating func keep(
        _ target: ConfiguredPlacement.Target, _ name: String, _ origin: Origin, _ places: [Origin]
    ) -> ConfiguredPlacement.Target {
        placementRules.append(PlacementRuleText(name: name, target: target, origin: origin, nodeOrigins: places))
        return target
    }

    private mutating func hash(
        _ mapping: Node.Mapping, at origin: Origin, _ name: String, in file: FilePositions
    ) -> ConfiguredPlacement.Target? {
        guard mapping.count == 1, let inner = mapping.first(where: { $0.key.scalar?.string == "hash" })?.value,
            let keys = inner.mapping
        else {
            report(origin, "\(name) is no place", advice: "write \(Self.targetExample)")
            return nil
        }
        var replicas: Int?
        var names: ([String], [Origin])?
        let errorsBefore = errorCount
        for (keyNode, value) in keys {
            guard let key = readKey(keyNode, in: file) else { continue }
            switch key {
            case "replicas": replicas = read(value, "\(name).hash.replicas", in: file, Self.replicas)
            case "nodes":
                if isNull(value) || value.sequence == nil {
                    report(
                        file.origin(value), "\(name).hash.nodes is not a list",
                        advice: "write the nodes, such as [a, b, c], or remove it: then it is all normal nodes")
                } else {
                    names = nodeNames(value, "\(name).hash.nodes", in: file)
                }
            default:
                reportUnknown(
                    "\(name).hash.\(key)", among: ["\(name).hash.replicas", "\(name).hash.nodes"],
                    at: file.origin(keyNode))
            }
        }
        guard errorCount == errorsBefore else { return nil }
        guard let replicas else {
            report(origin, "\(name).hash has no replicas", advice: "say how many nodes hold each measurement")
            return nil
        }
        return keep(.hash(replicas: replicas, nodes: names?.0), name, file.origin(inner), names?.1 ?? [])
    }

    private static func replicas(_ text: String) throws(ValueFault) -> Int {
        guard let number = Int(text), number > 0 else {
            throw ValueFault(
                "\"\(text)\" is not a number from 1 on", advice: "write how many nodes hold each measurement")
        }
        return number
    }

    private mutating func nodeNames(_ node: Node, _ name: String, in file: FilePositions) -> ([String], [Origin])? {
        var names: [String] = []
        var places: [Origin] = []
        let errorsBefore = errorCount
        for entry in node.sequence ?? [] {
            guard let text = entry.scalar?.string, !isNull(entry) else {
                report(file.origin(entry), "\(name) takes names of nodes", advice: "write them like [a, b]")
                continue
            }
            if names.contains(text) {
                report(file.origin(entry), "\(name) names the node \(text) twice", advice: "remove one of them")
                continue
            }
            names.append(text)
            places.append(file.origin(entry))
        }
        guard errorCount == errorsBefore else { return nil }
        guard !names.isEmpty else {
            report(file.origin(node), "\(name) names no node", advice: "name at least one")
            return nil
        }
        return (names, places)
    }
}
