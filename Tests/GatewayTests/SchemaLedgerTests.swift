// When the gateway says what it knows of databases, and when it had better not.
import CommitLog
import Gateway
import Testing

@Suite("The catalogue and the changes that it does not show yet")
struct SchemaLedgerTests {
    private let catalogue = Catalogue(databases: [
        "d": .init(policies: ["autogen", "year"], defaultPolicy: "autogen"),
        "bare": .init(policies: [], defaultPolicy: nil),
    ])

    private func ledger() -> SchemaLedger {
        var ledger = SchemaLedger()
        ledger.learn(catalogue, from: ledger.beginLook(cursor: .zero))
        return ledger
    }

    @Test("before the first look nothing is known")
    func unknown() {
        let ledger = SchemaLedger()
        #expect(ledger.database("d") == .isUnknown)
        #expect(ledger.policy("autogen", of: "d") == .isUnknown)
    }

    @Test(
        "databases and policies are there or not",
        arguments: [
            ("d", "", Knowledge.exists, Knowledge.exists), ("d", "year", .exists, .exists),
            ("d", "none", .exists, .isMissing), ("bare", "", .exists, .isMissing), ("x", "", .isMissing, .isMissing),
            ("D", "autogen", .isMissing, .isMissing),
        ]
    )
    func known(database: String, policy: String, first: Knowledge, second: Knowledge) {
        #expect(ledger().database(database) == first)
        #expect(ledger().policy(policy, of: database) == second)
    }

    @Test("while a change of a database is under way nobody guesses about it, nor after it before a look has shown it")
    func underWay() {
        var ledger = ledger()
        let early = ledger.beginLook(cursor: Offset(rawValue: 100))
        let ticket = ledger.begin(.database("x"))
        #expect(ledger.database("x") == .isUnknown && ledger.database("d") == .exists)
        ledger.logged(ticket, at: Offset(rawValue: 7))
        #expect(ledger.isUnderWay("x"))
        // A look that began before shows nothing of it.
        ledger.learn(catalogue, from: early)
        #expect(ledger.database("x") == .isUnknown)
        #expect(!ledger.isWorthALook(cursor: Offset(rawValue: 7)))
        ledger.done(ticket)
        #expect(ledger.database("x") == .isUnknown && !ledger.isUnderWay("x"))
        #expect(ledger.isWorthALook(cursor: .zero))
        var later = catalogue
        later.databases["x"] = .init(policies: ["autogen"], defaultPolicy: "autogen")
        ledger.learn(later, from: ledger.beginLook(cursor: .zero))
        #expect(ledger.database("x") == .exists)
        #expect(!ledger.isWorthALook(cursor: .zero))
    }

    @Test("a change that no node answered is in doubt until the nodes have passed it")
    func unanswered() {
        var ledger = ledger()
        let ticket = ledger.begin(.database("d"))
        ledger.logged(ticket, at: Offset(rawValue: 7))
        ledger.learn(catalogue, from: ledger.beginLook(cursor: Offset(rawValue: 7)))
        #expect(ledger.database("d") == .isUnknown)
        #expect(ledger.isWorthALook(cursor: Offset(rawValue: 8)))
        ledger.learn(Catalogue(), from: ledger.beginLook(cursor: Offset(rawValue: 8)))
        #expect(ledger.database("d") == .isMissing)
    }

    @Test("a change that hides what it touches puts all in doubt; one that was not logged none")
    func scopes() {
        var ledger = ledger()
        let all = ledger.begin(.everything)
        #expect(ledger.database("d") == .isUnknown && ledger.database("x") == .isUnknown)
        ledger.notLogged(all)
        #expect(ledger.database("d") == .exists && ledger.database("x") == .isMissing)
    }

    @Test("where nodes differ the nodes have the word")
    func disputed() {
        var other = catalogue
        other.databases["d"]?.policies = ["autogen"]
        other.databases["x"] = .init(policies: ["autogen"], defaultPolicy: "autogen")
        var ledger = ledger()
        ledger.learn(Catalogue(agreedBy: [catalogue, other]), from: ledger.beginLook(cursor: .zero))
        #expect(ledger.database("bare") == .exists && ledger.database("y") == .isMissing)
        #expect(ledger.database("x") == .isUnknown && ledger.database("d") == .isUnknown)
        #expect(ledger.policy("autogen", of: "d") == .isUnknown)
    }
}
