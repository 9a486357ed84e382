// Reads what a node may be given beside its name, url and credential: role, weight, gzip, time-outs of its own.
import Cluster

extension ConfigurationLoader {
    static let nodeKeys = [
        "name", "url", "zone", "role", "weight", "username", "password", "password_file", "tls", "gzip",
        "connect_timeout", "first_byte_timeout", "idle_timeout",
    ]

    mutating func readExtras(of node: inout ConfiguredNode, _ values: [String: CredentialText.Value]) {
        node.gzip = read("gzip", of: values, Self.flag) ?? false
        node.role = read("role", of: values, NodeText.role) ?? .normal
        node.weight = read("weight", of: values, NodeText.weight) ?? 1
        node.connectTimeout = readTimeout("connect_timeout", as: "connect_timeout", \.connectTimeout, values)
        node.firstByteTimeout = readTimeout(
            "first_byte_timeout", as: "query.first_byte_timeout", \.queryFirstByteTimeout, values)
        node.idleTimeout = readTimeout("idle_timeout", as: "query.idle_timeout", \.queryIdleTimeout, values)
    }

    /// With the form and the bounds of the general one.
    private mutating func readTimeout(
        _ key: String, as general: String, _ value: KeyPath<Configuration, Duration>,
        _ values: [String: CredentialText.Value]
    ) -> Duration? {
        read(key, of: values) { text throws(ValueFault) in
            var scratch = Configuration()
            try Setting.named(general)?.apply(&scratch, text)
            return scratch[keyPath: value]
        }
    }

    /// nil: it is not there, or was reported.
    private mutating func read<Value>(
        _ key: String, of values: [String: CredentialText.Value], _ parse: (String) throws(ValueFault) -> Value
    ) -> Value? {
        guard let value = values[key] else { return nil }
        do throws(ValueFault) {
            return try parse(value.text)
        } catch {
            report(value.origin, "\(key) of a node \(error.what)", advice: error.advice)
            return nil
        }
    }
}

extension NodeText {
    static func role(_ text: String) throws(ValueFault) -> NodeRole {
        if let role = NodeRole(rawValue: text) { return role }
        let names = NodeRole.allCases.map(\.rawValue)
        throw ValueFault(
            "\"\(text)\" is not known",
            advice: Spelling.nearest(to: text, among: names).map { "did you mean \($0)?" }
                ?? "use normal, write-only or async")
    }

    package static func weight(_ text: String) throws(ValueFault) -> Double {
        // The bounds keep a node that is never chosen, and one that always is, from being a slip of the finger.
        guard let weight = Double(text), weight >= 0.001, weight <= 1_000 else {
            throw ValueFault(
                "\"\(text)\" is not a number from 0.001 to 1000",
                advice: "write how much it is to hold beside others, such as 2 or 0.5")
        }
        return weight
    }
}
