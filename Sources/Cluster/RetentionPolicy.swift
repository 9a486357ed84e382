// Whom to give up when the log runs out of room (DESIGN: "The log on disk"; L20, invariant 9). A node that is given up
// needs a copy; the records that only it still needed may then go. Never a record that no node in sync has: then writes
// get 503 instead.

import CommitLog

package struct RetentionPolicy: Sendable {
    package struct Member: Sendable {
        package let node: NodeIndex
        package let state: SyncState
        /// Where its backlog begins; nil: the log keeps nothing for it.
        package let cursor: Offset?

        package init(node: NodeIndex, state: SyncState, cursor: Offset?) {
            self.node = node
            self.state = state
            self.cursor = cursor
        }
    }

    package struct Decision: Equatable, Sendable {
        /// In this order; none: there is room, or nothing to win.
        package var givenUp: [NodeIndex] = []
        /// Bytes of segments that nobody needs any more then.
        package var freed: UInt64 = 0
        /// Less room than wanted is left all the same: writes will be refused when it is used up.
        package var isShort = false
    }

    /// Room that is to be left, so that there is time to free more: bytes.
    package let wantedRoom: UInt64

    package init(wantedRoom: UInt64) { self.wantedRoom = wantedRoom }

    /// Two segments, or a quarter of the log where that is less.
    package init(segmentBytes: UInt64, maximumBytes: UInt64) {
        self.init(wantedRoom: min(2 * segmentBytes, maximumBytes / 4))
    }

    /// - Parameters:
    ///   - room: bytes that can still be appended while all cursors stay where they are.
    ///   - otherCursors: of readers that are no nodes; what they need is never given up.
    ///   - bytesBelow: bytes of the segments that hold only records below an offset (``CommitLog/bytes(below:)``).
    package func decide(
        room: UInt64, members: [Member], otherCursors: [Offset] = [], bytesBelow: (Offset) -> UInt64
    ) -> Decision {
        var decision = Decision(isShort: room < wantedRoom)
        guard decision.isShort else { return decision }
        let inSync = members.filter { $0.state == .inSync }.compactMap(\.cursor)
        guard let mostAdvanced = inSync.max() else { return decision }
        let candidates =
            members
            .compactMap { member in member.cursor.map { (node: member.node, state: member.state, cursor: $0) } }
            .filter { $0.state != .inSync && $0.cursor < mostAdvanced }
            .sorted { ($0.cursor, $0.node) < ($1.cursor, $1.node) }
        let others =
            otherCursors
            + members.filter { member in !candidates.contains { $0.node == member.node } }.compactMap(\.cursor)
        func floor(without count: Int) -> Offset? {
            (candidates.dropFirst(count).map(\.cursor) + others).min()
        }
        guard let present = floor(without: 0).map(bytesBelow) else { return decision }
        // The oldest first, and none whose going frees nothing.
        for count in candidates.indices.map({ $0 + 1 }) {
            // A node in sync is among those that stay, so the floor never passes the last copy.
            guard let freed = floor(without: count).map({ bytesBelow($0) - min(bytesBelow($0), present) }),
                freed > decision.freed
            else { continue }
            decision.givenUp = candidates[..<count].map(\.node)
            decision.freed = freed
            decision.isShort = room + freed < wantedRoom
            if !decision.isShort { break }
        }
        return decision
    }
}
