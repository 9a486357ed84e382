// What policies let through: each preset over every kind of statement, then shapes, rules, databases and their order.
import InfluxQL
import Querying
import Testing

/// Why a policy refuses a text; nil: it does not.
private func refusal(
    _ policy: Policy, _ text: String, db: String = "d", params: String = ""
) throws -> QueryPlan.Problem? {
    do throws(QueryPlan.Problem) {
        _ = try QueryPlan(
            text: Array(text.utf8), parameters: Array(params.utf8), context: StatementContext(database: db),
            policy: policy)
        return nil
    } catch {
        // What speaks of one node is refused by the plan itself, if the policy lets it through.
        if error.status == 400, error.message.contains("speaks of one node") { return nil }
        #expect(error.status == 403 && error.rule != nil, "\(text): \(error.message)")
        return error
    }
}

@Suite("Policy")
struct PolicyTests {
    /// What `read-only`, `dashboards` and `strict` say of each example.
    private static let table: [(StatementKind, readOnly: Bool, dashboards: Bool, strict: Bool)] = [
        (.select, true, true, true),
        (.selectInto, false, false, false),
        (.explain, true, true, false),
        (.explainAnalyze, true, true, false),
        (.showContinuousQueries, true, false, false),
        (.showDatabases, true, true, false),
        (.showDiagnostics, true, false, false),
        (.showFieldKeys, true, true, true),
        (.showFieldKeyCardinality, true, true, true),
        (.showGrants, true, false, false),
        (.showMeasurements, true, true, false),
        (.showMeasurementCardinality, true, true, true),
        (.showQueries, true, false, false),
        (.showRetentionPolicies, true, true, false),
        (.showSeries, true, true, true),
        (.showSeriesCardinality, true, true, true),
        (.showShardGroups, true, false, false),
        (.showShards, true, false, false),
        (.showStats, true, false, false),
        (.showSubscriptions, true, false, false),
        (.showTagKeys, true, true, true),
        (.showTagKeyCardinality, true, true, true),
        (.showTagValues, true, true, true),
        (.showTagValuesCardinality, true, true, true),
        (.showUsers, true, false, false),
        (.createContinuousQuery, false, false, false),
        (.createDatabase, false, false, false),
        (.createRetentionPolicy, false, false, false),
        (.createSubscription, false, false, false),
        (.createUser, false, false, false),
        (.alterRetentionPolicy, false, false, false),
        (.dropContinuousQuery, false, false, false),
        (.dropDatabase, false, false, false),
        (.dropMeasurement, false, false, false),
        (.dropRetentionPolicy, false, false, false),
        (.dropSeries, false, false, false),
        (.dropShard, false, false, false),
        (.dropSubscription, false, false, false),
        (.dropUser, false, false, false),
        (.delete, false, false, true),
        (.grant, false, false, false),
        (.grantAdmin, false, false, false),
        (.revoke, false, false, false),
        (.revokeAdmin, false, false, false),
        (.setPassword, false, false, false),
        (.killQuery, false, false, false),
    ]

    @Test("the table of presets has a row for every kind of statement")
    func everyKind() {
        #expect(Self.table.map(\.0.rawValue).sorted() == StatementKind.allCases.map(\.rawValue).sorted())
    }

    @Test("each preset allows exactly its kinds, and says which rule refuses the others")
    func presets() throws {
        for (kind, readOnly, dashboards, strict) in Self.table {
            let text = try #require(statementExamples[kind])
            let expected: [(Policy.Preset, Bool)] = [
                (.open, true), (.readOnly, readOnly), (.dashboards, dashboards), (.strict, strict),
            ]
            for (preset, isAllowed) in expected {
                let refusal = try refusal(Policy(preset: preset), text)
                #expect((refusal == nil) == isAllowed, "\(preset): \(text)")
                guard let refusal else { continue }
                #expect(refusal.rule?.rawValue == preset.rawValue)
                #expect(refusal.message.hasPrefix("error authorizing query: policy \(preset.rawValue): "))
                #expect(!refusal.message.contains("secret"))
            }
        }
    }

    @Test("a refusal names the rule and the statement")
    func words() throws {
        #expect(
            try refusal(Policy(preset: .strict), "DROP DATABASE d")?.message
                == "error authorizing query: policy strict: DROP DATABASE is not allowed here")
        let policy = Policy(databases: ["iot": Policy.Rules(preset: .readOnly)])
        #expect(
            try refusal(policy, "DELETE FROM cpu", db: "iot")?.message
                == "error authorizing query: policy read-only of database iot: DELETE is not allowed here")
    }

    @Test(
        "strict takes one statement on one measurement that FROM names, and nothing inside it",
        arguments: [
            ("SELECT v FROM cpu", true), ("SELECT * FROM d.autogen.cpu GROUP BY *", true),
            ("SELECT v FROM d..cpu", true),
            ("SELECT v FROM cpu;", true), ("SELECT v FROM cpu -- c", true),
            ("SELECT /x/ FROM cpu WHERE a =~ /y/", true),
            ("SELECT v FROM cpu, mem", false), ("SELECT v FROM cpu, cpu", false), ("SELECT v FROM /cpu/", false),
            ("SELECT v FROM /^cpu$/", false), ("SELECT v FROM d..cpu, e..cpu", false), ("SELECT v FROM \"\"", false),
            ("SELECT v FROM (SELECT v FROM cpu)", false), ("SELECT v FROM cpu, (SELECT v FROM cpu)", false),
            ("SELECT v FROM (SELECT v INTO x FROM cpu)", false), ("SELECT v FROM cpu; SELECT v FROM cpu", false),
            ("SHOW TAG KEYS", false), ("SHOW TAG KEYS ON d", false), ("SHOW TAG KEYS ON d FROM cpu", true),
            ("SHOW TAG KEYS FROM cpu, mem", false), ("SHOW TAG KEYS FROM /cpu/", false),
            ("SHOW TAG VALUES WITH KEY = host", false), ("SHOW SERIES", false), ("SHOW SERIES CARDINALITY", false),
            ("SHOW MEASUREMENTS", false), ("SHOW MEASUREMENTS ON d", false), ("SHOW FIELD KEYS", false),
            ("SHOW RETENTION POLICIES ON d", false), ("DELETE FROM cpu WHERE time < 5", true),
            ("DELETE WHERE time < 5", false), ("DELETE FROM /cpu/", false), ("DELETE FROM cpu, mem", false),
            ("DROP SERIES FROM cpu", false), ("EXPLAIN SELECT v FROM cpu", false),
        ] as [(String, Bool)])
    func strict(text: String, isAllowed: Bool) throws {
        #expect((try refusal(Policy(preset: .strict), text) == nil) == isAllowed)
    }

    @Test("I1 strict judges a measurement by the value of its parameter")
    func parameters() throws {
        let strict = Policy(preset: .strict)
        #expect(try refusal(strict, "SELECT v FROM $m", params: #"{"m":{"identifier":"cpu"}}"#) == nil)
        #expect(try refusal(strict, "SELECT v FROM $m", params: #"{"m":{"regex":".*"}}"#)?.rule == .strict)
    }

    @Test(
        "D1 an INTO anywhere in a statement counts as SELECT INTO",
        arguments: [
            "SELECT v INTO x FROM cpu", "EXPLAIN SELECT v INTO x FROM cpu", "EXPLAIN ANALYZE SELECT v INTO x FROM cpu",
            "SELECT v FROM (SELECT v INTO x FROM cpu)", "SELECT v FROM (SELECT v FROM (SELECT v INTO x FROM cpu))",
            "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO m FROM cpu GROUP BY time(1m) END",
        ])
    func intoAnywhere(text: String) throws {
        for preset in [Policy.Preset.readOnly, .dashboards, .strict] {
            #expect(try refusal(Policy(preset: preset), text) != nil, "\(preset)")
        }
        #expect(try refusal(Policy(Policy.Rules(deny: PolicyKinds([.selectInto]))), text)?.rule == .deny)
        #expect(try refusal(Policy(), text) == nil)
    }

    @Test("one statement that is refused refuses the request, wherever it stands")
    func anyOfSeveral() throws {
        for text in [
            "SHOW DATABASES; DELETE FROM cpu", "DELETE FROM cpu; SHOW DATABASES", ";;SHOW QUERIES;;DELETE FROM cpu;;",
        ] {
            #expect(try refusal(Policy(preset: .readOnly), text)?.rule == .readOnly)
        }
    }

    @Test("deny beats allow, and allow beats the preset, whatever the statement's shape")
    func order() throws {
        var rules = Policy.Rules(preset: .strict, allow: PolicyKinds([.select, .showDatabases, .createDatabase]))
        #expect(try refusal(Policy(rules), "SHOW DATABASES") == nil)
        #expect(try refusal(Policy(rules), "SELECT v FROM cpu, mem, (SELECT v FROM disk)") == nil)
        #expect(try refusal(Policy(rules), "SHOW DATABASES; SHOW DATABASES")?.rule == .strict)
        #expect(try refusal(Policy(rules), "SHOW TAG KEYS")?.rule == .strict)
        rules.deny = PolicyKinds([.createDatabase])
        #expect(try refusal(Policy(rules), "CREATE DATABASE x")?.rule == .deny)
    }

    @Test("groups name many kinds")
    func groups() throws {
        let kinds = { (name: String) in PolicyKinds(name: name)?.statements }
        #expect(kinds("all") == Set(StatementKind.allCases))
        #expect(kinds("per_node") == [.dropShard, .killQuery])
        #expect(kinds("create")?.count == 5 && kinds("drop")?.count == 8 && kinds("show")?.count == 21)
        #expect(kinds("reads")?.contains(.explainAnalyze) == true && kinds("mutations")?.contains(.selectInto) == true)
        #expect(kinds("write") == [] && PolicyKinds(name: "write")?.writes == true)
        #expect(kinds("drop_databases") == nil && kinds("DROP DATABASE") == nil)
        #expect(Set(PolicyKinds.names).count == PolicyKinds.names.count)
        for name in PolicyKinds.names { #expect(PolicyKinds(name: name)?.isEmpty == false) }
    }

    @Test("a statement must pass the rules of every database that it touches, and the general ones if there are others")
    func databases() throws {
        var policy = Policy(databases: ["iot": Policy.Rules(preset: .readOnly)])
        #expect(try refusal(policy, "DELETE FROM cpu", db: "other") == nil)
        #expect(try refusal(policy, "DELETE FROM cpu", db: "iot")?.rule == .readOnly)
        for text in [
            "DROP DATABASE iot", "DROP DATABASE \"iot\"", "CREATE RETENTION POLICY p ON iot DURATION 1d REPLICATION 1",
            "SELECT v INTO iot..x FROM cpu", "SELECT v INTO x FROM iot..cpu", "SELECT v INTO x FROM cpu, iot..cpu",
            "SELECT v INTO x FROM (SELECT v FROM iot..cpu)", "GRANT ALL ON iot TO u",
            "CREATE CONTINUOUS QUERY q ON iot BEGIN SELECT mean(v) INTO a..b FROM c..d GROUP BY time(1m) END",
            "CREATE CONTINUOUS QUERY q ON x BEGIN SELECT mean(v) INTO iot..b FROM c..d GROUP BY time(1m) END",
        ] {
            #expect(try refusal(policy, text, db: "other")?.message.contains("of database iot") == true, "\(text)")
        }
        policy = Policy(Policy.Rules(preset: .readOnly), databases: ["scratch": Policy.Rules()])
        #expect(try refusal(policy, "DROP MEASUREMENT m", db: "scratch") == nil)
        #expect(try refusal(policy, "SELECT v INTO scratch..x FROM scratch..cpu", db: "d") == nil)
        #expect(try refusal(policy, "SELECT v INTO scratch..x FROM cpu", db: "d")?.rule == .readOnly)
        #expect(try refusal(policy, "SELECT v INTO x FROM scratch..cpu", db: "d")?.rule == .readOnly)
        #expect(try refusal(policy, "DROP USER u", db: "scratch")?.rule == .readOnly)
    }

    @Test("writes are judged by their database")
    func writes() {
        func isRefused(_ policy: Policy, _ database: String) -> Policy.Rule? {
            do throws(Policy.Refusal) {
                try policy.checkWrite(to: database)
                return nil
            } catch {
                return error.rule
            }
        }
        #expect(isRefused(Policy(), "d") == nil && isRefused(Policy(preset: .strict), "d") == nil)
        #expect(isRefused(Policy(preset: .readOnly), "d") == .readOnly)
        #expect(isRefused(Policy(preset: .dashboards), "d") == .dashboards)
        #expect(isRefused(Policy(Policy.Rules(deny: PolicyKinds(writes: true))), "d") == .deny)
        #expect(isRefused(Policy(Policy.Rules(preset: .readOnly, allow: PolicyKinds(writes: true))), "d") == nil)
        let policy = Policy(databases: ["iot": Policy.Rules(preset: .readOnly)])
        #expect(isRefused(policy, "iot") == .readOnly && isRefused(policy, "d") == nil)
    }

    @Test(
        "what reads points must say from which time on, in every innermost SELECT or around it",
        arguments: [
            ("SELECT v FROM cpu WHERE time > now() - 1h", true), ("SELECT v FROM cpu", false),
            ("SELECT v FROM cpu WHERE time < now()", false), ("SELECT v FROM cpu WHERE time = 5", true),
            ("SELECT v FROM cpu WHERE time >= '2026-01-01' AND host = 'a'", true),
            ("SELECT v FROM cpu WHERE time > 5 OR host = 'a'", false), ("SELECT v FROM cpu WHERE \"time\" > 5", true),
            ("SELECT v FROM cpu WHERE time > -9223372036854775808", false),
            ("SELECT v FROM (SELECT v FROM cpu) WHERE time > 5", true),
            ("SELECT v FROM (SELECT v FROM cpu WHERE time > 5)", true),
            ("SELECT v FROM (SELECT v FROM cpu WHERE time > 5), mem", false),
            ("SELECT v FROM (SELECT v FROM cpu WHERE time > 5), (SELECT v FROM mem)", false),
            ("SELECT v INTO x FROM cpu", false), ("EXPLAIN ANALYZE SELECT v FROM cpu", false),
            ("EXPLAIN SELECT v FROM cpu", true), ("SHOW TAG KEYS", true), ("DELETE FROM cpu", true),
            ("CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO m FROM cpu GROUP BY time(1m) END", true),
        ] as [(String, Bool)])
    func timeBound(text: String, isAllowed: Bool) throws {
        let refusal = try refusal(Policy(Policy.Rules(requiresTimeBound: true)), text)
        #expect((refusal == nil) == isAllowed, "\(String(describing: refusal))")
        if let refusal { #expect(refusal.rule == .timeBound) }
    }

    @Test("the number of statements in a request is limited where a policy says so")
    func numberOfStatements() throws {
        var policy = Policy()
        policy.maximumStatements = 2
        #expect(try refusal(policy, "SHOW QUERIES; SHOW QUERIES;;") == nil)
        #expect(try refusal(policy, "SHOW QUERIES; SHOW QUERIES; SHOW QUERIES")?.rule == .statements)
        policy = Policy(preset: .strict)
        policy.maximumStatements = 2
        #expect(try refusal(policy, "SELECT v FROM a; SELECT v FROM b") == nil)
        let inStrictDatabase = Policy(databases: ["iot": Policy.Rules(preset: .strict)])
        #expect(try refusal(inStrictDatabase, "SHOW DATABASES; SELECT v FROM iot..cpu")?.rule == .strict)
        #expect(try refusal(inStrictDatabase, "SHOW DATABASES; SELECT v FROM cpu") == nil)
    }
}
