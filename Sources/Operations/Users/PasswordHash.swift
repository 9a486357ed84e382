// How hashes of passwords and tokens are made and compared.
import Crypto
import CryptoExtras
import Foundation
import NodeClient

extension PasswordHash {
    /// 32 MiB and a tenth of a second for one guess.
    package init(of password: Secret) throws {
        let salt = TokenHash.random(16)
        let empty = PasswordHash(cost: 15, blockSize: 8, parallelism: 1, salt: salt, length: 32, key: Secret(""))
        self.init(
            cost: 15, blockSize: 8, parallelism: 1, salt: salt, length: 32, key: try empty.derived(from: password))
    }

    /// Takes as long as it took to make it, wherever two passwords differ (I4).
    package func matches(_ password: Secret) -> Bool {
        guard let derived = try? derived(from: password) else { return false }
        return derived == key
    }

    private func derived(from password: Secret) throws -> Secret {
        let key = try KDF.Scrypt.deriveKey(
            from: Array(password.reveal().utf8), salt: salt, outputByteCount: length, rounds: 1 << cost,
            blockSize: blockSize, parallelism: parallelism)
        return Secret(key.withUnsafeBytes { Self.text(Array($0)) })
    }
}

extension TokenHash {
    package init(of token: Secret) {
        self.init(digest: Array(SHA256.hash(data: Array(token.reveal().utf8))))
    }

    package static func makeToken() -> Secret {
        Secret(PasswordHash.text(random(32)).replacing("+", with: "-").replacing("/", with: "_"))
    }

    static func random(_ count: Int) -> [UInt8] {
        SymmetricKey(size: .init(bitCount: count * 8)).withUnsafeBytes { Array($0) }
    }
}
