// Finds out whose credential something is. One thread does the slow work, so that guesses cost one core at most, and what
// waits for it is bounded.
import Dispatch
import Foundation
import Gateway
import NodeClient
import Synchronization

/// A client says who it is in one of InfluxDB's forms: `u` and `p`, Basic (`Token name:password` has become that), or a
/// token alone behind `Token` or `Bearer`. A token is good in the place of its user's password as well, for programs that
/// know nothing else.
final class UserDirectory: UserIdentifier {
    private enum Presented {
        case password(name: String, Secret)
        case token(Secret)
        case withoutName
        case unreadable
    }

    private let byName: [String: ConfiguredUser]
    private let byToken: [TokenHash: GatewayUser]
    /// Who has no entry is compared with this one: how long it takes does not tell who has one.
    private let nobody: PasswordHash?
    private let queue = DispatchQueue(label: "passwords")
    private let waiting = Atomic(0)

    private static let maximumWaiting = 256

    init(_ users: [ConfiguredUser]) throws {
        byName = Dictionary(users.map { ($0.user.name, $0) }) { first, _ in first }
        byToken = Dictionary(users.flatMap { user in user.tokens.map { ($0, user.user) } }) { first, _ in first }
        nobody = try users.contains { $0.password != nil } ? PasswordHash(of: TokenHash.makeToken()) : nil
    }

    func identify(_ credential: ClientCredential, whenDone: @escaping @Sendable (Identification) -> Void) -> Bool {
        switch Self.presented(credential) {
        case .unreadable: whenDone(.unreadable)
        case .withoutName: whenDone(.withoutName)
        case .token(let token): whenDone(byToken[TokenHash(of: token)].map { .user($0) } ?? .nobody)
        case .password(let name, let password):
            if let user = byToken[TokenHash(of: password)], user.name == name {
                whenDone(.user(user))
                return true
            }
            guard waiting.add(1, ordering: .relaxed).newValue <= Self.maximumWaiting else {
                waiting.subtract(1, ordering: .relaxed)
                return false
            }
            queue.async { [self] in
                let entry = byName[name]
                let isRight = (entry?.password ?? nobody)?.matches(password) ?? false
                waiting.subtract(1, ordering: .relaxed)
                if isRight, let entry, entry.password != nil { whenDone(.user(entry.user)) } else { whenDone(.nobody) }
            }
        }
        return true
    }

    private static func presented(_ credential: ClientCredential) -> Presented {
        switch credential.form {
        case .none: return .unreadable
        case .url(let name, let password): return .password(name: name, password)
        case .header(let header):
            let text = header.reveal()
            guard let space = text.firstIndex(of: " ") else { return .unreadable }
            let scheme = text[..<space]
            let value = String(text[text.index(after: space)...])
            if scheme == "Token" || scheme == "Bearer" { return .token(Secret(value)) }
            guard scheme.lowercased() == "basic", let data = Data(base64Encoded: value),
                let colon = data.firstIndex(of: UInt8(ascii: ":"))
            else { return .unreadable }
            guard colon > data.startIndex else { return .withoutName }
            return .password(
                name: String(decoding: data[..<colon], as: UTF8.self),
                Secret(String(decoding: data[data.index(after: colon)...], as: UTF8.self)))
        }
    }
}
