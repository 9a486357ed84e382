// sluice demo: what Sluice does, shown on this machine with real InfluxDB servers.
import ArgumentParser
import Operations

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Two real InfluxDB servers and a gateway on this machine; kills one, shows it catch up.")

    @Flag(help: "End after the show instead of staying up.")
    var once = false

    func run() async throws {
        try await Terminal.run { try await Demo.run(once: once) }
    }
}
