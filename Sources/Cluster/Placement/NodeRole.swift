// What a node is for (DESIGN: "Placement").

package enum NodeRole: String, CaseIterable, Sendable {
    case normal
    /// Gets everything, is never read, and nobody waits for it.
    case writeOnly = "write-only"
    /// At a remote site: as `writeOnly`, but it may be read when it lags by less than is stated.
    case async

    /// Acknowledgements wait for it while it is in sync.
    package var isWaitedFor: Bool { self == .normal }
}
