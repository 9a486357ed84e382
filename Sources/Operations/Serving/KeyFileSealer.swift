// The key that seals passwords in the commit log: 32 random bytes in a file of their own, made at the first start.
import Crypto
import Foundation
import Glibc
import Replication

/// ChaCha20-Poly1305 with a key from a file that only the gateway's user can read. Sealed text is base64.
package struct KeyFileSealer: StatementSealer {
    private let key: SymmetricKey

    /// Reads the key, or makes one (mode 0600) where there is none.
    /// - Throws: `ServingError`, with the path and what to do.
    package init(path: String) throws {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw ServingError(
                "the key file \(path) cannot be opened: \(String(cString: strerror(errno)))",
                advice: "let the gateway's user own it, with mode 0600")
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var bytes = try file.readToEnd() ?? Data()
        if bytes.isEmpty {
            bytes = SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) }
            try file.write(contentsOf: bytes)
            try file.synchronize()
        }
        guard bytes.count == 32 else {
            throw ServingError(
                "the key file \(path) does not hold a key of 32 bytes",
                advice: "restore it from a backup; passwords that are still in the log cannot be read without it")
        }
        key = SymmetricKey(data: bytes)
    }

    package func seal(_ statement: String) throws -> String {
        try ChaChaPoly.seal(Data(statement.utf8), using: key).combined.base64EncodedString()
    }

    package func open(_ sealed: String) throws -> String {
        let box = try ChaChaPoly.SealedBox(combined: Data(base64Encoded: sealed) ?? Data())
        return String(decoding: try ChaChaPoly.open(box, using: key), as: UTF8.self)
    }
}
