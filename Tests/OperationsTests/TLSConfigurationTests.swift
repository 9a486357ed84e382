// What the configuration says of TLS and sockets: how it is read, and every complaint with its place.
import Foundation
import Operations
import SecureTransport
import TestSupport
import Testing

private func load(_ text: String) -> LoadedConfiguration {
    var input = ConfigurationInput()
    input.file = ("s.yaml", text)
    return ConfigurationLoader.load(input)
}

private let node = "nodes: [{name: a, url: http://h:1}]\n"

@Suite("Configuration of TLS and sockets")
struct TLSConfigurationTests {
    @Test("listeners and nodes take TLS, each its own keys")
    func good() throws {
        var input = ConfigurationInput()
        input.examineTLS = { _, _ in [] }
        input.file = (
            "s.yaml",
            """
            listen: unix:/run/a.sock
            listen_mode: 0666
            nodes:
              - {name: a, url: https://h, tls: {ca: ca.crt, server_name: influx.example, certificate: c, key: k}}
              - {name: b, url: HTTPS://i:1}
            listeners:
              - {listen: ":9", tls: {certificate: c, key: k, client_ca: ca, minimum: 1.3}}
              - {listen: "unix:///run/b.sock", mode: 600}
            """
        )
        let loaded = ConfigurationLoader.load(input)
        #expect(loaded.problems == [])
        let configuration = loaded.configuration
        #expect(configuration.listen == .unix(path: "/run/a.sock") && configuration.listenMode == 0o666)
        #expect(configuration.nodes.map(\.url) == ["https://h:8086", "https://i:1"])
        #expect(configuration.nodes[0].tls?.authorities == "ca.crt" && configuration.nodes[1].tls == nil)
        #expect(configuration.nodes[0].tls?.serverName == "influx.example")
        #expect(configuration.listeners[0].tls?.minimum == .v13 && configuration.listeners[0].tls?.authorities == "ca")
        #expect(configuration.listeners[1].address == .unix(path: "/run/b.sock"))
        #expect(configuration.listeners[1].mode == 0o600)
    }

    static let complaints: [(String, String)] = [
        (
            node + "tls: {certificate: /nowhere/c, key: k}",
            "s.yaml:2:20: the certificate /nowhere/c cannot be read (No such file or directory): name a PEM file that the gateway's user may read"
        ),
        (
            node + "tls: {}",
            "s.yaml:2:6: a listener with TLS needs a certificate: add certificate and key"
        ),
        (
            node + "tls: yes",
            "s.yaml:2:6: tls is not a map: write it like tls: {certificate: /etc/sluice/tls.crt, key: /etc/sluice/tls.key}"
        ),
        (
            node + "tls: {cert: c}",
            "s.yaml:2:7: unknown key tls.cert: remove it, or see docs/configuration.md for all keys"
        ),
        (
            node + "tls: {minimum: 1.1}",
            "s.yaml:2:16: tls.minimum \"1.1\" is not known: use \"1.2\" or \"1.3\"; older versions are not safe"
        ),
        (
            node + "tls: {verify: false}",
            "s.yaml:2:7: unknown key tls.verify: remove it, or see docs/configuration.md for all keys"
        ),
        (
            "nodes: [{name: a, url: https://h:1, tls: {server_name: 10.0.0.1}}]",
            "s.yaml:1:56: tls.server_name \"10.0.0.1\" is no name of a host: write a name that the node's certificate has; an address in numbers belongs into the url"
        ),
        (
            "nodes: [{name: a, url: http://h:1, tls: {verify: true}}]",
            "s.yaml:1:41: node a has tls, and an http:// url: write https:// in its url"
        ),
        (
            node + "admin: unix:/run/a.sock",
            "s.yaml:2:8: admin \"unix:/run/a.sock\" is a Unix socket, and only clients over HTTP can be served on one: write host:port, such as 127.0.0.1:8087"
        ),
        (
            node + "listen: unix:run/a.sock",
            "s.yaml:2:9: listen \"unix:run/a.sock\" names no Unix socket: write a whole path, such as unix:/run/sluice/influx.sock"
        ),
        (
            node + "listen_mode: rw",
            "s.yaml:2:14: listen_mode \"rw\" are no rights of a file: write them like 0660"
        ),
        (
            node + "listen: unix:/a\nlisteners: [{listen: unix:/a}]",
            "s.yaml:3:22: this listener and listen are the same address, unix:/a: give each listener an address of its own"
        ),
    ]

    @Test("every mistake is told with its place and what to do", arguments: complaints)
    func complaint(text: String, expected: String) {
        #expect(load(text).problems.map(\.description) == [expected])
    }

    @Test("certificates and keys are read: what does not fit is an error, what should not stay is a warning")
    func files() async throws {
        let authority = try await TestAuthority()
        let good = try await authority.issue("good")
        let other = try await authority.issue("other")
        let soon = try await authority.issue("soon", days: 5)
        let expired = try await authority.issue("expired", days: -1)
        func problems(_ certificate: String, _ key: String) -> [String] {
            load(node + "tls: {certificate: \(certificate), key: \(key)}").problems.map(\.description)
        }
        #expect(problems(good.certificate, good.key) == [])
        let foreign = problems(good.certificate, other.key)
        #expect(foreign.count == 1 && foreign[0].contains("does not belong to the certificate \(good.certificate)"))
        let noKey = problems(good.certificate, good.certificate)
        #expect(noKey.count == 1 && noKey[0].contains("is no private key in PEM form without a passphrase"))
        let noCertificate = problems(good.key, good.key)
        #expect(noCertificate.count == 1 && noCertificate[0].contains("holds no certificate in PEM form"))
        let late = problems(soon.certificate, soon.key)
        #expect(late.count == 1 && late[0].contains("warning: the certificate \(soon.certificate) expires in "))
        let over = problems(expired.certificate, expired.key)
        #expect(over.count == 1 && over[0].contains("warning: the certificate \(expired.certificate) has expired on"))
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: other.key)
        let open = problems(other.certificate, other.key)
        #expect(open.count == 1 && open[0].contains("warning: everybody on this machine can read the key \(other.key)"))
        // A warning takes nothing away.
        let listener = "{listen: \":9\", tls: {certificate: \(soon.certificate), key: \(soon.key)}}"
        let warned = load(node + "listeners: [\(listener)]\npolicy: {deny: [write], allow: [write]}")
        #expect(warned.problems.count == 2 && warned.errors == [])
        #expect(warned.configuration.listeners.map(\.tls?.key) == [soon.key])
        #expect(warned.configuration.policy != Configuration().policy)
        let halves = load(node + "tls: {certificate: \(good.certificate)}").problems.map(\.description)
        #expect(halves.count == 1 && halves[0].contains("a certificate needs its key"))
    }
}
