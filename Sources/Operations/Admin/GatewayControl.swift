// What the control plane asks of the data plane. A protocol, so that the admin API is tested without one.

package protocol GatewayControl: Sendable {
    /// Addresses where clients are served.
    var boundAddresses: [String] { get }
    func logStatus() -> StatusReport.LogStatus
    func nodeStatus() -> [StatusReport.NodeStatus]
    /// Counts since the start.
    func requestCounts() -> [String: Int]
    func metrics() -> [MetricFamily]
}
