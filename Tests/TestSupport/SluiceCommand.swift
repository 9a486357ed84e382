// Commands of the built program that a test uses to get something: an operator's way to hashes of passwords.

import Foundation

package enum SluiceCommand {
    package struct User: Sendable {
        let name: String
        let password: String?
        let rest: String

        /// - Parameter rest: further keys of the entry, such as `grants: {d: read}`.
        package init(_ name: String, _ password: String?, _ rest: String) {
            self.name = name
            self.password = password
            self.rest = rest
        }
    }

    /// The value of `users` in a configuration.
    package static func users(_ users: [User]) async throws -> String {
        var entries: [String] = []
        for user in users {
            var parts = ["name: \"\(user.name)\""]
            if let password = user.password {
                parts.append(try hash(of: password))
            }
            if !user.rest.isEmpty { parts.append(user.rest) }
            entries.append("{\(parts.joined(separator: ", "))}")
        }
        return "[\(entries.joined(separator: ", "))]"
    }

    /// A token and its hash.
    package static func token() async throws -> (token: String, hash: String) {
        let lines = try await GatewayProcess.run(["users", "token"]).output.split(separator: "\n").map { line in
            line.drop { $0 != " " }.trimmingCharacters(in: CharacterSet(charactersIn: " \""))
        }
        guard lines.count == 2 else { throw TestFailure("sluice users token printed \(lines)") }
        return (lines[0], lines[1])
    }

    /// `password_hash: "..."`, as the program prints it for a password on its standard input.
    private static func hash(of password: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try GatewayProcess.executable())
        process.arguments = ["users", "hash"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data((password + "\n").utf8))
        try input.fileHandleForWriting.close()
        let printed = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw TestFailure("sluice users hash ended with \(process.terminationStatus)")
        }
        return String(decoding: printed, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
