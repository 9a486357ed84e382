// Whom to give up when the log runs out of room (DESIGN: "The log on disk"; L20, invariant 9). A node that is given up
// needs a copy; the records that only it still needed may then go. Never a record that no node in sync of its replica set
// has: then writes to that set get 503 instead.

import CommitLog

package struct RetentionPolicy: Sendable {
    package struct Member: Sendable {
        package let node: NodeIndex
        package let state: SyncState
        /// Where its backlog begins; nil: the log keeps nothing for it.
        package let cursor: Offset?
        /// Its replica sets that have unfinished records in the log.
        package let sets: [NodeSet]

        package init(node: NodeIndex, state: SyncState, cursor: Offset?, sets: [NodeSet]) {
            self.node = node
            self.state = state
            self.cursor = cursor
            self.sets = sets
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
    ///   - room: bytes that can still be appended, to the sets that have least, while all cursors stay where they are.
    ///   - shortSets: those that room is short for: no node is given up for the sake of sets that it has no part in.
    ///   - otherCursors: of readers that are no nodes; what they need is never given up.
    ///   - bytesFinished: bytes of the log that could go, were each replica set finished below its offset.
    package func decide(
        room: UInt64, shortSets: Set<NodeSet>, members: [Member], otherCursors: [Offset] = [],
        bytesFinished: ([NodeSet: Offset]) -> UInt64
    ) -> Decision {
        var decision = Decision(isShort: room < wantedRoom)
        guard decision.isShort else { return decision }
        let candidates =
            members
            .compactMap { member in member.cursor.map { (member: member, cursor: $0) } }
            .filter { candidate in
                candidate.member.state != .inSync && candidate.member.sets.contains(where: shortSets.contains)
                    && candidate.member.sets.allSatisfy { hasAnother(in: $0, beyond: candidate.cursor, members) }
            }
            .sorted { ($0.cursor, $0.member.node) < ($1.cursor, $1.member.node) }
            .map(\.member.node)
        let sets = Set(members.flatMap(\.sets))
        func bytes(without givenUp: some Collection<NodeIndex>) -> UInt64 {
            var finished: [NodeSet: Offset] = [:]
            for set in sets {
                // A node in sync is among those that stay, so no set is finished beyond its last copy.
                let staying = members.filter { set.contains($0.node) && !givenUp.contains($0.node) }
                finished[set] = (staying.compactMap(\.cursor) + otherCursors).min() ?? .zero
            }
            return bytesFinished(finished)
        }
        let present = bytes(without: [])
        func freed(without givenUp: some Collection<NodeIndex>) -> UInt64 {
            let bytes = bytes(without: givenUp)
            return bytes - min(bytes, present)
        }
        // The oldest first, and none whose going frees nothing.
        for count in candidates.indices.map({ $0 + 1 }) {
            let freed = freed(without: candidates[..<count])
            guard freed > decision.freed else { continue }
            decision.givenUp = Array(candidates[..<count])
            decision.freed = freed
            decision.isShort = room + freed < wantedRoom
            if !decision.isShort { break }
        }
        // Of different sets, one may have come along in vain.
        for node in decision.givenUp.dropLast() {
            let fewer = decision.givenUp.filter { $0 != node }
            if freed(without: fewer) == decision.freed { decision.givenUp = fewer }
        }
        return decision
    }

    private func hasAnother(in set: NodeSet, beyond cursor: Offset, _ members: [Member]) -> Bool {
        members.contains { member in
            set.contains(member.node) && member.state == .inSync && member.cursor.map { $0 > cursor } ?? false
        }
    }
}
