// What the control plane asks of the data plane. A protocol, so that the admin API is tested without one.

package protocol GatewayControl: Sendable {
    /// Addresses where clients are served.
    var boundAddresses: [String] { get }
    func logStatus() -> StatusReport.LogStatus
    func nodeStatus() -> [StatusReport.NodeStatus]
    /// Counts since the start.
    func requestCounts() -> [String: Int]
    func metrics() -> [MetricFamily]

    /// Leaves a node alone until it is resumed: it gets nothing and is not read; its backlog stays in the log.
    ///
    /// - Parameters:
    ///   - asFailure: as if the node had failed, so that alerts ring; otherwise maintenance.
    ///   - duration: then it is resumed by itself; nil: never.
    func pause(node: String, asFailure: Bool, for duration: Duration?) async throws(ControlRefusal)
    func resume(node: String) async throws(ControlRefusal)
    /// Declares a node that waits for an operator's word good as it is.
    ///
    /// - Returns: what was done, or with `dryRun` what would be done, in a sentence.
    func trust(node: String, dryRun: Bool) async throws(ControlRefusal) -> String
}

/// Why an operator's wish is not carried out.
package struct ControlRefusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// Of HTTP: 4xx when the wish is wrong, 503 when it may be repeated.
    package let status: Int
    /// What is wrong and what to do.
    package let message: String

    package init(_ status: Int, _ message: String) {
        self.status = status
        self.message = message
    }

    package var description: String { message }
}
