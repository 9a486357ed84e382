// What to do with a node that was just interviewed: a node may be new, wiped, put back to an older state, a copy of
// another node or the same server under a second name, and the gateway's cursor alone tells none of it (S11).
//
// What the rules build on:
// - A marker is written after the cursor in it was checkpointed durably, and after the node has applied all below it.
//   So on a healthy node  last confirmed marker <= marker <= cursor.
// - Between two markers a node may be put back unnoticed. Therefore delivery always begins at the marker where the
//   server's process is another one than before; what is sent twice ends in the same state. How far a marker lies
//   behind the cursor decides only about the words.
// - The epoch is new at each open of the log, so a marker of an epoch that this log has not reached was written by a
//   later state of it, or by a copy.
// - The log must keep what lies above a node's last confirmed marker, not only above its cursor.

import CommitLog

package struct Attachment: Equatable, Sendable {
    package enum Verdict: Equatable, Sendable {
        /// Healthy. The offset may lie below the cursor, by what was written after the last marker.
        case attach(Offset)
        /// The node is not where the cursor says; delivering from here makes it right again. For a copied node the
        /// offset may also lie above the cursor.
        case rewind(to: Offset, reason: String)
        /// The log cannot make it right.
        case needsCopy(reason: String)
        /// It must not be read and gets nothing before an operator's word.
        case hold(reason: String)
        /// First contact, and it has data: see what it holds beside what the others hold.
        case compareInventories
    }

    /// What is known about the node and the log at this moment.
    package struct Situation: Sendable {
        package struct Peer: Equatable, Sendable {
            package var name: String
            package var process: ProcessIdentity?

            package init(name: String, process: ProcessIdentity?) {
                self.name = name
                self.process = process
            }
        }

        /// The node's name in the configuration.
        package var node: String
        package var logID: String
        /// Of this open.
        package var epoch: UInt64
        package var logStart: Offset
        /// The durable end when the log was opened.
        package var horizon: Offset
        package var durableEnd: Offset
        /// The gateway's own durable cursor for the node; nil: never seen.
        package var cursor: Offset?
        /// The log began when all nodes were empty, and still holds everything from offset 0.
        package var holdsAllHistory = false
        package var markers: [Marker] = []
        /// No user database has data.
        package var isEmpty = false
        package var process: ProcessIdentity?
        /// The run of the server that this run of the gateway delivered to before; nil: none.
        package var formerProcess: ProcessIdentity?
        /// The other nodes that are attached, or were when they last answered.
        package var peers: [Peer] = []
        /// The cursor in the last marker that the node confirmed in this run of the gateway; nil: none yet.
        package var lastMarker: UInt64?
        /// The largest cursor in any marker that this run has sent to the node, confirmed or not; nil: none yet.
        package var attemptedMarker: UInt64?
        /// The shards that it shows; nil: it does not.
        package var shards: ShardsSeen?
        /// The shards that it was seen to have open before.
        package var knownShards = OpenShards()
        /// An operator has declared the node good as it is.
        package var isTrusted = false
        /// How many records a healthy node's marker may lie behind the cursor after a restart of the gateway, when the
        /// last marker is not known. Markers are written about once a second.
        package var markerSlack: UInt64 = 100_000

        package init(
            node: String, logID: String, epoch: UInt64, logStart: Offset, horizon: Offset, durableEnd: Offset,
            cursor: Offset?
        ) {
            self.node = node
            self.logID = logID
            self.epoch = epoch
            self.logStart = logStart
            self.horizon = horizon
            self.durableEnd = durableEnd
            self.cursor = cursor
        }
    }

    package let verdict: Verdict
    /// What an operator should know beside it.
    package let warnings: [String]

    package init(_ situation: Situation) {
        verdict = situation.verdict
        warnings = situation.warnings
    }
}

extension Attachment.Situation {
    private var ownMarker: Marker? { markers.first { $0.logID == logID } }
    private var foreignMarkers: [Marker] { markers.filter { $0.logID != logID } }

    fileprivate var warnings: [String] {
        guard ownMarker != nil else { return [] }
        return foreignMarkers.map { marker in
            "another gateway writes to \(node) too, or did: \(described(marker)). Two gateways with logs of their own"
                + " are safe only for distinct points without deletes and schema changes"
        }
    }

    fileprivate var verdict: Attachment.Verdict {
        // A server that gets every record twice, out of order, is never right; no operator's word changes that.
        if let process, let twin = peers.first(where: { $0.process == process }) {
            return .hold(
                reason: "\(node) and \(twin.name) are the same server (\(process)); remove one of them from the"
                    + " configuration, or correct its url")
        }
        let verdict = checkingShards(ownMarker.map(judge) ?? withoutMarker)
        return isTrusted ? trusted(verdict) : verdict
    }

    // MARK: With a marker of this log

    private func judge(_ marker: Marker) -> Attachment.Verdict {
        if let contradiction = logWentBack(marker) {
            return .hold(
                reason:
                    "\(contradiction). The gateway's data folder was put back to an older state, or a second gateway"
                    + " runs on a copy of it: stop that one; then sluice nodes trust \(node) keeps the node as it is, or"
                    + " copy the data from a node that is right")
        }
        let position = Offset(marker.cursor)
        guard position >= logStart else {
            return .needsCopy(
                reason: "\(node) holds the data up to record \(position) (by its marker), and the log begins at"
                    + " \(logStart); the records between are gone, so it needs a copy from another node")
        }
        if marker.node != node {
            return .rewind(
                to: position,
                reason:
                    "\(node) holds a copy of \(marker.node), made when that was at record \(position) (by the marker"
                    + " in it); delivery goes on from there")
        }
        guard let cursor, cursor > .zero else { return .attach(position) }
        if let lastMarker, marker.cursor < lastMarker {
            return .rewind(
                to: position,
                reason: "\(node) went back in time: its marker says record \(position), and it had already confirmed"
                    + " \(lastMarker) (a restored backup or snapshot, or a power loss with wal-fsync-delay set);"
                    + " delivery goes on from \(position)")
        }
        if lastMarker == nil, UInt64(max(0, position.distance(to: cursor))) > markerSlack {
            return .rewind(
                to: position,
                reason: "\(node) went back in time while the gateway did not run, or its markers could not be written:"
                    + " its marker says record \(position), and the gateway had delivered up to \(cursor); delivery"
                    + " goes on from \(position)")
        }
        if lastMarker != nil, let process, process == formerProcess { return .attach(cursor) }
        return .attach(position)
    }

    /// In which way the marker knows more than the log does.
    private func logWentBack(_ marker: Marker) -> String? {
        let says = "the marker on \(node) was written in epoch \(marker.epoch) at record \(marker.cursor)"
        if marker.epoch > epoch { return "\(says), and this log is only in epoch \(epoch)" }
        if marker.epoch == epoch, marker.node == node, attemptedMarker.map({ marker.cursor > $0 }) ?? true {
            return "\(says), and this gateway did not write that"
        }
        let end = marker.epoch == epoch ? durableEnd : horizon
        if Offset(marker.cursor) > end { return "\(says), and the log had only reached \(end)" }
        if marker.node == node, let cursor, cursor > .zero, Offset(marker.cursor) > cursor {
            return "\(says), and this log has delivered to it only up to \(cursor)"
        }
        return nil
    }

    // MARK: Without

    private var withoutMarker: Attachment.Verdict {
        if !foreignMarkers.isEmpty {
            let found = foreignMarkers.map(described).joined(separator: "; ")
            return .hold(
                reason: "\(node) belongs to another gateway: \(found). If that gateway is gone for good, sluice nodes"
                    + " trust \(node) takes the node as it is, or copy the data from a node of this one")
        }
        let known = cursor ?? .zero
        if isEmpty {
            if holdsAllHistory, logStart == .zero {
                guard known > .zero else { return .attach(.zero) }
                return .rewind(
                    to: .zero, reason: "\(node) was wiped, and the log still holds everything; delivery begins again")
            }
            return .needsCopy(
                reason: known > .zero
                    ? "\(node) was wiped: it had the data up to record \(known) and is empty now; the log begins at"
                        + " \(logStart), so it needs a copy from another node"
                    : "\(node) is new and empty, and the other nodes have data that the log does not hold; it needs a"
                        + " copy from another node")
        }
        guard known > .zero else { return .compareInventories }
        return .hold(
            reason: "\(node) has data but no marker, though it had the data up to record \(known): it was replaced or"
                + " restored from elsewhere, or its database \(Marker.database) was dropped. If its data is right, sluice"
                + " nodes trust \(node); if not, copy the data from another node")
    }

    private func described(_ marker: Marker) -> String {
        "log \(marker.logID) knows it as \(marker.node) and had reached record \(marker.cursor) in epoch \(marker.epoch)"
    }

    // MARK: Shards

    /// A node whose data is there, but not open, answers as if it were not there.
    private func checkingShards(_ verdict: Attachment.Verdict) -> Attachment.Verdict {
        guard let shards, ownMarker.map({ $0.node == node }) ?? foreignMarkers.isEmpty else { return verdict }
        // A shard is damaged by the end of a process, not while it runs.
        let isSameRun = process != nil && process == formerProcess
        let latest = isSameRun ? nil : knownShards.deliveryStart(for: shards).map { max($0, logStart) }
        var verdict = verdict
        var offset: Offset?
        switch verdict {
        case .attach(let start):
            let start = min(start, latest ?? start)
            (verdict, offset) = (.attach(start), start)
        case .rewind(let start, let reason):
            let start = min(start, latest ?? start)
            (verdict, offset) = (.rewind(to: start, reason: reason), start)
        case .hold: break
        case .needsCopy, .compareInventories: return verdict
        }
        let missing = knownShards.missing(in: shards, deliveredFrom: offset)
        return missing.isEmpty ? verdict : .needsCopy(reason: OpenShards.advice(missing, node: node))
    }

    // MARK: An operator's word

    /// Takes the node as it is: what the log holds above the cursor (all of it for a node never seen) is delivered.
    private func trusted(_ verdict: Attachment.Verdict) -> Attachment.Verdict {
        switch verdict {
        case .attach, .rewind: verdict
        case .needsCopy, .hold, .compareInventories: .attach(min(max(cursor ?? logStart, logStart), durableEnd))
        }
    }
}
