// The benchmark of the gateway: a sink in the place of InfluxDB, a load generator, and a run that puts both around a
// gateway and writes down what came out.

import ArgumentParser

@main struct SluiceBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-bench",
        abstract: "Measures what a gateway does, and what it costs.",
        subcommands: [Run.self, Load.self, Sink.self],
        defaultSubcommand: Run.self
    )
}

/// An error that ends the program with one line.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }

    /// The failure of a system call, with its reason.
    static func system(_ what: String, _ number: Int32) -> BenchError {
        BenchError("\(what): \(errorText(number))")
    }
}
