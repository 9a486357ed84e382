import Foundation
import Operations
import Testing

@Suite("Passwords in the commit log are sealed")
struct KeyFileSealerTests {
    private let path = NSTemporaryDirectory() + "seal-\(UUID().uuidString).key"

    @Test("I5 what is sealed can be read with the same key file, and with no other")
    func roundTrip() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let statement = "CREATE USER x WITH PASSWORD 'secret'"
        let sealed = try KeyFileSealer(path: path).seal(statement)
        #expect(!sealed.contains("secret"))
        #expect(try KeyFileSealer(path: path).open(sealed) == statement)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        try FileManager.default.removeItem(atPath: path)
        let other = try KeyFileSealer(path: path)
        #expect(throws: (any Error).self) { try other.open(sealed) }
        #expect(throws: (any Error).self) { try other.open("no box") }
    }

    @Test("a key file of the wrong size is said to be wrong, and not replaced")
    func wrongSize() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("short".utf8).write(to: URL(filePath: path))
        #expect(throws: ServingError.self) { try KeyFileSealer(path: path) }
        #expect(FileManager.default.contents(atPath: path) == Data("short".utf8))
    }
}
