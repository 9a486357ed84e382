// The checks at rest: no client waits for an answer, all nodes have applied the whole log.

import Foundation
import TestSupport

struct Verification: Sendable {
    let world: World
    let book: RegisterBook
    let appends: AppendBook
    let mutator: Mutator
    let bad: BadClient
    let timeline: Timeline

    /// Holds every node to what clients were promised, and nodes to each other; then what stands there is what was promised.
    func run(past rounds: inout [AppendBook.Round], isLast: Bool) async throws {
        try await requireSameEverywhere()
        try await requireRegisters()
        rounds.append(appends.nextRound())
        // Earlier rounds were checked, and nothing was written there since; at the end all are checked once more.
        for round in isLast ? rounds : rounds.suffix(1) {
            try await requireAppends(round)
        }
        try await requireMutations()
        try await requireBadLines()
    }

    private func table(_ node: InfluxNode, _ question: String, db: String) async throws -> SeriesTable {
        let reply = try await node.client.query(question, db: db)
        guard reply.status == 200, reply.error == nil else {
            throw TestFailure("\(question) on \(node.name): \(reply)")
        }
        return try SeriesTable(reply)
    }

    private func requireSameEverywhere() async throws {
        do {
            try await requireSameSchema(world.nodes)
            for database in try await databases(world.nodes[0]) { try await requireSameData(world.nodes, db: database) }
        } catch {
            throw Violation("nodes are not equal: \(error)")
        }
    }

    private func databases(_ node: InfluxNode) async throws -> [String] {
        try await node.client.names("SHOW DATABASES").filter { $0 != "_sluice" && $0 != "_internal" }
    }

    private func requireRegisters() async throws {
        for database in 0..<RegisterWriter.databases {
            let known = book.names.filter { $0.database == database }
            var settled: [RegisterName: Int] = [:]
            for node in world.nodes {
                let table = try await table(node, "SELECT v FROM r GROUP BY s, w", db: "c\(database)")
                var keys = Set(table.values.keys)
                for name in known {
                    let key = SeriesTable.Key(
                        tags: ["s": "\(name.series)", "w": "\(name.writer)"], time: name.seconds * 1_000_000_000)
                    keys.remove(key)
                    let value = table.value(tags: key.tags, time: key.time)
                    if let complaint = book[name].complaintAtRest(value) {
                        throw Violation(
                            "at rest node \(node.name) holds of \(name) \(complaint)\nits history:\n\(book.history(of: name))"
                        )
                    }
                    settled[name] = value
                }
                if let odd = keys.first { throw Violation("node \(node.name) holds a point that nobody sent: \(odd)") }
            }
            for name in known {
                book.change([name], "at rest: \(settled[name].map(String.init) ?? "nothing")") {
                    $0.settle(at: settled[name])
                }
            }
        }
    }

    private func requireAppends(_ round: AppendBook.Round) async throws {
        for node in world.nodes {
            let table = try await table(node, "SELECT v FROM \(round.measurement) GROUP BY w", db: AppendBook.db)
            if let complaint = AppendBook.complaint(table, round) {
                throw Violation("at rest on node \(node.name), \(round.measurement): \(complaint)")
            }
        }
    }

    private func requireMutations() async throws {
        let model = mutator.model
        var found: [Int: Int] = [:]
        var exists = false
        for node in world.nodes {
            exists = try await databases(node).contains(model.database)
            found = [:]
            if exists { found = MutatorModel.points(try await table(node, "SELECT v FROM m", db: model.database)) }
            if let complaint = model.complaint(found) {
                throw Violation("at rest on node \(node.name), \(complaint)\nhistory:\n\(mutator.history)")
            }
            if model.pending == nil, !model.isOpen, exists != model.isCreated {
                throw Violation(
                    "at rest \(model.database) \(exists ? "exists" : "does not exist") on node \(node.name)\n\(mutator.history)"
                )
            }
        }
        mutator.settle(found, databaseExists: exists)
    }

    private func requireBadLines() async throws {
        let book = bad.book
        for node in world.nodes {
            let table = try await table(node, "SELECT v FROM \(BadClient.measurement)", db: BadClient.db)
            if let complaint = BadClient.complaint(table, book) {
                throw Violation("at rest on node \(node.name), \(BadClient.measurement): \(complaint)")
            }
        }
        // They are indexed a moment after the refusal; the list begins with the newest.
        var complaint: String?
        do {
            try await eventually("dead letters are complete", within: .seconds(10), every: .milliseconds(100)) {
                let letters = try await world.gateway.deadLetters(db: BadClient.db, limit: 10_000)
                bad.note(deadLetters: letters.deadLetters.map(\.line))
                complaint = BadClient.complaint(bad.book)
                return complaint == nil
            }
        } catch {
            throw Violation("dead letters: \(complaint ?? "\(error)")")
        }
        for database in (0..<RegisterWriter.databases).map({ "c\($0)" }) + [mutator.model.database] {
            let letters = try await world.gateway.deadLetters(db: database).deadLetters
            if let letter = letters.first {
                throw Violation("a good line became a dead letter in \(database): \(letter)")
            }
        }
    }
}
