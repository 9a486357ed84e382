// What nodes said of credentials, for a short time and in bounded memory. Pure.

import NIOCore

/// A dictionary that forgets the least recently used half of its entries when it is full.
struct RecentMap<Key: Hashable, Value> {
    private let half: Int
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]

    init(capacity: Int) { half = max(1, capacity / 2) }

    var count: Int { young.count + old.count { young[$0.key] == nil } }

    subscript(_ key: Key) -> Value? {
        mutating get {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, for: key)
            return value
        }
        set {
            old[key] = nil
            if let newValue { insert(newValue, for: key) } else { young[key] = nil }
        }
    }

    private mutating func insert(_ value: Value, for key: Key) {
        if young.count >= half, young[key] == nil {
            old = young
            young = [:]
        }
        young[key] = value
    }

    mutating func removeAll() {
        young = [:]
        old = [:]
    }
}

extension RecentMap: Sendable where Key: Sendable, Value: Sendable {}

package struct AccessCache<Refusal> {
    package struct Limits: Sendable {
        /// How long a yes spares the nodes a question.
        package var allowedFor: TimeAmount = .seconds(30)
        package var refusedFor: TimeAmount = .seconds(1)
        /// How long a yes is good enough when no node can be asked.
        package var rememberedFor: TimeAmount = .hours(1)
        package var allowed = 10_000
        /// Apart from the others, so that guesses cannot push out those who are known.
        package var refused = 1_000

        package init() {}
    }

    package enum Answer {
        case allowed
        case refused(Refusal)
        case unknown
    }

    private let limits: Limits
    private var allowed: RecentMap<CredentialDigest, NIODeadline>
    private var refused: RecentMap<CredentialDigest, (refusal: Refusal, at: NIODeadline)>
    /// Results from before a change of users or databases are worth nothing.
    private var epoch: Int

    package init(limits: Limits = Limits(), epoch: Int = 0) {
        self.limits = limits
        self.epoch = epoch
        allowed = RecentMap(capacity: limits.allowed)
        refused = RecentMap(capacity: limits.refused)
    }

    package mutating func answer(_ key: CredentialDigest, epoch: Int, now: NIODeadline) -> Answer {
        enter(epoch)
        if let at = allowed[key], now - at < limits.allowedFor { return .allowed }
        if let (refusal, at) = refused[key] {
            if now - at < limits.refusedFor { return .refused(refusal) }
            refused[key] = nil
        }
        return .unknown
    }

    /// Whether it was allowed not long ago.
    package mutating func remembers(_ key: CredentialDigest, epoch: Int, now: NIODeadline) -> Bool {
        enter(epoch)
        return allowed[key].map { now - $0 < limits.rememberedFor } ?? false
    }

    /// - Parameter epoch: the one in which the question was asked.
    package mutating func learn(_ key: CredentialDigest, refusal: Refusal?, epoch: Int, now: NIODeadline) {
        guard epoch == self.epoch else { return }
        allowed[key] = refusal == nil ? now : nil
        refused[key] = refusal.map { ($0, now) }
    }

    package var count: Int { allowed.count + refused.count }

    private mutating func enter(_ epoch: Int) {
        guard epoch != self.epoch else { return }
        self.epoch = epoch
        allowed.removeAll()
        refused.removeAll()
    }
}
