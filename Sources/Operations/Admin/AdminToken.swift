// The secret that lets an operator change something: made at the first start, in data_dir/admin.token (mode 0600).
import Crypto
import Foundation
import Glibc

package struct AdminToken: Sendable {
    package static let fileName = "admin.token"
    /// 32 random bytes in hexadecimal digits.
    private static let length = 64
    package let text: String

    package init(text: String) { self.text = text }

    /// Reads the token of a gateway's data folder, or makes one where there is none.
    /// - Throws: `ServingError`, with the path and what to do.
    package init(dataDirectory: String) throws {
        let path = dataDirectory + "/" + Self.fileName
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw ServingError(
                "the file of the admin token, \(path), cannot be opened (\(String(cString: strerror(errno))))",
                advice: "let the gateway's user own it, with mode 0600")
        }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let found = try file.readToEnd() ?? Data()
        if found.isEmpty {
            let bytes = SymmetricKey(size: .bits256).withUnsafeBytes { Array($0) }
            text = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            try file.write(contentsOf: Data((text + "\n").utf8))
            try file.synchronize()
            return
        }
        text = Self.trimmed(found)
        guard text.utf8.count == Self.length, text.allSatisfy(\.isHexDigit) else {
            throw ServingError(
                "the file of the admin token, \(path), holds no token",
                advice: "remove it; the next start makes a new one")
        }
    }

    /// Reads a token for the command line.
    package init(file path: String) throws {
        guard let found = FileManager.default.contents(atPath: path) else {
            throw ServingError(
                "the admin token cannot be read from \(path)",
                advice: "it lies in the gateway's data folder: run this as the gateway's user and name the folder with "
                    + "--data-dir DIR, or give the token with --token-file FILE or in SLUICE_ADMIN_TOKEN")
        }
        text = Self.trimmed(found)
        guard !text.isEmpty else {
            throw ServingError("\(path) is empty", advice: "name the file that holds the admin token")
        }
    }

    /// Takes the same time for every text of the same length.
    package func isSame(as presented: String) -> Bool {
        // Digests are of equal length, and nothing about the token can be learnt from where they differ.
        let pairs = zip(SHA256.hash(data: Data(text.utf8)), SHA256.hash(data: Data(presented.utf8)))
        return pairs.reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static func trimmed(_ data: Data) -> String {
        String(decoding: data.prefix(4_096), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
