// sluice status: nodes, states and backlogs of a running gateway.
import ArgumentParser
import Operations

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Nodes, their states and backlogs, and why a node is not in-sync.",
        discussion: "Exits with 1 when the gateway does not answer or is not ready.")

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print JSON; keys are only ever added.")
    var json = false

    func run() async throws {
        try await Terminal.run {
            let report = try await admin.client.status()
            if json {
                try Terminal.show(json: report)
            } else {
                Terminal.show(StatusText.render(report))
            }
            if !report.ready.isReady { throw ExitCode.failure }
        }
    }
}
