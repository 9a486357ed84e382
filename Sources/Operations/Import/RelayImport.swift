// A relay that writes to all of its addresses: YAML with `addresses`, `port`, `bind_address` and how often to try again.

extension ImportedConfiguration {
    mutating func takeRelay(_ tree: ForeignTree) throws(ValueFault) {
        kind = "a relay that writes to all of its addresses"
        let addresses = (tree["addresses"]?.sequence.map(Array.init) ?? tree["addresses"].map { [$0] } ?? [])
            .compactMap(\.filledText)
        let host = tree.text("bindaddress")
        let port = tree.text("port")
        takeListener(host: host, port: port, addressesHavePorts: addresses.allSatisfy(Self.hasPort))
        for (index, address) in addresses.enumerated() {
            let url = address.contains("://") ? address : "http://\(address)"
            let nodePort = Self.hasPort(address) ? "" : ":\(portOfNodes(host: host, port: port))"
            _ = try add(name: "node\(index + 1)", url: url + nodePort)
        }
        remark(
            """
            node1, node2, ... are made up. A name stands for the node in the commit log and is not to be changed later:
            choose yours before the first start
            """)
        if let time = tree.text("querytimeout") { take(queryTimeout: time) }
        for entry in tree.entries where !["addresses", "bindaddress", "port", "querytimeout"].contains(entry.form) {
            remark(entry, Self.relayReasons[entry.form])
        }
    }

    private static let relayReasons = [
        "retrycount": "what a node lacks stays in the commit log until it has it, however often that takes",
        "retrydelay": "a node that is away is asked by ping_interval, and gets its backlog as soon as it is back",
        "channelsize": "nothing waits in memory; log.max_bytes says how much the commit log may hold",
    ]

    /// `10.0.0.1:8086`, `http://host:8086/`, `[::1]:8086`.
    private static func hasPort(_ address: String) -> Bool {
        let rest = address.split(separator: "://", maxSplits: 1).last ?? ""
        let authority = rest.prefix { $0 != "/" }
        let behind = authority.split(separator: "]", omittingEmptySubsequences: false).last ?? ""
        guard let colon = behind.lastIndex(of: ":") else { return false }
        return UInt16(behind[behind.index(after: colon)...]) != nil
    }

    /// `port` may be that of the relay or that of its servers; what else is there decides.
    private mutating func takeListener(host: String?, port: String?, addressesHavePorts: Bool) {
        if let host, Self.hasPort(host) {
            take(listen: host)
            if let port, !addressesHavePorts {
                remark("port: \(port.commentLine) was taken for the port of the addresses")
            }
        } else if let port {
            let name = host.map { $0.contains(":") && !$0.hasPrefix("[") ? "[\($0)]" : $0 } ?? ""
            take(listen: "\(name):\(port)")
            remark(
                "port: \(port.commentLine) was taken for the port to listen on"
                    + (addressesHavePorts ? "" : "; the addresses got InfluxDB's own port, 8086"))
        } else if let host {
            remark("bind_address: \(host.commentLine) has no port: set listen")
        }
    }

    private func portOfNodes(host: String?, port: String?) -> String {
        if let host, Self.hasPort(host), let port { return port }
        return String(NodeText.defaultPort)
    }

    /// A bare number is taken for seconds.
    private mutating func take(queryTimeout text: String) {
        let duration = text.allSatisfy(\.isNumber) ? text + "s" : text
        guard let time = try? DurationText.parse(duration), time > .zero, time <= .seconds(86_400) else {
            return remark("query_timeout: \(text.commentLine) cannot be used: set query.timeout")
        }
        queryTimeout = DurationText.render(time)
        if duration != text { remark("query_timeout: \(text) was taken for seconds") }
    }
}
