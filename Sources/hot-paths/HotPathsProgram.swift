// Runs one hot path so many times and nothing else, for tools that count instructions. A program without concurrency:
// valgrind ends where the dispatch library starts threads.

import ArgumentParser
import HotPaths

@main struct HotPathsProgram: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hot-paths",
        abstract: "Does one piece of the gateway's work so many times; for callgrind and perf.",
        discussion: "Without a name: lists them."
    )

    @Argument(help: "Which.")
    var name: String?

    @Option(help: "How many times.")
    var times = 1000

    func validate() throws {
        guard times >= 0 else { throw ValidationError("--times must not be negative") }
    }

    func run() throws {
        guard let name else {
            for path in HotPath.all { print("\(path.name): \(path.title), \(path.bytes) bytes") }
            return
        }
        guard let path = HotPath.all.first(where: { $0.name == name }) else {
            throw ValidationError("\(name) is none of \(HotPath.all.map(\.name).joined(separator: ", "))")
        }
        let call = path.prepared()
        for _ in 0..<times { call() }
    }
}
