// Who may still append when room runs out, as a plain value: half of the log is divided into equal parts, one for each
// replica set, and nobody takes what is left of another's part.
//
// The rule: a set is refused when its own backlog is above its part AND what is left of the room would not cover what is
// left of the parts of all others. So room >= sum over all sets of (part - backlog, if positive) holds after each append,
// and a set whose nodes keep up, its backlog never above its part, is never refused because of another's dead node.

package struct RoomShares: Sendable {
    private struct Account {
        /// Durable and unfinished, as of the last update, and appended since.
        var held: UInt64 = 0
        /// Staged and not durable.
        var pending: UInt64 = 0
        var all: UInt64 { held + pending }
    }

    private var accounts: [UInt16: Account] = [:]
    /// Bytes of each set's part.
    package private(set) var part: UInt64 = 0
    /// Bytes that sets above their part leave beside the others' parts: what is finished in the open segment and what
    /// rewriting has not freed yet lies in the way of others too.
    package private(set) var margin: UInt64 = 0
    /// Of all parts, what their sets have not used.
    private var unused: UInt64 = 0

    package init() {}

    /// There is something to divide: more than one set is in use.
    package var isDivided: Bool { part > 0 }

    /// - Parameters:
    ///   - held: unfinished bytes of each set.
    ///   - sets: that are in use, those without records too. None: nothing is divided.
    ///   - capacity: bytes that the log may have in all.
    package mutating func update(held: [UInt16: UInt64], sets: [UInt16], capacity: UInt64, segmentBytes: UInt64) {
        var next: [UInt16: Account] = [:]
        for set in sets { next[set] = Account() }
        for (set, bytes) in held where bytes > 0 { next[set, default: Account()].held = bytes }
        for (set, account) in accounts where account.pending > 0 {
            next[set, default: Account()].pending = account.pending
        }
        accounts = next
        let isDivided = !sets.isEmpty && accounts.count > 1
        part = isDivided ? capacity / 2 / UInt64(accounts.count) : 0
        margin = isDivided ? min(2 * segmentBytes, capacity / 8) : 0
        unused = accounts.values.reduce(0) { $0 + left(of: $1) }
    }

    private func left(of account: Account) -> UInt64 { part > account.all ? part - account.all : 0 }

    /// Bytes that the set may still append, of so much room. Above its part it leaves the others theirs.
    package func room(of set: UInt16, room: UInt64) -> UInt64 {
        guard isDivided else { return room }
        let own = accounts[set].map(left(of:)) ?? part
        let reserved = unused - (accounts[set] == nil ? 0 : own) + margin
        return min(room, max(own, room > reserved ? room - reserved : 0))
    }

    /// The least that a set above its part may still append: when it is gone, writes to that set are refused. The room
    /// itself if no set is.
    package func tightest(room: UInt64) -> UInt64 {
        guard isDivided else { return room }
        return accounts.reduce(room) { least, account in
            account.value.all < part ? least : min(least, self.room(of: account.key, room: room))
        }
    }

    /// Unfinished bytes of each set, those that wait for the disk included.
    package var backlogs: [UInt16: UInt64] { accounts.mapValues(\.all) }

    // MARK: Appending

    package mutating func staged(_ set: UInt16, bytes: Int) {
        change(set) { $0.pending += UInt64(bytes) }
    }

    package mutating func dropped(_ set: UInt16, bytes: Int) {
        change(set) { $0.pending -= min($0.pending, UInt64(bytes)) }
    }

    package mutating func durable(_ set: UInt16, bytes: UInt64) {
        change(set) { account in
            account.pending -= min(account.pending, bytes)
            account.held += bytes
        }
    }

    private mutating func change(_ set: UInt16, _ body: (inout Account) -> Void) {
        guard isDivided else { return }
        var account = accounts[set] ?? Account()
        if accounts[set] != nil { unused -= left(of: account) }
        body(&account)
        accounts[set] = account
        unused += left(of: account)
    }
}
