// sluice deadletters: lines that the nodes refused for good, from a running gateway or from the folder of a stopped one.
import ArgumentParser
import Operations

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deadletters", abstract: "Lines that the nodes refused, with their reasons.",
        subcommands: [List.self, Show.self, RetryDeadLettersCommand.self, PurgeDeadLettersCommand.self])

    struct Source: ParsableArguments {
        @OptionGroup var admin: AdminOptions

        @Option(help: "Data folder of a stopped gateway, instead of a running one.")
        var dataDir: String?
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What was refused, by database, measurement and reason; or single lines.",
            discussion: """
                KEPT lines can be shown, retried and purged; REFUSED counts all, also those beyond limits.dead_letters.
                """)

        @OptionGroup var source: Source

        @Option(help: "Only those of one database.")
        var db: String?

        @Option(help: "Only those of one measurement.")
        var measurement: String?

        @Option(help: "Only those whose reason has this text in it.")
        var reason: String?

        @Option(help: "How many at most.")
        var limit = 100

        @Flag(help: "Single lines, the newest first.")
        var lines = false

        @Flag(help: "Print JSON; keys are only ever added.")
        var json = false

        func validate() throws {
            guard (1...10_000).contains(limit) else { throw ValidationError("--limit is a number from 1 to 10000") }
        }

        private var selection: DeadLetterSelection {
            DeadLetterSelection(database: db, measurement: measurement, reason: reason)
        }

        func run() async throws {
            try await Terminal.run {
                if lines {
                    let found = try await letters()
                    try json ? Terminal.show(json: found) : Terminal.show(DeadLetterText.render(found))
                } else {
                    let found = try await reasons()
                    try json ? Terminal.show(json: found) : Terminal.show(DeadLetterText.render(found))
                }
            }
        }

        private func letters() async throws -> DeadLetterList {
            guard let folder = source.dataDir else {
                return try await source.admin.client.deadLetters(selection, limit: limit)
            }
            let index = try DeadLetterIndex(readingFrom: folder)
            return DeadLetterList(total: index.total, deadLetters: try await index.list(selection, limit: limit))
        }

        private func reasons() async throws -> DeadLetterSummary {
            guard let folder = source.dataDir else {
                return try await source.admin.client.deadLetterReasons(selection, limit: limit)
            }
            let index = try DeadLetterIndex(readingFrom: folder)
            return DeadLetterSummary(total: index.total, reasons: try await index.reasons(selection, limit: limit))
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "One dead letter, the line as it was sent.")

        @OptionGroup var source: Source

        @Argument(help: "Its id, as in sluice deadletters list --lines.")
        var id: Int64

        @Flag(help: "Print JSON; keys are only ever added.")
        var json = false

        func run() async throws {
            try await Terminal.run {
                let letter = try await letter()
                try json ? Terminal.show(json: letter) : Terminal.show(DeadLetterText.render(letter))
            }
        }

        private func letter() async throws -> DeadLetter {
            guard let folder = source.dataDir else { return try await source.admin.client.deadLetter(id: id) }
            guard let letter = try await DeadLetterIndex(readingFrom: folder).letter(id: id) else {
                throw ServingError("there is no dead letter \(id)", advice: "see sluice deadletters list --lines")
            }
            return letter
        }
    }
}
