// sluice status: nodes, states and backlogs of a running gateway.
import ArgumentParser
import Foundation
import Operations

struct AdminOptions: ParsableArguments {
    static let defaultAddress = Configuration().admin.description

    @Option(help: "Admin address of the gateway; also SLUICE_ADMIN.")
    var admin: String?

    var client: AdminClient {
        AdminClient(address: admin ?? ProcessInfo.processInfo.environment["SLUICE_ADMIN"] ?? Self.defaultAddress)
    }
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Nodes, their states and backlogs.",
        discussion: "Exits with 1 when the gateway does not answer or is not ready.")

    @OptionGroup var admin: AdminOptions

    @Flag(help: "Print JSON; keys are only ever added.")
    var json = false

    func run() async throws {
        try await Terminal.run {
            let report = try await admin.client.status()
            if json {
                Terminal.show(String(decoding: try AdminJSON.encode(report, pretty: true), as: UTF8.self) + "\n")
            } else {
                Terminal.show(StatusText.render(report))
            }
            if !report.ready.isReady { throw ExitCode.failure }
        }
    }
}
