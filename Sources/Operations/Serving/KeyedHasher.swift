// HMAC-SHA-256 over clients' credentials, with a key that lives as long as the process and is written nowhere.
import Crypto
import Gateway

struct KeyedHasher: CredentialHasher {
    private let key = SymmetricKey(size: .bits256)

    func digest(of bytes: [UInt8]) -> CredentialDigest {
        HMAC<SHA256>.authenticationCode(for: bytes, using: key).withUnsafeBytes { code in
            CredentialDigest(code.loadUnaligned(as: SIMD4<UInt64>.self))
        }
    }
}
