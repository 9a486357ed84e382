// The command line: each command reads its flags here and leaves the work to Operations.
import ArgumentParser
import Operations

@main
struct Sluice: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Makes N plain InfluxDB 1.x servers one fault-tolerant database.",
        version: SluiceVersion.current,
        subcommands: [
            ServeCommand.self, CheckCommand.self, DemoCommand.self, StatusCommand.self, NodesCommand.self,
            DoctorCommand.self, ExplainCommand.self, DeadLettersCommand.self, LogCommand.self,
            UsersCommand.self, PlacementCommand.self, ImportConfigCommand.self,
        ])
}
