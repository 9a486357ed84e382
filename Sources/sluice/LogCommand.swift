// sluice log: looks into the commit log of a running or stopped gateway; it changes nothing.
import ArgumentParser
import Operations

struct LogCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log", abstract: "Look into the commit log, beside a running gateway or after one.",
        subcommands: [Info.self, Dump.self]
    )

    struct Source: ParsableArguments {
        @Option(help: "Data folder of the gateway.")
        var dataDir = Configuration().dataDirectory
    }

    struct Info: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Segments, cursors, damage.")

        @OptionGroup var source: Source

        @Flag(help: "Print JSON.")
        var json = false

        func run() async throws {
            try await Terminal.run {
                let report = try LogReport(dataDirectory: source.dataDir)
                if json {
                    try Terminal.show(json: report.info)
                } else {
                    Terminal.show(report.infoText())
                }
            }
        }
    }

    struct Dump: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The records, one line each; passwords in statements are not shown.")

        @OptionGroup var source: Source

        @Option(help: "Offset of the first record.")
        var from: UInt64?

        @Option(help: "How many records at most.")
        var limit = 1_000

        @Flag(help: "Also print the points of each record.")
        var lines = false

        func run() async throws {
            try await Terminal.run {
                let report = try LogReport(dataDirectory: source.dataDir)
                try report.dump(from: from, limit: limit, withLines: lines) { Terminal.show($0) }
            }
        }
    }
}
