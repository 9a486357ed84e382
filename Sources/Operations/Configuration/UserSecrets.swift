// What the configuration holds of users' passwords and tokens, in its text forms. What they are made of, `Users` knows.
import Foundation
import NodeClient

/// What scrypt (RFC 7914) makes of a password and a salt: `$scrypt$ln=15,r=8,p=1$SALT$KEY`, in base64 without padding.
package struct PasswordHash: Equatable, Sendable, CustomStringConvertible {
    /// The binary logarithm of scrypt's N.
    let cost: Int
    let blockSize: Int
    let parallelism: Int
    let salt: [UInt8]
    /// Of the key, in bytes.
    let length: Int
    /// As base64.
    let key: Secret

    init(cost: Int, blockSize: Int, parallelism: Int, salt: [UInt8], length: Int, key: Secret) {
        self.cost = cost
        self.blockSize = blockSize
        self.parallelism = parallelism
        self.salt = salt
        self.length = length
        self.key = key
    }

    package init(parsing text: String) throws(ValueFault) {
        let advice = "run `sluice users hash` and put its line here"
        let fault = ValueFault("is not what `sluice users hash` prints", advice: advice)
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt" else { throw fault }
        var numbers: [Substring: Int] = [:]
        for pair in parts[2].split(separator: ",") {
            let sides = pair.split(separator: "=")
            guard sides.count == 2, let number = Int(sides[1]) else { throw fault }
            numbers[sides[0]] = number
        }
        guard numbers.count == 3, let cost = numbers["ln"], let blockSize = numbers["r"],
            let parallelism = numbers["p"], let salt = Self.bytes(parts[3]), let key = Self.bytes(parts[4]),
            (8...64).contains(salt.count), (16...64).contains(key.count)
        else { throw fault }
        // A guess takes 128 * N * r bytes.
        guard (10...20).contains(cost), (1...32).contains(blockSize), (1...16).contains(parallelism),
            128 * blockSize << cost <= 256 << 20
        else { throw ValueFault("asks for too much or too little work", advice: advice) }
        self.init(
            cost: cost, blockSize: blockSize, parallelism: parallelism, salt: salt, length: key.count,
            key: Secret(String(parts[4])))
    }

    /// The text form, which `description` does not show.
    package func reveal() -> String {
        "$scrypt$ln=\(cost),r=\(blockSize),p=\(parallelism)$\(Self.text(salt))$\(key.reveal())"
    }

    package var description: String { "[REDACTED]" }

    static func text(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("=", with: "")
    }

    private static func bytes(_ text: Substring) -> [UInt8]? {
        guard !text.contains("=") else { return nil }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text + padding).map { Array($0) }
    }
}

/// What SHA-256 makes of a token: `sha256:` and 64 hexadecimal digits. A token is 32 random bytes, which nobody can guess,
/// so a fast hash is as good as a slow one.
package struct TokenHash: Hashable, Sendable, CustomStringConvertible {
    private let digest: [UInt8]

    init(digest: [UInt8]) { self.digest = digest }

    package init(parsing text: String) throws(ValueFault) {
        let digits = text.dropFirst(7).compactMap(\.hexDigitValue)
        guard text.hasPrefix("sha256:"), text.count == 71, digits.count == 64 else {
            throw ValueFault(
                "is not what `sluice users token` prints", advice: "run `sluice users token` and put its hash here")
        }
        digest = stride(from: 0, to: 64, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    package var text: String {
        "sha256:" + digest.map { String(Int($0) + 256, radix: 16).dropFirst() }.joined()
    }

    package var description: String { "[REDACTED]" }
}
