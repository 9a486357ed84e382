// Placement, roles and weights as a file says them, with every complaint at its place.
import Cluster
import Operations
import Testing

private let four = """
    nodes:
      - {name: a, url: http://10.0.0.1:8086, zone: dc1}
      - {name: b, url: http://10.0.0.2:8086, zone: dc2}
      - {name: c, url: http://10.0.0.3:8086, zone: dc1, role: write-only}
      - {name: d, url: http://10.0.0.4:8086, role: async, weight: 2.5}

    """

private func load(_ text: String) -> LoadedConfiguration {
    var input = ConfigurationInput()
    input.file = ("p.yaml", text)
    return ConfigurationLoader.load(input)
}

private func names(_ configuration: Configuration, _ database: String, _ measurement: String) -> String? {
    let placement = Placement(configuration)
    return placement.nodes(database: database, measurement: measurement)?
        .map { placement.members[Int($0.value)].name }.joined()
}

@Suite("Placement in the configuration")
struct PlacementConfigurationTests {
    @Test("without placement every node holds everything, whatever its role")
    func none() {
        let loaded = load(four)
        #expect(loaded.problems == [])
        #expect(loaded.configuration.nodes.map(\.role) == [.normal, .normal, .writeOnly, .async])
        #expect(loaded.configuration.nodes.map(\.weight) == [1, 1, 1, 2.5])
        #expect(Placement(loaded.configuration).isUniform)
        #expect(names(loaded.configuration, "t", "cpu") == "abcd")
    }

    @Test("rules: exact names, patterns, defaults; those of a database first")
    func rules() {
        let loaded = load(
            four + """
                placement:
                  default: [a, c]
                  measurements: {cpu: [b, d], "disk io": all}
                  patterns:
                    - {match: "disk.*", on: [b, c, d]}
                    - {match: "net??", on: {hash: {replicas: 1, nodes: [a, b]}}}
                  databases:
                    iot: {default: {hash: {replicas: 2}}}
                    far: {measurements: {cpu: [a, d]}, patterns: [{match: "*", on: [b]}]}
                """)
        #expect(loaded.problems == [])
        let rows: [(String, String, String?)] = [
            ("t", "cpu", "bd"), ("t", "cpu.load", "ac"), ("t", "disk io", "abcd"), ("t", "disk.sda", "bcd"),
            ("t", "other", "ac"), ("iot", "cpu", "ab"), ("iot", "whatever", "ab"), ("far", "cpu", "ad"),
            ("far", "x", "b"),
        ]
        for (database, measurement, expected) in rows {
            #expect(names(loaded.configuration, database, measurement) == expected, "\(database) \(measurement)")
        }
        #expect(
            loaded.placementRules.map { "\($0.origin) \($0.name): \($0.target)" } == [
                "p.yaml:7:12 placement.default: a, c", "p.yaml:8:23 placement.measurements.cpu: b, d",
                "p.yaml:8:42 placement.measurements.disk io: all nodes",
                "p.yaml:10:29 placement.patterns.\"disk.*\": b, c, d",
                "p.yaml:11:35 placement.patterns.\"net??\": hash: 1 of a, b",
                "p.yaml:13:27 placement.databases.iot.default: hash: 2 of all normal nodes",
                "p.yaml:14:31 placement.databases.far.measurements.cpu: a, d",
                "p.yaml:14:68 placement.databases.far.patterns.\"*\": b",
            ])
    }

    static let complaints: [(String, [String])] = [
        (
            "placement: all",
            [
                "6:12: placement is a section, not a value: write its keys indented below it, such as default: all, a list of nodes such as [a, b], or {hash: {replicas: 2}}"
            ]
        ),
        (
            "placement: {defualt: all}",
            [
                "6:13: unknown key placement.defualt: did you mean placement.default?"
            ]
        ),
        (
            "placement: {default: any}",
            [
                "6:22: placement.default \"any\" is no place: write all, a list of nodes such as [a, b], or {hash: {replicas: 2}}"
            ]
        ),
        (
            "placement: {default: }",
            [
                "6:22: placement.default has no value: write all, a list of nodes such as [a, b], or {hash: {replicas: 2}}"
            ]
        ),
        (
            "placement: {default: {hsh: 2}}",
            ["6:22: placement.default is no place: write all, a list of nodes such as [a, b], or {hash: {replicas: 2}}"]
        ),
        ("placement: {default: []}", ["6:22: placement.default names no node: name at least one"]),
        ("placement: {default: [a, b, a]}", ["6:29: placement.default names the node a twice: remove one of them"]),
        ("placement: {default: [a, {b: 1}]}", ["6:26: placement.default takes names of nodes: write them like [a, b]"]),
        (
            "placement: {default: all, measurements: {cpu: [a, x]}}",
            ["6:51: placement.measurements.cpu names the node x, which there is not: did you mean a?"]
        ),
        (
            "placement: {default: all, measurements: {cpu: [influx-7]}}",
            [
                "6:48: placement.measurements.cpu names the node influx-7, which there is not: add it to nodes, or remove it here"
            ]
        ),
        (
            "placement: {default: {hash: {replicas: 3}}}",
            [
                "6:29: placement.default wants 3 replicas and has 2 nodes of the role normal: lower replicas, or add nodes"
            ]
        ),
        (
            "placement: {default: {hash: {replicas: 2, nodes: [a]}}}",
            ["6:29: placement.default wants 2 replicas and has 1 node: lower replicas, or add nodes"]
        ),
        (
            "placement: {default: {hash: {replicas: 0}}}",
            [
                "6:40: placement.default.hash.replicas \"0\" is not a number from 1 on: write how many nodes hold each measurement"
            ]
        ),
        (
            "placement: {default: {hash: {replicas: two}}}",
            [
                "6:40: placement.default.hash.replicas \"two\" is not a number from 1 on: write how many nodes hold each measurement"
            ]
        ),
        (
            "placement: {default: {hash: {nodes: [a]}}}",
            ["6:22: placement.default.hash has no replicas: say how many nodes hold each measurement"]
        ),
        (
            "placement: {default: {hash: {replicas: 1, nodes: []}}}",
            ["6:50: placement.default.hash.nodes names no node: name at least one"]
        ),
        (
            "placement: {default: {hash: {replicas: 1, nodes: a}}}",
            [
                "6:50: placement.default.hash.nodes is not a list: write the nodes, such as [a, b, c], or remove it: then it is all normal nodes"
            ]
        ),
        (
            "placement: {default: {hash: {replicas: 1, node: [a]}}}",
            ["6:43: unknown key placement.default.hash.node: did you mean placement.default.hash.nodes?"]
        ),
        (
            "placement: {default: {hash: {replicas: 1, nodes: [c, d]}}}",
            [
                "6:29: placement.default can place a measurement on c alone, without any node of the role normal: add a normal node or raise replicas: nobody could read it, and no write would wait for it"
            ]
        ),
        (
            "placement: {default: {hash: {replicas: 1, nodes: [a, c]}}}",
            [
                "6:29: placement.default can place a measurement on c alone, without any node of the role normal: add a normal node or raise replicas: nobody could read it, and no write would wait for it"
            ]
        ),
        (
            "placement: {default: all, databases: {iot: {default: [c, d]}}}",
            [
                "6:54: placement.databases.iot.default can place a measurement on c, d alone, without any node of the role normal: add a normal node or raise replicas: nobody could read it, and no write would wait for it"
            ]
        ),
        (
            "placement: {default: all, measurements: {cpu: [a], cpu: [b]}}",
            [
                "6:42: the key cpu is there twice in one mapping, the first time here: correct the YAML here or just above"
            ]
        ),
        (
            "placement: {default: all, measurements: [cpu]}",
            ["6:41: placement.measurements is not a map: write each measurement with its nodes, such as {cpu: [a, b]}"]
        ),
        (
            "placement: {default: all, patterns: {disk: [a]}}",
            ["6:37: placement.patterns is not a list: write one line for each, such as - {match: \"disk*\", on: [a]}"]
        ),
        (
            "placement: {default: all, patterns: [{match: 'd*', on: [a]}, {match: 'd*', on: [b]}]}",
            ["6:70: the pattern \"d*\" never matches: \"d*\" before it takes all: put it first, or remove it"]
        ),
        (
            "placement: {default: all, patterns: [{match: 'd*', on: [a]}, {match: 'disk.?', on: [b]}]}",
            ["6:70: the pattern \"disk.?\" never matches: \"d*\" before it takes all: put it first, or remove it"]
        ),
        (
            "placement: {default: all, patterns: [{match: 'd*'}]}",
            ["6:38: this pattern has no on: write it like {match: \"disk*\", on: [a]}"]
        ),
        (
            "placement: {default: all, patterns: [{match: '', on: [a]}]}",
            ["6:46: match of a pattern is empty: write a name with * for any characters and ? for one"]
        ),
        (
            "placement: {default: all, patterns: [{mtach: d, on: [a]}]}",
            ["6:39: unknown key placement.patterns.mtach: did you mean placement.patterns.match?"]
        ),
        (
            "placement: {default: all, databases: [iot]}",
            [
                "6:38: placement.databases is not a map: write each database with its rules, such as {iot: {default: {hash: {replicas: 2}}}}"
            ]
        ),
        (
            "placement: {default: all, databases: {iot: all}}",
            [
                "6:44: placement.databases.iot is a section, not a value: write its rules, such as {default: {hash: {replicas: 2}}}"
            ]
        ),
        (
            "placement: {default: all, databases: {iot: {databases: {}}}}",
            [
                "6:45: unknown key placement.databases.iot.databases: remove it, or see docs/configuration.md for all keys"
            ]
        ),
        (
            "placement: {default: all, databases: {_sluice: {default: [a]}}}",
            [
                "6:39: placement.databases._sluice: this database is the gateway's own: remove it: every node has one of its own"
            ]
        ),
        (
            "placement: {measurements: {cpu: all}, databases: {iot: {default: all}}}",
            [
                "6:12: warning: placement has no default: points that no rule places are refused (except in iot): add default: all, or leave it so if you mean it"
            ]
        ),
        ("placement: {patterns: [{match: '*', on: all}]}", []),
        (
            "placement: {default: [a, c, d]}",
            ["3:12: warning: no rule of placement uses the node b: it holds nothing: name it in a rule, or remove it"]
        ),
        (
            "placement: {default: {hash: {replicas: 1}}}",
            [
                "4:12: warning: no rule of placement uses the node c: it holds nothing: name it in a rule, or remove it",
                "5:12: warning: no rule of placement uses the node d: it holds nothing: name it in a rule, or remove it",
            ]
        ),
    ]

    @Test("every mistake is named with its line and what to do", arguments: complaints)
    func complaint(text: String, expected: [String]) {
        #expect(load(four + text).problems.map(\.description) == expected.map { "p.yaml:" + $0 })
    }

    static let nodeComplaints: [(String, String)] = [
        ("role: asyn", "p.yaml:1:52: role of a node \"asyn\" is not known: did you mean async?"),
        ("role: reader", "p.yaml:1:52: role of a node \"reader\" is not known: use normal, write-only or async"),
        ("role: [async]", "p.yaml:1:52: role of a node takes one value: write it as text"),
        (
            "role: async",
            "p.yaml:1:8: no node has the role normal: give one of them role: normal, else nothing could be read"
        ),
        (
            "weight: 0",
            "p.yaml:1:54: weight of a node \"0\" is not a number from 0.001 to 1000: write how much it is to hold beside others, such as 2 or 0.5"
        ),
        (
            "weight: -1",
            "p.yaml:1:54: weight of a node \"-1\" is not a number from 0.001 to 1000: write how much it is to hold beside others, such as 2 or 0.5"
        ),
        (
            "weight: nan",
            "p.yaml:1:54: weight of a node \"nan\" is not a number from 0.001 to 1000: write how much it is to hold beside others, such as 2 or 0.5"
        ),
        (
            "weight: heavy",
            "p.yaml:1:54: weight of a node \"heavy\" is not a number from 0.001 to 1000: write how much it is to hold beside others, such as 2 or 0.5"
        ),
        ("connect_timeout: 2", "p.yaml:1:63: connect_timeout of a node \"2\" has no unit: write 2s or 2ms"),
        ("idle_timeout: 1ms", "p.yaml:1:60: idle_timeout of a node \"1ms\" is out of bounds: write 10ms to 24h"),
        ("connect_timeout: 2h", "p.yaml:1:63: connect_timeout of a node \"2h\" is out of bounds: write 10ms to 1m"),
    ]

    @Test("a role, a weight or a time-out of a wrong form is named with its line", arguments: nodeComplaints)
    func nodes(text: String, expected: String) {
        #expect(
            load("nodes: [{name: a, url: http://10.0.0.1:8086, \(text)}]").problems.map(\.description) == [expected])
    }

    @Test("too many replica sets are refused before anybody makes them")
    func tooMany() {
        let many = (1...64).map { "  - {name: n\($0), url: http://10.0.0.\($0):8086}\n" }.joined()
        let tail = ": lower replicas, hash over fewer nodes, or give each of them a zone"
        #expect(
            load("nodes:\n\(many)placement: {default: {hash: {replicas: 20}}}").problems.map(\.description) == [
                "p.yaml:66:29: placement.default can make 1000000000000000 replica sets, and 4096 is the most\(tail)"
            ])
        let some = (1...29).map { "n\($0)" }.joined(separator: ", ")
        let both = "{default: {hash: {replicas: 2}}, measurements: {x: {hash: {replicas: 3, nodes: [\(some)]}}}}"
        #expect(
            load("nodes:\n\(many)placement: \(both)").problems.map(\.description) == [
                "p.yaml:66:70: placement.measurements.x and the rules before it can make 5670 replica sets, and 4096 is the most\(tail)"
            ])
        #expect(load("nodes:\n\(many)placement: {default: {hash: {replicas: 2}}}").problems == [])
        let zoned = (1...60).map { "  - {name: n\($0), url: http://10.0.0.\($0):8086, zone: z\($0 % 2)}\n" }.joined()
        #expect(load("nodes:\n\(zoned)placement: {default: {hash: {replicas: 2}}}").problems == [])
    }

    @Test("rules are held against the nodes that there are in the end, also those of flags")
    func flags() {
        var input = ConfigurationInput()
        input.file = ("p.yaml", four + "placement: {default: [a, b]}")
        input.nodeFlags = ["a=http://10.0.0.9:8086"]
        #expect(
            ConfigurationLoader.load(input).problems.map(\.description) == [
                "p.yaml:6:26: placement.default names the node b, which there is not: did you mean a?"
            ])
    }

    @Test("a node may have a time-out of its own; async_lag says how far an async node may lag")
    func others() {
        let loaded = load(
            """
            nodes: [{name: a, url: http://10.0.0.1:8086}, {name: b, url: http://10.0.0.2:8086, connect_timeout: 3s, first_byte_timeout: 1m, idle_timeout: 20s}]
            async_lag: 10m
            """)
        #expect(loaded.problems == [])
        #expect(loaded.configuration.nodes.map(\.connectTimeout) == [nil, .seconds(3)])
        #expect(loaded.configuration.nodes.map(\.firstByteTimeout) == [nil, .seconds(60)])
        #expect(loaded.configuration.nodes.map(\.idleTimeout) == [nil, .seconds(20)])
        #expect(loaded.configuration.asyncLag == .seconds(600))
        #expect(Configuration().asyncLag == .seconds(300))
    }
}
