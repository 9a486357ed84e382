// sluice users: makes what the configuration holds of a password or a token.
import ArgumentParser
import Foundation
import NodeClient
import Operations

struct UsersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "users", abstract: "Make the hashes that the users of a configuration have.",
        subcommands: [HashCommand.self, TokenCommand.self])

    struct HashCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "hash", abstract: "Ask for a password and print its password_hash.",
            discussion: "The password is read from the terminal without showing it, or from standard input.")

        func run() throws {
            guard let password = Terminal.readPassword("Password: "), !password.isEmpty else {
                Terminal.complain("sluice: no password was given")
                throw ExitCode.failure
            }
            if isatty(STDIN_FILENO) == 1, Terminal.readPassword("The same again: ") != password {
                Terminal.complain("sluice: the two passwords differ")
                throw ExitCode.failure
            }
            Terminal.show("password_hash: \"\(try PasswordHash(of: password).reveal())\"\n")
        }
    }

    struct TokenCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "token", abstract: "Make a token, and print it with its token_hash.",
            discussion:
                "The token is for the program that uses it and is kept nowhere; its hash is for the configuration.")

        func run() {
            let token = TokenHash.makeToken()
            Terminal.show("token:      \(token.reveal())\ntoken_hash: \"\(TokenHash(of: token).text)\"\n")
        }
    }
}

extension Terminal {
    /// A line from standard input, not shown if that is a terminal.
    static func readPassword(_ prompt: String) -> Secret? {
        guard isatty(STDIN_FILENO) == 1 else { return readLine().map { Secret($0) } }
        FileHandle.standardError.write(Data(prompt.utf8))
        var before = termios()
        tcgetattr(STDIN_FILENO, &before)
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            FileHandle.standardError.write(Data("\n".utf8))
        }
        return readLine().map { Secret($0) }
    }
}
