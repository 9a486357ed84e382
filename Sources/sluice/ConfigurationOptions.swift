// The flags that say where the configuration comes from; the same for every command that needs one.
import ArgumentParser
import Operations

struct ConfigurationOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "YAML or JSON file; also SLUICE_CONFIG.")
    var config: String?

    @Option(
        name: .customLong("node"),
        help: ArgumentHelp("A node; repeat it for each. Replaces the file's nodes.", valueName: "name=url"))
    var nodes: [String] = []

    @Option(help: "Address for InfluxDB clients.")
    var listen: String?

    @Option(help: "Address for health, metrics, status and changes.")
    var admin: String?

    @Option(help: "Folder of the commit log, the dead letters and the admin token.")
    var dataDir: String?

    @Option(help: "any, one, quorum, insync or all.")
    var ack: String?

    @Option(help: "Event loops.")
    var threads: String?

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Any key of the configuration, such as limits.body=50MB.", valueName: "key=value"))
    var settings: [String] = []

    /// Loads it and prints everything that is wrong; throws the exit code when it cannot be used.
    func load() throws -> LoadedConfiguration {
        var input: ConfigurationInput
        do {
            input = try ConfigurationInput(configFile: config)
        } catch {
            Terminal.complain("sluice: \(error)")
            throw Terminal.wrongConfiguration
        }
        input.nodeFlags = nodes
        let flags = [
            ("--listen", "listen", listen), ("--admin", "admin", admin), ("--data-dir", "data_dir", dataDir),
            ("--ack", "ack", ack), ("--threads", "threads", threads), ("--log-level", "log_level", logLevel),
        ]
        input.flags = flags.compactMap { flag, key, value in value.map { (flag: flag, key: key, value: $0) } }
        for text in settings {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw ValidationError("--set \(text): write key=value, such as limits.body=50MB")
            }
            input.flags.append((flag: "--set", key: String(parts[0]), value: String(parts[1])))
        }
        let loaded = ConfigurationLoader.load(input)
        for problem in loaded.problems {
            Terminal.complain("\(problem)")
        }
        guard loaded.errors.isEmpty else { throw Terminal.wrongConfiguration }
        return loaded
    }
}
