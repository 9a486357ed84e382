// sluice check: says everything that is wrong with a configuration, without starting anything.
import ArgumentParser
import Operations

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check a configuration; every problem with its line.")

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print every key with its value and where it comes from.")
    var show = false

    func run() async throws {
        let loaded = try options.load()
        let configuration = loaded.configuration
        if show {
            var table = TextTable(columns: ["KEY", "VALUE", "FROM"])
            for setting in Setting.all {
                let origin = loaded.origins[setting.key] ?? .builtIn
                table.add([setting.key, setting.render(configuration), origin.description])
            }
            if let tls = configuration.tls {
                table.add(["tls", "\(tls)", (loaded.origins["tls"] ?? .builtIn).description])
            }
            for (number, listener) in configuration.listeners.enumerated() {
                let policy = listener.policy.map { "policy \($0)" } ?? "the general policy"
                let origin = loaded.listenerOrigins[number].description
                let tls = listener.tls.map { ", \($0)" } ?? ""
                table.add(["listener \(number + 1)", "\(listener.address), \(policy)\(tls)", origin])
            }
            for listener in configuration.udp {
                table.add(["udp", "\(listener.address), database \(listener.database)", "file"])
            }
            for node in configuration.nodes {
                let user = node.credential.map { " as user \($0.username)" } ?? ""
                let tls = node.tls.map { ", \($0)" } ?? ""
                let zone = node.zone.isEmpty ? "" : ", zone \(node.zone)"
                let role = node.role == .normal ? "" : ", \(node.role.rawValue)"
                table.add([
                    "node \(node.name)", node.url + user + tls + zone + role,
                    (loaded.origins["nodes"] ?? .builtIn).description,
                ])
            }
            for rule in loaded.placementRules {
                table.add([rule.name, rule.target.description, rule.origin.description])
            }
            Terminal.show(table.lines().joined(separator: "\n") + "\n\n")
        }
        let count = configuration.nodes.count
        let sets = configuration.placement == nil ? 1 : configuration.replicaSetCount
        Terminal.show(
            "The configuration is good: \(count) node\(count == 1 ? "" : "s"), "
                + "\(sets == 1 ? "" : "\(sets) possible replica sets, ")ack \(configuration.ack.rawValue).\n")
    }
}
