// sluice nodes: looks at nodes, takes one out for maintenance, lets one in that waits for a person's word.
import ArgumentParser
import Operations

struct NodesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "List nodes; pause, resume or trust one.",
        subcommands: [List.self, Pause.self, Resume.self, Trust.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Nodes with their states, and why one is not in-sync.")

        @OptionGroup var admin: AdminOptions

        @Flag(help: "Print JSON; keys are only ever added.")
        var json = false

        func run() async throws {
            try await Terminal.run {
                let nodes = try await admin.client.status().nodes
                if json {
                    try Terminal.show(json: nodes)
                } else {
                    Terminal.show(StatusText.nodes(nodes))
                }
            }
        }
    }

    struct Pause: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Leave a node alone: it gets nothing and is not read until it is resumed.",
            discussion: """
                Its backlog stays in the log, so nothing is lost as long as the log has room (see sluice status).

                  sluice nodes pause b                          # before maintenance of b
                  sluice nodes pause b --as-failure --for 60s   # a fire drill: the alerts should ring
                """)

        @Argument(help: "Name of the node.")
        var node: String

        @Flag(help: "As if the node had failed, so that alerts ring.")
        var asFailure = false

        @Option(
            name: .customLong("for"), help: ArgumentHelp("Resume by itself, after 60s or 2h.", valueName: "duration"))
        var duration: String?

        @Flag(help: "Also when no other node is in-sync.")
        var force = false

        @OptionGroup var change: ChangeOptions

        func run() async throws {
            var wish = PauseRequest(asFailure: asFailure, force: force)
            if let duration { wish.forSeconds = try Self.seconds(duration) }
            try await Terminal.run {
                Terminal.show(try await change.client().pause(node: node, wish) + "\n")
            }
        }

        private static func seconds(_ text: String) throws -> Int {
            let duration: Duration
            do {
                duration = try DurationText.parse(text)
            } catch {
                throw ValidationError("--for \(text) \(error.what): \(error.advice)")
            }
            let seconds = duration.components.seconds + (duration.components.attoseconds > 0 ? 1 : 0)
            guard (1...Int64(PauseRequest.longest)).contains(seconds) else {
                throw ValidationError("--for \(text) is out of bounds: write 1s to 30d")
            }
            return Int(seconds)
        }
    }

    struct Resume: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a pause: the node gets its backlog, then it is in-sync again.")

        @Argument(help: "Name of the node.")
        var node: String

        @OptionGroup var change: ChangeOptions

        func run() async throws {
            try await Terminal.run {
                Terminal.show(try await change.client().resume(node: node) + "\n")
            }
        }
    }

    struct Trust: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Declare a node good that waits for a person's word (unattached or needs-copy).",
            discussion: """
                Whatever the node holds then counts as right, also where it differs from the others. Without --yes the
                command only says what it would do. sluice status says why the node waits.
                """)

        @Argument(help: "Name of the node.")
        var node: String

        @OptionGroup var consent: Consent
        @OptionGroup var change: ChangeOptions

        func run() async throws {
            try await Terminal.run {
                Terminal.show(try await change.client().trust(node: node, dryRun: !consent.yes) + "\n")
                if !consent.yes { Terminal.show("Nothing was changed; repeat with --yes to do it.\n") }
            }
        }
    }
}
