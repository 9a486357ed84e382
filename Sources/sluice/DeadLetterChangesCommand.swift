// sluice deadletters retry and purge: both say first what they would do.
import ArgumentParser
import Foundation
import Operations

struct DeadLetterChoice: ParsableArguments {
    @Option(name: .customLong("id"), help: "One dead letter; repeat it for more.")
    var ids: [Int64] = []

    @Option(help: "Those of one database.")
    var db: String?

    @Option(help: "Of these only those of one measurement.")
    var measurement: String?

    @Option(help: "Of these only those whose reason has this text in it.")
    var reason: String?

    @Flag(help: "All there are.")
    var all = false

    func validate() throws {
        if let fault = selection.fault {
            throw ValidationError("\(fault) (--id N, --db NAME or --all)")
        }
    }

    var selection: DeadLetterSelection {
        DeadLetterSelection(
            ids: ids.isEmpty ? nil : ids, database: db, measurement: measurement, reason: reason, all: all ? true : nil)
    }
}

struct RetryDeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retry", abstract: "Write refused lines again, after their cause is gone.",
        discussion: """
            The lines are written with their own timestamps, as if they came now: where a newer value of the same \
            point was written since, the old one replaces it. What is taken is a dead letter no more, what is refused \
            again stays with the new reason.

              sluice deadletters retry --db iot --measurement m          what it would do
              sluice deadletters retry --db iot --measurement m --yes    does it
            """)

    @OptionGroup var choice: DeadLetterChoice

    @Option(help: "For a gateway that asks for a password: who may write these lines.")
    var username: String?

    @Option(help: "File that holds this user's password.")
    var passwordFile: String?

    @OptionGroup var consent: Consent
    @OptionGroup var change: ChangeOptions

    func validate() throws {
        guard (username == nil) == (passwordFile == nil) else {
            throw ValidationError("--username and --password-file belong together")
        }
    }

    func run() async throws {
        try await Terminal.run {
            let client = try change.client()
            let credential = try credential()
            let plan = try await client.retryPlan(choice.selection, credential: credential)
            Terminal.show(DeadLetterText.render(plan))
            guard plan.lines > 0 else { return }
            guard consent.yes else {
                Terminal.show("Nothing was written; repeat with --yes to do it.\n")
                return
            }
            var sum = RetryOutcome()
            var after: Int64? = 0
            while let begin = after, sum.stopped == nil {
                let outcome = try await client.retry(
                    choice.selection, after: begin, upTo: plan.upTo, credential: credential)
                sum.taken += outcome.taken
                sum.refusedAgain += outcome.refusedAgain
                sum.left += outcome.left
                sum.stopped = outcome.stopped
                after = outcome.after
            }
            Terminal.show("\n" + DeadLetterText.render(sum))
            if let reason = sum.stopped {
                throw ServingError("the retry ended early (\(reason))", advice: "all other lines stay; repeat it later")
            }
        }
    }

    private func credential() throws -> RetryCredential? {
        guard let username, let passwordFile else { return nil }
        guard let data = FileManager.default.contents(atPath: passwordFile) else {
            throw ServingError("\(passwordFile) cannot be read", advice: "name the file that holds the password")
        }
        let text = String(decoding: data.prefix(4_096), as: UTF8.self)
        return RetryCredential(username: username, password: text.trimmingCharacters(in: .newlines))
    }
}

struct PurgeDeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge", abstract: "Remove dead letters for good.",
        discussion: "Without --yes the command only says how many there are. No node is changed.")

    @OptionGroup var choice: DeadLetterChoice
    @OptionGroup var consent: Consent
    @OptionGroup var change: ChangeOptions

    func run() async throws {
        try await Terminal.run {
            let lines = try await change.client().purge(choice.selection, dryRun: !consent.yes)
            let count = "\(lines) dead letter\(lines == 1 ? "" : "s")"
            Terminal.show(
                consent.yes
                    ? "\(count) removed.\n" : "\(count) would be removed for good; repeat with --yes to do it.\n")
        }
    }
}
