// Limits of a listener's own, and gzip to a node: read with the forms and the bounds of the general keys.
import Operations
import Testing

@Suite("Limits of listeners, gzip of nodes")
struct LimitConfigurationTests {
    private func load(_ text: String) -> LoadedConfiguration {
        var input = ConfigurationInput()
        input.file = ("s.yaml", text)
        return ConfigurationLoader.load(input)
    }

    @Test("all of them are read, and what is not given is the general one")
    func read() throws {
        let loaded = load(
            """
            nodes: [{name: a, url: "http://h:1", gzip: true}, {name: b, url: "http://h:2"}]
            limits: {user_request_rate: 7, user_bytes_rate: 1MB, header_timeout: 2s}
            listeners:
              - {listen: ":9", limits: {requests: 1, user_request_rate: 2, user_bytes_rate: 3KB, connections: 4, body: 5KB}}
              - {listen: ":10"}
            """)
        #expect(loaded.problems == [])
        #expect(loaded.configuration.nodes.map(\.gzip) == [true, false])
        var limits = ConfiguredListenerLimits()
        #expect(loaded.configuration.listeners[1].limits == limits)
        (limits.requests, limits.userRequestRate, limits.userBytesRate) = (1, 2, 3000)
        (limits.connections, limits.body) = (4, 5000)
        #expect(loaded.configuration.listeners[0].limits == limits)
        #expect(
            loaded.configuration.limits.userRequestRate == 7 && loaded.configuration.limits.headerTimeout == .seconds(2)
        )
    }

    @Test(
        "mistakes are told with their place and what to do",
        arguments: [
            ("limits: 3", "s.yaml:2:36: limits of a listener are no list of keys: "),
            ("limits: {requests: 0}", "s.yaml:2:47: limits.requests of a listener \"0\" is not a number from 1 "),
            ("limits: {body: 5}", "s.yaml:2:43: limits.body of a listener \"5\" has no unit: "),
            ("limits: {boddy: 5KB}", "s.yaml:2:37: unknown key limits.boddy: did you mean limits.body?"),
            ("limits: {headers: 5KB}", "s.yaml:2:37: limits.headers is no limit of a single listener: "),
        ])
    func mistakes(_ limits: String, _ complaint: String) {
        let text = "nodes: [{name: a, url: \"http://h:1\"}]\nlisteners: [{listen: \":9\", \(limits)}]"
        let problems = load(text).errors.map(\.description)
        #expect(problems.count == 1 && problems[0].hasPrefix(complaint), "\(problems)")
    }

    @Test("gzip of a node is true or false")
    func gzip() {
        let problems = load("nodes: [{name: a, url: \"http://h:1\", gzip: 1}]").errors.map(\.description)
        #expect(problems == ["s.yaml:1:44: gzip of a node \"1\" is neither true nor false: write true or false"])
    }
}
