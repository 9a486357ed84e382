// A text that must not be seen: passwords, and the headers that carry them. Printing one, or a value that holds one,
// shows no letter of it (I5); comparing two takes the same time wherever they differ (I4).

package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let text: String

    package init(_ text: String) { self.text = text }

    /// The text itself, for the one place that needs it.
    package func reveal() -> String { text }

    package var isEmpty: Bool { text.isEmpty }
    package var description: String { "[REDACTED]" }
    package var debugDescription: String { "[REDACTED]" }
    package var customMirror: Mirror { Mirror(self, children: []) }

    package static func == (a: Secret, b: Secret) -> Bool {
        let a = Array(a.text.utf8)
        let b = Array(b.text.utf8)
        var difference = UInt8(a.count == b.count ? 0 : 1)
        for index in a.indices { difference |= a[index] ^ (index < b.count ? b[index] : 0) }
        return difference == 0
    }
}

/// The credential with which the gateway itself speaks to a node.
package struct ServiceCredential: Sendable, Equatable {
    package let username: String
    package let password: Secret

    package init(username: String, password: Secret) {
        self.username = username
        self.password = password
    }

    /// The value of the `Authorization` header field (RFC 7617).
    package var authorization: Secret {
        Secret("Basic " + Base64.encoded(Array((username + ":" + password.reveal()).utf8)))
    }
}

/// RFC 4648 §4.
package enum Base64 {
    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    package static func encoded(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let piece = bytes[start..<min(start + 3, bytes.count)]
            let bits = piece.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - piece.count))
            for index in 0..<4 {
                text.append(index <= piece.count ? letters[bits >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
