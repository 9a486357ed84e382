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
        #expect(ledger.database("d") == .isUnheard)
        #expect(ledger.policy("autogen", of: "d") == .isUnheard)
    }

    @Test("after a restart the last run's databases count until a node speaks, but for what a change touches")
    func recalled() {
        var ledger = SchemaLedger(recalled: Catalogue(note: catalogue.note(atMost: 1_000)))
        #expect(ledger.database("d") == .existed && ledger.policy("year", of: "d") == .existed)
        #expect(ledger.database("x") == .isUnheard && ledger.policy("none", of: "d") == .isUnheard)
        #expect(ledger.policy("", of: "bare") == .isUnheard && ledger.defaultPolicy(of: "d") == "autogen")
        #expect(ledger.memorable == catalogue)
        let ticket = ledger.begin(.database("d"))
        #expect(ledger.database("d") == .isUnknown && ledger.memorable.databases.keys.sorted() == ["bare"])
        ledger.notLogged(ticket)
        ledger.learn(Catalogue(), from: ledger.beginLook(cursor: .zero))
        #expect(ledger.database("d") == .isMissing && ledger.memorable == Catalogue())
    }

    @Test("what is remembered survives its note, whatever it is called; what does not fit is not remembered")
    func note() {
        var odd = catalogue
        odd.databases["a b\nc+\u{e9}%20"] = .init(policies: ["-", "+", "", "r\tp"], defaultPolicy: "+")
        odd.databases["-"] = .init(policies: ["autogen"], defaultPolicy: "")
        odd.disputed = ["gone"]
        let read = Catalogue(note: odd.note(atMost: 1_000))
        #expect(read.databases == odd.databases && read.disputed.isEmpty)
        let all = odd.note(atMost: 1_000)
        for limit in 0...all.count {
            let part = odd.note(atMost: limit)
            #expect(part.count <= limit)
            let some = Catalogue(note: part).databases
            #expect(some.allSatisfy { odd.databases[$0.key] == $0.value })
        }
        #expect(Catalogue(note: []) == Catalogue())
        #expect(Catalogue(note: Array("no note of ours\n\n%".utf8)).databases.count == 1)
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
