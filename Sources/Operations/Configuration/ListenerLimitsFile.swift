// Reads what a listener may be given beside its address: limits of its own.
import Yams

/// In the place of the general ones; nil: those.
package struct ConfiguredListenerLimits: Equatable, Sendable {
    package var requests: Int?
    package var userRequestRate: Int?
    /// Bytes.
    package var userBytesRate: Int?
    package var connections: Int?
    /// Bytes.
    package var body: Int?

    package init() {}
}

extension ConfigurationLoader {
    private static let limitKeys = ["requests", "user_request_rate", "user_bytes_rate", "connections", "body"]

    mutating func listenerLimits(_ node: Node, in file: FilePositions) -> ConfiguredListenerLimits {
        var limits = ConfiguredListenerLimits()
        guard let mapping = node.mapping else {
            report(
                file.origin(node), "limits of a listener are no list of keys",
                advice: "write them like limits: {requests: 100, body: 1MB}")
            return limits
        }
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            let name = "limits.\(key)"
            switch key {
            case "requests": limits.requests = readLimit(value, name, in: file, \.requests)
            case "connections": limits.connections = readLimit(value, name, in: file, \.connections)
            case "user_request_rate": limits.userRequestRate = readLimit(value, name, in: file, \.userRequestRate)
            case "user_bytes_rate": limits.userBytesRate = readLimit(value, name, in: file, \.userBytesRate)
            case "body": limits.body = readLimit(value, name, in: file, \.body)
            case _ where Setting.named(name) != nil:
                report(
                    file.origin(keyNode), "\(name) is no limit of a single listener",
                    advice: "set it for all of them, in limits at the top")
            default: reportUnknown(name, among: Self.limitKeys.map { "limits.\($0)" }, at: file.origin(keyNode))
            }
        }
        return limits
    }

    /// With the form and the bounds of the general limit of the same name.
    private mutating func readLimit(
        _ node: Node, _ name: String, in file: FilePositions, _ field: KeyPath<Configuration.Limits, Int>
    ) -> Int? {
        guard let setting = Setting.named(name) else { return nil }
        return read(node, "\(name) of a listener", in: file) { text throws(ValueFault) in
            var scratch = Configuration()
            try setting.apply(&scratch, text)
            return scratch.limits[keyPath: field]
        }
    }
}
