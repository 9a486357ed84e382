// Which databases and retention policies there were when nodes last said so, for the time after a start in which none
// does: a note beside the cursors. What a statement takes away is forgotten on disk before the log has the statement.

import CommitLog
import Logging
import Replication

final class SchemaMemory: Sendable {
    static let noteName = "schema"
    /// What does not fit is not remembered.
    private static let longestNote = 48 << 10

    /// Of the last run.
    let recalled: Catalogue?
    private let log: CommitLog
    private let logger: Logger

    init(log: CommitLog, logger: Logger) {
        self.log = log
        self.logger = logger
        recalled = log.note(Self.noteName).map { Catalogue(note: $0) }
    }

    /// On disk with the next checkpoint.
    func keep(_ catalogue: Catalogue) {
        let note = catalogue.note(atMost: Self.longestNote)
        guard note != log.note(Self.noteName) else { return }
        do {
            try log.setNote(Self.noteName, note)
        } catch {
            logger.warning("which databases there are cannot be remembered", metadata: ["error": "\(error)"])
            try? log.setNote(Self.noteName, nil)
        }
    }
}

extension Catalogue {
    /// Lines of words: a database, its default policy (`+name` or `-`), its policies.
    package func note(atMost limit: Int) -> [UInt8] {
        var text = ""
        for (name, database) in databases.sorted(by: { $0.key < $1.key }) {
            let defaultPolicy = database.defaultPolicy.map { "+" + NodeRequests.percentEncoded($0) } ?? "-"
            let policies = database.policies.sorted().map { NodeRequests.percentEncoded($0) }
            let line = ([NodeRequests.percentEncoded(name), defaultPolicy] + policies).joined(separator: " ") + "\n"
            if text.utf8.count + line.utf8.count <= limit { text += line }
        }
        return Array(text.utf8)
    }

    package init(note: [UInt8]) {
        self.init()
        for line in String(decoding: note, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            guard words.count >= 2 else { continue }
            let defaultPolicy = words[1].first == "+" ? NodeRequests.decoded(words[1].dropFirst()) : nil
            databases[NodeRequests.decoded(words[0])] = Database(
                policies: Set(words.dropFirst(2).map { NodeRequests.decoded($0) }), defaultPolicy: defaultPolicy)
        }
    }
}
