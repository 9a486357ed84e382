// An imported configuration as the YAML that `sluice check` reads.
import Cluster

extension ImportedConfiguration {
    package var text: String {
        var lines = [
            "# Made by sluice import-config from \(source.commentLine), \(kind).",
            "# Read the comments, then run: sluice check --config FILE",
        ]
        for remark in remarks {
            let parts = remark.split(separator: "\n", omittingEmptySubsequences: false)
            lines.append("# - \(parts.first ?? "")")
            lines += parts.dropFirst().map { "#   \($0)" }
        }
        lines.append("")
        if let listen { lines.append("listen: \(YAMLText.scalar(listen))") }
        if let admin { lines.append("admin: \(YAMLText.scalar(admin))") }
        if let certificate {
            lines.append(
                "tls: {certificate: \(YAMLText.scalar(certificate.file)), key: \(YAMLText.scalar(certificate.key))}")
        }
        if let zone { lines.append("zone: \(YAMLText.scalar(zone))") }
        lines.append("nodes:")
        lines += nodes.map { "  - \(YAMLText.node($0))" }
        if let queryTimeout { lines += ["query:", "  timeout: \(queryTimeout)"] }
        if let placement { lines += YAMLText.placement(placement) }
        return lines.joined(separator: "\n") + "\n"
    }
}

enum YAMLText {
    /// In quotes unless it can be nothing but text, also between braces.
    static func scalar(_ text: String) -> String {
        let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        let isPlain = text.unicodeScalars.allSatisfy {
            $0.isASCII
                && ($0.properties.isAlphabetic || $0.properties.numericType != nil
                    || "._-/:".unicodeScalars.contains($0))
        }
        let startsWell = text.unicodeScalars.first.map { $0.properties.isAlphabetic || $0 == "/" } ?? false
        let isAddress =
            text.unicodeScalars.first.map { $0.properties.numericType != nil } == true
            && text.split(separator: ".").count > 3
        if isPlain, startsWell || isAddress, text.last != ":", !words.contains(text.lowercased()) { return text }
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case _
            where scalar.value < 32 || scalar.value == 127 || (0x80..<0xa0).contains(scalar.value)
                || scalar.value == 0x2028 || scalar.value == 0x2029:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    static func node(_ node: ImportedConfiguration.Server) -> String {
        var parts = ["name: \(scalar(node.name))", "url: \(scalar(node.url))"]
        if !node.zone.isEmpty { parts.append("zone: \(scalar(node.zone))") }
        if node.role != .normal { parts.append("role: \(node.role.rawValue)") }
        if let username = node.username, let password = node.password {
            parts += ["username: \(scalar(username))", "password: \(scalar(password))"]
        }
        return "{\(parts.joined(separator: ", "))}"
    }

    static func placement(_ rules: ConfiguredPlacement.Rules) -> [String] {
        var lines = ["placement:"]
        if let fallback = rules.fallback { lines.append("  default: \(target(fallback))") }
        if !rules.measurements.isEmpty { lines.append("  measurements:") }
        lines += rules.measurements.sorted { $0.key < $1.key }.map { "    \(scalar($0.key)): \(target($0.value))" }
        return lines
    }

    static func target(_ target: ConfiguredPlacement.Target) -> String {
        let list = { (names: [String]) in "[\(names.map(scalar).joined(separator: ", "))]" }
        return switch target {
        case .all: "all"
        case .nodes(let names): list(names)
        case .hash(let replicas, nil): "{hash: {replicas: \(replicas)}}"
        case .hash(let replicas, let names?): "{hash: {replicas: \(replicas), nodes: \(list(names))}}"
        }
    }
}
