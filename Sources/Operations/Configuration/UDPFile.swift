// Reads `udp`, the list of addresses at which points come as datagrams, as InfluxDB's sections [[udp]] describe them.
import Querying
import Yams

/// An address at which points come as datagrams of line protocol.
package struct ConfiguredUDPListener: Equatable, Sendable {
    package var address: ListenAddress
    package var database = "udp"
    /// Empty: the database's default.
    package var retentionPolicy = ""
    /// Of times in the lines: ns, u, ms, s, m or h.
    package var precision = "ns"
    package var batchSize = 5_000
    package var batchTimeout = Duration.seconds(1)
    /// Bytes; 0: the system's default.
    package var readBuffer = 8 << 20

    package init(address: ListenAddress) { self.address = address }
}

extension ConfigurationLoader {
    private static let udpKeys = [
        "listen", "database", "retention_policy", "precision", "batch_size", "batch_timeout", "read_buffer",
    ]

    mutating func readUDP(_ node: Node, in file: FilePositions) {
        for (entry, mapping) in entries(
            of: node, "udp", "a UDP listener", like: "{listen: 127.0.0.1:8089, database: telegraf}", in: file)
        { readUDPListener(entry, mapping, in: file) }
    }

    private mutating func readUDPListener(_ node: Node, _ mapping: Node.Mapping, in file: FilePositions) {
        var listener = ConfiguredUDPListener(address: ListenAddress(host: "0.0.0.0", port: 8089))
        let errorsBefore = errorCount
        for (keyNode, value) in mapping {
            guard let key = readKey(keyNode, in: file) else { continue }
            switch key {
            case "listen":
                listener.address = read(value, "listen", in: file, Self.udpAddress) ?? listener.address
            case "database":
                listener.database = read(value, "database", in: file, Self.udpDatabase) ?? ""
            case "retention_policy":
                listener.retentionPolicy = read(value, key, in: file) { text throws(ValueFault) in text } ?? ""
            case "precision":
                listener.precision = read(value, "precision", in: file, Self.udpPrecision) ?? ""
            case "batch_size":
                listener.batchSize = read(value, "batch_size", in: file, Self.udpBatchSize) ?? 1
            case "batch_timeout":
                listener.batchTimeout = read(value, "batch_timeout", in: file, Self.udpBatchTimeout) ?? .zero
            case "read_buffer":
                listener.readBuffer = read(value, "read_buffer", in: file, Self.udpReadBuffer) ?? 0
            default: reportUnknown(key, among: Self.udpKeys, at: file.origin(keyNode))
            }
        }
        guard errorCount == errorsBefore else { return }
        configuration.udp.append(listener)
        udpOrigins.append(file.origin(node))
    }

    private static func udpAddress(_ text: String) throws(ValueFault) -> ListenAddress {
        let address = try ListenAddress(parsing: text)
        guard address.tcp != nil else {
            throw ValueFault("\"\(text)\" is no address for UDP", advice: "write host:port, such as 127.0.0.1:8089")
        }
        return address
    }

    private static func udpDatabase(_ text: String) throws(ValueFault) -> String {
        guard !text.isEmpty else { throw ValueFault("is empty", advice: "name the database for the points") }
        guard text != HiddenDatabase.name else {
            throw ValueFault("\"\(text)\" is the gateway's own", advice: "choose another database")
        }
        return text
    }

    private static func udpPrecision(_ text: String) throws(ValueFault) -> String {
        guard ["ns", "n", "u", "ms", "s", "m", "h"].contains(text) else {
            throw ValueFault("\"\(text)\" is not known", advice: "use ns, u, ms, s, m or h")
        }
        return text
    }

    private static func udpBatchSize(_ text: String) throws(ValueFault) -> Int {
        guard let number = Int(text), (1...1_000_000).contains(number) else {
            throw ValueFault(
                "\"\(text)\" is not a number from 1 to 1000000", advice: "write how many points to log at once")
        }
        return number
    }

    private static func udpBatchTimeout(_ text: String) throws(ValueFault) -> Duration {
        let time = try DurationText.parse(text)
        guard time >= .milliseconds(1), time <= .seconds(60) else {
            throw ValueFault("\"\(text)\" is out of bounds", advice: "write 1ms to 1m")
        }
        return time
    }

    private static func udpReadBuffer(_ text: String) throws(ValueFault) -> Int {
        if text == "0" { return 0 }
        let size = try SizeText.parse(text)
        guard size <= 1 << 30 else {
            throw ValueFault(
                "\"\(text)\" is out of bounds", advice: "write at most 1GiB, or 0 for the system's default")
        }
        return size
    }

    // MARK: Checks with other keys

    mutating func checkUDP() {
        for (index, listener) in configuration.udp.enumerated() {
            let origin = udpOrigins[index]
            let isTaken = configuration.udp[..<index].contains { $0.address == listener.address }
            if isTaken, !listener.address.isAnyPort {
                report(
                    origin, "another UDP listener has the same address, \(listener.address)",
                    advice: "give each a port of its own")
            }
            do throws(Policy.Refusal) {
                try configuration.policy.checkWrite(to: listener.database)
            } catch {
                report(
                    origin, "the policy lets nobody write to \(listener.database) (\(error.message))",
                    advice: "allow write there, or remove this UDP listener: all its points would be dropped")
            }
            if configuration.decidedAccess != .none {
                warn(
                    origin,
                    "whoever reaches \(listener.address) by UDP writes to \(listener.database) without a credential",
                    advice: "UDP has none; bind it to loopback or a trusted network, or use /write")
            }
        }
    }
}
