// Runs small programs such as `ip` and `tc` to their end.

import Foundation
import TestSupport

struct Tool: Sendable {
    let logFolder: URL

    /// Throws with the program's own words when it fails.
    func run(_ arguments: [String]) async throws {
        let name = "tool-\(UInt32.random(in: .min ... .max))"
        let process = try ChildProcess(name: name, arguments: arguments, logFolder: logFolder)
        defer {
            try? FileManager.default.removeItem(at: process.standardOutput)
            try? FileManager.default.removeItem(at: process.standardError)
        }
        let status = try await process.waitForExit(within: .seconds(10))
        if status != .exited(0) {
            throw TestFailure("\(arguments.joined(separator: " ")): \(status)\n\(process.log(lastLines: 5))")
        }
    }

    static func path(of program: String) -> String? {
        ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
