// sluice deadletters: lines that the nodes refused for good, from a running gateway or from the folder of a stopped one.
import ArgumentParser
import Operations

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deadletters", abstract: "Lines that the nodes refused, with their reasons.",
        subcommands: [List.self, Show.self])

    struct Source: ParsableArguments {
        @OptionGroup var admin: AdminOptions

        @Option(help: "Data folder of a stopped gateway, instead of a running one.")
        var dataDir: String?
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "The newest dead letters.")

        @OptionGroup var source: Source

        @Option(help: "Only those of one database.")
        var db: String?

        @Option(help: "How many at most.")
        var limit = 100

        @Flag(help: "Print JSON.")
        var json = false

        func validate() throws {
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit is a number from 1 to 10000") }
        }

        func run() async throws {
            try await Terminal.run {
                let found = try await letters()
                if json {
                    Terminal.show(String(decoding: try AdminJSON.encode(found, pretty: true), as: UTF8.self) + "\n")
                    return
                }
                guard !found.deadLetters.isEmpty else {
                    Terminal.show("No dead letters.\n")
                    return
                }
                var table = TextTable(columns: [">ID", "TIME", "NODE", "DATABASE", "MEASUREMENT", "REASON"])
                for letter in found.deadLetters {
                    table.add([
                        String(letter.id), letter.time, letter.node.isEmpty ? "all" : letter.node, letter.database,
                        letter.measurement, letter.reason,
                    ])
                }
                Terminal.show(table.lines().joined(separator: "\n") + "\n")
                Terminal.show(
                    "\n\(StatusText.grouped(UInt64(found.total))) lines were refused in all; sluice deadletters show ID prints one.\n"
                )
            }
        }

        private func letters() async throws -> DeadLetterList {
            guard let folder = source.dataDir else {
                return try await source.admin.client.deadLetters(database: db, limit: limit)
            }
            let index = try DeadLetterIndex(readingFrom: folder)
            return DeadLetterList(total: index.total, deadLetters: try await index.list(database: db, limit: limit))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One dead letter, the line as it was sent.")

        @OptionGroup var source: Source

        @Argument(help: "Its id, as in the list.")
        var id: Int64

        @Flag(help: "Print JSON.")
        var json = false

        func run() async throws {
            try await Terminal.run {
                let letter = try await letter()
                if json {
                    Terminal.show(String(decoding: try AdminJSON.encode(letter, pretty: true), as: UTF8.self) + "\n")
                    return
                }
                Terminal.show(
                    """
                    refused   \(letter.time)
                    by node   \(letter.node.isEmpty ? "all" : letter.node)
                    database  \(letter.database)
                    record    \(letter.offset), line \(letter.lineNumber)
                    reason    \(letter.reason)

                    \(letter.line)

                    """)
            }
        }

        private func letter() async throws -> DeadLetter {
            guard let folder = source.dataDir else { return try await source.admin.client.deadLetter(id: id) }
            guard let letter = try await DeadLetterIndex(readingFrom: folder).letter(id: id) else {
                throw ServingError("there is no dead letter \(id)", advice: "see sluice deadletters list")
            }
            return letter
        }
    }
}
