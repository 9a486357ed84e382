// Passwords: sent, and never shown.
import NIOHTTP1
import NodeClient
import Testing

@Suite("Secrets")
struct SecretTests {
    @Test("I5 printing a secret, or what holds one, shows no letter of it")
    func hidden() {
        let credential = ServiceCredential(username: "sluice", password: Secret("hunter2"))
        var dumped = ""
        dump(credential, to: &dumped)
        for text in ["\(credential)", String(reflecting: credential), dumped, "\(credential.authorization)"] {
            #expect(!text.contains("hunter2") && !text.contains("aHVudGVy"), "\(text)")
        }
        #expect(credential.password.reveal() == "hunter2")
    }

    @Test(
        "I4 secrets are equal when all their bytes are",
        arguments: [("", "", true), ("a", "a", true), ("a", "b", false), ("a", "ab", false), ("ab", "a", false)]
    )
    func equal(a: String, b: String, expected: Bool) { #expect((Secret(a) == Secret(b)) == expected) }

    @Test(
        "a credential is sent as RFC 7617 has it",
        arguments: [
            ("a", "", "YTo="), ("a", "b", "YTpi"), ("a", "bc", "YTpiYw=="), ("a", "b:c", "YTpiOmM="),
            ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), ("ü", "\u{1F600}", "w7w68J+YgA=="),
        ]
    )
    func basic(username: String, password: String, encoded: String) {
        let credential = ServiceCredential(username: username, password: Secret(password))
        #expect(credential.authorization.reveal() == "Basic " + encoded)
    }

    @Test("a pool's credential is put on requests that bring none of their own, and on no other")
    func pool() throws {
        try TestNode.run(credential: ServiceCredential(username: "a", password: Secret("b"))) {
            $0.answer("HTTP/1.1 204 No Content\r\n\r\n")
        } test: { (node) throws in
            _ = try node.send(NodeRequest(method: .GET, target: "/ping"))
            #expect(node.requests.last?.contains("\r\nAuthorization: Basic YTpi\r\n") == true)
            _ = try node.send(NodeRequest(method: .GET, target: "/ping", headers: [("authorization", "Basic eA==")]))
            #expect(node.requests.last?.contains("YTpi") == false)
        }
    }
}
