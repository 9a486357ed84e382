import Foundation
import Operations
import Testing

@Suite("Admin token")
struct AdminTokenTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/admin.token" }

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test("I4 the token is made once, 32 random bytes, for its owner's eyes only")
    func made() throws {
        let token = try AdminToken(dataDirectory: folder.path)
        #expect(token.text.count == 64)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        #expect(try AdminToken(dataDirectory: folder.path).text == token.text)
        #expect(try AdminToken(file: path).text == token.text)
        let other = try TemporaryFolder()
        #expect(try AdminToken(dataDirectory: other.path).text != token.text)
    }

    @Test("only the whole token is the token")
    func same() throws {
        let token = try AdminToken(dataDirectory: folder.path)
        #expect(token.isSame(as: token.text))
        for wrong in ["", "x", String(token.text.dropLast()), token.text + "0", token.text.uppercased() + "\n"] {
            #expect(!token.isSame(as: wrong))
        }
    }

    @Test("a file that holds something else is said to be wrong, and not replaced")
    func damaged() throws {
        try Data("short\n".utf8).write(to: URL(filePath: path))
        #expect(throws: ServingError.self) { try AdminToken(dataDirectory: folder.path) }
        #expect(FileManager.default.contents(atPath: path) == Data("short\n".utf8))
    }
}
