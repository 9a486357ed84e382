// Plans as people read them, word by word.
import Cluster
import Querying
import Testing

@Suite("A plan as text")
struct PlanTextTests {
    /// 2026-11-21T12:00:00Z
    private static let now: Int64 = 1_795_262_400_000_000_000

    private func text(_ query: String, db: String = "telegraf", params: String = "") throws -> String {
        let context = StatementContext(database: db)
        let plan = try QueryPlan(text: Array(query.utf8), parameters: Array(params.utf8), context: context)
        return PlanText(plan, context: context, nodes: ["a", "b"], now: Self.now).lines.joined(separator: "\n")
    }

    @Test("a read goes to one node, whole")
    func read() throws {
        let query = "select mean(v) from cpu where time > now() - 1h group by time(1m), host"
        #expect(
            try text(query) == """
                1  SELECT mean(v) FROM cpu WHERE time > now() - 1h GROUP BY time(1m), host
                   kind          select
                   databases     telegraf
                   measurements  cpu
                   times         from 2026-11-21T11:00:00.000000001Z
                   needs         requires READ on telegraf
                   step 1        read: one in-sync node of a, b
                answer  of one node, untouched
                """)
    }

    @Test("reads that follow each other go together, a mutation goes through the log")
    func mixed() throws {
        let query = "SELECT v FROM a..m, (SELECT v FROM $x); SHOW DATABASES; DROP MEASUREMENT m; SHOW USERS"
        #expect(
            try text(query, params: #"{"x":{"identifier":"n"}}"#) == """
                1  SELECT v FROM a..m, (SELECT v FROM n)
                   kind          select
                   databases     a, telegraf
                   measurements  a..m, n
                   times         all
                   needs         requires READ on a, requires READ on telegraf
                   step 1        read: one in-sync node of a, b, in one request with the other reads of this step
                2  SHOW DATABASES
                   kind          show_databases
                   needs         any user
                   step 1        read: one in-sync node of a, b, in one request with the other reads of this step
                3  DROP MEASUREMENT m
                   kind          drop_measurement
                   databases     telegraf
                   measurements  m
                   needs         requires admin privilege
                   step 2        mutation: a record in the log, in order with everything in database telegraf; each of a, b applies it
                4  SHOW USERS
                   kind          show_users
                   needs         requires admin privilege
                   step 3        read: one in-sync node of a, b
                answer  step by step, results joined into one JSON document; the first error ends the request
                """)
    }

    @Test("D1 the rows of a SELECT INTO are read from one node and go through the log")
    func selectInto() throws {
        let query = "SELECT mean(v) INTO $t FROM cpu GROUP BY *"
        #expect(
            try text(query, params: #"{"t":{"identifier":"avg"}}"#) == """
                1  SELECT mean(v) INTO avg FROM cpu GROUP BY *
                   kind          select_into
                   databases     telegraf
                   measurements  cpu
                   target        avg
                   times         all
                   needs         requires READ on telegraf, requires WRITE on telegraf
                   step 1        read: one in-sync node of a, b; its rows are points for the log, in database telegraf, the default retention policy; each of a, b applies them
                answer  of the gateway: how many points were written
                """)
    }

    @Test("a read over several replica sets shows what each is asked first")
    func scattered() throws {
        let placement = Placement(
            members: ["a", "b"].map { Placement.Member(name: $0) },
            rules: PlacementRules(
                measurements: ["mem": .nodes(NodeSet([NodeIndex(1)]))], fallback: .nodes(NodeSet([NodeIndex(0)]))))
        let context = StatementContext(database: "telegraf")
        let plan = try QueryPlan(
            text: Array("SELECT v FROM cpu, mem; SELECT v FROM mem".utf8), context: context, placement: placement)
        let lines = PlanText(plan, context: context, nodes: ["a", "b"], now: Self.now).lines
        #expect(
            lines.joined(separator: "\n") == """
                1  SELECT v FROM cpu, mem
                   kind          select
                   databases     telegraf
                   measurements  cpu, mem
                   times         all
                   needs         requires READ on telegraf
                   step 1        scattered read: one in-sync node of each of replica set {a}, replica set {b}
                   asked first   replica set {a}, which holds cpu: EXPLAIN SELECT * FROM cpu WHERE _sluice = '-'; SELECT v FROM /[^\\x00-\\x{10FFFF}]/
                                 replica set {b}, which holds mem: EXPLAIN SELECT * FROM mem WHERE _sluice = '-'
                2  SELECT v FROM mem
                   kind          select
                   databases     telegraf
                   measurements  mem
                   times         all
                   needs         requires READ on telegraf
                   step 2        read: one in-sync node of replica set {b}, which holds mem
                answer  step by step, results joined into one JSON document; the first error ends the request
                """)
    }

    @Test("no password is shown")
    func password() throws {
        #expect(
            try text("CREATE USER u WITH PASSWORD 'secret'", db: "") == """
                1  CREATE USER u WITH PASSWORD [REDACTED]
                   kind          create_user
                   needs         requires admin privilege
                   step 1        mutation: a record in the log, in order with databases and users; each of a, b applies it
                answer  of the in-sync nodes, which must agree
                """)
    }

    @Test("what the gateway answers by itself")
    func known() throws {
        #expect(
            try text("DELETE FROM m WHERE time < 0", db: "_sluice") == """
                1  DELETE FROM m WHERE time < 0
                   kind          delete
                   databases     _sluice
                   measurements  m
                   times         up to 1969-12-31T23:59:59.999999999Z
                   needs         requires WRITE on _sluice
                   step 1        answered by the gateway: database not found: _sluice
                answer  of the gateway
                """)
    }
}
