// Reads the parts of the file that say what clients may send: `policy`, a preset's name or a map of rules, and
// `listeners`.
import Querying
import Yams

/// The names in policies.
enum PolicyText {
    static let presets = Policy.Preset.allCases.map(\.rawValue).joined(separator: ", ")

    static func preset(_ text: String) throws(ValueFault) -> Policy.Preset {
        if let preset = Policy.Preset(rawValue: text) { return preset }
        let near = Spelling.nearest(to: text, among: Policy.Preset.allCases.map(\.rawValue))
        throw ValueFault("\"\(text)\" is not known", advice: near.map { "did you mean \($0)?" } ?? "use \(presets)")
    }

    static func kinds(_ text: String) throws(ValueFault) -> PolicyKinds {
        if let kinds = PolicyKinds(name: text) { return kinds }
        let near = Spelling.nearest(to: text, among: PolicyKinds.names)
        throw ValueFault(
            "\"\(text)\" is no kind of statement",
            advice: near.map { "did you mean \($0)?" } ?? "see docs/statements.md for their names")
    }
}

extension ConfigurationLoader {
    mutating func readPolicy(_ node: Node, in file: FilePositions) {
        guard let policy = policy(node, "policy", in: file) else { return }
        configuration.policy = policy
        origins["policy"] = file.origin(node)
    }

    mutating func readListeners(_ node: Node, in file: FilePositions) {
        for (entry, mapping) in entries(
            of: node, "listeners", "a listener", like: "{listen: 127.0.0.1:9096, policy: read-only}", in: file)
        { readListener(entry, mapping, in: file) }
    }

    private mutating func readListener(_ node: Node, _ mapping: Node.Mapping, in file: FilePositions) {
        var address: (ListenAddress, Origin)?
        var listener = ConfiguredListener(address: .unix(path: ""))
        let errorsBefore = errorCount
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            switch key {
            case "limits": listener.limits = listenerLimits(value, in: file)
            case "listen":
                address = read(value, "listen of a listener", in: file, ListenAddress.init(parsing:))
                    .map { ($0, file.origin(value)) }
            case "policy":
                listener.policy = self.policy(value, "policy", in: file)
            case "tls": listener.tls = readTLS(value, .server, in: file)
            case "mode": listener.mode = read(value, "mode of a listener", in: file, SocketMode.parse) ?? 0
            default: reportUnknown(key, among: ["limits", "listen", "mode", "policy", "tls"], at: file.origin(keyNode))
            }
        }
        guard errorCount == errorsBefore else { return }
        guard let (address, origin) = address else {
            return report(file.origin(node), "this listener has no address", advice: "add listen: 127.0.0.1:9096")
        }
        listener.address = address
        configuration.listeners.append(listener)
        listenerOrigins.append(origin)
    }

    // MARK: Rules

    /// A preset's name, or a map of rules; nil: something is wrong with it, and was reported.
    private mutating func policy(_ node: Node, _ name: String, in file: FilePositions) -> Policy? {
        guard let mapping = node.mapping else {
            return read(node, name, in: file, PolicyText.preset).map { Policy(preset: $0) }
        }
        let errorsBefore = errorCount
        var policy = Policy()
        policy.rules = rules(mapping, name, on: Policy.Rules(), in: file)
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            switch key {
            case _ where Self.ruleKeys.contains(key): break
            case "max_statements":
                policy.maximumStatements = read(value, "\(name).\(key)", in: file, Self.positive)
            case "max_rows":
                policy.maximumRows = read(value, "\(name).\(key)", in: file, Self.positive)
            case "databases":
                policy.databases = databases(value, "\(name).\(key)", on: policy.rules, in: file)
            default:
                let known = Self.ruleKeys + ["databases", "max_rows", "max_statements"]
                reportUnknown("\(name).\(key)", among: known.map { "\(name).\($0)" }, at: file.origin(keyNode))
            }
        }
        return errorCount == errorsBefore ? policy : nil
    }

    private static let ruleKeys = ["preset", "deny", "allow", "require_time_bound"]

    private mutating func databases(
        _ node: Node, _ name: String, on general: Policy.Rules, in file: FilePositions
    ) -> [String: Policy.Rules] {
        guard let mapping = node.mapping else {
            report(
                file.origin(node), "\(name) is not a map",
                advice: "write each database with its rules, such as {iot: {preset: read-only}}")
            return [:]
        }
        var databases: [String: Policy.Rules] = [:]
        for (keyNode, value) in mapping {
            guard let database = readKey(keyNode, in: file) else { continue }
            let full = "\(name).\(database)"
            guard let mapping = value.mapping else {
                var rules = general
                rules.preset = read(value, full, in: file, PolicyText.preset) ?? .open
                databases[database] = rules
                continue
            }
            for (inner, _) in mapping {
                guard let key = readKey(inner, in: file), !Self.ruleKeys.contains(key) else { continue }
                reportUnknown("\(full).\(key)", among: Self.ruleKeys.map { "\(full).\($0)" }, at: file.origin(inner))
            }
            databases[database] = rules(mapping, full, on: general, in: file)
        }
        return databases
    }

    /// What is not given stays as it is.
    private mutating func rules(
        _ mapping: Node.Mapping, _ name: String, on general: Policy.Rules, in file: FilePositions
    ) -> Policy.Rules {
        var rules = general
        for (keyNode, value) in mapping {
            switch keyNode.scalar?.string {
            case "preset": rules.preset = read(value, "\(name).preset", in: file, PolicyText.preset) ?? .open
            case "deny": rules.deny = kinds(value, "\(name).deny", in: file)
            case "allow": rules.allow = kinds(value, "\(name).allow", in: file)
            case "require_time_bound":
                rules.requiresTimeBound =
                    read(value, "\(name).require_time_bound", in: file, Self.flag) ?? false
            default: break
            }
        }
        let both = rules.deny.intersection(rules.allow)
        if !both.isEmpty, mapping.contains(where: { $0.key.scalar?.string == "allow" }) {
            let place = mapping.first { $0.key.scalar?.string == "allow" }?.value
            warn(
                place.map(file.origin) ?? .builtIn, "\(name).allow and deny both name \(both), and deny wins",
                advice: "remove it from one of them")
        }
        return rules
    }

    /// One name or a list of them.
    private mutating func kinds(_ node: Node, _ name: String, in file: FilePositions) -> PolicyKinds {
        var all = PolicyKinds()
        for entry in node.sequence.map(Array.init) ?? [node] {
            if let kinds = read(entry, name, in: file, PolicyText.kinds) { all.formUnion(kinds) }
        }
        return all
    }

    // MARK: Single values

    mutating func read<Value>(
        _ node: Node, _ name: String, in file: FilePositions, _ parse: (String) throws(ValueFault) -> Value
    ) -> Value? {
        guard let scalar = node.scalar, !isNull(node) else {
            report(file.origin(node), "\(name) takes a value", advice: "write one, or remove the line")
            return nil
        }
        do throws(ValueFault) {
            return try parse(scalar.string)
        } catch {
            report(file.origin(node), "\(name) \(error.what)", advice: error.advice)
            return nil
        }
    }

    private static func positive(_ text: String) throws(ValueFault) -> Int {
        guard let number = Int(text), number > 0 else {
            throw ValueFault("\"\(text)\" is not a number from 1 on", advice: "write a whole number without unit")
        }
        return number
    }

    static func flag(_ text: String) throws(ValueFault) -> Bool {
        switch text {
        case "true": return true
        case "false": return false
        default: throw ValueFault("\"\(text)\" is neither true nor false", advice: "write true or false")
        }
    }
}
