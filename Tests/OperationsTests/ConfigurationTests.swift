// The configuration as a table: what a file says, and every complaint with its exact place.
import Foundation
import Operations
import Testing

private func load(
    _ text: String?, environment: [String: String] = [:], flags: [(String, String, String)] = [], nodes: [String] = []
) -> LoadedConfiguration {
    var input = ConfigurationInput()
    input.file = text.map { ("sluice.yaml", $0) }
    input.environment = environment
    input.flags = flags.map { (flag: $0.0, key: $0.1, value: $0.2) }
    input.nodeFlags = nodes
    return ConfigurationLoader.load(input)
}

private let node = "nodes: [{name: a, url: http://10.0.0.1:8086}]\n"

@Suite("Configuration")
struct ConfigurationTests {
    @Test("a file with nodes only gives the documented defaults")
    func defaults() {
        let loaded = load(node)
        #expect(loaded.problems == [])
        var expected = Configuration()
        expected.nodes = [ConfiguredNode(name: "a", url: "http://10.0.0.1:8086")]
        #expect(loaded.configuration == expected)
        #expect(expected.listen.description == "127.0.0.1:8086")
        #expect(expected.admin.description == "127.0.0.1:8087")
        #expect(expected.syncTimeout == .seconds(2) && expected.ackTimeout == .seconds(4))
    }

    @Test("every key can be set in the file, by its environment variable and by --set, to its example")
    func everyKey() {
        for setting in Setting.all {
            let parts = setting.key.split(separator: ".")
            let yaml =
                parts.count == 1
                ? "\(setting.key): \(setting.example)" : "\(parts[0]): {\(parts[1]): \(setting.example)}"
            let fromFile = load(node + yaml)
            let fromVariable = load(node, environment: [setting.environmentName: setting.example])
            let fromFlag = load(node, flags: [("--set", setting.key, setting.example)])
            for loaded in [fromFile, fromVariable, fromFlag] {
                #expect(loaded.errors == [], "\(setting.key)")
                #expect(setting.render(loaded.configuration) == setting.example)
                #expect(loaded.origins[setting.key] != nil)
            }
        }
    }

    @Test("a node's url is given InfluxDB's port when it names none, and loses a slash at its end")
    func urls() {
        let loaded = load(nil, nodes: ["a=http://h", "b=http://h:1/influx/", "c=http://[::1]:2"])
        #expect(loaded.problems == [])
        #expect(loaded.configuration.nodes.map(\.url) == ["http://h:8086", "http://h:1/influx", "http://[::1]:2"])
    }

    @Test("JSON is YAML")
    func json() {
        let loaded = load(
            #"{"listen": ":9000", "nodes": [{"name": "a", "url": "http://h:1/", "zone": "z"}], "limits": {"body": "1MB"}}"#
        )
        #expect(loaded.problems == [])
        #expect(loaded.configuration.listen == ListenAddress(host: "0.0.0.0", port: 9000))
        #expect(loaded.configuration.nodes == [ConfiguredNode(name: "a", url: "http://h:1", zone: "z")])
        #expect(loaded.configuration.limits.body == 1_000_000)
    }

    static let complaints: [(String, [String])] = [
        (node + "sync_timeout: 2", ["sluice.yaml:2:15: sync_timeout \"2\" has no unit: write 2s or 2ms"]),
        (node + "limits:\n  body: 25", ["sluice.yaml:3:9: limits.body \"25\" has no unit: write 25MB or 25MiB"]),
        (node + "limits:\n  bdy: 25MB", ["sluice.yaml:3:3: unknown key limits.bdy: did you mean limits.body?"]),
        (node + "lissten: 1", ["sluice.yaml:2:1: unknown key lissten: did you mean listen?"]),
        (node + "body: 25MB", ["sluice.yaml:2:1: unknown key body: did you mean limits.body?"]),
        (
            node + "frobnicate: 1",
            ["sluice.yaml:2:1: unknown key frobnicate: remove it, or see docs/configuration.md for all keys"]
        ),
        (
            "nodes:\n  - {name: a, url: http://h:1, username: u}",
            [
                "sluice.yaml:2:42: node a has a username and no password: add password_file, or set SLUICE_NODE_A_PASSWORD"
            ]
        ),
        (
            "nodes:\n  - {name: a, url: http://h:1, password: p}",
            ["sluice.yaml:2:42: node a has a password and no username: add username"]
        ),
        (
            "nodes:\n  - {name: a, url: http://h:1, username: 'u:v', password: p}",
            [
                "sluice.yaml:2:42: the username of node a is empty, or contains a colon or a control character: use another user: HTTP cannot carry this one"
            ]
        ),
        (
            "nodes:\n  - {name: a, url: http://h:1, username: u, password: p, password_file: f}",
            ["sluice.yaml:2:73: node a has a password and a password_file: keep one of them"]
        ),
        (
            "nodes:\n  - {name: a, url: http://h:1, username: u, password_file: /nowhere/p}",
            [
                "sluice.yaml:2:60: the password file /nowhere/p cannot be read (No such file or directory): let the gateway's user own it, with mode 0600"
            ]
        ),
        (
            "nodes:\n  - {name: a, url: http://h:1, username: u, password: p}\n  - {name: b, url: http://h:2}",
            [
                "sluice.yaml:3:12: warning: node b has no username, and others have one: add username and password_file, unless it runs without authentication"
            ]
        ),
        (
            node + "username: u",
            [
                "sluice.yaml:2:1: username is not supported by this version: write it into the entry of a node, beside its url"
            ]
        ),
        (node + "ack: quorom", ["sluice.yaml:2:6: ack \"quorom\" is not known: did you mean quorum?"]),
        (node + "ack: most", ["sluice.yaml:2:6: ack \"most\" is not known: use any, one, quorum, insync or all"]),
        (
            node + "ping_misses: 3s",
            ["sluice.yaml:2:14: ping_misses \"3s\" is not a number from 1 to 1000: write a whole number without unit"]
        ),
        (
            node + "threads: 0",
            ["sluice.yaml:2:10: threads \"0\" is not a number from 1 to 1024: write a whole number without unit"]
        ),
        (node + "ping_interval: 1ms", ["sluice.yaml:2:16: ping_interval \"1ms\" is out of bounds: write 10ms to 1h"]),
        (
            node + "listen: 8086",
            [
                "sluice.yaml:2:9: listen \"8086\" is not an address: write host:port, such as 127.0.0.1:8086 or :8086 for all interfaces"
            ]
        ),
        (
            node + "listen: ::1:8086",
            [
                "sluice.yaml:2:9: listen \"::1:8086\" is not an address: put an IPv6 address in brackets, such as [::1]:8086"
            ]
        ),
        (
            node + "listen:",
            ["sluice.yaml:2:8: listen has no value: give one, such as 127.0.0.1:8086, or remove the line"]
        ),
        (node + "listen: [1, 2]", ["sluice.yaml:2:9: listen takes one value: write it like 127.0.0.1:8086"]),
        (
            node + "limits: 3",
            ["sluice.yaml:2:9: limits is a section, not a value: write its keys indented below it, such as body: 25MB"]
        ),
        (
            "listen: 127.0.0.1:1",
            [
                "default: there are no nodes: list them under nodes: in a file for --config, or pass --node a=http://10.0.0.1:8086"
            ]
        ),
        (
            "nodes: []",
            [
                "sluice.yaml:1:8: there are no nodes: list them under nodes: in a file for --config, or pass --node a=http://10.0.0.1:8086"
            ]
        ),
        (
            "nodes: a",
            [
                "sluice.yaml:1:8: nodes is not a list: write one line per node, such as - {name: a, url: http://10.0.0.1:8086}"
            ]
        ),
        ("nodes: [a]", ["sluice.yaml:1:9: this is not a node: write it like - {name: a, url: http://10.0.0.1:8086}"]),
        ("nodes: [{url: http://h:1}]", ["sluice.yaml:1:9: this node has no name: add name: a"]),
        ("nodes: [{name: a}]", ["sluice.yaml:1:9: node a has no url: add url: http://host:8086"]),
        (
            "nodes: [{name: 'a b', url: http://h:1}]",
            ["sluice.yaml:1:16: the node name \"a b\" cannot be used: use 1 to 64 letters, digits, '.', '_' or '-'"]
        ),
        ("nodes: [{name: a, url: h}]", ["sluice.yaml:1:24: the url \"h\" cannot be read: write http://host:8086"]),
        (
            "nodes: [{name: a, url: ftp://h:1}]",
            ["sluice.yaml:1:24: the url \"ftp://h:1\" is not an HTTP address: write http://host:8086"]
        ),
        (
            "nodes: [{name: a, url: http://h:0}]",
            ["sluice.yaml:1:24: the url \"http://h:0\" has no valid port: use 1 to 65535"]
        ),
        (
            "nodes: [{name: a, url: http://u:secret@h:1}]",
            [
                "sluice.yaml:1:24: the url http://***@h:1 contains a user name: give username and password_file as keys of the node: urls show in logs and status"
            ]
        ),
        (
            "nodes: [{name: a, url: http://h:1}]\nlisten: :1\nlisten: :2",
            [
                "sluice.yaml:2:1: the key listen is there twice in one mapping, the first time here: correct the YAML here or just above"
            ]
        ),
        (
            "listen: :1\nadmin: :3\nnodes: [{name: a, url: http://h:1}]\nadmin: :4\nlisten: :2",
            ["sluice.yaml:1:1: each of the keys admin, listen is there twice in one mapping: correct it"]
        ),
        (
            "nodes:\n- {name: a, url: http://h:1}\n- {name: a, url: http://h:2}",
            ["sluice.yaml:3:10: the node name a is there twice: give each node its own name"]
        ),
        (
            "nodes:\n- {name: a, url: http://h:1}\n- {name: b, url: http://H:1/}",
            [
                "sluice.yaml:3:18: nodes a and b have the same url: give each node its own server; two names for one server would count its answer twice"
            ]
        ),
        (
            node + "sync_timeout: 4s",
            [
                "sluice.yaml:2:15: sync_timeout (4s) is not shorter than ack_timeout (4s): lower sync_timeout, else a hung node fails writes before it leaves the in-sync set"
            ]
        ),
        (
            node + "ack_timeout: 5s",
            [
                "sluice.yaml:2:14: warning: ack_timeout (5s) is not shorter than Telegraf's time-out of 5s: use 4s, or raise timeout in telegraf.conf"
            ]
        ),
        (
            node + "admin: 127.0.0.1:8086",
            [
                "sluice.yaml:2:8: listen and admin are the same address, 127.0.0.1:8086: give admin a port of its own, such as 127.0.0.1:8087"
            ]
        ),
        (
            node + "log: {max_bytes: 64MiB}",
            [
                "sluice.yaml:2:18: log.max_bytes (64MiB) holds less than two segments (64MiB each): raise log.max_bytes or lower log.segment"
            ]
        ),
        (
            "nodes: [",
            ["sluice.yaml:2:1: not valid YAML, did not find expected node content: correct the YAML here or just above"]
        ),
        ("- a", ["sluice.yaml:1:1: the file is not a list of keys: write lines such as listen: 127.0.0.1:8086"]),
    ]

    @Test("each mistake is reported with its place, what is wrong and what to do", arguments: complaints)
    func complaint(text: String, expected: [String]) {
        #expect(load(text).problems.map(\.description) == expected)
    }

    @Test("all mistakes are reported at once, in the order of the file")
    func allAtOnce() {
        let loaded = load(
            "listen: x\nnodes:\n  - {name: a, url: ftp://h:1}\nsync_timeout: 9\nlimits: {body: 1, no: 2}\n")
        #expect(loaded.errors.count == 5)
        let lines = loaded.errors.map { $0.description.split(separator: ":")[1] }
        #expect(lines == ["1", "3", "4", "5", "5"])
    }

    @Test("flags win over the environment, which wins over the file")
    func precedence() {
        let file = node + "ack: any\nlog_level: debug\nthreads: 3"
        let loaded = load(
            file, environment: ["SLUICE_ACK": "one", "SLUICE_LOG_LEVEL": "error"], flags: [("--ack", "ack", "all")])
        #expect(loaded.problems == [])
        #expect(loaded.configuration.ack == .all)
        #expect(loaded.configuration.logLevel == .error)
        #expect(loaded.configuration.threads == 3)
        #expect(loaded.origins["ack"] == .flag("--ack"))
    }

    @Test("nodes of the environment or of flags replace those of the file")
    func nodes() {
        let variable = load(node, environment: ["SLUICE_NODES": "x=http://h:1, y=http://h:2"])
        #expect(variable.configuration.nodes.map(\.name) == ["x", "y"])
        let flag = load(node, environment: ["SLUICE_NODES": "x=http://h:1"], nodes: ["z=http://h:3"])
        #expect(flag.configuration.nodes == [ConfiguredNode(name: "z", url: "http://h:3")])
        #expect(
            load(nil, nodes: ["z"]).problems.map(\.description) == [
                "--node: \"z\" is not a node: write name=url, such as a=http://10.0.0.1:8086"
            ])
    }

    @Test("an unknown SLUICE_ variable is an error, those of the build are none")
    func unknownVariable() {
        let loaded = load(
            node, environment: ["SLUICE_ACKK": "any", "SLUICE_SCRATCH": "/x", "SLUICE_TEST_X": "1", "HOME": "/"])
        #expect(
            loaded.problems.map(\.description) == ["SLUICE_ACKK: this variable sets nothing: did you mean SLUICE_ACK?"])
    }

    @Test("a node's credential comes from its entry, from the first line of a file, or from variables")
    func credentials() throws {
        let folder = try TemporaryFolder()
        let file = folder.path + "/password"
        try Data("from file\nrest\n".utf8).write(to: URL(fileURLWithPath: file))
        chmod(file, 0o600)
        let text = """
            nodes:
              - {name: a, url: http://h:1, username: u, password: inline}
              - {name: b, url: http://h:2, username: u, password_file: \(file)}
              - {name: dc-1.c, url: http://h:3}
            """
        let environment = ["SLUICE_NODE_DC_1_C_USERNAME": "v", "SLUICE_NODE_DC_1_C_PASSWORD": "from variable"]
        let loaded = load(text, environment: environment)
        #expect(loaded.problems == [])
        let credentials = loaded.configuration.nodes.compactMap(\.credential)
        #expect(credentials.map(\.username) == ["u", "u", "v"])
        #expect(credentials.map { $0.password.reveal() } == ["inline", "from file", "from variable"])
        #expect(loaded.configuration.decidedAccess == .nodes)
        #expect(load(text + "\naccess: none", environment: environment).configuration.decidedAccess == .none)
        #expect(load(node).configuration.decidedAccess == .none)
        let replaced = load(text, environment: environment.merging(["SLUICE_NODE_B_PASSWORD": "other"]) { $1 })
        #expect(replaced.configuration.nodes[1].credential?.password.reveal() == "other")
        chmod(file, 0o644)
        #expect(
            load(text, environment: environment).problems.map(\.description) == [
                "sluice.yaml:3:60: warning: everybody on this machine can read the password file \(file): chmod 600 \(file)"
            ])
        #expect(
            load(node, environment: ["SLUICE_NODE_X_PASSWORD": "p"]).problems.map(\.description) == [
                "SLUICE_NODE_X_PASSWORD: this variable sets nothing: no node has this name: write SLUICE_NODE_<NAME>_PASSWORD with a node's name in upper case, and _ for . and -"
            ])
    }

    @Test("I5 no way of printing a configuration shows a password, and none is in what is wrong with it")
    func noPasswords() throws {
        let text = "nodes: [{name: a, url: http://h:1, username: u, password: hunter2}]"
        let loaded = load(text)
        #expect(loaded.configuration.nodes[0].credential?.password.reveal() == "hunter2")
        var dumped = ""
        dump(loaded, to: &dumped)
        for shown in ["\(loaded)", String(reflecting: loaded), dumped] { #expect(!shown.contains("hunter2")) }
        let wrong = [
            "nodes: [{name: a, url: 'http://u:hunter2@h:1'}]", "nodes: [{name: a, url: 'ftp://u:hunter2@h:1'}]",
            "nodes: [{name: a, url: 'http://u:hunter2@h:1:2:3'}]", "nodes: [{name: a, url: 'u:hunter2@h'}]",
            "nodes: [{name: a, url: http://h:1, password: hunter2}]",
            "nodes: [{name: a, url: http://h:1, username: 'x:', password: hunter2}]",
            "nodes: [{name: a, url: http://h:1, username: u, password: [hunter2]}]",
        ]
        for text in wrong {
            let problems = load(text).problems
            #expect(!problems.isEmpty && !"\(problems)".contains("hunter2"), "\(problems)")
        }
    }

    @Test("more than 64 nodes are refused")
    func tooMany() {
        let loaded = load(nil, nodes: (1...65).map { "n\($0)=http://h:\($0)" })
        #expect(loaded.problems.map(\.description) == ["--node: there are 65 nodes: use 64 at most"])
    }
}
