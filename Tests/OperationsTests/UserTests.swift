// The gateway's own users: hashes of passwords and tokens, and how they are read from the configuration.

import NodeClient
import Operations
import Testing

struct UserTests {
    @Test("I4 a password matches the hash that was made of it, and no other does")
    func hashing() throws {
        let hash = try PasswordHash(of: Secret("correct horse"))
        let read = try PasswordHash(parsing: hash.reveal())
        #expect(read == hash)
        #expect(read.matches(Secret("correct horse")))
        for wrong in ["", "correct hors", "correct horse ", "Correct horse"] { #expect(!read.matches(Secret(wrong))) }
        #expect(try PasswordHash(of: Secret("correct horse")) != hash, "each has a salt of its own")
        #expect("\(hash)" == "[REDACTED]")
        // RFC 7914, 12: N = 16384, r = 8, p = 1.
        let vector =
            "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$"
            + "cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw"
        #expect(try PasswordHash(parsing: vector).matches(Secret("pleaseletmein")))
    }

    @Test(
        "what is no hash is refused with the command that makes one",
        arguments: [
            "", "secret", "$scrypt$", "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$", "$argon2$ln=15,r=8,p=1$c2FsdHNhbHQ$a2V5",
            "$scrypt$ln=15,r=8$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=1,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=20,r=32,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=x,r=8,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA",
            "$scrypt$ln=15,r=8,p=1$c2FsdHNhbHQ$???", "sha256:00",
        ])
    func notAHash(text: String) {
        do {
            _ = try PasswordHash(parsing: text)
            Issue.record("\(text) was taken")
        } catch {
            #expect(error.advice.contains("sluice users hash"))
        }
    }

    @Test("a token is known by its hash")
    func tokens() throws {
        let token = TokenHash.makeToken()
        #expect(token.reveal().count == 43 && token != TokenHash.makeToken())
        let hash = TokenHash(of: token)
        #expect(try TokenHash(parsing: hash.text) == hash)
        #expect(
            TokenHash(of: Secret("abc")).text
                == "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        for text in ["", "sha256:", "ba78", "sha256:" + String(repeating: "g", count: 64)] {
            #expect(throws: ValueFault.self) { try TokenHash(parsing: text) }
        }
    }

    private static let hash = "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$AAAAAAAAAAAAAAAAAAAAAA"

    @Test(
        "each mistake in users is reported with its line",
        arguments: [
            ("users: yes", "users is not a list"),
            ("users: [a]", "this is not a user"),
            ("users: [{password_hash: '\(hash)'}]", "this user has no name"),
            ("users: [{name: 'a:b', password_hash: '\(hash)'}]", "name of a user is empty, or has a colon"),
            ("users: [{name: a}]", "the user a has neither password_hash nor token_hash"),
            ("users: [{name: a, password: x}]", "password"),
            ("users: [{name: a, password_hash: x}]", "password_hash is not what `sluice users hash` prints"),
            ("users: [{name: a, token_hash: x}]", "token_hash is not what `sluice users token` prints"),
            ("users: [{name: a, password_hash: '\(hash)', admin: maybe}]", "admin \"maybe\" is neither true nor false"),
            ("users: [{name: a, password_hash: '\(hash)', grants: [d]}]", "grants is not a map"),
            ("users: [{name: a, password_hash: '\(hash)', grants: {d: all}}]", "the role for d \"all\" is not known"),
            (
                "users: [{name: a, password_hash: '\(hash)', admin: true}, {name: a, password_hash: '\(hash)'}]",
                "the user a is there twice"
            ),
            ("access: users", "access is users, and there are none"),
        ])
    func mistakes(text: String, words: String) {
        let loaded = Self.load(text)
        #expect(loaded.errors.contains { "\($0)".contains(words) }, "\(loaded.problems)")
    }

    @Test("users are read with their grants, and decide who may; no way of printing them shows a hash")
    func reading() throws {
        let loaded = Self.load(
            "users: [{name: a, password_hash: '\(Self.hash)', grants: {d: [read, write], \"*\": read}}, {name: root, "
                + "token_hash: ['\(TokenHash(of: Secret("t")).text)'], admin: true}]")
        #expect(loaded.problems.isEmpty, "\(loaded.problems)")
        let configuration = loaded.configuration
        #expect(configuration.decidedAccess == .users)
        let user = try #require(configuration.users.first?.user)
        #expect(user.may(.write, "d") && user.may(.read, "e") && !user.may(.write, "e") && !user.may(.manage, "d"))
        #expect(configuration.users[1].user.may(.manage, "d"))
        var printed = ""
        dump(configuration.users, to: &printed)
        #expect(!"\(configuration)\(printed)".contains("AAAAAAAA"))
    }

    private static func load(_ text: String) -> LoadedConfiguration {
        var input = ConfigurationInput()
        input.file = ("sluice.yaml", "nodes: [{name: x, url: http://h:8086}]\n" + text)
        return ConfigurationLoader.load(input)
    }
}
