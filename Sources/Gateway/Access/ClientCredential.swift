// What a client brings to say who it is. A node judges it, from the same bytes, or the gateway's own list of users.

import NIOHTTP1
import NodeClient
import Querying
import Replication

/// A client's credential as it came: InfluxDB lets `u` and `p` of the URL win over the header, if both are there
/// (reference, 3).
package struct ClientCredential: Sendable, CustomStringConvertible {
    package enum Form: Sendable {
        case none
        case url(username: String, password: Secret)
        /// The value of `Authorization`.
        case header(Secret)
    }

    package let form: Form

    init(head: RequestHead, parameters: RequestParameters) {
        if let username = parameters.username, !username.isEmpty, let password = parameters.password, !password.isEmpty
        {
            form = .url(username: username, password: Secret(password))
        } else if let header = head.headers.first(name: "Authorization") {
            form = .header(Secret(Self.known(header)))
        } else {
            form = .none
        }
    }

    init(head: RequestHead) {
        self.init(
            head: head,
            parameters: RequestParameters(
                urlQuery: head.rawQuery, method: head.method.rawValue, contentType: nil, body: []))
    }

    /// Header fields of a request for a node that is to answer it, as they came.
    /// - Parameter withCredential: The node hears who the client is.
    static func passed(
        _ names: [String], of head: RequestHead, withCredential: Bool
    ) -> [(String, String)] {
        var headers = names.compactMap { name in head.headers.first(name: name).map { (name, $0) } }
        if withCredential, let value = head.headers.first(name: "Authorization") {
            headers.append(("Authorization", known(value)))
        }
        return headers
    }

    /// `Token name:password` came with 1.7.3; Basic means the same to all versions.
    private static func known(_ header: String) -> String {
        guard header.hasPrefix("Token "), header.contains(":") else { return header }
        return "Basic " + Base64.encoded(Array(header.dropFirst(6).utf8))
    }

    /// With this credential and no other.
    func request(_ method: HTTPMethod, _ path: String, _ parameters: [(String, String)]) -> NodeRequest {
        var parameters = parameters
        var headers: [(String, String)] = []
        switch form {
        case .none: break
        case .url(let username, let password): parameters += [("u", username), ("p", password.reveal())]
        case .header(let value): headers.append(("Authorization", value.reveal()))
        }
        let query = parameters.map { "\($0)=\(NodeRequests.percentEncoded($1))" }.joined(separator: "&")
        return NodeRequest(method: method, target: query.isEmpty ? path : path + "?" + query, headers: headers)
    }

    /// What tells it from all others, for a keyed hash.
    var bytes: [UInt8] {
        switch form {
        case .none: [0]
        case .url(let username, let password):
            // The length keeps "ab" + "c" apart from "a" + "bc".
            [1] + Array("\(username.utf8.count):\(username)".utf8) + Array(password.reveal().utf8)
        case .header(let value): [2] + Array(value.reveal().utf8)
        }
    }

    package var description: String {
        switch form {
        case .none: "no credential"
        case .url, .header: "a credential"
        }
    }
}

/// A keyed hash of a credential and of what it wants: the gateway keeps nothing else of it. Comparing two says nothing
/// of the secrets, because nobody outside can make one (I4).
package struct CredentialDigest: Hashable, Sendable {
    private let words: SIMD4<UInt64>

    package init(_ words: SIMD4<UInt64>) { self.words = words }
}

/// HMAC-SHA-256 or better, with a random key of this process.
package protocol CredentialHasher: Sendable {
    func digest(of bytes: [UInt8]) -> CredentialDigest
}
