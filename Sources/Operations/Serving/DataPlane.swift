// What `sluice serve` needs of the gateway beyond its figures: its end, and the refusals in its log.

package protocol DataPlane: GatewayControl, RefusalSource {
    /// Returns when the commit log cannot be written any more; the process must end then and recover at its next start.
    func whenFailed() async -> ServingError
    /// Where the gateway reaches itself as a client; nil: it does not listen yet.
    var ownAddress: String? { get }
    /// Looks for certificates and keys that were renewed.
    func reloadCertificates() async
    /// Stops accepting, finishes requests, flushes and closes the log.
    func shutdown() async
}

extension DataPlane {
    package var ownAddress: String? { boundAddresses.first }
    package func reloadCertificates() async {}
}

/// The refusals in a commit log, for the index of dead letters. Calls may block on files.
package protocol RefusalSource: Sendable {
    /// Offsets mean something within one log only.
    var logID: String { get }
    var start: UInt64 { get }
    var durableEnd: UInt64 { get }
    /// The cursor `deadletters`: all refusals below it are in the index.
    var indexedEnd: UInt64? { get }
    func setIndexedEnd(_ offset: UInt64)
    /// Reads a stretch of the log; `next` is where the following call goes on.
    func refusals(from offset: UInt64) throws -> (found: [Refusal], next: UInt64)
    /// The handler is called with the offset of each refusal that is appended from now on, before or soon after it is
    /// durable, on any thread; it never blocks.
    func onRefusal(_ handler: @escaping @Sendable (UInt64) -> Void)
}
