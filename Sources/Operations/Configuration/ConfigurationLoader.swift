// Puts a configuration together: defaults, then the file, then SLUICE_* variables, then flags. Goes on after a mistake,
// so that the operator sees all of them in one run.
import Foundation
import SecureTransport

/// What is given besides the file.
package struct ConfigurationInput: Sendable {
    /// The file's name as the operator wrote it, and its text.
    package var file: (name: String, text: String)?
    package var environment: [String: String] = [:]
    /// Flags in order: the flag as typed (`--ack`), the key it sets, the value.
    package var flags: [(flag: String, key: String, value: String)] = []
    /// Values of `--node name=url`.
    package var nodeFlags: [String] = []
    /// Reads what `password_file` names.
    package var readPasswordFile: @Sendable (String) throws(ValueFault) -> PasswordFile = PasswordFile.read
    /// Reads what `tls` names; the warnings about it.
    package var examineTLS: @Sendable (TLSSettings, TLSRole) throws(TLSFault) -> [TLSFault] = {
        (settings, role) throws(TLSFault) in try TLSMaterial(settings, role: role).warnings
    }

    package init() {}
}

/// A configuration and what was found wrong with it.
package struct LoadedConfiguration: Sendable {
    package var configuration: Configuration
    package var problems: [ConfigurationProblem]
    /// Where each key that is not a default comes from.
    package var origins: [String: Origin]
    /// Of the further listeners, in the order of the file.
    package var listenerOrigins: [Origin]
    /// The rules of placement, in the order of the file.
    package var placementRules: [PlacementRuleText]

    package var errors: [ConfigurationProblem] { problems.filter { $0.severity == .error } }
    package var warnings: [ConfigurationProblem] { problems.filter { $0.severity == .warning } }
}

package struct ConfigurationLoader {
    /// Variables that steer the build and the tests; no keys.
    static let foreignVariables: Set<String> = [
        "SLUICE_CONFIG", "SLUICE_ADMIN_TOKEN", "SLUICE_SCRATCH", "SLUICE_CORE", "SLUICE_LONG", "SLUICE_BINARY",
        "SLUICE_SEED",
        "SLUICE_CRASH_SEEDS",
    ]
    static let foreignPrefixes = ["SLUICE_TEST_", "SLUICE_BENCH_"]

    var configuration = Configuration()
    var problems: [ConfigurationProblem] = []
    var origins: [String: Origin] = [:]
    var nodeOrigins: [NodeOrigin] = []
    /// Where the addresses of further listeners were written.
    var listenerOrigins: [Origin] = []
    var udpOrigins: [Origin] = []
    var placementRules: [PlacementRuleText] = []
    /// Set when a complaint about the nodes was made already, so that "there are no nodes" would only confuse.
    var nodesAreBroken = false
    /// As for the nodes: what could not be read is not to be missed, too.
    var placementIsBroken = false
    let readPasswordFile: @Sendable (String) throws(ValueFault) -> PasswordFile
    let examineTLS: @Sendable (TLSSettings, TLSRole) throws(TLSFault) -> [TLSFault]

    /// Where a node and its url were written.
    struct NodeOrigin {
        var name: Origin
        var url: Origin
        /// What the file says of its credential.
        var credential = CredentialText()
    }

    package static func load(_ input: ConfigurationInput) -> LoadedConfiguration {
        var loader = ConfigurationLoader(
            readPasswordFile: input.readPasswordFile, examineTLS: input.examineTLS)
        if let file = input.file {
            loader.readFile(name: file.name, text: file.text)
        }
        loader.readEnvironment(input.environment)
        loader.readFlags(input)
        loader.readCredentials(input.environment)
        loader.crossCheck()
        return LoadedConfiguration(
            configuration: loader.configuration, problems: loader.problems, origins: loader.origins,
            listenerOrigins: loader.listenerOrigins, placementRules: loader.placementRules)
    }

    /// Warnings do not make what was read useless.
    var errorCount: Int { problems.count { $0.severity == .error } }

    mutating func report(_ origin: Origin, _ what: String, advice: String) {
        problems.append(ConfigurationProblem(origin: origin, what: what, advice: advice))
    }

    mutating func warn(_ origin: Origin, _ what: String, advice: String) {
        problems.append(ConfigurationProblem(severity: .warning, origin: origin, what: what, advice: advice))
    }

    mutating func apply(_ setting: Setting, _ text: String, from origin: Origin) {
        do {
            try setting.apply(&configuration, text)
            origins[setting.key] = origin
        } catch {
            report(origin, "\(setting.key) \(error.what)", advice: error.advice)
        }
    }

    // MARK: Environment and flags

    private mutating func readEnvironment(_ environment: [String: String]) {
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("SLUICE_") {
            if Self.foreignVariables.contains(name) || Self.foreignPrefixes.contains(where: name.hasPrefix) { continue }
            let origin = Origin.environment(name)
            if name == "SLUICE_NODES" {
                readNodes(value.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }, from: origin)
            } else if let setting = Setting.all.first(where: { $0.environmentName == name }) {
                apply(setting, value, from: origin)
            } else if CredentialText.isVariable(name) {
                continue
            } else {
                let known = Setting.all.map(\.environmentName) + ["SLUICE_NODES", "SLUICE_CONFIG"]
                let near = Spelling.nearest(to: name.lowercased(), among: known.map { $0.lowercased() })
                report(
                    origin, "this variable sets nothing",
                    advice: near.map { "did you mean \($0.uppercased())?" } ?? "remove it, or see docs/configuration.md"
                )
            }
        }
    }

    private mutating func readFlags(_ input: ConfigurationInput) {
        for (flag, key, value) in input.flags {
            if let setting = Setting.named(key) {
                apply(setting, value, from: .flag(flag))
            } else if key == "nodes" {
                report(.flag(flag), "nodes cannot be set this way", advice: "use --node name=url")
            } else {
                reportUnknown(key, among: Setting.all.map(\.key), at: .flag(flag))
            }
        }
        if !input.nodeFlags.isEmpty {
            readNodes(input.nodeFlags, from: .flag("--node"))
        }
    }

    /// Replaces all nodes.
    private mutating func readNodes(_ texts: [String], from origin: Origin) {
        configuration.nodes = []
        nodeOrigins = []
        origins["nodes"] = origin
        nodesAreBroken = false
        for text in texts {
            do {
                configuration.nodes.append(try NodeText.parseFlag(text))
                nodeOrigins.append(NodeOrigin(name: origin, url: origin))
            } catch {
                report(origin, error.what, advice: error.advice)
                nodesAreBroken = true
            }
        }
    }

    mutating func reportUnknown(_ key: String, among known: some Sequence<String>, at origin: Origin) {
        let last = key.split(separator: ".").last.map(String.init) ?? key
        if let reason = Self.later[key] ?? Self.later[last] {
            report(origin, "\(key) is not supported by this version", advice: reason)
        } else if let near = Spelling.nearest(to: key, among: known) {
            report(origin, "unknown key \(key)", advice: "did you mean \(near)?")
        } else if let elsewhere = Setting.all.first(where: { $0.key.hasSuffix("." + last) || $0.key == last }) {
            report(origin, "unknown key \(key)", advice: "did you mean \(elsewhere.key)?")
        } else {
            report(origin, "unknown key \(key)", advice: "remove it, or see docs/configuration.md for all keys")
        }
    }

    /// Keys that the design has and this version has not.
    private static let later: [String: String] = [
        "username": "write it into the entry of a node, beside its url",
        "password": "write it into the entry of a node, beside its url",
        "password_file": "write it into the entry of a node, beside its url",
        "auth": "give the nodes' entries a username and a password_file; see access in docs/configuration.md",
    ]
}
