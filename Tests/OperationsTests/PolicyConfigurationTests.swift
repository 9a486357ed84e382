// Policies and listeners as a file says them, with every complaint at its place.
import Operations
import Querying
import Testing

private func load(
    _ text: String, environment: [String: String] = [:], flags: [(String, String, String)] = []
) -> LoadedConfiguration {
    var input = ConfigurationInput()
    input.file = ("sluice.yaml", "nodes: [{name: a, url: http://10.0.0.1:8086}]\n" + text)
    input.environment = environment
    input.flags = flags.map { (flag: $0.0, key: $0.1, value: $0.2) }
    return ConfigurationLoader.load(input)
}

@Suite("Policy in the configuration")
struct PolicyConfigurationTests {
    @Test("a policy is a preset's name or a map of rules")
    func forms() {
        #expect(load("").configuration.policy == Policy())
        #expect(load("policy: read-only").configuration.policy == Policy(preset: .readOnly))
        let loaded = load(
            """
            policy:
              preset: dashboards
              deny: [explain_analyze, show_series]
              allow: [create, write]
              require_time_bound: true
              max_rows: 100000
              max_statements: 20
              databases:
                chronograf: {preset: open, require_time_bound: false}
                secret: strict
                log: {deny: all, allow: []}
            """)
        #expect(loaded.problems == [])
        let rules = Policy.Rules(
            preset: .dashboards, deny: PolicyKinds([.explainAnalyze, .showSeries]),
            allow: PolicyKinds(PolicyKinds(name: "create")?.statements ?? [], writes: true), requiresTimeBound: true)
        var chronograf = rules
        chronograf.preset = .open
        chronograf.requiresTimeBound = false
        var secret = rules
        secret.preset = .strict
        var log = rules
        log.deny = PolicyKinds(name: "all") ?? PolicyKinds()
        log.allow = PolicyKinds()
        var expected = Policy(rules, databases: ["chronograf": chronograf, "secret": secret, "log": log])
        expected.maximumRows = 100_000
        expected.maximumStatements = 20
        #expect(loaded.configuration.policy == expected)
        #expect(loaded.origins["policy"]?.description == "sluice.yaml:3:3")
    }

    @Test(
        "listeners have an address and perhaps a policy, else the general one; a variable or a flag sets the general one"
    )
    func listeners() {
        let text = """
            policy: {max_rows: 5}
            listeners:
              - {listen: 127.0.0.1:9096, policy: read-only}
              - {listen: ":9097"}
              - {listen: "[::1]:9098", policy: {preset: strict, max_statements: 3}}
            """
        let loaded = load(text)
        #expect(loaded.problems == [])
        let listeners = loaded.configuration.listeners
        #expect(listeners.map(\.address.description) == ["127.0.0.1:9096", "0.0.0.0:9097", "[::1]:9098"])
        #expect(listeners.map { $0.policy?.rules.preset } == [.readOnly, nil, .strict])
        #expect(listeners[2].policy?.maximumStatements == 3)
        #expect(loaded.configuration.policy.maximumRows == 5)
        #expect(
            load(text, environment: ["SLUICE_POLICY": "dashboards"]).configuration.policy
                == Policy(preset: .dashboards))
        #expect(
            load(text, flags: [("--set", "policy", "strict")]).configuration.policy == Policy(preset: .strict))
    }

    static let complaints: [(String, [String])] = [
        ("policy: stict", ["sluice.yaml:2:9: policy \"stict\" is not known: did you mean strict?"]),
        (
            "policy: closed",
            ["sluice.yaml:2:9: policy \"closed\" is not known: use open, read-only, dashboards, strict"]
        ),
        ("policy: [open]", ["sluice.yaml:2:9: policy takes one value: write it like open"]),
        (
            "policy:\n  deny: [drop_databse]",
            ["sluice.yaml:3:10: policy.deny \"drop_databse\" is no kind of statement: did you mean drop_database?"]
        ),
        (
            "policy: {allow: everything}",
            [
                "sluice.yaml:2:17: policy.allow \"everything\" is no kind of statement: see docs/statements.md for their names"
            ]
        ),
        ("policy: {dney: [drop]}", ["sluice.yaml:2:10: unknown key policy.dney: did you mean policy.deny?"]),
        (
            "policy: {max_rows: 0}",
            ["sluice.yaml:2:20: policy.max_rows \"0\" is not a number from 1 on: write a whole number without unit"]
        ),
        (
            "policy: {require_time_bound: yes}",
            ["sluice.yaml:2:30: policy.require_time_bound \"yes\" is neither true nor false: write true or false"]
        ),
        (
            "policy: {preset: }",
            ["sluice.yaml:2:18: policy.preset takes a value: write one, or remove the line"]
        ),
        (
            "policy: {deny: [delete, drop], allow: [delete]}",
            [
                "sluice.yaml:2:39: warning: policy.allow and deny both name delete, and deny wins: remove it from one of them"
            ]
        ),
        (
            "policy: {databases: [iot]}",
            [
                "sluice.yaml:2:21: policy.databases is not a map: write each database with its rules, such as {iot: {preset: read-only}}"
            ]
        ),
        (
            "policy: {databases: {iot: {max_rows: 5}}}",
            [
                "sluice.yaml:2:28: unknown key policy.databases.iot.max_rows: remove it, or see docs/configuration.md for all keys"
            ]
        ),
        (
            "listeners: 127.0.0.1:1",
            [
                "sluice.yaml:2:12: listeners is not a list: write one line for each, such as - {listen: 127.0.0.1:9096, policy: read-only}"
            ]
        ),
        (
            "listeners: [127.0.0.1:1]",
            ["sluice.yaml:2:13: this is not a listener: write it like - {listen: 127.0.0.1:9096, policy: read-only}"]
        ),
        (
            "listeners: [{policy: open}]",
            ["sluice.yaml:2:13: this listener has no address: add listen: 127.0.0.1:9096"]
        ),
        (
            "listeners: [{listen: 9096}]",
            [
                "sluice.yaml:2:22: listen of a listener \"9096\" is not an address: write host:port, such as 127.0.0.1:8086 or :8086 for all interfaces"
            ]
        ),
        (
            "listeners: [{listen: 127.0.0.1:8087}]",
            [
                "sluice.yaml:2:22: this listener and admin are the same address, 127.0.0.1:8087: give each listener an address of its own"
            ]
        ),
        (
            "listeners: [{listen: 127.0.0.1:1}, {listen: 127.0.0.1:1}]",
            [
                "sluice.yaml:2:45: this listener and another are the same address, 127.0.0.1:1: give each listener an address of its own"
            ]
        ),
        (
            "listeners: [{listen: 127.0.0.1:1, polcy: open}]",
            ["sluice.yaml:2:35: unknown key polcy: did you mean policy?"]
        ),
    ]

    @Test("each mistake is reported with its place, what is wrong and what to do", arguments: complaints)
    func complaint(text: String, expected: [String]) {
        #expect(load(text).problems.map(\.description) == expected)
    }

    @Test("the policy that explain applies is the general one, or that of a listener")
    func explain() throws {
        var configuration = load("policy: strict").configuration
        let explanation = Explanation(
            query: "DROP DATABASE x", database: "", parameters: "", configuration: configuration)
        #expect(explanation.isRefused)
        #expect(
            explanation.text
                == "refused with 403: error authorizing query: policy strict: DROP DATABASE is not allowed here\n")
        configuration.listeners = [
            ConfiguredListener(address: try ListenAddress(parsing: ":1"), policy: Policy(preset: .readOnly)),
            ConfiguredListener(address: try ListenAddress(parsing: ":2")),
        ]
        for (listener, words) in [
            (":1", "policy read-only"), (":2", "policy strict"), ("127.0.0.1:8086", "policy strict"),
            (":3", "no listener has the address :3; there are 127.0.0.1:8086, 0.0.0.0:1, 0.0.0.0:2"),
            ("x", "no listener has the address x"),
        ] {
            let elsewhere = Explanation(
                query: "DROP DATABASE x", database: "", parameters: "", configuration: configuration,
                listener: listener)
            #expect(elsewhere.isRefused && elsewhere.text.contains(words), "\(elsewhere.text)")
        }
        configuration.policy = Policy()
        #expect(
            !Explanation(query: "DROP DATABASE x", database: "", parameters: "", configuration: configuration).isRefused
        )
    }
}
