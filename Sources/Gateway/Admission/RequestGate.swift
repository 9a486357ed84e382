// How many requests are under way, and whose: over all event loops, per listener, per user. Beyond a limit a request gets
// 503, never a 4xx: agents keep their data and come back (A10).

import Cluster
import NIOConcurrencyHelpers
import NIOCore
import Replication
import Synchronization

/// Why a request was not let in; the words of metrics.
package enum RequestRefusal: String, CaseIterable, Sendable {
    case requests
    case listenerRequests = "listener_requests"
    case userRequests = "user_requests"
    case userRequestRate = "user_request_rate"
    case userBytesRate = "user_bytes_rate"
}

/// Shared by all loops.
package final class RequestGate: Sendable {
    /// One request that was let in.
    struct Visit {
        fileprivate let listener: Int
        /// nil: nothing is limited per user.
        fileprivate let user: RequestUser?
        /// Of a credential that is good if the request is answered so.
        fileprivate let digest: Int?
    }

    /// What a request brings to say whose it is.
    struct Claim {
        let address: RequestUser
        let name: String?
        /// A hash of the whole credential, by a key of this process.
        let digest: Int?
    }

    private struct Listener: Sendable {
        let limit: Int
        let active = NIOLockedValueBox(0)
        let budgets: NIOLockedValueBox<RequestBudgets>?
    }

    package let refused = Dictionary(uniqueKeysWithValues: RequestRefusal.allCases.map { ($0, Counter()) })
    private let limit: Int
    private let active = Atomic<Int>(0)
    private let listeners: [Listener]
    /// Credentials with which a request succeeded a short while ago, and when.
    private let good = NIOLockedValueBox(RecentMap<Int, Int64>(capacity: 10_000))

    /// A password that was changed opens nobody's budget for longer.
    private static let goodFor: Int64 = 60_000_000_000

    init(_ settings: GatewaySettings) {
        limit = settings.limits.requests
        let general = settings.limits.user
        let shared = general.isOff ? nil : NIOLockedValueBox(RequestBudgets(general))
        listeners = settings.allListeners.map { listener in
            var own = general
            own.requestRate = listener.limits.userRequestRate ?? own.requestRate
            own.bytesRate = listener.limits.userBytesRate ?? own.bytesRate
            let budgets = own == general ? shared : own.isOff ? nil : NIOLockedValueBox(RequestBudgets(own))
            return Listener(limit: listener.limits.requests ?? .max, budgets: budgets)
        }
    }

    func countsUsers(_ listener: Int) -> Bool { listeners[listener].budgets != nil }

    /// - Parameters:
    ///   - now: monotonic nanoseconds; like `claim`, asked for where users are counted only.
    func enter(_ listener: Int, now: @autoclosure () -> Int64, claim: () -> Claim) -> Result<Visit, Refused> {
        let place = listeners[listener]
        let all = active.add(1, ordering: .relaxed).newValue
        guard all <= limit else {
            active.subtract(1, ordering: .relaxed)
            return .failure(refuse(.requests, "too many requests are under way"))
        }
        if place.limit != .max {
            let isFull = place.active.withLockedValue { active in
                guard active < place.limit else { return true }
                active += 1
                return false
            }
            if isFull {
                active.subtract(1, ordering: .relaxed)
                return .failure(refuse(.listenerRequests, "too many requests are under way at this address"))
            }
        }
        guard let budgets = place.budgets else { return .success(Visit(listener: listener, user: nil, digest: nil)) }
        let now = now()
        let claim = claim()
        let user = user(claim, now: now)
        if let refusal = budgets.withLockedValue({ $0.begin(user, now: now) }) {
            leave(listener)
            return .failure(refuse(refusal))
        }
        return .success(Visit(listener: listener, user: user, digest: claim.digest))
    }

    func charge(_ bytes: Int, _ visit: Visit, now: @autoclosure () -> Int64) {
        guard let user = visit.user else { return }
        let now = now()
        listeners[visit.listener].budgets?.withLockedValue { $0.charge(bytes, to: user, now: now) }
    }

    /// - Parameter isGood: it was answered as only a good credential is.
    func end(_ visit: Visit, isGood: @autoclosure () -> Bool, now: @autoclosure () -> Int64) {
        if let digest = visit.digest, isGood() {
            let now = now()
            good.withLockedValue { $0[digest] = now }
        }
        if let user = visit.user { listeners[visit.listener].budgets?.withLockedValue { $0.end(user) } }
        leave(visit.listener)
    }

    private func leave(_ listener: Int) {
        active.subtract(1, ordering: .relaxed)
        if listeners[listener].limit != .max { listeners[listener].active.withLockedValue { $0 -= 1 } }
    }

    /// A name counts only with a credential that was good: nobody spends another's budget by claiming to be them.
    private func user(_ claim: Claim, now: Int64) -> RequestUser {
        guard let digest = claim.digest, let at = good.withLockedValue({ $0[digest] }), now - at < Self.goodFor else {
            return claim.address
        }
        return claim.name.map { .name($0) } ?? .credential(digest)
    }

    // MARK: Refusing

    struct Refused: Error {
        let response: Response
    }

    private func refuse(_ refusal: RequestBudgets.Refusal) -> Refused {
        switch refusal {
        case .requests: refuse(.userRequests, "too many requests of this user are under way")
        case .requestRate(let wait): refuse(.userRequestRate, "this user sends too many requests", after: wait)
        case .bytesRate(let wait): refuse(.userBytesRate, "this user sends too many bytes", after: wait)
        }
    }

    /// - Parameter wait: Nanoseconds.
    private func refuse(_ reason: RequestRefusal, _ words: String, after wait: Int64 = 0) -> Refused {
        refused[reason]?.add(1)
        let seconds = max(1, Int(clamping: (wait + 999_999_999) / 1_000_000_000))
        return Refused(response: .unavailable(words, retryAfter: seconds))
    }
}
