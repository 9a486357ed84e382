// What can be set of one UDP listener, with InfluxDB's defaults of its section [[udp]].

import LineProtocol
import NIOCore

package struct UDPSettings: Sendable {
    package var host: String
    /// 0: any free one.
    package var port: Int
    package var database: String
    /// Empty: the database's default.
    package var retentionPolicy = ""
    package var precision = Precision.nanoseconds
    /// Points that make a batch full.
    package var batchSize = 5_000
    /// A batch waits no longer for more, from its first point on.
    package var batchTimeout: TimeAmount = .seconds(1)
    /// Bytes that the system keeps until they are read; 0: its default. InfluxDB leaves it at that, which is
    /// a few hundred datagrams on Linux.
    package var readBuffer = 8 << 20

    package init(host: String, port: Int, database: String) {
        self.host = host
        self.port = port
        self.database = database
    }
}
