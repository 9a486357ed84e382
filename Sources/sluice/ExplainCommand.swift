// sluice explain: says what the gateway would do with a query, without asking any node.
import ArgumentParser
import Operations

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say what the gateway would do with a query.",
        discussion: """
            No node is asked and nothing runs. Exit code 1: the gateway would refuse the query.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Option(help: "The request's db parameter.")
    var db = ""

    @Option(help: "The request's params: a JSON object with the values of bound parameters.")
    var params = ""

    @Option(help: ArgumentHelp("Explain it by the policy of this listener.", valueName: "host:port"))
    var listener: String?

    @Argument(help: "InfluxQL; several statements between semicolons.")
    var query: String

    func run() async throws {
        let loaded = try options.load()
        let explanation = Explanation(
            query: query, database: db, parameters: params, configuration: loaded.configuration,
            listener: listener)
        Terminal.show(explanation.text)
        if explanation.isRefused { throw ExitCode(1) }
    }
}
