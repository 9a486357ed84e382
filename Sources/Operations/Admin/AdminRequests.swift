// Bodies of the admin API's changes. A key that is not known is refused: a mistyped `dry_run` must not purge.
import Foundation
import Hummingbird

/// Keys are snake_case, as in everything that the admin API says.
package protocol AdminRequest: Codable, Sendable {
    static var keys: Set<String> { get }
}

package struct PauseRequest: AdminRequest {
    package static let keys: Set<String> = ["as_failure", "for_seconds", "force"]
    /// A pause is no way to remove a node.
    package static let longest = 30 * 86_400

    /// As if the node had failed, so that alerts ring.
    package var asFailure: Bool?
    /// Nil: until it is resumed.
    package var forSeconds: Int?
    /// Also when no other node is in-sync.
    package var force: Bool?

    package init(asFailure: Bool? = nil, forSeconds: Int? = nil, force: Bool? = nil) {
        self.asFailure = asFailure
        self.forSeconds = forSeconds
        self.force = force
    }
}

package struct ResumeRequest: AdminRequest {
    package static let keys: Set<String> = []

    package init() {}
}

package struct TrustRequest: AdminRequest {
    package static let keys: Set<String> = ["dry_run"]
    package var dryRun: Bool

    package init(dryRun: Bool) { self.dryRun = dryRun }
}

package struct PurgeRequest: AdminRequest {
    package static let keys: Set<String> = ["selection", "dry_run"]
    package var selection: DeadLetterSelection
    package var dryRun: Bool

    package init(selection: DeadLetterSelection, dryRun: Bool) {
        self.selection = selection
        self.dryRun = dryRun
    }
}

package struct RetryRequest: AdminRequest {
    package static let keys: Set<String> = ["selection", "dry_run", "after", "up_to", "username", "password"]
    package var selection: DeadLetterSelection
    /// True: the answer is a ``RetryPlan``. False: a ``RetryOutcome`` of one stretch.
    package var dryRun: Bool
    /// ``RetryOutcome/after`` of the stretch before.
    package var after: Int64?
    /// ``RetryPlan/upTo``; nil: all that are there.
    package var upTo: Int64?
    /// For a gateway that asks its clients for a password.
    package var username: String?
    package var password: String?

    package init(
        selection: DeadLetterSelection, dryRun: Bool, after: Int64? = nil, upTo: Int64? = nil,
        credential: RetryCredential? = nil
    ) {
        self.selection = selection
        self.dryRun = dryRun
        self.after = after
        self.upTo = upTo
        username = credential?.username
        password = credential?.password
    }

    var credential: RetryCredential? {
        guard let username else { return nil }
        return RetryCredential(username: username, password: password ?? "")
    }
}

/// What was done, or would be, in a sentence.
package struct AdminMessage: Codable, Equatable, Sendable {
    package var message: String
}

/// How many dead letters were removed, or would be.
package struct PurgeOutcome: Codable, Equatable, Sendable {
    package var lines: Int
}

extension AdminRequest {
    private static var largestBody: Int { 1 << 20 }

    /// Reads the body of a request, strictly.
    static func read(_ request: Request) async throws(ControlRefusal) -> Self {
        let body: Data
        do {
            body = Data(try await request.body.collect(upTo: largestBody).readableBytesView)
        } catch {
            throw ControlRefusal(413, "the body is larger than \(largestBody) bytes or ended early")
        }
        guard let object = try? JSONSerialization.jsonObject(with: body) as? [String: Any] else {
            throw ControlRefusal(400, "the body is no JSON object")
        }
        if let unknown = object.keys.filter({ !keys.contains($0) }).sorted().first {
            let known = keys.isEmpty ? "this request has none" : "use \(keys.sorted().joined(separator: ", "))"
            throw ControlRefusal(400, "the key \"\(unknown)\" is not known; \(known)")
        }
        do {
            return try AdminJSON.decode(Self.self, from: body)
        } catch DecodingError.keyNotFound(let key, _) {
            throw ControlRefusal(400, "the key \"\(AdminJSON.snakeCase(key.stringValue))\" is missing")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let key = context.codingPath.map { AdminJSON.snakeCase($0.stringValue) }.joined(separator: ".")
            throw ControlRefusal(400, "the value of \"\(key)\" is of the wrong type")
        } catch {
            throw ControlRefusal(400, "the body cannot be read")
        }
    }
}
