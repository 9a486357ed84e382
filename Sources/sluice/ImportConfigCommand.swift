// sluice import-config: makes a configuration out of that of a similar gateway.
import ArgumentParser
import Operations

struct ImportConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-config", abstract: "Turn the configuration of a similar gateway into one for Sluice.",
        discussion: """
            Prints it to standard output; comments say what was guessed and what has no equal. Three kinds are known: \
            a relay with a list of addresses (YAML), a proxy with backends and keymaps (JSON), and a proxy with circles \
            of backends (JSON or YAML).

              sluice import-config proxy.json > sluice.yaml && sluice check --config sluice.yaml
            """)

    @Argument(help: "The configuration of the other gateway.")
    var file: String

    func run() throws {
        do throws(ValueFault) {
            Terminal.show(try ImportedConfiguration(file: file).text)
        } catch {
            Terminal.complain("sluice: \(error.what): \(error.advice)")
            throw ExitCode.failure
        }
    }
}
