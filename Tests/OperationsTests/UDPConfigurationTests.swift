// The list of UDP listeners in the configuration: defaults as InfluxDB's, and every mistake with its line.
import Operations
import Testing

@Suite("UDP listeners in the configuration")
struct UDPConfigurationTests {
    private func load(_ text: String) -> LoadedConfiguration {
        var input = ConfigurationInput()
        input.file = ("s.yaml", "nodes: [{name: a, url: \"http://h:1\"}]\n" + text)
        return ConfigurationLoader.load(input)
    }

    @Test("what is not given is as in InfluxDB's [[udp]], but for a buffer")
    func defaults() throws {
        let loaded = load("udp: [{}]")
        #expect(loaded.problems == [])
        let listener = try #require(loaded.configuration.udp.first)
        #expect(listener.address == ListenAddress(host: "0.0.0.0", port: 8089))
        #expect(listener.database == "udp" && listener.retentionPolicy == "" && listener.precision == "ns")
        #expect(listener.batchSize == 5_000 && listener.batchTimeout == .seconds(1))
        #expect(listener.readBuffer == 8 << 20)
    }

    @Test("every key is read")
    func keys() throws {
        let loaded = load(
            """
            udp:
              - {listen: ":9", database: d, retention_policy: r, precision: ms, batch_size: 7, batch_timeout: 20ms,
                 read_buffer: 0}
            """)
        #expect(loaded.problems == [])
        var expected = ConfiguredUDPListener(address: ListenAddress(host: "0.0.0.0", port: 9))
        expected.database = "d"
        expected.retentionPolicy = "r"
        expected.precision = "ms"
        expected.batchSize = 7
        expected.batchTimeout = .milliseconds(20)
        expected.readBuffer = 0
        #expect(loaded.configuration.udp == [expected])
    }

    @Test(
        "mistakes are told with their place and what to do",
        arguments: [
            ("udp: {}", "s.yaml:2:6: udp is not a list: "),
            ("udp: [x]", "s.yaml:2:7: this is not a UDP listener: "),
            ("udp: [{database: \"\"}]", "s.yaml:2:18: database is empty: "),
            ("udp: [{database: _sluice}]", "s.yaml:2:18: database \"_sluice\" is the gateway's own: "),
            ("udp: [{precision: us}]", "s.yaml:2:19: precision \"us\" is not known: use ns, u, ms, s, m or h"),
            ("udp: [{batch_size: 0}]", "s.yaml:2:20: batch_size \"0\" is not a number"),
            ("udp: [{batch_timeout: 2h}]", "s.yaml:2:23: batch_timeout \"2h\" is out of bounds: "),
            ("udp: [{read_buffer: 2GiB}]", "s.yaml:2:21: read_buffer \"2GiB\" is out of bounds: "),
            ("udp: [{databse: x}]", "s.yaml:2:8: unknown key databse: did you mean database?"),
            ("udp: [{}, {}]", "s.yaml:2:11: another UDP listener has the same address, 0.0.0.0:8089: "),
            ("policy: read-only\nudp: [{}]", "s.yaml:3:7: the policy lets nobody write to udp "),
        ])
    func mistakes(_ text: String, _ complaint: String) {
        let problems = load(text).errors.map(\.description)
        #expect(problems.count == 1 && problems[0].hasPrefix(complaint), "\(problems)")
    }

    @Test("where clients need credentials, a port that needs none is warned of")
    func noCredential() {
        let loaded = load("access: nodes\nudp: [{listen: \"127.0.0.1:8089\", database: d}]")
        #expect(loaded.errors == [])
        #expect(
            loaded.warnings.map(\.description).contains {
                $0.hasPrefix(
                    "s.yaml:3:7: warning: whoever reaches 127.0.0.1:8089 by UDP writes to d without a credential")
            })
    }
}
