// Where a process finds its configuration: the file that is named, SLUICE_* variables, flags.
import Foundation

extension ConfigurationInput {
    /// A configuration file larger than this is some other file.
    private static let largestFile = 1_000_000

    /// Reads the file named by `--config` or SLUICE_CONFIG, if any.
    package init(configFile: String?, environment: [String: String] = ProcessInfo.processInfo.environment) throws {
        self.init()
        self.environment = environment
        guard let name = configFile ?? environment["SLUICE_CONFIG"] else { return }
        guard let data = FileManager.default.contents(atPath: name) else {
            let reason = String(cString: strerror(errno == 0 ? ENOENT : errno))
            throw ServingError(
                "the configuration file \(name) cannot be read (\(reason))",
                advice: "name a file that exists with --config")
        }
        guard data.count <= Self.largestFile, let text = String(data: data, encoding: .utf8) else {
            throw ServingError("the configuration file \(name) is not UTF-8 text", advice: "name a YAML or JSON file")
        }
        file = (name, text)
    }
}
