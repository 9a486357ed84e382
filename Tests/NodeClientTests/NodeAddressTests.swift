// How node URLs are read, and what a wrong one is told.
import NodeClient
import Testing

@Suite("Node addresses")
struct NodeAddressTests {
    @Test(
        "URLs that name a node",
        arguments: [
            ("http://10.0.0.1:8086", "10.0.0.1", 8086, ""), ("http://node-a", "node-a", 8086, ""),
            ("HTTP://node:1/", "node", 1, ""), ("http://node:80/influx/a/", "node", 80, "/influx/a"),
            ("http://[::1]:9", "::1", 9, ""), ("http://[fe80::1]", "fe80::1", 8086, ""),
        ])
    func good(url: String, host: String, port: Int, basePath: String) throws {
        let address = try NodeAddress(parsing: url)
        #expect(address == NodeAddress(host: host, port: port, basePath: basePath))
        #expect(try NodeAddress(parsing: address.description) == address)
    }

    @Test("An address with TLS says so, and has the same port when it names none")
    func secure() throws {
        let address = try NodeAddress(parsing: "HTTPS://node/a")
        #expect(address == NodeAddress(host: "node", port: 8086, basePath: "/a", isSecure: true))
        #expect(address != NodeAddress(host: "node", port: 8086, basePath: "/a"))
        #expect(address.description == "https://node:8086/a")
    }

    @Test(
        "URLs that do not, each with its reason",
        arguments: [
            ("node:8086", .noScheme), ("", .noScheme), ("httpss://node", .unsupportedScheme("httpss")),
            ("ftp://node", .unsupportedScheme("ftp")), ("http://", .noHost), ("http://:8086", .noHost),
            ("http://[]:1", .noHost), ("http://[::1", .noHost), ("http://node:", .badPort("")),
            ("http://node:0", .badPort("0")), ("http://node:65536", .badPort("65536")),
            ("http://node:+1", .badPort("+1")), ("http://[::1]x", .badPort("x")), ("http://::1:80", .unbracketedIPv6),
            ("http://u:secret@node", .userinfo), ("http://node/a?b", .queryOrFragment),
            ("http://node#x", .queryOrFragment), ("http://node /", .forbiddenCharacter),
            ("http://no\r\nde", .forbiddenCharacter), ("http://nöde", .forbiddenCharacter),
        ] as [(String, NodeAddressError.Reason)])
    func bad(url: String, reason: NodeAddressError.Reason) {
        let error = #expect(throws: NodeAddressError.self) { try NodeAddress(parsing: url) }
        #expect(error?.reason == reason)
    }

    @Test("I5 a password in a URL does not reach the error's text")
    func password() {
        let error = #expect(throws: NodeAddressError.self) { try NodeAddress(parsing: "http://u:secret@node") }
        #expect(error.map { !"\($0)".contains("secret") } == true)
    }
}
