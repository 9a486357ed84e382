// What goes to the terminal and how a command ends: 0 well, 64 wrong use, 78 wrong configuration, 1 everything else.
import ArgumentParser
import Foundation
import Operations

enum Terminal {
    static let wrongConfiguration = ExitCode(78)

    static func show(_ text: String) {
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    static func show(json value: some Encodable) throws {
        show(String(decoding: try AdminJSON.encode(value, pretty: true), as: UTF8.self) + "\n")
    }

    static func complain(_ line: String) {
        FileHandle.standardError.write(Data((line + "\n").utf8))
    }

    /// Runs a command's work; an error becomes one line and exit code 1.
    static func run(_ work: () async throws -> Void) async throws {
        do {
            try await work()
        } catch let exit as ExitCode {
            throw exit
        } catch {
            complain("sluice: \(error)")
            throw ExitCode.failure
        }
    }
}
