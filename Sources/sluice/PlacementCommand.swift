// sluice placement: where measurements lie by the rules of a configuration. No gateway and no node is asked.
import ArgumentParser
import Operations

struct PlacementCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "placement", abstract: "Which nodes hold which measurements, by the rules of a configuration.",
        subcommands: [Explain.self, Simulate.self])

    struct Explain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The nodes of measurements, and the rule that says so.",
            discussion: """
                No node is asked. Exit code 1: no rule places one of them, and its points would be refused.

                  sluice placement explain --config sluice.yaml telegraf cpu disk
                """)

        @OptionGroup var options: ConfigurationOptions

        @Flag(help: "Print JSON; keys are only ever added.")
        var json = false

        @Argument(help: "The database.")
        var database: String

        @Argument(help: "Measurements.")
        var measurements: [String]

        func run() async throws {
            let loaded = try options.load()
            let explanation = PlacementExplanation(
                of: measurements, database: database, configuration: loaded.configuration)
            try json ? Terminal.show(json: explanation) : Terminal.show(explanation.text)
            if !explanation.isPlaced { throw ExitCode(1) }
        }
    }

    struct Simulate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How evenly measurements lie, and how many would move if nodes came or went.",
            discussion: """
                Reads names of measurements from standard input, one a line. Nothing is changed, no node is asked.

                  influx -database iot -execute 'SHOW MEASUREMENTS' | tail -n +4 > names
                  sluice placement simulate --config sluice.yaml --database iot --with e=dc2 < names
                """)

        @OptionGroup var options: ConfigurationOptions

        @Option(help: "The database of the measurements; else rules of single databases do not count.")
        var database = ""

        @Option(help: ArgumentHelp("A node that goes; repeat it for more.", valueName: "name"))
        var without: [String] = []

        @Option(
            help: ArgumentHelp(
                "A node that comes, perhaps with its zone and weight; repeat it for more.",
                valueName: "name[=zone][:weight]"))
        var with: [String] = []

        @Flag(help: "Print JSON; keys are only ever added.")
        var json = false

        func run() async throws {
            let loaded = try options.load()
            var names: [String] = []
            while let line = readLine() {
                let name = line.hasSuffix("\r") ? String(line.dropLast()) : line
                if !name.isEmpty { names.append(name) }
            }
            do throws(ValueFault) {
                var coming: [SimulatedNode] = []
                for text in with { coming.append(try SimulatedNode(parsing: text)) }
                let simulation = try PlacementSimulation(
                    of: names, database: database, configuration: loaded.configuration, without: without, with: coming)
                show(simulation)
            } catch {
                Terminal.complain("sluice: \(error.what): \(error.advice)")
                throw ExitCode.failure
            }
        }

        private func show(_ simulation: PlacementSimulation) {
            guard json else { return Terminal.show(simulation.text) }
            do {
                try Terminal.show(json: simulation)
            } catch {
                Terminal.complain("sluice: \(error)")
            }
        }
    }
}
