// What the gateway knows of the shards that each node has open; what is decided on it is in `OpenShards` and
// `Attachment`.

import Cluster
import CommitLog
import NIOCore

extension ClusterControl {
    /// - Parameters:
    ///   - isNew: the node holds other data than before, or may: nothing that was known of it counts.
    ///   - isSameRun: its server is the process that was last delivered to.
    func noteShards(_ node: NodeIndex, _ interviewed: Interviewed, at cursor: Offset, isNew: Bool, isSameRun: Bool) {
        if isNew { state.value.nodes[Int(node.value)].shards = OpenShards() }
        if let seen = interviewed.shards {
            state.value.nodes[Int(node.value)].shards.saw(seen.open, at: cursor, isSameRun: isSameRun)
        }
        keepShards(node)
    }

    package func sawShards(_ node: NodeIndex, _ open: Set<ShardIdentity>, at cursor: Offset, attachment: Int) {
        onControl { [self] in
            let index = Int(node.value)
            guard state.value.nodes[index].isAttached, state.value.sync.members[index].attachment == attachment
            else { return }
            state.value.nodes[index].shards.saw(open, at: cursor)
            keepShards(node)
        }
    }

    package func willDrop(
        _ node: NodeIndex, database: String?, policy: String?, then done: @escaping @Sendable () -> Void
    ) {
        onControl { [self] in
            guard state.value.nodes[Int(node.value)].shards.forget(database: database, policy: policy) else {
                return done()
            }
            keepShards(node)
            // Where it cannot be made durable, only an end of node and gateway within the statement would show it.
            commitLog.checkpoint { _ in done() }
        }
    }

    package func refusesForLong(_ node: NodeIndex, _ write: StubbornWrite, _ seen: ShardsSeen) {
        onControl { [self] in
            let own = state.value.nodes[Int(node.value)]
            guard own.isAttached, own.process == nil || own.process == seen.process else { return }
            let damaged = own.shards.refusing(write, in: seen)
            if !damaged.isEmpty { giveUp(node, reason: OpenShards.advice(damaged, node: name(node))) }
        }
    }

    func keepShards(_ node: NodeIndex) {
        let shards = state.value.nodes[Int(node.value)].shards
        do {
            try commitLog.setNote(
                OpenShards.noteName(name(node)), shards == OpenShards() ? nil : shards.encoded)
        } catch {
            logger.warning(
                "which shards a node has open cannot be kept",
                metadata: ["node": "\(name(node))", "error": "\(error)"])
        }
    }
}
